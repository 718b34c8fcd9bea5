/* The vec_winograd variant of the filter gradient: 3x3 kernels of stride 1. Kernels: cl/conv2d_winograd_filter.cl. */
#include "ops/conv2d/block.h"

enum { VW, VECTORS, ROWS, IMAGES, CHUNK, M };

/* Bytes of private memory that a work-item may ask for: transformed patches and pieces. */
#define MOST_PRIVATE (768 * 1024)

/* Register tiles must not overlap, because their sums are kept in memory between rows of an image. */
static bool fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    const conv_shape *s = p->shape;
    int m = params[M];
    long private_bytes = 4L * winograd_positions(params[M]) * params[IMAGES] * winograd_patches(s->out_width, m) * (s->in + s->out);
    return winograd_suits(s) && winograd_has_size(m) && block_fits_channels(ctx, s->out, params[VW], params[VECTORS]) &&
           s->out % (params[VW] * params[VECTORS]) == 0 && params[ROWS] > 0 && s->in % params[ROWS] == 0 &&
           params[IMAGES] > 0 && params[CHUNK] > 0 && params[CHUNK] <= p->batch && private_bytes <= MOST_PRIVATE;
}

static void defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    const conv_shape *s = p->shape;
    int most_chunks = 2 * (int)convoy_context_device(ctx)->compute_units;
    block_default_channels(ctx, s->out, &params[VW], &params[VECTORS]);
    params[ROWS] = params[VW] >= 16 ? 8 : 4;
    while (s->in % params[ROWS] != 0)
        params[ROWS]--;
    params[M] = 2;
    params[IMAGES] = 1;
    while (params[IMAGES] * winograd_patches(s->out_width, params[M]) < 48 && params[IMAGES] < 8)
        params[IMAGES] *= 2;
    params[CHUNK] = (p->batch + most_chunks - 1) / most_chunks;
}

/* A record may come from a device with fewer compute units: no chunk is so large that some of these get none. */
static int chunk_images(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    unsigned units = convoy_context_device(ctx)->compute_units;
    int most = units > 1 ? (p->batch + (int)units - 1) / (int)units : p->batch;
    return params[CHUNK] < most ? params[CHUNK] : most;
}

static int chunk_count(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    int images = chunk_images(ctx, p, params);
    return (p->batch + images - 1) / images;
}

static size_t scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    size_t in = (size_t)p->shape->in, out = (size_t)p->shape->out;
    return (size_t)chunk_count(ctx, p, params) * ((size_t)winograd_positions(params[M]) * in * out + out);
}

static void add_options(conv_launch *l, const convoy_context *ctx, const conv_job *job)
{
    const int *v = job->params;
    int chunk = chunk_images(ctx, &job->problem, v);
    int input_width = v[VW];
    while (input_width > job->problem.shape->in)
        input_width /= 2;
    conv_launch_option(l, BLOCK_OPTIONS " -DIVW=%d -DROWS=%d -DIMAGES=%d -DCHUNK=%d -DM=%d", v[VW], v[VECTORS], input_width, v[ROWS],
                       v[IMAGES] < chunk ? v[IMAGES] : chunk, chunk, v[M]);
}

static convoy_status add_finish(rt_list *list, const convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    int chunks = chunk_count(ctx, &job->problem, job->params);
    conv_launch_begin(&l, job, "reduce filter", "conv2d_winograd_filter", "winograd_gradient_finish");
    add_options(&l, ctx, job);
    rt_push(&l.launch, RT_BUFFER(b->scratch));
    rt_push(&l.launch, RT_BUFFER(b->dw));
    rt_push(&l.launch, RT_BUFFER(s->bias ? b->dbias : b->dw));
    rt_push(&l.launch, RT_BATCH(1));
    l.launch.global[0] = RT_FIXED((size_t)(s->out / job->params[VW]));
    l.launch.global[1] = RT_FIXED((size_t)s->in);
    l.launch.local[0] = l.launch.local[1] = 1;
    l.launch.flops_per_image = l.launch.bytes_per_image = 0;
    l.launch.bytes = 4.0 * ((double)winograd_positions(job->params[M]) * chunks / 9 + 1) * (double)conv_weights(s);
    return rt_list_add(list, &l.launch, err);
}

static convoy_status add(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    conv_launch_begin(&l, job, "backward filter", "conv2d_winograd_filter", "winograd_gradient");
    add_options(&l, ctx, job);
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->scratch));
    rt_push(&l.launch, RT_BATCH(1));
    l.launch.global[0] = RT_PER_IMAGE(1, (size_t)chunk_images(ctx, &job->problem, job->params));
    l.launch.local[0] = 1;
    TRY(rt_list_add(list, &l.launch, err));
    return add_finish(list, ctx, job, err);
}

const conv_variant conv_winograd_filter_variants[] = {
    {.name = "vec_winograd", .family = "vec", .pass = CONV_BACKWARD_FILTER,
     .params = {BLOCK_CHANNEL_PARAMS, {"ROWS", {3, 4, 6, 8, 12}}, {"IMAGES", {1, 2, 4, 8, 16}}, {"CHUNK", {4, 8, 16, 32, 64}},
                {"M", {2, 4}}},
     .fits = fits, .defaults = defaults, .scratch = scratch, .add = add, .only_tuned = true},
    {0},
};
