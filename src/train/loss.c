#include "train/loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "ops/elementwise.h"

struct loss {
    convoy_context *ctx;
    size_t steps;
    int batch;
    const rt_buffer *penalty; /* NULL: none */
    const activation *ending; /* z is the logits behind it; NULL: z is what the model gives */
    int pixels;               /* of an output, each a row of the activation */
    rt_buffer *given;         /* what the activation makes of z; NULL without it */
    rt_buffer *row_loss, *row_correct, *step_loss, *step_correct, *bad;
    rt_buffer *parts, *totals; /* of rows and of the batch, for losses that need those; NULL elsewhere */
    float *host_loss;
    int32_t *host_correct;
};

const char *convoy_loss_name(size_t i)
{
    const loss_class *class = loss_class_at(i);
    return class ? class->class_name : NULL;
}

convoy_status loss_create(convoy_context *ctx, int batch, size_t steps, loss **out, convoy_error *err)
{
    convoy_status status;
    loss *l = calloc(1, sizeof *l);
    if (l == NULL)
        return OUT_OF_MEMORY(err);
    l->ctx = ctx;
    l->steps = steps;
    l->batch = batch;
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
    rt_buffer_destroy(l->parts);
    rt_buffer_destroy(l->totals);
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

/* ---- options of the build ---- */

/* What the kernels call REDUCTION: how the rows' losses become the batch's. */
enum { AS_MEAN, AS_SUM, AS_THEY_ARE, BY_TOTAL };

/* A loss of the batch as a whole: Keras sums over all of it before it divides. */
static bool is_whole(const loss_settings *how)
{
    return how->axes.count == 0 && (strcmp(how->class->name, "dice") == 0 || strcmp(how->class->name, "tversky") == 0);
}

static int reduction_of(const loss_job *job)
{
    const loss_settings *how = job->how;
    bool weighted = sample_weights_kind(job->weights) != WEIGHTS_NONE;
    if (is_whole(how) && !weighted)
        return AS_MEAN; /* of one loss there is nothing to reduce */
    switch (how->reduction) {
    case LOSS_SUM: return AS_SUM;
    case LOSS_NONE:
    case LOSS_NULL: return AS_THEY_ARE;
    case LOSS_MEAN_WITH_SAMPLE_WEIGHT: return weighted || how->ignore.count > 0 ? BY_TOTAL : AS_MEAN;
    default: return how->ignore.count > 0 ? BY_TOTAL : AS_MEAN;
    }
}

/* Numbers that a row notes for the batch's totals. */
static int parts_of(const loss_job *job)
{
    return is_whole(job->how) ? 4 : reduction_of(job) == BY_TOTAL ? 1 : 0;
}

static void describe_alphas(const loss_settings *how, text *out)
{
    for (int i = 0; i < how->alphas.count; i++)
        text_add(out, "%s%.9ef", i ? "," : " -DALPHAS=", how->alphas.value[i]);
}

/* The loss's own options. */
static void describe_settings(const loss_settings *how, bool logits, text *out)
{
    text_add(out, " -DFROM_LOGITS=%d -DSMOOTHING=%.9ef -DDELTA=%.9ef -DGAMMA=%.9ef -DALPHA=%.9ef -DBETA=%.9ef -DBALANCING=%d",
             how->from_logits || logits, how->label_smoothing, how->delta, how->gamma, how->alpha, how->beta, how->apply_class_balancing);
    describe_alphas(how, out);
    if (how->ignore.count > 0)
        text_add(out, " -DIGNORED=%d", (int)how->ignore.value[0]);
}

static convoy_status describe(const loss *l, const loss_job *job, char **out, convoy_error *err)
{
    const loss_settings *how = job->how;
    text t = {0};
    text_add(&t, "-DC=%d -DGRADIENT=%d -DPENALTY=%d -DWEIGHTS=%d -DREDUCTION=%d -DPARTS=%d -DWEIGHTED=%d", job->outputs,
             job->dz != NULL, l->penalty != NULL, sample_weights_kind(job->weights), reduction_of(job), parts_of(job),
             how->reduction == LOSS_MEAN_WITH_SAMPLE_WEIGHT);
    describe_settings(how, l->ending != NULL, &t);
    if (how->has_weight)
        text_add(&t, " -DFACTOR=%.9ef", how->weight);
    return text_take(&t, out, err);
}

/* ---- launches ---- */

static const rt_buffer *weights_or(const loss_job *job, const rt_buffer *other)
{
    return job->weights ? sample_weights_buffer(job->weights) : other;
}

/* The kernels' file is called as the loss. Buffers that are not there are not touched; another one of their kind holds their place. */
static convoy_status add_rows(loss *l, rt_list *list, const loss_job *job, const char *options, convoy_error *err)
{
    rt_launch rows = {.label = "loss", .source = job->how->class->name, .kernel = "loss_rows", .options = options};
    rt_push(&rows, RT_BUFFER(job->z));
    rt_push(&rows, RT_BUFFER(loss_given(l, job->z)));
    rt_push(&rows, RT_BUFFER(job->labels));
    rt_push(&rows, RT_BUFFER(job->dz ? job->dz : job->z));
    rt_push(&rows, RT_BUFFER(l->row_loss));
    rt_push(&rows, RT_BUFFER(l->row_correct));
    rt_push(&rows, RT_BUFFER(weights_or(job, l->row_loss)));
    rt_push(&rows, RT_BUFFER(l->totals ? l->totals : l->row_loss));
    rt_push(&rows, RT_VARIABLE(RT_VAR_ROW));
    rt_push(&rows, RT_INVERSE_BATCH);
    rt_push(&rows, RT_BATCH(1));
    ops_range(&rows, l->ctx, 1, 0, 1);
    rows.bytes_per_image = 8.0 * job->outputs;
    return rt_list_add(list, &rows, err);
}

/* What the rows' losses, or their reduction, need to know of the whole batch. */
static convoy_status add_totals(loss *l, rt_list *list, const loss_job *job, const char *options, convoy_error *err)
{
    size_t parts = (size_t)parts_of(job);
    if (l->parts == NULL)
        TRY(rt_buffer_create(l->ctx, (size_t)l->batch * parts * sizeof(float), "parts of rows", &l->parts, err));
    if (l->totals == NULL)
        TRY(rt_buffer_create(l->ctx, parts * sizeof(float), "totals of the batch", &l->totals, err));
    rt_launch rows = {.label = "loss parts", .source = job->how->class->name, .kernel = "loss_parts", .options = options};
    rt_push(&rows, RT_BUFFER(job->z));
    rt_push(&rows, RT_BUFFER(job->labels));
    rt_push(&rows, RT_BUFFER(l->parts));
    rt_push(&rows, RT_BUFFER(weights_or(job, l->row_loss)));
    rt_push(&rows, RT_VARIABLE(RT_VAR_ROW));
    rt_push(&rows, RT_BATCH(1));
    ops_range(&rows, l->ctx, 1, 0, 1);
    rows.bytes_per_image = 4.0 * job->outputs;
    TRY(rt_list_add(list, &rows, err));
    rt_launch sums = {.label = "loss totals", .source = job->how->class->name, .kernel = "loss_totals", .options = options};
    rt_push(&sums, RT_BUFFER(l->parts));
    rt_push(&sums, RT_BUFFER(l->totals));
    rt_push(&sums, RT_BATCH(1));
    sums.global[0] = RT_FIXED(parts);
    return rt_list_add(list, &sums, err);
}

static convoy_status add_sum(loss *l, rt_list *list, const loss_job *job, const char *options, convoy_error *err)
{
    rt_launch sum = {.label = "metrics", .source = job->how->class->name, .kernel = "loss_sum", .options = options};
    rt_push(&sum, RT_BUFFER(l->row_loss));
    rt_push(&sum, RT_BUFFER(l->row_correct));
    rt_push(&sum, RT_BUFFER(l->step_loss));
    rt_push(&sum, RT_BUFFER(l->step_correct));
    rt_push(&sum, RT_BUFFER(l->bad));
    rt_push(&sum, RT_BUFFER(l->penalty ? l->penalty : l->row_loss)); /* not read without one */
    rt_push(&sum, RT_BUFFER(l->totals ? l->totals : l->row_loss));
    rt_push(&sum, RT_VARIABLE(RT_VAR_STEP));
    rt_push(&sum, RT_BATCH(1));
    sum.global[0] = RT_FIXED(1);
    sum.local[0] = 1;
    return rt_list_add(list, &sum, err);
}

/* As Keras has it, a metric of similarity is the loss of it without its minus. */
convoy_status loss_add_column(convoy_context *ctx, rt_list *list, const loss_job *job, const loss_column *to, convoy_error *err)
{
    char *options = NULL;
    text t = {0};
    text_add(&t, "-DC=%d -DGRADIENT=0 -DWEIGHTS=%d -DREDUCTION=0 -DPARTS=0 -DSIGN=1.0f -DCOLUMNS=%d -DCOLUMN=%d", job->outputs,
             sample_weights_kind(job->weights), to->columns, to->column);
    describe_settings(job->how, to->logits, &t);
    TRY(text_take(&t, &options, err));
    rt_launch rows = {.label = to->label, .source = job->how->class->name, .kernel = "loss_rows", .options = options};
    rt_push(&rows, RT_BUFFER(job->z));
    rt_push(&rows, RT_BUFFER(to->given));
    rt_push(&rows, RT_BUFFER(job->labels));
    rt_push(&rows, RT_BUFFER(job->z));
    rt_push(&rows, RT_BUFFER(to->rows));
    rt_push(&rows, RT_BUFFER(to->hits));
    rt_push(&rows, RT_BUFFER(weights_or(job, to->rows)));
    rt_push(&rows, RT_BUFFER(to->rows));
    rt_push(&rows, RT_VARIABLE(RT_VAR_ROW));
    rt_push(&rows, RT_INVERSE_BATCH);
    rt_push(&rows, RT_BATCH(1));
    ops_range(&rows, ctx, 1, 0, 1);
    rows.bytes_per_image = 8.0 * job->outputs;
    convoy_status status = rt_list_add(list, &rows, err);
    free(options);
    return status;
}

convoy_status loss_add(loss *l, rt_list *list, const loss_job *job, convoy_error *err)
{
    char *options = NULL;
    convoy_status status = describe(l, job, &options, err);
    if (status == CONVOY_OK && l->ending != NULL)
        status = ops_activation_forward(list, l->ctx, "outputs", l->ending, job->z, l->given, l->pixels, job->outputs / l->pixels, err);
    if (status == CONVOY_OK && parts_of(job) > 0)
        status = add_totals(l, list, job, options, err);
    if (status == CONVOY_OK)
        status = add_rows(l, list, job, options, err);
    if (status == CONVOY_OK)
        status = add_sum(l, list, job, options, err);
    free(options);
    return status;
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
