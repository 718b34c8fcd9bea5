/* The metrics of a run: launches that count on the device, and what the counts of an epoch come to. */
#ifndef METRIC_H
#define METRIC_H

#include "ops/activation.h"
#include "runtime/runtime.h"
#include "train/sample_weights.h"
#include "words/metric_config.h"

typedef struct metric_set metric_set;

/* For at most `steps` steps of at most `batch` images a pass, of a model with `outputs` outputs. `w`, which may be NULL, are the images'
 * weights, by which weighted metrics count; it must outlive the set.
 * Errors: CONVOY_ERROR_ARGUMENT when a metric makes no sense for so many. */
convoy_status metric_set_create(convoy_context *ctx, const metric_list *list, const sample_weights *w, int outputs, int batch, size_t steps,
                                metric_set **out, convoy_error *err);
void metric_set_destroy(metric_set *m);

/* What the model gave, (batch, outputs), and the labels, int. `ending`: what it gave is that activation of the logits, on which those
 * metrics are taken whose losses are; NULL: there are none. */
typedef struct metric_job {
    const rt_buffer *given, *labels, *logits;
    const activation *ending;
} metric_job;

/* Appends the launches of all metrics that are more than the hits which the loss counts. */
convoy_status metric_set_add(metric_set *m, rt_list *list, const metric_job *job, convoy_error *err);

/* After loss_read: completes the list of the steps [0, steps). Waits for the device. */
convoy_status metric_set_read(metric_set *m, size_t steps, convoy_metrics *metrics, convoy_error *err);

/* Puts a value under a name where Keras's order has it, in place of the one that is there. */
void metric_put(convoy_metrics *metrics, const char *name, double value);

#endif
