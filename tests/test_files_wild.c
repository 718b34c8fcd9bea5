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
#endif

int main(void)
{
#ifdef HAVE_KERAS_FILES
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_groups),
        cmocka_unit_test(test_groups_that_lack),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
#else
    return 77; /* skipped: tests/test_files.c says what is missing */
#endif
}
