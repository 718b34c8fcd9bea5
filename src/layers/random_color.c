/* RandomContrast and RandomBrightness: in training each image is changed by a factor of its own; outside of it they are not there.
 * Formulas: cl/color.cl. */
#include <math.h>
#include <stdio.h>

#include "layers/random_image.h"
#include "ops/elementwise.h"

typedef struct state {
    random_image image;
    option_values factor, value_range;
    double range[2]; /* set by build, as is: */
    bool mean;       /* contrast is around the mean of each image's channel */
} state;

#define AT(member) .offset = offsetof(state, member)

static const option options[] = {
    {.name = "factor", .kind = OPTION_VALUES, AT(factor)},
    {.name = "value_range", .kind = OPTION_VALUES, AT(value_range), .standard = "[0.0, 255.0]"},
    RANDOM_IMAGE_OPTIONS,
    {0},
};

/* Where the means lie behind what is drawn. */
enum { MEANS = 2 };

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    (void)ctx, (void)pool;
    if (((const state *)l->state)->mean)
        out->backward_scratch = (size_t)l->input[0].dim[2] * (size_t)batch; /* the channels' shares */
}

/* The factor is 1 - low to 1 + high, and a number f stands for 0 to f: Keras 3.15's code, though its documentation has a number
 * for -f to f. */
static convoy_status contrast_build(layer *l, convoy_error *err)
{
    state *s = l->state;
    const factor_rule rule = {.least = 0, .most = 1};
    augment draw = {.kind = AUGMENT_CONTRAST};
    TRY(random_image_factor("factor", &s->factor, &rule, &draw.low[0], &draw.high[0], err));
    TRY(random_image_range("value_range", &s->value_range, false, s->range, err));
    draw.low[0] = 1 - draw.low[0];
    draw.high[0] = 1 + draw.high[0];
    s->mean = true;
    l->backward_reads_input = true;
    return random_image_build(l, draw, MEANS + l->input[0].dim[2], err); /* what is no image is refused there */
}

static convoy_status brightness_build(layer *l, convoy_error *err)
{
    state *s = l->state;
    const factor_rule rule = {.least = -1, .most = 1};
    augment draw = {.kind = AUGMENT_BRIGHTNESS};
    TRY(random_image_factor("factor", &s->factor, &rule, &draw.low[0], &draw.high[0], err));
    TRY(random_image_range("value_range", &s->value_range, true, s->range, err));
    draw.low[0] *= (float)(s->range[1] - s->range[0]);
    draw.high[0] *= (float)(s->range[1] - s->range[0]);
    l->backward_reads_input = true;
    return random_image_build(l, draw, MEANS, err);
}

/* ---- passes ---- */

static int pixels_of(const layer *l) { return l->input[0].dim[0] * l->input[0].dim[1]; }

/* `items`: work-items an image. */
static convoy_status add(const layer *l, const layer_io *io, const char *pass, const rt_buffer *const *buffers, int count,
                         size_t items, rt_list *list, convoy_error *err)
{
    const state *s = l->state;
    char text[192], label[160], kernel[32];
    snprintf(text, sizeof text, "-DPIXELS=%d -DC=%d -DSTRIDE=%d -DMEAN=%d -DLOW=%.9ef -DHIGH=%.9ef", pixels_of(l),
             l->input[0].dim[2], s->image.draw.stride, s->mean, s->range[0], s->range[1]);
    snprintf(label, sizeof label, "%s %s", l->name, pass);
    snprintf(kernel, sizeof kernel, "color_%s", pass);
    rt_launch launch = {.label = label, .source = "color", .kernel = kernel, .options = text};
    for (int i = 0; i < count; i++)
        rt_push(&launch, RT_BUFFER(buffers[i]));
    rt_push(&launch, RT_BATCH((int)items));
    ops_range(&launch, io->ctx, items, 0, 1);
    launch.bytes_per_image = 8.0 * (double)shape_count(&l->output);
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const state *s = l->state;
    const rt_buffer *buffers[] = {io->input[0], io->saved, io->output};
    TRY(random_image_add_draw(l, io, list, err));
    if (s->mean)
        TRY(add(l, io, "mean", buffers, 2, (size_t)l->input[0].dim[2], list, err));
    return add(l, io, "forward", buffers, 3, shape_count(&l->output), list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const state *s = l->state;
    const rt_buffer *share = s->mean ? io->scratch : io->d_output; /* without means it is not read: any buffer does */
    const rt_buffer *buffers[] = {io->input[0], io->saved, io->d_output, share, io->d_input[0]};
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    if (s->mean)
        TRY(add(l, io, "share", buffers, 4, (size_t)l->input[0].dim[2], list, err));
    return add(l, io, "backward", buffers, 5, shape_count(&l->output), list, err);
}

/* ---- the reference ---- */

/* One channel of an image. */
typedef struct channel {
    size_t first, pixels, step;
    double factor, offset, mean;
} channel;

static channel channel_of(const layer *l, const layer_reference *r, int n, int c)
{
    const state *s = l->state;
    double drawn[AUGMENT_DRAWN];
    augment draw = random_image_draw(l, r->seed, r->stream);
    ops_augment_drawn(&draw, r->step, n, drawn);
    channel ch = {.first = (size_t)n * shape_count(&l->output) + (size_t)c, .pixels = (size_t)pixels_of(l),
                  .step = (size_t)l->output.dim[2], .factor = drawn[0], .offset = drawn[1]};
    for (size_t p = 0; s->mean && p < ch.pixels; p++)
        ch.mean += r->input[0][ch.first + p * ch.step];
    ch.mean /= (double)ch.pixels; /* once: a mean of 0 is 0, and a value there is not clipped at 0 */
    return ch;
}

static double unclipped(const channel *ch, double x) { return (x - ch->mean) * ch->factor + ch->mean + ch->offset; }

static void channel_forward(const state *s, const layer_reference *r, const channel *ch)
{
    for (size_t p = 0, i = ch->first; p < ch->pixels; p++, i += ch->step)
        r->output[i] = fmin(fmax(unclipped(ch, r->input[0][i]), s->range[0]), s->range[1]);
}

static void channel_backward(const state *s, const layer_reference *r, const channel *ch)
{
    double sum = 0;
    for (size_t p = 0, i = ch->first; p < ch->pixels; p++, i += ch->step) {
        double y = unclipped(ch, r->input[0][i]);
        r->d_input[0][i] = y >= s->range[0] && y <= s->range[1] ? r->d_output[i] : 0;
        sum += r->d_input[0][i];
    }
    for (size_t p = 0, i = ch->first; p < ch->pixels; p++, i += ch->step)
        r->d_input[0][i] = ch->factor * r->d_input[0][i] + (s->mean ? (1 - ch->factor) / (double)ch->pixels * sum : 0);
}

static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    if (random_image_copies(l, r, backward_pass))
        return;
    for (int n = 0; n < r->batch; n++)
        for (int c = 0; c < l->output.dim[2]; c++) {
            channel ch = channel_of(l, r, n, c);
            (backward_pass ? channel_backward : channel_forward)(l->state, r, &ch);
        }
}

static void reference_forward(const layer *l, const layer_reference *r) { reference(l, r, false); }
static void reference_backward(const layer *l, const layer_reference *r) { reference(l, r, true); }

static size_t reduction(const layer *l, int batch)
{
    const state *s = l->state;
    (void)batch;
    return s->mean ? (size_t)pixels_of(l) : 1;
}

/* ---- the classes ---- */

static const layer_sample contrast_samples[] = {
    {"factor=0.8, value_range=(-1, 1)", {3, {7, 5, 3}}},
    {"factor=(0.9, 0.5), value_range=(-0.75, 0.6), seed=3", {3, {4, 9, 17}}},
    {"factor=(1.0, 1.0)", {3, {6, 3, 2}}},
    {"factor=1, value_range=(-9, 9)", {3, {1, 8, 1}}},
    {"factor=0.5, value_range=(0, 1)", {3, {1, 1, 4}}},
    {0},
};

static const layer_sample brightness_samples[] = {
    {"factor=0.3, value_range=(-1, 1)", {3, {7, 5, 3}}},
    {"factor=(-0.5, 0.1), value_range=(0.6, -0.75), seed=3", {3, {4, 9, 17}}},
    {"factor=0.01", {3, {6, 3, 2}}},
    {"factor=1, value_range=(0, 1)", {3, {1, 1, 4}}},
    {0},
};

#define COLOR(name_, snake_, kind_)                                                                                    \
    {.name = name_, .snake = snake_, .state_size = sizeof(state), .options = options, .alias_in_inference = true,      \
     .keeps_range = true,                                                                                              \
     .samples = kind_##_samples, .build = kind_##_build, .needs = needs, .forward = forward, .backward = backward,     \
     .reference_forward = reference_forward, .reference_backward = reference_backward, .reduction = reduction}

const layer_class random_contrast_class = COLOR("RandomContrast", "random_contrast", contrast);
const layer_class random_brightness_class = COLOR("RandomBrightness", "random_brightness", brightness);
