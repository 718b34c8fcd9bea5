/* Images seen through an affine map of pixels. Kernels and formulas: cl/affine.cl. */
#ifndef OPS_AFFINE_H
#define OPS_AFFINE_H

#include <stdbool.h>

#include "ops/augment.h"

/* What lies beyond the edge, in Keras's words: one value, the nearest pixel, the image mirrored at its edge or repeated. */
typedef enum affine_fill { AFFINE_CONSTANT, AFFINE_NEAREST, AFFINE_REFLECT, AFFINE_WRAP } affine_fill;

typedef struct affine {
    int height, width, channels, out_height, out_width;
    affine_fill fill;
    bool bilinear;
    double fill_value;
    int top, bottom, left, right;  /* AFFINE_NEAREST: the rows and columns whose ends are the edge */
    bool fixed;                    /* all images have `map`, and no buffer of maps is read */
    double map[AUGMENT_DRAWN];
    int stride;                    /* floats an image in the buffer of maps */
} affine;

/* x: (batch, height, width, channels); y: (batch, out_height, out_width, channels); maps: batch x stride floats, or NULL where the
 * map is fixed. */
convoy_status ops_affine(rt_list *list, const convoy_context *ctx, const char *label, const affine *a, const rt_buffer *x,
                         const rt_buffer *maps, const rt_buffer *y, convoy_error *err);
/* dx from dy: the adjoint. */
convoy_status ops_affine_backward(rt_list *list, const convoy_context *ctx, const char *label, const affine *a,
                                  const rt_buffer *dy, const rt_buffer *maps, const rt_buffer *dx, convoy_error *err);

/* One image on the host; backward adds to dx. */
void ops_affine_reference(const affine *a, const double *map, const double *x, double *y);
void ops_affine_reference_backward(const affine *a, const double *map, const double *dy, double *dx);
/* For a layer's `reduction`. */
size_t ops_affine_reduction(const affine *a);

#endif
