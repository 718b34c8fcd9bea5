/* Keras's files as other versions and systems wrote them: names of groups, and states of optimizers that don't fit. */
#include "weights_help.h"

#include "convoy/convoy.h"

#ifdef HAVE_KERAS_FILES
#include "hdf5_help.h"

/* ---- names of groups ---- */

/* How a Keras names what level_walk calls "layers/conv2d_1". */
typedef struct naming {
    const char *container;
    bool windows; /* backslashes, but for the last part */
    bool twice;   /* layers with weights count twice */
} naming;

static const naming namings[] = {
    {"layers", true, false},
    {"_layer_checkpoint_dependencies", false, false},
    {"_layer_checkpoint_dependencies", false, true},
    {"_layer_checkpoint_dependencies", true, true},
    {"_self_tracked_trackables", true, true},
};

#define MOST_PLACES 256

typedef struct renaming {
    const convoy_model *model;
    const naming *how;
    hid_t from, to;
    char before[MOST_PLACES][256], after[MOST_PLACES][512]; /* places that had a turn */
    bool weighted[MOST_PLACES];
    size_t count;
} renaming;

/* The name without its number. */
static size_t base_of(const char *path)
{
    size_t length = strlen(path), digits = length;
    while (digits > 0 && strchr("0123456789", path[digits - 1]) != NULL)
        digits--;
    return digits < length && digits > 0 && path[digits - 1] == '_' ? digits - 1 : length;
}

/* How many with weights stand before it in the count. */
static size_t counted_before(const renaming *r, const char *path)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++)
        count += r->weighted[i] && base_of(r->before[i]) == base_of(path) && strncmp(r->before[i], path, base_of(path)) == 0;
    return count;
}

static void copy_group(const renaming *r, const char *from, const char *place)
{
    char group[600], old[300];
    snprintf(group, sizeof group, "%s", place);
    for (char *c = group; r->how->windows && *c != '\0'; c++)
        *c = *c == '/' ? '\\' : *c;
    strcat(group, "/vars");
    snprintf(old, sizeof old, "%s/vars", from);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    assert_true(H5Ocopy(r->from, old, r->to, group, H5P_DEFAULT, links) >= 0);
    H5Pclose(links);
}

static convoy_status rename_place(void *user, size_t node, const char *name, const char *path, convoy_error *err)
{
    renaming *r = user;
    const char *last = strrchr(path, '/') + 1, *outer = "";
    size_t at = r->count, prefix = (size_t)(last - path) - strlen("layers/");
    (void)name, (void)err;
    for (size_t i = 0; i < at; i++)
        if (strlen(r->before[i]) + 1 == prefix && strncmp(r->before[i], path, prefix - 1) == 0)
            outer = r->after[i];
    size_t number = (size_t)atoi(path + base_of(path) + (path[base_of(path)] == '_'));
    if (r->how->twice)
        number += counted_before(r, path);
    snprintf(r->after[at], sizeof r->after[at], number ? "%s%s%s/%.*s_%zu" : "%s%s%s/%.*s", outer, outer[0] ? "/" : "",
             r->how->container, (int)(base_of(path) - (size_t)(last - path)), last, number);
    snprintf(r->before[at], sizeof r->before[at], "%s", path);
    r->weighted[at] = node == SIZE_MAX || r->model->nodes[node].layer->param_count > 0;
    r->count++;
    copy_group(r, path, r->after[at]);
    return CONVOY_OK;
}

/* The file of weights that a Keras of these habits writes, from our own. */
static void write_renamed(const convoy_model *model, const naming *how, const char *path)
{
    static renaming r;
    r = (renaming){.model = model, .how = how};
    ASSERT_OK(convoy_model_save_weights(model, path_of("plain.weights.h5"), &err));
    r.from = H5Fopen(path_of("plain.weights.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    r.to = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ASSERT_OK(level_walk(model, rename_place, &r, &err));
    H5Fclose(r.from);
    H5Fclose(r.to);
}

static void test_names_of_groups(void **state)
{
    (void)state;
    static const char *const models[] = {"layers_3.h5", "graph_3.h5", "sequential_3.h5"};
    char path[128];
    snprintf(path, sizeof path, "%s/renamed.weights.h5", folder);
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (size_t n = 0; n < sizeof namings / sizeof *namings; n++) {
            convoy_model *model = load_golden(models[m]), *again = load_golden(models[m]);
            write_renamed(model, &namings[n], path);
            scramble(again);
            ASSERT_OK(convoy_model_load_weights(again, path, &err));
            assert_same_weights(model, again);
            convoy_model_destroy(model);
            convoy_model_destroy(again);
        }
}

/* One that lacks a layer's group is refused, with what it has. */
static void test_groups_that_lack(void **state)
{
    (void)state;
    convoy_model *model = load_golden("graph_3.h5");
    ASSERT_OK(convoy_model_save_weights(model, path_of("lacks.weights.h5"), &err));
    hid_t file = H5Fopen(path_of("lacks.weights.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Lmove(file, "layers/dense", file, "layers/danse", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    assert_no_weights(model, path_of("lacks.weights.h5"), "(Dense)", "0 weights in layers/dense/vars", "layers/danse", NULL);
    convoy_model_destroy(model);
}

/* ---- states of optimizers ---- */

/* A file of an older form: its variables, and where sequential_2.h5 has what they hold; NULL: a (1,) of nothing. */
typedef struct variable {
    const char *name, *from;
} variable;

static void put_variable(hid_t file, const variable *v)
{
    const hsize_t one = 1;
    char from[256], to[256];
    snprintf(from, sizeof from, "old/%s", v->from);
    snprintf(to, sizeof to, "optimizer_weights/%s", v->name);
    hid_t links = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(1, &one, NULL);
    H5Pset_create_intermediate_group(links, 1);
    if (v->from != NULL)
        assert_true(H5Ocopy(file, from, file, to, H5P_DEFAULT, links) >= 0);
    else
        assert_true(H5Dclose(H5Dcreate2(file, to, H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT)) >= 0);
    H5Sclose(space);
    H5Pclose(links);
}

static void write_state(const char *path, const char *version, const char *training, const variable *variables)
{
    char names[64][64] = {{0}};
    hsize_t count = 0;
    hid_t file = open_copy("sequential_2.h5", path);
    assert_true(H5Lmove(file, "optimizer_weights", file, "old", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Gclose(H5Gcreate2(file, "optimizer_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* set_text deletes what may not be there */
    for (; variables[count].name != NULL; count++) {
        put_variable(file, &variables[count]);
        snprintf(names[count], sizeof names[count], "%s", variables[count].name);
    }
    set_text(file, "optimizer_weights", "weight_names", names[0], sizeof names[0], count);
    set_text(file, "/", "keras_version", version, 0, 0);
    set_text(file, "/", "training_config", training, 0, 0);
    H5Fclose(file);
}

#define TRAINING(optimizer, options) "{\"optimizer_config\": {\"class_name\": \"" optimizer "\", \"config\": {" options "}}}"
#define ADAM TRAINING("Adam", "\"lr\": 0.01, \"beta_1\": 0.9, \"beta_2\": 0.999, \"epsilon\": 1e-7, \"decay\": 0.0")
#define M(name) "Adam/m/" name ":0"
#define V(name) "Adam/v/" name ":0"
#define NAMES(X) X("conv2d/kernel"), X("conv2d/bias"), X("batch_normalization/gamma"), X("batch_normalization/beta"), \
                 X("dense/kernel"), X("dense/bias")

/* The state is that of sequential_2.h5; with `slots` only its first ones, without steps. */
static void assert_state(const char *path, int slots, bool steps)
{
    convoy_model *model = load_model(path), *expected = load_golden("sequential_2.h5");
    assert_string_equal(model->optimizer_left_out, "");
    assert_int_equal(model->optimizer_steps, steps ? expected->optimizer_steps : 0);
    assert_int_equal(model->optimizer_slot_count, slots);
    for (int s = 0; s < slots; s++)
        assert_memory_equal(model->optimizer_slots[s], expected->optimizer_slots[s],
                            model_trainable_count(expected) * sizeof(float));
    convoy_model_destroy(model);
    convoy_model_destroy(expected);
}

/* Keras 2.1 to 2.3: all m, all v, a (1,) for each variable. */
static void test_state_with_vhats(void **state)
{
    (void)state;
    static const char *const from[] = {"iteration:0", NAMES(M), NAMES(V)};
    variable list[32] = {{0}};
    char names[32][32];
    for (int i = 0; i < 19; i++) {
        snprintf(names[i], sizeof names[i], i ? "training/Adam/Variable_%d:0" : "Adam/iterations:0", i);
        list[i] = (variable){names[i], i < 13 ? from[i] : NULL};
    }
    write_state("vhats.h5", "2.2.4", ADAM, list);
    assert_state(path_of("vhats.h5"), 2, true);
}

/* Keras 2.0.0 to 2.0.5: the variables sorted by name, "batch_normalization/beta", ".../gamma", "conv2d/bias", ... */
static void test_state_sorted_by_name(void **state)
{
    (void)state;
    static const int sorted[] = {3, 2, 1, 0, 5, 4};
    static const char *const from[] = {NAMES(M), NAMES(V)};
    variable list[32] = {{"iterations_1:0", "iteration:0"}};
    char names[32][32];
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], "Variable_%d:0", i);
        list[1 + i] = (variable){names[i], from[i / 6 * 6 + sorted[i % 6]]};
    }
    write_state("sorted.h5", "2.0.5", ADAM, list);
    assert_state(path_of("sorted.h5"), 2, true);
    write_state("sorted.h5", "2.0.6", ADAM, list); /* which did not sort: here the shapes don't fit */
    convoy_model *model = load_model(path_of("sorted.h5"));
    assert_int_equal(model->optimizer_steps, 0);
    assert_non_null(strstr(model->optimizer_left_out, "optimizer_weights/Variable_0:0 has the shape (4,)"));
    convoy_model_destroy(model);
}

/* RMSprop before Keras 2.3 has no steps. */
static void test_state_without_steps(void **state)
{
    (void)state;
    static const char *const from[] = {NAMES(M)};
    variable list[8] = {{0}};
    char names[8][32];
    for (int i = 0; i < 6; i++) {
        snprintf(names[i], sizeof names[i], "training/RMSprop/Variable_%d:0", i);
        list[i] = (variable){names[i], from[i]};
    }
    write_state("rms.h5", "2.2.4", TRAINING("RMSprop", "\"lr\": 0.01, \"rho\": 0.9, \"epsilon\": 1e-7"), list);
    assert_state(path_of("rms.h5"), 1, false);
}

/* What Keras 2's Nadam calls a decay is none of the rate. */
static void test_momentum_schedule_is_named(void **state)
{
    (void)state;
    const variable list[] = {{"Nadam/iter:0", "iteration:0"}, {0}};
    write_state("nadam.h5", "2.4.0", TRAINING("Nadam", "\"learning_rate\": 0.01, \"decay\": 0.004"), list);
    convoy_model *model = load_model(path_of("nadam.h5"));
    assert_string_equal(model->optimizer, "");
    assert_non_null(strstr(model->optimizer_refused, "schedule_decay"));
    convoy_model_destroy(model);
}

/* Keras 2.13's .keras files lose the product of Nadam's momenta: it follows from the steps. */
static void test_nadam_without_product(void **state)
{
    (void)state;
    convoy_model *model = load_golden("nadam_3.h5"), *again = load_golden("nadam_3.h5");
    char last[64];
    ASSERT_OK(convoy_model_save_weights(model, path_of("nadam.weights.h5"), &err));
    hid_t file = H5Fopen(path_of("nadam.weights.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    H5G_info_t info;
    assert_true(H5Gget_info_by_name(file, "optimizer/vars", &info, H5P_DEFAULT) >= 0);
    snprintf(last, sizeof last, "optimizer/vars/%d", (int)info.nlinks - 1);
    assert_true(H5Ldelete(file, last, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    ASSERT_OK(convoy_model_load_weights(again, path_of("nadam.weights.h5"), &err));
    assert_string_equal(again->optimizer_left_out, "");
    assert_int_equal(again->optimizer_steps, model->optimizer_steps);
    assert_true(fabsf(again->optimizer_scalar - model->optimizer_scalar) <= 1e-6f * model->optimizer_scalar);
    convoy_model_destroy(model);
    convoy_model_destroy(again);
}

#endif

/* ---- words ---- */

static convoy_status read_config(const char *json, convoy_model **out, convoy_error *err)
{
    return convoy_model_from_json(json, strlen(json), out, err);
}

static void assert_refused_config(const char *json, const char *reason)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    assert_int_not_equal(read_config(json, &model, &err), CONVOY_OK);
    if (strstr(err.message, reason) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", reason, err.message);
}

#define CHAIN(shape, layer)                                                                                            \
    "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"InputLayer\", \"config\": "      \
    "{\"batch_input_shape\": " shape "}}, " layer "]}}"
#define LAYER(name, options) "{\"class_name\": \"" name "\", \"config\": {" options "}}"

/* Python's bytecode in a Lambda has NULs; no text is cut at one. */
static void test_nuls(void **state)
{
    (void)state;
    assert_refused_config(CHAIN("[null, 8, 8, 3]", LAYER("Lambda", "\"function\": [\"\\u00e3\\u0000\", null]")),
                          "unknown layer 'Lambda'");
    assert_refused_config(CHAIN("[null, 8, 8, 3]", LAYER("ReLU\\u0000x", "")), "unknown layer 'ReLU\\u0000x'");
    assert_refused_config(CHAIN("[null, 8]", LAYER("Dense", "\"units\": 3, \"activation\": \"relu\\u0000x\"")),
                          "unknown activation 'relu\\u0000x'");
}

static void test_old_words(void **state)
{
    (void)state;
    static const char *const configs[] = {
        CHAIN("[null, 8]", LAYER("Dense", "\"units\": 3, \"use_bias\": 1, \"trainable\": 0, \"activation\": \"softmax_v2\"")),
        CHAIN("[null, 8, 8, 3]", LAYER("BatchNormalizationV1", "\"axis\": [3], \"scale\": 1, \"center\": 0")),
    };
    static const size_t parameters[] = {27, 9};
    for (size_t i = 0; i < 2; i++) {
        convoy_model *model = NULL;
        ASSERT_OK(read_config(configs[i], &model, &err));
        assert_int_equal(convoy_model_parameter_count(model), parameters[i]);
        assert_int_equal(model_trainable_count(model), i == 0 ? 0 : 3);
        convoy_model_destroy(model);
    }
    assert_refused_config(CHAIN("[null, 8]", LAYER("Dense", "\"units\": 3, \"use_bias\": 2")), "expected true or false");
    assert_refused_config(CHAIN("[null, null, null, 3]", LAYER("Flatten", "")), "in place of another null write the size");
}

#define GRAPH_LAYER(class, name, calls, options)                                                                       \
    "{\"class_name\": \"" class "\", \"name\": \"" name "\", \"inbound_nodes\": " calls ", \"config\": {\"name\": \""   \
    name "\"" options "}}"

/* tf.keras of TensorFlow 2.0: calls with one tensor have no list around it; a layer may be called twice. */
static void test_unnested_calls(void **state)
{
    (void)state;
    static const char json[] =
        "{\"class_name\": \"Model\", \"config\": {\"name\": \"m\", \"layers\": ["
        GRAPH_LAYER("InputLayer", "in", "[]", ", \"batch_input_shape\": [null, 8, 8, 2]") ","
        GRAPH_LAYER("Conv2D", "c", "[[\"in\", 0, 0, {\"training\": false}], [\"c\", 0, 0, {}]]", ", \"filters\": 2, \"kernel_size\": [3, 3]") ","
        GRAPH_LAYER("Add", "a", "[[[\"c\", 1, 0, {}], [\"c\", 1, 0, {}]]]", "")
        "], \"input_layers\": [\"in\", 0, 0], \"output_layers\": [\"a\", 0, 0]}}";
    convoy_model *model = NULL;
    ASSERT_OK(read_config(json, &model, &err));
    assert_int_equal(convoy_model_parameter_count(model), 38);
    assert_int_equal(convoy_model_output(model).dim[0], 4);
    convoy_model_destroy(model);
}

int main(void)
{
#ifdef HAVE_KERAS_FILES
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_groups),
        cmocka_unit_test(test_groups_that_lack),
        cmocka_unit_test(test_state_with_vhats),
        cmocka_unit_test(test_state_sorted_by_name),
        cmocka_unit_test(test_state_without_steps),
        cmocka_unit_test(test_momentum_schedule_is_named),
        cmocka_unit_test(test_nadam_without_product),
        cmocka_unit_test(test_nuls),
        cmocka_unit_test(test_old_words),
        cmocka_unit_test(test_unnested_calls),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
#else
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nuls),
        cmocka_unit_test(test_old_words),
        cmocka_unit_test(test_unnested_calls),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
#endif
}
