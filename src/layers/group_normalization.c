/* GroupNormalization over groups of the last axis. Formulas and kernels: cl/group_norm.cl. */
#include "layers/onnx.h"
#include "ops/group_norm.h"

typedef struct state {
    option_axes axis;
    int groups;
    double epsilon;
    bool center, scale;
    initializer beta_initializer, gamma_initializer;
    param_rules beta_rules, gamma_rules;
    group_norm norm;  /* set by build */
    int gamma, beta;  /* indices of the parameters; -1: none */
} state;

#define AT(member) .offset = offsetof(state, member)

static const option options[] = {
    {.name = "groups", .kind = OPTION_INT, AT(groups), .standard = "32", .least = -1, .most = 1 << 24},
    {.name = "axis", .kind = OPTION_AXES, AT(axis), .standard = "-1"},
    {.name = "epsilon", .kind = OPTION_FLOAT, AT(epsilon), .standard = "0.001", .least = 0, .most = 1e30},
    {.name = "center", .kind = OPTION_BOOL, AT(center), .standard = "true"},
    {.name = "scale", .kind = OPTION_BOOL, AT(scale), .standard = "true"},
    {.name = "beta_initializer", .kind = OPTION_INITIALIZER, AT(beta_initializer), .standard = "\"zeros\""},
    {.name = "gamma_initializer", .kind = OPTION_INITIALIZER, AT(gamma_initializer), .standard = "\"ones\""},
    OPTION_RULES("beta", state, beta_rules),
    OPTION_RULES("gamma", state, gamma_rules),
    {0},
};

static size_t scratch(const layer *l, const convoy_context *ctx, int batch)
{
    return l->trainable ? ops_group_norm_scratch(ctx, &((const state *)l->state)->norm, batch) : 0;
}

static int add_param(layer *l, const char *name, const initializer *init, const param_rules *rules, bool wanted)
{
    int channels = ((const state *)l->state)->norm.channels;
    if (wanted) {
        layer_add_param(l, name, (convoy_shape){1, {channels}}, *init, channels, channels);
        layer_add_rules(l, rules);
    }
    return wanted ? l->param_count - 1 : -1;
}

static convoy_status build(layer *l, convoy_error *err)
{
    state *s = l->state;
    int first;
    TRY(layer_last_axes(l, &s->axis, &first, err));
    if (s->axis.count != 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'axis' has %d axes; one is expected", s->axis.count);
    int channels = l->input[0].dim[l->input[0].rank - 1], groups = s->groups == -1 ? channels : s->groups;
    if (groups < 1 || channels % groups != 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'groups' is %d with %d channels; a divisor of the channels, or -1 "
                         "for a group of each, is expected", s->groups, channels);
    l->output = l->input[0];
    s->norm = (group_norm){.samples = 1, .pixels = (int)(shape_count(&l->input[0]) / (size_t)channels), .groups = groups,
                           .channels = channels, .epsilon = s->epsilon, .scale = s->scale, .center = s->center};
    s->gamma = add_param(l, "gamma", &s->gamma_initializer, &s->gamma_rules, s->scale);
    s->beta = add_param(l, "beta", &s->beta_initializer, &s->beta_rules, s->center);
    l->backward_reads_input = true;
    l->saved_per_image = ops_group_norm_saved(&s->norm);
    l->backward_scratch = scratch;
    return CONVOY_OK;
}

static group_norm_buffers buffers_of(const layer *l, const layer_io *io)
{
    const state *s = l->state;
    bool scale = s->norm.scale, center = s->norm.center;
    return (group_norm_buffers){
        .x = io->input[0], .y = io->output, .saved = io->saved, .scratch = io->scratch, .dy = io->d_output,
        .dx = io->d_input[0], .gamma = scale ? io->param[s->gamma] : NULL, .beta = center ? io->param[s->beta] : NULL,
        .d_gamma = scale && l->trainable ? io->d_param[s->gamma] : NULL,
        .d_beta = center && l->trainable ? io->d_param[s->beta] : NULL,
    };
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const state *s = l->state;
    group_norm_buffers b = buffers_of(l, io);
    return ops_group_norm_forward(list, io->ctx, l->name, &s->norm, &b, io->batch, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const state *s = l->state;
    group_norm_buffers b = buffers_of(l, io);
    return ops_group_norm_backward(list, io->ctx, l->name, &s->norm, &b, io->batch, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const state *s = l->state;
    ops_group_norm_reference(&s->norm, r->batch, r->input[0], s->norm.scale ? r->param[s->gamma] : NULL,
                             s->norm.center ? r->param[s->beta] : NULL, r->output);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const state *s = l->state;
    bool scale = s->norm.scale, center = s->norm.center;
    ops_group_norm_reference_backward(&s->norm, r->batch, r->input[0], scale ? r->param[s->gamma] : NULL, r->d_output,
                                      r->d_input[0], scale ? r->d_param[s->gamma] : NULL,
                                      center ? r->d_param[s->beta] : NULL);
}

static size_t reduction(const layer *l, int batch)
{
    const group_norm *n = &((const state *)l->state)->norm;
    size_t rows = (size_t)n->pixels * (size_t)batch, values = (size_t)n->pixels * (size_t)(n->channels / n->groups);
    return rows > values ? rows : values;
}

/* ONNX's InstanceNormalization of groups instead of channels. x has the channels first. */
static onnx_value onnx_groups(const layer *l, onnx_graph *g, onnx_value x, const convoy_shape *shape)
{
    const state *s = l->state;
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
    bool turned = rank == 2 || rank == 4; /* images are turned for all layers that want it */
    if (turned)
        x = onnx_transpose(g, x, rank, to_first[rank - 2]);
    x = onnx_groups(l, g, x, &shape);
    if (turned)
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
    .state_size = sizeof(state),
    .options = options,
    .samples = samples,
    .build = build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
