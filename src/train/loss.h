/* The loss: the launches at the top of the model, and the sums they leave on the device, loss and hits of each step. */
#ifndef LOSS_H
#define LOSS_H

#include "convoy/train.h"
#include "ops/activation.h"
#include "train/sample_weights.h"
#include "words/loss_config.h"

typedef struct loss loss;

/* For at most `steps` steps of at most `batch` images a pass. */
convoy_status loss_create(convoy_context *ctx, int batch, size_t steps, loss **out, convoy_error *err);
void loss_destroy(loss *l);

/* Before loss_add: a float on the device that is added to the mean loss of each step. NULL: none. */
void loss_set_penalty(loss *l, const rt_buffer *penalty);

/* Before loss_add: z are the logits behind the activation in which the model ends, on which Keras (with TensorFlow) takes some losses.
 * loss_add then applies it for hits and metrics. NULL: z is what the model gives. */
convoy_status loss_set_behind(loss *l, const activation *ending, const convoy_shape *outputs, int batch, convoy_error *err);

typedef struct loss_job {
    const loss_settings *how;
    int outputs;
    const rt_buffer *z;      /* (batch, outputs): what the model gives, or the logits behind that; see loss_set_behind */
    const rt_buffer *labels; /* int, one an image */
    const rt_buffer *dz;     /* as z; NULL: no gradient wanted */
    const sample_weights *weights;  /* NULL: all images weigh 1 */
} loss_job;

/* What the model gives, (batch, outputs): z, or where that is logits, a buffer which loss_add fills. */
const rt_buffer *loss_given(const loss *l, const rt_buffer *z);

/* Appends its launches. */
convoy_status loss_add(loss *l, rt_list *list, const loss_job *job, convoy_error *err);

/* Where the rows' losses go when they are a metric: a column among others. */
typedef struct loss_column {
    const char *label;      /* of the launch */
    const rt_buffer *given; /* what the model gives */
    bool logits;            /* job->z is the logits behind it */
    const rt_buffer *rows;  /* floats, `columns` a row */
    int columns, column;
    const rt_buffer *hits;  /* ints, one a row; noted besides */
} loss_column;

/* Appends a launch that notes them, times the images' weights. */
convoy_status loss_add_column(convoy_context *ctx, rt_list *list, const loss_job *job, const loss_column *to, convoy_error *err);

/* The flag that the optimizer obeys: not 0 once a loss was not finite. */
const rt_buffer *loss_bad(const loss *l);

/* Reads the sums of steps [0, steps), `images` images in all, into means: loss, accuracy and images of `out`, the rest is cleared.
 * *bad_step is the first step whose loss is not finite, or `steps`. Waits for the device. */
convoy_status loss_read(loss *l, size_t steps, size_t images, convoy_metrics *out, size_t *bad_step, convoy_error *err);
/* The mean loss of one step of `batch` images. Waits. */
convoy_status loss_read_step(loss *l, size_t step, int batch, double *mean, convoy_error *err);

#endif
