/* Activation: one of Keras's activations as a layer of its own. Softmax, Keras's layer, is the same with one choice. */
#include "layers/layer.h"
#include "ops/elementwise.h"

typedef struct activation_state {
    const activation *act;
    int axis;
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
    l->backward_reads_input = !s->act->from_output;
    return CONVOY_OK;
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const activation_state *s = l->state;
    return ops_activation_forward(list, io->ctx, l->name, s->act, io->input[0], io->output, rows_of(l), channels_of(l),
                                  err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const activation_state *s = l->state;
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    return ops_activation_backward(list, io->ctx, l->name, s->act, s->act->from_output ? io->output : io->input[0],
                                   io->output, io->d_output, io->d_input[0], rows_of(l), channels_of(l), err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const activation_state *s = l->state;
    ops_activation_reference(s->act, r->input[0], r->output, (size_t)r->batch * rows_of(l), (size_t)channels_of(l));
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const activation_state *s = l->state;
    size_t rows = (size_t)r->batch * rows_of(l), channels = (size_t)channels_of(l);
    if (r->d_input[0] == NULL)
        return;
    ops_activation_reference(s->act, r->input[0], r->scratch, rows, channels);
    ops_activation_reference_backward(s->act, r->input[0], r->scratch, r->d_output, r->d_input[0], rows, channels);
}

static size_t reduction(const layer *l, int batch)
{
    (void)batch;
    return (size_t)channels_of(l); /* of softmax */
}

static const layer_sample samples[] = {
    {"activation=linear", {1, {5}}},        {"activation=relu", {3, {3, 5, 7}}}, {"activation=sigmoid", {1, {33}}},
    {"activation=tanh", {2, {4, 9}}},       {"activation=softmax", {2, {3, 10}}}, {"activation=elu", {1, {17}}},
    {"activation=gelu", {3, {2, 2, 16}}},   {"activation=silu", {1, {31}}},
    {"activation=leaky_relu", {3, {1, 1, 3}}}, {0},
};

const layer_class activation_class = {
    .name = "Activation",
    .snake = "activation",
    .state_size = sizeof(activation_state),
    .options = options,
    .samples = samples,
    .build = build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
};

/* ---- Softmax ---- */

static const option softmax_options[] = {
    {.name = "axis", .kind = OPTION_INT, .offset = offsetof(activation_state, axis), .standard = "-1", .least = -8,
     .most = 8},
    {0},
};

static convoy_status softmax_build(layer *l, convoy_error *err)
{
    activation_state *s = l->state;
    if (s->axis != -1 && s->axis != l->input[0].rank)
        return base_fail(err, CONVOY_ERROR_MODEL, "axis is %d; only the last axis (-1) is supported", s->axis);
    s->act = activation_find("softmax");
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
};
