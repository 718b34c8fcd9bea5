/* A run's folder, read: what is in its files. */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include <jansson.h>
#include <stdbool.h>

#include "model/model.h"

/* A row of history.csv. NAN: not known. */
typedef struct history_row {
    double epoch; /* from 0, as Keras counts */
    double accuracy, loss, val_accuracy, val_loss;
} history_row;

typedef struct history {
    history_row *rows; /* owned */
    size_t count;
} history;

typedef struct report_run {
    const char *folder; /* as given; the caller's */
    char name[256];     /* its last part: what the page calls the run */
    json_t *info;       /* run.json, an object */
    json_t *launches;   /* launches.json's list; NULL: there is none */
    history history;    /* no rows: there is none */
    convoy_model *model; /* NULL: there is none */
} report_run;

/* Only run.json must be there. Errors name the file. */
convoy_status run_open(const char *folder, report_run *out, convoy_error *err);
void run_close(report_run *r);

/* A value of run.json by its path, "fit.batch_size"; NULL where it is missing or null. */
const json_t *run_value(const report_run *r, const char *path);
const char *run_text(const report_run *r, const char *path); /* NULL: missing, or no text */
double run_number(const report_run *r, const char *path);    /* NAN: missing, or no number */
bool run_has_argument(const report_run *r, const char *word); /* in the command that made the run */

/* What class `label` is called: by run.json, by the model, or else its number, which is written to `number`. */
const char *run_class_name(const report_run *r, int label, char number[16]);

/* history.c: the text of a file of Keras's CSVLogger; CONVOY_ERROR_FORMAT tells the line. The caller frees out->rows. */
convoy_status history_parse(const char *csv, history *out, convoy_error *err);

#endif
