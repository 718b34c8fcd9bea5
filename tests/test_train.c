/* Training, evaluation and prediction: the same bits every time, however the data comes; nothing but launches in a step. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "context_help.h"
#include "convoy/convoy.h"
#include "train/trainer.h"

enum { SEED = 7, ROWS = 75, SIDE = 9 };

static void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s: %s", convoy_status_name(status), err->message);
}

/* A small network with every kind of launch in it: convolution, pooling, dense, odd sizes. */
static convoy_model *small_model(void)
{
    convoy_error err = {0};
    convoy_model *m = NULL;
    must(convoy_model_create(NULL, &m, &err), &err);
    must(convoy_model_add(m, "InputLayer", "shape=(9, 9, 3)", &err), &err);
    must(convoy_model_add(m, "Conv2D", "filters=5, kernel_size=3, activation=relu, padding=same", &err), &err);
    must(convoy_model_add(m, "MaxPooling2D", NULL, &err), &err);
    must(convoy_model_add(m, "Conv2D", "filters=8, kernel_size=2, strides=2, activation=gelu", &err), &err);
    must(convoy_model_add(m, "Flatten", NULL, &err), &err);
    must(convoy_model_add(m, "Dense", "units=12, activation=relu", &err), &err);
    must(convoy_model_add(m, "Dense", "units=3", &err), &err);
    must(convoy_model_initialize(m, SEED, &err), &err);
    return m;
}

/* Rows whose class can be learned: one of the three channels is bright. */
static convoy_dataset *small_data(size_t rows)
{
    convoy_error err = {0};
    size_t row = SIDE * SIDE * 3;
    uint8_t *images = malloc(rows * row);
    int32_t *labels = malloc(rows * sizeof *labels);
    assert_non_null(images);
    assert_non_null(labels);
    for (size_t n = 0; n < rows; n++) {
        labels[n] = (int32_t)(n * 7 % 3);
        for (size_t i = 0; i < row; i++)
            images[n * row + i] = (uint8_t)((n * 31 + i * 17) % 97 + (i % 3 == (size_t)labels[n] ? 90 : 0));
    }
    convoy_dataset *data = NULL;
    convoy_shape shape = {3, {SIDE, SIDE, 3}};
    must(convoy_dataset_create(images, labels, rows, shape, 3, NULL, &data, &err), &err);
    free(images);
    free(labels);
    return data;
}

/* All weights in a row; the caller frees them. */
static float *weights_of(convoy_model *m, size_t *count)
{
    float *all = malloc((convoy_model_parameter_count(m) + 1) * sizeof *all), *values;
    convoy_shape shape;
    assert_non_null(all);
    *count = 0;
    for (size_t l = 0; l < convoy_model_layer_count(m); l++) {
        size_t n;
        for (size_t i = 0; (n = convoy_model_weights(m, l, i, &values, &shape)) > 0; i++, *count += n)
            memcpy(all + *count, values, n * sizeof *values);
    }
    return all;
}

static void assert_same_weights(convoy_model *a, convoy_model *b)
{
    size_t na, nb;
    float *wa = weights_of(a, &na), *wb = weights_of(b, &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(wa, wb, na * sizeof *wa);
    free(wa);
    free(wb);
}

static convoy_model *fitted(const convoy_fit_options *options)
{
    convoy_error err = {0};
    convoy_model *m = small_model();
    convoy_dataset *data = small_data(ROWS);
    must(convoy_fit(ctx, m, data, options, NULL, &err), &err);
    convoy_dataset_destroy(data);
    return m;
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    convoy_fit_options options = {.epochs = 3, .batch_size = 16, .seed = SEED};
    convoy_model *a = fitted(&options), *b = fitted(&options);
    assert_same_weights(a, b);
    options.seed++;
    convoy_model *c = fitted(&options);
    size_t n;
    float *wa = weights_of(a, &n), *wc = weights_of(c, &n);
    assert_true(memcmp(wa, wc, n * sizeof *wa) != 0);
    free(wa);
    free(wc);
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_model_destroy(c);
}

static void test_streaming_gives_the_same_bits(void **state)
{
    (void)state;
    convoy_fit_options options = {.epochs = 3, .batch_size = 16, .seed = SEED};
    convoy_model *resident = fitted(&options);
    options.stream = true;
    convoy_model *streamed = fitted(&options);
    assert_same_weights(resident, streamed);
    convoy_model_destroy(resident);
    convoy_model_destroy(streamed);
}

static void test_two_parts_give_the_bits_of_one_run(void **state)
{
    (void)state;
    convoy_error err = {0};
    const char *const optimizers[] = {"adam", "sgd(momentum=0.9)"}; /* test_optimizers.c has the others */
    for (int i = 0; i < 2; i++) {
        convoy_fit_options options = {.epochs = 4, .batch_size = 16, .seed = SEED, .optimizer = optimizers[i]};
        convoy_model *whole = fitted(&options);
        options.epochs = 2;
        convoy_model *parts = fitted(&options);
        convoy_dataset *data = small_data(ROWS);
        must(convoy_fit(ctx, parts, data, &options, NULL, &err), &err);
        assert_same_weights(whole, parts);
        convoy_dataset_destroy(data);
        convoy_model_destroy(whole);
        convoy_model_destroy(parts);
    }
}

/* What the callbacks of a run saw. */
typedef struct seen {
    int epochs, progress, stop_after;
    convoy_epoch last;
} seen;

static int on_epoch(void *user, const convoy_epoch *epoch)
{
    seen *s = user;
    s->epochs++;
    s->last = *epoch;
    return s->epochs == s->stop_after;
}

static int on_progress(void *user, const convoy_progress *progress)
{
    seen *s = user;
    s->progress++;
    assert_true(progress->step >= 1 && progress->step <= progress->steps);
    return 0;
}

static void test_learns_and_evaluates(void **state)
{
    (void)state;
    convoy_error err = {0};
    seen s = {0};
    convoy_dataset *data = small_data(ROWS);
    convoy_model *m = small_model();
    convoy_fit_options options = {.epochs = 12, .batch_size = 16, .seed = SEED, .validation = data, .on_epoch = on_epoch,
                                  .on_progress = on_progress, .learning_rate = 0.005, .user = &s};
    must(convoy_fit(ctx, m, data, &options, NULL, &err), &err);
    assert_int_equal(s.epochs, 12);
    assert_int_equal(s.last.epoch, 12);
    assert_int_equal(s.last.train.images, ROWS);
    assert_true(s.last.validation.accuracy > 0.95);
    convoy_metrics again;
    must(convoy_evaluate(ctx, m, data, NULL, &again, &err), &err);
    assert_true(fabs(again.loss - s.last.validation.loss) < 1e-5);
    assert_true(again.accuracy == s.last.validation.accuracy);
    /* Another batch size is the same mean, but for the order of the sums. */
    convoy_evaluate_options other = {.batch_size = 7, .stream = true};
    convoy_metrics small;
    must(convoy_evaluate(ctx, m, data, &other, &small, &err), &err);
    assert_true(fabs(again.loss - small.loss) < 1e-5);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

static void test_predict_agrees_with_evaluate(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_fit_options options = {.epochs = 8, .batch_size = 16, .seed = SEED, .learning_rate = 0.005};
    convoy_model *m = fitted(&options);
    convoy_dataset *data = small_data(ROWS);
    size_t row = SIDE * SIDE * 3;
    float *inputs = malloc(ROWS * row * sizeof *inputs), outputs[ROWS][3];
    assert_non_null(inputs);
    for (size_t i = 0; i < ROWS * row; i++)
        inputs[i] = (float)convoy_dataset_images(data)[i] / 255.0f;
    must(convoy_predict(ctx, m, inputs, ROWS, 32, &outputs[0][0], &err), &err);
    double loss = 0;
    int correct = 0;
    for (int n = 0; n < ROWS; n++) {
        int label = convoy_dataset_labels(data)[n], best = 0;
        double sum = 0;
        for (int i = 0; i < 3; i++) {
            best = outputs[n][i] > outputs[n][best] ? i : best;
            sum += exp(outputs[n][i]);
        }
        correct += best == label;
        loss += log(sum) - outputs[n][label];
    }
    convoy_metrics m_all;
    must(convoy_evaluate(ctx, m, data, NULL, &m_all, &err), &err);
    assert_true(fabs(loss / ROWS - m_all.loss) < 1e-5);
    assert_true(fabs((double)correct / ROWS - m_all.accuracy) < 1e-9);
    free(inputs);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

static void test_validation_split_and_stopping(void **state)
{
    (void)state;
    convoy_error err = {0};
    seen s = {.stop_after = 2};
    convoy_dataset *data = small_data(ROWS);
    convoy_model *m = small_model();
    convoy_fit_options options = {.epochs = 5, .batch_size = 16, .validation_split = 0.2, .on_epoch = on_epoch, .user = &s};
    assert_int_equal(convoy_fit(ctx, m, data, &options, NULL, &err), CONVOY_ERROR_INTERRUPTED);
    assert_int_equal(s.epochs, 2);
    assert_int_equal(s.last.train.images, 60);
    assert_int_equal(s.last.validation.images, 15);
    options.validation_split = 0.999;
    assert_int_equal(convoy_fit(ctx, m, data, &options, NULL, &err), CONVOY_ERROR_ARGUMENT);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

static void test_nan_names_the_layer(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_dataset *data = small_data(ROWS);
    convoy_model *m = small_model();
    float *values;
    convoy_shape shape;
    assert_true(convoy_model_weights(m, 3, 0, &values, &shape) > 0);
    values[1] = NAN;
    convoy_fit_options options = {.epochs = 2, .batch_size = 16};
    assert_int_equal(convoy_fit(ctx, m, data, &options, NULL, &err), CONVOY_ERROR_NOT_FINITE);
    assert_non_null(strstr(err.message, "epoch 1, step 1"));
    assert_non_null(strstr(err.message, "'conv2d_1'"));
    convoy_model_destroy(m);
    /* A learning rate that throws the weights out of range: it happens later, and is found all the same. */
    m = small_model();
    options = (convoy_fit_options){.epochs = 50, .batch_size = 16, .optimizer = "sgd", .learning_rate = 1e30};
    assert_int_equal(convoy_fit(ctx, m, data, &options, NULL, &err), CONVOY_ERROR_NOT_FINITE);
    assert_non_null(strstr(err.message, "epoch 1, step 2"));
    assert_non_null(strstr(err.message, "layer '"));
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

static void test_bad_input(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = NULL, *small = small_model();
    convoy_dataset *data = small_data(ROWS);
    must(convoy_model_load("cifar10", &m, &err), &err);
    assert_int_equal(convoy_fit(ctx, m, data, NULL, NULL, &err), CONVOY_ERROR_MODEL);
    assert_non_null(strstr(err.message, "(None, 32, 32, 3)"));
    assert_non_null(strstr(err.message, "(None, 9, 9, 3)"));
    convoy_fit_options options = {.optimizer = "adamz"};
    assert_int_equal(convoy_fit(ctx, small, data, &options, NULL, &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "adam, sgd"));
    options = (convoy_fit_options){.batch_size = -1};
    assert_int_equal(convoy_fit(ctx, small, data, &options, NULL, &err), CONVOY_ERROR_ARGUMENT);
    convoy_model_destroy(m);
    convoy_model_destroy(small);
    convoy_dataset_destroy(data);
}

/* A batch whose activations no device holds: a clear error, and nothing is left behind. */
static void test_out_of_device_memory(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = NULL;
    must(convoy_model_create(NULL, &m, &err), &err);
    must(convoy_model_add(m, "InputLayer", "shape=(9, 9, 3)", &err), &err);
    must(convoy_model_add(m, "Conv2D", "filters=262144, kernel_size=1", &err), &err);
    must(convoy_model_add(m, "MaxPooling2D", "pool_size=9", &err), &err);
    must(convoy_model_add(m, "Flatten", NULL, &err), &err);
    must(convoy_model_add(m, "Dense", "units=3", &err), &err);
    convoy_dataset *data = small_data(ROWS);
    convoy_fit_options options = {.batch_size = ROWS};
    convoy_status status = convoy_fit(ctx, m, data, &options, NULL, &err);
    if (status == CONVOY_OK)
        skip(); /* a device that does hold them */
    assert_int_equal(status, CONVOY_ERROR_DEVICE_MEMORY);
    assert_non_null(strstr(err.message, "smaller batch size"));
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

/* A step is launches and nothing else: pinned by the runtime's own counters. */
static void test_cost_of_a_step(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = small_model();
    convoy_dataset *data = small_data(ROWS);
    trainer *t = NULL;
    convoy_fit_options options = {.batch_size = 16};
    must(trainer_create(ctx, m, data, &options, &t, &err), &err);
    must(trainer_step(t, 0, 16, NULL, &err), &err);
    convoy_counters before = convoy_context_counters(ctx);
    for (int i = 0; i < 10; i++)
        must(trainer_step(t, (size_t)(i % 4) * 16, i % 2 ? 16 : 11, NULL, &err), &err);
    convoy_counters after = convoy_context_counters(ctx);
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.builds, before.builds);
    assert_int_equal(after.reads, before.reads);
    assert_int_equal(after.writes, before.writes);
    assert_int_equal(after.waits, before.waits);
    assert_int_equal(after.live_objects, before.live_objects);
    size_t launches = rt_list_length(plan_list(trainer_plan(t)));
    assert_int_equal(after.launches - before.launches, 10 * launches);
    print_message("%zu launches a step\n", launches);
    assert_true(launches <= 40);
    trainer_destroy(t);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_streaming_gives_the_same_bits),
        cmocka_unit_test(test_two_parts_give_the_bits_of_one_run),
        cmocka_unit_test(test_learns_and_evaluates),
        cmocka_unit_test(test_predict_agrees_with_evaluate),
        cmocka_unit_test(test_validation_split_and_stopping),
        cmocka_unit_test(test_nan_names_the_layer),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_out_of_device_memory),
        cmocka_unit_test(test_cost_of_a_step),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("train", tests, make_context, drop_context);
}
