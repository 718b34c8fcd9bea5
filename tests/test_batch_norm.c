/* BatchNormalization in training: moving statistics, means much larger than deviations, and what a bad loss must not touch. */
#include <math.h>

#include "layers/layer.h"
#include "train_help.h"

static const char *const layers[] = {
    "Conv2D", "filters=6, kernel_size=3", "BatchNormalization", "momentum=0.9", "ReLU", "", "MaxPooling2D", "",
    "Flatten", "", "Dense", "units=16", "BatchNormalization", "scale=False", "ReLU", "", "Dense", "units=3", NULL};
enum { CONV = 1, NORM = 2, DENSE_NORM = 7, LAST = 9 };

static void test_learns(void **state)
{
    (void)state;
    convoy_dataset *data = small_data();
    convoy_model *m = make_model(layers);
    convoy_metrics found;
    train(m, &(convoy_fit_options){.epochs = 8, .batch_size = 16, .seed = SEED, .learning_rate = 0.01});
    CHECK(convoy_evaluate(ctx, m, data, NULL, &found, &err));
    assert_true(found.accuracy > 0.95);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

static void test_two_parts_give_the_bits_of_one_run(void **state)
{
    (void)state;
    assert_resumes(layers, (convoy_fit_options){.batch_size = 16, .seed = SEED});
    assert_resumes(layers, (convoy_fit_options){.batch_size = 32, .seed = SEED, .optimizer = "sgd", .momentum = 0.9});
}

/* One step on one batch of all rows: the statistics are those of the data, from its own mean and biased variance. */
static void test_moving_statistics(void **state)
{
    (void)state;
    const char *const first[] = {"BatchNormalization", "momentum=0.75", "Flatten", "", "Dense", "units=3", NULL};
    convoy_model *m = make_model(first);
    convoy_dataset *data = small_data();
    const uint8_t *images = convoy_dataset_images(data);
    float *mean, *variance;
    convoy_shape shape;
    train(m, &(convoy_fit_options){.batch_size = ROWS, .seed = SEED});
    assert_int_equal(convoy_model_weights(m, 1, 2, &mean, &shape), 3);
    assert_int_equal(convoy_model_weights(m, 1, 3, &variance, &shape), 3);
    for (size_t c = 0; c < 3; c++) {
        double sum = 0, squares = 0, count = ROWS * SIDE * SIDE;
        for (size_t i = c; i < ROWS * SIDE * SIDE * 3; i += 3)
            sum += images[i] / 255.0;
        for (size_t i = c; i < ROWS * SIDE * SIDE * 3; i += 3)
            squares += pow(images[i] / 255.0 - sum / count, 2);
        assert_true(fabs(mean[c] - 0.25 * sum / count) < 1e-6);
        assert_true(fabs(variance[c] - (0.75 + 0.25 * squares / count)) < 1e-6);
    }
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

/* Of channels that are always 0 the statistics halve for ever: they end as zeros, not as subnormal numbers, which a CPU is slow with. */
static void test_statistics_that_vanish(void **state)
{
    (void)state;
    const char *const dead[] = {"Conv2D", "filters=2, kernel_size=1, kernel_initializer=zeros, trainable=False", "BatchNormalization",
                                "momentum=0.5", "Flatten", "", "Dense", "units=3", NULL};
    convoy_model *m = make_model(dead);
    float *mean, *variance;
    convoy_shape shape;
    assert_int_equal(convoy_model_weights(m, NORM, 2, &mean, &shape), 2);
    assert_int_equal(convoy_model_weights(m, NORM, 3, &variance, &shape), 2);
    mean[0] = 1;
    train(m, &(convoy_fit_options){.epochs = 141, .batch_size = ROWS, .seed = SEED}); /* 2^-141 is subnormal */
    for (size_t c = 0; c < 2; c++) {
        assert_true(mean[c] == 0);
        assert_true(variance[c] == 0);
    }
    convoy_model_destroy(m);
}

/* The validation of an epoch reads the statistics that training has written on the device. */
static int keep_validation(void *user, const convoy_epoch *epoch)
{
    *(double *)user = epoch->validation.loss;
    return 0;
}

static void test_validation_sees_the_statistics(void **state)
{
    (void)state;
    convoy_dataset *data = small_data();
    convoy_model *m = make_model(layers);
    double during = 0;
    convoy_metrics after;
    train(m, &(convoy_fit_options){.epochs = 3, .batch_size = 16, .seed = SEED, .validation = data, .user = &during,
                                   .on_epoch = keep_validation});
    CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.batch_size = 16}, &after, &err));
    assert_true(fabs(during - after.loss) < 1e-6);
    float *mean;
    convoy_shape shape;
    assert_true(convoy_model_weights(m, NORM, 2, &mean, &shape) > 0);
    mean[0] += 0.5f;
    CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.batch_size = 16}, &after, &err));
    assert_true(fabs(during - after.loss) > 1e-4);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

static void test_frozen_keeps_everything(void **state)
{
    (void)state;
    const char *const frozen[] = {"Conv2D", "filters=6, kernel_size=3", "BatchNormalization", "trainable=False", "Flatten",
                                  "", "Dense", "units=3", NULL};
    convoy_model *m = make_model(frozen), *before = make_model(frozen);
    train(m, &(convoy_fit_options){.epochs = 2, .batch_size = 16, .seed = SEED});
    assert_string_equal(first_difference(m, before), "conv2d");
    for (size_t i = 0; i < 4; i++) {
        float *x, *y;
        convoy_shape shape;
        size_t n = convoy_model_weights(m, NORM, i, &x, &shape);
        assert_int_equal(convoy_model_weights(before, NORM, i, &y, &shape), n);
        assert_memory_equal(x, y, n * sizeof *x);
    }
    convoy_model_destroy(m);
    convoy_model_destroy(before);
}

/* A step whose loss is not finite leaves the moving statistics as they were, like the weights. */
static void test_bad_loss_touches_nothing(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_dataset *data = small_data();
    convoy_model *m = make_model(layers), *before = make_model(layers);
    float *x, *y;
    convoy_shape shape;
    assert_true(convoy_model_weights(m, CONV, 0, &x, &shape) > 0);
    x[0] = NAN;
    assert_int_equal(convoy_fit(ctx, m, data, &(convoy_fit_options){.epochs = 2, .batch_size = 16}, NULL, &err),
                     CONVOY_ERROR_NOT_FINITE);
    assert_non_null(strstr(err.message, "'conv2d'"));
    for (size_t i = 0; i < 4; i++) {
        size_t n = convoy_model_weights(m, NORM, i, &x, &shape);
        assert_int_equal(convoy_model_weights(before, NORM, i, &y, &shape), n);
        assert_memory_equal(x, y, n * sizeof *x);
    }
    convoy_model_destroy(m);
    convoy_model_destroy(before);
    convoy_dataset_destroy(data);
}

/* ---- accuracy ---- */

static rt_buffer *buffer_of(const float *values, size_t count)
{
    rt_buffer *b = NULL;
    CHECK(rt_buffer_create(ctx, count * sizeof *values, "test", &b, &err));
    if (values != NULL)
        CHECK(rt_buffer_write(b, 0, values, count * sizeof *values, &err));
    return b;
}

/* A mean ten thousand times the deviation: the sum of squares would have lost every digit of the variance. */
static void test_large_mean(void **state)
{
    (void)state;
    enum { BATCH = 7, SIZE = 20 * 15 * 16, COUNT = BATCH * SIZE, C = 16 };
    convoy_shape input = {3, {20, 15, C}};
    layer *l = NULL;
    static float x[COUNT], y[COUNT];
    static double in[COUNT], out[COUNT];
    float ones[C], nothing[C] = {0};
    double one[C], zero[C] = {0};
    for (size_t i = 0; i < COUNT; i++)
        in[i] = x[i] = 10000.0f + (float)((i * 7919) % 2003) / 1024.0f;
    for (size_t c = 0; c < C; c++)
        one[c] = ones[c] = 1;
    CHECK(layer_create(layer_class_find("BatchNormalization"), NULL, &l, &err));
    CHECK(layer_connect(l, &input, 1, &err));
    rt_buffer *b[] = {buffer_of(x, COUNT), buffer_of(NULL, COUNT), buffer_of(NULL, l->saved_by_training),
                      buffer_of(NULL, layer_find_needs(l, ctx, BATCH, NULL).forward_scratch), buffer_of(ones, C), buffer_of(nothing, C),
                      buffer_of(nothing, C), buffer_of(ones, C)};
    layer_io io = {.ctx = ctx, .batch = BATCH, .training = true, .input = {b[0]}, .output = b[1], .saved = b[2],
                   .scratch = b[3], .param = {b[4], b[5], b[6], b[7]}};
    layer_reference r = {.batch = BATCH, .training = true, .input = {in}, .output = out, .param = {one, zero, zero, one}};
    rt_list *list = NULL;
    CHECK(rt_list_create(ctx, BATCH, &list, &err));
    CHECK(l->class->forward(l, &io, list, &err));
    CHECK(rt_list_play(list, 0, rt_list_length(list), &err));
    CHECK(rt_buffer_read(b[1], 0, y, sizeof y, &err));
    l->class->reference_forward(l, &r);
    double worst = 0;
    for (size_t i = 0; i < COUNT; i++)
        worst = fmax(worst, fabs(y[i] - out[i]));
    print_message("error %.1e\n", worst);
    assert_true(worst < 2e-3); /* a mean of 10000 is known to 2^-11 */
    rt_list_destroy(list);
    for (size_t i = 0; i < sizeof b / sizeof b[0]; i++)
        rt_buffer_destroy(b[i]);
    layer_destroy(l);
}

/* ---- options ---- */

static void test_refused_options(void **state)
{
    (void)state;
    static const struct { const char *options, *message; } cases[] = {
        {"axis=1", "only the last axis"},  {"axis=0", "only the last axis"},     {"axis=[2, 3]", "one is expected"},
        {"axis=4", "only the last axis"},  {"momentum=1.5", "'momentum' is 1.5"}, {"renorm=True", "renorm"},
        {"epsilon=-1", "'epsilon' is -1"}, {"axis='last'", "an axis, or a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        convoy_error err = {0};
        convoy_model *m = NULL;
        CHECK(convoy_model_create(NULL, &m, &err));
        CHECK(convoy_model_add(m, "InputLayer", "shape=(9, 9, 3)", &err));
        assert_int_equal(convoy_model_add(m, "BatchNormalization", cases[i].options, &err), CONVOY_ERROR_MODEL);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("'%s' is not in: %s", cases[i].message, err.message);
        convoy_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_two_parts_give_the_bits_of_one_run),
        cmocka_unit_test(test_moving_statistics),
        cmocka_unit_test(test_statistics_that_vanish),
        cmocka_unit_test(test_validation_sees_the_statistics),
        cmocka_unit_test(test_frozen_keeps_everything),
        cmocka_unit_test(test_bad_loss_touches_nothing),
        cmocka_unit_test(test_large_mean),
        cmocka_unit_test(test_refused_options),
    };
    return cmocka_run_group_tests_name("batch_norm", tests, make_context, drop_context);
}
