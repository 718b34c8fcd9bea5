/* ReduceLROnPlateau, after keras/src/callbacks/reduce_lr_on_plateau.py. */
#include <limits.h>
#include <math.h>

#include "base/python_number.h"
#include "runtime/runtime.h"
#include "train/callback.h"

#define NAME "ReduceLROnPlateau"

typedef struct reduce_rate {
    monitor monitor;
    double factor, min_lr;
    int patience, verbose, cooldown;
    /* the run's */
    bool has_best;
    double best;
    int wait, cooling;
} reduce_rate;

#define AT(member) .offset = offsetof(reduce_rate, member)
static const option options[] = {
    MONITOR_OPTIONS(reduce_rate, monitor, "0.0001"),
    {.name = "factor", .kind = OPTION_FLOAT, AT(factor), .standard = "0.1", .most = 1},
    {.name = "patience", .kind = OPTION_INT, AT(patience), .standard = "10", .most = INT_MAX},
    {.name = "verbose", .kind = OPTION_INT, AT(verbose), .standard = "0", .most = 2},
    {.name = "cooldown", .kind = OPTION_INT, AT(cooldown), .standard = "0", .most = INT_MAX},
    {.name = "min_lr", .kind = OPTION_FLOAT, AT(min_lr), .standard = "0.0", .most = 3.4e38},
    {0}};

static convoy_status check(void *state, convoy_error *err)
{
    reduce_rate *r = state;
    if (r->factor >= 1.0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, NAME ": factor=%g; a number below 1 is expected", r->factor);
    return monitor_check(&r->monitor, NAME, err);
}

static convoy_status reduce(reduce_rate *r, callback_run *run, int epoch, convoy_error *err)
{
    char text[PYTHON_NUMBER_SIZE];
    double old = trainer_rate(run->trainer);
    if (!(old > (float)r->min_lr))
        return CONVOY_OK;
    double rate = fmax(old * r->factor, r->min_lr);
    convoy_status status = trainer_set_rate(run->trainer, rate, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, NAME);
    if (r->verbose > 0)
        rt_message(run->ctx, "epoch %d: " NAME " reduces the learning rate to %s", epoch + 1, python_repr(rate, text));
    r->cooling = r->cooldown;
    r->wait = 0;
    return CONVOY_OK;
}

static convoy_status epoch_end(void *state, callback_run *run, int epoch, callback_logs *logs, convoy_error *err)
{
    reduce_rate *r = state;
    callback_logs_set(logs, "learning_rate", trainer_rate(run->trainer));
    const double *current = monitor_value(&r->monitor, NAME, run, logs);
    if (current == NULL)
        return CONVOY_OK;
    if (r->cooling > 0) {
        r->cooling--;
        r->wait = 0;
    }
    if (!r->has_best || monitor_is_better(&r->monitor, *current, r->best)) {
        r->best = *current;
        r->has_best = true;
        r->wait = 0;
    } else if (r->cooling == 0 && ++r->wait >= r->patience) {
        return reduce(r, run, epoch, err);
    }
    return CONVOY_OK;
}

static convoy_status keep(const void *state, callback_run *run, json_t *out, convoy_error *err)
{
    const reduce_rate *r = state;
    (void)run;
    int failed = monitor_keep(&r->monitor, r->has_best, r->best, out);
    failed |= json_object_set_new(out, "wait", json_integer(r->wait));
    failed |= json_object_set_new(out, "cooldown", json_integer(r->cooling));
    return failed ? OUT_OF_MEMORY(err) : CONVOY_OK;
}

static convoy_status resume(void *state, callback_run *run, const json_t *kept, convoy_error *err)
{
    reduce_rate *r = state;
    (void)err;
    if (!monitor_resume(&r->monitor, NAME, run, kept, &r->has_best, &r->best))
        return CONVOY_OK;
    r->wait = (int)json_integer_value(json_object_get(kept, "wait"));
    r->cooling = (int)json_integer_value(json_object_get(kept, "cooldown"));
    return CONVOY_OK;
}

const callback_class reduce_rate_callback = {
    .name = NAME, .state_size = sizeof(reduce_rate), .options = options, .check = check, .epoch_end = epoch_end,
    .keep = keep, .resume = resume};
