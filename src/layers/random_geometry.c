/* RandomFlip, RandomTranslation, RandomRotation and RandomZoom: in training each image is seen through a map of its own; outside of
 * it they are not there. Maps: cl/augment.cl; how an image is seen through one: cl/affine.cl. */
#include "layers/random_image.h"

enum { BOTH_WAYS, HORIZONTAL, VERTICAL };

typedef struct state {
    random_image image;
    option_values factor, width_factor; /* one for both directions, or the height's and the width's */
    int mode;                           /* of a flip */
    int fill_mode, interpolation;       /* affine_fill; 1: bilinear */
    double fill_value;
} state;

static const char *const modes[] = {"horizontal_and_vertical", "horizontal", "vertical", NULL};
static const char *const fill_modes[] = {"constant", "nearest", "reflect", "wrap", NULL};
static const char *const interpolations[] = {"nearest", "bilinear", NULL};

#define AT(member) .offset = offsetof(state, member)
#define SAMPLING                                                                                                       \
    {.name = "fill_mode", .kind = OPTION_CHOICE, AT(fill_mode), .standard = "\"reflect\"", .choices = fill_modes},     \
        {.name = "interpolation", .kind = OPTION_CHOICE, AT(interpolation), .standard = "\"bilinear\"",                \
         .choices = interpolations},                                                                                   \
        {.name = "fill_value", .kind = OPTION_FLOAT, AT(fill_value), .standard = "0.0"}, RANDOM_IMAGE_OPTIONS

static const option flip_options[] = {
    {.name = "mode", .kind = OPTION_CHOICE, AT(mode), .standard = "\"horizontal_and_vertical\"", .choices = modes},
    RANDOM_IMAGE_OPTIONS,
    {0},
};

static const option translation_options[] = {
    {.name = "height_factor", .kind = OPTION_VALUES, AT(factor)},
    {.name = "width_factor", .kind = OPTION_VALUES, AT(width_factor)},
    SAMPLING,
    {0},
};

static const option rotation_options[] = {
    {.name = "factor", .kind = OPTION_VALUES, AT(factor)},
    SAMPLING,
    {0},
};

static const option zoom_options[] = {
    {.name = "height_factor", .kind = OPTION_VALUES, AT(factor)},
    {.name = "width_factor", .kind = OPTION_VALUES, AT(width_factor), .standard = "null"},
    SAMPLING,
    {0},
};

/* ---- what is drawn ---- */

/* A flip moves whole pixels and none from outside: the sampling of an empty state, nearest. */
static convoy_status flip_build(layer *l, convoy_error *err)
{
    const state *s = l->state;
    augment draw = {.kind = AUGMENT_FLIP, .flag = {s->mode != VERTICAL, s->mode != HORIZONTAL}};
    return random_image_build(l, draw, AUGMENT_DRAWN, err);
}

static convoy_status translation_build(layer *l, convoy_error *err)
{
    const state *s = l->state;
    const factor_rule rule = {.least = -1, .most = 1, .whole = true};
    augment draw = {.kind = AUGMENT_TRANSLATION};
    TRY(random_image_factor("height_factor", &s->factor, &rule, &draw.low[0], &draw.high[0], err));
    TRY(random_image_factor("width_factor", &s->width_factor, &rule, &draw.low[1], &draw.high[1], err));
    return random_image_build(l, draw, AUGMENT_DRAWN, err);
}

static convoy_status rotation_build(layer *l, convoy_error *err)
{
    const state *s = l->state;
    const factor_rule rule = {.least = -1, .most = 1};
    augment draw = {.kind = AUGMENT_ROTATION};
    TRY(random_image_factor("factor", &s->factor, &rule, &draw.low[0], &draw.high[0], err));
    return random_image_build(l, draw, AUGMENT_DRAWN, err);
}

static convoy_status zoom_build(layer *l, convoy_error *err)
{
    const state *s = l->state;
    const factor_rule rule = {.least = -1, .most = 1, .open = true, .whole = true};
    augment draw = {.kind = AUGMENT_ZOOM, .flag = {s->width_factor.count == 0}};
    TRY(random_image_factor("height_factor", &s->factor, &rule, &draw.low[0], &draw.high[0], err));
    if (!draw.flag[0])
        TRY(random_image_factor("width_factor", &s->width_factor, &rule, &draw.low[1], &draw.high[1], err));
    return random_image_build(l, draw, AUGMENT_DRAWN, err);
}

/* ---- passes ---- */

static affine map_of(const layer *l)
{
    const state *s = l->state;
    affine a = random_image_map(l);
    a.fill = (affine_fill)s->fill_mode;
    a.bilinear = s->interpolation;
    a.fill_value = s->fill_value;
    return a;
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    affine a = map_of(l);
    return random_image_map_forward(l, io, &a, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    affine a = map_of(l);
    return random_image_map_backward(l, io, &a, list, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    affine a = map_of(l);
    if (!random_image_copies(l, r, false))
        random_image_map_reference(l, r, &a);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    affine a = map_of(l);
    if (!random_image_copies(l, r, true))
        random_image_map_reference_backward(l, r, &a);
}

static size_t reduction(const layer *l, int batch)
{
    affine a = map_of(l);
    (void)batch;
    return ops_affine_reduction(&a);
}

/* ---- samples ---- */

static const layer_sample flip_samples[] = {
    {"", {3, {7, 5, 3}}},
    {"mode=horizontal, seed=1", {3, {4, 6, 16}}},
    {"mode=vertical, seed=4294967298", {3, {5, 4, 1}}},
    {"mode=vertical", {3, {1, 3, 2}}},
    {0},
};

static const layer_sample translation_samples[] = {
    {"height_factor=0.4, width_factor=0.3", {3, {7, 5, 3}}},
    {"height_factor=(-0.9, 0.9), width_factor=1.0, fill_mode=constant, fill_value=-0.75", {3, {4, 9, 2}}},
    {"height_factor=1, width_factor=(0.1, 0.5), fill_mode=nearest", {3, {6, 3, 17}}},
    {"height_factor=0.7, width_factor=1, fill_mode=wrap", {3, {5, 8, 1}}},
    {"height_factor=0.8, width_factor=0.8, fill_mode=constant, interpolation=nearest, seed=9", {3, {5, 7, 3}}},
    {"height_factor=1, width_factor=1, interpolation=nearest", {3, {8, 3, 4}}},
    {"height_factor=1, width_factor=1, fill_mode=wrap, interpolation=nearest", {3, {1, 6, 2}}},
    {0},
};

static const layer_sample rotation_samples[] = {
    {"factor=0.2", {3, {7, 5, 3}}},
    {"factor=(-0.5, 0.5), fill_mode=constant, fill_value=0.5", {3, {4, 9, 2}}},
    {"factor=1, fill_mode=nearest", {3, {6, 3, 17}}},
    {"factor=0.3, fill_mode=wrap", {3, {5, 8, 1}}},
    {"factor=0.1, fill_mode=constant, interpolation=nearest, seed=9", {3, {5, 7, 3}}},
    {"factor=1, interpolation=nearest", {3, {9, 2, 4}}},
    {"factor=0.5", {3, {1, 6, 2}}},
    {0},
};

static const layer_sample zoom_samples[] = {
    {"height_factor=0.5", {3, {7, 5, 3}}},
    {"height_factor=(0.2, 1.0), width_factor=(-0.9, 0.5), fill_mode=constant, fill_value=2", {3, {4, 9, 2}}},
    {"height_factor=1, width_factor=(0.5, 1.0), fill_mode=nearest", {3, {6, 3, 17}}},
    {"height_factor=1, width_factor=0.5, fill_mode=wrap", {3, {5, 8, 1}}},
    {"height_factor=0.7, width_factor=0.7, fill_mode=constant, interpolation=nearest, seed=9", {3, {5, 7, 3}}},
    {"height_factor=(-0.5, 1.0), interpolation=nearest", {3, {8, 3, 4}}},
    {"height_factor=0.9", {3, {6, 1, 2}}},
    {0},
};

/* ---- the classes ---- */

#define GEOMETRY(name_, snake_, kind_)                                                                                 \
    {.name = name_, .snake = snake_, .state_size = sizeof(state), .options = kind_##_options, .alias_in_inference = true, \
     .keeps_range = true,                                                                                              \
     .samples = kind_##_samples, .build = kind_##_build, .forward = forward, .backward = backward,                     \
     .reference_forward = reference_forward, .reference_backward = reference_backward, .reduction = reduction}

const layer_class random_flip_class = GEOMETRY("RandomFlip", "random_flip", flip);
const layer_class random_translation_class = GEOMETRY("RandomTranslation", "random_translation", translation);
const layer_class random_rotation_class = GEOMETRY("RandomRotation", "random_rotation", rotation);
const layer_class random_zoom_class = GEOMETRY("RandomZoom", "random_zoom", zoom);
