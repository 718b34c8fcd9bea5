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

#define CONVOY_MOST_METRICS 16
#define CONVOY_METRIC_NAME_SIZE 56

typedef struct convoy_metric {
    char name[CONVOY_METRIC_NAME_SIZE]; /* Keras's: "precision" */
    double value;
} convoy_metric;

/* Loss and metrics over one pass, over all images, as Keras reports them: the loss weighted as the options say, the metrics not. */
typedef struct convoy_metrics {
    double loss, accuracy; /* accuracy: the share of images whose class is predicted (see metrics below), chosen or not */
    double seconds;
    size_t images;
    int count;             /* the loss and the metrics that were chosen, in Keras's order, which is that of the names' bytes */
    convoy_metric metric[CONVOY_MOST_METRICS + 1];
} convoy_metrics;

typedef struct convoy_epoch {
    int epoch; /* from 1 */
    bool last; /* training ends here: the epochs are over, or a callback stopped it */
    double learning_rate; /* of the next step */
    double logged_rate;   /* that before callbacks changed it: what Keras logs as learning_rate */
    double first_step_seconds; /* as in convoy_fit_result */
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
    int epochs;               /* of the whole run; 0: 1 */
    /* How many of them are done, as in Keras: to go on with a run that was stopped, whose model says what its callbacks know (the
     * best so far, how long they have waited), in which order the images come next and what its epochs gave. A model that was
     * saved after another number of epochs, or by another program, says nothing of it: callbacks then begin afresh, and
     * on_message is told. 0: a new run. A run that was stopped within an epoch does that epoch again, from its first image, with the
     * weights it had come to. */
    int initial_epoch;
    int batch_size;           /* images; 0: 32 */
    /* Keras's optimizers, written as in Keras: "adam", "sgd(momentum=0.9, nesterov=True)", "adamw(clipnorm=1)"; there are
     * adam, sgd, adamw, rmsprop, adagrad, adadelta, nadam, lamb and lion, with all options of Keras 3.15 but
     * loss_scale_factor. NULL: the model's own, as a file or an earlier run left it; adam where it has none.
     * A model that carries the state of the same optimizer goes on from it. */
    const char *optimizer;
    double learning_rate;     /* 0: as the optimizer says; Keras's default is 0.001, for sgd 0.01 */
    /* A rate that follows the steps: "CosineDecay(initial_learning_rate=0.1, decay_steps=1000)"; also ExponentialDecay,
     * PiecewiseConstantDecay, PolynomialDecay, InverseTimeDecay, CosineDecayRestarts, all as in Keras, and
     * "OneCycle(max_learning_rate=0.1, total_steps=1000, pct_start=0.3, div_factor=25, final_div_factor=1e4,
     * anneal_strategy=cos)", as PyTorch's OneCycleLR. NULL: none. */
    const char *learning_rate_schedule;
    double momentum;          /* of sgd and rmsprop, others refuse it; 0: as the optimizer says */
    /* Keras's losses, written as in Keras, by class or snake-case name: "CategoricalCrossentropy(label_smoothing=0.1)", "mse".
     *   SparseCategoricalCrossentropy(from_logits, ignore_class)
     *   CategoricalCrossentropy(from_logits, label_smoothing)
     *   BinaryCrossentropy(from_logits, label_smoothing)
     *   CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing), alpha a number or one for each class
     *   BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing)
     *   MeanSquaredError(), MeanAbsoluteError(), MeanAbsolutePercentageError(), MeanSquaredLogarithmicError(), Huber(delta),
     *   LogCosh(), CosineSimilarity(), KLDivergence(), Poisson(), Hinge(), SquaredHinge(), CategoricalHinge()
     *   Dice(axis), Tversky(alpha, beta, axis): axis None, of a whole batch, or -1, of each image
     * All but the first see a label as keras.utils.to_categorical would make it, as long as the model has outputs; a model with
     * a single output is compared with the label itself (not by SparseCategoricalCrossentropy, CategoricalCrossentropy and
     * CategoricalFocalCrossentropy), which for the binary ones and for Hinge and SquaredHinge is 0 or 1.
     * All take a reduction: "sum_over_batch_size", "mean", "sum", "none", None, "mean_with_sample_weight". A loss is told as Keras
     * does it: the batches' losses, weighted by their images.
     * from_logits is False where it is not given, as in Keras: the outputs are probabilities, clipped to 1e-7 .. 1 - 1e-7.
     * Of a model that ends in sigmoid or softmax the crossentropies take the logits in front of that, as Keras on TensorFlow does,
     * whatever from_logits says: so a confidently wrong output is corrected too.
     * NULL: the model's own, as a file or an earlier run left it; else BinaryCrossentropy of a model that ends in sigmoids, and of
     * others SparseCategoricalCrossentropy, from logits unless the model ends in softmax. */
    const char *loss;
    bool from_probabilities;  /* without `loss`: the outputs are probabilities, whatever the model's own loss says */
    /* Keras's metrics, NULL-terminated, each with a name if you like:
     *   "accuracy" ("acc"), "SparseCategoricalAccuracy", "CategoricalAccuracy", "BinaryAccuracy(threshold)",
     *   "TopKCategoricalAccuracy(k)", "SparseTopKCategoricalAccuracy(k)"
     *   "Precision(thresholds, top_k, class_id)", "Recall(thresholds, top_k, class_id)", "TruePositives(thresholds)", FalsePositives,
     *   TrueNegatives, FalseNegatives
     *   "AUC(num_thresholds, curve, summation_method, multi_label, label_weights, from_logits)", "PrecisionAtRecall(recall,
     *   num_thresholds, class_id)", RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity
     *   "F1Score(average, threshold)", "FBetaScore(average, beta, threshold)": average must be "macro", "micro" or "weighted"
     *   "MeanIoU(num_classes, ignore_class, sparse_y_pred)", "IoU(num_classes, target_class_ids, ...)", OneHotIoU, OneHotMeanIoU,
     *   "BinaryIoU(target_class_ids, threshold)"
     *   "R2Score(class_aggregation, num_regressors)", RootMeanSquaredError, and the means of losses: MeanSquaredError,
     *   MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, LogCoshError, CosineSimilarity, KLDivergence,
     *   Poisson, Hinge, SquaredHinge, CategoricalHinge, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
     * The word accuracy counts images whose largest output, the first on ties, is at the label; of a single output, those where
     * output > 0.5 is the label. Metrics of values see the label made one-hot, of a single output the label itself. Any of them
     * goes with any loss; Keras wants them to see labels as the loss does, sparse or one-hot. NULL or none: the model's own, which
     * may be weighted by the images' weights (weighted_metrics), else accuracy.
     * A loss or metrics of the model's own that Convoy does not have are kept in what is written, and refused here by name. */
    const char *const *metrics;
    /* Weights of the images' losses: the loss of a batch is sum(weight x loss) / images. Of classes, as in Keras: "{0: 1.0, 3:
     * 2.5}", the brackets may be left out; a class that is not named weighs 1. Or of images: as many floats as `data` has
     * images. They exclude each other. Neither changes metrics, but those of a file's weighted_metrics. Validation sees sample
     * weights only when a validation_split takes its images, and class weights never. NULL: all weigh 1. */
    const char *class_weight;
    const float *sample_weight;
    uint64_t seed;            /* order of the images, and what layers like Dropout draw */
    bool no_shuffle;
    const convoy_dataset *validation; /* evaluated after each epoch; may be NULL */
    /* This fraction of the data is held out, when validation is NULL, and evaluated after each epoch: its last images, before any
     * shuffling, as Keras does. But where the images stand class after class, as a folder's do, those would be the last classes: then
     * it is the last images of each class, as many of each as the fraction says, rounded so that they add up to the whole. The
     * context's on_message is told so. */
    double validation_split;
    double train_scale, validation_scale; /* pixels are divided by this; 0: as convoy_pixels_for says */
    bool stream;              /* keep the data on the host and stream batches even if the device could hold it */

    /* Keras's callbacks, written as in Keras, NULL-terminated; NULL: none. They run after each epoch in the order given, before
     * on_epoch. Their texts (verbose=1) go to the context's on_message.
     *   EarlyStopping(monitor, min_delta, patience, verbose, mode, baseline, restore_best_weights, start_from_epoch)
     *   ModelCheckpoint(filepath, monitor, verbose, save_best_only, mode, initial_value_threshold), the path with fields:
     *     "best-{epoch:02d}-{val_loss:.2f}.keras"
     *   ReduceLROnPlateau(monitor, factor, patience, verbose, mode, min_delta, cooldown, min_lr)
     *   CSVLogger(filename, separator, append)
     *   TensorBoard(log_dir, histogram_freq, write_images, write_steps_per_second): write_images goes with histogram_freq
     *   TerminateOnNaN(raise_error): a loss that is not finite ends the training without an error, the weights as they were in
     *     front of that step (Keras leaves them not finite)
     * Values to watch: loss, the metrics by their names, and with validation val_loss, val_NAME; of a metric whose name is not
     * Keras's a callback must be told that more is better: mode=max. A callback of your own is on_epoch. */
    const char *const *callbacks;

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

convoy_status convoy_fit_sized(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                               const convoy_fit_options *options, size_t options_size, convoy_fit_result *result, convoy_error *err);
/* What there is, from 0 on: "adam", "SparseCategoricalCrossentropy", "accuracy"; NULL past the last. */
const char *convoy_optimizer_name(size_t i);
const char *convoy_loss_name(size_t i);
const char *convoy_metric_name(size_t i);

/* Trains `model` in place, with Keras's arithmetic; the model keeps optimizer, loss and metrics, the names of the data's classes where
 * it has none, and what initial_epoch goes on from. The weights go to the device once and come
 * back at the end (also after an interruption). `options` and `result` may be NULL.
 * Errors: CONVOY_ERROR_MODEL (shapes of data and model differ, or the numbers of named classes), CONVOY_ERROR_DEVICE_MEMORY,
 * CONVOY_ERROR_NOT_FINITE (the message names epoch, step and first bad layer). */
static inline convoy_status convoy_fit(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                                       const convoy_fit_options *options, convoy_fit_result *result, convoy_error *err)
{
    return convoy_fit_sized(ctx, model, data, options, sizeof *options, result, err);
}

convoy_status convoy_fit_check_sized(const convoy_fit_options *options, size_t options_size, convoy_error *err);
/* Looks at the numbers and texts of the options without a device or data. Errors: CONVOY_ERROR_ARGUMENT. convoy_fit does so too. */
static inline convoy_status convoy_fit_check(const convoy_fit_options *options, convoy_error *err)
{
    return convoy_fit_check_sized(options, sizeof *options, err);
}

typedef struct convoy_evaluate_options {
    int batch_size;          /* 0: 32 */
    const char *loss;        /* these as in convoy_fit_options */
    bool from_probabilities;
    const char *const *metrics;
    const float *sample_weight;
    double scale;            /* pixels are divided by this; 0: as convoy_pixels_for says */
    bool stream;
    /* NULL, or room for N x N counts, N = convoy_confusion_size: [i * N + k] gets how many images of class i were taken for
     * class k, the one that convoy_outputs_class tells. */
    size_t *confusion;
    int (*on_progress)(void *user, const convoy_progress *progress);
    void *user;
} convoy_evaluate_options;

/* Rows and columns of a confusion matrix: the model's outputs, at least 2 and at least the data's classes. */
int convoy_confusion_size(const convoy_model *model, const convoy_dataset *data);

convoy_status convoy_evaluate_sized(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                                    const convoy_evaluate_options *options, size_t options_size, convoy_metrics *out,
                                    convoy_error *err);
static inline convoy_status convoy_evaluate(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                                            const convoy_evaluate_options *options, convoy_metrics *out, convoy_error *err)
{
    return convoy_evaluate_sized(ctx, model, data, options, sizeof *options, out, err);
}

/* Runs the model on `count` float32 inputs (count x input shape, NHWC, already scaled); `outputs` is count x output shape. */
convoy_status convoy_predict(convoy_context *ctx, convoy_model *model, const float *inputs, size_t count, int batch_size,
                             float *outputs, convoy_error *err);

/* The same for models with several inputs and outputs: inputs[k] goes to input k, outputs[k] gets what output k gives. */
convoy_status convoy_predict_all(convoy_context *ctx, convoy_model *model, const float *const *inputs, size_t count,
                                 int batch_size, float *const *outputs, convoy_error *err);

/* The same in two steps, for inputs that come one after another: all that takes time is done once, at creation. The model's
 * weights of that moment are used; model and context must outlive the predictor. */
typedef struct convoy_predictor convoy_predictor;

/* `batch_size`: how many inputs go through the model at once; 0: 32. */
convoy_status convoy_predictor_create(convoy_context *ctx, convoy_model *model, int batch_size, convoy_predictor **out,
                                      convoy_error *err);
convoy_status convoy_predictor_run(convoy_predictor *p, const float *inputs, size_t count, float *outputs,
                                   convoy_error *err);
void convoy_predictor_destroy(convoy_predictor *p);

/* A predictor that also keeps what every layer gives (its activations), until it runs again. That takes more of the device's memory:
 * the outputs of all layers for a whole batch. */
convoy_status convoy_predictor_create_keeping(convoy_context *ctx, convoy_model *model, int batch_size,
                                              convoy_predictor **out, convoy_error *err);

/* What layer `layer` (numbered as convoy_model_layer_name does) gave for the first `rows` inputs of the last batch: rows x the shape
 * that convoy_model_layer_output tells, float32, go to `out`. The last batch are the last (count - 1) % batch_size + 1 inputs of
 * convoy_predictor_run: run it with at most batch_size inputs to get all. What a layer gives is what comes behind its activation;
 * of a layer that is used several times it is what its first use gave.
 * Errors: CONVOY_ERROR_ARGUMENT (no such layer, more rows than ran, or the predictor does not keep them). */
convoy_status convoy_predictor_layer(convoy_predictor *p, size_t layer, size_t rows, float *out, convoy_error *err);

#ifdef __cplusplus
}
#endif
#endif
