#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/options.h"
#include "files/files.h"
#include "model/model.h"
#include "train/check_fit.h"
#include "train/record.h"
#include "train/split.h"

enum { PROFILE_STEPS = 5, MOST_REPORT_BATCH = 1024 };

/* ---- files ---- */

static convoy_status path_of(const convoy_run *run, const char *name, char out[PATH_MAX], convoy_error *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", run->folder, name);
    return n > 0 && n < PATH_MAX ? CONVOY_OK
                                 : base_fail(err, CONVOY_ERROR_FILE, "%.60s...: the path is too long", run->folder);
}

static convoy_status write_json(const convoy_run *run, const char *name, const json_t *root, convoy_error *err)
{
    char path[PATH_MAX], *lines = NULL;
    text t = {0};
    TRY(path_of(run, name, path, err));
    char *dump = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) : NULL;
    if (dump == NULL)
        return OUT_OF_MEMORY(err);
    text_add(&t, "%s\n", dump);
    free(dump);
    TRY(text_take(&t, &lines, err));
    convoy_status status = file_write(path, lines, strlen(lines), err);
    free(lines);
    return status;
}

static convoy_status write_history(const convoy_run *run, convoy_error *err)
{
    char path[PATH_MAX];
    TRY(path_of(run, "history.csv", path, err));
    if (run->history.failed)
        return OUT_OF_MEMORY(err);
    return file_write(path, run->history.data, run->history.length, err);
}

/* What is brought up to date after each epoch. */
static convoy_status write_both(const convoy_run *run, convoy_error *err)
{
    TRY(write_history(run, err));
    return write_json(run, "run.json", run->root, err);
}

/* ---- the folder ---- */

static convoy_status check_empty(const char *folder, DIR *dir, convoy_error *err)
{
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: is not empty ('%s' is in it); a run needs a new folder, or an empty one",
                             folder, entry->d_name);
    return CONVOY_OK;
}

static convoy_status make_folder(convoy_run *run, convoy_error *err)
{
    DIR *dir = opendir(run->folder);
    if (dir == NULL && errno == ENOENT) {
        TRY(file_make_folder(run->folder, err));
        run->made = run->ours = true;
        return CONVOY_OK;
    }
    if (dir == NULL && errno == ENOTDIR && file_exists(run->folder))
        return base_fail(err, CONVOY_ERROR_FILE, "%s: is there and is not a folder; a run needs a new folder", run->folder);
    if (dir == NULL)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't open the folder: %s", run->folder, strerror(errno));
    convoy_status status = check_empty(run->folder, dir, err);
    closedir(dir);
    run->ours = status == CONVOY_OK;
    return status;
}

static void remove_file(const convoy_run *run, const char *name)
{
    char path[PATH_MAX];
    if (path_of(run, name, path, NULL) == CONVOY_OK)
        unlink(path);
}

/* ---- training ---- */

/* Keras logs the rate only where a callback does; a record of the run is better with it. */
static callback_logs logs_of(const convoy_epoch *epoch)
{
    callback_logs logs = callback_logs_of(epoch);
    callback_logs_set(&logs, "learning_rate", epoch->logged_rate);
    return logs;
}

static int on_epoch(void *user, const convoy_epoch *epoch)
{
    convoy_run *run = user;
    convoy_error err = {0};
    callback_logs logs = logs_of(epoch);
    callback_csv_row(epoch->epoch - 1, &run->keys, &logs, ",", false, &run->history);
    run_json_epoch(run, epoch);
    run->kept = true;
    if (write_both(run, &err) != CONVOY_OK && !run->warned) {
        rt_message(run->ctx, "%s; training goes on", err.message);
        run->warned = true;
    }
    return run->on_epoch ? run->on_epoch(run->user, epoch) : 0;
}

static int on_progress(void *user, const convoy_progress *progress)
{
    const convoy_run *run = user;
    return run->on_progress(run->user, progress);
}

static void plug_in(convoy_run *run, convoy_fit_options *fit)
{
    run->on_progress = fit->on_progress;
    run->on_epoch = fit->on_epoch;
    run->user = fit->user;
    fit->on_epoch = on_epoch;
    fit->on_progress = fit->on_progress ? on_progress : NULL; /* without one, fit looks at the loss less often */
    fit->user = run;
}

/* ---- before ---- */

/* A run that goes on begins with what the epochs before gave, as its model says. */
static void begin_history(convoy_run *run, const convoy_fit_options *fit, bool validation)
{
    callback_logs logs;
    static const char *const names[] = {"accuracy", "learning_rate", "loss", "val_accuracy", "val_loss"};
    for (size_t i = 0; i < (validation ? 5 : 3); i++)
        callback_logs_set(&run->keys, names[i], 0);
    callback_csv_header(&run->keys, ",", false, &run->history);
    for (int i = 0; i < fit->initial_epoch && record_row(run->model, fit->initial_epoch, (size_t)i, &logs); i++)
        callback_csv_row(i, &run->keys, &logs, ",", false, &run->history);
}

static convoy_status begin(convoy_run *run, const convoy_run_options *options, const convoy_dataset *data,
                           const convoy_fit_options *fit, convoy_error *err)
{
    size_t rows = convoy_dataset_count(data);
    bool split = fit->validation == NULL && fit->validation_split > 0;
    TRY(convoy_fit_check(fit, err));
    TRY(check_batch(fit->batch_size, split ? split_kept(data, fit->validation_split) : rows, &run->batch, err));
    TRY(run_json_begin(run, options, data, fit, err));
    begin_history(run, fit, split || fit->validation != NULL);
    TRY(make_folder(run, err));
    return write_both(run, err);
}

/* Better now than after hours of training. */
static convoy_status check_build(const char *folder, convoy_error *err)
{
    convoy_status status = keras_file_supported(err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s: a run keeps its model as a .keras file", folder);
}

convoy_status convoy_run_create_sized(const convoy_run_options *options, size_t options_size, convoy_context *ctx,
                                      convoy_model *model, const convoy_dataset *data, convoy_fit_options *fit, size_t fit_size,
                                      convoy_run **out, convoy_error *err)
{
    TAKE_OPTIONS(convoy_run_options, own, options, options_size, err);
    TAKE_OPTIONS(convoy_fit_options, told, fit, fit_size, err);
    if (own.folder == NULL || own.folder[0] == '\0')
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "a run needs a folder; none is named");
    TRY(check_build(own.folder, err));
    convoy_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return OUT_OF_MEMORY(err);
    run->ctx = ctx;
    run->model = model;
    run->folder = strdup(own.folder);
    convoy_status status = run->folder ? begin(run, &own, data, &told, err) : OUT_OF_MEMORY(err);
    if (status != CONVOY_OK) {
        convoy_run_destroy(run);
        return status;
    }
    plug_in(run, fit);
    *out = run;
    return CONVOY_OK;
}

/* ---- after ---- */

convoy_status convoy_run_save(convoy_run *run, const convoy_fit_result *result, convoy_error *err)
{
    char path[PATH_MAX];
    run->kept = true;
    if (result != NULL)
        run_json_first_step(run, result->first_step_seconds);
    TRY(path_of(run, "model.keras", path, err));
    TRY(convoy_model_save(run->model, path, err));
    return write_both(run, err);
}

convoy_status convoy_run_finish(convoy_run *run, const convoy_metrics *test, convoy_error *err)
{
    run->kept = true;
    run_json_finish(run, test);
    return write_json(run, "run.json", run->root, err);
}

int run_report_batch(double batch) { return batch >= 1 && batch <= MOST_REPORT_BATCH ? (int)batch : 32; }

/* A report looks at every layer's output, with kernels that nothing else runs. Building them takes seconds: better now than while
 * somebody waits for the page. Best effort. */
static void build_for_report(const convoy_run *run)
{
    convoy_context *ctx = NULL;
    convoy_predictor *p = NULL;
    convoy_shape in = convoy_model_input(run->model), out = convoy_model_output(run->model);
    float *values = calloc(shape_count(&in) + shape_count(&out), sizeof *values);
    if (values && rt_context_again(run->ctx, &ctx, NULL) == CONVOY_OK &&
        convoy_predictor_create_keeping(ctx, run->model, run_report_batch(run->batch), &p, NULL) == CONVOY_OK)
        (void)convoy_predictor_run(p, values, 1, values + shape_count(&in), NULL);
    convoy_predictor_destroy(p);
    convoy_context_destroy(ctx);
    free(values);
}

convoy_status convoy_run_profile_sized(convoy_run *run, const convoy_bench_options *options, size_t options_size, convoy_error *err)
{
    convoy_bench_result result;
    TAKE_OPTIONS(convoy_bench_options, how, options, options_size, err);
    how.batch_size = how.batch_size ? how.batch_size : run->batch;
    how.steps = how.steps ? how.steps : PROFILE_STEPS;
    how.repeats = how.repeats ? how.repeats : 1;
    TRY(convoy_bench_training(run->ctx, run->model, &how, &result, err));
    json_t *root = run_json_launches(&result);
    convoy_bench_clear(&result);
    convoy_status status = write_json(run, "launches.json", root, err);
    json_decref(root);
    if (status == CONVOY_OK)
        build_for_report(run);
    return status;
}

void convoy_run_destroy(convoy_run *run)
{
    if (run == NULL)
        return;
    if (run->ours && !run->kept) {
        remove_file(run, "history.csv");
        remove_file(run, "run.json");
    }
    if (!run->kept && run->made)
        rmdir(run->folder);
    json_decref(run->root);
    text_free(&run->history);
    free(run->folder);
    free(run);
}
