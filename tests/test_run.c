/* RUN folders: every file that a run leaves, whole or interrupted. */
#include "convoy/version.h"
#include "run_help.h"

/* ---- a run ---- */

typedef struct seen {
    const char *folder;  /* looked into after each epoch */
    int epochs, reports; /* calls */
    int stop_after;      /* 0: never */
    double rate[16], seconds;
} seen;

/* The files tell of the epoch already when the caller's own function is called. */
static int on_epoch(void *user, const convoy_epoch *epoch)
{
    seen *s = user;
    json_t *root = parse(s->folder, "run.json");
    char *history = slurp(s->folder, "history.csv");
    s->rate[s->epochs++] = epoch->logged_rate;
    s->seconds += epoch->train.seconds;
    assert_int_equal(epoch->epoch, s->epochs);
    assert_true(json_is_false(at(root, "finished")));
    assert_int_equal(json_array_size(at(root, "timings.epoch_seconds")), s->epochs);
    assert_int_equal(lines_of(history), s->epochs + 1);
    free(history);
    json_decref(root);
    return s->epochs == s->stop_after;
}

static int on_progress(void *user, const convoy_progress *progress)
{
    seen *s = user;
    (void)progress;
    s->reports++;
    return 0;
}

/* ---- whole ---- */

static void check_whole_json(const json_t *root, const seen *s, const convoy_fit_result *result)
{
    static const char *const keys[] = {"convoy", "started", "finished", "command", "model",
                                       "data",   "fit",     "device",   "timings", "test"};
    static const char *const of_data[] = {"name", "validation", "validation_split", "images", "validation_images",
                                          "test_images", "shape", "classes", "class_names"};
    const convoy_device_info *d = convoy_context_device(ctx);
    char *shape = json_dumps(at(root, "data.shape"), JSON_COMPACT);
    expect_keys(root, 10, keys);
    expect_text(root, "convoy", CONVOY_VERSION);
    const char *started = json_string_value(at(root, "started"));
    int year, month, day, hour, minute, second;
    assert_int_equal(strlen(started), 20);
    assert_int_equal(sscanf(started, "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &month, &day, &hour, &minute, &second), 6);
    assert_true(json_is_true(at(root, "finished")));
    assert_int_equal(json_array_size(at(root, "command")), 3);
    assert_string_equal(json_string_value(json_array_get(at(root, "command"), 1)), "it's \xc3\xbc");
    assert_string_equal(json_string_value(json_array_get(at(root, "command"), 2)), "not ? UTF-8");
    expect_text(root, "model", "a model.json");
    expect_keys(at(root, "data"), 9, of_data); /* no scales: they are the usual ones */
    expect_text(root, "data.name", "some data");
    expect_null(root, "data.validation");
    expect_number(root, "data.validation_split", 0.25);
    expect_number(root, "data.images", 18);
    expect_number(root, "data.validation_images", 6);
    expect_number(root, "data.test_images", 77);
    expect_number(root, "data.classes", 3);
    assert_string_equal(shape, "[3,3,1]");
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_array_get(at(root, "data.class_names"), i)), names[i]);
    expect_number(root, "fit.epochs", 3);
    expect_number(root, "fit.batch_size", BATCH);
    expect_number(root, "fit.seed", 11);
    expect_text(root, "fit.optimizer.class_name", "RMSprop");
    expect_number(root, "fit.optimizer.config.learning_rate", 0.25);
    expect_number(root, "fit.optimizer.config.momentum", 0.5);
    assert_int_equal(json_array_size(at(root, "fit.callbacks")), 2);
    expect_text(root, "device.name", d->name);
    expect_text(root, "device.vendor", d->vendor);
    expect_text(root, "device.platform", d->platform_name);
    expect_text(root, "device.driver_version", d->driver);
    expect_number(root, "device.compute_units", d->compute_units);
    expect_number(root, "device.global_memory_bytes", (double)d->global_memory);
    expect_number(root, "timings.first_step_seconds", result->first_step_seconds);
    assert_int_equal(json_array_size(at(root, "timings.epoch_seconds")), 3);
    expect_number(root, "timings.images_per_second", 3 * 18 / s->seconds);
    assert_true(json_number_value(at(root, "timings.device_bytes")) >= (double)result->planned_bytes);
    expect_number(root, "test.loss", 0.75);
    expect_number(root, "test.accuracy", 0.5);
    free(shape);
}

/* The launches are those of a training step, in its order; the times make sense together. */
static void check_launches(const json_t *root, convoy_model *m)
{
    convoy_error err = {0};
    convoy_bench_result r;
    size_t i;
    json_t *row;
    double shares = 0;
    convoy_bench_options how = {.batch_size = BATCH, .steps = 1, .repeats = 1};
    must(convoy_bench_training(ctx, m, &how, &r, &err), &err);
    expect_number(root, "batch", BATCH);
    assert_int_equal(json_array_size(at(root, "launches")), r.launch_count);
    json_array_foreach(at(root, "launches"), i, row)
    {
        static const char *const keys[] = {"label", "kernel", "variant", "seconds", "share", "gflops", "gbps"};
        expect_keys(row, 7, keys);
        expect_text(row, "label", r.launches[i].label);
        expect_text(row, "kernel", r.launches[i].kernel);
        expect_text(row, "variant", r.launches[i].variant);
        double seconds = json_number_value(at(row, "seconds"));
        assert_true(seconds > 0 && seconds < 1);
        assert_true(json_number_value(at(row, "gflops")) >= 0 && json_number_value(at(row, "gbps")) >= 0);
        shares += json_number_value(at(row, "share"));
    }
    assert_true(fabs(shares - 1) < 1e-6);
    convoy_bench_clear(&r);
}

static void check_model(const char *run, convoy_model *m)
{
    convoy_error err = {0};
    char path[512];
    convoy_model *loaded = NULL;
    float *x, *y;
    convoy_shape shape;
    snprintf(path, sizeof path, "%s/model.keras", run);
    must(convoy_model_load(path, &loaded, &err), &err);
    size_t count = convoy_model_weights(m, 2, 0, &x, &shape);
    assert_int_equal(convoy_model_weights(loaded, 2, 0, &y, &shape), count);
    assert_memory_equal(x, y, count * sizeof *x);
    if (convoy_model_class_name(m, 0) != NULL)
        assert_string_equal(convoy_model_class_name(loaded, 0), names[0]);
    convoy_model_destroy(loaded);
}

/* With a callback that logs the rate, Keras's CSVLogger writes the same bytes. */
static void test_whole(void **state)
{
    (void)state;
    convoy_error err = {0};
    char csv[256];
    const char *name = path_of("odd name's \"\xc3\xbc\" \xe6\x97\xa5");
    seen s = {.folder = name};
    convoy_model *m = fresh();
    snprintf(csv, sizeof csv, "CSVLogger(filename='%s')", path_of("log.csv"));
    convoy_fit_options fit = {.epochs = 3, .batch_size = BATCH, .seed = 11, .optimizer = "rmsprop(learning_rate=0.25)",
                              .momentum = 0.5, .validation_split = 0.25, .on_epoch = on_epoch, .on_progress = on_progress,
                              .user = &s,
                              .callbacks = (const char *const[]){"ReduceLROnPlateau(monitor=loss, min_delta=9, patience=1)",
                                                                 csv, NULL}};
    convoy_run_options options = {.folder = name, .model = "a model.json", .data = "some data", .test_images = 77,
                                  .command = (const char *const[]){"convoy", "it's \xc3\xbc", "not \xff UTF-8", NULL}};
    convoy_fit_result result;
    must(convoy_model_set_class_names(m, names, 3, &err), &err);
    convoy_run *run = begin(&options, m, &fit);
    must(convoy_fit(ctx, m, data, &fit, &result, &err), &err);
    must(convoy_run_save(run, &result, &err), &err);
    must(convoy_run_finish(run, &(convoy_metrics){.loss = 0.75, .accuracy = 0.5}, &err), &err);
    must(convoy_run_profile(run, NULL, &err), &err);
    convoy_run_destroy(run);
    assert_int_equal(s.epochs, 3);
    assert_true(s.reports <= 3 * 3);

    char *history = slurp(name, "history.csv"), *log = slurp(folder, "log.csv");
    static const char header[] = "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\r\n";
    assert_memory_equal(history, header, sizeof header - 1);
    assert_string_equal(history, log);
    assert_true(s.rate[0] == 0.25 && s.rate[2] < 0.25); /* the rate did change */
    free(history);
    free(log);
    json_t *root = parse(name, "run.json");
    check_whole_json(root, &s, &result);
    json_decref(root);
    root = parse(name, "launches.json");
    check_launches(root, m);
    json_decref(root);
    check_model(name, m);
    convoy_model_destroy(m);
}

/* Little is given: what is not known is null, and columns that nobody filled are not there. */
static void test_least(void **state)
{
    (void)state;
    convoy_error err = {0};
    const char *name = path_of("made/with its/parents/");
    convoy_model *m = fresh();
    convoy_fit_options fit = {.seed = UINT64_MAX, .validation_scale = 7,
                              .learning_rate_schedule = "OneCycle(max_learning_rate=0.5, total_steps=9)"};
    convoy_run *run = begin(&(convoy_run_options){.folder = name, .test_scale = 225}, m, &fit);
    assert_null(fit.on_progress); /* convoy_fit looks at the loss less often without one */
    must(convoy_fit(ctx, m, data, &fit, NULL, &err), &err);
    must(convoy_run_save(run, NULL, &err), &err);
    must(convoy_run_finish(run, NULL, &err), &err);
    convoy_run_destroy(run);
    json_t *root = parse(name, "run.json");
    assert_true(json_is_true(at(root, "finished")));
    assert_int_equal(json_array_size(at(root, "command")), 0);
    expect_null(root, "model");
    expect_null(root, "data.name");
    expect_null(root, "test");
    expect_number(root, "data.test_scale", 225);
    assert_null(json_object_get(at(root, "data"), "train_scale")); /* it is the usual one */
    expect_number(root, "data.images", ROWS);
    expect_number(root, "data.validation_images", 0);
    expect_number(root, "fit.epochs", 1);
    expect_number(root, "fit.batch_size", ROWS); /* 32 is more than there are */
    expect_text(root, "fit.seed", "18446744073709551615");
    expect_text(root, "fit.optimizer.config.learning_rate.class_name", "OneCycle");
    assert_true(json_number_value(at(root, "timings.first_step_seconds")) > 0);
    json_decref(root);
    char *history = slurp(name, "history.csv");
    static const char header[] = "epoch,accuracy,learning_rate,loss\r\n0,";
    assert_memory_equal(history, header, sizeof header - 1);
    assert_int_equal(lines_of(history), 2);
    free(history);
    assert_int_not_equal(access(path_of("made/with its/parents/launches.json"), F_OK), 0);
    convoy_model_destroy(m);
}

/* ---- interrupted ---- */

static void test_interrupted(void **state)
{
    (void)state;
    convoy_error err = {0};
    const char *name = path_of("interrupted");
    seen s = {.folder = name, .stop_after = 2};
    convoy_model *m = fresh();
    convoy_fit_options fit = {.epochs = 5, .batch_size = BATCH, .validation = data, .on_epoch = on_epoch, .user = &s};
    convoy_fit_result result;
    convoy_run *run = begin(&(convoy_run_options){.folder = name, .validation = "test"}, m, &fit);
    refused(convoy_fit(ctx, m, data, &fit, &result, &err), CONVOY_ERROR_INTERRUPTED, &err, "interrupted after epoch 2");
    must(convoy_run_save(run, &result, &err), &err);
    convoy_run_destroy(run);
    json_t *root = parse(name, "run.json");
    assert_true(json_is_false(at(root, "finished")));
    expect_null(root, "test");
    expect_text(root, "data.validation", "test");
    expect_number(root, "data.validation_images", ROWS);
    expect_number(root, "fit.epochs", 5);
    assert_int_equal(json_array_size(at(root, "timings.epoch_seconds")), 2);
    json_decref(root);
    char *history = slurp(name, "history.csv");
    assert_int_equal(lines_of(history), 3);
    free(history);
    check_model(name, m);
    convoy_model_destroy(m);
}

static int stop_at_once(void *user, const convoy_progress *progress)
{
    (void)user;
    (void)progress;
    return 1;
}

/* In the first epoch already: a history without rows, and what is known of the first step. */
static void test_interrupted_at_once(void **state)
{
    (void)state;
    convoy_error err = {0};
    const char *name = path_of("at once");
    convoy_model *m = fresh();
    convoy_fit_options fit = {.epochs = 100000, .batch_size = 1, .on_progress = stop_at_once};
    convoy_fit_result result;
    convoy_run *run = begin(&(convoy_run_options){.folder = name}, m, &fit);
    refused(convoy_fit(ctx, m, data, &fit, &result, &err), CONVOY_ERROR_INTERRUPTED, &err, "interrupted in epoch ");
    must(convoy_run_save(run, &result, &err), &err);
    convoy_run_destroy(run);
    json_t *root = parse(name, "run.json");
    assert_true(json_is_false(at(root, "finished")));
    expect_number(root, "timings.first_step_seconds", result.first_step_seconds);
    char *history = slurp(name, "history.csv");
    assert_int_equal(lines_of(history), 1 + (int)json_array_size(at(root, "timings.epoch_seconds")));
    free(history);
    json_decref(root);
    check_model(name, m);
    convoy_model_destroy(m);
}

/* A loss that is not finite is null nowhere but in JSON, which has no such number. */
static void test_not_finite(void **state)
{
    (void)state;
    convoy_error err = {0};
    const char *name = path_of("nan");
    convoy_model *m = fresh();
    convoy_fit_options fit = {.epochs = 50, .batch_size = BATCH, .optimizer = "sgd(learning_rate=3e38)",
                              .callbacks = (const char *const[]){"TerminateOnNaN()", NULL}};
    convoy_run *run = begin(&(convoy_run_options){.folder = name}, m, &fit);
    must(convoy_fit(ctx, m, data, &fit, NULL, &err), &err);
    must(convoy_run_save(run, NULL, &err), &err);
    must(convoy_run_finish(run, &(convoy_metrics){.loss = NAN, .accuracy = 0.25}, &err), &err);
    convoy_run_destroy(run);
    char *history = slurp(name, "history.csv");
    assert_non_null(strstr(history, ",nan\r\n"));
    free(history);
    json_t *root = parse(name, "run.json");
    expect_null(root, "test.loss");
    expect_number(root, "test.accuracy", 0.25);
    json_decref(root);
    convoy_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_interrupted_at_once),
        cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests_name("run", tests, start, end);
}
