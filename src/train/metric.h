/* The metrics of a run: launches that count on the device, and what the counts of an epoch come to. */
#ifndef METRIC_H
#define METRIC_H

#include "model/metric_config.h"
#include "runtime/runtime.h"

typedef struct metric_set metric_set;

/* For at most `steps` steps of at most `batch` images a pass, of a model with `outputs` outputs.
 * Errors: CONVOY_ERROR_ARGUMENT when a metric makes no sense for so many. */
convoy_status metric_set_create(convoy_context *ctx, const metric_list *list, int outputs, int batch, size_t steps,
                                metric_set **out, convoy_error *err);
void metric_set_destroy(metric_set *m);

/* Appends a launch for each metric that is more than the hits which the loss counts, and one that sums them; none where there is no
 * such metric. z (batch, outputs), labels int. */
convoy_status metric_set_add(metric_set *m, rt_list *list, const rt_buffer *z, const rt_buffer *labels, convoy_error *err);

/* After loss_read: completes the list of the steps [0, steps). Waits for the device. */
convoy_status metric_set_read(metric_set *m, size_t steps, convoy_metrics *metrics, convoy_error *err);

/* Puts a value under a name where Keras's order has it, in place of the one that is there. */
void metric_put(convoy_metrics *metrics, const char *name, double value);

#endif
