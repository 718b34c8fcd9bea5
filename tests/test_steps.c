/* Three training steps, the last on a part of a batch, against Keras: models with regularizers, constraints, frozen layers and
 * moving statistics. tests/golden/steps.json holds Keras's side (tools/make_golden_steps.py). Then what files and options say. */
#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include "layers/layer.h"
#include "train/trainer.h"
#include "train_help.h"

#define TOLERANCE 2e-5

enum { STEP_ROWS = 21, BATCH = 8, STEP_SIDE = 6, CLASSES = 3 };

static json_t *golden;

/* ---- what the script's formulas give ---- */

static convoy_dataset *step_data(void)
{
    enum { IMAGE = STEP_SIDE * STEP_SIDE * 3 };
    uint8_t images[STEP_ROWS * IMAGE];
    int32_t labels[STEP_ROWS];
    convoy_dataset *data = NULL;
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)((i * 7919 + i / IMAGE * 31) % 251);
    for (int n = 0; n < STEP_ROWS; n++)
        labels[n] = n * 7 % CLASSES;
    CHECK(convoy_dataset_create(images, labels, STEP_ROWS, (convoy_shape){3, {STEP_SIDE, STEP_SIDE, 3}}, CLASSES, NULL,
                                &data, &err));
    return data;
}

static void set_start(float *values, size_t count, size_t seed, bool about_one)
{
    for (size_t i = 0; i < count; i++) {
        long k = (long)((i * 7919 + seed * 104729) % 2003);
        double value = (float)(k - 1001) / 1001.0f * 0.5;
        values[i] = (float)(about_one ? value * 0.5 + 1 : value);
    }
}

static convoy_model *step_model(const json_t *run)
{
    convoy_model *m = NULL;
    size_t i, place = 0;
    const json_t *pair;
    CHECK(convoy_model_create(NULL, &m, &err));
    CHECK(convoy_model_add(m, "InputLayer", "shape=(6, 6, 3)", &err));
    json_array_foreach(json_object_get(run, "layers"), i, pair)
        CHECK(convoy_model_add(m, json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1)),
                               &err));
    for (size_t l = 0; l < convoy_model_layer_count(m); l++) {
        float *values;
        convoy_shape shape;
        size_t count;
        for (size_t k = 0; (count = convoy_model_weights(m, l, k, &values, &shape)) > 0; k++, place++) {
            const json_t *weight = json_array_get(json_object_get(run, "weights"), place);
            const char *name = json_string_value(json_object_get(weight, "name"));
            assert_non_null(name);
            assert_int_equal(json_array_size(json_object_get(weight, "values")), count);
            set_start(values, count, 5000 + place, strstr(name, "gamma") || strstr(name, "variance"));
        }
    }
    assert_int_equal(place, json_array_size(json_object_get(run, "weights")));
    return m;
}

/* ---- comparing ---- */

static void assert_near(const char *run, const char *what, size_t at, double found, const json_t *expected)
{
    double e = json_number_value(expected);
    assert_true(json_is_number(expected));
    if (!(fabs(found - e) <= TOLERANCE * fmax(1, fabs(e))))
        fail_msg("%s: %s [%zu] is %.9g; Keras has %.9g", run, what, at, found, e);
}

static void compare_weights(const char *name, const json_t *run, convoy_model *m)
{
    size_t place = 0;
    for (size_t l = 0; l < convoy_model_layer_count(m); l++) {
        float *values;
        convoy_shape shape;
        size_t count;
        for (size_t k = 0; (count = convoy_model_weights(m, l, k, &values, &shape)) > 0; k++, place++) {
            const json_t *weight = json_array_get(json_object_get(run, "weights"), place);
            for (size_t i = 0; i < count; i++)
                assert_near(name, json_string_value(json_object_get(weight, "name")), i, values[i],
                            json_array_get(json_object_get(weight, "values"), i));
        }
    }
}

static void run_golden(const char *name)
{
    size_t i;
    const json_t *each, *run = NULL;
    json_array_foreach(json_object_get(golden, "runs"), i, each)
        if (strcmp(json_string_value(json_object_get(each, "name")), name) == 0)
            run = each;
    assert_non_null(run);
    const char *optimizer = json_string_value(json_object_get(run, "optimizer"));
    convoy_fit_options options = {.optimizer = optimizer, .batch_size = BATCH,
                                  .learning_rate = strcmp(optimizer, "sgd") == 0 ? 0.1 : 0.01};
    convoy_dataset *data = step_data();
    convoy_model *m = step_model(run);
    convoy_metrics epoch, evaluated;
    trainer *t = NULL;
    CHECK(trainer_create(ctx, m, data, &options, &t, &err));
    CHECK(trainer_begin_epoch(t, 0, false, &err));
    for (size_t step = 0; step * BATCH < STEP_ROWS; step++) {
        double loss;
        int rows = STEP_ROWS - step * BATCH < BATCH ? (int)(STEP_ROWS - step * BATCH) : BATCH;
        CHECK(trainer_step(t, step * BATCH, rows, &loss, &err));
        assert_near(name, "loss", step, loss, json_array_get(json_object_get(run, "losses"), step));
    }
    CHECK(trainer_metrics(t, 1, 3, STEP_ROWS, &epoch, &err));
    assert_near(name, "the epoch's loss", 0, epoch.loss, json_object_get(run, "epoch"));
    CHECK(trainer_download(t, &err));
    compare_weights(name, run, m);
    CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.batch_size = BATCH}, &evaluated, &err));
    assert_near(name, "evaluate's loss", 0, evaluated.loss, json_object_get(run, "evaluated"));
    trainer_destroy(t);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

static void test_plain(void **state) { (void)state; run_golden("plain"); }
static void test_regularizers(void **state) { (void)state; run_golden("regularizers"); }
static void test_constraints(void **state) { (void)state; run_golden("constraints"); }
static void test_adam(void **state) { (void)state; run_golden("adam"); }
static void test_frozen_norms(void **state) { (void)state; run_golden("frozen norms"); }
static void test_other_convolutions(void **state) { (void)state; run_golden("other convolutions"); }

/* ---- beyond the golden runs ---- */

static const char *const ruled[] = {
    "Conv2D", "filters=20, kernel_size=3, kernel_regularizer=l2, kernel_constraint=MaxNorm(max_value=1.0, axis=[0, 1, 2])",
    "BatchNormalization", "gamma_regularizer=L1(l1=0.001), gamma_constraint=non_neg", "ReLU", "", "Flatten", "", "Dropout",
    "rate=0.2", "Dense", "units=64, kernel_regularizer=l1_l2(l1=0.0001, l2=0.001), bias_constraint=non_neg", "Dense",
    "units=3, kernel_constraint=unit_norm", NULL};

/* The penalty of a parameter with more values than one work-item sums. */
static void test_large_penalty(void **state)
{
    (void)state;
    static const char *const bare[] = {"Flatten", "", "Dense", "units=500", "Dense", "units=3", NULL};
    static const char *const with[] = {"Flatten", "", "Dense", "units=500, kernel_regularizer=L1L2(l1=0.5, l2=0.25)", "Dense",
                                       "units=3", NULL};
    convoy_model *a = make_model(bare), *b = make_model(with);
    convoy_dataset *data = small_data();
    convoy_metrics x, y;
    float *w;
    convoy_shape shape;
    double expected = 0;
    size_t count = convoy_model_weights(b, 2, 0, &w, &shape);
    assert_int_equal(count, SIDE * SIDE * 3 * 500);
    for (size_t i = 0; i < count; i++)
        expected += 0.5 * fabs(w[i]) + 0.25 * (double)w[i] * w[i];
    CHECK(convoy_evaluate(ctx, a, data, &(convoy_evaluate_options){.batch_size = 32}, &x, &err));
    CHECK(convoy_evaluate(ctx, b, data, &(convoy_evaluate_options){.batch_size = 32}, &y, &err));
    assert_true(expected > 100);
    assert_true(fabs(y.loss - x.loss - expected) < 2e-6 * expected);
    assert_true(x.accuracy == y.accuracy);
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_dataset_destroy(data);
}

static void test_constraints_hold(void **state)
{
    (void)state;
    convoy_model *m = make_model(ruled);
    float *w;
    convoy_shape shape;
    train(m, &(convoy_fit_options){.epochs = 3, .batch_size = 16, .seed = SEED, .learning_rate = 0.05});
    assert_true(convoy_model_weights(m, 1, 0, &w, &shape) > 0);
    for (size_t c = 0; c < 20; c++) {
        double sum = 0;
        for (size_t i = c; i < 27 * 20; i += 20)
            sum += (double)w[i] * w[i];
        assert_true(sqrt(sum) <= 1 + 1e-5);
    }
    for (size_t i = 0; i < convoy_model_weights(m, 2, 0, &w, &shape); i++)
        assert_true(w[i] >= 0);
    for (size_t i = 0; i < convoy_model_weights(m, 6, 1, &w, &shape); i++)
        assert_true(w[i] >= 0);
    assert_int_equal(convoy_model_weights(m, 7, 0, &w, &shape), 64 * 3);
    for (size_t c = 0; c < 3; c++) {
        double sum = 0;
        for (size_t i = c; i < 64 * 3; i += 3)
            sum += (double)w[i] * w[i];
        assert_true(fabs(sqrt(sum) - 1) <= 1e-5);
    }
    convoy_model_destroy(m);
}

static void test_resumes(void **state)
{
    (void)state;
    assert_resumes(ruled, (convoy_fit_options){.batch_size = 16, .seed = SEED});
}

/* ---- options ---- */

static void test_round_trip(void **state)
{
    (void)state;
    convoy_model *m = make_model(ruled), *copy = NULL;
    char *first = NULL, *second = NULL;
    CHECK(convoy_model_to_json(m, &first, &err));
    CHECK(convoy_model_from_json(first, strlen(first), &copy, &err));
    CHECK(convoy_model_to_json(copy, &second, &err));
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "\"kernel_regularizer\": {\"module\": \"keras.regularizers\", \"class_name\": \"L2\", "
                                  "\"config\": {\"l2\": 0.01}, \"registered_name\": null}"));
    assert_non_null(strstr(first, "\"kernel_constraint\": {\"module\": \"keras.constraints\", \"class_name\": \"MaxNorm\", "
                                  "\"config\": {\"max_value\": 1.0, \"axis\": [0, 1, 2]}, \"registered_name\": null}"));
    assert_null(strstr(first, "bias_regularizer")); /* what is not there is not written */
    free(first);
    free(second);
    convoy_model_destroy(m);
    convoy_model_destroy(copy);
}

static void test_refused_rules(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"units=3, kernel_regularizer=l3", "known: l1, l2, l1l2"},
        {"units=3, kernel_regularizer=max_norm", "unknown regularizer"},
        {"units=3, kernel_regularizer=L2(l2=-1)", "'l2' is -1"},
        {"units=3, kernel_regularizer=L2(l1=1)", "unknown argument 'l1'"},
        {"units=3, kernel_regularizer=0.01", "'kernel_regularizer'"},
        {"units=3, kernel_constraint=l2", "known: max_norm, non_neg, unit_norm, min_max_norm"},
        {"units=3, kernel_constraint=MaxNorm(axis=2)", "axis 2 is not one of its axes"},
        {"units=3, kernel_constraint=UnitNorm(axis=[0, 0])", "given twice"},
        {"units=3, bias_constraint=UnitNorm(axis=1)", "axis 1 is not one"},
        {"units=3, kernel_constraint=MinMaxNorm(min_value=2)", "min_value 2 is larger"},
        {"units=3, activity_regularizer=l2", "'activity_regularizer'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        convoy_error err = {0};
        convoy_model *m = NULL;
        CHECK(convoy_model_create(NULL, &m, &err));
        CHECK(convoy_model_add(m, "InputLayer", "shape=(5,)", &err));
        assert_int_equal(convoy_model_add(m, "Dense", cases[i][0], &err), CONVOY_ERROR_MODEL);
        if (strstr(err.message, cases[i][1]) == NULL)
            fail_msg("\"%s\" is not in: %s", cases[i][1], err.message);
        convoy_model_destroy(m);
    }
}

static int setup(void **state)
{
    json_error_t error;
    golden = json_load_file(TEST_GOLDEN_DIR "/steps.json", 0, &error);
    if (golden == NULL)
        print_error("%s:%d: %s\n", error.source, error.line, error.text);
    return golden == NULL ? -1 : make_context(state);
}

static int teardown(void **state)
{
    json_decref(golden);
    return drop_context(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_regularizers),
        cmocka_unit_test(test_constraints),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_other_convolutions),
        cmocka_unit_test(test_frozen_norms),
        cmocka_unit_test(test_large_penalty),
        cmocka_unit_test(test_constraints_hold),
        cmocka_unit_test(test_resumes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused_rules),
    };
    return cmocka_run_group_tests_name("steps", tests, setup, teardown);
}
