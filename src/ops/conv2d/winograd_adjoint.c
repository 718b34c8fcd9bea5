/* The vec_winograd_adjoint variant of the data gradient: 3x3 kernels of stride 1. Kernel: cl/conv2d_winograd_adjoint.cl. */
#include "ops/conv2d/block.h"

enum { VW, VECTORS, IMAGES, M };

/* Bytes of private memory that a work-item may ask for. */
#define MOST_PRIVATE (512 * 1024)

/* Images may not overlap, because patches are added to what is there, and neither may vectors of channels. */
static bool fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    const conv_shape *s = p->shape;
    long private_bytes = 4L * winograd_positions(params[M]) * params[IMAGES] * ((long)s->out + params[VECTORS] * params[VW]);
    return winograd_suits(s) && winograd_has_size(params[M]) && winograd_turns(p, params[VW]) &&
           block_fits_channels(ctx, s->in, params[VW], params[VECTORS]) &&
           s->in % (params[VW] * params[VECTORS]) == 0 && params[IMAGES] > 0 && p->batch % params[IMAGES] == 0 &&
           private_bytes <= MOST_PRIVATE;
}

static void defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    block_default_channels(ctx, p->shape->in, &params[VW], &params[VECTORS]);
    params[IMAGES] = block_images(p->batch, params[VW], params[VECTORS]);
    while (p->batch % params[IMAGES] != 0)
        params[IMAGES]--;
    params[M] = 4;
}

static size_t scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    return winograd_scratch(p, params[M]);
}

static convoy_status add(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const int *v = job->params;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    int output_width = v[VW];
    while (output_width > s->out)
        output_width /= 2;
    int parts = block_parts(ctx, (job->problem.batch + v[IMAGES] - 1) / v[IMAGES], s->in / (v[VECTORS] * v[VW]));
    TRY(winograd_add_weights(list, job, (winograd_weights){.in = s->out, .out = s->in, .width = v[VW], .m = v[M]}, err));
    conv_launch_begin(&l, job, "backward data", "conv2d_winograd_adjoint", "winograd_adjoint");
    conv_launch_option(&l, BLOCK_OPTIONS " -DIVW=%d -DIMAGES=%d -DPARTS=%d -DM=%d", v[VW], v[VECTORS], output_width, v[IMAGES],
                       parts, v[M]);
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->scratch));
    rt_push(&l.launch, RT_BUFFER(b->dx));
    rt_push(&l.launch, RT_BATCH(1));
    conv_launch_finish(&l, job);
    l.launch.global[0] = RT_PER_IMAGE(1, (size_t)v[IMAGES]);
    l.launch.global[1] = RT_FIXED((size_t)parts);
    l.launch.local[0] = l.launch.local[1] = 1;
    return rt_list_add(list, &l.launch, err);
}

const conv_variant conv_winograd_adjoint_variants[] = {
    {.name = "vec_winograd_adjoint", .family = "vec", .pass = CONV_BACKWARD_DATA,
     .params = {BLOCK_CHANNEL_PARAMS, {"IMAGES", {1, 2, 4, 8, 16}}, {"M", {2, 4}}}, .fits = fits, .defaults = defaults,
     .scratch = scratch, .add = add, .only_tuned = true},
    {0},
};
