/* RandomCrop: in training each image gives a window of its own, of the wanted size. (Keras draws one place for a whole batch.)
 * Where the input is not larger in both directions, and outside of training, the largest window in the middle that has the wanted
 * proportions is resized: so Keras's documentation has it, while Keras 3.15 itself gives images out of training back as they are,
 * and cuts the wanted size from the window's corner where the input is small. Kernels: cl/augment.cl, cl/affine.cl. */
#include "layers/random_image.h"

typedef struct state {
    random_image image;
    int height, width;
} state;

#define AT(member) .offset = offsetof(state, member)

static const option options[] = {
    {.name = "height", .kind = OPTION_INT, AT(height), .least = 1, .most = 1 << 24},
    {.name = "width", .kind = OPTION_INT, AT(width), .least = 1, .most = 1 << 24},
    RANDOM_IMAGE_OPTIONS,
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    const state *s = l->state;
    augment draw = {.kind = AUGMENT_CROP, .rows = 1 + l->input[0].dim[0] - s->height, .columns = 1 + l->input[0].dim[1] - s->width};
    TRY(random_image_build(l, draw, AUGMENT_DRAWN, err));
    l->output.dim[0] = s->height;
    l->output.dim[1] = s->width;
    return CONVOY_OK;
}

/* The length along an axis of the largest window that has the wanted proportions. */
static int window_length(int length, int other, int wanted, int other_wanted)
{
    int fitting = (int)((double)other * wanted / other_wanted < length ? (double)other * wanted / other_wanted : length);
    return fitting < 1 ? 1 : fitting;
}

/* Sets one axis: output o shows `start` + (o + 0.5) * scale - 0.5, as TensorFlow resizes, and nothing outside of the window. */
static void set_axis(double *scale, double *offset, int *first, int *last, int length, int window, int wanted)
{
    *first = (length - window) / 2;
    *last = *first + window - 1;
    *scale = (double)window / wanted;
    *offset = *first + 0.5 * *scale - 0.5;
}

static affine map_of(const layer *l, bool training)
{
    const state *s = l->state;
    int height = l->input[0].dim[0], width = l->input[0].dim[1];
    affine a = random_image_map(l);
    if (training && height > s->height && width > s->width)
        return a;
    a.fixed = a.bilinear = true;
    a.fill = AFFINE_NEAREST;
    set_axis(&a.map[0], &a.map[2], &a.left, &a.right, width, window_length(width, height, s->width, s->height), s->width);
    set_axis(&a.map[4], &a.map[5], &a.top, &a.bottom, height, window_length(height, width, s->height, s->width), s->height);
    return a;
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    affine a = map_of(l, io->training);
    return random_image_map_forward(l, io, &a, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    affine a = map_of(l, io->training);
    return random_image_map_backward(l, io, &a, list, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    affine a = map_of(l, r->training);
    random_image_map_reference(l, r, &a);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    affine a = map_of(l, r->training);
    random_image_map_reference_backward(l, r, &a);
}

static size_t reduction(const layer *l, int batch)
{
    affine a = map_of(l, false);
    (void)batch;
    return ops_affine_reduction(&a);
}

static const layer_sample samples[] = {
    {"height=5, width=4", {3, {7, 9, 3}}},
    {"height=1, width=3, seed=5", {3, {4, 6, 17}}},
    {"height=6, width=5", {3, {6, 5, 2}}},
    {"height=4, width=4", {3, {4, 9, 16}}},
    {"height=8, width=6", {3, {3, 5, 2}}},
    {"height=9, width=2", {3, {5, 7, 1}}},
    {"height=3, width=3", {3, {1, 1, 4}}},
    {0},
};

const layer_class random_crop_class = {
    .name = "RandomCrop",
    .snake = "random_crop",
    .keeps_range = true,
    .state_size = sizeof(state),
    .options = options,
    .trains_apart = true,
    .samples = samples,
    .build = build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
};
