/* LayerNormalization over the last axis, or several up to it. Formulas and kernels: cl/group_norm.cl. */
#include "layers/onnx.h"
#include "ops/group_norm.h"

typedef struct state {
    option_axes axis;
    double epsilon;
    bool center, scale, rms_scaling;
    initializer beta_initializer, gamma_initializer;
    param_rules beta_rules, gamma_rules;
    group_norm norm;  /* set by build */
    int gamma, beta;  /* indices of the parameters; -1: none */
} state;

#define AT(member) .offset = offsetof(state, member)

static const option options[] = {
    {.name = "axis", .kind = OPTION_AXES, AT(axis), .standard = "-1"},
    {.name = "epsilon", .kind = OPTION_FLOAT, AT(epsilon), .standard = "0.001", .least = 0, .most = 1e30},
    {.name = "center", .kind = OPTION_BOOL, AT(center), .standard = "true"},
    {.name = "scale", .kind = OPTION_BOOL, AT(scale), .standard = "true"},
    {.name = "rms_scaling", .kind = OPTION_BOOL, AT(rms_scaling), .standard = "false"},
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

static int add_param(layer *l, const char *name, const convoy_shape *shape, const initializer *init,
                     const param_rules *rules, bool wanted)
{
    int last = shape->dim[shape->rank - 1], before = shape->rank > 1 ? shape->dim[shape->rank - 2] : last, field = 1;
    for (int i = 0; i < shape->rank - 2; i++) /* fans as Keras counts them: for a kernel of this shape */
        field *= shape->dim[i];
    if (wanted) {
        layer_add_param(l, name, *shape, *init, field * before, field * last);
        layer_add_rules(l, rules);
    }
    return wanted ? l->param_count - 1 : -1;
}

static convoy_status build(layer *l, convoy_error *err)
{
    state *s = l->state;
    int first;
    convoy_shape shape = {0};
    TRY(layer_last_axes(l, &s->axis, &first, err));
    for (int i = first; i < l->input[0].rank; i++)
        shape.dim[shape.rank++] = l->input[0].dim[i];
    int channels = (int)shape_count(&shape);
    l->output = l->input[0];
    s->norm = (group_norm){.samples = (int)(shape_count(&l->input[0]) / (size_t)channels), .pixels = 1, .groups = 1,
                           .channels = channels, .epsilon = s->epsilon, .scale = s->scale || s->rms_scaling,
                           .center = s->center && !s->rms_scaling, .rms = s->rms_scaling};
    s->gamma = add_param(l, "gamma", &shape, &s->gamma_initializer, &s->gamma_rules, s->norm.scale);
    s->beta = add_param(l, "beta", &shape, &s->beta_initializer, &s->beta_rules, s->norm.center);
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
    size_t rows = (size_t)n->samples * (size_t)batch, values = (size_t)n->channels;
    return rows > values ? rows : values;
}

/* Keras's rms_scaling: x / sqrt(variance + epsilon), with the variance about the mean. */
static onnx_value onnx_rms(const layer *l, onnx_graph *g, onnx_value x, int first, int count)
{
    const state *s = l->state;
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
    const state *s = l->state;
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
