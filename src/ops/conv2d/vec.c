/* The vec variants: register tiles of pixels x channel vectors, one work-item a work-group. Kernels: cl/conv2d_vec.cl. */
#include "ops/conv2d/block.h"

/* ---- forward and data gradient: a tile is PIXELS output pixels, counted through the whole batch ---- */

enum { VW, VECTORS, PIXELS, TILES };

static bool fits_pixels(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    return block_fits_channels(ctx, block_channels(p), params[VW], params[VECTORS]);
}

/* How many pixels, counted through the batch, a launch computes; `phases`: one of strides[0] x strides[1] interleaved grids. */
static int pixels_per_image(const conv_problem *p)
{
    const conv_shape *s = p->shape;
    if (p->pass == CONV_FORWARD)
        return s->out_height * s->out_width;
    return ((s->height + s->stride[0] - 1) / s->stride[0]) * ((s->width + s->stride[1] - 1) / s->stride[1]);
}

/* A work-item does several tiles, so that its work outweighs the cost of a work-group. */
static void default_pixels(const convoy_context *ctx, const conv_problem *p, int *params)
{
    const conv_shape *s = p->shape;
    block_default_channels(ctx, block_channels(p), &params[VW], &params[VECTORS]);
    params[PIXELS] = block_rows(params[VW], params[VECTORS]);
    long products = (long)params[PIXELS] * params[VECTORS] * s->kernel[0] * s->kernel[1] *
                    (p->pass == CONV_FORWARD ? s->in : s->out / (s->stride[0] * s->stride[1]));
    long wanted = products > 0 ? 24576 / products : 24576;
    long most = (long)pixels_per_image(p) * p->batch / params[PIXELS] / 16;
    params[TILES] = (int)(wanted < most ? wanted : most);
    if (params[TILES] < 1)
        params[TILES] = 1;
}

static void push_pixels(conv_launch *l, const conv_job *job)
{
    const int *v = job->params;
    int pixels = pixels_per_image(&job->problem), channels = v[VECTORS] * v[VW];
    rt_push(&l->launch, RT_BUFFER(job->buffers->zeros));
    rt_push(&l->launch, RT_BATCH(pixels));
    conv_launch_finish(l, job);
    l->launch.global[0] = RT_PER_IMAGE((size_t)pixels, (size_t)v[PIXELS] * v[TILES]);
    l->launch.global[1] = RT_FIXED((size_t)(block_channels(&job->problem) + channels - 1) / channels);
    l->launch.local[0] = l->launch.local[1] = 1;
}

static convoy_status add_forward(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    (void)ctx;
    conv_launch_begin(&l, job, "forward", "conv2d_vec", "conv2d_forward_vec");
    conv_launch_option(&l, " -DFORWARD" BLOCK_OPTIONS " -DPIXELS=%d -DTILES=%d", job->params[VW], job->params[VECTORS],
                       job->params[PIXELS], job->params[TILES]);
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(conv_bias(b)));
    rt_push(&l.launch, RT_BUFFER(b->y));
    push_pixels(&l, job);
    return rt_list_add(list, &l.launch, err);
}

static convoy_status add_backward_data(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    TRY(conv_add_transpose(list, ctx, job, err));
    conv_launch_begin(&l, job, "backward data", "conv2d_vec", "conv2d_backward_data_vec");
    conv_launch_option(&l, " -DBACKWARD_DATA" BLOCK_OPTIONS " -DPIXELS=%d -DTILES=%d", job->params[VW],
                       job->params[VECTORS], job->params[PIXELS], job->params[TILES]);
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->scratch));
    rt_push(&l.launch, RT_BUFFER(b->dx));
    push_pixels(&l, job);
    l.launch.global[2] = RT_FIXED((size_t)s->stride[0] * s->stride[1]);
    l.launch.local[2] = 1;
    return rt_list_add(list, &l.launch, err);
}

#define PIXEL_PARAMS                                                                                                   \
    {BLOCK_CHANNEL_PARAMS, {"PIXELS", {4, 6, 8, 10, 12, 13, 14}}, {"TILES", {1, 4, 16}}}

const conv_variant conv_vec_variants[] = {
    {.name = "vec", .family = "vec", .pass = CONV_FORWARD, .params = PIXEL_PARAMS, .fits = fits_pixels,
     .defaults = default_pixels, .add = add_forward},
    {.name = "vec", .family = "vec", .pass = CONV_BACKWARD_DATA, .params = PIXEL_PARAMS, .fits = fits_pixels,
     .defaults = default_pixels, .scratch = block_transposed_scratch, .add = add_backward_data},
    {0},
};
