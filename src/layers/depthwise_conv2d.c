/* DepthwiseConv2D: each channel convolved with depth_multiplier filters of its own, then bias and activation. Kernels:
 * cl/group_conv2d.cl, with a group for each channel. */
#include "layers/conv.h"
#include "layers/formula.h"
#include "ops/elementwise.h"

typedef struct depthwise_state {
    int depth_multiplier, padding, data_format;
    int kernel_size[2], strides[2], dilation_rate[2];
    activation_choice act;
    bool use_bias;
    initializer depthwise_initializer, bias_initializer;
    param_rules depthwise_rules, bias_rules;
    conv_shape shape; /* set by build */
} depthwise_state;

static const char *const paddings[] = {"valid", "same", NULL};
static const char *const formats[] = {"channels_last", NULL};

#define AT(member) .offset = offsetof(depthwise_state, member)

static const option options[] = {
    {.name = "kernel_size", .kind = OPTION_PAIR, AT(kernel_size), .least = 1, .most = 1 << 15},
    {.name = "strides", .kind = OPTION_PAIR, AT(strides), .standard = "1", .least = 1, .most = 1 << 15},
    {.name = "padding", .kind = OPTION_CHOICE, AT(padding), .standard = "\"valid\"", .choices = paddings},
    {.name = "depth_multiplier", .kind = OPTION_INT, AT(depth_multiplier), .standard = "1", .least = 1, .most = 1 << 20},
    {.name = "data_format", .kind = OPTION_CHOICE, AT(data_format), .standard = "\"channels_last\"",
     .choices = formats, .hidden = true},
    {.name = "dilation_rate", .kind = OPTION_PAIR, AT(dilation_rate), .standard = "1", .least = 1, .most = 1 << 15},
    {.name = "activation", .kind = OPTION_ACTIVATION, AT(act), .standard = "\"linear\""},
    {.name = "use_bias", .kind = OPTION_BOOL, AT(use_bias), .standard = "true"},
    {.name = "depthwise_initializer", .kind = OPTION_INITIALIZER, AT(depthwise_initializer),
     .standard = "\"glorot_uniform\""},
    {.name = "bias_initializer", .kind = OPTION_INITIALIZER, AT(bias_initializer), .standard = "\"zeros\""},
    OPTION_RULES("depthwise", depthwise_state, depthwise_rules),
    OPTION_RULES("bias", depthwise_state, bias_rules),
    {.name = "activity_regularizer", .kind = OPTION_NULL,
     .instead = "depthwise_regularizer and bias_regularizer are"},
    {0},
};

static int channels_of(const layer *l) { return l->input[0].dim[2]; }
static int pixels_of(const layer *l) { return l->output.dim[0] * l->output.dim[1]; }

static size_t forward_scratch(const layer *l, const convoy_context *ctx, int batch)
{
    return ops_conv2d_scratch(ctx, CONV_FORWARD, &((const depthwise_state *)l->state)->shape, batch);
}

static size_t backward_scratch(const layer *l, const convoy_context *ctx, int batch)
{
    return ops_conv2d_scratch(ctx, CONV_BACKWARD_DATA, &((const depthwise_state *)l->state)->shape, batch);
}

static size_t filter_scratch(const layer *l, const convoy_context *ctx, int batch)
{
    return ops_conv2d_scratch(ctx, CONV_BACKWARD_FILTER, &((const depthwise_state *)l->state)->shape, batch);
}

static convoy_status build(layer *l, convoy_error *err)
{
    depthwise_state *s = l->state;
    TRY(conv_build(l, s->kernel_size, s->strides, s->dilation_rate, s->padding == 1, &s->shape, err));
    long filters = (long)s->shape.in * s->depth_multiplier;
    int taps = s->kernel_size[0] * s->kernel_size[1];
    if (taps * filters > 1 << 30)
        return base_fail(err, CONVOY_ERROR_MODEL, "a %d x %d kernel over %d channels with depth_multiplier %d is too large",
                         s->kernel_size[0], s->kernel_size[1], s->shape.in, s->depth_multiplier);
    s->shape.out = (int)filters;
    s->shape.bias = s->use_bias;
    s->shape.groups = s->shape.in;
    l->output = (convoy_shape){3, {s->shape.out_height, s->shape.out_width, s->shape.out}};
    layer_add_param(l, "kernel", (convoy_shape){4, {s->kernel_size[0], s->kernel_size[1], s->shape.in, s->depth_multiplier}},
                    s->depthwise_initializer, taps * s->shape.in, taps * s->depth_multiplier);
    layer_add_rules(l, &s->depthwise_rules);
    if (s->use_bias) {
        layer_add_param(l, "bias", (convoy_shape){1, {s->shape.out}}, s->bias_initializer, s->shape.out, s->shape.out);
        layer_add_rules(l, &s->bias_rules);
    }
    l->backward_reads_input = true;
    l->d_takes = EPILOGUE_SLOPE | EPILOGUE_ADD;
    conv_build_activation(l, s->act.act);
    l->zeros_needed = ops_conv2d_zeros(&s->shape);
    l->forward_scratch = forward_scratch;
    l->backward_scratch = backward_scratch;
    l->filter_scratch = filter_scratch;
    return CONVOY_OK;
}

static void formula(const layer *l, int axis, text *out)
{
    const depthwise_state *s = l->state;
    if (axis < 2)
        formula_window(l->input[0].dim[axis], s->kernel_size[axis], s->dilation_rate[axis], s->strides[axis], s->padding == 1,
                       out);
    else if (s->depth_multiplier > 1)
        text_add(out, "%d * %d", l->input[0].dim[2], s->depth_multiplier);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const depthwise_state *s = l->state;
    epilogue end = conv_end(io);
    conv_buffers b = {.x = io->input[0], .w = io->param[0], .bias = io->param[1], .y = conv_z(io),
                      .scratch = io->scratch, .zeros = io->zeros};
    TRY(ops_conv2d_forward(list, io->ctx, l->name, &s->shape, &end, &b, io->batch, err));
    return conv_activate(l, io, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const depthwise_state *s = l->state;
    TRY(conv_take_slope(l, io, list, err));
    conv_buffers b = {.x = io->input[0], .w = io->param[0], .dz = io->d_output, .dx = io->d_input[0], .dw = io->d_param[0],
                      .dbias = io->d_param[1], .scratch = io->scratch, .filter_scratch = io->filter_scratch,
                      .zeros = io->zeros};
    return ops_conv2d_backward(list, io->ctx, l->name, &s->shape, &io->d_end, &b, io->batch, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const depthwise_state *s = l->state;
    ops_conv2d_reference(&s->shape, r->batch, r->input[0], r->param[0], r->param[1], r->output);
    ops_activation_reference(s->act.act, r->output, r->output, (size_t)r->batch * pixels_of(l), (size_t)s->shape.out);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const depthwise_state *s = l->state;
    size_t rows = (size_t)r->batch * pixels_of(l), out = (size_t)s->shape.out;
    double *z = r->scratch, *y = z + rows * out, *dz = y + rows * out;
    ops_conv2d_reference(&s->shape, r->batch, r->input[0], r->param[0], r->param[1], z);
    ops_activation_reference(s->act.act, z, y, rows, out);
    ops_activation_reference_backward(s->act.act, z, y, r->d_output, dz, rows, out);
    ops_conv2d_reference_backward(&s->shape, r->batch, r->input[0], r->param[0], dz, r->d_input[0], r->d_param[0], r->d_param[1]);
}

static size_t reduction(const layer *l, int batch)
{
    const depthwise_state *s = l->state;
    size_t taps = (size_t)s->kernel_size[0] * s->kernel_size[1] * s->depth_multiplier;
    size_t pixels = (size_t)batch * pixels_of(l);
    return taps > pixels ? taps : pixels;
}

/* A convolution in as many groups as there are channels, each with depth_multiplier filters. */
static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const depthwise_state *s = l->state;
    convoy_shape shape = {4, {s->kernel_size[0], s->kernel_size[1], 1, s->shape.out}};
    onnx_value x = onnx_input(g, 0, ONNX_FIRST);
    onnx_value kernel = onnx_weight(g, l->param[0].name, &shape, onnx_values(g, 0), conv_onnx_order);
    onnx_value z = conv_onnx(g, l, &s->shape, channels_of(l), x, kernel, s->use_bias ? onnx_param(g, 1, NULL) : 0);
    return onnx_result(g, onnx_activate(g, s->act.act, z, ONNX_FIRST), ONNX_FIRST, err);
}

static const layer_sample samples[] = {
    {"kernel_size=3, padding=same, activation=relu6", {3, {14, 15, 32}}},
    {"kernel_size=3", {3, {6, 6, 16}}},
    {"kernel_size=3, strides=2, padding=same, activation=relu", {3, {9, 8, 17}}},
    {"kernel_size=(3, 2), strides=(2, 1), depth_multiplier=2, activation=tanh", {3, {9, 7, 3}}},
    {"kernel_size=(2, 5), padding=same, depth_multiplier=3, use_bias=False", {3, {7, 11, 5}}},
    {"kernel_size=3, dilation_rate=2, padding=same, activation=silu", {3, {7, 9, 8}}},
    {"kernel_size=(2, 3), dilation_rate=(3, 2), strides=2, padding=same", {3, {8, 9, 4}}},
    {"kernel_size=1, activation=softmax", {3, {4, 3, 6}}},
    {"kernel_size=7, padding=same, use_bias=False", {3, {3, 5, 9}}},
    {"kernel_size=8, padding=same", {3, {3, 4, 5}}},
    {"kernel_size=2, strides=3, padding=same, activation=relu", {3, {7, 7, 1}}},
    {0},
};

const layer_class depthwise_conv2d_class = {
    .name = "DepthwiseConv2D",
    .snake = "depthwise_conv2d",
    .state_size = sizeof(depthwise_state),
    .options = options,
    .samples = samples,
    .build = build,
    .formula = formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
