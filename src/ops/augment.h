/* Augmentation: what each image of a batch meets in a step of training, drawn on the device from the seed, the layer, the step and
 * the image's place in the batch. A few floats an image say it (cl/augment.cl); the host draws the same. */
#ifndef OPS_AUGMENT_H
#define OPS_AUGMENT_H

#include <stdbool.h>

#include "runtime/runtime.h"

/* Floats that are drawn for an image, at most: a map of pixels has six, a box four, a factor and an offset are two. */
#define AUGMENT_DRAWN 6

typedef enum augment_kind {
    AUGMENT_FLIP, AUGMENT_TRANSLATION, AUGMENT_ROTATION, AUGMENT_ZOOM, AUGMENT_CROP, AUGMENT_CONTRAST, AUGMENT_BRIGHTNESS,
    AUGMENT_ERASING, AUGMENT_CUTOUT
} augment_kind;

typedef struct augment {
    augment_kind kind;
    uint64_t seed;
    uint32_t stream;       /* of the layer */
    int height, width;     /* of the input */
    float low[2], high[2]; /* bounds of the factors; what these are, cl/augment.cl says kernel by kernel */
    int rows, columns;     /* crop: places of the window's corner; cutout: the box */
    bool flag[2];          /* flip: horizontal, vertical; zoom: the height's factor is the width's too */
    int stride;            /* floats an image in the buffer, at least as many as are drawn */
} augment;

/* Draws into out: batch x stride floats, the first few of each image. */
convoy_status ops_augment_draw(rt_list *list, const char *label, const augment *a, const rt_buffer *out, convoy_error *err);

/* The same on the host, for image n of the batch in a step. */
void ops_augment_drawn(const augment *a, uint32_t step, int n, double out[AUGMENT_DRAWN]);
/* Standard normal: what fills element i of the batch, counted over all images; the device's is in cl/erase.cl. */
double ops_augment_normal(const augment *a, uint32_t step, size_t i);

#endif
