/* Activation: one of Keras's activations as a layer of its own. Softmax, LeakyReLU and ELU, Keras's layers, are the same with one
 * choice each. */
#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct activation_state {
    activation_choice act;
    option_axes axis; /* Softmax's */
    double argument; /* LeakyReLU's and ELU's */
} activation_state;

static const option options[] = {
    {.name = "activation", .kind = OPTION_ACTIVATION, .offset = offsetof(activation_state, act)},
    {0},
};

static int channels_of(const layer *l) { return l->output.dim[l->output.rank - 1]; }
static int rows_of(const layer *l) { return (int)(shape_count(&l->output) / (size_t)channels_of(l)); }

static convoy_status build(layer *l, convoy_error *err)
{
    (void)err;
    const activation_state *s = l->state;
    l->output = l->input[0];
    l->backward_reads_output = true;
    l->last_activation = s->act.act;
    l->is_only_activation = true;
    l->backward_reads_input = !s->act.act->from_output;
    return CONVOY_OK;
}

static layer_part part(const layer *l)
{
    const activation *act = ((const activation_state *)l->state)->act.act;
    bool fits = act->elementwise && act->from_output && act != activation_find("linear");
    return (layer_part){.part = fits ? EPILOGUE_ACTIVATION : 0, .act = act};
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const activation_state *s = l->state;
    return ops_activation_forward(list, io->ctx, l->name, s->act.act, io->input[0], io->output, rows_of(l), channels_of(l),
                                  err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const activation_state *s = l->state;
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    return ops_activation_backward(list, io->ctx, l->name, s->act.act, s->act.act->from_output ? io->output : io->input[0],
                                   io->output, io->d_output, io->d_input[0], rows_of(l), channels_of(l), err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const activation_state *s = l->state;
    ops_activation_reference(s->act.act, r->input[0], r->output, (size_t)r->batch * rows_of(l), (size_t)channels_of(l));
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const activation_state *s = l->state;
    size_t rows = (size_t)r->batch * rows_of(l), channels = (size_t)channels_of(l);
    if (r->d_input[0] == NULL)
        return;
    ops_activation_reference(s->act.act, r->input[0], r->scratch, rows, channels);
    ops_activation_reference_backward(s->act.act, r->input[0], r->scratch, r->d_output, r->d_input[0], rows, channels);
}

static size_t reduction(const layer *l, int batch)
{
    (void)batch;
    return (size_t)channels_of(l); /* of softmax */
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const activation_state *s = l->state;
    onnx_layout layout = onnx_given_layout(g);
    return onnx_result(g, onnx_activate(g, s->act.act, onnx_input(g, 0, layout), layout), layout, err);
}

static const layer_sample samples[] = {
    {"activation=linear", {1, {5}}},
    {"activation=relu", {3, {3, 5, 7}}},
    {"activation=sigmoid", {1, {33}}},
    {"activation=tanh", {2, {4, 9}}},
    {"activation=softmax", {2, {3, 10}}},
    {"activation=elu", {1, {17}}},
    {"activation=gelu", {3, {2, 2, 16}}},
    {"activation=silu", {1, {31}}},
    {"activation=leaky_relu", {3, {1, 1, 3}}},
    {"activation=relu6", {1, {33}}},
    {"activation=selu", {1, {17}}},
    {"activation=celu", {1, {18}}},
    {"activation=softplus", {2, {3, 7}}},
    {"activation=softsign", {1, {19}}},
    {"activation=squareplus", {1, {33}}},
    {"activation=soft_shrink", {1, {40}}},
    {"activation=sparse_plus", {1, {40}}},
    {"activation=tanh_shrink", {1, {18}}},
    {"activation=sparse_sigmoid", {1, {40}}},
    {"activation=exponential", {1, {21}}},
    {"activation=hard_sigmoid", {1, {22}}},
    {"activation=hard_swish", {1, {23}}},
    {"activation=hard_tanh", {1, {40}}},
    {"activation=hard_shrink", {1, {40}}},
    {"activation=mish", {3, {2, 3, 5}}},
    {"activation=log_sigmoid", {1, {26}}},
    {"activation=log_softmax", {2, {3, 10}}},
    {"activation=LeakyReLU(negative_slope=0.125)", {1, {19}}},
    {"activation=ELU(alpha=0.5)", {1, {19}}},
    {0},
};

const layer_class activation_class = {
    .name = "Activation",
    .snake = "activation",
    .state_size = sizeof(activation_state),
    .options = options,
    .samples = samples,
    .build = build,
    .part = part,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};

/* ---- Softmax ---- */

static const option softmax_options[] = {
    {.name = "axis", .kind = OPTION_AXES, .offset = offsetof(activation_state, axis), .standard = "-1"},
    {0},
};

static convoy_status softmax_build(layer *l, convoy_error *err)
{
    activation_state *s = l->state;
    int first;
    TRY(layer_last_axes(l, &s->axis, &first, err));
    if (s->axis.count > 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'axis' has %d axes; only the last one, -1, is supported (over several: "
                         "Reshape, Softmax, Reshape)", s->axis.count);
    s->axis.list = false;
    s->act.act = activation_find("softmax");
    return build(l, err);
}

static const layer_sample softmax_samples[] = {{"", {1, {10}}}, {"", {3, {2, 3, 5}}}, {"axis=-1", {1, {1}}}, {0}};

const layer_class softmax_class = {
    .name = "Softmax",
    .snake = "softmax",
    .state_size = sizeof(activation_state),
    .options = softmax_options,
    .samples = softmax_samples,
    .build = softmax_build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};

/* ---- LeakyReLU and ELU ---- */

static const option leaky_options[] = {
    {.name = "negative_slope", .kind = OPTION_FLOAT, .offset = offsetof(activation_state, argument), .standard = "0.3",
     .least = 0, .most = 1e30},
    {.name = "alpha", .kind = OPTION_FLOAT, .offset = offsetof(activation_state, argument), .standard = "0.3", .least = 0,
     .most = 1e30, .hidden = true}, /* Keras 2 */
    {0},
};

static convoy_status leaky_build(layer *l, convoy_error *err)
{
    activation_state *s = l->state;
    activation_with("leaky_relu", s->argument, &s->act);
    return build(l, err);
}

static const layer_sample leaky_samples[] = {
    {"", {3, {3, 4, 5}}}, {"negative_slope=0.2", {1, {19}}}, {"negative_slope=0", {1, {8}}}, {"alpha=1.5", {2, {3, 7}}}, {0},
};

const layer_class leaky_re_lu_class = {
    .name = "LeakyReLU",
    .snake = "leaky_re_lu",
    .state_size = sizeof(activation_state),
    .options = leaky_options,
    .samples = leaky_samples,
    .build = leaky_build,
    .part = part,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = onnx,
};

static const option elu_options[] = {
    {.name = "alpha", .kind = OPTION_FLOAT, .offset = offsetof(activation_state, argument), .standard = "1.0", .least = 0,
     .most = 1e30},
    {0},
};

static convoy_status elu_build(layer *l, convoy_error *err)
{
    activation_state *s = l->state;
    activation_with("elu", s->argument, &s->act);
    return build(l, err);
}

static const layer_sample elu_samples[] = {
    {"", {3, {3, 4, 5}}}, {"alpha=0.5", {1, {19}}}, {"alpha=2", {2, {3, 7}}}, {0},
};

const layer_class elu_class = {
    .name = "ELU",
    .snake = "elu",
    .state_size = sizeof(activation_state),
    .options = elu_options,
    .samples = elu_samples,
    .build = elu_build,
    .part = part,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = onnx,
};
