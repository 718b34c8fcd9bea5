/* The plain variants: one value a work-item, on every device and for every shape. */
#include "ops/conv2d/variant.h"
#include "ops/elementwise.h"

static convoy_status add_forward(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    conv_launch_begin(&l, job, "forward", "conv2d_plain", "conv2d_forward_plain");
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(conv_bias(b)));
    rt_push(&l.launch, RT_BUFFER(b->y));
    rt_push(&l.launch, RT_BATCH((int)conv_outputs(job->problem.shape)));
    conv_launch_finish(&l, job);
    ops_range(&l.launch, ctx, conv_outputs(job->problem.shape), 0, 1);
    return rt_list_add(list, &l.launch, err);
}

static convoy_status add_backward_data(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    conv_launch_begin(&l, job, "backward data", "conv2d_plain", "conv2d_backward_data_plain");
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(b->dx));
    rt_push(&l.launch, RT_BATCH((int)conv_inputs(job->problem.shape)));
    conv_launch_finish(&l, job);
    ops_range(&l.launch, ctx, conv_inputs(job->problem.shape), 0, 1);
    return rt_list_add(list, &l.launch, err);
}

static convoy_status add_backward_filter(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    conv_launch_begin(&l, job, "backward filter", "conv2d_plain", "conv2d_backward_filter_plain");
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->dw));
    rt_push(&l.launch, RT_BUFFER(s->bias ? b->dbias : b->dw));
    rt_push(&l.launch, RT_BATCH(1));
    ops_range(&l.launch, ctx, 0, conv_weights(s) + (size_t)s->out, 1);
    return rt_list_add(list, &l.launch, err);
}

const conv_variant conv_plain_variants[] = {
    {.name = "plain", .family = "plain", .pass = CONV_FORWARD, .add = add_forward},
    {.name = "plain", .family = "plain", .pass = CONV_BACKWARD_DATA, .add = add_backward_data},
    {.name = "plain", .family = "plain", .pass = CONV_BACKWARD_FILTER, .add = add_backward_filter},
    {0},
};
