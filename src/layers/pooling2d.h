/* What MaxPooling2D and AveragePooling2D share: windows that slide over images. */
#ifndef LAYERS_POOLING2D_H
#define LAYERS_POOLING2D_H

#include "layers/layer.h"

typedef struct pooling2d {
    int pool_size[2], strides[2], padding, data_format;
    int step[2], pad[2]; /* set by build; step: strides, or the pool's size */
} pooling2d;

/* The rows of both; `standard` is what pool_size is by default. */
#define POOLING2D_OPTIONS(standard_)                                                                                                 \
    {.name = "pool_size", .kind = OPTION_PAIR, .offset = offsetof(pooling2d, pool_size), .standard = (standard_), .least = 1,        \
     .most = 1 << 15},                                                                                                               \
        {.name = "strides", .kind = OPTION_OPTIONAL_PAIR, .offset = offsetof(pooling2d, strides), .standard = "null", .least = 1,    \
         .most = 1 << 15},                                                                                                           \
        OPTION_PADDING(pooling2d),                                                                                             \
        OPTION_DATA_FORMAT(pooling2d)

/* For layer_class: the output's shape, its formula, and how many values meet in one. */
convoy_status pooling2d_build(layer *l, convoy_error *err);
void pooling2d_formula(const layer *l, int axis, text *out);
size_t pooling2d_reduction(const layer *l, int batch);

/* -D options: the sizes of what is pooled, of the output and of the windows. */
void pooling2d_describe(const layer *l, const convoy_shape *pooled, unsigned vector_width, char *out, size_t size);

/* ---- for references ---- */

/* The window behind one value of the output. */
typedef struct pooling2d_window {
    const layer *layer;
    int image, y, x, channel; /* of the output */
    size_t value;             /* index in the output */
} pooling2d_window;

/* Calls `visit` for the window of each value of the output. */
typedef void pooling2d_visit(const layer_reference *r, const pooling2d_window *w, bool backward);
void pooling2d_each(const layer *l, const layer_reference *r, bool backward, pooling2d_visit *visit);
/* The index in the input of a window's k-th cell, row by row; SIZE_MAX where that lies outside of the image. */
size_t pooling2d_cell(const pooling2d_window *w, int k);

#endif
