/* The vec_images variants: register tiles of images x channel vectors at one pixel. Kernels: cl/conv2d_images.cl,
 * cl/conv2d_windows.cl. */
#include "ops/conv2d/block.h"

enum { VW, VECTORS, IMAGES };

static bool fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    return block_fits_channels(ctx, block_channels(p), params[VW], params[VECTORS]) && params[IMAGES] <= p->batch;
}

/* With few images a tile over pixels (vec) does better. */
enum { LEAST_IMAGES = 4 };

static void defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    block_default_channels(ctx, block_channels(p), &params[VW], &params[VECTORS]);
    params[IMAGES] = block_images(p->batch, params[VW], params[VECTORS]);
    if (params[IMAGES] < LEAST_IMAGES)
        params[IMAGES] = p->batch + 1; /* does not fit */
}

static void set_range(conv_launch *l, const conv_job *job, int rows)
{
    int channels = job->params[VW] * job->params[VECTORS];
    rt_push(&l->launch, RT_BATCH(1));
    conv_launch_finish(l, job);
    l->launch.global[0] = RT_FIXED((size_t)rows);
    l->launch.global[1] = RT_FIXED((size_t)(block_channels(&job->problem) + channels - 1) / channels);
    l->launch.global[2] = RT_PER_IMAGE(1, (size_t)job->params[IMAGES]);
    l->launch.local[0] = l->launch.local[1] = l->launch.local[2] = 1;
}

static void add_options(conv_launch *l, const conv_job *job, const char *pass)
{
    conv_launch_option(l, " -D%s -DPADDED=%d" BLOCK_OPTIONS " -DIMAGES=%d", pass, conv_padded(job->problem.shape),
                       job->params[VW], job->params[VECTORS], job->params[IMAGES]);
}

/* Whole windows in a register tile: none meets padding, and the taps of a row of the kernel lie behind each other. */
static bool takes_windows(const conv_job *job)
{
    const epilogue_pool *pool = job->end.pool;
    const conv_shape *s = job->problem.shape;
    return pool && !conv_padded(s) && s->dilation[1] == 1 && job->params[IMAGES] % (pool->size[0] * pool->size[1]) == 0;
}

static convoy_status add_forward(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    (void)ctx;
    bool windows = takes_windows(job);
    conv_launch_begin(&l, job, job->end.pool ? "forward and pooling" : "forward", windows ? "conv2d_windows" : "conv2d_images",
                      windows ? "conv2d_forward_vec_windows" : "conv2d_forward_vec_images");
    add_options(&l, job, "FORWARD");
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(conv_bias(b)));
    rt_push(&l.launch, RT_BUFFER(b->y));
    set_range(&l, job, job->end.pool ? job->end.pool->out_height : job->problem.shape->out_height);
    return rt_list_add(list, &l.launch, err);
}

/* Where windows overlap, a pixel would be computed more than once. */
static bool pools(const conv_problem *p, const int *params, const epilogue_pool *pool)
{
    (void)p;
    return pool->step[0] >= pool->size[0] && pool->step[1] >= pool->size[1] && block_keeps_places(pool, params[VW]);
}

static convoy_status add_backward_data(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    TRY(conv_add_transpose(list, ctx, job, err));
    conv_launch_begin(&l, job, "backward data", "conv2d_images", "conv2d_backward_data_vec_images");
    add_options(&l, job, "BACKWARD_DATA");
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->scratch));
    rt_push(&l.launch, RT_BUFFER(b->dx));
    set_range(&l, job, job->problem.shape->height);
    return rt_list_add(list, &l.launch, err);
}

#define PARAMS {BLOCK_CHANNEL_PARAMS, {"IMAGES", {4, 5, 6, 8, 10, 11, 12, 13, 14}}}

const conv_variant conv_images_variants[] = {
    {.name = "vec_images", .family = "vec", .pass = CONV_FORWARD, .params = PARAMS, .fits = fits, .defaults = defaults,
     .add = add_forward, .pools = pools},
    {.name = "vec_images", .family = "vec", .pass = CONV_BACKWARD_DATA, .params = PARAMS, .fits = fits,
     .defaults = defaults, .scratch = block_transposed_scratch, .add = add_backward_data},
    {0},
};
