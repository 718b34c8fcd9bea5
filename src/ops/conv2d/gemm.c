/* The gemm variants: dense layers of one row an image, by CLBlast. */
#include <stdio.h>

#include "ops/bias.h"
#include "ops/conv2d/variant.h"
#include "ops/elementwise.h"

/* A 1x1 convolution of one pixel: y = x . w, CLBlast's batch being the images. */
static bool fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    (void)params;
    const conv_shape *s = p->shape;
    return s->height == 1 && s->width == 1 && s->kernel[0] == 1 && s->kernel[1] == 1;
}

/* What follows a product, by launches of its own. */
static convoy_status finish(rt_list *list, convoy_context *ctx, const char *label, const epilogue *end, const rt_buffer *y, int channels,
                            convoy_error *err)
{
    if (end->addend)
        TRY(ops_accumulate(list, ctx, label, end->addend, y, (size_t)channels, 0, err));
    if (end->act == NULL)
        return CONVOY_OK;
    return end->outputs ? ops_activation_backward(list, ctx, label, end->act, end->outputs, end->outputs, y, y, 1, channels, err)
                        : ops_activation_forward(list, ctx, label, end->act, y, y, 1, channels, err);
}

/* y = x . w, then bias and activation in place. */
static convoy_status add_forward(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    char label[160];
    snprintf(label, sizeof label, "%s forward", job->layer);
    rt_gemm_launch gemm = {.label = label, .a = b->x, .b = b->w, .c = b->y, .m = -1, .n = s->out, .k = s->in};
    TRY(rt_list_add_gemm(list, &gemm, err));
    return s->bias ? ops_add_bias(list, ctx, job->layer, b->bias, b->y, &job->end, 1, s->out, err)
                   : finish(list, ctx, job->layer, &job->end, b->y, s->out, err);
}

static convoy_status add_backward_data(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    char label[160];
    snprintf(label, sizeof label, "%s backward data", job->layer);
    rt_gemm_launch gemm = {.label = label, .a = b->dz, .b = b->w, .c = b->dx, .transpose_b = true, .m = -1, .n = s->in,
                           .k = s->out};
    TRY(rt_list_add_gemm(list, &gemm, err));
    return finish(list, ctx, label, &job->end, b->dx, s->in, err);
}

static convoy_status sum_bias(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    const conv_buffers *b = job->buffers;
    int channels = job->problem.shape->out;
    char options[64], label[160];
    snprintf(options, sizeof options, "-DCOUNT=%d", channels);
    snprintf(label, sizeof label, "%s backward bias", job->layer);
    rt_launch launch = {.label = label, .source = "reduce_rows", .kernel = "reduce_rows", .options = options};
    rt_push(&launch, RT_BUFFER(b->dz));
    rt_push(&launch, RT_BUFFER(b->dbias));
    rt_push(&launch, RT_BATCH(1));
    ops_range(&launch, ctx, 0, (size_t)channels, 1);
    launch.bytes_per_image = 4.0 * channels;
    return rt_list_add(list, &launch, err);
}

static convoy_status add_backward_filter(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    char label[160];
    snprintf(label, sizeof label, "%s backward filter", job->layer);
    rt_gemm_launch gemm = {.label = label, .a = b->x, .b = b->dz, .c = b->dw, .transpose_a = true, .m = s->in, .n = s->out,
                           .k = -1};
    TRY(rt_list_add_gemm(list, &gemm, err));
    return s->bias ? sum_bias(list, ctx, job, err) : CONVOY_OK;
}

const conv_variant conv_gemm_variants[] = {
    {.name = "clblast", .family = "gemm", .pass = CONV_FORWARD, .fits = fits, .add = add_forward},
    {.name = "clblast", .family = "gemm", .pass = CONV_BACKWARD_DATA, .fits = fits, .add = add_backward_data},
    {.name = "clblast", .family = "gemm", .pass = CONV_BACKWARD_FILTER, .fits = fits, .add = add_backward_filter},
    {0},
};
