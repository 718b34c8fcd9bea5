/* The list of callbacks of a run, and the logs that they see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "runtime/runtime.h"
#include "train/callback.h"

static const callback_class *const classes[] = {
    &early_stopping_callback, &model_checkpoint_callback, &reduce_rate_callback,
    &csv_logger_callback,     &tensorboard_callback,      &terminate_on_nan_callback,
};

typedef struct callback {
    const callback_class *class;
    void *state;
} callback;

struct callbacks {
    size_t count;
    callback *list;
};

/* ---- logs ---- */

void callback_logs_set(callback_logs *logs, const char *name, double value)
{
    int i = 0;
    while (i < logs->count && strcmp(logs->row[i].name, name) != 0)
        i++;
    if (i == CALLBACK_MOST_LOGS)
        return;
    if (i == logs->count)
        text_copy(logs->row[logs->count++].name, sizeof logs->row[i].name, name);
    logs->row[i].value = (float)value;
}

const double *callback_logs_find(const callback_logs *logs, const char *name)
{
    for (int i = 0; i < logs->count; i++)
        if (strcmp(logs->row[i].name, name) == 0)
            return &logs->row[i].value;
    return NULL;
}

const char *callback_logs_names(const callback_logs *logs, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < logs->count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", logs->row[i].name);
    return out;
}

callback_logs callback_logs_of(const convoy_epoch *epoch)
{
    callback_logs logs = {0};
    for (int i = 0; i < epoch->train.count; i++)
        callback_logs_set(&logs, epoch->train.metric[i].name, epoch->train.metric[i].value);
    for (int i = 0; epoch->has_validation && i < epoch->validation.count; i++) {
        char name[CONVOY_METRIC_NAME_SIZE + 4];
        snprintf(name, sizeof name, "val_%s", epoch->validation.metric[i].name);
        callback_logs_set(&logs, name, epoch->validation.metric[i].value);
    }
    return logs;
}

/* ---- the list ---- */

const callback_class *callback_class_at(size_t i) { return i < sizeof classes / sizeof *classes ? classes[i] : NULL; }

static convoy_status find_class(const char *name, const callback_class **out, convoy_error *err)
{
    char list[512] = "", hint[128];
    size_t used = 0;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        *out = classes[i];
        if (strcmp(classes[i]->name, name) == 0)
            return CONVOY_OK;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", classes[i]->name);
    }
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "callback '%.100s' is not known; %sknown: %s", name,
                     suggest_word(name, list, hint, sizeof hint), list);
}

static convoy_status create_one(callback *c, const char *call, convoy_error *err)
{
    char name[64];
    json_t *config = NULL;
    convoy_status status = options_parse_call("callback", call, name, sizeof name, &config, err);
    if (status == CONVOY_OK)
        status = find_class(name, &c->class, err);
    if (status == CONVOY_OK && (c->state = calloc(1, c->class->state_size)) == NULL)
        status = OUT_OF_MEMORY(err);
    if (status == CONVOY_OK) {
        status = options_read(c->class->options, config, c->state, err);
        if (status != CONVOY_OK)
            base_fail_in(err, status, "callback %s", name);
    }
    if (status == CONVOY_OK && c->class->check)
        status = c->class->check(c->state, err);
    json_decref(config);
    return option_blame_argument(status, err);
}

convoy_status callbacks_create(const char *const *texts, callbacks **out, convoy_error *err)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL)
        count++;
    callbacks *c = calloc(1, sizeof *c);
    if (c != NULL)
        c->list = calloc(count + 1, sizeof *c->list);
    if (c == NULL || c->list == NULL) {
        free(c);
        return OUT_OF_MEMORY(err);
    }
    convoy_status status = CONVOY_OK;
    for (; status == CONVOY_OK && c->count < count; c->count++)
        status = create_one(&c->list[c->count], texts[c->count], err);
    if (status == CONVOY_OK)
        *out = c;
    else
        callbacks_destroy(c);
    return status;
}

void callbacks_destroy(callbacks *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i].state && c->list[i].class->destroy)
            c->list[i].class->destroy(c->list[i].state);
        free(c->list[i].state);
    }
    free(c->list);
    free(c);
}

convoy_status callbacks_begin(callbacks *c, callback_run *run, convoy_error *err)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].class->begin)
            TRY(c->list[i].class->begin(c->list[i].state, run, err));
    return CONVOY_OK;
}

/* One after another, in the order given: each sees what those before it added to the logs. */
convoy_status callbacks_epoch_end(callbacks *c, callback_run *run, const convoy_epoch *epoch, convoy_error *err)
{
    callback_logs logs = callback_logs_of(epoch);
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].class->epoch_end)
            TRY(c->list[i].class->epoch_end(c->list[i].state, run, epoch->epoch - 1, &logs, err));
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].class->saved)
            TRY(c->list[i].class->saved(c->list[i].state, run, epoch->epoch - 1, err));
    return CONVOY_OK;
}

convoy_status callbacks_end(callbacks *c, callback_run *run, convoy_error *err)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].class->end)
            TRY(c->list[i].class->end(c->list[i].state, run, err));
    return CONVOY_OK;
}

/* ---- going on later ---- */

bool callbacks_keep_something(const callbacks *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].class->keep)
            return true;
    return false;
}

static convoy_status keep_one(const callback *c, callback_run *run, json_t *list, convoy_error *err)
{
    json_t *state = json_object();
    json_t *item = json_pack("{s:s, s:o}", "class", c->class->name, "state", state);
    if (item == NULL || json_array_append_new(list, item) != 0)
        return OUT_OF_MEMORY(err);
    return c->class->keep(c->state, run, state, err);
}

convoy_status callbacks_keep(const callbacks *c, callback_run *run, json_t **out, convoy_error *err)
{
    json_t *list = json_array();
    convoy_status status = list != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
    for (size_t i = 0; i < c->count && status == CONVOY_OK; i++)
        if (c->list[i].class->keep)
            status = keep_one(&c->list[i], run, list, err);
    if (status == CONVOY_OK)
        *out = list;
    else
        json_decref(list);
    return status;
}

/* The state of the `nth` of a class in what was kept; NULL: there is none. */
static const json_t *find_kept(const json_t *list, const char *name, size_t nth)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i), *state = json_object_get(item, "state");
        const char *class = json_string_value(json_object_get(item, "class"));
        if (class != NULL && json_is_object(state) && strcmp(class, name) == 0 && nth-- == 0)
            return state;
    }
    return NULL;
}

convoy_status callbacks_resume(callbacks *c, callback_run *run, const json_t *list, convoy_error *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const callback_class *class = c->list[i].class;
        size_t nth = 0;
        for (size_t k = 0; k < i; k++)
            nth += c->list[k].class == class;
        const json_t *state = class->resume ? find_kept(list, class->name, nth) : NULL;
        if (state != NULL)
            TRY(class->resume(c->list[i].state, run, state, err));
        else if (class->resume)
            rt_message(run->ctx, "%s was not there before: it begins afresh", class->name);
    }
    return CONVOY_OK;
}

/* ---- TerminateOnNaN: the loop asks, nothing else happens ---- */

typedef struct terminate {
    bool raise_error;
} terminate;

static const option terminate_options[] = {
    {.name = "raise_error", .kind = OPTION_BOOL, .offset = offsetof(terminate, raise_error), .standard = "false"}, {0}};

const callback_class terminate_on_nan_callback = {
    .name = "TerminateOnNaN", .state_size = sizeof(terminate), .options = terminate_options};

bool callbacks_terminate_on_nan(const callbacks *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].class == &terminate_on_nan_callback && !((const terminate *)c->list[i].state)->raise_error)
            return true;
    return false;
}
