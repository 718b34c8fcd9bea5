/* One training step after another: the plan, the data and the optimizer of a model in training. */
#ifndef TRAINER_H
#define TRAINER_H

#include "convoy/train.h"
#include "plan/plan.h"
#include "train/objective.h"

typedef struct trainer trainer;

/* Uses seed, batch_size, optimizer, learning_rate, learning_rate_schedule, momentum, loss, from_probabilities, metrics, the
 * weights, train_scale and stream of the options. Model, data and sample weights must outlive the trainer. */
convoy_status trainer_create(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                             const convoy_fit_options *options, trainer **out, convoy_error *err);
void trainer_destroy(trainer *t);

/* Starts an epoch: shuffles by (seed, epoch number) or restores the order of the data. The epoch's number counts on from the
 * steps that the optimizer has done before, so that a run in two parts sees what one run sees. */
convoy_status trainer_begin_epoch(trainer *t, uint64_t seed, bool shuffle, convoy_error *err);

/* Epochs are numbered from here on, whatever the optimizer has done. */
void trainer_number_epochs(trainer *t, uint32_t next);

/* One step on rows [first, first + batch) of the current order; `loss` (may be NULL: nothing is read back) gets its mean. */
convoy_status trainer_step(trainer *t, size_t first, int batch, double *loss, convoy_error *err);

/* What trainer_step does before and after it plays the launches, for who plays them in pieces. */
convoy_status trainer_begin_step(trainer *t, size_t first, int batch, convoy_error *err);
convoy_status trainer_end_step(trainer *t, convoy_error *err);

/* Sends the rows of the next step while the device works (streamed data only). */
convoy_status trainer_prefetch(trainer *t, size_t first, int batch, convoy_error *err);

/* Means over the `steps` steps since the epoch began. A loss that is not finite: CONVOY_ERROR_NOT_FINITE, the message names
 * epoch, step and the first bad layer. */
convoy_status trainer_metrics(trainer *t, int epoch, size_t steps, size_t images, convoy_metrics *out,
                              convoy_error *err);

/* After the last step of a run that was not interrupted: what the optimizer has still to do. */
convoy_status trainer_finish(trainer *t, convoy_error *err);

/* The learning rate of the next step. Where a schedule decides on it, setting it is CONVOY_ERROR_ARGUMENT. */
double trainer_rate(const trainer *t);
convoy_status trainer_set_rate(trainer *t, double rate, convoy_error *err);
/* Steps that the optimizer has done, those of earlier runs included. */
uint64_t trainer_steps(const trainer *t);

/* Weights and the optimizer's state back into the model. Waits. */
convoy_status trainer_download(trainer *t, convoy_error *err);
/* The weights alone. */
convoy_status trainer_download_weights(trainer *t, convoy_error *err);

/* The loss and the metrics that were chosen. */
const objective *trainer_objective(const trainer *t);
int trainer_batch(const trainer *t);
bool trainer_is_streamed(const trainer *t);
plan *trainer_plan(trainer *t);
/* Device memory that the plan, the optimizer and the data hold, in bytes. */
size_t trainer_planned_bytes(const trainer *t);
/* The least that they could do with: plan_least_bytes, the optimizer's slots, the images and labels. */
size_t trainer_least_bytes(const trainer *t);

#endif
