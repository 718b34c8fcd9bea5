/* Functional models in Keras's files: configs and weights read and written, broken ones refused, and the summary to the
 * character. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "graph_help.h"

static char folder[64]; /* of our own, gone at the end */

#define DENSE(name, units, calls)                                                                                      \
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"" name "\", \"units\": " #units                                \
    "}, \"name\": \"" name "\", \"inbound_nodes\": [" calls "]}"
#define IN(name)                                                                                                       \
    "{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"" name "\", \"batch_shape\": [null, 4]}, \"name\": \"" name \
    "\", \"inbound_nodes\": []}"
#define ADD(name, calls)                                                                                               \
    "{\"class_name\": \"Add\", \"config\": {\"name\": \"" name "\"}, \"name\": \"" name "\", \"inbound_nodes\": [" calls "]}"
#define TENSOR(name, use, tensor)                                                                                      \
    "{\"class_name\": \"__keras_tensor__\", \"config\": {\"shape\": [null, 4], \"dtype\": \"float32\", \"keras_history\": [\"" \
    name "\", " #use ", " #tensor "]}}"
#define CALL(args) "{\"args\": [" args "], \"kwargs\": {\"mask\": null}}"
#define GRAPH(layers, inputs, outputs)                                                                                 \
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"g\", \"layers\": [" layers "], \"input_layers\": " inputs      \
    ", \"output_layers\": " outputs "}}"

/* ---- configs ---- */

static void assert_same_json(convoy_model *a, convoy_model *b)
{
    char *one = NULL, *other = NULL;
    ASSERT_OK(convoy_model_to_json(a, &one, &err));
    ASSERT_OK(convoy_model_to_json(b, &other, &err));
    assert_string_equal(one, other);
    free(one);
    free(other);
}

/* Inputs and outputs alone, in lists, in lists of lists and in objects; layers before those that they read; uses that wait for each
 * other's first. */
static void test_forms(void **state)
{
    (void)state;
    static const char a_of_b_of_a[] =
        GRAPH(DENSE("a", 4, CALL(TENSOR("in", 0, 0)) ", " CALL(TENSOR("b", 0, 0))) ", "
              DENSE("b", 4, CALL(TENSOR("a", 0, 0)) ", " CALL(TENSOR("a", 1, 0))) ", " IN("in"),
              "[\"in\", 0, 0]", "[\"b\", 1, 0]");
    static const char two[] = GRAPH(ADD("sum", CALL("[" TENSOR("y", 0, 0) ", " TENSOR("x", 0, 0) "]")) ", " IN("x") ", " IN("y"),
                                    "{\"second\": [\"y\", 0, 0], \"first\": [\"x\", 0, 0]}", "[[[\"sum\", 0, 0], [\"x\", 0, 0]]]");
    convoy_model *m = from_json(a_of_b_of_a);
    assert_int_equal(m->node_count, 5);
    assert_int_equal(convoy_model_layer_count(m), 3);
    assert_int_equal(convoy_model_parameter_count(m), 40);
    assert_string_equal(m->nodes[model_output_node(m, 0)].layer->name, "b");
    assert_round_trip(m);
    convoy_model_destroy(m);
    m = from_json(two);
    assert_string_equal(m->nodes[model_input_node(m, 0)].layer->name, "x"); /* by key, as Keras sorts them */
    assert_int_equal(convoy_model_input_count(m), 2);
    assert_int_equal(convoy_model_output_count(m), 2);
    assert_string_equal(m->nodes[model_output_node(m, 1)].layer->name, "x");
    assert_round_trip(m);
    convoy_model_destroy(m);
}

/* Keras 3 writes it for Dropout in every graph, and takes no notice of it. */
static void test_calls_with_training(void **state)
{
    (void)state;
    static const char *const values[] = {"false", "true", "null"};
    for (size_t i = 0; i < 3; i++) {
        char json[2048];
        snprintf(json, sizeof json, GRAPH(IN("in") ", {\"class_name\": \"Dropout\", \"config\": {\"name\": \"drop\", \"rate\": 0.5}, "
                 "\"name\": \"drop\", \"inbound_nodes\": [{\"args\": [" TENSOR("in", 0, 0) "], \"kwargs\": {\"training\": %s}}]}",
                 "[\"in\", 0, 0]", "[\"drop\", 0, 0]"), values[i]);
        convoy_model *m = from_json(json);
        assert_int_equal(convoy_model_layer_count(m), 2);
        assert_round_trip(m);
        convoy_model_destroy(m);
    }
}

/* Keras 2 wrote calls as lists, and counted a use of an inner model before its first. */
static void test_keras_2_form(void **state)
{
    (void)state;
#define INNER_2 GRAPH(IN("i") ", " DENSE("d", 4, "[[\"i\", 0, 0, {}]]"), "[[\"i\", 0, 0]]", "[[\"d\", 0, 0]]")
#define INNER_3 GRAPH(IN("i") ", " DENSE("d", 4, CALL(TENSOR("i", 0, 0))), "[\"i\", 0, 0]", "[\"d\", 0, 0]")
    static const char *const forms[] = {
        GRAPH(IN("in") ", %s, " ADD("sum", "[[\"g\", 1, 0, {}], [\"g\", 2, 0, {}]]"), "[[\"in\", 0, 0]]",
              "[[\"sum\", 0, 0], [\"g\", 2, 0]]"),
        GRAPH(IN("in") ", %s, " ADD("sum", CALL("[" TENSOR("g", 0, 0) ", " TENSOR("g", 1, 0) "]")), "[\"in\", 0, 0]",
              "[[\"sum\", 0, 0], [\"g\", 2, 0]]"),
    };
    static const char *const inner[] = {INNER_2, INNER_3};
    static const char *const calls[] = {"[[\"in\", 0, 0, {}]], [[\"g\", 1, 0, {}]]",
                                        CALL(TENSOR("in", 0, 0)) ", " CALL(TENSOR("g", 0, 0))};
    convoy_model *models[2];
    for (int i = 0; i < 2; i++) {
        char entry[2048], json[4096];
        json_t *model = json_loads(inner[i], 0, NULL), *node_list = NULL;
        assert_non_null(model);
        snprintf(entry, sizeof entry, "[%s]", calls[i]);
        node_list = json_loads(entry, 0, NULL);
        assert_non_null(node_list);
        json_object_set_new(model, "name", json_string("g"));
        json_object_set_new(model, "inbound_nodes", node_list);
        assert_true(json_dumpb(model, entry, sizeof entry, 0) < sizeof entry);
        entry[json_dumpb(model, NULL, 0, 0)] = '\0';
        json_decref(model);
        snprintf(json, sizeof json, forms[i], entry);
        models[i] = from_json(json);
        assert_int_equal(models[i]->node_count, 6);
        assert_int_equal(convoy_model_parameter_count(models[i]), 20);
        assert_round_trip(models[i]);
    }
    assert_same_json(models[0], models[1]);
    convoy_model_destroy(models[0]);
    convoy_model_destroy(models[1]);
}

static void test_refused_configs(void **state)
{
    (void)state;
    static const struct {
        const char *json, *first, *second;
    } cases[] = {
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("b", 0, 0))) ", " DENSE("b", 4, CALL(TENSOR("a", 0, 0))),
               "[\"in\", 0, 0]", "[\"b\", 0, 0]"), "'a'", "loop"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("nobody", 0, 0))), "[\"in\", 0, 0]", "[\"a\", 0, 0]"),
         "layers[1] ('a'): call 0", "nobody"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("in", 1, 0))), "[\"in\", 0, 0]", "[\"a\", 0, 0]"), "[\"in\",1,0]",
         "not called that often"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("in", 0, 1))), "[\"in\", 0, 0]", "[\"a\", 0, 0]"), "[\"in\",0,1]",
         "that many outputs"},
        {GRAPH(IN("in") ", " DENSE("a", 4, ""), "[\"in\", 0, 0]", "[\"a\", 0, 0]"), "'a'", "inbound_nodes"},
        {GRAPH(IN("in") ", " DENSE("in", 4, CALL(TENSOR("in", 0, 0))), "[\"in\", 0, 0]", "[\"in\", 0, 0]"), "layers[1]",
         "used twice"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("in", 0, 0))), "[]", "[\"a\", 0, 0]"), "input_layers", "[]"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("in", 0, 0))), "[\"in\", 0, 0]", "null"), "output_layers", "null"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("in", 0, 0))), "[\"a\", 0, 0]", "[\"a\", 0, 0]"), "input_layers",
         "InputLayer of its own"},
        {GRAPH(IN("in") ", " IN("other") ", " DENSE("a", 4, CALL(TENSOR("in", 0, 0))), "[\"in\", 0, 0]", "[\"a\", 0, 0]"),
         "'other'", "input_layers"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("in", 0, 0))) ", " DENSE("b", 4, CALL(TENSOR("in", 0, 0))),
               "[\"in\", 0, 0]", "[\"a\", 0, 0]"), "'b' (Dense)", "no output"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL(TENSOR("in", 0, 0) ", " TENSOR("in", 0, 0))), "[\"in\", 0, 0]",
               "[\"a\", 0, 0]"), "'a'", "one list of tensors"},
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL("{\"x\": " TENSOR("in", 0, 0) "}")), "[\"in\", 0, 0]", "[\"a\", 0, 0]"), "'a'",
         "lists of tensors"},
        {GRAPH(IN("in") ", " DENSE("a", 4, "{\"args\": [" TENSOR("in", 0, 0) "], \"kwargs\": {\"scale\": true}}"),
               "[\"in\", 0, 0]", "[\"a\", 0, 0]"), "scale=true", "not supported"},
        {GRAPH(IN("in") ", " DENSE("a", 4, "[[\"in\", 0, 0, {\"training\": true}]]"), "[[\"in\", 0, 0]]", "[[\"a\", 0, 0]]"),
         "training=true", "not supported"}, /* Keras 2: it would count */
        {GRAPH(IN("in") ", " DENSE("a", 4, CALL("[" TENSOR("in", 0, 0) ", " TENSOR("in", 0, 0) "]")), "[\"in\", 0, 0]",
               "[\"a\", 0, 0]"), "'a' (Dense)", "2 inputs"},
        {GRAPH(IN("in") ", {\"class_name\": \"Lambda\", \"config\": {\"name\": \"l\"}, \"inbound_nodes\": ["
               CALL(TENSOR("in", 0, 0)) "]}", "[\"in\", 0, 0]", "[\"l\", 0, 0]"), "'Lambda'", "known: InputLayer"},
        {"{\"class_name\": \"Sequential\", \"config\": {\"layers\": [" IN("in") ", "
         GRAPH(IN("i") ", " IN("j") ", " ADD("s", CALL("[" TENSOR("i", 0, 0) ", " TENSOR("j", 0, 0) "]")),
               "[[\"i\", 0, 0], [\"j\", 0, 0]]", "[\"s\", 0, 0]") "]}}", "model 'g'", "1 tensors; it has 2 inputs"},
        {"{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"InputLayer\", \"config\": "
         "{\"batch_shape\": [null, 5]}}, " GRAPH(IN("i"), "[\"i\", 0, 0]", "[\"i\", 0, 0]") "]}}", "model 'g' takes (None, 4)",
         "(None, 5)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        convoy_model *model = NULL;
        convoy_error err = {0};
        convoy_status status = convoy_model_from_json(cases[i].json, strlen(cases[i].json), &model, &err);
        if (status == CONVOY_OK)
            fail_msg("case %zu was read", i);
        assert_null(model);
        assert_failed(status, CONVOY_ERROR_MODEL, &err, cases[i].first, cases[i].second, NULL);
    }
}

/* ---- files ---- */

#ifdef HAVE_KERAS_FILES
static const char *const names[] = {"residual", "shared", "nested", "chain", "fitted"};
enum { NAMES = sizeof names / sizeof names[0], IMAGES = 5 };

static convoy_model *load_name(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.keras", name);
    return load_golden(file);
}

static convoy_model *save_and_load(const convoy_model *model)
{
    char path[128];
    convoy_model *again = NULL;
    snprintf(path, sizeof path, "%s/again.keras", folder);
    ASSERT_OK(convoy_model_save(model, path, &err));
    ASSERT_OK(convoy_model_load(path, &again, &err));
    unlink(path);
    return again;
}

/* Every kernel family computes what Keras does with what it wrote, and so does a copy that Convoy wrote, bit for bit. */
static void test_computes_what_keras_computes(void **state)
{
    (void)state;
    static const char *const variants[] = {NULL, "plain"};
    for (size_t v = 0; v < 2; v++) {
        convoy_context *ctx = NULL;
        ASSERT_OK(convoy_context_create(&(convoy_context_options){.variant = variants[v]}, &ctx, &err));
        for (size_t i = 0; i < NAMES; i++) {
            size_t count, found_count, again_count, input_count;
            convoy_model *model = load_name(names[i]), *again = save_and_load(model);
            float *inputs = read_floats(names[i], "inputs", &input_count);
            float *expected = read_floats(names[i], "outputs", &count);
            float *found = predict(ctx, model, inputs, IMAGES, &found_count);
            float *copy = predict(ctx, again, inputs, IMAGES, &again_count);
            assert_int_equal(found_count, count);
            assert_near(names[i], found, expected, count, 1e-5f);
            assert_int_equal(again_count, count);
            assert_memory_equal(found, copy, count * sizeof(float));
            free(inputs);
            free(expected);
            free(found);
            free(copy);
            convoy_model_destroy(again);
            convoy_model_destroy(model);
        }
        convoy_context_destroy(ctx);
    }
}

static void test_save_and_load_keep_every_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        size_t count, again_count;
        convoy_model *model = load_name(names[i]), *again = save_and_load(model);
        float *weights = weights_of(model, &count), *copy = weights_of(again, &again_count);
        assert_same_json(model, again);
        assert_round_trip(model);
        assert_int_equal(count, again_count);
        assert_memory_equal(weights, copy, count * sizeof(float));
        free(weights);
        free(copy);
        convoy_model_destroy(again);
        convoy_model_destroy(model);
    }
}

static void test_nested_models(void **state)
{
    (void)state;
    convoy_model *model = load_name("nested");
    assert_int_equal(model->scope_count, 7); /* itself, and encoder, head and the tail inside it, twice each */
    assert_int_equal(convoy_model_parameter_count(model), 325);
    assert_int_equal(convoy_model_input_count(model), 2);
    assert_string_equal(model->nodes[model_input_node(model, 0)].layer->name, "b");
    convoy_model_destroy(model);
    model = load_name("chain");
    assert_false(model->scopes[0].functional);
    assert_string_equal(model->scopes[1].name, "backbone");
    assert_true(model_trainable_count(model) < convoy_model_parameter_count(model)); /* one of its layers is frozen */
    convoy_model_destroy(model);
}

/* The slots stand in the order of the model's nodes; Keras's file has them in the order of its layers. */
static void assert_slots(const convoy_model *model)
{
    size_t count, node_count = 0, *nodes = NULL, all = model_trainable_count(model), at = 0;
    float *expected = read_floats("fitted", "slots", &count);
    assert_int_equal(count, 2 * all);
    ASSERT_OK(level_order(model, 0, &nodes, &node_count, &err));
    for (size_t i = 0; i < node_count; i++)
        for (int p = 0, from = (int)model_packed_offset(model, nodes[i]); p < model->nodes[nodes[i]].layer->param_count; p++) {
            size_t n = model->nodes[nodes[i]].layer->param[p].count;
            for (size_t s = 0; s < 2; s++)
                assert_memory_equal(model->optimizer_slots[s] + from, expected + s * all + at, n * sizeof(float));
            from += (int)n;
            at += n;
        }
    assert_int_equal(at, all);
    free(nodes);
    free(expected);
}

static void test_optimizer(void **state)
{
    (void)state;
    convoy_model *model = load_name("fitted"), *again = save_and_load(model);
    assert_string_equal(model->optimizer, "adam");
    assert_int_equal(model->optimizer_steps, 6);
    assert_slots(model);
    assert_slots(again);
    convoy_model_destroy(again);
    convoy_model_destroy(model);
}
#endif

/* ---- the summary ---- */

static void assert_summary(convoy_model *model, const char *name, int columns)
{
    char *found = NULL, file[64];
    size_t size;
    if (columns > 0)
        snprintf(file, sizeof file, "%s_%d.txt", name, columns);
    else
        snprintf(file, sizeof file, "%s_classic.txt", name);
    char *expected = read_golden(file, &size);
    const convoy_summary_options options = {.columns = columns, .classic = columns == 0};
    ASSERT_OK(convoy_model_summary(model, &options, &found, &err));
    for (size_t i = 0; i <= strlen(expected); i++)
        if (found[i] != expected[i])
            fail_msg("%s: from byte %zu expected\n%.300s\nfound\n%.300s", file, i, expected + i, found + i);
    free(found);
    free(expected);
}

static void test_summaries(void **state)
{
    (void)state;
    static const struct {
        const char *file, *name;
        int columns[6];
    } rows[] = {
        {"wide.json", "wide", {25, 47, 60, 112, 200, 0}}, {"plain.json", "plain", {80, 0}},
#ifdef HAVE_KERAS_FILES
        {"residual.keras", "residual", {80, 120, 0}}, {"shared.keras", "shared", {80, 100, 0}},
        {"nested.keras", "nested", {80, 0}},
#endif
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        convoy_model *model = load_golden(rows[i].file);
        for (int k = 0; k == 0 || rows[i].columns[k - 1] > 0; k++)
            assert_summary(model, rows[i].name, rows[i].columns[k]);
        convoy_model_destroy(model);
    }
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/convoy-test-graph-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_calls_with_training),
        cmocka_unit_test(test_keras_2_form),
        cmocka_unit_test(test_refused_configs),
#ifdef HAVE_KERAS_FILES
        cmocka_unit_test(test_computes_what_keras_computes),
        cmocka_unit_test(test_save_and_load_keep_every_bit),
        cmocka_unit_test(test_nested_models),
        cmocka_unit_test(test_optimizer),
#endif
        cmocka_unit_test(test_summaries),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
