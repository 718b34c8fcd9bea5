/* Plans of functional models: which nodes are joined, where tensors live, and the gradients that come of it. */
#include "context_help.h"
#include "graph_models.h"
#include "plan/inside.h"

/* Residual blocks: sums and activations that their normalizations do, gradients that are summed on the way, passed on, or added. The
 * normalizations are frozen, so that training computes what inference does. */
static convoy_model *joined(void)
{
    static const char norm[] = "trainable=False, scale=False, center=False, epsilon=0.5, name=";
    static const char *const names[] = {"frozen1", "frozen2", "frozen3"};
    char options[3][128];
    convoy_model *m = empty();
    for (int i = 0; i < 3; i++)
        snprintf(options[i], sizeof options[i], "%s%s", norm, names[i]);
    connect(m, "InputLayer", "shape=(3, 2), name=a", NULL);
    connect(m, "InputLayer", "shape=(6,), name=b", NULL);
    connect(m, "Dense", "units=4, activation=tanh, name=d1", "a");
    connect(m, "Dense", "units=4, name=d2", "d1");
    connect(m, "BatchNormalization", options[0], "d2");
    connect(m, "Activation", "activation=tanh, name=t1", "frozen1");
    connect(m, "Dense", "units=4, name=d3", "t1");
    connect(m, "BatchNormalization", options[1], "d3");
    connect(m, "Add", "name=s1", "d1, frozen2");
    connect(m, "Activation", "activation=sigmoid, name=t2", "s1");
    connect(m, "Dense", "units=4, activation=gelu, name=d4", "t2");
    connect(m, "BatchNormalization", options[2], "d4");
    connect(m, "Add", "name=s2", "frozen3, t2");
    connect(m, "Activation", "activation=tanh, name=t3", "s2");
    connect(m, "Dense", "units=4, name=d5", "t3");
    connect(m, "Dense", "units=4, activation=tanh, name=d6", "t3");
    connect(m, "Dense", "units=4, name=d7", "t3");
    connect(m, "Add", "name=s3", "d5, d6, d7");
    connect(m, "Activation", "activation=tanh, name=t4", "s3");
    connect(m, "Dense", "units=4, name=d8", "b");
    connect(m, "Add", "name=s4", "t4, d8");
    ASSERT_OK(convoy_model_set_outputs(m, "s4", &err));
    ASSERT_OK(convoy_model_initialize(m, SEED, &err));
    return m;
}

/* Convolutions and dense layers that do the sums and activations behind them. */
static convoy_model *joined_products(void)
{
    convoy_model *m = empty();
    connect(m, "InputLayer", "shape=(1, 3, 2), name=a", NULL);
    connect(m, "InputLayer", "shape=(6,), name=b", NULL);
    connect(m, "Conv2D", "filters=4, kernel_size=1, name=c1", "a");
    connect(m, "Activation", "activation=tanh, name=t1", "c1");
    connect(m, "DepthwiseConv2D", "kernel_size=(1, 3), padding=same, name=c2", "t1");
    connect(m, "Add", "name=s1", "c2, t1");
    connect(m, "Activation", "activation=sigmoid, name=t2", "s1");
    connect(m, "SeparableConv2D", "filters=4, kernel_size=(1, 2), padding=same, name=c3", "t2");
    connect(m, "Conv2DTranspose", "filters=4, kernel_size=1, name=c4", "t2");
    connect(m, "Add", "name=s2", "c3, c4");
    connect(m, "Dense", "units=4, name=d1", "b");
    connect(m, "Activation", "activation=tanh, name=t3", "d1");
    ASSERT_OK(convoy_model_set_outputs(m, "s2, t3", &err));
    ASSERT_OK(convoy_model_initialize(m, SEED, &err));
    return m;
}

static void test_joined_products(void **state)
{
    (void)state;
    plan *p = NULL;
    convoy_model *m = joined_products();
    size_t sums = 0, endings = 0, summed = 0;
    ASSERT_OK(plan_create(ctx, m, &(plan_options){.batch = 2, .training = true}, &p, &err));
    for (size_t i = 0; i < p->count; i++) {
        sums += p->nodes[i].joined == EPILOGUE_ADD;
        endings += p->nodes[i].joined == EPILOGUE_ACTIVATION;
        summed += p->nodes[i].way[0] == GRADIENT_SUMMED;
    }
    assert_int_equal(sums, 2);
    assert_int_equal(endings, 3);
    assert_int_equal(summed, 2); /* c2, which adds what s1 passes on to t1, and c3, which adds what c4 left for t2 */
    plan_destroy(p);
    convoy_model_destroy(m);
}

/* What was meant to be joined, summed and passed on is. */
static void test_joined(void **state)
{
    (void)state;
    plan *p = NULL;
    convoy_model *m = joined();
    size_t found[GRADIENT_PASSED + 1] = {0}, sums = 0, endings = 0;
    ASSERT_OK(plan_create(ctx, m, &(plan_options){.batch = 2, .training = true}, &p, &err));
    for (size_t i = 0; i < p->count; i++) {
        sums += p->nodes[i].joined == EPILOGUE_ADD;
        endings += p->nodes[i].joined == EPILOGUE_ACTIVATION;
        for (int k = 0; k < p->nodes[i].node->input_count; k++)
            found[p->nodes[i].way[k]]++;
    }
    assert_int_equal(sums, 2);
    assert_int_equal(endings, 4);
    assert_int_equal(found[GRADIENT_PASSED], 4); /* s1 to d1, s2 to t2, s3 to d5 and d7 */
    assert_int_equal(found[GRADIENT_SUMMED], 2); /* d2, d4 */
    assert_int_equal(found[GRADIENT_ADDED], 2);  /* two of the readers of t3 */
    plan_destroy(p);
    convoy_model_destroy(m);
}

/* A pooling joins the convolution before it, but not behind a Reshape: its windows are others then. */
static void test_pooling_behind_reshape(void **state)
{
    (void)state;
    for (int reshaped = 0; reshaped < 2; reshaped++) {
        plan *p = NULL;
        convoy_model *m = empty();
        connect(m, "InputLayer", "shape=(8, 8, 3), name=x", NULL);
        connect(m, "Conv2D", "filters=8, kernel_size=3, padding=same, activation=relu, name=c", "x");
        connect(m, "Reshape", reshaped ? "target_shape=(16, 4, 8), name=r" : "target_shape=(8, 8, 8), name=r", "c");
        connect(m, "MaxPooling2D", "name=p", "r");
        ASSERT_OK(convoy_model_initialize(m, SEED, &err));
        ASSERT_OK(plan_create(ctx, m, &(plan_options){.batch = 8, .training = true}, &p, &err));
        assert_int_equal(p->nodes[3].joined, reshaped ? 0 : EPILOGUE_POOL);
        plan_destroy(p);
        convoy_model_destroy(m);
    }
}

/* ---- the plan ---- */

/* Nothing that lives at the same moment shares memory, and all lies within the arena. */
static void check_arena(convoy_model *m, bool training)
{
    convoy_error err = {0};
    plan *p = NULL;
    must(plan_create(ctx, m, &(plan_options){.batch = 3, .training = training}, &p, &err), &err);
    size_t count = p->count * T_KINDS, pairs = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            const arena_tensor *a = &p->tensors[i], *b = &p->tensors[j];
            bool together = a->bytes && b->bytes && a->first <= b->last && b->first <= a->last;
            if (together && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes)
                fail_msg("tensors %zu and %zu of node %zu and %zu overlap", i % T_KINDS, j % T_KINDS, i / T_KINDS,
                         j / T_KINDS);
            pairs += together;
        }
    assert_true(pairs > 0);
    assert_true(plan_least_bytes(p) > 0 && plan_least_bytes(p) <= plan_bytes(p));
    plan_destroy(p);
}

/* The gradient of input k of node i, by the way it comes about. */
static void check_gradient_lifetime(const plan *p, size_t i, int k)
{
    int end = (int)p->count, now = 2 * end - (int)i;
    size_t root = p->nodes[p->nodes[i].node->input[k]].root;
    const plan_node *from = &p->nodes[root];
    gradient_way way = p->nodes[i].way[k];
    bool leaves = way == GRADIENT_HELD || (way == GRADIENT_PASSED && from->writer_count > 1);
    const arena_tensor *whole = &p->tensors[from->gradient], *held = &p->tensors[from->held];
    if (way == GRADIENT_NONE)
        return;
    assert_true(whole->bytes > 0 && whole->last >= 2 * end - (int)root);
    if (!leaves)
        assert_true(whole->first <= now && whole->last >= now);
    if (leaves || way == GRADIENT_SUMMED)
        assert_true(held->bytes == whole->bytes && held->first <= now && held->last >= 2 * end - (int)from->last_writer);
    if (way == GRADIENT_SUMMED)
        assert_true(from->held != from->gradient);
}

/* A tensor lives from its writer's moment to its last reader's. */
static void check_lifetimes(convoy_model *m)
{
    convoy_error err = {0};
    plan *p = NULL;
    must(plan_create(ctx, m, &(plan_options){.batch = 3, .training = true}, &p, &err), &err);
    int end = (int)p->count;
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; k < p->nodes[i].node->input_count; k++) {
            size_t root = p->nodes[p->nodes[i].node->input[k]].root;
            const arena_tensor *value = &p->tensors[root * T_KINDS + T_OUTPUT];
            size_t now = p->nodes[i].joined == EPILOGUE_ADD ? p->nodes[i].root : i;
            assert_true(value->first <= (int)root && value->last >= (int)now);
            if (p->nodes[i].backward && p->nodes[i].node->layer->backward_reads_input)
                assert_true(value->last >= 2 * end - (int)i);
            check_gradient_lifetime(p, i, k);
        }
    plan_destroy(p);
}

static void test_arena(void **state)
{
    (void)state;
    convoy_model *models[] = {residual(), shared(), joined(), joined_products(), two_outputs()};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        check_arena(models[i], true);
        check_arena(models[i], false);
        check_lifetimes(models[i]);
        convoy_model_destroy(models[i]);
    }
}

/* Gradients against differences of the outputs. */

/* sum of outputs, weighted by cos of the position. */
static double weighted(convoy_model *m, const float *inputs)
{
    size_t count;
    double sum = 0;
    float *outputs = predict(ctx, m, inputs, 1, &count);
    for (size_t i = 0; i < count; i++)
        sum += cos((double)i) * (double)outputs[i];
    free(outputs);
    return sum;
}

static void write_weighted(plan *p, convoy_model *m)
{
    size_t at = 0;
    for (size_t k = 0; k < convoy_model_output_count(m); k++) {
        float values[64];
        convoy_shape shape = convoy_model_output_at(m, k);
        size_t count = shape_count(&shape);
        for (size_t i = 0; i < count; i++)
            values[i] = (float)cos((double)at++);
        ASSERT_OK(rt_buffer_write((rt_buffer *)plan_d_output_at(p, k), 0, values, count * sizeof(float), &err));
    }
}

static float *gradients_of(convoy_model *m, const float *inputs)
{
    plan *p = NULL;
    float *packed = malloc(model_trainable_count(m) * sizeof *packed);
    ASSERT_OK(plan_create(ctx, m, &(plan_options){.batch = 1, .training = true}, &p, &err));
    ASSERT_OK(plan_add_forward(p, &err));
    size_t middle = rt_list_length(plan_list(p));
    ASSERT_OK(plan_add_backward(p, &err));
    ASSERT_OK(rt_buffer_write((rt_buffer *)plan_input_at(p, 0), 0, inputs, 6 * sizeof(float), &err));
    ASSERT_OK(rt_buffer_write((rt_buffer *)plan_input_at(p, 1), 0, inputs + 6, 6 * sizeof(float), &err));
    ASSERT_OK(rt_list_play(plan_list(p), 0, middle, &err));
    write_weighted(p, m);
    ASSERT_OK(rt_list_play(plan_list(p), middle, rt_list_length(plan_list(p)), &err));
    ASSERT_OK(plan_read_packed(p, plan_gradients(p), packed, &err));
    plan_destroy(p);
    return packed;
}

static bool is_frozen(const convoy_model *m, size_t l) { return strncmp(convoy_model_layer_name(m, l), "frozen", 6) == 0; }

static void check_gradients(convoy_model *m)
{
    float inputs[12], *values;
    for (int i = 0; i < 12; i++)
        inputs[i] = sinf((float)(3 * i + 1));
    float *found = gradients_of(m, inputs);
    size_t at = 0, count;
    for (size_t l = 0; l < convoy_model_layer_count(m); l++)
        for (size_t w = 0; !is_frozen(m, l) && (count = convoy_model_weights(m, l, w, &values, NULL)) > 0; w++, at += count)
            for (size_t i = 0; i < count; i += 3) { /* a third of them will do */
                float before = values[i], step = 0x1p-7f;
                values[i] = before + step;
                double up = weighted(m, inputs);
                values[i] = before - step;
                double down = weighted(m, inputs), expected = (up - down) / (2.0 * (double)step);
                values[i] = before;
                if (!(fabs((double)found[at + i] - expected) <= 2e-3))
                    fail_msg("gradient of '%s', weights %zu[%zu]: %g; differences say %g", convoy_model_layer_name(m, l), w,
                             i, (double)found[at + i], expected);
            }
    free(found);
    convoy_model_destroy(m);
}

static void test_gradients_of_several_outputs(void **state)
{
    (void)state;
    check_gradients(two_outputs());
    check_gradients(siamese());
    check_gradients(joined());
    check_gradients(joined_products());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_joined_products),
        cmocka_unit_test(test_pooling_behind_reshape),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_gradients_of_several_outputs),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
