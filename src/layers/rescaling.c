/* Rescaling: y = x * scale + offset. Kernel: cl/rescaling.cl. */
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct rescaling_state {
    double scale, offset;
} rescaling_state;

static const option options[] = {
    {.name = "scale", .kind = OPTION_FLOAT, .offset = offsetof(rescaling_state, scale)},
    {.name = "offset", .kind = OPTION_FLOAT, .offset = offsetof(rescaling_state, offset), .standard = "0.0"},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    (void)err;
    l->output = l->input[0];
    return CONVOY_OK;
}

/* One that makes values larger was made for values of 0 to 1. */
static bool takes_bytes(const layer *l, float *const *weights)
{
    const rescaling_state *s = l->state;
    (void)weights;
    return s->scale >= -1 && s->scale <= 1;
}

static convoy_status add(const layer *l, const layer_io *io, const char *pass, const rt_buffer *from, const rt_buffer *to,
                         double offset, rt_list *list, convoy_error *err)
{
    const rescaling_state *s = l->state;
    char text[96], label[160];
    size_t values = shape_count(&l->output);
    snprintf(text, sizeof text, "-DVW=%u -DSCALE=%.9ef -DOFFSET=%.9ef", ops_width(io->ctx), s->scale, offset);
    snprintf(label, sizeof label, "%s %s", l->name, pass);
    rt_launch launch = {.label = label, .source = "rescaling", .kernel = "rescaling", .options = text};
    rt_push(&launch, RT_BUFFER(from));
    rt_push(&launch, RT_BUFFER(to));
    rt_push(&launch, RT_BATCH((int)values));
    ops_range(&launch, io->ctx, values, 0, ops_width(io->ctx));
    launch.bytes_per_image = 8.0 * (double)values;
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const rescaling_state *s = l->state;
    return add(l, io, "forward", io->input[0], io->output, s->offset, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return io->d_input[0] ? add(l, io, "backward", io->d_output, io->d_input[0], 0.0, list, err) : CONVOY_OK;
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const rescaling_state *s = l->state;
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++)
        r->output[i] = r->input[0][i] * s->scale + s->offset;
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const rescaling_state *s = l->state;
    for (size_t i = 0; r->d_input[0] && i < shape_count(&l->output) * (size_t)r->batch; i++)
        r->d_input[0][i] = r->d_output[i] * s->scale;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const rescaling_state *s = l->state;
    onnx_layout layout = onnx_given_layout(g);
    onnx_value y = onnx_input(g, 0, layout);
    if (s->scale != 1)
        y = onnx_binary(g, "Mul", y, onnx_scalar(g, s->scale));
    if (s->offset != 0)
        y = onnx_binary(g, "Add", y, onnx_scalar(g, s->offset));
    return onnx_result(g, y, layout, err);
}

static const layer_sample samples[] = {
    {"scale=0.00392156862745098", {3, {5, 3, 3}}}, {"scale=2, offset=-1", {1, {19}}}, {"scale=-0.5, offset=0.1", {2, {1, 7}}}, {0},
};

const layer_class rescaling_class = {
    .name = "Rescaling",
    .snake = "rescaling",
    .state_size = sizeof(rescaling_state),
    .options = options,
    .samples = samples,
    .build = build,
    .takes_bytes = takes_bytes,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = onnx,
};
