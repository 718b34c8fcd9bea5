/* ModelCheckpoint, after keras/src/callbacks/model_checkpoint.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/python_number.h"
#include "runtime/runtime.h"
#include "train/callback.h"
#include "train/record.h"

#define NAME "ModelCheckpoint"

typedef struct checkpoint {
    monitor monitor;
    char filepath[OPTION_TEXT_SIZE];
    int verbose, save_freq;
    bool save_best_only;
    double initial_value_threshold; /* NAN: none */
    /* the run's */
    bool has_best;
    double best;
    char *path; /* of this epoch; NULL: it is not saved */
} checkpoint;

static const char *const frequencies[] = {"epoch", NULL};

#define AT(member) .offset = offsetof(checkpoint, member)
static const option options[] = {
    {.name = "filepath", .kind = OPTION_TEXT, AT(filepath)},
    MONITOR_OPTIONS(checkpoint, monitor, "0"),
    {.name = "verbose", .kind = OPTION_INT, AT(verbose), .standard = "0", .most = 2},
    {.name = "save_best_only", .kind = OPTION_BOOL, AT(save_best_only), .standard = "false"},
    {.name = "save_freq", .kind = OPTION_CHOICE, AT(save_freq), .standard = "\"epoch\"", .choices = frequencies},
    {.name = "initial_value_threshold", .kind = OPTION_OPTIONAL_FLOAT, AT(initial_value_threshold), .standard = "null"},
    {0}};

static convoy_status format_path(const checkpoint *c, int epoch, const callback_logs *logs, char **out, convoy_error *err)
{
    python_value values[CALLBACK_MOST_LOGS + 1] = {{"epoch", epoch + 1, true}};
    for (int i = 0; i < logs->count; i++)
        values[i + 1] = (python_value){logs->row[i].name, logs->row[i].value, false};
    return python_format(c->filepath, values, (size_t)logs->count + 1, out, err);
}

static convoy_status check(void *state, convoy_error *err)
{
    checkpoint *c = state;
    size_t n = strlen(c->filepath);
    if (n < 7 || strcmp(c->filepath + n - 6, ".keras") != 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, NAME ": filepath '%s' must end in .keras", c->filepath);
    c->has_best = !isnan(c->initial_value_threshold);
    c->best = c->initial_value_threshold;
    /* Keras would ask for a mode in any case; it matters only where the best is kept. */
    return c->save_best_only ? monitor_check(&c->monitor, NAME, err) : CONVOY_OK;
}

/* Says why not when it is not worth saving. Without the value each epoch is saved. */
static bool is_worth_it(checkpoint *c, callback_run *run, int epoch, const callback_logs *logs)
{
    if (!c->save_best_only)
        return true;
    const double *current = monitor_value(&c->monitor, NAME, run, logs);
    if (current == NULL)
        return true;
    bool better = !c->has_best || monitor_is_better(&c->monitor, *current, c->best);
    if (c->verbose > 0 && !better)
        rt_message(run->ctx, "epoch %d: %s did not improve from %.5f", epoch + 1, c->monitor.name, c->best);
    if (c->verbose > 0 && better && c->has_best)
        rt_message(run->ctx, "epoch %d: %s improved from %.5f to %.5f", epoch + 1, c->monitor.name, c->best, *current);
    if (better) {
        c->best = *current;
        c->has_best = true;
    }
    return better;
}

static convoy_status save(const checkpoint *c, callback_run *run, int epoch, const char *path, convoy_error *err)
{
    char folder[OPTION_TEXT_SIZE * 2];
    const char *slash = strrchr(path, '/');
    if (slash != NULL && slash > path && (size_t)(slash - path) < sizeof folder) {
        text_copy(folder, (size_t)(slash - path) + 1, path);
        TRY(file_make_folder(folder, err));
    }
    TRY(trainer_download(run->trainer, err));
    if (run->record != NULL)
        TRY(record_keep(run->record, run, run->all, err));
    TRY(convoy_model_save(run->model, path, err));
    if (c->verbose > 0)
        rt_message(run->ctx, "epoch %d: saved %s", epoch + 1, path);
    return CONVOY_OK;
}

static convoy_status epoch_end(void *state, callback_run *run, int epoch, callback_logs *logs, convoy_error *err)
{
    checkpoint *c = state;
    if (!is_worth_it(c, run, epoch, logs))
        return CONVOY_OK;
    convoy_status status = format_path(c, epoch, logs, &c->path, err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, NAME);
}

/* The file also says what the other callbacks know, so it is written when they have seen the epoch. */
static convoy_status saved(void *state, callback_run *run, int epoch, convoy_error *err)
{
    checkpoint *c = state;
    if (c->path == NULL)
        return CONVOY_OK;
    convoy_status status = save(c, run, epoch, c->path, err);
    free(c->path);
    c->path = NULL;
    return status == CONVOY_OK ? status : base_fail_in(err, status, NAME);
}

static convoy_status keep(const void *state, callback_run *run, json_t *out, convoy_error *err)
{
    const checkpoint *c = state;
    (void)run;
    if (!c->save_best_only) /* what it watches does not matter, and is not looked at */
        return CONVOY_OK;
    return monitor_keep(&c->monitor, c->has_best, c->best, out) ? OUT_OF_MEMORY(err) : CONVOY_OK;
}

static convoy_status resume(void *state, callback_run *run, const json_t *kept, convoy_error *err)
{
    checkpoint *c = state;
    (void)err;
    if (c->save_best_only)
        (void)monitor_resume(&c->monitor, NAME, run, kept, &c->has_best, &c->best);
    return CONVOY_OK;
}

static void destroy(void *state) { free(((checkpoint *)state)->path); }

const callback_class model_checkpoint_callback = {.name = NAME,
                                                  .state_size = sizeof(checkpoint),
                                                  .options = options,
                                                  .check = check,
                                                  .epoch_end = epoch_end,
                                                  .saved = saved,
                                                  .keep = keep,
                                                  .resume = resume,
                                                  .destroy = destroy};
