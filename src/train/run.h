/* The inside of a recorded run. run.c keeps the files, run_json.c knows what stands in run.json. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include <jansson.h>

#include "base/text.h"
#include "convoy/run.h"
#include "train/callback.h"

struct convoy_run {
    convoy_context *ctx;
    convoy_model *model;
    char *folder;
    bool ours;   /* the folder was found empty or made */
    bool made;   /* made */
    bool kept;   /* there is something in it that is worth keeping */
    bool warned;

    json_t *root;        /* run.json */
    callback_logs keys;  /* history.csv's columns */
    text history;
    int batch;           /* of a step */
    double seconds, images; /* of the epochs so far */

    /* what the options said before */
    int (*on_progress)(void *user, const convoy_progress *progress);
    int (*on_epoch)(void *user, const convoy_epoch *epoch);
    void *user;
};

/* Makes root: all that is known before the first epoch. */
convoy_status run_json_begin(convoy_run *run, const convoy_run_options *options, const convoy_dataset *data,
                             const convoy_fit_options *fit, convoy_error *err);
/* Parts of it that change. Out of memory shows when it is written. */
void run_json_epoch(convoy_run *run, const convoy_epoch *epoch);
void run_json_first_step(convoy_run *run, double seconds);
void run_json_finish(convoy_run *run, const convoy_metrics *test);
/* Images that a report predicts at once, keeping what every layer gives: the run's batch, where that is not too large. */
int run_report_batch(double batch);
/* launches.json; a new reference, NULL when out of memory. */
json_t *run_json_launches(const convoy_bench_result *result);

#endif
