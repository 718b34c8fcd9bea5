/* The first training steps against Keras: same start weights, same batches, its losses to 1e-4 (relative) and its
 * weights to 1e-4. tests/golden/parity.json holds Keras's side (tools/make_golden_parity.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "convoy/convoy.h"
#include "train/trainer.h"

#define TOLERANCE 1e-4

static json_t *golden;
static convoy_dataset *data;
static convoy_context *ctx;

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        convoy_error err = {0};                                                                                        \
        if ((call) != CONVOY_OK)                                                                                       \
            fail_msg("%s", err.message);                                                                               \
    } while (0)

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("parity.json: no number '%s'", key);
    return json_number_value(value);
}

static const char *word(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (value == NULL)
        fail_msg("parity.json: no text '%s'", key);
    return value;
}

/* ---- the model of a run ---- */

static convoy_model *make_model(const json_t *run)
{
    convoy_model *model = NULL;
    size_t i;
    const json_t *pair;
    CHECK(convoy_model_create(NULL, &model, &err));
    json_array_foreach(json_object_get(run, "layers"), i, pair) {
        const char *class_name = json_string_value(json_array_get(pair, 0));
        const char *options = json_string_value(json_array_get(pair, 1));
        CHECK(convoy_model_add(model, class_name, options, &err));
    }
    CHECK(convoy_model_initialize(model, (uint64_t)number(golden, "seed"), &err));
    return model;
}

typedef void check_tensor(const char *run, const json_t *expected, const float *found, size_t count);

/* Calls `check` for every tensor of the model with Keras's record of it; there must be as many of each. */
static void for_each_tensor(const json_t *run, convoy_model *model, check_tensor *check)
{
    const json_t *records = json_object_get(run, "weights");
    size_t place = 0;
    for (size_t layer = 0; layer < convoy_model_layer_count(model); layer++) {
        float *values;
        convoy_shape shape;
        size_t count;
        for (size_t i = 0; (count = convoy_model_weights(model, layer, i, &values, &shape)) > 0; i++, place++) {
            const json_t *expected = json_array_get(records, place);
            assert_non_null(expected);
            assert_int_equal(shape.rank, json_array_size(json_object_get(expected, "shape")));
            for (int d = 0; d < shape.rank; d++)
                assert_int_equal(shape.dim[d],
                                 json_integer_value(json_array_get(json_object_get(expected, "shape"), (size_t)d)));
            check(word(run, "name"), expected, values, count);
        }
    }
    assert_int_equal(place, json_array_size(records));
}

/* The start weights are drawn twice, here and in the script: they must be the same before anything else can be. */
static void check_start(const char *run, const json_t *expected, const float *found, size_t count)
{
    (void)count;
    size_t i;
    const json_t *value;
    json_array_foreach(json_object_get(expected, "start"), i, value)
        if (!(fabs(found[i] - json_number_value(value)) <= 1e-7))
            fail_msg("%s: start weight %s[%zu] is %.9g; the script drew %.9g", run, word(expected, "name"), i, found[i],
                     json_number_value(value));
}

static double worst_weight;

static void check_end(const char *run, const json_t *expected, const float *found, size_t count)
{
    const char *name = word(expected, "name");
    size_t stride = (size_t)number(expected, "stride"), i;
    const json_t *value;
    assert_int_equal(json_array_size(json_object_get(expected, "values")), (count + stride - 1) / stride);
    json_array_foreach(json_object_get(expected, "values"), i, value) {
        double gap = fabs(found[i * stride] - json_number_value(value));
        worst_weight = fmax(worst_weight, gap);
        if (!(gap <= TOLERANCE))
            fail_msg("%s: weight %s[%zu] is %.9g; Keras has %.9g", run, name, i * stride, found[i * stride],
                     json_number_value(value));
    }
    /* The sums see the weights that were not kept: their errors have any sign, so they must nearly cancel. */
    double sum = 0, squares = 0, slack = TOLERANCE * sqrt((double)count);
    for (i = 0; i < count; i++) {
        sum += found[i];
        squares += (double)found[i] * found[i];
    }
    double norm = sqrt(squares);
    if (!(fabs(sum - number(expected, "sum")) <= slack))
        fail_msg("%s: the sum of %s is %.9g; Keras has %.9g", run, name, sum, number(expected, "sum"));
    if (!(fabs(squares - number(expected, "sum_of_squares")) <= 2 * TOLERANCE * norm + 1e-9))
        fail_msg("%s: the sum of squares of %s is %.9g; Keras has %.9g", run, name, squares,
                 number(expected, "sum_of_squares"));
}

/* ---- one run ---- */

static double check_losses(const json_t *run, trainer *t)
{
    const json_t *losses = json_object_get(run, "losses");
    int batch = (int)number(golden, "batch");
    double worst = 0;
    size_t step;
    const json_t *value;
    assert_true(json_array_size(losses) >= 5);
    json_array_foreach(losses, step, value) {
        double loss = NAN, expected = json_number_value(value);
        CHECK(trainer_step(t, step * (size_t)batch, batch, &loss, &err));
        double gap = fabs(loss - expected) / fabs(expected);
        worst = fmax(worst, gap);
        if (!(gap <= TOLERANCE))
            fail_msg("%s: the loss of step %zu is %.9g; Keras has %.9g", word(run, "name"), step + 1, loss, expected);
    }
    return worst;
}

static void run_named(const char *name)
{
    size_t i;
    const json_t *run = NULL, *candidate;
    json_array_foreach(json_object_get(golden, "runs"), i, candidate)
        if (strcmp(word(candidate, "name"), name) == 0)
            run = candidate;
    if (run == NULL)
        fail_msg("parity.json: no run '%s'", name);

    convoy_fit_options options = {
        .batch_size = (int)number(golden, "batch"),
        .optimizer = word(run, "optimizer"),
        .learning_rate = number(run, "learning_rate"),
        .momentum = number(run, "momentum"),
        .from_probabilities = json_is_true(json_object_get(run, "from_probabilities")),
        .no_shuffle = true,
    };
    convoy_model *model = make_model(run);
    for_each_tensor(run, model, check_start);
    trainer *t = NULL;
    CHECK(trainer_create(ctx, model, data, &options, &t, &err));
    double worst_loss = check_losses(run, t);
    CHECK(trainer_download(t, &err));
    worst_weight = 0;
    for_each_tensor(run, model, check_end);
    print_message("%s: losses within %.2g (relative), weights within %.2g of Keras's (whose own rounding moves them by "
                  "%.2g and %.2g)\n", name, worst_loss, worst_weight, number(run, "loss_drift"),
                  number(run, "weight_drift"));
    trainer_destroy(t);
    convoy_model_destroy(model);
}

static void test_adam(void **state)
{
    (void)state;
    run_named("adam");
}

static void test_sgd_with_momentum(void **state)
{
    (void)state;
    run_named("sgd with momentum");
}

static void test_adam_on_probabilities(void **state)
{
    (void)state;
    run_named("adam on probabilities");
}

/* Other images would give other losses: say so plainly instead of failing in step 1. */
static void test_data_is_what_keras_saw(void **state)
{
    (void)state;
    size_t rows = (size_t)number(golden, "rows");
    convoy_shape shape = convoy_dataset_shape(data);
    assert_true(convoy_dataset_count(data) >= rows);
    size_t values = rows * (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    double pixels = 0, labels = 0;
    for (size_t i = 0; i < values; i++)
        pixels += convoy_dataset_images(data)[i];
    for (size_t i = 0; i < rows; i++)
        labels += convoy_dataset_labels(data)[i];
    if (pixels != number(golden, "pixel_sum") || labels != number(golden, "label_sum"))
        fail_msg("the sample data is not what parity.json was made from: run tools/make_golden_parity.py");
}

static int set_up(void **state)
{
    (void)state;
    static convoy_error err;
    json_error_t error;
    golden = json_load_file(TEST_GOLDEN_DIR "/parity.json", 0, &error);
    if (golden == NULL) {
        fprintf(stderr, "%s:%d: %s\n", error.source, error.line, error.text);
        return -1;
    }
    if (convoy_dataset_open(TEST_DATA_DIR "/sample/data_batch_1.bin", "train", &data, &err) != CONVOY_OK ||
        convoy_context_create(NULL, &ctx, &err) != CONVOY_OK) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uint64_t left = ctx != NULL ? convoy_context_counters(ctx).bytes : 0;
    convoy_context_destroy(ctx);
    convoy_dataset_destroy(data);
    json_decref(golden);
    if (left != 0)
        fprintf(stderr, "%llu bytes left on the device\n", (unsigned long long)left);
    return left != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_is_what_keras_saw),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_sgd_with_momentum),
        cmocka_unit_test(test_adam_on_probabilities),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
