/* What a model's outputs mean, and the logits behind a last activation. */
#include "train_help.h"

#include <math.h>

#include "ops/activation.h"
#include "plan/plan.h"

/* ---- what they mean ---- */

static void check_meaning(convoy_model *m, const char *loss, const char *expected)
{
    convoy_outputs o;
    char found[96];
    CHECK(convoy_model_outputs(m, loss, false, &o, &err));
    snprintf(found, sizeof found, "%s%s%s %d of %d", convoy_meaning_name(o.meaning), o.logits ? " logits" : "",
             o.assumed ? " assumed" : "", o.classes, o.values);
    if (strcmp(found, expected) != 0)
        fail_msg("loss %s: %s; expected %s", loss ? loss : "none", found, expected);
}

static void test_meanings(void **state)
{
    (void)state;
    static const struct {
        const char *layers[7], *loss, *expected;
    } rows[] = {
        {{"Flatten", "", "Dense", "units=1, activation=sigmoid"}, NULL, "binary 2 of 1"},
        {{"Flatten", "", "Dense", "units=1, activation=sigmoid"}, "bce", "binary 2 of 1"},
        {{"Flatten", "", "Dense", "units=1, activation=sigmoid"}, "mse", "numbers 1 of 1"},
        {{"Flatten", "", "Dense", "units=1"}, "bce(from_logits=True)", "binary logits 2 of 1"},
        {{"Flatten", "", "Dense", "units=1"}, "mse", "numbers 1 of 1"},
        {{"Flatten", "", "Dense", "units=1"}, NULL, "numbers assumed 1 of 1"},
        {{"Flatten", "", "Dense", "units=5, activation=sigmoid"}, "bce", "labels 5 of 5"},
        {{"Flatten", "", "Dense", "units=5, activation=hard_sigmoid"}, NULL, "labels 5 of 5"},
        {{"Flatten", "", "Dense", "units=5, activation=sigmoid"}, "sparse_categorical_crossentropy", "classes 5 of 5"},
        {{"Flatten", "", "Dense", "units=5"}, "bce(from_logits=True)", "labels logits 5 of 5"},
        {{"Flatten", "", "Dense", "units=5, activation=softmax"}, "mse", "classes 5 of 5"},
        {{"Flatten", "", "Dense", "units=5, activation=softmax"}, NULL, "classes 5 of 5"},
        {{"Flatten", "", "Dense", "units=5, activation=log_softmax"}, NULL, "classes logits 5 of 5"},
        {{"Flatten", "", "Dense", "units=5"}, "mae", "numbers 5 of 5"},
        {{"Flatten", "", "Dense", "units=1, activation=sigmoid"}, "Dice", "binary 2 of 1"},
        {{"Flatten", "", "Dense", "units=5"}, "CategoricalHinge", "numbers 5 of 5"},
        {{"Flatten", "", "Dense", "units=5, activation=softmax"}, "KLDivergence", "classes 5 of 5"},
        {{"Flatten", "", "Dense", "units=5"}, "SparseCategoricalCrossentropy(from_logits=True)", "classes logits 5 of 5"},
        {{"Flatten", "", "Dense", "units=5"}, "categorical_crossentropy", "classes 5 of 5"},
        {{"Flatten", "", "Dense", "units=5"}, NULL, "classes logits assumed 5 of 5"},
        {{"Flatten", "", "Dense", "units=5, activation=relu"}, NULL, "numbers assumed 5 of 5"},
        {{"Flatten", "", "Dense", "units=5", "Softmax", ""}, NULL, "classes 5 of 5"},
        {{"Conv2D", "filters=4, kernel_size=9, activation=softmax", "Dropout", "rate=0.5", "Flatten", ""}, NULL, "classes 4 of 4"},
        {{"Conv2D", "filters=1, kernel_size=1, activation=sigmoid"}, NULL, "binary 2 of 1"},
        {{"Conv2D", "filters=3, kernel_size=1, activation=softmax"}, NULL, "classes 3 of 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        convoy_model *m = make_model(rows[i].layers);
        check_meaning(m, rows[i].loss, rows[i].expected);
        convoy_model_destroy(m);
    }
}

static convoy_model *parsed(const char *json)
{
    convoy_model *m = NULL;
    CHECK(convoy_model_from_json(json, strlen(json), &m, &err));
    return m;
}

#define IN "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,6]}}"
#define UNITS(n, act) "{\"class_name\":\"Dense\",\"config\":{\"units\":" n ",\"activation\":\"" act "\"}}"
#define STACK(name, layers) "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"" name "\",\"layers\":[" layers "]}}"

/* The last layer is a model: what that ends in counts. Names that training stored decide where the loss leaves it open. */
static void test_inner_models_and_names(void **state)
{
    (void)state;
    static const char *const names[] = {"no", "yes"};
    convoy_model *m = parsed(STACK("m", IN "," STACK("head", IN "," UNITS("3", "softmax"))));
    check_meaning(m, NULL, "classes 3 of 3");
    convoy_model_destroy(m);
    m = parsed(STACK("m", IN "," UNITS("1", "linear")));
    CHECK(convoy_model_set_class_names(m, names, 2, &err));
    check_meaning(m, NULL, "binary logits 2 of 1");
    check_meaning(m, "mse", "numbers 1 of 1");
    convoy_model_destroy(m);
    m = parsed(STACK("m", IN "," UNITS("1", "sigmoid")));
    CHECK(convoy_model_set_class_names(m, names, 2, &err));
    check_meaning(m, "mse", "binary 2 of 1");
    convoy_model_destroy(m);
}

/* Sigmoids side by side are as many yes or no; an average of softmaxes is one; two of them side by side are none. */
static void test_merged_endings(void **state)
{
    (void)state;
    static const struct {
        const char *merge, *activation, *expected;
    } rows[] = {
        {"Concatenate", "sigmoid", "labels 2 of 2"},
        {"Average", "softmax", "classes 1 of 1"},
        {"Concatenate", "softmax", "classes logits assumed 2 of 2"},
        {"Add", "sigmoid", "numbers assumed 1 of 1"}, /* up to 2 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        convoy_model *m = NULL;
        char options[2][64];
        for (int k = 0; k < 2; k++)
            snprintf(options[k], sizeof options[k], "units=1, activation=%s, name=%c", rows[i].activation, 'a' + k);
        CHECK(convoy_model_create(NULL, &m, &err));
        CHECK(convoy_model_connect(m, "InputLayer", "shape=(6,), name=x", NULL, &err));
        CHECK(convoy_model_connect(m, "Dense", options[0], "x", &err));
        CHECK(convoy_model_connect(m, "Dense", options[1], "x", &err));
        CHECK(convoy_model_connect(m, rows[i].merge, "name=y", "a, b", &err));
        check_meaning(m, NULL, rows[i].expected);
        convoy_model_destroy(m);
    }
}

/* ---- values ---- */

static void test_values(void **state)
{
    (void)state;
    float p[3], z[3] = {0, 200, NAN};
    convoy_outputs o = {.meaning = CONVOY_MEANS_BINARY, .logits = true, .values = 1, .classes = 2};
    convoy_outputs_probabilities(&o, &z[1], p);
    assert_true(p[0] == 0 && p[1] == 1);
    assert_int_equal(convoy_outputs_class(&o, (float[]){0.25f}), 1);
    assert_int_equal(convoy_outputs_class(&o, (float[]){-0.25f}), 0);
    o.logits = false;
    convoy_outputs_probabilities(&o, (float[]){0.25f}, p);
    assert_true(p[0] == 0.75f && p[1] == 0.25f);
    assert_int_equal(convoy_outputs_class(&o, (float[]){0.25f}), 0);
    o = (convoy_outputs){.meaning = CONVOY_MEANS_CLASSES, .logits = true, .values = 2, .classes = 2};
    convoy_outputs_probabilities(&o, z, p);
    assert_true(p[0] == 0 && p[1] == 1);
    assert_int_equal(convoy_outputs_class(&o, (float[]){3, 3}), 0);
    o.meaning = CONVOY_MEANS_LABELS;
    convoy_outputs_probabilities(&o, z, p);
    assert_true(p[0] == 0.5f && p[1] == 1);
    o.meaning = CONVOY_MEANS_NUMBERS;
    o.logits = false;
    convoy_outputs_probabilities(&o, z, p);
    assert_true(p[0] == 0 && p[1] == 200);
}

/* ---- the logits behind the last activation ---- */

enum { BATCH = 3 };

static convoy_status write_passes(void *user, rt_list *list, convoy_error *e)
{
    plan *p = user;
    (void)list;
    TRY(plan_add_forward(p, e));
    return plan_add_backward(p, e);
}

/* What a plan makes of the same input and the same gradient: its output, and the gradients of the parameters. */
static size_t play(convoy_model *m, bool logits, float *found, size_t room)
{
    plan *p = NULL;
    convoy_shape in = convoy_model_input(m), out = convoy_model_output(m);
    size_t inputs = BATCH * shape_count(&in), outputs = BATCH * shape_count(&out);
    float *x = malloc(inputs * sizeof *x), *dy = malloc(outputs * sizeof *dy);
    for (size_t i = 0; i < inputs; i++)
        x[i] = (float)((int)(i * 37 % 101) - 50) / 50;
    for (size_t i = 0; i < outputs; i++)
        dy[i] = (float)((int)(i * 53 % 97) - 48) / 48;
    CHECK(plan_create(ctx, m, &(plan_options){.batch = BATCH, .training = true, .logits = logits}, &p, &err));
    size_t trainable = plan_trainable_floats(p);
    assert_true(outputs + trainable <= room);
    CHECK(rt_list_compile(plan_list(p), write_passes, p, &err));
    CHECK(rt_buffer_fill(plan_gradients(p), 0, &err));
    CHECK(rt_buffer_write((rt_buffer *)plan_input(p), 0, x, inputs * sizeof *x, &err));
    CHECK(rt_list_set_batch(plan_list(p), BATCH, &err));
    /* Forward and backward share memory: the loss writes its gradient in between. */
    size_t first, middle;
    plan_forward_range(p, m->node_count - 1, &first, &middle);
    CHECK(rt_list_play(plan_list(p), 0, middle, &err));
    CHECK(rt_buffer_read((rt_buffer *)plan_output(p), 0, found, outputs * sizeof *found, &err));
    CHECK(rt_buffer_write((rt_buffer *)plan_d_output(p), 0, dy, outputs * sizeof *dy, &err));
    CHECK(rt_list_play(plan_list(p), middle, rt_list_length(plan_list(p)), &err));
    CHECK(rt_buffer_read(plan_gradients(p), 0, found + outputs, trainable * sizeof *found, &err));
    plan_destroy(p);
    free(x);
    free(dy);
    return outputs + trainable;
}

/* Left out, the activation makes no difference to the bits: as if the layer had none. */
static void test_layers_without_their_activation(void **state)
{
    (void)state;
    static const char *const layers[][2] = {
        {"Dense", "units=5"},
        {"Conv2D", "filters=5, kernel_size=3"},
        {"Conv2D", "filters=6, kernel_size=3, groups=3"},
        {"DepthwiseConv2D", "kernel_size=3"},
        {"SeparableConv2D", "filters=5, kernel_size=3"},
        {"Conv2DTranspose", "filters=5, kernel_size=3, strides=2"},
        {"Conv2DTranspose", "filters=5, kernel_size=3, use_bias=False"},
    };
    enum { ROOM = 8192 };
    static float bare[ROOM], without[ROOM];
    for (size_t i = 0; i < 2 * sizeof layers / sizeof layers[0]; i++)
        for (int own = 0; own < 2; own++) {
            const char *act = i % 2 ? "softmax" : "sigmoid";
            char options[96], apart[32];
            snprintf(options, sizeof options, "%s, activation=%s", layers[i / 2][1], act);
            snprintf(apart, sizeof apart, "activation=%s", act);
            const char *const plain[] = {layers[i / 2][0], layers[i / 2][1], NULL};
            const char *const ended[] = {layers[i / 2][0], own ? options : layers[i / 2][1], own ? NULL : "Activation", apart, NULL};
            convoy_model *a = make_model(plain), *b = make_model(ended);
            size_t count = play(a, false, bare, ROOM), same = play(b, true, without, ROOM);
            assert_int_equal(count, same);
            for (size_t k = 0; k < count; k++)
                if (bare[k] != without[k])
                    fail_msg("%s, %s%s: value %zu is %g; without an activation %g", layers[i / 2][0], act,
                             own ? "" : " as a layer", k, (double)without[k], (double)bare[k]);
            convoy_model_destroy(a);
            convoy_model_destroy(b);
        }
}

/* A logit of 20 on the wrong side loses 20, and is corrected: behind sigmoid and softmax, of the layer, of a layer of its own and of an
 * inner model; not where a layer follows. */
static void test_a_confident_mistake_is_corrected(void **state)
{
    (void)state;
    static const struct {
        const char *layers, *loss;
        double expected;
    } rows[] = {
        {UNITS("1", "sigmoid"), "bce", 20},
        {UNITS("1", "linear") ",{\"class_name\":\"Activation\",\"config\":{\"activation\":\"sigmoid\"}}", "bce", 20},
        {STACK("head", IN "," UNITS("1", "sigmoid")), "bce(from_logits=True)", 20},
        {UNITS("1", "sigmoid") ",{\"class_name\":\"Reshape\",\"config\":{\"target_shape\":[1]}}", "bce", 16.1180956}, /* -log 1e-7 */
        {UNITS("1", "sigmoid"), NULL, 20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char json[1024];
        float *kernel;
        convoy_shape shape;
        convoy_metrics before, after;
        snprintf(json, sizeof json, "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"m\",\"layers\":[%s,%s,%s]}}",
                 "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,1,2,3]}}",
                 "{\"class_name\":\"Flatten\",\"config\":{}}", rows[i].layers);
        convoy_model *m = parsed(json);
        size_t layer = 0;
        while (convoy_model_weights(m, layer, 0, &kernel, &shape) == 0)
            layer++;
        for (int k = 0; k < 6; k++)
            kernel[k] = -20.0f / 6;
        convoy_dataset *data = NULL;
        CHECK(convoy_dataset_create((uint8_t[]){255, 255, 255, 255, 255, 255}, (int32_t[]){1}, 1, (convoy_shape){3, {1, 2, 3}}, 2,
                                    NULL, &data, &err));
        CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.loss = rows[i].loss}, &before, &err));
        if (fabs(before.loss - rows[i].expected) > 1e-4)
            fail_msg("row %zu: loss %g; expected %g", i, before.loss, rows[i].expected);
        CHECK(convoy_fit(ctx, m, data, &(convoy_fit_options){.loss = rows[i].loss, .optimizer = "sgd"}, NULL, &err));
        CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.loss = rows[i].loss}, &after, &err));
        bool clipped = rows[i].expected != 20;
        if (clipped ? after.loss != before.loss : fabs(before.loss - after.loss - 0.07) > 1e-3) /* 7 slopes of 0.01 */
            fail_msg("row %zu: the loss went from %g to %g", i, before.loss, after.loss);
        convoy_dataset_destroy(data);
        convoy_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meanings),
        cmocka_unit_test(test_inner_models_and_names),
        cmocka_unit_test(test_merged_endings),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_layers_without_their_activation),
        cmocka_unit_test(test_a_confident_mistake_is_corrected),
    };
    return cmocka_run_group_tests_name("outputs", tests, make_context, drop_context);
}
