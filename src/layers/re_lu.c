/* ReLU with max_value, negative_slope and threshold. Kernels and formula: cl/relu.cl. */
#include <math.h>
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct relu_state {
    double max_value; /* NAN: none */
    double negative_slope, threshold;
} relu_state;

static const option options[] = {
    {.name = "max_value", .kind = OPTION_OPTIONAL_FLOAT, .offset = offsetof(relu_state, max_value),
     .standard = "null", .least = 0, .most = 1e30},
    {.name = "negative_slope", .kind = OPTION_FLOAT, .offset = offsetof(relu_state, negative_slope),
     .standard = "0.0", .least = 0, .most = 1e30},
    {.name = "threshold", .kind = OPTION_FLOAT, .offset = offsetof(relu_state, threshold), .standard = "0.0",
     .least = 0, .most = 1e30},
    {0},
};

/* Keras computes this case as its leaky_relu, whose slope at 0 is the left one, ... */
static bool is_leaky(const relu_state *s) { return isnan(s->max_value) && s->threshold == 0.0; }
/* ... and this one as its relu6, whose slope at 6 is the right one. */
static bool is_relu6(const relu_state *s) { return s->max_value == 6.0 && s->threshold == 0.0; }

static convoy_status build(layer *l, convoy_error *err)
{
    (void)err;
    l->output = l->input[0];
    l->backward_reads_input = true;
    return CONVOY_OK;
}

static layer_part part(const layer *l)
{
    const relu_state *s = l->state;
    if (s->negative_slope != 0.0 || !(is_leaky(s) || is_relu6(s)))
        return (layer_part){0};
    return (layer_part){.part = EPILOGUE_ACTIVATION, .act = activation_find(is_relu6(s) ? "relu6" : "relu")};
}

static convoy_status add(const layer *l, const layer_io *io, const char *kernel, const rt_buffer *const *buffers,
                         int count, rt_list *list, convoy_error *err)
{
    const relu_state *s = l->state;
    char text[288], label[160];
    unsigned width = ops_width(io->ctx);
    size_t values = shape_count(&l->output);
    snprintf(text, sizeof text, "-DVW=%u -DHAS_MAX=%d -DMAX_VALUE=%.9ef -DNEGATIVE_SLOPE=%.9ef -DTHRESHOLD=%.9ef -DLEAKY=%d "
             "-DRELU6=%d",
             width, !isnan(s->max_value), isnan(s->max_value) ? 0.0 : s->max_value, s->negative_slope, s->threshold,
             is_leaky(s), is_relu6(s));
    snprintf(label, sizeof label, "%s %s", l->name, count == 2 ? "forward" : "backward");
    rt_launch launch = {.label = label, .source = "relu", .kernel = kernel, .options = text};
    for (int i = 0; i < count; i++)
        rt_push(&launch, RT_BUFFER(buffers[i]));
    rt_push(&launch, RT_BATCH((int)values));
    ops_range(&launch, io->ctx, values, 0, width);
    launch.bytes_per_image = 4.0 * count * (double)values;
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return add(l, io, "relu_forward", (const rt_buffer *[]){io->input[0], io->output}, 2, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    return add(l, io, "relu_backward", (const rt_buffer *[]){io->input[0], io->d_output, io->d_input[0]}, 3, list, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const relu_state *s = l->state;
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++) {
        double x = r->input[0][i], v = x > s->threshold ? x : 0.0;
        if (!isnan(s->max_value))
            v = fmin(fmax(v, 0.0), s->max_value);
        r->output[i] = v - s->negative_slope * fmax(s->threshold - x, 0.0);
    }
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const relu_state *s = l->state;
    for (size_t i = 0; r->d_input[0] && i < shape_count(&l->output) * (size_t)r->batch; i++) {
        double x = r->input[0][i], slope = x > s->threshold ? 1.0 : 0.0;
        if (!isnan(s->max_value) && (x < 0.0 || x > s->max_value || (x == s->max_value && is_relu6(s))))
            slope = 0.0;
        if (x < s->threshold || (x == s->threshold && is_leaky(s)))
            slope += s->negative_slope;
        r->d_input[0][i] = r->d_output[i] * slope;
    }
}

/* x where it is above the threshold. */
static onnx_value upper_part(const relu_state *s, onnx_graph *g, onnx_value x)
{
    bool capped = !isnan(s->max_value);
    if (s->threshold == 0)
        return capped ? onnx_clip(g, x, 0, s->max_value) : onnx_unary(g, "Relu", x);
    onnx_node node = {.op = "ThresholdedRelu", .input = {x}, .attribute = {ONNX_FLOAT("alpha", s->threshold)}};
    onnx_value y = onnx_add(g, &node);
    return capped ? onnx_clip(g, y, 0, s->max_value) : y;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const relu_state *s = l->state;
    onnx_layout layout = onnx_given_layout(g);
    onnx_value x = onnx_input(g, 0, layout);
    onnx_node leaky = {.op = "LeakyRelu", .input = {x}, .attribute = {ONNX_FLOAT("alpha", s->negative_slope)}};
    if (s->negative_slope != 0 && is_leaky(s))
        return onnx_result(g, onnx_add(g, &leaky), layout, err);
    onnx_value y = upper_part(s, g, x);
    if (s->negative_slope != 0) {
        onnx_value below = onnx_unary(g, "Relu", onnx_binary(g, "Sub", onnx_scalar(g, s->threshold), x));
        y = onnx_binary(g, "Sub", y, onnx_binary(g, "Mul", below, onnx_scalar(g, s->negative_slope)));
    }
    return onnx_result(g, y, layout, err);
}

static const layer_sample samples[] = {
    {"", {3, {3, 4, 5}}},
    {"max_value=0.5", {1, {19}}},
    {"negative_slope=0.1", {1, {8}}},
    {"max_value=6", {1, {7}}},
    {"threshold=0.25", {2, {3, 7}}},
    {"max_value=0.6, negative_slope=0.2, threshold=0.3", {3, {2, 5, 3}}},
    {0},
};

const layer_class re_lu_class = {
    .name = "ReLU",
    .snake = "re_lu",
    .state_size = sizeof(relu_state),
    .options = options,
    .samples = samples,
    .build = build,
    .part = part,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = onnx,
};
