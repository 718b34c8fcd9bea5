/* The vec_winograd variants: 3x3 kernels of stride 1 with less than half (M = 2) or a quarter (M = 4) of the multiplications. Kernels:
 * cl/conv2d_winograd.cl. */
#include "ops/conv2d/block.h"

enum { VW, VECTORS, IMAGES, TILES, M };

/* Bytes of private memory that a work-item may ask for. */
#define MOST_PRIVATE (512 * 1024)

/* The convolution that is computed: for the data gradient x is dz, and input and output change places. */
static conv_shape computed_shape(const conv_problem *p)
{
    const conv_shape *s = p->shape;
    if (p->pass == CONV_FORWARD)
        return *s;
    return (conv_shape){.height = s->out_height, .width = s->out_width, .in = s->out, .out_height = s->height,
                        .out_width = s->width, .out = s->in, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1},
                        .pad = {2 - s->pad[0], 2 - s->pad[1]}, .bias = s->bias};
}

static bool fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    conv_shape c = computed_shape(p);
    int m = params[M];
    long private_bytes = 4L * winograd_positions(m) * params[IMAGES] * ((long)params[TILES] * c.in + params[VECTORS] * params[VW]);
    return winograd_suits(p->shape) && winograd_has_size(m) && (p->pass == CONV_FORWARD || winograd_turns(p, params[VW])) &&
           block_fits_channels(ctx, block_channels(p), params[VW], params[VECTORS]) && params[IMAGES] <= p->batch &&
           params[TILES] <= winograd_patches(c.out_width, m) && private_bytes <= MOST_PRIVATE;
}

static void defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    block_default_channels(ctx, block_channels(p), &params[VW], &params[VECTORS]);
    params[IMAGES] = block_images(p->batch, params[VW], params[VECTORS]);
    params[TILES] = 1;
    params[M] = 2;
}

size_t winograd_scratch(const conv_problem *p, int m)
{
    size_t step = (size_t)p->shape->in * (size_t)p->shape->out + 16; /* U_STEP of cl/winograd_points.clh */
    return (size_t)winograd_positions(m) * step;
}

static size_t scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    return winograd_scratch(p, params[M]);
}

/* They are computed four by four. */
bool winograd_turns(const conv_problem *p, int width) { return p->shape->out >= 4 && width >= 4; }

/* Input channels that a work-item of the kernel takes which turns weights: COLUMNS there. */
enum { TURNED_COLUMNS = 16 };

convoy_status winograd_add_weights(rt_list *list, const conv_job *job, winograd_weights w, convoy_error *err)
{
    conv_launch l;
    bool forward = job->problem.pass == CONV_FORWARD;
    size_t weights = conv_weights(job->problem.shape), columns = forward ? 1 : TURNED_COLUMNS;
    conv_launch_begin(&l, job, forward ? "forward weights" : "backward weights", "winograd_weights", "winograd_weights");
    l.options[0] = '\0';
    conv_launch_option(&l, "-DVW=%d -DFLIP=%d -DSWAP=%d -DM=%d", w.width, w.flip, !forward, w.m);
    rt_push(&l.launch, RT_BUFFER(job->buffers->w));
    rt_push(&l.launch, RT_BUFFER(job->buffers->scratch));
    rt_push(&l.launch, RT_INT(w.in));
    rt_push(&l.launch, RT_INT(w.out));
    l.launch.global[0] = RT_FIXED((size_t)(w.out + w.width - 1) / (size_t)w.width);
    l.launch.global[1] = RT_FIXED(((size_t)w.in + columns - 1) / columns);
    l.launch.local[0] = l.launch.local[1] = 1;
    l.launch.flops_per_image = l.launch.bytes_per_image = 0;
    l.launch.once = forward && job->buffers->weights_stay;
    l.launch.bytes = 4.0 * (9 + winograd_positions(w.m)) / 9 * (double)weights;
    return rt_list_add(list, &l.launch, err);
}

/* Pixels beyond the last window of 2 are not computed. */
static int patches_of(int pixels, int windows, int m) { return winograd_patches(windows ? 2 * windows : pixels, m); }

static bool pools(const conv_problem *p, const int *params, const epilogue_pool *pool)
{
    (void)p;
    return pool->size[0] == 2 && pool->size[1] == 2 && pool->step[0] == 2 && pool->step[1] == 2 &&
           block_keeps_places(pool, params[VW]) &&
           params[TILES] <= patches_of(0, pool->out_width, params[M]);
}

/* Into how many a row of patches is cut. */
static int parts_of(const convoy_context *ctx, const conv_problem *p, const int *params, int rows, int patches, int channels)
{
    int blocks = (p->batch + params[IMAGES] - 1) / params[IMAGES], tile = params[VECTORS] * params[VW];
    return block_parts(ctx, rows * blocks, (patches + params[TILES] - 1) / params[TILES] * ((channels + tile - 1) / tile));
}

static convoy_status add(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    conv_job computed = *job;
    const conv_buffers *b = job->buffers;
    const epilogue_pool *pool = job->end.pool;
    conv_shape c = computed_shape(&job->problem);
    bool forward = job->problem.pass == CONV_FORWARD;
    TRY(winograd_add_weights(list, job, (winograd_weights){.in = c.in, .out = c.out, .width = job->params[VW], .m = job->params[M],
                                                           .flip = !forward}, err));
    computed.problem.shape = &c;
    conv_launch_begin(&l, &computed, job->end.pool ? "forward and pooling" : forward ? "forward" : "backward data", "conv2d_winograd",
                      "conv2d_winograd");
    l.launch.flops_per_image = 2.0 * conv_products(job->problem.shape); /* as the definition counts them */
    int input_width = job->params[VW], m = job->params[M];
    int rows = patches_of(c.out_height, pool ? pool->out_height : 0, m);
    int patches = patches_of(c.out_width, pool ? pool->out_width : 0, m);
    int parts = parts_of(ctx, &job->problem, job->params, rows, patches, c.out);
    while (input_width > c.in)
        input_width /= 2;
    conv_launch_option(&l, BLOCK_OPTIONS " -DIVW=%d -DIMAGES=%d -DTILES=%d -DPATCHES=%d -DPARTS=%d -DM=%d", job->params[VW],
                       job->params[VECTORS], input_width, job->params[IMAGES], job->params[TILES],
                       patches, parts, m);
    rt_push(&l.launch, RT_BUFFER(forward ? b->x : b->dz));
    rt_push(&l.launch, RT_BUFFER(b->scratch));
    rt_push(&l.launch, RT_BUFFER(conv_bias(b)));
    rt_push(&l.launch, RT_BUFFER(forward ? b->y : b->dx));
    rt_push(&l.launch, RT_BATCH(1));
    conv_launch_finish(&l, job);
    l.launch.global[0] = RT_FIXED((size_t)rows);
    l.launch.global[1] = RT_PER_IMAGE(1, (size_t)job->params[IMAGES]);
    l.launch.global[2] = RT_FIXED((size_t)parts);
    l.launch.local[0] = l.launch.local[1] = l.launch.local[2] = 1;
    return rt_list_add(list, &l.launch, err);
}

#define PARAMS {BLOCK_CHANNEL_PARAMS, {"IMAGES", {4, 6, 8, 10, 12, 13}}, {"TILES", {1, 2, 4}}, {"M", {2, 4}}}

/* Its rounding differs from a direct convolution's, so it runs where the tuner has measured it to be faster and right. */
const conv_variant conv_winograd_variants[] = {
    {.name = "vec_winograd", .family = "vec", .pass = CONV_FORWARD, .params = PARAMS, .fits = fits, .defaults = defaults,
     .scratch = scratch, .scratch_of_weights = true, .add = add, .pools = pools, .only_tuned = true},
    {.name = "vec_winograd", .family = "vec", .pass = CONV_BACKWARD_DATA, .params = PARAMS, .fits = fits,
     .defaults = defaults, .scratch = scratch, .add = add, .only_tuned = true},
    {0},
};
