/* Conv2D: y = activation(conv(x, kernel) + bias). Kernels: cl/conv2d_*.cl; with groups,
 * cl/group_conv2d.cl. */
#include "layers/conv.h"
#include "layers/formula.h"
#include "ops/elementwise.h"

typedef struct conv2d_state {
    int filters, groups, padding, data_format;
    int kernel_size[2], strides[2], dilation_rate[2];
    activation_choice act;
    bool use_bias;
    initializer kernel_initializer, bias_initializer;
    param_rules kernel_rules, bias_rules;
    conv_shape shape; /* set by build */
} conv2d_state;

#define AT(member) .offset = offsetof(conv2d_state, member)

static const option options[] = {
    {.name = "filters", .kind = OPTION_INT, AT(filters), .least = 1, .most = 1 << 20},
    {.name = "kernel_size", .kind = OPTION_PAIR, AT(kernel_size), .least = 1, .most = 1 << 15},
    {.name = "strides", .kind = OPTION_PAIR, AT(strides), .standard = "1", .least = 1, .most = 1 << 15},
    OPTION_PADDING(conv2d_state),
    OPTION_DATA_FORMAT(conv2d_state),
    {.name = "dilation_rate", .kind = OPTION_PAIR, AT(dilation_rate), .standard = "1", .least = 1, .most = 1 << 15},
    {.name = "groups", .kind = OPTION_INT, AT(groups), .standard = "1", .least = 1, .most = 1 << 20},
    {.name = "activation", .kind = OPTION_ACTIVATION, AT(act), .standard = "\"linear\""},
    {.name = "use_bias", .kind = OPTION_BOOL, AT(use_bias), .standard = "true"},
    {.name = "kernel_initializer", .kind = OPTION_INITIALIZER, AT(kernel_initializer),
     .standard = "\"glorot_uniform\""},
    {.name = "bias_initializer", .kind = OPTION_INITIALIZER, AT(bias_initializer), .standard = "\"zeros\""},
    OPTION_RULES("kernel", conv2d_state, kernel_rules),
    OPTION_RULES("bias", conv2d_state, bias_rules),
    {.name = "activity_regularizer", .kind = OPTION_NULL,
     .instead = "kernel_regularizer and bias_regularizer are"},
    {0},
};

static convoy_status check(const layer *l, convoy_error *err)
{
    const conv2d_state *s = l->state;
    const conv_shape *c = &s->shape;
    bool strided = s->strides[0] > 1 || s->strides[1] > 1;
    if (strided && (s->dilation_rate[0] > 1 || s->dilation_rate[1] > 1))
        return base_fail(err, CONVOY_ERROR_MODEL,
                         "strides (%d, %d) with dilation_rate (%d, %d); one of the two must be 1", s->strides[0],
                         s->strides[1], s->dilation_rate[0], s->dilation_rate[1]);
    if (c->in % s->groups != 0 || c->out % s->groups != 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "%d groups don't divide %d channels and %d filters evenly", s->groups, c->in,
                         c->out);
    if ((long)s->kernel_size[0] * s->kernel_size[1] * (c->in > c->out ? c->in : c->out) > 1 << 30)
        return base_fail(err, CONVOY_ERROR_MODEL, "a %d x %d kernel over %d channels with %d filters is too large",
                         s->kernel_size[0], s->kernel_size[1], c->in, c->out);
    return CONVOY_OK;
}

static convoy_status build(layer *l, convoy_error *err)
{
    conv2d_state *s = l->state;
    conv_shape *c = &s->shape;
    TRY(conv_build(l, s->kernel_size, s->strides, s->dilation_rate, s->padding == 1, c, err));
    c->out = s->filters;
    c->bias = s->use_bias;
    c->groups = s->groups;
    TRY(check(l, err));
    l->output = (convoy_shape){3, {c->out_height, c->out_width, s->filters}};
    int taps = s->kernel_size[0] * s->kernel_size[1], in = c->in / s->groups;
    layer_add_param(l, "kernel", (convoy_shape){4, {s->kernel_size[0], s->kernel_size[1], in, s->filters}},
                    s->kernel_initializer, taps * in, taps * s->filters);
    layer_add_rules(l, &s->kernel_rules);
    conv_add_bias(l, s->use_bias, s->filters, s->bias_initializer, &s->bias_rules);
    l->backward_reads_input = true;
    l->takes = activation_fuses(s->act.act) ? EPILOGUE_POOL : 0;
    l->d_takes = EPILOGUE_SLOPE | EPILOGUE_ADD;
    conv_build_activation(l, s->act.act);
    l->zeros_needed = ops_conv2d_zeros(c);
    return CONVOY_OK;
}

static bool pools(const layer *l, const layer_needs *needs, int batch, const epilogue_pool *pool)
{
    return ops_conv2d_pools(&needs->kernels[0], &((const conv2d_state *)l->state)->shape, batch, pool);
}

/* What backward computes with: only what the windows cover has a gradient. */
static conv_shape covered_shape(const conv2d_state *s, const epilogue_pool *pool)
{
    conv_shape shape = s->shape;
    if (pool != NULL)
        epilogue_pool_covers(pool, &shape.out_height, &shape.out_width);
    return shape;
}

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    const conv2d_state *s = l->state;
    conv_shape covered = covered_shape(s, pool);
    conv_needs(ctx, &s->shape, &covered, batch, out, &out->kernels[0]);
    out->keeps_scratch = ops_conv2d_scratch_of_weights(&out->kernels[0]);
}

static void formula(const layer *l, int axis, text *out)
{
    const conv2d_state *s = l->state;
    if (axis < 2)
        formula_window(l->input[0].dim[axis], s->kernel_size[axis], s->dilation_rate[axis], s->strides[axis], s->padding == 1,
                       out);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return conv_forward(l, io, &((const conv2d_state *)l->state)->shape, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    conv_shape covered = covered_shape(l->state, io->end.pool);
    return conv_backward(l, io, &covered, list, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    conv_reference_forward(l, r, &((const conv2d_state *)l->state)->shape);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    conv_reference_backward(l, r, &((const conv2d_state *)l->state)->shape);
}

static size_t reduction(const layer *l, int batch)
{
    const conv_shape *c = &((const conv2d_state *)l->state)->shape;
    size_t forward = (size_t)c->kernel[0] * c->kernel[1] * (c->in > c->out ? c->in : c->out);
    size_t backward = (size_t)batch * c->out_height * c->out_width;
    return forward > backward ? forward : backward;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const conv2d_state *s = l->state;
    onnx_value x = onnx_input(g, 0, ONNX_FIRST), kernel = onnx_param(g, 0, conv_onnx_order);
    onnx_value z = conv_onnx(g, l, &s->shape, s->groups, x, kernel, s->use_bias ? onnx_param(g, 1, NULL) : 0);
    return onnx_result(g, onnx_activate(g, s->act.act, z, ONNX_FIRST), ONNX_FIRST, err);
}

/* Shapes from the tutorial network and from others, and odd ones: channels that fill no vector, one pixel, kernels as large as
 * the image, every mix of strides, padding and dilation. */
static const layer_sample samples[] = {
    {"filters=32, kernel_size=3, activation=relu", {3, {32, 32, 3}}},
    {"filters=64, kernel_size=3, activation=relu", {3, {15, 15, 32}}},
    {"filters=8, kernel_size=3", {3, {6, 6, 16}}},
    {"filters=5, kernel_size=(3, 2), strides=(2, 1), activation=tanh", {3, {9, 7, 3}}},
    {"filters=7, kernel_size=3, padding=same, activation=sigmoid", {3, {5, 6, 2}}},
    {"filters=19, kernel_size=(2, 5), padding=same, strides=(1, 2), activation=elu", {3, {7, 11, 9}}},
    {"filters=16, kernel_size=3, strides=2, padding=same, activation=gelu", {3, {8, 9, 17}}},
    {"filters=33, kernel_size=1, activation=silu", {3, {4, 3, 24}}},
    {"filters=4, kernel_size=1, strides=3, activation=softmax", {3, {7, 8, 5}}},
    {"filters=6, kernel_size=5, use_bias=False, activation=leaky_relu", {3, {5, 5, 1}}},
    {"filters=1, kernel_size=7, padding=same, activation=linear", {3, {3, 10, 6}}},
    {"filters=10, kernel_size=3, padding=same, strides=(3, 2)", {3, {10, 7, 12}}},
    {"filters=12, kernel_size=3, dilation_rate=2, padding=same, activation=relu", {3, {7, 9, 8}}},
    {"filters=9, kernel_size=(2, 3), dilation_rate=(3, 2)", {3, {8, 9, 4}}},
    {"filters=16, kernel_size=(5, 3), strides=(4, 5), use_bias=False", {3, {13, 12, 16}}},
    {"filters=8, kernel_size=2, strides=3, padding=same", {3, {7, 7, 8}}},
    {"filters=3, kernel_size=4, padding=same, strides=2, activation=relu", {3, {1, 1, 2}}},
    {"filters=12, kernel_size=3, groups=4, activation=relu", {3, {7, 6, 8}}},
    {"filters=6, kernel_size=(2, 3), strides=2, padding=same, groups=3, activation=silu", {3, {5, 7, 9}}},
    {"filters=8, kernel_size=3, dilation_rate=2, groups=2, use_bias=False", {3, {8, 7, 4}}},
    {"filters=10, kernel_size=1, groups=5", {3, {3, 3, 5}}},
    {0},
};

const layer_class conv2d_class = {
    .name = "Conv2D",
    .snake = "conv2d",
    .state_size = sizeof(conv2d_state),
    .options = options,
    .samples = samples,
    .build = build,
    .needs = needs,
    .pools = pools,
    .formula = formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
