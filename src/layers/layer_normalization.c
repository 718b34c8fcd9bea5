/* LayerNormalization over the last axis, or several up to it. */
#include "layers/onnx.h"
#include "layers/sample_normalization.h"

static const option options[] = {
    SAMPLE_NORMALIZATION_OPTIONS,
    {.name = "rms_scaling", .kind = OPTION_BOOL, SAMPLE_NORMALIZATION_AT(rms_scaling), .standard = "false"},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    sample_normalization *s = l->state;
    int first;
    convoy_shape shape = {0};
    TRY(layer_last_axes(l, &s->axis, &first, err));
    for (int i = first; i < l->input[0].rank; i++)
        shape.dim[shape.rank++] = l->input[0].dim[i];
    int channels = (int)shape_count(&shape);
    s->norm = (group_norm){.samples = (int)(shape_count(&l->input[0]) / (size_t)channels), .pixels = 1, .groups = 1,
                           .channels = channels, .epsilon = s->epsilon, .scale = s->scale || s->rms_scaling,
                           .center = s->center && !s->rms_scaling, .rms = s->rms_scaling};
    int last = shape.dim[shape.rank - 1], before = shape.rank > 1 ? shape.dim[shape.rank - 2] : last, field = 1;
    for (int i = 0; i < shape.rank - 2; i++) /* fans as Keras counts them: for a kernel of this shape */
        field *= shape.dim[i];
    sample_normalization_finish(l, &shape, field * before, field * last);
    return CONVOY_OK;
}

/* Keras's rms_scaling: x / sqrt(variance + epsilon), with the variance about the mean. */
static onnx_value onnx_rms(const layer *l, onnx_graph *g, onnx_value x, int first, int count)
{
    const sample_normalization *s = l->state;
    onnx_attribute axes = {.name = "axes", .kind = ONNX_KIND_INTS, .count = count};
    for (int i = 0; i < count; i++)
        axes.ints[i] = first + 1 + i;
    onnx_value mean = onnx_add(g, &(onnx_node){.op = "ReduceMean", .input = {x}, .attribute = {axes}});
    onnx_value rest = onnx_binary(g, "Sub", x, mean), square = onnx_binary(g, "Mul", rest, rest);
    onnx_value variance = onnx_add(g, &(onnx_node){.op = "ReduceMean", .input = {square}, .attribute = {axes}});
    variance = onnx_binary(g, "Add", variance, onnx_scalar(g, s->epsilon));
    x = onnx_binary(g, "Div", x, onnx_unary(g, "Sqrt", variance));
    return onnx_binary(g, "Mul", x, onnx_param(g, s->gamma, NULL));
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const sample_normalization *s = l->state;
    onnx_value x = onnx_input(g, 0, ONNX_LAST);
    convoy_shape shape = {0};
    int first;
    TRY(layer_last_axes(l, &s->axis, &first, err));
    for (int i = first; i < l->input[0].rank; i++)
        shape.dim[shape.rank++] = l->input[0].dim[i];
    if (s->norm.rms)
        return onnx_result(g, onnx_rms(l, g, x, first, s->axis.count), ONNX_LAST, err);
    onnx_node node = {.op = "LayerNormalization", .input = {x},
                      .attribute = {ONNX_INT("axis", first + 1), ONNX_FLOAT("epsilon", s->epsilon)}};
    node.input[1] = s->norm.scale ? onnx_param(g, s->gamma, NULL) : onnx_filled(g, "gamma", &shape, 1);
    node.input[2] = s->norm.center ? onnx_param(g, s->beta, NULL) : 0;
    return onnx_result(g, onnx_add(g, &node), ONNX_LAST, err);
}

static const layer_sample samples[] = {
    {"", {3, {5, 4, 32}}},
    {"", {1, {19}}},
    {"axis=[1, 2, 3]", {3, {4, 3, 5}}},
    {"axis=[-1, -2], epsilon=0.01", {3, {3, 4, 6}}},
    {"center=False", {2, {7, 10}}},
    {"scale=False", {3, {20, 9, 3}}},
    {"scale=False, center=False, axis=2", {2, {6, 24}}},
    {"rms_scaling=True", {3, {3, 5, 16}}},
    {"trainable=False", {1, {12}}},
    {0},
};

const layer_class layer_normalization_class = {
    .name = "LayerNormalization",
    .snake = "layer_normalization",
    .state_size = sizeof(sample_normalization),
    .options = options,
    .samples = samples,
    .build = build,
    .needs = sample_normalization_needs,
    .forward = sample_normalization_forward,
    .backward = sample_normalization_backward,
    .reference_forward = sample_normalization_reference_forward,
    .reference_backward = sample_normalization_reference_backward,
    .reduction = sample_normalization_reduction,
    .onnx = onnx,
};
