/* The vec_pointwise variant of the data gradient: dense layers and 1x1 kernels of stride 1, whose weights each work-item transposes for
 * itself. Kernel: cl/conv2d_pointwise.cl. */
#include "ops/conv2d/block.h"

enum { VW, VECTORS, IMAGES, BLOCKS };

/* Bytes of private memory that a work-item may ask for: transposed weights that leave the first two levels of cache gain nothing. */
#define MOST_PRIVATE (128 * 1024)

static bool is_pointwise(const conv_shape *s)
{
    return s->kernel[0] == 1 && s->kernel[1] == 1 && s->stride[0] == 1 && s->stride[1] == 1 && s->pad[0] == 0 && s->pad[1] == 0 &&
           s->out_height == s->height && s->out_width == s->width;
}

static long rows_of(const conv_problem *p) { return (long)p->shape->height * p->shape->width * p->batch; }

static bool fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    const conv_shape *s = p->shape;
    long tile = (long)params[VW] * params[VECTORS];
    return is_pointwise(s) && block_fits_channels(ctx, s->in, params[VW], params[VECTORS]) && params[VW] >= 4 && s->out >= 4 &&
           params[IMAGES] > 0 && params[BLOCKS] > 0 && params[IMAGES] <= p->batch && 4 * tile * s->out <= MOST_PRIVATE &&
           rows_of(p) <= 1L << 30;
}

/* Work-items that a unit should get, so that none waits long for the others. */
enum { ITEMS_OF_A_UNIT = 8 };

static void defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    block_default_channels(ctx, p->shape->in, &params[VW], &params[VECTORS]);
    params[IMAGES] = block_images(p->batch, params[VW], params[VECTORS]);
    long tiles = p->shape->in / (params[VW] * params[VECTORS]);
    long wanted = ITEMS_OF_A_UNIT * (long)convoy_context_device(ctx)->compute_units;
    long most = (rows_of(p) + params[IMAGES] - 1) / params[IMAGES];
    params[BLOCKS] = 1;
    while (params[BLOCKS] < 64 && params[BLOCKS] < most && tiles * most > wanted * 2 * params[BLOCKS])
        params[BLOCKS] *= 2;
}

static convoy_status add(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const int *v = job->params;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    size_t pixels = (size_t)s->height * (size_t)s->width, tile = (size_t)v[VW] * (size_t)v[VECTORS];
    (void)ctx;
    conv_launch_begin(&l, job, "backward data", "conv2d_pointwise", "conv2d_backward_data_vec_pointwise");
    conv_launch_option(&l, BLOCK_OPTIONS " -DIMAGES=%d -DBLOCKS=%d", v[VW], v[VECTORS], v[IMAGES], v[BLOCKS]);
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(b->dx));
    rt_push(&l.launch, RT_BATCH((int)pixels));
    conv_launch_finish(&l, job);
    l.launch.global[0] = RT_FIXED(((size_t)s->in + tile - 1) / tile);
    l.launch.global[1] = RT_PER_IMAGE(pixels, (size_t)(v[IMAGES] * v[BLOCKS]));
    l.launch.local[0] = l.launch.local[1] = 1;
    return rt_list_add(list, &l.launch, err);
}

const conv_variant conv_pointwise_variants[] = {
    {.name = "vec_pointwise", .family = "vec", .pass = CONV_BACKWARD_DATA,
     .params = {BLOCK_CHANNEL_PARAMS, {"IMAGES", {4, 5, 6, 8, 10, 11, 12, 13, 14}}, {"BLOCKS", {1, 2, 4, 8, 16, 32, 64}}},
     .fits = fits, .defaults = defaults, .add = add},
    {0},
};
