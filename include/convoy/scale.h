/* What the values of images are divided by before they go into a model. */
#ifndef CONVOY_SCALE_H
#define CONVOY_SCALE_H

#include "convoy/dataset.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct convoy_pixels {
    double scale;   /* the values of an image are divided by this */
    char text[256]; /* the same for people: "divided by 255", "0 to 255, the model rescales them itself (rescaling)" */
} convoy_pixels;

/* The rule that convoy_fit, convoy_evaluate and convoy_report_write follow, for pixels of 0 to 255 (for floats
 * that are prepared, see convoy_dataset_prepared, the first line alone: else they are not divided):
 *   - `scale` above 0: they are divided by that;
 *   - a model that begins with Keras's Rescaling or Normalization gets them as they are, 0 to 255;
 *   - any other gets them divided by 255, 0 to 1.
 * A model begins with the first layers that compute with what it is given: inner models are looked into, and layers that only
 * move, pick or vary values (ZeroPadding2D, RandomFlip and the like, Dropout, Concatenate, pooling) are passed over. Where
 * several layers read the input, each must be such a one. Not counted are a Rescaling that makes values larger (scale=255) and a
 * Normalization whose moments are those of values within 0 and 1 (each mean 0 to 1, each variance at most 1/4): they were made
 * for 0 to 1. `data` NULL stands for image files. */
convoy_pixels convoy_pixels_for(const convoy_model *model, const convoy_dataset *data, double scale);

#ifdef __cplusplus
}
#endif
#endif
