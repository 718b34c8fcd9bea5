/* EarlyStopping, after keras/src/callbacks/early_stopping.py. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"
#include "train/callback.h"

#define NAME "EarlyStopping"

typedef struct early_stopping {
    monitor monitor;
    int patience, verbose, start_from_epoch;
    double baseline; /* NAN: none */
    bool restore_best_weights;
    /* the run's */
    bool has_best;
    double best;
    int wait, stopped_epoch, best_epoch;
    float *best_weights; /* all weights of the model in a row; NULL: none yet */
} early_stopping;

#define AT(member) .offset = offsetof(early_stopping, member)
static const option options[] = {
    MONITOR_OPTIONS(early_stopping, monitor, "0"),
    {.name = "patience", .kind = OPTION_INT, AT(patience), .standard = "0", .most = INT_MAX},
    {.name = "verbose", .kind = OPTION_INT, AT(verbose), .standard = "0", .most = 2},
    {.name = "baseline", .kind = OPTION_OPTIONAL_FLOAT, AT(baseline), .standard = "null"},
    {.name = "restore_best_weights", .kind = OPTION_BOOL, AT(restore_best_weights), .standard = "false"},
    {.name = "start_from_epoch", .kind = OPTION_INT, AT(start_from_epoch), .standard = "0", .most = INT_MAX},
    {0}};

static convoy_status check(void *state, convoy_error *err)
{
    early_stopping *e = state;
    return monitor_check(&e->monitor, NAME, err);
}

static convoy_status keep_weights(early_stopping *e, callback_run *run, int epoch, convoy_error *err)
{
    if (e->best_weights == NULL)
        e->best_weights = malloc((convoy_model_parameter_count(run->model) + 1) * sizeof *e->best_weights);
    if (e->best_weights == NULL)
        return OUT_OF_MEMORY(err);
    TRY(trainer_download_weights(run->trainer, err));
    model_copy_weights(run->model, e->best_weights, false);
    e->best_epoch = epoch;
    return CONVOY_OK;
}

static convoy_status epoch_end(void *state, callback_run *run, int epoch, callback_logs *logs, convoy_error *err)
{
    early_stopping *e = state;
    const double *current = monitor_value(&e->monitor, NAME, run, logs);
    if (current == NULL || epoch < e->start_from_epoch)
        return CONVOY_OK;
    bool better = !e->has_best || monitor_is_better(&e->monitor, *current, e->best);
    if (e->restore_best_weights && (better || e->best_weights == NULL))
        TRY(keep_weights(e, run, epoch, err));
    e->wait++;
    if (better) {
        e->best = *current;
        e->has_best = true;
        if (isnan(e->baseline) || monitor_is_better(&e->monitor, *current, e->baseline))
            e->wait = 0;
    } else if (e->wait >= e->patience && epoch > 0) {
        e->stopped_epoch = epoch;
        run->stop = true;
    }
    return CONVOY_OK;
}

static convoy_status end(void *state, callback_run *run, convoy_error *err)
{
    early_stopping *e = state;
    (void)err;
    if (e->stopped_epoch > 0 && e->verbose > 0)
        rt_message(run->ctx, "epoch %d: early stopping", e->stopped_epoch + 1);
    if (e->best_weights == NULL)
        return CONVOY_OK;
    if (e->verbose > 0)
        rt_message(run->ctx, "the weights are those after the best epoch, %d", e->best_epoch + 1);
    model_copy_weights(run->model, e->best_weights, true);
    return CONVOY_OK;
}

/* The best weights are the model's own, or stand beside them. */
static convoy_status keep(const void *state, callback_run *run, json_t *out, convoy_error *err)
{
    const early_stopping *e = state;
    size_t bytes = convoy_model_parameter_count(run->model) * sizeof *e->best_weights;
    float *own = malloc(bytes + 1), *beside = NULL;
    if (own == NULL)
        return OUT_OF_MEMORY(err);
    int failed = monitor_keep(&e->monitor, e->has_best, e->best, out);
    failed |= json_object_set_new(out, "wait", json_integer(e->wait));
    failed |= json_object_set_new(out, "best_epoch", json_integer(e->best_epoch));
    model_copy_weights(run->model, own, false);
    bool same = e->best_weights != NULL && memcmp(own, e->best_weights, bytes) == 0;
    free(own);
    if (same) {
        failed |= json_object_set_new(out, "best_weights", json_string("own"));
    } else if (e->best_weights != NULL) {
        failed |= json_object_set_new(out, "best_weights", json_integer((json_int_t)run->model->kept_count));
        TRY(model_keep_weights(run->model, 1, &beside, err));
        memcpy(beside, e->best_weights, bytes);
    }
    return failed ? OUT_OF_MEMORY(err) : CONVOY_OK;
}

static convoy_status take_up_weights(early_stopping *e, callback_run *run, const json_t *which, convoy_error *err)
{
    size_t count = convoy_model_parameter_count(run->model), set = (size_t)json_integer_value(which);
    bool beside = json_is_integer(which) && set < run->model->kept_count;
    if (!e->restore_best_weights || (!beside && !json_is_string(which)))
        return CONVOY_OK;
    e->best_weights = malloc((count + 1) * sizeof *e->best_weights);
    if (e->best_weights == NULL)
        return OUT_OF_MEMORY(err);
    if (beside)
        memcpy(e->best_weights, run->model->kept_weights + set * count, count * sizeof *e->best_weights);
    else
        model_copy_weights(run->model, e->best_weights, false);
    return CONVOY_OK;
}

static convoy_status resume(void *state, callback_run *run, const json_t *kept, convoy_error *err)
{
    early_stopping *e = state;
    if (!monitor_resume(&e->monitor, NAME, run, kept, &e->has_best, &e->best))
        return CONVOY_OK;
    e->wait = (int)json_integer_value(json_object_get(kept, "wait"));
    e->best_epoch = (int)json_integer_value(json_object_get(kept, "best_epoch"));
    return take_up_weights(e, run, json_object_get(kept, "best_weights"), err);
}

static void destroy(void *state) { free(((early_stopping *)state)->best_weights); }

const callback_class early_stopping_callback = {.name = NAME,
                                                .state_size = sizeof(early_stopping),
                                                .options = options,
                                                .check = check,
                                                .epoch_end = epoch_end,
                                                .end = end,
                                                .keep = keep,
                                                .resume = resume,
                                                .destroy = destroy};
