/* Callbacks: against what Keras's did on the same epochs, and in real runs. */
#define _GNU_SOURCE /* memmem */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <dirent.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/python_number.h"
#include "convoy/convoy.h"
#include "golden_json.h"
#include "train/callback.h"
#include "train/event_file.h"
#include "train/metric.h"

enum { BATCH = 8, ROWS = 24 };

static convoy_context *ctx;
static convoy_dataset *data;
static char folder[64], messages[4096];

static void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s: %s", convoy_status_name(status), err->message);
}

static convoy_model *fresh(void)
{
    convoy_error err = {0};
    convoy_model *m = NULL;
    must(convoy_model_create(NULL, &m, &err), &err);
    must(convoy_model_add(m, "InputLayer", "shape=(3, 3, 1)", &err), &err);
    must(convoy_model_add(m, "Flatten", NULL, &err), &err);
    must(convoy_model_add(m, "Dense", "units=3", &err), &err);
    must(convoy_model_initialize(m, 5, &err), &err);
    return m;
}

static convoy_dataset *make_data(void)
{
    convoy_error err = {0};
    uint8_t pixels[ROWS * 9];
    int32_t labels[ROWS];
    convoy_dataset *out = NULL;
    for (int n = 0; n < ROWS; n++) {
        labels[n] = n * 7 % 3;
        for (int i = 0; i < 9; i++)
            pixels[n * 9 + i] = (uint8_t)((n * 31 + i * 17) % 97 + (i % 3 == labels[n] ? 90 : 0));
    }
    must(convoy_dataset_create(pixels, labels, ROWS, (convoy_shape){3, {3, 3, 1}}, 3, NULL, &out, &err), &err);
    return out;
}

static const char *path_of(const char *name)
{
    static char path[2][256];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* ---- epochs that are given ---- */

typedef struct stage {
    convoy_model *model;
    trainer *trainer;
    callbacks *callbacks;
    callback_run run;
} stage;

static stage stage_of(const char *const *texts)
{
    convoy_error err = {0};
    stage s = {.model = fresh()};
    convoy_fit_options options = {.batch_size = BATCH};
    must(trainer_create(ctx, s.model, data, &options, &s.trainer, &err), &err);
    must(callbacks_create(texts, &s.callbacks, &err), &err);
    s.run = (callback_run){.ctx = ctx, .trainer = s.trainer, .model = s.model};
    must(callbacks_begin(s.callbacks, &s.run, &err), &err);
    return s;
}

static void stage_end(stage *s)
{
    callbacks_destroy(s->callbacks);
    trainer_destroy(s->trainer);
    convoy_model_destroy(s->model);
}

/* Epoch `epoch`, from 0, of the golden file: its metrics, and weights that are all the epoch's number. */
static void play_epoch(stage *s, const json_t *root, int epoch, bool validation)
{
    convoy_error err = {0};
    double value[4];
    float weights[30];
    const json_t *row = json_array_get(json_object_get(root, "epochs"), (size_t)epoch);
    for (size_t i = 0; i < 4; i++)
        value[i] = json_is_null(json_array_get(row, i)) ? INFINITY : json_number_value(json_array_get(row, i));
    for (int i = 0; i < 30; i++)
        weights[i] = (float)epoch;
    plan *p = trainer_plan(s->trainer);
    must(plan_write_packed(p, plan_parameters(p), weights, &err), &err);
    convoy_epoch now = {.epoch = epoch + 1, .has_validation = validation};
    for (int i = 0; i < 2; i++) {
        metric_put(i ? &now.validation : &now.train, "loss", value[2 * i]);
        metric_put(i ? &now.validation : &now.train, "accuracy", value[2 * i + 1]);
    }
    must(callbacks_epoch_end(s->callbacks, &s->run, &now, &err), &err);
}

static int epoch_count(const json_t *root) { return (int)json_array_size(json_object_get(root, "epochs")); }

static void test_early_stopping_is_that_of_keras(void **state)
{
    (void)state;
    convoy_error err = {0};
    json_t *root = golden("optimizers/callbacks.json"), *row;
    size_t i;
    json_array_foreach(json_object_get(root, "stops"), i, row) {
        const char *texts[] = {golden_text(row, "callback"), NULL};
        stage s = stage_of(texts);
        int stopped = -1, best = (int)json_integer_value(json_object_get(row, "best_epoch"));
        for (int epoch = 0; epoch < epoch_count(root) && stopped < 0; epoch++) {
            play_epoch(&s, root, epoch, true);
            stopped = s.run.stop ? epoch : -1;
        }
        if (stopped != json_integer_value(json_object_get(row, "stopped")))
            fail_msg("%s: stopped after epoch %d", texts[0], stopped);
        must(trainer_download(s.trainer, &err), &err);
        must(callbacks_end(s.callbacks, &s.run, &err), &err);
        int expected = strstr(texts[0], "restore_best_weights") ? best : stopped;
        assert_int_equal((int)s.model->nodes[2].weights[0][3], expected);
        assert_int_equal((int)s.model->nodes[2].weights[1][2], expected);
        stage_end(&s);
    }
    assert_int_equal(i, 9);
    json_decref(root);
}

static void test_rates_are_reduced_as_in_keras(void **state)
{
    (void)state;
    json_t *root = golden("optimizers/callbacks.json"), *row;
    size_t i;
    json_array_foreach(json_object_get(root, "reductions"), i, row) {
        const char *texts[] = {golden_text(row, "callback"), NULL};
        stage s = stage_of(texts);
        for (int epoch = 0; epoch < epoch_count(root); epoch++) {
            play_epoch(&s, root, epoch, true);
            float expected = (float)json_number_value(json_array_get(json_object_get(row, "rates"), (size_t)epoch));
            if ((float)trainer_rate(s.trainer) != expected)
                fail_msg("%s, epoch %d: %.9g, Keras has %.9g", texts[0], epoch, trainer_rate(s.trainer), expected);
        }
        stage_end(&s);
    }
    assert_int_equal(i, 4);
    json_decref(root);
}

static size_t files_in(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e != NULL; e = readdir(dir))
        count += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static void remove_tree(const char *path)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

/* "X(filename='y'...)" with the path of y in the test's folder; the caller frees it. */
static char *placed(const char *text, const char *key)
{
    char *out = malloc(strlen(text) + 300);
    const char *at = strstr(text, key) + strlen(key);
    assert_non_null(out);
    sprintf(out, "%.*s%s/files/%s", (int)(at - text), text, folder, at);
    return out;
}

static void test_checkpoints_are_those_of_keras(void **state)
{
    (void)state;
    convoy_error err = {0};
    json_t *root = golden("optimizers/callbacks.json"), *row, *name;
    size_t i, k;
    json_array_foreach(json_object_get(root, "checkpoints"), i, row) {
        char *text = placed(golden_text(row, "callback"), "filepath='"), file[600];
        const char *texts[] = {text, NULL};
        stage s = stage_of(texts);
        for (int epoch = 0; epoch < epoch_count(root); epoch++)
            play_epoch(&s, root, epoch, true);
        const json_t *saved = json_object_get(row, "saved");
        assert_int_equal(files_in(path_of("files")), json_array_size(saved));
        json_array_foreach(saved, k, name) {
            convoy_model *model = NULL;
            snprintf(file, sizeof file, "%s/files/%s", folder, json_string_value(name));
            must(convoy_model_load(file, &model, &err), &err);
            int epoch = atoi(json_string_value(name) + 1) - 1;
            assert_int_equal((int)model->nodes[2].weights[0][0], epoch);
            assert_string_equal(model->optimizer, "adam");
            convoy_model_destroy(model);
        }
        stage_end(&s);
        free(text);
        remove_tree(path_of("files"));
    }
    assert_int_equal(i, 4);
    json_decref(root);
}

static void expect_same_file(const char *found_path, const char *expected_path, size_t times)
{
    convoy_error err = {0};
    char *found = NULL, *expected = NULL;
    size_t found_size = 0, expected_size = 0;
    must(file_read(found_path, 1 << 20, &found, &found_size, &err), &err);
    must(file_read(expected_path, 1 << 20, &expected, &expected_size, &err), &err);
    char *rest = strstr(expected, "\r\n") + 2; /* an appended log has one header */
    assert_int_equal(found_size, expected_size + (times - 1) * strlen(rest));
    assert_memory_equal(found, expected, expected_size);
    if (times == 2)
        assert_string_equal(found + expected_size, rest);
    free(found);
    free(expected);
}

static void test_logs_are_those_of_keras_byte_for_byte(void **state)
{
    (void)state;
    convoy_error err = {0};
    json_t *root = golden("optimizers/callbacks.json"), *row;
    size_t i;
    must(file_make_folder(path_of("files"), &err), &err);
    json_array_foreach(json_object_get(root, "logs"), i, row) {
        char golden_path[512], found_path[512];
        const json_t *list = json_object_get(row, "callbacks");
        size_t count = json_array_size(list);
        const char *last = json_string_value(json_array_get(list, count - 1));
        char *text = placed(last, "filename='");
        const char *texts[] = {count == 2 ? json_string_value(json_array_get(list, 0)) : text, count == 2 ? text : NULL, NULL};
        size_t times = strstr(text, "append=True") ? 2 : 1;
        for (size_t t = 0; t < times; t++) {
            stage s = stage_of(texts);
            for (int epoch = 0; epoch < epoch_count(root); epoch++)
                play_epoch(&s, root, epoch, json_integer_value(json_object_get(row, "keys")) == 4);
            stage_end(&s);
        }
        snprintf(golden_path, sizeof golden_path, "%s/optimizers/%s", TEST_GOLDEN_DIR, golden_text(row, "file"));
        snprintf(found_path, sizeof found_path, "%s/files/%s", folder, golden_text(row, "file"));
        expect_same_file(found_path, golden_path, times);
        free(text);
    }
    assert_int_equal(i, 3);
    remove_tree(path_of("files"));
    json_decref(root);
}

/* ---- Python's numbers ---- */

static void test_numbers_as_python_writes_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0.0"}, {-0.0, "-0.0"}, {1, "1.0"}, {100, "100.0"}, {0.1, "0.1"}, {0.0001, "0.0001"}, {1e-5, "1e-05"},
                {123456789012345680.0, "1.2345678901234568e+17"}, {1e16, "1e+16"}, {1e15, "1000000000000000.0"},
                {1.5e-7, "1.5e-07"}, {0.30000001192092896, "0.30000001192092896"}, {-2.5, "-2.5"}, {1e300, "1e+300"},
                {9007199254740993.0, "9007199254740992.0"}, {1234.5678, "1234.5678"}, {NAN, "nan"}, {-INFINITY, "-inf"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[PYTHON_NUMBER_SIZE];
        assert_string_equal(python_repr(rows[i].value, out), rows[i].text);
    }
}

static void test_formats(void **state)
{
    (void)state;
    static const python_value values[] = {{"epoch", 7, true}, {"loss", 0.25678, false}};
    static const char *const good[][2] = {
        {"plain", "plain"}, {"{epoch}", "7"}, {"{epoch:02d}-{loss:.2f}", "07-0.26"}, {"{{{epoch:3}}}", "{  7}"},
        {"{loss}", "0.25678"}, {"{loss:.3e}", "2.568e-01"}, {"{loss:08.3f}", "0000.257"}, {"{loss:.1%}", "25.7%"},
        {"{epoch:.1f}", "7.0"}};
    static const char *const bad[] = {"{", "}", "{}", "{acc}", "{epoch:02x}", "{loss:d}", "{loss:.}", "{loss:.2", "{loss:.99f}",
                                      "{loss:%n}", "{epoch:.2d}", "{loss:999f}"};
    convoy_error err = {0};
    char *out = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        must(python_format(good[i][0], values, 2, &out, &err), &err);
        assert_string_equal(out, good[i][1]);
        free(out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (python_format(bad[i], values, 2, &out, &err) != CONVOY_ERROR_ARGUMENT)
            fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(err.message, "names known here: epoch, loss"));
    }
}

/* ---- real runs ---- */

typedef struct seen {
    int epochs, last;
    convoy_epoch epoch;
} seen;

static int on_epoch(void *user, const convoy_epoch *epoch)
{
    seen *s = user;
    s->epochs++;
    s->last += epoch->last;
    s->epoch = *epoch;
    return 0;
}

static convoy_status fit(convoy_model *m, const char *const *texts, int epochs, double rate, seen *s, convoy_error *err)
{
    convoy_fit_options options = {.epochs = epochs, .batch_size = BATCH, .optimizer = "sgd", .learning_rate = rate,
                                  .callbacks = texts, .validation = data, .on_epoch = on_epoch, .user = s};
    messages[0] = '\0';
    return convoy_fit(ctx, m, data, &options, NULL, err);
}

static void test_a_run_stops_early(void **state)
{
    (void)state;
    convoy_error err = {0};
    seen s = {0};
    const char *const texts[] = {"EarlyStopping(monitor=val_loss, min_delta=100, patience=3, verbose=1)", NULL};
    convoy_model *m = fresh();
    must(fit(m, texts, 50, 0.01, &s, &err), &err);
    assert_int_equal(s.epochs, 4);
    assert_int_equal(s.last, 1);
    assert_true(s.epoch.last);
    assert_non_null(strstr(messages, "epoch 4: early stopping"));
    assert_int_equal(m->optimizer_steps, 4 * 3);
    convoy_model_destroy(m);
}

static void test_the_best_weights_come_back(void **state)
{
    (void)state;
    convoy_error err = {0};
    seen s = {0};
    convoy_metrics again;
    const char *const texts[] = {"ReduceLROnPlateau(patience=1, monitor=val_accuracy)", /* only to have two */
                                 "EarlyStopping(monitor=loss, mode=max, patience=3, restore_best_weights=True)", NULL};
    convoy_model *m = fresh(), *once = fresh();
    must(fit(m, texts, 10, 0.05, &s, &err), &err);
    assert_int_equal(s.epochs, 4);
    s = (seen){0};
    must(fit(once, NULL, 1, 0.05, &s, &err), &err); /* the loss falls: the first epoch is the "best" */
    must(convoy_evaluate(ctx, m, data, NULL, &again, &err), &err);
    assert_true(fabs(again.loss - s.epoch.validation.loss) < 1e-6);
    assert_memory_equal(m->nodes[2].weights[0], once->nodes[2].weights[0], 27 * sizeof(float));
    convoy_model_destroy(m);
    convoy_model_destroy(once);
}

static void test_nan_may_end_a_run_without_an_error(void **state)
{
    (void)state;
    convoy_error err = {0};
    seen s = {0};
    const char *texts[] = {"TerminateOnNaN", NULL};
    convoy_model *m = fresh();
    must(fit(m, texts, 50, 3e38, &s, &err), &err);
    assert_int_equal(s.epochs, 1);
    assert_true(s.epoch.last && isnan(s.epoch.train.loss));
    assert_non_null(strstr(messages, "the loss is not finite in epoch 1, step 2"));
    texts[0] = "TerminateOnNaN(raise_error=True)";
    convoy_model_destroy(m);
    m = fresh();
    assert_int_equal(fit(m, texts, 50, 3e38, &s, &err), CONVOY_ERROR_NOT_FINITE);
    convoy_model_destroy(m);
}

static void test_bad_callbacks(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"EarlyStop", "did you mean 'EarlyStopping'"},
        {"EarlyStopping(patience=-1)", "option 'patience' is -1"},
        {"EarlyStopping(monitor=f1)", "Say mode=max or mode=min"},
        {"EarlyStopping(wait=3)", "unknown option 'wait'"},
        {"ModelCheckpoint", "option 'filepath' is missing"},
        {"ModelCheckpoint(filepath='x.h5')", "must end in .keras"},
        {"ModelCheckpoint(filepath='/nowhere/{f1}.keras')", "names known here: epoch, accuracy, loss"},
        {"ReduceLROnPlateau(factor=1.0)", "a number below 1"},
        {"CSVLogger(filename='x.csv', separator='::')", "one character"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        convoy_error err = {0};
        seen s = {0};
        const char *const texts[] = {rows[i][0], NULL};
        convoy_model *m = fresh();
        assert_int_equal(fit(m, texts, 1, 0.1, &s, &err), CONVOY_ERROR_ARGUMENT);
        if (strstr(err.message, rows[i][1]) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", rows[i][0], err.message, rows[i][1]);
        convoy_model_destroy(m);
    }
    convoy_error err = {0};
    seen s = {0};
    const char *const unwritable[] = {"CSVLogger(filename='/nowhere/x.csv')", NULL};
    convoy_model *m = fresh();
    assert_int_equal(fit(m, unwritable, 1, 0.1, &s, &err), CONVOY_ERROR_FILE);
    convoy_model_destroy(m);
}

/* Without validation the watched value is missing: one warning, and training goes on, as in Keras. */
static void test_a_missing_value_is_told_once(void **state)
{
    (void)state;
    convoy_error err = {0};
    seen s = {0};
    const char *const texts[] = {"EarlyStopping", NULL};
    convoy_model *m = fresh();
    convoy_fit_options options = {.epochs = 5, .callbacks = texts, .on_epoch = on_epoch, .user = &s};
    messages[0] = '\0';
    must(convoy_fit(ctx, m, data, &options, NULL, &err), &err);
    assert_int_equal(s.epochs, 5);
    const char *first = strstr(messages, "watches 'val_loss'");
    assert_non_null(first);
    assert_null(strstr(first + 1, "watches 'val_loss'"));
    convoy_model_destroy(m);
}

/* ---- event files ---- */

/* The only file of a folder; the caller frees its bytes. */
static char *read_events(const char *part, size_t *size)
{
    convoy_error err = {0};
    char path[1024] = "", *bytes = NULL;
    snprintf(path, sizeof path, "%s/tb/%s", folder, part);
    assert_int_equal(files_in(path), 1);
    DIR *dir = opendir(path);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        if (e->d_name[0] != '.') {
            assert_int_equal(strncmp(e->d_name, "events.out.tfevents.", 20), 0);
            snprintf(path + strlen(path), sizeof path - strlen(path), "/%.300s", e->d_name);
        }
    closedir(dir);
    must(file_read(path, 1 << 24, &bytes, size, &err), &err);
    return bytes;
}

/* Walks the records, checks both checksums of each; counts those in which `what` stands. */
static int count_events(const char *bytes, size_t size, const char *what)
{
    int found = 0, records = 0;
    for (size_t at = 0; at < size; records++) {
        uint64_t length;
        uint32_t crc;
        assert_true(at + 12 <= size);
        memcpy(&length, bytes + at, sizeof length);
        memcpy(&crc, bytes + at + 8, sizeof crc);
        assert_int_equal(crc, event_masked_crc(bytes + at, 8));
        assert_true(length <= size - at - 16);
        memcpy(&crc, bytes + at + 12 + length, sizeof crc);
        assert_int_equal(crc, event_masked_crc(bytes + at + 12, length));
        if (records == 0)
            assert_non_null(memmem(bytes + at + 12, length, "brain.Event:2", 13));
        found += memmem(bytes + at + 12, length, what, strlen(what)) != NULL;
        at += 16 + length;
    }
    return found;
}

static void test_event_files(void **state)
{
    (void)state;
    assert_int_equal(event_crc("123456789", 9), 0xE3069283u); /* RFC 3720's check value */
    convoy_error err = {0};
    seen s = {0};
    char text[200];
    size_t size;
    snprintf(text, sizeof text, "TensorBoard(log_dir='%s/tb', histogram_freq=2, write_images=True)", folder);
    const char *const texts[] = {text, NULL};
    convoy_model *m = fresh();
    must(fit(m, texts, 3, 0.1, &s, &err), &err);
    char *train = read_events("train", &size);
    static const char *const tags[] = {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_events(train, size, tags[i]), 3);
    assert_int_equal(count_events(train, size, "/dense/kernel/histogram"), 2);
    assert_int_equal(count_events(train, size, "/dense/bias/histogram"), 2);
    assert_int_equal(count_events(train, size, "/dense/kernel/image"), 2);
    assert_int_equal(count_events(train, size, "\x89PNG\r\n"), 4); /* of kernel and bias, in two epochs */
    assert_int_equal(count_events(train, size, "val_"), 0);
    free(train);
    char *validation = read_events("validation", &size);
    assert_int_equal(count_events(validation, size, "epoch_loss"), 3);
    assert_int_equal(count_events(validation, size, "evaluation_accuracy_vs_iterations"), 3);
    float loss = (float)s.epoch.validation.loss;
    assert_non_null(memmem(validation, size, &loss, sizeof loss));
    free(validation);
    convoy_model_destroy(m);
    remove_tree(path_of("tb"));
}

/* ---- setting up ---- */

static void on_message(void *user, const char *text)
{
    (void)user;
    size_t used = strlen(messages);
    snprintf(messages + used, sizeof messages - used, "%s\n", text);
}

static int set_up(void **state)
{
    convoy_error err = {0};
    (void)state;
    must(convoy_context_create(NULL, &ctx, &err), &err);
    convoy_context_on_message(ctx, on_message, NULL);
    data = make_data();
    snprintf(folder, sizeof folder, "/tmp/convoy_callbacks_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(folder);
    convoy_dataset_destroy(data);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_stopping_is_that_of_keras),
        cmocka_unit_test(test_rates_are_reduced_as_in_keras),
        cmocka_unit_test(test_checkpoints_are_those_of_keras),
        cmocka_unit_test(test_logs_are_those_of_keras_byte_for_byte),
        cmocka_unit_test(test_numbers_as_python_writes_them),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_a_run_stops_early),
        cmocka_unit_test(test_the_best_weights_come_back),
        cmocka_unit_test(test_nan_may_end_a_run_without_an_error),
        cmocka_unit_test(test_bad_callbacks),
        cmocka_unit_test(test_a_missing_value_is_told_once),
        cmocka_unit_test(test_event_files),
    };
    return cmocka_run_group_tests_name("callbacks", tests, set_up, tear_down);
}
