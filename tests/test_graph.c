/* Functional models: built from C, planned, trained and run; what Keras computes and trains with the same models. */
#include "graph_help.h"
#include "model/plan_inside.h"
#include "runtime/internal.h"

enum { IMAGES = 5, CLASSES = 3, SEED = 3 };

static convoy_context *ctx;

static void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s", err->message);
}

static convoy_model *empty(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create(NULL, &m, &err));
    return m;
}

static void connect(convoy_model *m, const char *class_name, const char *options, const char *inputs)
{
    ASSERT_OK(convoy_model_connect(m, class_name, options, inputs, &err));
}

static void reuse(convoy_model *m, const char *name, const char *inputs)
{
    ASSERT_OK(convoy_model_reuse(m, name, inputs, &err));
}

/* ---- building ---- */

/* tools/make_golden_graph.py, residual. */
static convoy_model *residual(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create("residual", &m, &err));
    ASSERT_OK(convoy_model_add(m, "InputLayer", "shape=(7, 6, 2), name=image", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=4, kernel_size=3, padding=same, activation=relu, name=stem", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=4, kernel_size=3, padding=same, activation=relu", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=4, kernel_size=3, padding=same", &err));
    connect(m, "Add", NULL, "stem, conv2d_1");
    ASSERT_OK(convoy_model_add(m, "ReLU", NULL, &err));
    connect(m, "Conv2D", "filters=3, kernel_size=1, strides=2, activation=relu, padding=same", "re_lu");
    connect(m, "Conv2D", "filters=5, kernel_size=3, strides=2, padding=same", "re_lu");
    connect(m, "Concatenate", NULL, "conv2d_2,conv2d_3");
    ASSERT_OK(convoy_model_add(m, "MaxPooling2D", "pool_size=2, strides=2", &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Dense", "units=3, name=logits", &err));
    return m;
}

/* The same, shared; its layers in another order. */
static convoy_model *shared(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create("shared", &m, &err));
    connect(m, "InputLayer", "shape=(6, 6, 2), name=input_layer", NULL);
    connect(m, "MaxPooling2D", "pool_size=2, strides=2", "input_layer");
    connect(m, "Conv2D", "filters=3, kernel_size=3, padding=same, activation=relu, name=twice", "input_layer");
    reuse(m, "twice", "max_pooling2d");
    connect(m, "Flatten", NULL, "twice");
    connect(m, "Flatten", NULL, "twice[1]");
    connect(m, "Dense", "units=6", "flatten");
    connect(m, "Dense", "units=6", "flatten_1");
    connect(m, "Dense", "units=6, activation=tanh, name=thrice", "dense");
    reuse(m, "thrice", "dense_1");
    connect(m, "Multiply", NULL, "thrice[0], thrice[1]");
    connect(m, "Subtract", NULL, "thrice, multiply");
    reuse(m, "thrice", "subtract");
    connect(m, "Average", NULL, "thrice[2], thrice[1], thrice[0]");
    connect(m, "Maximum", NULL, "average, thrice[1]");
    connect(m, "Minimum", NULL, "average, thrice, maximum");
    connect(m, "MaxPooling2D", "pool_size=6, strides=6", "twice");
    connect(m, "Multiply", NULL, "twice, max_pooling2d_1");
    ASSERT_OK(convoy_model_add(m, "MaxPooling2D", "pool_size=3, strides=3", &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", NULL, &err));
    connect(m, "Concatenate", "axis=1", "maximum, minimum, flatten_2, subtract");
    connect(m, "Dense", "units=3", "concatenate");
    return m;
}

static void test_built_from_c(void **state)
{
    (void)state;
    convoy_model *m = shared();
    assert_int_equal(convoy_model_layer_count(m), 19);
    assert_int_equal(m->node_count, 22);
    assert_int_equal(convoy_model_input_count(m), 1);
    assert_int_equal(convoy_model_output_count(m), 1);
    assert_shape(convoy_model_output(m), 1, 3, 0, 0);
    assert_int_equal(convoy_model_parameter_count(m), 57 + 654 + 168 + 42 + 93);
    assert_int_equal(model_trainable_count(m), 57 + 654 + 168 + 42 + 93);
    assert_round_trip(m);
    convoy_model_destroy(m);
    m = residual();
    assert_string_equal(convoy_model_name(m), "residual");
    assert_true(m->scopes[0].functional);
    assert_round_trip(m);
    convoy_model_destroy(m);
}

static void test_default_names_and_outputs(void **state)
{
    (void)state;
    convoy_model *m = empty();
    assert_string_equal(convoy_model_name(m), "sequential");
    connect(m, "InputLayer", "shape=(4,)", NULL);
    connect(m, "InputLayer", "shape=(4,)", NULL);
    assert_string_equal(convoy_model_name(m), "functional");
    connect(m, "Dense", "units=3", "input_layer_1");
    connect(m, "Dense", "units=2", "input_layer");
    connect(m, "Dense", "units=5", "dense");
    assert_string_equal(convoy_model_layer_name(m, 4), "dense_2");
    assert_int_equal(convoy_model_input_count(m), 2);
    assert_int_equal(convoy_model_output_count(m), 2);
    assert_shape(convoy_model_output_at(m, 0), 1, 2, 0, 0);
    assert_shape(convoy_model_output_at(m, 1), 1, 5, 0, 0);
    ASSERT_OK(convoy_model_set_outputs(m, "dense_2, dense, dense_1", &err));
    assert_int_equal(convoy_model_output_count(m), 3);
    assert_shape(convoy_model_output(m), 1, 5, 0, 0);
    assert_shape(convoy_model_output_at(m, 1), 1, 3, 0, 0);
    assert_int_equal(convoy_model_output_at(m, 3).rank, 0);
    assert_round_trip(m);
    convoy_model_destroy(m);
}

static void test_refused(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = empty();
    connect(m, "InputLayer", "shape=(8, 8, 3), name=image", NULL);
    connect(m, "Conv2D", "filters=4, kernel_size=3, name=left", "image");
    connect(m, "Conv2D", "filters=5, kernel_size=3, name=right", "image");
    assert_failed(convoy_model_connect(m, "Add", NULL, "left, rigth", &err), CONVOY_ERROR_MODEL, &err, "layer Add",
                  "'rigth'", "did you mean 'right'?", "known: image, left, right", NULL);
    assert_failed(convoy_model_connect(m, "Add", "name=sum", "left, right", &err), CONVOY_ERROR_MODEL, &err,
                  "'sum' (Add)", "(None, 6, 6, 4) and (None, 6, 6, 5)", "4 and 5", NULL);
    assert_failed(convoy_model_connect(m, "Add", "name=sum", "left[1]", &err), CONVOY_ERROR_MODEL, &err, "layer Add 'sum'",
                  "'left[1]'", "not used that often", NULL);
    assert_failed(convoy_model_connect(m, "Add", NULL, "left,,right", &err), CONVOY_ERROR_MODEL, &err, "empty name", NULL);
    assert_failed(convoy_model_connect(m, "Add", NULL, NULL, &err), CONVOY_ERROR_MODEL, &err, "layer Add", "reads nothing",
                  NULL);
    assert_failed(convoy_model_connect(m, "InputLayer", "shape=(3,)", "left", &err), CONVOY_ERROR_MODEL, &err, "InputLayer",
                  "reads no other layer", NULL);
    assert_failed(convoy_model_connect(m, "Flatten", NULL, "left, right", &err), CONVOY_ERROR_MODEL, &err, "Flatten",
                  "2 inputs", "takes one", NULL);
    assert_failed(convoy_model_connect(m, "Subtract", NULL, "left, left, left", &err), CONVOY_ERROR_MODEL, &err, "3 inputs",
                  "takes 2", NULL);
    assert_failed(convoy_model_connect(m, "Concatenate", "axis=0", "left, right", &err), CONVOY_ERROR_MODEL, &err,
                  "axis is 0", "batch", NULL);
    assert_failed(convoy_model_connect(m, "Concatenate", "axis=1", "left, right", &err), CONVOY_ERROR_MODEL, &err,
                  "axis of concatenation (1)", NULL);
    assert_failed(convoy_model_connect(m, "Add", NULL, "left,left,left,left,left,left,left,left,left", &err),
                  CONVOY_ERROR_MODEL, &err, "more than 8", NULL);
    assert_failed(convoy_model_connect(m, "Conv2D", "filters=2, kernel_size=1, name=left", "image", &err),
                  CONVOY_ERROR_MODEL, &err, "same name 'left'", NULL);
    assert_failed(convoy_model_reuse(m, "lef", "image", &err), CONVOY_ERROR_MODEL, &err, "'lef'", "did you mean 'left'?",
                  NULL);
    assert_failed(convoy_model_reuse(m, "left", "right", &err), CONVOY_ERROR_MODEL, &err, "'left' (Conv2D), used again",
                  "'kernel'", "(None, 3, 3, 5, 4)", "(None, 3, 3, 3, 4)", NULL);
    assert_failed(convoy_model_set_outputs(m, "left", &err), CONVOY_ERROR_MODEL, &err, "'right' (Conv2D)",
                  "leads to no output", NULL);
    assert_failed(convoy_model_set_outputs(m, "", &err), CONVOY_ERROR_MODEL, &err, "no layer is named", NULL);
    assert_int_equal(m->node_count, 3);
    ASSERT_OK(convoy_model_set_outputs(m, "left, right", &err));
    assert_failed(convoy_model_connect(m, "Flatten", NULL, "left", &err), CONVOY_ERROR_MODEL, &err, "outputs", "are set",
                  NULL);
    convoy_model_destroy(m);
}

/* Two inputs through one encoder, which gives two outputs; a head that holds a model itself. */
static convoy_model *siamese(void)
{
    convoy_model *m = NULL, *encoder = NULL, *head = NULL, *tail = NULL;
    ASSERT_OK(convoy_model_create("encoder", &encoder, &err));
    connect(encoder, "InputLayer", "shape=(6,)", NULL);
    connect(encoder, "Dense", "units=5, activation=tanh, name=dense", "input_layer");
    connect(encoder, "Dense", "units=4, name=code", "dense");
    ASSERT_OK(convoy_model_set_outputs(encoder, "code, dense", &err));
    ASSERT_OK(convoy_model_create("tail", &tail, &err));
    ASSERT_OK(convoy_model_add(tail, "InputLayer", "shape=(4,)", &err));
    ASSERT_OK(convoy_model_add(tail, "Dense", "units=3", &err));
    ASSERT_OK(convoy_model_create("head", &head, &err));
    connect(head, "InputLayer", "shape=(4,), name=in", NULL);
    ASSERT_OK(convoy_model_connect_model(head, tail, "in", &err));
    ASSERT_OK(convoy_model_add(head, "Activation", "activation=sigmoid", &err));
    ASSERT_OK(convoy_model_initialize(encoder, SEED, &err));
    ASSERT_OK(convoy_model_initialize(head, SEED + 1, &err));
    ASSERT_OK(convoy_model_create("siamese", &m, &err));
    connect(m, "InputLayer", "shape=(6,), name=a", NULL);
    connect(m, "InputLayer", "shape=(6,), name=b", NULL);
    ASSERT_OK(convoy_model_connect_model(m, encoder, "a", &err));
    reuse(m, "encoder", "b");
    connect(m, "Subtract", "name=difference", "encoder[0][0], encoder[1]");
    ASSERT_OK(convoy_model_connect_model(m, head, "difference", &err));
    connect(m, "Multiply", "name=product", "encoder[0][1], encoder[1][1]");
    ASSERT_OK(convoy_model_set_outputs(m, "head, product", &err));
    convoy_model_destroy(encoder);
    convoy_model_destroy(tail);
    convoy_model_destroy(head);
    return m;
}

static void test_models_inside(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = siamese(), *other = empty();
    assert_int_equal(m->scope_count, 5);
    assert_int_equal(convoy_model_parameter_count(m), 35 + 24 + 15);
    assert_shape(convoy_model_output(m), 1, 3, 0, 0);
    assert_shape(convoy_model_output_at(m, 1), 1, 5, 0, 0);
    assert_round_trip(m);
    assert_failed(convoy_model_connect_model(other, m, "a", &err), CONVOY_ERROR_MODEL, &err, "model 'siamese'", "'a'",
                  "none yet", NULL);
    connect(other, "InputLayer", "shape=(6,), name=x", NULL);
    assert_failed(convoy_model_connect_model(other, m, "x", &err), CONVOY_ERROR_MODEL, &err, "model 'siamese'",
                  "1 tensors; it has 2 inputs", NULL);
    assert_int_equal(other->node_count, 1);
    assert_int_equal(other->scope_count, 1);
    ASSERT_OK(convoy_model_connect_model(other, m, "x, x", &err));
    assert_failed(convoy_model_connect_model(other, m, "x, x", &err), CONVOY_ERROR_MODEL, &err, "same name 'siamese'", NULL);
    assert_failed(convoy_model_connect_model(other, other, "x", &err), CONVOY_ERROR_MODEL, &err, "part of itself", NULL);
    assert_failed(convoy_model_reuse(other, "siamese", "x", &err), CONVOY_ERROR_MODEL, &err, "'siamese'",
                  "1 tensors; it has 2 inputs", NULL);
    assert_failed(convoy_model_connect(other, "Flatten", NULL, "siamese[0][2]", &err), CONVOY_ERROR_MODEL, &err,
                  "'siamese[0][2]'", "gives 2 outputs", NULL);
    assert_failed(convoy_model_connect(other, "Flatten", NULL, "siamese[1][0]", &err), CONVOY_ERROR_MODEL, &err,
                  "'siamese[1][0]'", "not used that often", NULL);
    assert_int_equal(other->scope_count, 6);
    assert_round_trip(other);
    convoy_model_destroy(other);
    convoy_model_destroy(m);
}

/* Outputs have readers too, and one is read through a Flatten. */
static convoy_model *two_outputs(void)
{
    convoy_model *m = empty();
    connect(m, "InputLayer", "shape=(3, 2), name=a", NULL);
    connect(m, "InputLayer", "shape=(6,), name=b", NULL);
    connect(m, "Dense", "units=4, activation=tanh, name=first", "a");
    connect(m, "Flatten", NULL, "first");
    connect(m, "Dense", "units=12, activation=sigmoid, name=second", "b");
    connect(m, "Multiply", "name=product", "flatten, second");
    connect(m, "Dense", "units=12, activation=tanh, name=third", "product");
    reuse(m, "third", "flatten");
    connect(m, "Add", "name=sum", "third, third[1], product, flatten, flatten");
    ASSERT_OK(convoy_model_set_outputs(m, "sum, first, product", &err));
    ASSERT_OK(convoy_model_initialize(m, SEED, &err));
    return m;
}

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

/* What was meant to be joined, summed and passed on is. */
static void test_joined(void **state)
{
    (void)state;
    plan *p = NULL;
    convoy_model *m = joined();
    size_t found[GRADIENT_PASSED + 1] = {0}, sums = 0, endings = 0;
    ASSERT_OK(plan_create(ctx, m, &(plan_options){.batch = 2, .training = true}, &p, &err));
    for (size_t i = 0; i < p->count; i++) {
        sums += p->nodes[i].is_sum;
        endings += p->nodes[i].ending != NULL;
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
            size_t now = p->nodes[i].is_sum ? p->nodes[i].root : i;
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
    convoy_model *models[] = {residual(), shared(), joined(), two_outputs()};
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
}

/* ---- training ---- */

static convoy_dataset *images_of(const char *name, convoy_model *m)
{
    char file[64];
    size_t size = 0;
    int32_t labels[IMAGES];
    convoy_dataset *data = NULL;
    convoy_shape shape = convoy_model_input(m);
    snprintf(file, sizeof file, "%s.images.u8", name);
    char *images = read_golden(file, &size);
    assert_int_equal(size, IMAGES * shape_count(&shape));
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % CLASSES;
    ASSERT_OK(convoy_dataset_create((uint8_t *)images, labels, IMAGES, shape, CLASSES, NULL, &data, &err));
    free(images);
    return data;
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    float *weights[2];
    size_t count[2];
    for (int run = 0; run < 2; run++) {
        convoy_model *m = shared();
        convoy_dataset *data = images_of("shared", m);
        convoy_fit_options options = {.epochs = 4, .batch_size = 2, .seed = SEED, .stream = run == 1};
        ASSERT_OK(convoy_model_initialize(m, SEED, &err));
        ASSERT_OK(convoy_fit(ctx, m, data, &options, NULL, &err));
        weights[run] = weights_of(m, &count[run]);
        convoy_dataset_destroy(data);
        convoy_model_destroy(m);
    }
    assert_int_equal(count[0], count[1]);
    assert_memory_equal(weights[0], weights[1], count[0] * sizeof(float));
    free(weights[0]);
    free(weights[1]);
}

static void test_fit_takes_one_input_and_output(void **state)
{
    (void)state;
    convoy_error err = {0};
    float values[64] = {0};
    convoy_model *m = two_outputs(), *other = shared();
    convoy_dataset *data = images_of("shared", other);
    assert_failed(convoy_fit(ctx, m, data, NULL, NULL, &err), CONVOY_ERROR_MODEL, &err, "2 inputs and 3 outputs",
                  "one of each", NULL);
    assert_failed(convoy_predict(ctx, m, values, 1, 0, values, &err), CONVOY_ERROR_MODEL, &err, "2 inputs and 3 outputs",
                  "convoy_predict_all", NULL);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
    convoy_model_destroy(other);
}

#ifdef HAVE_KERAS_FILES
static void train_and_compare(const char *name, int steps, float rate, float momentum)
{
    char file[64], kind[16];
    size_t count, expected_count;
    snprintf(file, sizeof file, "%s.keras", name);
    snprintf(kind, sizeof kind, "step%d", steps);
    convoy_model *m = load_golden(file);
    convoy_dataset *data = images_of(name, m);
    convoy_fit_options options = {.epochs = steps, .batch_size = IMAGES, .optimizer = "sgd", .learning_rate = (double)rate,
                                  .momentum = (double)momentum, .no_shuffle = true};
    ASSERT_OK(convoy_fit(ctx, m, data, &options, NULL, &err));
    float *found = weights_of(m, &count), *expected = read_floats(name, kind, &expected_count);
    assert_int_equal(count, expected_count);
    assert_near(file, found, expected, count, 2e-5f);
    free(found);
    free(expected);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

static void test_trains_as_keras(void **state)
{
    (void)state;
    size_t size;
    char name[64], *list = read_golden("trained.txt", &size), *at = list;
    int used = 0, models = 0;
    for (; sscanf(at, "%63s\n%n", name, &used) == 1; at += used, models++) {
        train_and_compare(name, 1, 1.0f, 0.0f);
        train_and_compare(name, 3, 0.1f, 0.9f);
    }
    assert_int_equal(models, 3);
    free(list);
}

/* What C builds is what Keras wrote: its config, in Keras's own order of layers, differs in nothing. */
static void test_c_builds_what_keras_built(void **state)
{
    (void)state;
    convoy_model *built[] = {residual(), shared()};
    static const char *const files[] = {"residual.keras", "shared.keras"};
    for (size_t i = 0; i < 2; i++) {
        char *a = NULL, *b = NULL;
        convoy_model *loaded = load_golden(files[i]);
        ASSERT_OK(convoy_model_to_json(built[i], &a, &err));
        ASSERT_OK(convoy_model_to_json(loaded, &b, &err));
        size_t same = 0;
        while (a[same] != '\0' && a[same] == b[same])
            same++;
        if (a[same] != b[same])
            fail_msg("built: ... %.100s; read: ... %.100s", a + (same > 40 ? same - 40 : 0), b + (same > 40 ? same - 40 : 0));
        free(a);
        free(b);
        convoy_model_destroy(loaded);
        convoy_model_destroy(built[i]);
    }
}
#endif

static int make_context(void **state)
{
    convoy_error err = {0};
    (void)state;
    return convoy_context_create(NULL, &ctx, &err) != CONVOY_OK;
}

static int drop_context(void **state)
{
    (void)state;
    rt_programs_destroy(ctx);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_from_c),
        cmocka_unit_test(test_default_names_and_outputs),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_models_inside),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_gradients_of_several_outputs),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_fit_takes_one_input_and_output),
#ifdef HAVE_KERAS_FILES
        cmocka_unit_test(test_trains_as_keras),
        cmocka_unit_test(test_c_builds_what_keras_built),
#endif
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
