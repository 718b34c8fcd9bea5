/* Finds, by trying, which kernels and which of their parameters are fastest for a model on a device, and remembers it. */
#ifndef CONVOY_TUNE_H
#define CONVOY_TUNE_H

#include <stdbool.h>
#include <stddef.h>

#include "convoy/device.h"
#include "convoy/error.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One problem: a pass of a convolution or of a dense layer at the shape it has in the model. */
typedef struct convoy_tune_row {
    char problem[192];     /* "conv2d forward 15x15x32 3x3x64 stride 1x1 ... batch 64" */
    char pass[24];         /* "forward", "backward data" or "backward filter" */
    size_t index;          /* in the order of a training step, from 0 */
    char layer[128];       /* the first layer that has it */
    int layers;            /* how many have it: their times are the same */
    bool tuned;            /* candidates were tried; false: the time was up, and tuned_... say what untuned_... do */
    double untuned_microseconds, tuned_microseconds; /* of one pass over a batch: the least of several, both from one race */
    char untuned[192], tuned_to[192]; /* "vec_images VW=16 VECTORS=2 IMAGES=8"; the same where nothing faster was found */
    size_t tried;          /* candidates besides the untuned one */
    size_t wrong;          /* of these, those that computed wrong values, which were left out ... */
    char wrong_text[320];  /* ... and what was wrong with the first */
} convoy_tune_row;

typedef struct convoy_tune_progress {
    double seconds, total_seconds; /* gone by, allowed */
    size_t problem, problems;      /* which one is at work, from 1; 0 while the untuned times are measured */
    const convoy_tune_row *row;    /* what is known of it so far */
} convoy_tune_progress;

typedef struct convoy_tune_options {
    int batch_size;          /* images in a step; 0: 64. Other batch sizes make use of what is found, up to a factor of 4 */
    double seconds;          /* for everything; 0: 30. Exceeded by one candidate's build at most */
    const char *export_file; /* also write what is better than untuned to this file, as it ships in data/tune; NULL: none */
    const char *how;         /* noted there: how it was measured; NULL: "convoy_tune" */

    /* Called as the work goes on; return non-zero to stop. What was found until then is kept. May be NULL. */
    int (*on_progress)(void *user, const convoy_tune_progress *progress);
    /* Called once for each problem when it is done; non-zero stops. May be NULL. */
    int (*on_row)(void *user, const convoy_tune_row *row);
    void *user;
} convoy_tune_options;

typedef struct convoy_tune_result {
    size_t problems, improved;
    double untuned_microseconds, tuned_microseconds; /* sums over all layers: the time of these passes in a step */
    double seconds;
    /* Where CLBlast multiplies (GPUs): better parameters of its kernels than its own, "XgemmDirect WGD=16 ..."; empty: none were
     * found, or it does not. Its products together, before and after. */
    char clblast[512];
    double clblast_untuned_microseconds, clblast_tuned_microseconds;
    char saved[1200];        /* the file of records; empty: the context has no cache folder, and nothing is kept on disk */
} convoy_tune_result;

convoy_status convoy_tune_sized(convoy_context *ctx, const convoy_model *model, const convoy_tune_options *options,
                                size_t options_size, convoy_tune_result *result, convoy_error *err);
/* Tunes the passes of a training step of `model` (and with them those of evaluation and prediction): forward, gradient of the data,
 * gradient of the weights. Time goes to each in proportion to what it takes untuned. Candidates run on random data; before one
 * may replace the untuned kernels it has to be faster, beyond noise and more than once, and its values right, compared with the
 * definition in double. Model and weights are left alone.
 *
 * What is found is written after each problem to the user's file for this device, driver, vector width and version of Convoy, in
 * the folder "tune" of the context's cache folder, and is used by this context and all later ones (convoy_context_options.tuning).
 * Where CLBlast multiplies, the last fifth of the time goes to the parameters of its kernels. It keeps those itself, for the whole
 * process, and offers no way back to its own: where none are better, this process goes on with the best of those tried.
 *
 * `options` and `result` may be NULL. Errors: CONVOY_ERROR_ARGUMENT where the context forces a family of kernels or a GEMM: what
 * wins among a part of the kernels is not what should be remembered; CONVOY_ERROR_DEVICE where the untuned kernels compute wrong
 * values; CONVOY_ERROR_DEVICE_MEMORY; CONVOY_ERROR_FILE (records can't be written); CONVOY_ERROR_INTERRUPTED after a callback
 * asked to stop (the result is filled, and what was found is kept). */
static inline convoy_status convoy_tune(convoy_context *ctx, const convoy_model *model, const convoy_tune_options *options,
                                        convoy_tune_result *result, convoy_error *err)
{
    return convoy_tune_sized(ctx, model, options, sizeof *options, result, err);
}

#ifdef __cplusplus
}
#endif
#endif
