/* RandomErasing (Zhong et al., "Random Erasing Data Augmentation", 2017, as Keras 3.15 has it) and Cutout (DeVries and Taylor,
 * "Improved Regularization of Convolutional Neural Networks with Cutout", 2017; not in Keras): in training a box of each image is
 * filled; outside of it they are not there. Boxes: cl/augment.cl; fills: cl/erase.cl. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "layers/random_image.h"
#include "ops/elementwise.h"

typedef struct state {
    random_image image;
    option_values factor, scale, fill_value, value_range;
    int size[2];
    double cutout_fill;
    /* set by build */
    double range[2];
    double fill[3];
    int fills; /* 0: noise; 1: fill[0] for all channels; 3: a number for each of three channels */
} state;

#define AT(member) .offset = offsetof(state, member)

static const option erasing_options[] = {
    {.name = "factor", .kind = OPTION_VALUES, AT(factor), .standard = "1.0"},
    {.name = "scale", .kind = OPTION_VALUES, AT(scale), .standard = "[0.02, 0.33]"},
    {.name = "fill_value", .kind = OPTION_VALUES, AT(fill_value), .standard = "null"},
    {.name = "value_range", .kind = OPTION_VALUES, AT(value_range), .standard = "[0.0, 255.0]"},
    RANDOM_IMAGE_OPTIONS,
    {0},
};

static const option cutout_options[] = {
    {.name = "size", .kind = OPTION_PAIR, AT(size), .standard = "16", .least = 1, .most = 1 << 24},
    {.name = "fill_value", .kind = OPTION_FLOAT, AT(cutout_fill), .standard = "0.0"},
    RANDOM_IMAGE_OPTIONS,
    {0},
};

enum { BOX = 4 };

/* ---- build ---- */

static convoy_status set_fill(layer *l, convoy_error *err)
{
    state *s = l->state;
    const option_values *given = &s->fill_value;
    bool good = given->list ? given->count == 3 && l->input[0].dim[2] == 3 : given->count <= 1;
    if (!good)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'fill_value' has %d numbers for %d channels; a number, three of them "
                         "for three channels, or null is expected", given->count, l->input[0].dim[2]);
    s->fills = given->count;
    for (int i = 0; i < s->fills; i++)
        s->fill[i] = fmin(fmax(given->value[i], s->range[0]), s->range[1]);
    return CONVOY_OK;
}

/* A number as factor or scale stands for 0 to it. */
static convoy_status erasing_build(layer *l, convoy_error *err)
{
    state *s = l->state;
    const factor_rule rule = {.least = 0, .most = 1};
    augment draw = {.kind = AUGMENT_ERASING};
    TRY(random_image_factor("scale", &s->scale, &rule, &draw.low[0], &draw.high[0], err));
    TRY(random_image_factor("factor", &s->factor, &rule, &draw.low[1], &draw.high[1], err));
    TRY(random_image_range("value_range", &s->value_range, false, s->range, err));
    TRY(random_image_build(l, draw, BOX, err));
    return set_fill(l, err);
}

static convoy_status cutout_build(layer *l, convoy_error *err)
{
    state *s = l->state;
    augment draw = {.kind = AUGMENT_CUTOUT, .rows = s->size[0], .columns = s->size[1]};
    s->fills = 1;
    s->fill[0] = s->cutout_fill;
    return random_image_build(l, draw, BOX, err);
}

/* ---- passes ---- */

static void add_fill(const layer *l, bool backward_pass, text *t)
{
    const state *s = l->state;
    if (backward_pass)
        text_add(t, " -DNORMAL=0 -DFILL_COUNT=1 -DFILLS=0.0f");
    else if (s->fills == 0)
        text_add(t, " -DNORMAL=1 -DDEVIATION=%.9ef -DLOW=%.9ef -DHIGH=%.9ef", s->range[1], s->range[0], s->range[1]);
    else
        text_add(t, " -DNORMAL=0 -DFILL_COUNT=%d -DFILLS=", s->fills);
    for (int i = 0; !backward_pass && i < s->fills; i++)
        text_add(t, "%s%.9ef", i ? "," : "", s->fill[i]);
}

static convoy_status add(const layer *l, const layer_io *io, bool backward_pass, rt_list *list, convoy_error *err)
{
    const int *in = l->input[0].dim;
    augment draw = random_image_draw(l, io->seed, io->stream);
    char label[160], *options = NULL;
    text t = {0};
    text_add(&t, "-DH=%d -DW=%d -DC=%d -DSTRIDE=%d", in[0], in[1], in[2], draw.stride);
    add_fill(l, backward_pass, &t);
    TRY(text_take(&t, &options, err));
    snprintf(label, sizeof label, "%s %s", l->name, backward_pass ? "backward" : "forward");
    rt_launch launch = {.label = label, .source = "erase", .kernel = "erase", .options = options};
    rt_push(&launch, RT_BUFFER(backward_pass ? io->d_output : io->input[0]));
    rt_push(&launch, RT_BUFFER(io->saved));
    rt_push(&launch, RT_BUFFER(backward_pass ? io->d_input[0] : io->output));
    rt_push(&launch, RT_BATCH(in[0] * in[1]));
    rt_push(&launch, RT_INT((int)(uint32_t)draw.seed));
    rt_push(&launch, RT_INT((int)(uint32_t)(draw.seed >> 32)));
    rt_push(&launch, RT_INT((int)draw.stream));
    rt_push(&launch, RT_VARIABLE(RT_VAR_UPDATES));
    ops_range(&launch, io->ctx, (size_t)in[0] * in[1], 0, 1);
    launch.bytes_per_image = 8.0 * (double)shape_count(&l->output);
    convoy_status status = rt_list_add(list, &launch, err);
    free(options);
    return status;
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    TRY(random_image_add_draw(l, io, list, err));
    return add(l, io, false, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return io->d_input[0] ? add(l, io, true, list, err) : CONVOY_OK;
}

/* ---- the reference ---- */

static double fill_of(const state *s, const augment *draw, uint32_t step, size_t i, int channels)
{
    if (s->fills > 0)
        return s->fill[s->fills == 3 ? i % (size_t)channels : 0];
    return fmin(fmax(ops_augment_normal(draw, step, i) * s->range[1], s->range[0]), s->range[1]);
}

static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    augment draw = random_image_draw(l, r->seed, r->stream);
    size_t channels = (size_t)l->output.dim[2], width = (size_t)draw.width, image = shape_count(&l->output);
    if (random_image_copies(l, r, backward_pass))
        return;
    for (size_t i = 0; i < image * (size_t)r->batch; i++) {
        double box[AUGMENT_DRAWN], column = (double)(i / channels % width), row = (double)(i % image / (channels * width));
        ops_augment_drawn(&draw, r->step, (int)(i / image), box);
        bool erased = column >= box[0] && column < box[1] && row >= box[2] && row < box[3];
        if (backward_pass)
            r->d_input[0][i] = erased ? 0 : r->d_output[i];
        else
            r->output[i] = erased ? fill_of(l->state, &draw, r->step, i, (int)channels) : r->input[0][i];
    }
}

static void reference_forward(const layer *l, const layer_reference *r) { reference(l, r, false); }
static void reference_backward(const layer *l, const layer_reference *r) { reference(l, r, true); }

/* ---- the classes ---- */

static const layer_sample erasing_samples[] = {
    {"", {3, {7, 5, 3}}},
    {"factor=(1.0, 1.0), scale=(0.3, 0.9), value_range=(-1, 1)", {3, {9, 8, 17}}},
    {"factor=(0.7, 0.9), scale=0.5, fill_value=0.5", {3, {4, 9, 2}}},
    {"factor=(1, 1), scale=(0.2, 0.8), fill_value=(0.25, -3, 0.75), value_range=(0, 1), seed=4", {3, {5, 6, 3}}},
    {"factor=(1, 1), scale=(1, 1), fill_value=7", {3, {1, 4, 1}}},
    {"factor=0", {3, {3, 3, 2}}},
    {0},
};

static const layer_sample cutout_samples[] = {
    {"", {3, {7, 5, 3}}},
    {"size=3", {3, {8, 9, 17}}},
    {"size=(1, 4), fill_value=-0.5, seed=4", {3, {5, 6, 2}}},
    {"size=(6, 2)", {3, {1, 1, 4}}},
    {0},
};

const layer_class random_erasing_class = {
    .name = "RandomErasing",
    .snake = "random_erasing",
    .keeps_range = true,
    .state_size = sizeof(state),
    .options = erasing_options,
    .alias_in_inference = true,
    .samples = erasing_samples,
    .build = erasing_build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
};

const layer_class cutout_class = {
    .name = "Cutout",
    .snake = "cutout",
    .keeps_range = true,
    .module = "convoy",
    .state_size = sizeof(state),
    .options = cutout_options,
    .alias_in_inference = true,
    .samples = cutout_samples,
    .build = cutout_build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
};
