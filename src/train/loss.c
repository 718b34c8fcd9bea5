#include "train/loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/elementwise.h"

struct loss {
    convoy_context *ctx;
    size_t steps;
    const rt_buffer *penalty; /* NULL: none */
    const activation *ending; /* z is the logits behind it; NULL: z is what the model gives */
    int pixels;               /* of an output, each a row of the activation */
    rt_buffer *given;         /* what the activation makes of z; NULL without it */
    rt_buffer *row_loss, *row_correct, *step_loss, *step_correct, *bad;
    float *host_loss;
    int32_t *host_correct;
};

convoy_status loss_create(convoy_context *ctx, int batch, size_t steps, loss **out, convoy_error *err)
{
    convoy_status status;
    loss *l = calloc(1, sizeof *l);
    if (l == NULL)
        return OUT_OF_MEMORY(err);
    l->ctx = ctx;
    l->steps = steps;
    l->host_loss = malloc(steps * sizeof *l->host_loss);
    l->host_correct = malloc(steps * sizeof *l->host_correct);
    if (l->host_loss == NULL || l->host_correct == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(rt_buffer_create(ctx, (size_t)batch * sizeof(float), "loss of rows", &l->row_loss, err));
    TRY_GOTO(rt_buffer_create(ctx, (size_t)batch * sizeof(int32_t), "hits of rows", &l->row_correct, err));
    TRY_GOTO(rt_buffer_create(ctx, steps * sizeof(float), "loss of steps", &l->step_loss, err));
    TRY_GOTO(rt_buffer_create(ctx, steps * sizeof(int32_t), "hits of steps", &l->step_correct, err));
    TRY_GOTO(rt_buffer_create(ctx, sizeof(float), "flag", &l->bad, err));
    TRY_GOTO(rt_buffer_fill(l->bad, 0.0f, err)); /* also the integer 0 */
    *out = l;
    return CONVOY_OK;
done:
    loss_destroy(l);
    return status;
}

void loss_destroy(loss *l)
{
    if (l == NULL)
        return;
    rt_buffer_destroy(l->given);
    rt_buffer_destroy(l->row_loss);
    rt_buffer_destroy(l->row_correct);
    rt_buffer_destroy(l->step_loss);
    rt_buffer_destroy(l->step_correct);
    rt_buffer_destroy(l->bad);
    free(l->host_loss);
    free(l->host_correct);
    free(l);
}

void loss_set_penalty(loss *l, const rt_buffer *penalty) { l->penalty = penalty; }

convoy_status loss_set_behind(loss *l, const activation *ending, const convoy_shape *outputs, int batch, convoy_error *err)
{
    size_t count = shape_count(outputs);
    l->ending = ending;
    l->pixels = (int)(count / (size_t)outputs->dim[outputs->rank - 1]);
    if (ending == NULL)
        return CONVOY_OK;
    return rt_buffer_create(l->ctx, (size_t)batch * count * sizeof(float), "outputs", &l->given, err);
}

const rt_buffer *loss_given(const loss *l, const rt_buffer *z) { return l->ending ? l->given : z; }

const rt_buffer *loss_bad(const loss *l) { return l->bad; }

/* The kernels' file is called as the loss. */
static void describe(const loss *l, const loss_job *job, char *out, size_t size)
{
    const loss_settings *how = job->how;
    int used = snprintf(out, size, "-DC=%d -DFROM_LOGITS=%d -DGRADIENT=%d -DPENALTY=%d -DWEIGHTS=%d", job->outputs,
                        how->from_logits || l->ending != NULL, job->dz != NULL, l->penalty != NULL, weights_kind(job->weights));
    snprintf(out + used, size - (size_t)used, " -DSMOOTHING=%.9ef -DDELTA=%.9ef", how->label_smoothing,
             how->delta);
}

/* Buffers that are not there are not touched; another one of their kind holds their place. */
static convoy_status add_rows(loss *l, rt_list *list, const loss_job *job, const char *options, convoy_error *err)
{
    rt_launch rows = {.label = "loss", .source = job->how->class->name, .kernel = "loss_rows", .options = options};
    rt_push(&rows, RT_BUFFER(job->z));
    rt_push(&rows, RT_BUFFER(loss_given(l, job->z)));
    rt_push(&rows, RT_BUFFER(job->labels));
    rt_push(&rows, RT_BUFFER(job->dz ? job->dz : job->z));
    rt_push(&rows, RT_BUFFER(l->row_loss));
    rt_push(&rows, RT_BUFFER(l->row_correct));
    rt_push(&rows, RT_BUFFER(job->weights ? weights_buffer(job->weights) : l->row_loss));
    rt_push(&rows, RT_VARIABLE(RT_VAR_ROW));
    rt_push(&rows, RT_INVERSE_BATCH);
    rt_push(&rows, RT_BATCH(1));
    ops_range(&rows, l->ctx, 1, 0, 1);
    rows.bytes_per_image = 8.0 * job->outputs;
    return rt_list_add(list, &rows, err);
}

convoy_status loss_add(loss *l, rt_list *list, const loss_job *job, convoy_error *err)
{
    char options[192];
    describe(l, job, options, sizeof options);
    if (l->ending != NULL)
        TRY(ops_activation_forward(list, l->ctx, "outputs", l->ending, job->z, l->given, l->pixels, job->outputs / l->pixels, err));
    TRY(add_rows(l, list, job, options, err));
    rt_launch sum = {.label = "metrics", .source = job->how->class->name, .kernel = "loss_sum", .options = options};
    rt_push(&sum, RT_BUFFER(l->row_loss));
    rt_push(&sum, RT_BUFFER(l->row_correct));
    rt_push(&sum, RT_BUFFER(l->step_loss));
    rt_push(&sum, RT_BUFFER(l->step_correct));
    rt_push(&sum, RT_BUFFER(l->bad));
    rt_push(&sum, RT_BUFFER(l->penalty ? l->penalty : l->row_loss)); /* not read without one */
    rt_push(&sum, RT_VARIABLE(RT_VAR_STEP));
    rt_push(&sum, RT_BATCH(1));
    sum.global[0] = RT_FIXED(1);
    sum.local[0] = 1;
    return rt_list_add(list, &sum, err);
}

convoy_status loss_read(loss *l, size_t steps, size_t images, convoy_metrics *out, size_t *bad_step, convoy_error *err)
{
    double sum = 0;
    int64_t correct = 0;
    TRY(rt_buffer_read(l->step_loss, 0, l->host_loss, steps * sizeof(float), err));
    TRY(rt_buffer_read(l->step_correct, 0, l->host_correct, steps * sizeof(int32_t), err));
    *bad_step = steps;
    for (size_t i = 0; i < steps; i++) {
        sum += l->host_loss[i];
        correct += l->host_correct[i];
        if (!isfinite(l->host_loss[i]) && *bad_step == steps)
            *bad_step = i;
    }
    *out = (convoy_metrics){.loss = images ? sum / (double)images : 0.0,
                            .accuracy = images ? (double)correct / (double)images : 0.0,
                            .images = images};
    return CONVOY_OK;
}

convoy_status loss_read_step(loss *l, size_t step, int batch, double *mean, convoy_error *err)
{
    float sum = 0;
    TRY(rt_buffer_read(l->step_loss, step * sizeof sum, &sum, sizeof sum, err));
    *mean = (double)sum / batch;
    return CONVOY_OK;
}
