/* Dropout: in training a share `rate` of the values is 0, the others are divided by 1 - rate; outside it is not there. Kernels
 * and the numbers drawn: cl/noise.cl. */
#include <stdio.h>

#include "layers/layer.h"
#include "ops/noise.h"

typedef struct state {
    double rate;
    int64_t seed; /* -1: the training's */
} state;

static const option options[] = {
    {.name = "rate", .kind = OPTION_FLOAT, .offset = offsetof(state, rate), .least = 0, .most = 1},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(state, seed), .standard = "null"},
    {.name = "noise_shape", .kind = OPTION_NULL, .instead = "SpatialDropout2D drops whole channels"},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    (void)err;
    l->output = l->input[0];
    return CONVOY_OK;
}

static noise noise_of(const layer *l, uint64_t seed, uint32_t stream)
{
    const state *s = l->state;
    return (noise){.seed = s->seed < 0 ? seed : (uint64_t)s->seed, .stream = stream, .amount = s->rate};
}

static convoy_status add(const layer *l, const layer_io *io, const char *what, const rt_buffer *from, const rt_buffer *to,
                         rt_list *list, convoy_error *err)
{
    char label[160];
    noise n = noise_of(l, io->seed, io->stream);
    snprintf(label, sizeof label, "%s %s", l->name, what);
    return ops_dropout(list, io->ctx, label, &n, from, to, shape_count(&l->output), err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return add(l, io, "forward", io->input[0], io->output, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return io->d_input[0] ? add(l, io, "backward", io->d_output, io->d_input[0], list, err) : CONVOY_OK;
}

static void apply(const layer *l, const layer_reference *r, const double *from, double *to)
{
    noise n = noise_of(l, r->seed, r->stream);
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++)
        to[i] = from[i] * (r->training ? ops_dropout_factor(&n, r->step, i) : 1);
}

static void reference_forward(const layer *l, const layer_reference *r) { apply(l, r, r->input[0], r->output); }

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        apply(l, r, r->d_output, r->d_input[0]);
}

static const layer_sample samples[] = {
    {"rate=0.5", {3, {9, 7, 5}}},
    {"rate=0.25, seed=3", {1, {64}}},
    {"rate=0.9, seed=77309411328", {3, {3, 1, 17}}}, /* a seed of more than 32 bits */
    {"rate=0.0", {2, {5, 3}}},
    {"rate=1.0", {1, {33}}},
    {0},
};

const layer_class dropout_class = {
    .name = "Dropout",
    .snake = "dropout",
    .keeps_range = true,
    .state_size = sizeof(state),
    .options = options,
    .alias_in_inference = true,
    .samples = samples,
    .build = build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
};
