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

#define AT(member) .offset = offsetof(depthwise_state, member)

static const option options[] = {
    {.name = "kernel_size", .kind = OPTION_PAIR, AT(kernel_size), .least = 1, .most = 1 << 15},
    {.name = "strides", .kind = OPTION_PAIR, AT(strides), .standard = "1", .least = 1, .most = 1 << 15},
    OPTION_PADDING(depthwise_state),
    {.name = "depth_multiplier", .kind = OPTION_INT, AT(depth_multiplier), .standard = "1", .least = 1, .most = 1 << 20},
    OPTION_DATA_FORMAT(depthwise_state),
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
    conv_add_bias(l, s->use_bias, s->shape.out, s->bias_initializer, &s->bias_rules);
    l->backward_reads_input = true;
    l->d_takes = EPILOGUE_SLOPE | EPILOGUE_ADD;
    conv_build_activation(l, s->act.act);
    l->zeros_needed = ops_conv2d_zeros(&s->shape);
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

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    const depthwise_state *s = l->state;
    (void)pool;
    conv_needs(ctx, &s->shape, &s->shape, batch, out, &out->kernels[0]);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return conv_forward(l, io, &((const depthwise_state *)l->state)->shape, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return conv_backward(l, io, &((const depthwise_state *)l->state)->shape, list, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    conv_reference_forward(l, r, &((const depthwise_state *)l->state)->shape);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    conv_reference_backward(l, r, &((const depthwise_state *)l->state)->shape);
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
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
