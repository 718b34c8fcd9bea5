/* Conv2DTranspose: y = activation(transposed_conv(x, kernel) + bias). It is the data gradient of the convolution that leads from
 * y's shape to x's, so that one's passes do the work with their roles swapped. */
#include <limits.h>

#include "layers/conv.h"
#include "layers/formula.h"
#include "ops/bias.h"
#include "ops/elementwise.h"

typedef struct transpose_state {
    int filters, padding, data_format;
    int kernel_size[2], strides[2], dilation_rate[2];
    int output_padding[2]; /* -1: Keras chooses */
    activation_choice act;
    bool use_bias;
    initializer kernel_initializer, bias_initializer;
    param_rules kernel_rules, bias_rules;
    conv_shape shape; /* set by build: from the output, which it calls its input, to the input */
} transpose_state;

#define AT(member) .offset = offsetof(transpose_state, member)

static const option options[] = {
    {.name = "filters", .kind = OPTION_INT, AT(filters), .least = 1, .most = 1 << 20},
    {.name = "kernel_size", .kind = OPTION_PAIR, AT(kernel_size), .least = 1, .most = 1 << 15},
    {.name = "strides", .kind = OPTION_PAIR, AT(strides), .standard = "1", .least = 1, .most = 1 << 15},
    OPTION_PADDING(transpose_state),
    {.name = "output_padding", .kind = OPTION_OPTIONAL_PAIR, AT(output_padding), .standard = "null", .least = 0,
     .most = 1 << 15},
    OPTION_DATA_FORMAT(transpose_state),
    {.name = "dilation_rate", .kind = OPTION_PAIR, AT(dilation_rate), .standard = "1", .least = 1, .most = 1 << 15},
    {.name = "activation", .kind = OPTION_ACTIVATION, AT(act), .standard = "\"linear\""},
    {.name = "use_bias", .kind = OPTION_BOOL, AT(use_bias), .standard = "true"},
    {.name = "kernel_initializer", .kind = OPTION_INITIALIZER, AT(kernel_initializer),
     .standard = "\"glorot_uniform\""},
    {.name = "bias_initializer", .kind = OPTION_INITIALIZER, AT(bias_initializer), .standard = "\"zeros\""},
    OPTION_RULES("kernel", transpose_state, kernel_rules),
    OPTION_RULES("bias", transpose_state, bias_rules),
    {.name = "activity_regularizer", .kind = OPTION_NULL,
     .instead = "kernel_regularizer and bias_regularizer are"},
    {0},
};

static int pixels_of(const layer *l) { return l->output.dim[0] * l->output.dim[1]; }

/* Its passes are those of a convolution from the output to the input, in other roles. */
static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    const transpose_state *s = l->state;
    layer_needs back = {0};
    (void)pool;
    conv_needs(ctx, &s->shape, &s->shape, batch, &back, &out->kernels[0]);
    size_t bias = ops_bias_gradient_scratch(ctx, s->filters, batch);
    out->forward_scratch = back.backward_scratch;
    out->backward_scratch = back.forward_scratch > back.filter_scratch ? back.forward_scratch : back.filter_scratch;
    out->backward_scratch = bias > out->backward_scratch ? bias : out->backward_scratch;
}

/* ---- shapes ---- */

/* Keras's output size of one axis. */
static long output_size(const transpose_state *s, int d, int n, long reach)
{
    long stride = s->strides[d], extra = s->output_padding[d];
    if (s->padding == 1)
        return extra < 0 ? n * stride : (n - 1) * stride + reach % 2 + extra;
    if (extra < 0)
        extra = (reach > stride ? reach : stride) - reach;
    return (n - 1) * stride + reach + extra;
}

static convoy_status check(const layer *l, convoy_error *err)
{
    const transpose_state *s = l->state;
    TRY(layer_takes_images(l, err));
    bool strided = s->strides[0] > 1 || s->strides[1] > 1;
    if (strided && (s->dilation_rate[0] > 1 || s->dilation_rate[1] > 1))
        return base_fail(err, CONVOY_ERROR_MODEL,
                         "strides (%d, %d) with dilation_rate (%d, %d); one of the two must be 1", s->strides[0],
                         s->strides[1], s->dilation_rate[0], s->dilation_rate[1]);
    for (int d = 0; d < 2; d++)
        if (s->output_padding[d] >= s->strides[d])
            return base_fail(err, CONVOY_ERROR_MODEL, "output_padding (%d, %d) must be less than strides (%d, %d)",
                             s->output_padding[0], s->output_padding[1], s->strides[0], s->strides[1]);
    int in = l->input[0].dim[2];
    if ((long)s->kernel_size[0] * s->kernel_size[1] * (in > s->filters ? in : s->filters) > 1 << 30)
        return base_fail(err, CONVOY_ERROR_MODEL, "a %d x %d kernel over %d channels with %d filters is too large",
                         s->kernel_size[0], s->kernel_size[1], in, s->filters);
    return CONVOY_OK;
}

/* One axis of the convolution from the output to the input; refuses sizes that no such convolution has. */
static convoy_status build_axis(const layer *l, int d, int *size, convoy_error *err)
{
    transpose_state *s = l->state;
    int n = l->input[0].dim[d], back = 0;
    long reach = (long)(s->kernel_size[d] - 1) * s->dilation_rate[d] + 1, out = output_size(s, d, n, reach);
    s->shape.kernel[d] = s->kernel_size[d];
    s->shape.stride[d] = s->strides[d];
    s->shape.dilation[d] = s->dilation_rate[d];
    if (out < 1 || out > INT_MAX / 2)
        return base_fail(err, CONVOY_ERROR_MODEL, "the output would have %ld %s", out, d ? "columns" : "rows");
    ops_window((int)out, (int)reach, s->strides[d], s->padding == 1, &back, &s->shape.pad[d]);
    if (back != n)
        return base_fail(err, CONVOY_ERROR_MODEL, "output_padding %d with padding='same', strides %d and a kernel of %d gives "
                         "%ld from %d %s, which a convolution would make %d of; give another output_padding, or None",
                         s->output_padding[d], s->strides[d], s->kernel_size[d], out, n, d ? "columns" : "rows", back);
    *size = (int)out;
    return CONVOY_OK;
}

static convoy_status build(layer *l, convoy_error *err)
{
    transpose_state *s = l->state;
    int size[2];
    TRY(check(l, err));
    s->shape = (conv_shape){.in = s->filters, .out_height = l->input[0].dim[0], .out_width = l->input[0].dim[1],
                            .out = l->input[0].dim[2]};
    TRY(build_axis(l, 0, &size[0], err));
    TRY(build_axis(l, 1, &size[1], err));
    s->shape.height = size[0];
    s->shape.width = size[1];
    l->output = (convoy_shape){3, {size[0], size[1], s->filters}};
    int taps = s->kernel_size[0] * s->kernel_size[1];
    layer_add_param(l, "kernel", (convoy_shape){4, {s->kernel_size[0], s->kernel_size[1], s->filters, s->shape.out}},
                    s->kernel_initializer, taps * s->filters, taps * s->shape.out);
    layer_add_rules(l, &s->kernel_rules);
    conv_add_bias(l, s->use_bias, s->filters, s->bias_initializer, &s->bias_rules);
    l->backward_reads_input = true;
    conv_build_activation(l, s->act.act);
    l->zeros_needed = ops_conv2d_zeros(&s->shape);
    return CONVOY_OK;
}

/* The size that output_size computes. */
static void formula(const layer *l, int axis, text *out)
{
    const transpose_state *s = l->state;
    if (axis > 1)
        return;
    int n = l->input[0].dim[axis], stride = s->strides[axis], kernel = s->kernel_size[axis], dilation = s->dilation_rate[axis];
    int extra = s->output_padding[axis];
    long reach = (long)(kernel - 1) * dilation + 1;
    if (s->padding == 1 && extra < 0) {
        text_add(out, "%d * %d", n, stride);
        return;
    }
    bool gap = extra < 0 && stride > reach; /* Keras fills up what lies between two windows */
    text_add(out, gap ? "(%d - 1) * %d + max(" : "(%d - 1) * %d + ", n, stride);
    formula_kernel(kernel, dilation, out);
    if (gap)
        text_add(out, ", %d)", stride);
    if (s->padding == 1)
        text_add(out, " - 2 * %ld", reach / 2);
    if (extra >= 0)
        text_add(out, " + %d", extra);
}

/* ---- launches ---- */

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const transpose_state *s = l->state;
    epilogue end = conv_end(io);
    conv_buffers b = {.kernels = &io->needs->kernels[0], .w = io->param[0], .dz = io->input[0], .dx = conv_z(io),
                      .scratch = io->scratch, .zeros = io->zeros};
    TRY(ops_conv2d_pass(list, io->ctx, CONV_BACKWARD_DATA, l->name, "forward", &s->shape, s->use_bias ? NULL : &end, &b, io->batch,
                      err));
    if (s->use_bias)
        TRY(ops_add_bias(list, io->ctx, l->name, io->param[1], b.dx, &end, pixels_of(l), s->filters, err));
    return conv_activate(l, io, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const transpose_state *s = l->state;
    TRY(conv_take_slope(l, io, list, err));
    if (s->use_bias)
        TRY(ops_bias_gradient(list, io->ctx, l->name, io->d_output, io->d_param[1], io->scratch, pixels_of(l), s->filters,
                              io->batch, err));
    conv_buffers b = {.kernels = &io->needs->kernels[0], .x = io->d_output, .w = io->param[0], .y = io->d_input[0],
                      .dz = io->input[0], .dw = io->d_param[0], .scratch = io->scratch, .zeros = io->zeros};
    TRY(ops_conv2d_pass(list, io->ctx, CONV_BACKWARD_FILTER, l->name, NULL, &s->shape, NULL, &b, io->batch, err));
    return io->d_input[0]
               ? ops_conv2d_pass(list, io->ctx, CONV_FORWARD, l->name, "backward data", &s->shape, NULL, &b, io->batch, err)
               : CONVOY_OK;
}

/* ---- the specification: every input value spreads over a window of the output ---- */

static void for_products(const layer *l, int batch, conv_product *fn, void *state)
{
    const conv_shape *c = &((const transpose_state *)l->state)->shape;
    size_t taps = (size_t)c->kernel[0] * c->kernel[1], pixels = (size_t)c->out_height * c->out_width;
    for (size_t i = 0; i < (size_t)batch * pixels * taps; i++) {
        size_t tap = i % taps, pixel = i / taps % pixels, n = i / taps / pixels;
        int iy = (int)pixel / c->out_width, ix = (int)pixel % c->out_width;
        int kh = (int)tap / c->kernel[1], kw = (int)tap % c->kernel[1];
        int oy = iy * c->stride[0] + kh * c->dilation[0] - c->pad[0];
        int ox = ix * c->stride[1] + kw * c->dilation[1] - c->pad[1];
        if (oy < 0 || oy >= c->height || ox < 0 || ox >= c->width)
            continue;
        size_t y = ((n * c->height + oy) * c->width + ox) * c->in, x = (n * pixels + pixel) * c->out;
        for (int f = 0; f < c->in; f++)
            for (int ic = 0; ic < c->out; ic++)
                fn(state, x + ic, (tap * c->in + f) * c->out + ic, y + f);
    }
}

static void reference_z(const layer *l, const layer_reference *r, double *z)
{
    const transpose_state *s = l->state;
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++)
        z[i] = r->param[1] ? r->param[1][i % (size_t)s->filters] : 0.0;
    for_products(l, r->batch, conv_product_forward, &(conv_operands){.x = r->input[0], .w = r->param[0], .z = z});
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const transpose_state *s = l->state;
    reference_z(l, r, r->output);
    ops_activation_reference(s->act.act, r->output, r->output, (size_t)r->batch * pixels_of(l), (size_t)s->filters);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const transpose_state *s = l->state;
    size_t rows = (size_t)r->batch * pixels_of(l), filters = (size_t)s->filters;
    double *z = r->scratch, *y = z + rows * filters, *dz = y + rows * filters;
    reference_z(l, r, z);
    ops_activation_reference(s->act.act, z, y, rows, filters);
    ops_activation_reference_backward(s->act.act, z, y, r->d_output, dz, rows, filters);
    for (size_t i = 0; r->d_param[1] && i < rows * filters; i++)
        r->d_param[1][i % filters] += dz[i];
    for_products(l, r->batch, conv_product_backward,
                 &(conv_operands){.x = r->input[0], .w = r->param[0], .dz = dz, .dx = r->d_input[0], .dw = r->d_param[0]});
}

static size_t reduction(const layer *l, int batch)
{
    const conv_shape *c = &((const transpose_state *)l->state)->shape;
    size_t forward = (size_t)c->kernel[0] * c->kernel[1] * (c->in > c->out ? c->in : c->out);
    size_t backward = (size_t)batch * c->height * c->width;
    return forward > backward ? forward : backward;
}

/* ONNX's output is (n - 1) * stride + reach - pads + output_padding. */
static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const transpose_state *s = l->state;
    const conv_shape *c = &s->shape;
    int tail[2], more[2];
    for (int d = 0; d < 2; d++) {
        int whole = (l->input[0].dim[d] - 1) * c->stride[d] + (c->kernel[d] - 1) * c->dilation[d] + 1;
        int over = whole - c->pad[d] - l->output.dim[d];
        tail[d] = over > 0 ? over : 0;
        more[d] = over < 0 ? -over : 0;
    }
    onnx_value x = onnx_input(g, 0, ONNX_FIRST), kernel = onnx_param(g, 0, conv_onnx_order);
    onnx_node node = {.op = "ConvTranspose", .input = {x, kernel, s->use_bias ? onnx_param(g, 1, NULL) : 0},
                      .attribute = {ONNX_INTS("kernel_shape", 2, c->kernel[0], c->kernel[1]),
                                    ONNX_INTS("strides", 2, c->stride[0], c->stride[1]),
                                    ONNX_INTS("dilations", 2, c->dilation[0], c->dilation[1]),
                                    ONNX_INTS("pads", 4, c->pad[0], c->pad[1], tail[0], tail[1]),
                                    ONNX_INTS("output_padding", 2, more[0], more[1])}};
    return onnx_result(g, onnx_activate(g, s->act.act, onnx_add(g, &node), ONNX_FIRST), ONNX_FIRST, err);
}

static const layer_sample samples[] = {
    {"filters=16, kernel_size=3, strides=2, padding=same, activation=relu", {3, {7, 8, 32}}},
    {"filters=8, kernel_size=2, strides=2", {3, {5, 6, 16}}},
    {"filters=5, kernel_size=(3, 2), strides=(2, 1), activation=tanh", {3, {4, 7, 3}}},
    {"filters=3, kernel_size=4, strides=2, padding=same, activation=sigmoid", {3, {5, 4, 9}}},
    {"filters=7, kernel_size=3, strides=3, output_padding=(1, 2), padding=same, activation=silu", {3, {3, 4, 5}}},
    {"filters=4, kernel_size=2, strides=3, use_bias=False, activation=softmax", {3, {3, 2, 4}}},
    {"filters=17, kernel_size=(2, 3), dilation_rate=(2, 1), padding=same", {3, {5, 6, 8}}},
    {"filters=8, kernel_size=3, dilation_rate=2, use_bias=False, activation=relu", {3, {4, 3, 6}}},
    {"filters=1, kernel_size=1", {3, {1, 1, 3}}},
    {0},
};

const layer_class conv2d_transpose_class = {
    .name = "Conv2DTranspose",
    .snake = "conv2d_transpose",
    .state_size = sizeof(transpose_state),
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
