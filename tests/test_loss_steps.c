/* Five training steps with each loss, with class weights and sample weights, against Keras: the loss of each step, what fit and
 * evaluate say of loss and metrics, by name and in order, and all weights. tests/golden/losses.json holds Keras's side
 * (tools/make_golden_losses.py). Then what weights are to do besides: the same bits however they come. */
#include "loss_help.h"

#include "train/trainer.h"

enum { STEP_ROWS = 37, BATCH = 8, PIXELS = 9 };

static float weights_of_images[STEP_ROWS];

/* ---- what the script's formulas give ---- */

static convoy_dataset *step_data(const char *loss, int outputs)
{
    uint8_t images[STEP_ROWS * PIXELS];
    int32_t labels[STEP_ROWS];
    convoy_dataset *data = NULL;
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)((i * 7919 + i / PIXELS * 31) % 251);
    fill_labels(labels, STEP_ROWS, classes_of(loss, outputs));
    CHECK(convoy_dataset_create(images, labels, STEP_ROWS, (convoy_shape){3, {3, 3, 1}}, classes_of(loss, outputs), NULL,
                                &data, &err));
    return data;
}

static convoy_model *step_model(int outputs, const char *activation)
{
    char last[64];
    convoy_model *m = NULL;
    size_t place = 0;
    snprintf(last, sizeof last, "units=%d, activation=%s", outputs, activation);
    CHECK(convoy_model_create(NULL, &m, &err));
    CHECK(convoy_model_add(m, "InputLayer", "shape=(3, 3, 1)", &err));
    CHECK(convoy_model_add(m, "Flatten", NULL, &err));
    CHECK(convoy_model_add(m, "Dense", "units=4, activation=tanh", &err));
    CHECK(convoy_model_add(m, "Dense", last, &err));
    for (size_t l = 0; l < convoy_model_layer_count(m); l++) {
        float *values;
        convoy_shape shape;
        size_t count;
        for (size_t k = 0; (count = convoy_model_weights(m, l, k, &values, &shape)) > 0; k++, place++)
            for (size_t i = 0; i < count; i++)
                values[i] = (float)((double)pattern(i, 7000 + place) * 0.5);
    }
    return m;
}

typedef struct step_run {
    const char *loss, *weights, *metrics[CONVOY_MOST_METRICS + 1];
    int outputs;
    convoy_fit_options fit;
    convoy_dataset *data;
    convoy_model *model;
    convoy_epoch epoch; /* filled by convoy_fit */
} step_run;

static int keep_epoch(void *user, const convoy_epoch *epoch)
{
    ((step_run *)user)->epoch = *epoch;
    return 0;
}

static void begin_run(step_run *run, const json_t *row)
{
    size_t i;
    const json_t *metric;
    *run = (step_run){.loss = golden_text(row, "loss"), .weights = json_string_value(json_object_get(row, "weights")),
                      .outputs = (int)json_integer_value(json_object_get(row, "outputs"))};
    json_array_foreach(json_object_get(row, "metrics"), i, metric)
        run->metrics[i] = json_string_value(metric);
    run->fit = (convoy_fit_options){
        .batch_size = BATCH, .optimizer = "sgd(learning_rate=0.2)", .loss = run->loss, .metrics = run->metrics,
        .no_shuffle = true, .validation_split = json_number_value(json_object_get(row, "split")),
        .on_epoch = keep_epoch, .user = run};
    if (run->weights != NULL && strcmp(run->weights, "classes") == 0)
        run->fit.class_weight = classes_of(run->loss, run->outputs) > 2 ? "{0: 0.5, 2: 2.25}" : "{0: 0.5}";
    else if (run->weights != NULL)
        run->fit.sample_weight = weights_of_images;
    run->data = step_data(run->loss, run->outputs);
    run->model = step_model(run->outputs, golden_text(row, "activation"));
}

static void end_run(step_run *run)
{
    convoy_model_destroy(run->model);
    convoy_dataset_destroy(run->data);
}

/* ---- comparing ---- */

static void near(const step_run *run, const char *what, size_t at, double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%s (%s): %s %zu is %.9g; Keras has %.9g", run->loss, run->weights ? run->weights : "no weights", what, at,
                 found, expected);
}

static void compare_losses(step_run *run, const json_t *losses)
{
    trainer *t = NULL;
    CHECK(trainer_create(ctx, run->model, run->data, &run->fit, &t, &err));
    CHECK(trainer_begin_epoch(t, 0, false, &err));
    for (size_t step = 0; step < json_array_size(losses); step++) {
        double loss;
        size_t left = STEP_ROWS - step * BATCH;
        CHECK(trainer_step(t, step * BATCH, left < BATCH ? (int)left : BATCH, &loss, &err));
        near(run, "the loss of step", step, loss, json_number_value(json_array_get(losses, step)), 1e-5);
    }
    trainer_destroy(t);
}

static void compare_weights(step_run *run, const json_t *values)
{
    size_t place = 0;
    for (size_t l = 0; l < convoy_model_layer_count(run->model); l++) {
        float *weights;
        convoy_shape shape;
        size_t count;
        for (size_t k = 0; (count = convoy_model_weights(run->model, l, k, &weights, &shape)) > 0; k++, place++) {
            const json_t *list = json_array_get(values, place);
            assert_int_equal(json_array_size(list), count);
            for (size_t i = 0; i < count; i++)
                near(run, "weight", i, weights[i], json_number_value(json_array_get(list, i)), 2e-5);
        }
    }
    assert_int_equal(place, json_array_size(values));
}

/* Names in Keras's order, those of validation behind the others. */
static void compare_history(step_run *run, const json_t *history)
{
    const convoy_epoch *e = &run->epoch;
    int count = e->train.count + (e->has_validation ? e->validation.count : 0);
    assert_int_equal(json_array_size(history), count);
    for (int i = 0; i < count; i++) {
        bool validation = i >= e->train.count;
        const convoy_metric *m = validation ? &e->validation.metric[i - e->train.count] : &e->train.metric[i];
        char name[80];
        snprintf(name, sizeof name, "%s%s", validation ? "val_" : "", m->name);
        assert_string_equal(name, json_string_value(json_array_get(json_array_get(history, (size_t)i), 0)));
        near(run, name, 0, m->value, json_number_value(json_array_get(json_array_get(history, (size_t)i), 1)), 1e-5);
    }
}

static void compare_evaluation(step_run *run, const json_t *said)
{
    const char *name;
    json_t *value;
    convoy_metrics m;
    convoy_evaluate_options how = {.batch_size = BATCH, .sample_weight = run->fit.sample_weight};
    CHECK(convoy_evaluate(ctx, run->model, run->data, &how, &m, &err)); /* loss and metrics as it was trained */
    assert_int_equal(m.count, json_object_size(said));
    json_object_foreach((json_t *)said, name, value)
        near(run, name, 0, value_named(&m, name), json_number_value(value), 1e-5);
}

static void test_steps_are_those_of_keras(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    assert_true(json_array_size(json_object_get(root, "runs")) >= 12);
    json_array_foreach(json_object_get(root, "runs"), i, row) {
        step_run run;
        begin_run(&run, row);
        compare_losses(&run, json_object_get(row, "losses"));
        CHECK(convoy_fit(ctx, run.model, run.data, &run.fit, NULL, &err));
        compare_weights(&run, json_object_get(row, "values"));
        compare_history(&run, json_object_get(row, "history"));
        compare_evaluation(&run, json_object_get(row, "evaluated"));
        end_run(&run);
    }
}

/* ---- weights, however they come ---- */

static const char *const layers[] = {"Conv2D", "filters=4, kernel_size=3, activation=relu", "Flatten", "", "Dense", "units=3",
                                     NULL};

static convoy_model *trained(convoy_fit_options options)
{
    convoy_model *m = make_model(layers);
    options.batch_size = 16;
    options.epochs = 2;
    options.seed = SEED;
    train(m, &options);
    return m;
}

/* Resident or streamed, in shuffled epochs; as classes or as images: the same bits. */
static void test_weights_follow_their_images(void **state)
{
    (void)state;
    float weights[ROWS], by_class[ROWS];
    convoy_dataset *data = small_data();
    fill_weights(weights, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        by_class[i] = convoy_dataset_labels(data)[i] == 1 ? 3.5f : 1.0f;
    convoy_model *a = trained((convoy_fit_options){.sample_weight = weights});
    convoy_model *b = trained((convoy_fit_options){.sample_weight = weights, .stream = true});
    convoy_model *c = trained((convoy_fit_options){.class_weight = "1:3.5"});
    convoy_model *d = trained((convoy_fit_options){.sample_weight = by_class});
    convoy_model *e = trained((convoy_fit_options){0});
    assert_same_weights(a, b);
    assert_same_weights(c, d);
    assert_non_null(first_difference(a, c));
    assert_non_null(first_difference(c, e));
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_model_destroy(c);
    convoy_model_destroy(d);
    convoy_model_destroy(e);
    convoy_dataset_destroy(data);
}

/* An image that weighs 0 might as well not be there, but for the division by the number of images. */
static void test_no_weight_no_gradient(void **state)
{
    (void)state;
    float weights[ROWS] = {0};
    convoy_model *a = make_model(layers), *b = make_model(layers);
    convoy_metrics m;
    convoy_dataset *data = small_data();
    train(a, &(convoy_fit_options){.sample_weight = weights, .optimizer = "sgd"});
    assert_same_weights(a, b);
    CHECK(convoy_evaluate(ctx, a, data, &(convoy_evaluate_options){.sample_weight = weights}, &m, &err));
    assert_true(m.loss == 0.0);
    assert_true(m.accuracy > 0.0); /* metrics do not know of weights */
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_dataset_destroy(data);
}

static int setup(void **state)
{
    fill_weights(weights_of_images, STEP_ROWS);
    return open_golden(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_those_of_keras),
        cmocka_unit_test(test_weights_follow_their_images),
        cmocka_unit_test(test_no_weight_no_gradient),
    };
    return cmocka_run_group_tests_name("loss_steps", tests, setup, close_golden);
}
