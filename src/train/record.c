#include "train/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/python_number.h"
#include "runtime/runtime.h"

json_t *record_number(double value)
{
    char word[PYTHON_NUMBER_SIZE];
    return isfinite(value) ? json_real(value) : json_string(python_repr(value, word));
}

double record_number_value(const json_t *json)
{
    if (json_is_number(json))
        return json_number_value(json);
    return json_is_string(json) ? strtod(json_string_value(json), NULL) : NAN;
}

/* ---- what the model has ---- */

/* The record that the model was saved with after so many epochs; NULL: it has none of them. */
static const json_t *find(const convoy_model *model, int epochs)
{
    const json_t *done = json_object_get(model->training, "epochs");
    return json_is_integer(done) && json_integer_value(done) == epochs ? model->training : NULL;
}

bool record_row(const convoy_model *model, int epochs, size_t i, callback_logs *out)
{
    json_t *row = json_array_get(json_object_get(find(model, epochs), "history"), i), *value;
    const char *name;
    *out = (callback_logs){0};
    if (!json_is_object(row))
        return false;
    json_object_foreach(row, name, value) callback_logs_set(out, name, record_number_value(value));
    return true;
}

/* ---- a run ---- */

static convoy_status go_on(callback_run *run, callbacks *all, const json_t *kept, record *out, convoy_error *err)
{
    json_t *history = json_deep_copy(json_object_get(kept, "history"));
    if (json_is_array(history)) {
        json_decref(out->history);
        out->history = history;
    } else {
        json_decref(history);
    }
    out->shuffles = (uint64_t)json_integer_value(json_object_get(kept, "shuffles"));
    return callbacks_resume(all, run, json_object_get(kept, "callbacks"), err);
}

convoy_status record_begin(callback_run *run, callbacks *all, int initial_epoch, uint64_t shuffles, record *out,
                           convoy_error *err)
{
    const json_t *kept = initial_epoch > 0 ? find(run->model, initial_epoch) : NULL;
    *out = (record){.history = json_array(), .epochs = initial_epoch, .shuffles = shuffles};
    if (out->history == NULL)
        return OUT_OF_MEMORY(err);
    if (kept != NULL)
        TRY(go_on(run, all, kept, out, err));
    else if (initial_epoch > 0 && callbacks_keep_something(all))
        rt_message(run->ctx, "the model holds nothing of a run that has done %d epoch%s: what callbacks wait for begins afresh",
                   initial_epoch, initial_epoch == 1 ? "" : "s");
    model_forget_training(run->model);
    return CONVOY_OK;
}

convoy_status record_epoch(record *r, const convoy_epoch *epoch, convoy_error *err)
{
    callback_logs logs = callback_logs_of(epoch);
    json_t *row = json_object();
    callback_logs_set(&logs, "learning_rate", epoch->logged_rate);
    int failed = row == NULL;
    for (int i = 0; i < logs.count; i++)
        failed |= json_object_set_new(row, logs.row[i].name, record_number(logs.row[i].value));
    failed |= json_array_append_new(r->history, row);
    r->epochs = epoch->epoch;
    r->shuffles++;
    return failed ? OUT_OF_MEMORY(err) : CONVOY_OK;
}

convoy_status record_keep(const record *r, callback_run *run, const callbacks *all, convoy_error *err)
{
    json_t *states = NULL;
    model_forget_training(run->model);
    TRY(callbacks_keep(all, run, &states, err));
    run->model->training = json_pack("{s:i, s:I, s:o, s:o}", "epochs", r->epochs, "shuffles", (json_int_t)r->shuffles, "history",
                                     json_deep_copy(r->history), "callbacks", states);
    return run->model->training != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

void record_free(record *r)
{
    json_decref(r->history);
    *r = (record){0};
}
