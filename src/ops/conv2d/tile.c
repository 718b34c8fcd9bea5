/* The tile variants: a work-group computes a block of a matrix product from blocks in local memory. Kernels: cl/conv2d_tile.cl,
 * cl/conv2d_tile_filter.cl and, where a sum is split, cl/conv2d_finish.cl. */
#include "ops/conv2d/tile.h"

#include <stdio.h>

#include "ops/elementwise.h"

static int blocks_of(double values, int size) { return ((int)values + size - 1) / size; }

/* The options of a block, and a range of a row of work-items a block, blocks of columns, parts x phases. */
static void set_block(conv_launch *l, const rt_gpu *gpu, const conv_job *job, bool padded, rt_extent row_blocks)
{
    const int *v = job->params;
    tile_product g = tile_product_of(&job->problem);
    conv_launch_option(l, " -DTILE_M=%d -DTILE_N=%d -DTILE_K=%d -DWORK_M=%d -DWORK_N=%d -DPARTIAL=%d -DPADDED=%d", v[TILE_M],
                       v[TILE_N], v[TILE_K], v[WORK_M], v[WORK_N], v[SPLITS] > 1, padded);
    if (gpu->tell_lanes)
        conv_launch_option(l, " -DSUB_GROUP=%u", gpu->lanes);
    rt_push(&l->launch, RT_BATCH(1));
    l->launch.global[0] = row_blocks;
    l->launch.global[1] = RT_FIXED((size_t)blocks_of(g.columns, v[TILE_N]));
    l->launch.global[2] = RT_FIXED((size_t)v[SPLITS] * (size_t)g.phases);
    l->launch.local[0] = (size_t)tile_items(v);
    l->launch.local[1] = l->launch.local[2] = 1;
}

/* ---- forward and data gradient ---- */

static size_t values_per_image(const conv_problem *p)
{
    return p->pass == CONV_FORWARD ? conv_outputs(p->shape) : conv_inputs(p->shape);
}

static size_t pixels_scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    return params[SPLITS] > 1 ? (size_t)params[SPLITS] * (size_t)p->batch * values_per_image(p) : 0;
}

/* A rounded-up share of an image's rows: the range is rounded up to whole blocks. */
static rt_extent pixel_blocks(const conv_job *job)
{
    tile_product g = tile_product_of(&job->problem);
    return RT_PER_IMAGE((size_t)(g.rows / job->problem.batch) * (size_t)tile_items(job->params), (size_t)job->params[TILE_M]);
}

/* Adds the parts of a split sum, and does to it what an unsplit one has behind it. */
static convoy_status add_finish(rt_list *list, convoy_context *ctx, const conv_job *job, const rt_buffer *to, convoy_error *err)
{
    conv_launch l;
    size_t values = values_per_image(&job->problem);
    conv_launch_begin(&l, job, job->problem.pass == CONV_FORWARD ? "forward sum" : "backward data sum", "conv2d_finish",
                      "conv2d_finish");
    rt_push(&l.launch, RT_BUFFER(job->buffers->scratch));
    rt_push(&l.launch, RT_BUFFER(conv_bias(job->buffers)));
    rt_push(&l.launch, RT_BUFFER(to));
    rt_push(&l.launch, RT_INT(job->params[SPLITS]));
    rt_push(&l.launch, RT_BATCH((int)values));
    conv_launch_finish(&l, job);
    ops_range(&l.launch, ctx, values, 0, 1);
    l.launch.flops_per_image = (double)values * job->params[SPLITS];
    l.launch.bytes_per_image = 4.0 * (double)values * (job->params[SPLITS] + 1);
    l.launch.bytes = 0;
    return rt_list_add(list, &l.launch, err);
}

/* Every tap of every pixel of dx meets a pixel of dz: only where there is one tap. */
static bool data_padded(const conv_shape *s)
{
    return s->kernel[0] != 1 || s->kernel[1] != 1 || s->stride[0] != 1 || s->stride[1] != 1 || conv_padded(s);
}

static convoy_status add_pixels_by(rt_list *list, convoy_context *ctx, const conv_job *job, bool by_images, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    bool split = job->params[SPLITS] > 1, forward = job->problem.pass == CONV_FORWARD;
    const rt_buffer *to = forward ? b->y : b->dx;
    conv_launch_begin(&l, job, forward ? "forward" : "backward data", "conv2d_tile",
                      forward ? "conv2d_forward_tile" : "conv2d_backward_data_tile");
    conv_launch_option(&l, "%s -DBY_IMAGES=%d", forward ? "" : " -DBACKWARD_DATA", by_images);
    rt_push(&l.launch, RT_BUFFER(forward ? b->x : b->dz));
    rt_push(&l.launch, RT_BUFFER(b->w));
    if (forward)
        rt_push(&l.launch, RT_BUFFER(conv_bias(b)));
    rt_push(&l.launch, RT_BUFFER(split ? b->scratch : to));
    bool padded = forward ? conv_padded(job->problem.shape) : data_padded(job->problem.shape);
    set_block(&l, rt_gpu_of(ctx), job, padded, pixel_blocks(job));
    if (!split)
        conv_launch_finish(&l, job);
    TRY(rt_list_add(list, &l.launch, err));
    return split ? add_finish(list, ctx, job, to, err) : CONVOY_OK;
}

static convoy_status add_pixels(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    return add_pixels_by(list, ctx, job, false, err);
}

static convoy_status add_images(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    return add_pixels_by(list, ctx, job, true, err);
}

/* ---- filter gradient ---- */

static size_t filter_scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    return params[SPLITS] > 1 ? (size_t)params[SPLITS] * (conv_weights(p->shape) + (size_t)p->shape->out) : 0;
}

static convoy_status add_filter(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    const int *v = job->params;
    bool split = v[SPLITS] > 1;
    int row_blocks = blocks_of(tile_product_of(&job->problem).rows, v[TILE_M]);
    conv_launch_begin(&l, job, "backward filter", "conv2d_tile_filter", "conv2d_backward_filter_tile");
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(split ? b->scratch : b->dw));
    rt_push(&l.launch, RT_BUFFER(split ? b->scratch : s->bias ? b->dbias : b->dw));
    set_block(&l, rt_gpu_of(ctx), job, conv_padded(s), RT_FIXED((size_t)row_blocks * (size_t)tile_items(v)));
    TRY(rt_list_add(list, &l.launch, err));
    return split ? conv_add_reduce(list, ctx, job, v[SPLITS], err) : CONVOY_OK;
}

/* ---- rows ---- */

#define BLOCK_PARAMS                                                                                                   \
    {"TILE_M", {16, 32, 64, 96, 128}}, {"TILE_N", {16, 32, 64, 128}}, {"TILE_K", {8, 16, 32}}, {"WORK_M", {4, 8}},     \
    {"WORK_N", {4, 8}}
#define PIXEL_PARAMS {BLOCK_PARAMS, {"SPLITS", {1, 2, 4, 8, 16}}}
#define FILTER_PARAMS {BLOCK_PARAMS, {"SPLITS", {1, 4, 8, 16, 32, 64, 128, 256, 512}}}

const conv_variant conv_tile_variants[] = {
    {.name = "tile_images", .family = "tile", .pass = CONV_FORWARD, .params = PIXEL_PARAMS, .fits = tile_fits,
     .defaults = tile_images_defaults, .smaller = tile_smaller, .scratch = pixels_scratch, .add = add_images},
    {.name = "tile_images", .family = "tile", .pass = CONV_BACKWARD_DATA, .params = PIXEL_PARAMS, .fits = tile_fits,
     .defaults = tile_images_defaults, .smaller = tile_smaller, .scratch = pixels_scratch, .add = add_images},
    {.name = "tile", .family = "tile", .pass = CONV_FORWARD, .params = PIXEL_PARAMS, .fits = tile_fits,
     .defaults = tile_defaults, .smaller = tile_smaller, .scratch = pixels_scratch, .add = add_pixels},
    {.name = "tile", .family = "tile", .pass = CONV_BACKWARD_DATA, .params = PIXEL_PARAMS, .fits = tile_fits,
     .defaults = tile_defaults, .smaller = tile_smaller, .scratch = pixels_scratch, .add = add_pixels},
    {.name = "tile", .family = "tile", .pass = CONV_BACKWARD_FILTER, .params = FILTER_PARAMS, .fits = tile_fits,
     .defaults = tile_defaults, .smaller = tile_smaller, .scratch = filter_scratch, .add = add_filter},
    {0},
};
