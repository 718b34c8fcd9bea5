/* GaussianNoise: in training normal noise is added; outside it is not there. Kernels: cl/noise.cl. */
#include <stdio.h>
#include <string.h>

#include "layers/layer.h"
#include "ops/noise.h"

typedef struct state {
    double stddev;
    int64_t seed; /* -1: the training's */
} state;

static const option options[] = {
    {.name = "stddev", .kind = OPTION_FLOAT, .offset = offsetof(state, stddev), .least = 0, .most = 1},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(state, seed), .standard = "null"},
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
    return (noise){.seed = s->seed < 0 ? seed : (uint64_t)s->seed, .stream = stream, .amount = s->stddev};
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    char label[160];
    noise n = noise_of(l, io->seed, io->stream);
    snprintf(label, sizeof label, "%s forward", l->name);
    return ops_gaussian_noise(list, io->ctx, label, &n, io->input[0], io->output, shape_count(&l->output), err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    char label[160];
    snprintf(label, sizeof label, "%s backward", l->name);
    return io->d_input[0] ? rt_list_add_copy(list, label, io->d_output, io->d_input[0],
                                             shape_count(&l->output) * sizeof(float), err)
                          : CONVOY_OK;
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    noise n = noise_of(l, r->seed, r->stream);
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++)
        r->output[i] = r->input[0][i] + (r->training ? n.amount * ops_gaussian_value(&n, r->step, i) : 0);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        memcpy(r->d_input[0], r->d_output, shape_count(&l->output) * (size_t)r->batch * sizeof(double));
}

static const layer_sample samples[] = {
    {"stddev=0.5", {3, {9, 7, 5}}},
    {"stddev=1.0, seed=4", {1, {70}}},
    {"stddev=0.0", {2, {3, 3}}},
    {0},
};

const layer_class gaussian_noise_class = {
    .name = "GaussianNoise",
    .snake = "gaussian_noise",
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
