/* Weights as pictures, as keras/src/callbacks/tensorboard.py shows them. */
#ifndef WEIGHT_IMAGES_H
#define WEIGHT_IMAGES_H

#include "layers/layer.h"
#include "train/event_file.h"

/* Writes the pictures of a weight under a tag: one of a vector or matrix, at most three of a kernel with one axis of size 1 (one
 * for each of its last axis) or of one with 3 or 4 filters (a row of it each, in colours). Values 0 to 1 are black to white,
 * others are cut off. Other weights have none: then nothing is written. Errors: CONVOY_ERROR_FILE, CONVOY_ERROR_UNSUPPORTED
 * (built without libpng), CONVOY_ERROR_MEMORY. */
convoy_status weight_images_write(event_file *file, const char *tag, int64_t step, const layer_param *param,
                                  const float *values, convoy_error *err);

#endif
