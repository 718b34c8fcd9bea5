/* SpatialDropout2D: Dropout of whole channels of an image. */
#include <stdio.h>

#include "layers/layer.h"
#include "ops/noise.h"

typedef struct state {
    double rate;
    int64_t seed; /* -1: the training's */
    int data_format;
} state;

static const option options[] = {
    {.name = "rate", .kind = OPTION_FLOAT, .offset = offsetof(state, rate), .least = 0, .most = 1},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(state, seed), .standard = "null"},
    OPTION_DATA_FORMAT(state),
    {0},
};

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    (void)ctx, (void)pool;
    out->forward_scratch = out->backward_scratch = (size_t)l->output.dim[2] * (size_t)batch;
}

static convoy_status build(layer *l, convoy_error *err)
{
    TRY(layer_takes_images(l, err));
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
    return ops_dropout_channels(list, io->ctx, label, &n, from, to, io->scratch, l->output.dim[0] * l->output.dim[1],
                                l->output.dim[2], err);
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
    size_t image = shape_count(&l->output), channels = (size_t)l->output.dim[2];
    for (size_t i = 0; i < image * (size_t)r->batch; i++)
        to[i] = from[i] * (r->training ? ops_dropout_factor(&n, r->step, i / image * channels + i % channels) : 1);
}

static void reference_forward(const layer *l, const layer_reference *r) { apply(l, r, r->input[0], r->output); }

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        apply(l, r, r->d_output, r->d_input[0]);
}

static const layer_sample samples[] = {
    {"rate=0.5", {3, {4, 5, 32}}},
    {"rate=0.4, seed=9", {3, {3, 3, 7}}},
    {"rate=0.2", {3, {1, 2, 50}}},
    {0},
};

const layer_class spatial_dropout2d_class = {
    .name = "SpatialDropout2D",
    .snake = "spatial_dropout2d",
    .keeps_range = true,
    .state_size = sizeof(state),
    .options = options,
    .alias_in_inference = true,
    .samples = samples,
    .build = build,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
};
