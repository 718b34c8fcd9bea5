/* Training, evaluation and prediction of a model on a device. */
#ifndef CONVOY_TRAIN_H
#define CONVOY_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/dataset.h"
#include "convoy/device.h"
#include "convoy/error.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Loss and accuracy over one pass: the mean over all images, as Keras reports them. */
typedef struct convoy_metrics {
    double loss, accuracy;
    double seconds;
    size_t images;
} convoy_metrics;

typedef struct convoy_epoch {
    int epoch; /* from 1 */
    convoy_metrics train;
    bool has_validation;
    convoy_metrics validation;
} convoy_epoch;

/* Progress within an epoch, at most every 50 ms; `done` images of `total`, means so far. */
typedef struct convoy_progress {
    int epoch, epochs;         /* 0 of 0 while evaluating */
    size_t step, steps;        /* steps done, steps in the epoch */
    convoy_metrics so_far;
} convoy_progress;

typedef struct convoy_fit_options {
    int epochs;               /* 0: 1 */
    int batch_size;           /* images; 0: 32 */
    const char *optimizer;    /* "adam" (NULL) or "sgd" */
    double learning_rate;     /* 0: Keras's default (adam 0.001, sgd 0.01) */
    double momentum;          /* sgd only */
    bool from_probabilities;  /* the model ends in probabilities (Keras's from_logits=False); default: logits */
    uint64_t seed;            /* order of the images */
    bool no_shuffle;
    const convoy_dataset *validation; /* evaluated after each epoch; may be NULL */
    double validation_split;  /* last fraction of the data held out, when validation is NULL */
    double train_scale, validation_scale; /* pixels are divided by this; 0: 255 */
    bool stream;              /* keep the data on the host and stream batches even if the device could hold it */

    /* Called as the work goes on; return non-zero to stop (CONVOY_ERROR_INTERRUPTED). May be NULL. */
    int (*on_progress)(void *user, const convoy_progress *progress);
    int (*on_epoch)(void *user, const convoy_epoch *epoch);
    void *user;
} convoy_fit_options;

typedef struct convoy_fit_result {
    double first_step_seconds; /* from the call of convoy_fit to the end of the first training step */
    bool streamed;             /* the data did not fit the device */
    size_t planned_bytes;      /* device memory that the plan decided on */
} convoy_fit_result;

/* Trains `model` in place: sparse categorical cross-entropy, Keras's arithmetic. The weights go to the device once and come
 * back at the end (also after an interruption). `options` and `result` may be NULL.
 * Errors: CONVOY_ERROR_MODEL (shapes of data and model differ), CONVOY_ERROR_DEVICE_MEMORY, CONVOY_ERROR_NOT_FINITE (the
 * message names epoch, step and first bad layer). */
convoy_status convoy_fit(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                         const convoy_fit_options *options, convoy_fit_result *result, convoy_error *err);

typedef struct convoy_evaluate_options {
    int batch_size;          /* 0: 32 */
    bool from_probabilities;
    double scale;            /* pixels are divided by this; 0: 255 */
    bool stream;
    int (*on_progress)(void *user, const convoy_progress *progress);
    void *user;
} convoy_evaluate_options;

convoy_status convoy_evaluate(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                              const convoy_evaluate_options *options, convoy_metrics *out, convoy_error *err);

/* Runs the model on `count` float32 inputs (count x input shape, NHWC, already scaled); `outputs` is count x output shape. */
convoy_status convoy_predict(convoy_context *ctx, convoy_model *model, const float *inputs, size_t count, int batch_size,
                             float *outputs, convoy_error *err);

/* The same in two steps, for inputs that come one after another: all that takes time is done once, at creation. The model's
 * weights of that moment are used; model and context must outlive the predictor. */
typedef struct convoy_predictor convoy_predictor;

/* `batch_size`: how many inputs go through the model at once; 0: 32. */
convoy_status convoy_predictor_create(convoy_context *ctx, convoy_model *model, int batch_size, convoy_predictor **out,
                                      convoy_error *err);
convoy_status convoy_predictor_run(convoy_predictor *p, const float *inputs, size_t count, float *outputs,
                                   convoy_error *err);
void convoy_predictor_destroy(convoy_predictor *p);

#ifdef __cplusplus
}
#endif
#endif
