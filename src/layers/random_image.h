/* What the layers share that change images at random while a model is trained: options, draws, and passes through a map. */
#ifndef RANDOM_IMAGE_H
#define RANDOM_IMAGE_H

#include "layers/layer.h"
#include "ops/affine.h"

/* The first member of such a layer's state. */
typedef struct random_image {
    int64_t seed; /* -1: the training's */
    int data_format;
    augment draw; /* set by build, but for seed and stream */
} random_image;

/* Options that all of them have; bounding boxes are not known here. */
#define RANDOM_IMAGE_OPTIONS                                                                                           \
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(random_image, seed), .standard = "null"},                 \
        OPTION_DATA_FORMAT(random_image),                                                                              \
        {.name = "bounding_box_format", .kind = OPTION_IGNORED}

/* ---- options, checked as Keras checks them; for build ---- */

/* A number f means from -f, but not less than `least`, to f. A pair may come in either order. */
typedef struct factor_rule {
    double least, most;
    bool open;  /* least itself is not allowed */
    bool whole; /* both ends of a pair must lie between least and most, not just a part of what is between them */
} factor_rule;

convoy_status random_image_factor(const char *name, const option_values *given, const factor_rule *rule, float *low,
                                  float *high, convoy_error *err);
/* Two numbers, the lower one first unless `sorts`. */
convoy_status random_image_range(const char *name, const option_values *given, bool sorts, double out[2], convoy_error *err);

/* ---- passes ---- */

/* For build: images come in and go out; `draw` (kind, factors, flags) is drawn into the first floats of `stride` an image. */
convoy_status random_image_build(layer *l, augment draw, int stride, convoy_error *err);
/* What is drawn, with the seed that holds. */
augment random_image_draw(const layer *l, uint64_t seed, uint32_t stream);
/* The first launch of forward: draws into io->saved. */
convoy_status random_image_add_draw(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);

/* The map from input to output as large as the input; the caller sets the rest. */
affine random_image_map(const layer *l);
/* The passes of a layer that sees each image through a map that is drawn, or fixed. */
convoy_status random_image_map_forward(const layer *l, const layer_io *io, const affine *a, rt_list *list, convoy_error *err);
convoy_status random_image_map_backward(const layer *l, const layer_io *io, const affine *a, rt_list *list, convoy_error *err);
void random_image_map_reference(const layer *l, const layer_reference *r, const affine *a);
void random_image_map_reference_backward(const layer *l, const layer_reference *r, const affine *a);

/* What the others are outside of training, on the host: forward copies, backward too. True where that was so. */
bool random_image_copies(const layer *l, const layer_reference *r, bool backward);

#endif
