/* A RUN folder: what a training run was told to do, how it went and what came of it. convoy report reads such folders. */
#ifndef CONVOY_RUN_H
#define CONVOY_RUN_H

#include <stddef.h>

#include "convoy/bench.h"
#include "convoy/dataset.h"
#include "convoy/device.h"
#include "convoy/error.h"
#include "convoy/model.h"
#include "convoy/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps a record of one training run. Its files, each written to a temporary name, synced and renamed:
 *   run.json       what was given, the data, the device, timings, the test; "finished" tells whether all of the run was done
 *   history.csv    a row an epoch, as Keras's CSVLogger writes it: epoch (from 0), accuracy, learning_rate, loss and, where there
 *                  is validation, val_accuracy, val_loss
 *   model.keras    the model at the end, or as far as it got
 *   launches.json  one training step, launch by launch
 * The first two stand there from the beginning and are brought up to date after each epoch. So:
 *
 *     convoy_run_create(&(convoy_run_options){.folder = "run"}, ctx, model, data, &fit, &run, &err);
 *     convoy_fit(ctx, model, data, &fit, &result, &err);
 *     convoy_run_save(run, &result, &err);       also after an interruption
 *     convoy_run_finish(run, &tested, &err);
 *     convoy_run_profile(run, NULL, &err);       if wanted
 *     convoy_run_destroy(run);
 */
typedef struct convoy_run convoy_run;

typedef struct convoy_run_options {
    const char *folder; /* is made, with its parents; if it is there, it must be empty */

    /* Words for run.json, as the user gave them; bytes that are not UTF-8 become '?'. Each may be NULL. */
    const char *const *command;            /* the command line, NULL-terminated */
    const char *model, *data, *validation; /* what the model, the data and the validation data are called */

    size_t test_images;
    double test_scale; /* what the pixels of test images are divided by; 0: as convoy_pixels_for says */
} convoy_run_options;

convoy_status convoy_run_create_sized(const convoy_run_options *options, size_t options_size, convoy_context *ctx,
                                      convoy_model *model, const convoy_dataset *data, convoy_fit_options *fit, size_t fit_size,
                                      convoy_run **out, convoy_error *err);
/* Makes the folder and plugs the recorder into the options that convoy_fit will be called with, right after this, for the same
 * context, model and data: their on_epoch, on_progress and user become the recorder's, which calls the caller's own. All of them
 * must outlive the recorder. A file that can't be written after an epoch is told through the context's message hook and does not
 * end the training.
 * Errors: CONVOY_ERROR_FILE (the folder is not empty or can't be written), CONVOY_ERROR_ARGUMENT (as of convoy_fit_check),
 * CONVOY_ERROR_UNSUPPORTED (built without .keras files). */
static inline convoy_status convoy_run_create(const convoy_run_options *options, convoy_context *ctx, convoy_model *model,
                                              const convoy_dataset *data, convoy_fit_options *fit, convoy_run **out,
                                              convoy_error *err)
{
    return convoy_run_create_sized(options, sizeof *options, ctx, model, data, fit, sizeof *fit, out, err);
}

/* After convoy_fit: writes the model and brings the other files up to date. `result` may be NULL. */
convoy_status convoy_run_save(convoy_run *run, const convoy_fit_result *result, convoy_error *err);

/* The run is done. `test` is what the model does on test images; NULL: it was not tested. */
convoy_status convoy_run_finish(convoy_run *run, const convoy_metrics *test, convoy_error *err);

convoy_status convoy_run_profile_sized(convoy_run *run, const convoy_bench_options *options, size_t options_size, convoy_error *err);
/* Measures the launches of a training step on random images, as convoy_bench_training does, and writes launches.json; then
 * builds the kernels that a report runs, so that making one takes a second. In the options (NULL: all of these) zero means: the
 * run's batch size, 5 steps, 1 repetition. */
static inline convoy_status convoy_run_profile(convoy_run *run, const convoy_bench_options *options, convoy_error *err)
{
    return convoy_run_profile_sized(run, options, sizeof *options, err);
}

/* A run that ended with neither an epoch done nor a call of convoy_run_save leaves nothing behind. NULL is allowed. */
void convoy_run_destroy(convoy_run *run);

#ifdef __cplusplus
}
#endif
#endif
