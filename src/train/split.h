/* The part of a data set that is held out of training, by Keras's rule or by class. */
#ifndef SPLIT_H
#define SPLIT_H

#include "convoy/dataset.h"
#include "convoy/device.h"

typedef struct split {
    convoy_dataset *train, *held_out;          /* owned */
    float *train_weights, *held_out_weights;   /* of their images, in one piece that train_weights owns; NULL: none were given */
} split;

/* Holds out `fraction` (above 0, below 1) of `data` as convoy_fit_options.validation_split says, and says through the context's
 * message hook when that is by class. Errors: CONVOY_ERROR_ARGUMENT when one side would be empty. */
convoy_status split_create(convoy_context *ctx, const convoy_dataset *data, double fraction, const float *sample_weight,
                           split *out, convoy_error *err);
void split_free(split *s);

/* How many images it leaves to train on. */
size_t split_kept(const convoy_dataset *data, double fraction);

#endif
