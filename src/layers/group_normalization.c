/* GroupNormalization over groups of the last axis. */
#include "layers/onnx.h"
#include "layers/sample_normalization.h"

static const option options[] = {
    {.name = "groups", .kind = OPTION_INT, SAMPLE_NORMALIZATION_AT(groups), .standard = "32", .least = -1, .most = 1 << 24},
    SAMPLE_NORMALIZATION_OPTIONS,
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    sample_normalization *s = l->state;
    int first;
    TRY(layer_last_axes(l, &s->axis, &first, err));
    if (s->axis.count != 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'axis' has %d axes; one is expected", s->axis.count);
    int channels = l->input[0].dim[l->input[0].rank - 1], groups = s->groups == -1 ? channels : s->groups;
    if (groups < 1 || channels % groups != 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'groups' is %d with %d channels; a divisor of the channels, or -1 "
                         "for a group of each, is expected", s->groups, channels);
    s->norm = (group_norm){.samples = 1, .pixels = (int)(shape_count(&l->input[0]) / (size_t)channels), .groups = groups,
                           .channels = channels, .epsilon = s->epsilon, .scale = s->scale, .center = s->center};
    sample_normalization_finish(l, &(convoy_shape){1, {channels}}, channels, channels);
    return CONVOY_OK;
}

/* ONNX's InstanceNormalization of groups instead of channels. x has the channels first. */
static onnx_value onnx_groups(const layer *l, onnx_graph *g, onnx_value x, const convoy_shape *shape)
{
    const sample_normalization *s = l->state;
    int groups = s->norm.groups, rank = shape->rank;
    convoy_shape rows = {2, {groups, (int)(shape_count(shape) / (size_t)groups)}};
    convoy_shape one = {rank, {s->norm.channels, 1, 1, 1}}; /* a value for each channel */
    onnx_node node = {.op = "InstanceNormalization", .input = {onnx_reshape(g, x, &rows)},
                      .attribute = {ONNX_FLOAT("epsilon", s->epsilon)}};
    node.input[1] = onnx_filled(g, "ones", &(convoy_shape){1, {groups}}, 1);
    node.input[2] = onnx_filled(g, "zeros", &(convoy_shape){1, {groups}}, 0);
    x = onnx_reshape(g, onnx_add(g, &node), shape);
    if (s->scale)
        x = onnx_binary(g, "Mul", x, onnx_weight(g, "gamma", &one, onnx_values(g, s->gamma), NULL));
    if (s->center)
        x = onnx_binary(g, "Add", x, onnx_weight(g, "beta", &one, onnx_values(g, s->beta), NULL));
    return x;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    static const int to_first[][5] = {{0, 2, 1}, {0}, {0, 4, 1, 2, 3}}, to_last[][5] = {{0, 2, 1}, {0}, {0, 2, 3, 4, 1}};
    int rank = l->input[0].rank;
    convoy_shape shape = {rank, {l->input[0].dim[rank - 1]}};
    for (int i = 1; i < rank; i++)
        shape.dim[i] = l->input[0].dim[i - 1];
    onnx_layout layout = rank == 3 ? ONNX_FIRST : ONNX_LAST;
    onnx_value x = onnx_input(g, 0, layout);
    bool transposed = rank == 2 || rank == 4; /* images are transposed for all layers that want it */
    if (transposed)
        x = onnx_transpose(g, x, rank, to_first[rank - 2]);
    x = onnx_groups(l, g, x, &shape);
    if (transposed)
        x = onnx_transpose(g, x, rank, to_last[rank - 2]);
    return onnx_result(g, x, layout, err);
}

static const layer_sample samples[] = {
    {"", {3, {5, 4, 64}}},
    {"groups=2", {3, {15, 14, 32}}},
    {"groups=3, epsilon=0.01", {3, {4, 3, 9}}},
    {"groups=-1", {3, {3, 6, 5}}},
    {"groups=1", {3, {2, 3, 7}}},
    {"groups=4, center=False", {2, {9, 8}}},
    {"groups=2, scale=False", {1, {20}}},
    {"groups=5, scale=False, center=False, axis=3", {3, {2, 2, 10}}},
    {"groups=2, trainable=False", {3, {2, 3, 4}}},
    {0},
};

const layer_class group_normalization_class = {
    .name = "GroupNormalization",
    .snake = "group_normalization",
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
