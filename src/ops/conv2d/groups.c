/* The variants for several groups; depthwise convolution has one for each channel. Kernels: cl/group_conv2d.cl. */
#include <stdio.h>

#include "ops/conv2d/block.h"
#include "ops/elementwise.h"

enum { VW }; /* of depthwise rows; the others have no parameters: 0 */

/* Vectors over channels are for depthwise convolution that keeps the number of channels. */
static bool fits_vec(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    const conv_shape *s = p->shape;
    return s->groups == s->in && s->groups == s->out && s->kernel[0] * s->kernel[1] <= 49 && params[VW] > 1 &&
           block_fits_channels(ctx, s->in, params[VW], 1);
}

static void vec_defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    params[VW] = (int)ops_row_width(ctx, p->shape->in);
}

/* Kernels: the plain one and that with vectors. */
static void begin(conv_launch *l, const conv_job *job, const char *what, const char *plain, const char *vec, const char *defined)
{
    conv_launch_begin(l, job, what, "group_conv2d", job->params[VW] ? vec : plain);
    conv_launch_option(l, " -DVW=%d -DGROUPS=%d -D%s", job->params[VW] ? job->params[VW] : 1, job->problem.shape->groups, defined);
}

static convoy_status add_forward(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    begin(&l, job, "forward", "group_conv2d_forward_plain", "group_conv2d_forward_vec", "FORWARD");
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(conv_bias(b)));
    rt_push(&l.launch, RT_BUFFER(b->y));
    ops_row_range(&l.launch, ctx, (unsigned)job->params[VW], s->out_height, s->out_width * s->out);
    conv_launch_finish(&l, job);
    return rt_list_add(list, &l.launch, err);
}

static convoy_status add_backward_data(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    begin(&l, job, "backward data", "group_conv2d_backward_data_plain", "group_conv2d_backward_data_vec", "BACKWARD_DATA");
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(b->dx));
    ops_row_range(&l.launch, ctx, (unsigned)job->params[VW], s->height, s->width * s->in);
    conv_launch_finish(&l, job);
    return rt_list_add(list, &l.launch, err);
}

/* ---- the filter's gradient, in chunks of images ---- */

static int chunk_images(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    if (params[VW] == 0)
        return ops_chunk_images(ctx, p->batch, conv_weights(p->shape) + (size_t)p->shape->out);
    int chunks = 2 * (int)convoy_context_device(ctx)->compute_units;
    return chunks < p->batch ? (p->batch + chunks - 1) / chunks : 1;
}

static size_t filter_scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    int images = chunk_images(ctx, p, params), chunks = (p->batch + images - 1) / images;
    return chunks > 1 ? (size_t)chunks * (conv_weights(p->shape) + (size_t)p->shape->out) : 0;
}

static convoy_status add_backward_filter(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    int images = chunk_images(ctx, &job->problem, job->params);
    int chunks = (job->problem.batch + images - 1) / images, weights = (int)conv_weights(s), stride = weights + s->out;
    begin(&l, job, "backward filter", "group_conv2d_backward_filter_plain", "group_conv2d_backward_filter_vec", "BACKWARD_FILTER");
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(chunks > 1 ? b->scratch : b->dw));
    rt_push(&l.launch, RT_BUFFER(chunks > 1 ? b->scratch : s->bias ? b->dbias : b->dw));
    rt_push(&l.launch, RT_INT(chunks > 1 ? weights : 0)); /* where the bias begins */
    rt_push(&l.launch, RT_INT(stride));
    rt_push(&l.launch, RT_INT(images));
    rt_push(&l.launch, RT_BATCH(1));
    ops_range(&l.launch, ctx, 0, (size_t)stride, 1);
    if (job->params[VW]) {
        l.launch.global[0] = RT_FIXED((size_t)s->kernel[0] + s->bias);
        l.launch.local[0] = 1;
    }
    l.launch.global[1] = RT_FIXED((size_t)chunks);
    l.launch.local[1] = 1;
    TRY(rt_list_add(list, &l.launch, err));
    if (chunks == 1)
        return CONVOY_OK;
    char label[160];
    snprintf(label, sizeof label, "%s reduce filter", job->layer);
    return ops_reduce_chunks(list, ctx, label, b->scratch, b->dw, weights, b->dbias, s->bias ? s->out : 0, chunks, stride, err);
}

#define VEC                                                                                                            \
    .name = "vec_depthwise", .family = "vec", .grouped = true, .params = {{"VW", {4, 8, 16}}}, .fits = fits_vec,       \
    .defaults = vec_defaults
#define PLAIN .name = "groups", .family = "plain", .grouped = true

const conv_variant conv_groups_variants[] = {
    {VEC, .pass = CONV_FORWARD, .add = add_forward},
    {VEC, .pass = CONV_BACKWARD_DATA, .add = add_backward_data},
    {VEC, .pass = CONV_BACKWARD_FILTER, .scratch = filter_scratch, .add = add_backward_filter},
    {PLAIN, .pass = CONV_FORWARD, .add = add_forward},
    {PLAIN, .pass = CONV_BACKWARD_DATA, .add = add_backward_data},
    {PLAIN, .pass = CONV_BACKWARD_FILTER, .scratch = filter_scratch, .add = add_backward_filter},
    {0},
};
