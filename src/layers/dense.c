/* Dense: y = activation(x . kernel + bias) over the last axis: a 1x1 convolution of as many pixels as there are rows, by CLBlast's
 * GEMM or by the direct kernels (ops/conv2d_gemm.c). */
#include "layers/conv.h"
#include "ops/elementwise.h"

typedef struct dense_state {
    int units;
    activation_choice act;
    bool use_bias;
    initializer kernel_initializer, bias_initializer;
    param_rules kernel_rules, bias_rules;
    conv_shape shape; /* set by build; width counts the rows of one image */
} dense_state;

#define AT(member) .offset = offsetof(dense_state, member)

static const option options[] = {
    {.name = "units", .kind = OPTION_INT, AT(units), .least = 1, .most = 1 << 24},
    {.name = "activation", .kind = OPTION_ACTIVATION, AT(act), .standard = "\"linear\""},
    {.name = "use_bias", .kind = OPTION_BOOL, AT(use_bias), .standard = "true"},
    {.name = "kernel_initializer", .kind = OPTION_INITIALIZER, AT(kernel_initializer),
     .standard = "\"glorot_uniform\""},
    {.name = "bias_initializer", .kind = OPTION_INITIALIZER, AT(bias_initializer), .standard = "\"zeros\""},
    OPTION_RULES("kernel", dense_state, kernel_rules),
    OPTION_RULES("bias", dense_state, bias_rules),
    {.name = "activity_regularizer", .kind = OPTION_NULL,
     .instead = "kernel_regularizer and bias_regularizer are"},
    {.name = "quantization_config", .kind = OPTION_NULL, .instead = "weights are float32"},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    (void)err;
    dense_state *s = l->state;
    int last = l->input[0].rank - 1;
    int in = l->input[0].dim[last];
    s->shape = (conv_shape){.height = 1, .width = (int)(shape_count(&l->input[0]) / (size_t)in), .in = in, .out_height = 1,
                            .out = s->units, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1},
                            .bias = s->use_bias};
    s->shape.out_width = s->shape.width;
    l->output = l->input[0];
    l->output.dim[last] = s->units;
    layer_add_param(l, "kernel", (convoy_shape){2, {in, s->units}}, s->kernel_initializer, in, s->units);
    layer_add_rules(l, &s->kernel_rules);
    conv_add_bias(l, s->use_bias, s->units, s->bias_initializer, &s->bias_rules);
    l->backward_reads_input = true;
    l->d_takes = EPILOGUE_SLOPE | EPILOGUE_ADD;
    conv_build_activation(l, s->act.act);
    l->zeros_needed = ops_conv2d_zeros(&s->shape);
    return CONVOY_OK;
}

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    const dense_state *s = l->state;
    (void)pool;
    conv_needs(ctx, &s->shape, &s->shape, batch, out, &out->kernels[0]);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return conv_forward(l, io, &((const dense_state *)l->state)->shape, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return conv_backward(l, io, &((const dense_state *)l->state)->shape, list, err);
}

/* Written out, not borrowed from the convolution: two specifications that must agree. */
static void product(const dense_state *s, size_t rows, const double *x, const double *w, const double *bias, double *z)
{
    size_t in = (size_t)s->shape.in, out = (size_t)s->units;
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < out; o++) {
            double sum = bias ? bias[o] : 0.0;
            for (size_t i = 0; i < in; i++)
                sum += x[r * in + i] * w[i * out + o];
            z[r * out + o] = sum;
        }
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const dense_state *s = l->state;
    size_t rows = (size_t)r->batch * s->shape.width;
    product(s, rows, r->input[0], r->param[0], r->param[1], r->output);
    ops_activation_reference(s->act.act, r->output, r->output, rows, (size_t)s->units);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const dense_state *s = l->state;
    size_t rows = (size_t)r->batch * s->shape.width, in = (size_t)s->shape.in, out = (size_t)s->units;
    double *z = r->scratch, *y = z + rows * out, *dz = y + rows * out;
    product(s, rows, r->input[0], r->param[0], r->param[1], z);
    ops_activation_reference(s->act.act, z, y, rows, out);
    ops_activation_reference_backward(s->act.act, z, y, r->d_output, dz, rows, out);
    for (size_t row = 0; row < rows; row++)
        for (size_t o = 0; o < out; o++) {
            double d = dz[row * out + o];
            for (size_t i = 0; i < in; i++) {
                r->d_param[0][i * out + o] += r->input[0][row * in + i] * d;
                if (r->d_input[0])
                    r->d_input[0][row * in + i] += r->param[0][i * out + o] * d;
            }
            if (r->d_param[1])
                r->d_param[1][o] += d;
        }
}

static size_t reduction(const layer *l, int batch)
{
    const dense_state *s = l->state;
    size_t most = (size_t)batch * s->shape.width;
    most = most > (size_t)s->shape.in ? most : (size_t)s->shape.in;
    return most > (size_t)s->units ? most : (size_t)s->units;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const dense_state *s = l->state;
    onnx_value x = onnx_input(g, 0, ONNX_LAST), kernel = onnx_param(g, 0, NULL), z;
    onnx_value bias = s->use_bias ? onnx_param(g, 1, NULL) : 0;
    if (l->input[0].rank == 1) {
        z = onnx_add(g, &(onnx_node){.op = "Gemm", .input = {x, kernel, bias}});
    } else { /* Gemm takes matrices only */
        z = onnx_binary(g, "MatMul", x, kernel);
        z = bias ? onnx_binary(g, "Add", z, bias) : z;
    }
    return onnx_result(g, onnx_activate(g, s->act.act, z, ONNX_LAST), ONNX_LAST, err);
}

static const layer_sample samples[] = {
    {"units=64, activation=relu", {1, {2048}}},
    {"units=10", {1, {64}}},
    {"units=7, activation=softmax", {1, {13}}},
    {"units=1, activation=sigmoid", {1, {5}}},
    {"units=33, use_bias=False, activation=gelu", {1, {17}}},
    {"units=5, activation=silu", {1, {1}}},
    {"units=9, use_bias=False, activation=relu", {1, {31}}},
    {"units=6, activation=tanh", {3, {3, 2, 8}}},
    {0},
};

const layer_class dense_class = {
    .name = "Dense",
    .snake = "dense",
    .state_size = sizeof(dense_state),
    .options = options,
    .samples = samples,
    .build = build,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
