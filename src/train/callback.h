/* Callbacks: what happens at the end of an epoch. A row each in callbacks.c; a new one is a row and a file. */
#ifndef CALLBACK_H
#define CALLBACK_H

#include "base/text.h"
#include "train/trainer.h"
#include "words/option.h"

/* ---- what a callback sees and may do ---- */

#define CALLBACK_MOST_LOGS (2 * (CONVOY_MOST_METRICS + 1) + 4) /* of training and validation, and what callbacks add */

/* Keras's logs of an epoch: names in Keras's order, values rounded to float32 as its metrics are. Callbacks may add to it. */
typedef struct callback_logs {
    int count;
    struct {
        char name[64];
        double value;
    } row[CALLBACK_MOST_LOGS];
} callback_logs;

void callback_logs_set(callback_logs *logs, const char *name, double value);
/* NULL: there is none of that name. */
const double *callback_logs_find(const callback_logs *logs, const char *name);
/* "accuracy, loss": for messages; returns out. */
const char *callback_logs_names(const callback_logs *logs, char *out, size_t size);

/* Loss and accuracy of an epoch. */
callback_logs callback_logs_of(const convoy_epoch *epoch);

typedef struct callback_run {
    convoy_context *ctx;
    trainer *trainer;
    convoy_model *model;
    bool stop;        /* set it to end the training after this epoch */
    double seconds;   /* that the epoch took */
    size_t steps;     /* that it had */
    const struct record *record; /* what is to be kept of the run where the model is saved; NULL: nothing */
    struct callbacks *all;
} callback_run;

typedef struct callback_class {
    const char *name; /* as Keras spells it: "EarlyStopping" */
    size_t state_size;
    const option *options;
    /* Any may be NULL. `epoch` counts from 0. `end` comes only after a run that was not interrupted, when the weights are back
     * in the model. */
    convoy_status (*check)(void *state, convoy_error *err); /* the options, read */
    convoy_status (*begin)(void *state, callback_run *run, convoy_error *err);
    convoy_status (*epoch_end)(void *state, callback_run *run, int epoch, callback_logs *logs, convoy_error *err);
    convoy_status (*saved)(void *state, callback_run *run, int epoch, convoy_error *err); /* when all have seen the epoch's end */
    convoy_status (*end)(void *state, callback_run *run, convoy_error *err);
    /* What it must know to go on later, into an object; and back, from one that may hold anything. Weights that are kept go beside
     * the model's. */
    convoy_status (*keep)(const void *state, callback_run *run, json_t *out, convoy_error *err);
    convoy_status (*resume)(void *state, callback_run *run, const json_t *kept, convoy_error *err);
    void (*destroy)(void *state);
} callback_class;

extern const callback_class early_stopping_callback, model_checkpoint_callback, reduce_rate_callback, csv_logger_callback,
    tensorboard_callback, terminate_on_nan_callback;

const callback_class *callback_class_at(size_t i); /* NULL past the end */

/* ---- the list ---- */

typedef struct callbacks callbacks;

/* From texts in Keras's spelling, "EarlyStopping(patience=3)", NULL-terminated (NULL: none).
 * Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status callbacks_create(const char *const *texts, callbacks **out, convoy_error *err);
void callbacks_destroy(callbacks *c);

convoy_status callbacks_begin(callbacks *c, callback_run *run, convoy_error *err);
convoy_status callbacks_epoch_end(callbacks *c, callback_run *run, const convoy_epoch *epoch, convoy_error *err);
convoy_status callbacks_end(callbacks *c, callback_run *run, convoy_error *err);

/* What they know, as a list of {"class": NAME, "state": {...}}, a new reference; and back: of each class the first takes up the
 * first one's, and so on, and those that find none say so. */
convoy_status callbacks_keep(const callbacks *c, callback_run *run, json_t **out, convoy_error *err);
convoy_status callbacks_resume(callbacks *c, callback_run *run, const json_t *list, convoy_error *err);
/* Is there one that must know something to go on? */
bool callbacks_keep_something(const callbacks *c);

/* Is a loss that is not finite to end the training without an error? */
bool callbacks_terminate_on_nan(const callbacks *c);

/* ---- the lines of CSVLogger ---- */

/* `keys` name the columns, in their order. `twice`: there is no validation, for which Keras makes columns all the same. */
void callback_csv_header(const callback_logs *keys, const char *separator, bool twice, text *out);
/* `epoch` counts from 0. */
void callback_csv_row(int epoch, const callback_logs *keys, const callback_logs *logs, const char *separator, bool twice,
                      text *out);

/* ---- what those that watch a value share ---- */

typedef struct monitor {
    char name[OPTION_TEXT_SIZE];
    int mode;         /* auto, min, max */
    double min_delta;
    /* the rest is set by monitor_check */
    bool greater, warned;
    double delta;
} monitor;

extern const char *const monitor_modes[];

/* Rows of the options; `member` is the monitor in the state. */
#define MONITOR_OPTIONS(type, member, delta_standard)                                                                  \
    {.name = "monitor", .kind = OPTION_TEXT, .offset = offsetof(type, member.name), .standard = "\"val_loss\""},       \
    {.name = "mode", .kind = OPTION_CHOICE, .offset = offsetof(type, member.mode), .standard = "\"auto\"",             \
     .choices = monitor_modes},                                                                                        \
    {.name = "min_delta", .kind = OPTION_FLOAT, .offset = offsetof(type, member.min_delta), .standard = delta_standard}

/* Decides what is better. `who` is the callback, for messages. */
convoy_status monitor_check(monitor *m, const char *who, convoy_error *err);
/* The value, or NULL, with a warning the first time, when the logs have none. */
const double *monitor_value(monitor *m, const char *who, callback_run *run, const callback_logs *logs);
/* Adds what is watched, and the best so far, to what a callback keeps; returns not zero when out of memory. And back: false, with a
 * word, when something else was watched. */
int monitor_keep(const monitor *m, bool has_best, double best, json_t *out);
bool monitor_resume(const monitor *m, const char *who, callback_run *run, const json_t *kept, bool *has_best, double *best);
bool monitor_is_better(const monitor *m, double value, double than);

#endif
