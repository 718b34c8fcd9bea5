/* What every layer gives for some inputs, kept by a predictor, against the layers' references, plain loops in double. */
#include "graph_help.h"

enum { BATCH = 4, ROWS = 3, SEED = 5 };

static convoy_context *ctx;

/* Branches, a layer used twice, layers that are their input's memory (Flatten, Dropout), a moving mean, every kind of activation. */
static convoy_model *branched(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create("branched", &m, &err));
    ASSERT_OK(convoy_model_add(m, "InputLayer", "shape=(9, 8, 3), name=image", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=6, kernel_size=3, padding=same, activation=relu, name=stem", &err));
    ASSERT_OK(convoy_model_add(m, "BatchNormalization", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=6, kernel_size=3, padding=same, name=twice", &err));
    ASSERT_OK(convoy_model_reuse(m, "twice", "twice", &err));
    ASSERT_OK(convoy_model_connect(m, "Add", NULL, "stem, twice[1]", &err));
    ASSERT_OK(convoy_model_add(m, "ReLU", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Dropout", "rate=0.5", &err));
    ASSERT_OK(convoy_model_add(m, "MaxPooling2D", "pool_size=2", &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Dense", "units=7, activation=tanh", &err));
    ASSERT_OK(convoy_model_add(m, "Dense", "units=5, activation=softmax", &err));
    ASSERT_OK(convoy_model_initialize(m, SEED, &err));
    return m;
}

static double *to_doubles(const float *values, size_t count)
{
    double *out = malloc((count ? count : 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = values[i];
    return out;
}

/* The output of one node from those of the nodes before it. */
static double *run_node(const convoy_model *m, const model_node *node, double *const *outputs)
{
    const layer *l = node->layer;
    size_t count = ROWS * shape_count(&l->output);
    layer_reference r = {.batch = ROWS, .output = calloc(count, sizeof(double))};
    double *params[LAYER_MAX_PARAMS] = {0};
    assert_non_null(r.output);
    for (int k = 0; k < node->input_count; k++)
        r.input[k] = outputs[node->input[k]];
    for (int p = 0; p < l->param_count; p++)
        r.param[p] = params[p] = to_doubles(m->nodes[node->first].weights[p], l->param[p].count);
    if (l->class->alias)
        memcpy(r.output, r.input[0], count * sizeof(double));
    else
        l->class->reference_forward(l, &r);
    for (int p = 0; p < l->param_count; p++)
        free(params[p]);
    return r.output;
}

static float *random_inputs(const convoy_model *m, size_t rows)
{
    convoy_shape in = convoy_model_input(m);
    size_t count = rows * shape_count(&in);
    float *inputs = malloc(count * sizeof *inputs);
    assert_non_null(inputs);
    for (size_t i = 0; i < count; i++)
        inputs[i] = (float)((i * 2654435761u >> 7) % 1000) / 1000;
    return inputs;
}

static void assert_layer(convoy_predictor *p, const convoy_model *m, size_t layer, const double *expected)
{
    convoy_shape shape = convoy_model_layer_output(m, layer);
    size_t count = ROWS * shape_count(&shape);
    float *found = malloc(count * sizeof *found);
    assert_non_null(found);
    for (size_t i = 0; i < count; i++)
        found[i] = NAN;
    ASSERT_OK(convoy_predictor_layer(p, layer, ROWS, found, &err));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)found[i] - expected[i]) <= 1e-5 * (1 + fabs(expected[i]))))
            fail_msg("layer %s: value %zu of %zu is %.9g; the reference says %.9g", convoy_model_layer_name(m, layer), i, count,
                     (double)found[i], expected[i]);
    free(found);
}

static void test_every_layer(void **state)
{
    (void)state;
    convoy_model *m = branched();
    convoy_predictor *p = NULL;
    float *inputs = random_inputs(m, ROWS), result[ROWS * 5];
    convoy_shape in = convoy_model_input(m);
    double *outputs[32] = {to_doubles(inputs, ROWS * shape_count(&in))};
    assert_int_equal(m->node_count, 12);
    for (size_t i = 1; i < m->node_count; i++)
        outputs[i] = run_node(m, &m->nodes[i], outputs);
    ASSERT_OK(convoy_predictor_create_keeping(ctx, m, BATCH, &p, &err));
    ASSERT_OK(convoy_predictor_run(p, inputs, ROWS, result, &err));
    for (size_t layer = 0; layer < convoy_model_layer_count(m); layer++)
        assert_layer(p, m, layer, outputs[model_layer_node(m, layer)]);
    /* Read again, in another order: nothing has been overwritten. */
    for (size_t layer = convoy_model_layer_count(m); layer-- > 0;)
        assert_layer(p, m, layer, outputs[model_layer_node(m, layer)]);
    for (size_t i = 0; i < m->node_count; i++)
        free(outputs[i]);
    free(inputs);
    convoy_predictor_destroy(p);
    convoy_model_destroy(m);
}

/* A predictor that keeps and one that does not: the same bits. */
static void test_same_result(void **state)
{
    (void)state;
    convoy_model *m = branched();
    convoy_predictor *keeping = NULL, *plain = NULL;
    float *inputs = random_inputs(m, 2 * BATCH + 1), kept[(2 * BATCH + 1) * 5], expected[(2 * BATCH + 1) * 5], last[5];
    ASSERT_OK(convoy_predictor_create_keeping(ctx, m, BATCH, &keeping, &err));
    ASSERT_OK(convoy_predictor_create(ctx, m, BATCH, &plain, &err));
    ASSERT_OK(convoy_predictor_run(keeping, inputs, 2 * BATCH + 1, kept, &err));
    ASSERT_OK(convoy_predictor_run(plain, inputs, 2 * BATCH + 1, expected, &err));
    assert_memory_equal(kept, expected, sizeof kept);
    /* The last batch is a single input. */
    ASSERT_OK(convoy_predictor_layer(keeping, convoy_model_layer_count(m) - 1, 1, last, &err));
    assert_memory_equal(last, expected + 2 * BATCH * 5, sizeof last);
    free(inputs);
    convoy_predictor_destroy(plain);
    convoy_predictor_destroy(keeping);
    convoy_model_destroy(m);
}

static void test_refused(void **state)
{
    (void)state;
    convoy_model *m = branched();
    convoy_predictor *keeping = NULL, *plain = NULL;
    convoy_error err = {0};
    float *inputs = random_inputs(m, ROWS), result[ROWS * 5], out[ROWS * 5];
    ASSERT_OK(convoy_predictor_create_keeping(ctx, m, BATCH, &keeping, &err));
    assert_failed(convoy_predictor_layer(keeping, 0, 1, out, &err), CONVOY_ERROR_ARGUMENT, &err, "1 rows", "'image'", "had 0",
                  NULL);
    ASSERT_OK(convoy_predictor_run(keeping, inputs, ROWS, result, &err));
    size_t last = convoy_model_layer_count(m) - 1;
    assert_failed(convoy_predictor_layer(keeping, last, ROWS + 1, out, &err), CONVOY_ERROR_ARGUMENT, &err, "4 rows", "had 3",
                  NULL);
    assert_failed(convoy_predictor_layer(keeping, last + 1, 1, out, &err), CONVOY_ERROR_ARGUMENT, &err, "'branched'",
                  "no layer 11", "it has 11", NULL);
    ASSERT_OK(convoy_predictor_create(ctx, m, BATCH, &plain, &err));
    ASSERT_OK(convoy_predictor_run(plain, inputs, ROWS, result, &err));
    assert_failed(convoy_predictor_layer(plain, last, 1, out, &err), CONVOY_ERROR_ARGUMENT, &err,
                  "convoy_predictor_create_keeping", NULL);
    free(inputs);
    convoy_predictor_destroy(plain);
    convoy_predictor_destroy(keeping);
    convoy_model_destroy(m);
}

static int open_device(void **state)
{
    (void)state;
    return convoy_context_create(NULL, &ctx, NULL) != CONVOY_OK;
}

static int close_device(void **state)
{
    (void)state;
    convoy_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layer),
        cmocka_unit_test(test_same_result),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
