/* SeparableConv2D: a depthwise convolution, then a pointwise one with bias and activation. Between them stands the middle, kept
 * for the backward pass in `saved`; behind it, where the activation's slope does not follow from its output, the activation's
 * input. */
#include <limits.h>
#include <stdio.h>

#include "layers/conv.h"
#include "layers/formula.h"
#include "ops/elementwise.h"

typedef struct separable_state {
    int filters, depth_multiplier, padding, data_format;
    int kernel_size[2], strides[2], dilation_rate[2];
    activation_choice act;
    bool use_bias;
    initializer depthwise_initializer, pointwise_initializer, bias_initializer;
    param_rules depthwise_rules, pointwise_rules, bias_rules;
    conv_shape depthwise, pointwise; /* set by build */
} separable_state;

#define AT(member) .offset = offsetof(separable_state, member)

static const option options[] = {
    {.name = "filters", .kind = OPTION_INT, AT(filters), .least = 1, .most = 1 << 20},
    {.name = "kernel_size", .kind = OPTION_PAIR, AT(kernel_size), .least = 1, .most = 1 << 15},
    {.name = "strides", .kind = OPTION_PAIR, AT(strides), .standard = "1", .least = 1, .most = 1 << 15},
    OPTION_PADDING(separable_state),
    OPTION_DATA_FORMAT(separable_state),
    {.name = "dilation_rate", .kind = OPTION_PAIR, AT(dilation_rate), .standard = "1", .least = 1, .most = 1 << 15},
    {.name = "depth_multiplier", .kind = OPTION_INT, AT(depth_multiplier), .standard = "1", .least = 1, .most = 1 << 20},
    {.name = "activation", .kind = OPTION_ACTIVATION, AT(act), .standard = "\"linear\""},
    {.name = "use_bias", .kind = OPTION_BOOL, AT(use_bias), .standard = "true"},
    {.name = "depthwise_initializer", .kind = OPTION_INITIALIZER, AT(depthwise_initializer),
     .standard = "\"glorot_uniform\""},
    {.name = "pointwise_initializer", .kind = OPTION_INITIALIZER, AT(pointwise_initializer),
     .standard = "\"glorot_uniform\""},
    {.name = "bias_initializer", .kind = OPTION_INITIALIZER, AT(bias_initializer), .standard = "\"zeros\""},
    OPTION_RULES("depthwise", separable_state, depthwise_rules),
    OPTION_RULES("pointwise", separable_state, pointwise_rules),
    OPTION_RULES("bias", separable_state, bias_rules),
    {.name = "activity_regularizer", .kind = OPTION_NULL,
     .instead = "depthwise_regularizer, pointwise_regularizer and bias_regularizer are"},
    {0},
};

static int pixels_of(const layer *l) { return l->output.dim[0] * l->output.dim[1]; }
static size_t middle_count(const layer *l)
{
    return (size_t)pixels_of(l) * (size_t)((const separable_state *)l->state)->depthwise.out;
}

static convoy_status build(layer *l, convoy_error *err)
{
    separable_state *s = l->state;
    conv_shape *d = &s->depthwise, *p = &s->pointwise;
    TRY(conv_build(l, s->kernel_size, s->strides, s->dilation_rate, s->padding == 1, d, err));
    long middle = (long)d->in * s->depth_multiplier;
    int taps = s->kernel_size[0] * s->kernel_size[1];
    if (taps * middle > 1 << 30 || middle * s->filters > 1 << 30)
        return base_fail(err, CONVOY_ERROR_MODEL, "a %d x %d kernel over %d channels with depth_multiplier %d and %d filters "
                         "is too large", s->kernel_size[0], s->kernel_size[1], d->in, s->depth_multiplier, s->filters);
    d->out = (int)middle;
    d->groups = d->in;
    *p = (conv_shape){.height = d->out_height, .width = d->out_width, .in = d->out, .out_height = d->out_height,
                      .out_width = d->out_width, .out = s->filters, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1},
                      .bias = s->use_bias};
    l->output = (convoy_shape){3, {d->out_height, d->out_width, s->filters}};
    layer_add_param(l, "depthwise_kernel",
                    (convoy_shape){4, {s->kernel_size[0], s->kernel_size[1], d->in, s->depth_multiplier}},
                    s->depthwise_initializer, taps * d->in, taps * s->depth_multiplier);
    layer_add_rules(l, &s->depthwise_rules);
    layer_add_param(l, "pointwise_kernel", (convoy_shape){4, {1, 1, d->out, s->filters}}, s->pointwise_initializer, d->out,
                    s->filters);
    layer_add_rules(l, &s->pointwise_rules);
    conv_add_bias(l, s->use_bias, s->filters, s->bias_initializer, &s->bias_rules);
    l->backward_reads_input = true;
    l->d_takes = EPILOGUE_SLOPE | EPILOGUE_ADD;
    conv_build_activation(l, s->act.act);
    l->saved_per_image += middle_count(l);
    l->zeros_needed = ops_conv2d_zeros(p); /* at least those of the middle */
    return CONVOY_OK;
}

static void formula(const layer *l, int axis, text *out)
{
    const separable_state *s = l->state;
    if (axis < 2)
        formula_window(l->input[0].dim[axis], s->kernel_size[axis], s->dilation_rate[axis], s->strides[axis], s->padding == 1,
                       out);
}

/* ---- launches ---- */

/* Applies the activation or its slope in place, its input being kept behind the middle. */
static convoy_status add_kept(const layer *l, const layer_io *io, const char *kernel, const rt_buffer *first,
                              const rt_buffer *second, rt_list *list, convoy_error *err)
{
    const separable_state *s = l->state;
    char text[256];
    size_t values = shape_count(&l->output);
    snprintf(text, sizeof text, "-DVW=%u" ACTIVATION_OPTIONS, ops_width(io->ctx), s->act.act->name, s->act.act->name);
    rt_launch launch = {.label = l->name, .source = "activation", .kernel = kernel, .options = text};
    rt_push(&launch, RT_BUFFER(first));
    rt_push(&launch, RT_BUFFER(second));
    rt_push(&launch, RT_INT((int)(middle_count(l) * (size_t)io->batch)));
    rt_push(&launch, RT_BATCH((int)values));
    ops_range(&launch, io->ctx, values, 0, ops_width(io->ctx));
    launch.bytes_per_image = 12.0 * (double)values;
    return rt_list_add(list, &launch, err);
}

/* The two convolutions run one after the other. */
static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    const separable_state *s = l->state;
    (void)pool;
    conv_needs(ctx, &s->depthwise, &s->depthwise, batch, out, &out->kernels[0]);
    conv_needs(ctx, &s->pointwise, &s->pointwise, batch, out, &out->kernels[1]);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const separable_state *s = l->state;
    const activation *act = io->end.act;
    epilogue end = conv_end(io);
    char name[160];
    if (l->saved_per_image > (size_t)INT_MAX / (size_t)io->batch)
        return base_fail(err, CONVOY_ERROR_MODEL, "layer '%s': %zu values an image in batches of %d are too many; use a "
                         "smaller batch size", l->name, l->saved_per_image, io->batch);
    snprintf(name, sizeof name, "%s depthwise", l->name);
    conv_buffers d = {.kernels = &io->needs->kernels[0], .x = io->input[0], .w = io->param[0], .y = io->saved,
                      .scratch = io->scratch, .zeros = io->zeros};
    TRY(ops_conv2d_forward(list, io->ctx, name, &s->depthwise, NULL, &d, io->batch, err));
    snprintf(name, sizeof name, "%s pointwise", l->name);
    conv_buffers p = {.kernels = &io->needs->kernels[1], .x = io->saved, .w = io->param[1], .bias = io->param[2],
                      .y = io->output, .scratch = io->scratch, .zeros = io->zeros};
    TRY(ops_conv2d_forward(list, io->ctx, name, &s->pointwise, &end, &p, io->batch, err));
    return act && !act->from_output ? add_kept(l, io, "activation_forward_keep", io->output, io->saved, list, err)
                                    : conv_activate(l, io, list, err);
}

/* The gradient of the middle takes the middle's place: the pointwise filter's gradient, which reads it, comes first. */
static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const separable_state *s = l->state;
    char name[160];
    if (io->end.act && !io->end.act->from_output)
        TRY(add_kept(l, io, "activation_backward_kept", io->saved, io->d_output, list, err));
    else
        TRY(conv_take_slope(l, io, list, err));
    snprintf(name, sizeof name, "%s pointwise", l->name);
    conv_buffers p = {.kernels = &io->needs->kernels[1], .x = io->saved, .w = io->param[1], .dz = io->d_output, .dx = io->saved,
                      .dw = io->d_param[1], .dbias = io->d_param[2], .scratch = io->scratch,
                      .filter_scratch = io->filter_scratch, .zeros = io->zeros};
    TRY(ops_conv2d_backward(list, io->ctx, name, &s->pointwise, NULL, &p, io->batch, err));
    snprintf(name, sizeof name, "%s depthwise", l->name);
    conv_buffers d = {.kernels = &io->needs->kernels[0], .x = io->input[0], .w = io->param[0], .dz = io->saved,
                      .dx = io->d_input[0], .dw = io->d_param[0], .scratch = io->scratch, .filter_scratch = io->filter_scratch,
                      .zeros = io->zeros};
    return ops_conv2d_backward(list, io->ctx, name, &s->depthwise, &io->d_end, &d, io->batch, err);
}

/* ---- the specification ---- */

/* Index in x of what tap k of the depthwise kernel reads for a pixel of the output, counted through the batch; SIZE_MAX:
 * padding. */
static size_t tap_at(const conv_shape *d, size_t pixel, int k, int channel)
{
    int oy = (int)(pixel / (size_t)d->out_width % (size_t)d->out_height), ox = (int)(pixel % (size_t)d->out_width);
    size_t n = pixel / (size_t)d->out_width / (size_t)d->out_height;
    int iy = oy * d->stride[0] + k / d->kernel[1] * d->dilation[0] - d->pad[0];
    int ix = ox * d->stride[1] + k % d->kernel[1] * d->dilation[1] - d->pad[1];
    if (iy < 0 || iy >= d->height || ix < 0 || ix >= d->width)
        return SIZE_MAX;
    return ((n * d->height + iy) * d->width + ix) * d->in + channel;
}

static double middle_value(const separable_state *s, const layer_reference *r, size_t pixel, int m)
{
    const conv_shape *d = &s->depthwise;
    double sum = 0;
    for (int k = 0; k < d->kernel[0] * d->kernel[1]; k++) {
        size_t at = tap_at(d, pixel, k, m / s->depth_multiplier);
        if (at != SIZE_MAX)
            sum += r->input[0][at] * r->param[0][(size_t)k * d->out + m];
    }
    return sum;
}

static void reference_z(const layer *l, const layer_reference *r, double *z)
{
    const separable_state *s = l->state;
    size_t filters = (size_t)s->filters;
    for (size_t pixel = 0; pixel < (size_t)r->batch * pixels_of(l); pixel++) {
        for (size_t f = 0; f < filters; f++)
            z[pixel * filters + f] = r->param[2] ? r->param[2][f] : 0.0;
        for (int m = 0; m < s->depthwise.out; m++) {
            double middle = middle_value(s, r, pixel, m);
            for (size_t f = 0; f < filters; f++)
                z[pixel * filters + f] += middle * r->param[1][(size_t)m * filters + f];
        }
    }
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const separable_state *s = l->state;
    reference_z(l, r, r->output);
    ops_activation_reference(s->act.act, r->output, r->output, (size_t)r->batch * pixels_of(l), (size_t)s->filters);
}

/* One middle value's gradient: to its pointwise weights, and on to its depthwise weights and inputs. */
static void reference_middle(const separable_state *s, const layer_reference *r, size_t pixel, int m, const double *dz)
{
    const conv_shape *d = &s->depthwise;
    size_t filters = (size_t)s->filters;
    double middle = middle_value(s, r, pixel, m), gradient = 0;
    for (size_t f = 0; f < filters; f++) {
        r->d_param[1][(size_t)m * filters + f] += middle * dz[pixel * filters + f];
        gradient += r->param[1][(size_t)m * filters + f] * dz[pixel * filters + f];
    }
    for (int k = 0; k < d->kernel[0] * d->kernel[1]; k++) {
        size_t at = tap_at(d, pixel, k, m / s->depth_multiplier), w = (size_t)k * d->out + m;
        if (at == SIZE_MAX)
            continue;
        r->d_param[0][w] += gradient * r->input[0][at];
        if (r->d_input[0])
            r->d_input[0][at] += gradient * r->param[0][w];
    }
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const separable_state *s = l->state;
    size_t rows = (size_t)r->batch * pixels_of(l), filters = (size_t)s->filters;
    double *z = r->scratch, *y = z + rows * filters, *dz = y + rows * filters;
    reference_z(l, r, z);
    ops_activation_reference(s->act.act, z, y, rows, filters);
    ops_activation_reference_backward(s->act.act, z, y, r->d_output, dz, rows, filters);
    for (size_t i = 0; r->d_param[2] && i < rows * filters; i++)
        r->d_param[2][i % filters] += dz[i];
    for (size_t pixel = 0; pixel < rows; pixel++)
        for (int m = 0; m < s->depthwise.out; m++)
            reference_middle(s, r, pixel, m, dz);
}

static size_t reduction(const layer *l, int batch)
{
    const separable_state *s = l->state;
    const conv_shape *d = &s->depthwise;
    size_t most = (size_t)(d->out > s->filters ? d->out : s->filters) * d->kernel[0] * d->kernel[1];
    size_t pixels = (size_t)batch * pixels_of(l);
    return most > pixels ? most : pixels;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const separable_state *s = l->state;
    const conv_shape *d = &s->depthwise;
    convoy_shape shape = {4, {d->kernel[0], d->kernel[1], 1, d->out}};
    onnx_value x = onnx_input(g, 0, ONNX_FIRST);
    onnx_value depthwise = onnx_weight(g, l->param[0].name, &shape, onnx_values(g, 0), conv_onnx_order);
    onnx_value middle = conv_onnx(g, l, d, d->in, x, depthwise, 0), pointwise = onnx_param(g, 1, conv_onnx_order);
    onnx_node node = {.op = "Conv", .input = {middle, pointwise, s->use_bias ? onnx_param(g, 2, NULL) : 0},
                      .attribute = {ONNX_INTS("kernel_shape", 2, 1, 1)}};
    return onnx_result(g, onnx_activate(g, s->act.act, onnx_add(g, &node), ONNX_FIRST), ONNX_FIRST, err);
}

static const layer_sample samples[] = {
    {"filters=24, kernel_size=3, padding=same, activation=relu", {3, {9, 10, 16}}},
    {"filters=8, kernel_size=3", {3, {6, 6, 5}}},
    {"filters=7, kernel_size=3, strides=2, padding=same, activation=silu", {3, {7, 8, 9}}},
    {"filters=5, kernel_size=(3, 2), depth_multiplier=2, activation=softmax", {3, {5, 6, 3}}},
    {"filters=9, kernel_size=2, dilation_rate=2, padding=same, use_bias=False, activation=mish", {3, {6, 5, 4}}},
    {"filters=3, kernel_size=1, strides=3, depth_multiplier=4, activation=tanh", {3, {4, 7, 1}}},
    {0},
};

const layer_class separable_conv2d_class = {
    .name = "SeparableConv2D",
    .snake = "separable_conv2d",
    .state_size = sizeof(separable_state),
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
