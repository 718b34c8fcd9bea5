/* Dropout: in training a share `rate` of the values is 0, the others are divided by 1 - rate; outside it is not there.
 * SpatialDropout2D: the same of whole channels of an image. Kernels and the numbers drawn: cl/noise.cl. */
#include <stdio.h>

#include "layers/layer.h"
#include "ops/noise.h"

typedef struct state {
    double rate;
    int64_t seed; /* -1: the training's */
    int data_format;
    int channels; /* set by build: whole ones are dropped; 0: single values are */
} state;

#define DROPOUT_OPTIONS                                                                                                \
    {.name = "rate", .kind = OPTION_FLOAT, .offset = offsetof(state, rate), .least = 0, .most = 1},                          \
        {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(state, seed), .standard = "null"}

static const option options[] = {
    DROPOUT_OPTIONS,
    {.name = "noise_shape", .kind = OPTION_NULL, .instead = "SpatialDropout2D drops whole channels"},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    (void)err;
    l->output = l->input[0];
    return CONVOY_OK;
}

static convoy_status spatial_build(layer *l, convoy_error *err)
{
    TRY(layer_takes_images(l, err));
    ((state *)l->state)->channels = l->input[0].dim[2];
    return build(l, err);
}

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    (void)ctx, (void)pool;
    out->forward_scratch = out->backward_scratch = (size_t)((const state *)l->state)->channels * (size_t)batch;
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
    int channels = ((const state *)l->state)->channels;
    noise n = noise_of(l, io->seed, io->stream);
    snprintf(label, sizeof label, "%s %s", l->name, what);
    if (channels > 0)
        return ops_dropout_channels(list, io->ctx, label, &n, from, to, io->scratch, l->output.dim[0] * l->output.dim[1], channels, err);
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
    size_t image = shape_count(&l->output), channels = (size_t)((const state *)l->state)->channels;
    for (size_t i = 0; i < image * (size_t)r->batch; i++) {
        size_t drawn = channels ? i / image * channels + i % channels : i;
        to[i] = from[i] * (r->training ? ops_dropout_factor(&n, r->step, drawn) : 1);
    }
}

static void reference_forward(const layer *l, const layer_reference *r) { apply(l, r, r->input[0], r->output); }

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        apply(l, r, r->d_output, r->d_input[0]);
}

/* ---- the classes ---- */

static const layer_sample samples[] = {
    {"rate=0.5", {3, {9, 7, 5}}},
    {"rate=0.25, seed=3", {1, {64}}},
    {"rate=0.9, seed=77309411328", {3, {3, 1, 17}}}, /* a seed of more than 32 bits */
    {"rate=0.0", {2, {5, 3}}},
    {"rate=1.0", {1, {33}}},
    {0},
};

static const option spatial_options[] = {DROPOUT_OPTIONS, OPTION_DATA_FORMAT(state), {0}};

static const layer_sample spatial_samples[] = {
    {"rate=0.5", {3, {4, 5, 32}}},
    {"rate=0.4, seed=9", {3, {3, 3, 7}}},
    {"rate=0.2", {3, {1, 2, 50}}},
    {0},
};

#define DROPOUT(name_, snake_, options_, samples_, build_)                                                             \
    {.name = name_, .snake = snake_, .keeps_range = true, .state_size = sizeof(state), .options = options_,            \
     .alias_in_inference = true, .samples = samples_, .build = build_, .needs = needs, .forward = forward,             \
     .backward = backward, .reference_forward = reference_forward, .reference_backward = reference_backward}

const layer_class dropout_class = DROPOUT("Dropout", "dropout", options, samples, build);
const layer_class spatial_dropout2d_class = DROPOUT("SpatialDropout2D", "spatial_dropout2d", spatial_options, spatial_samples, spatial_build);
