/* Weights of the images' losses on the device: a number for each class, or one for each image in the order of an epoch. */
#ifndef SAMPLE_WEIGHTS_H
#define SAMPLE_WEIGHTS_H

#include "convoy/dataset.h"
#include "runtime/runtime.h"

typedef struct sample_weights sample_weights;

/* What kernels call WEIGHTS. */
enum { WEIGHTS_NONE, WEIGHTS_OF_CLASSES, WEIGHTS_OF_IMAGES };

/* Looks at both without data. Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status sample_weights_check(const char *class_weight, const float *sample_weight, convoy_error *err);

/* `class_weight` is Keras's dict as text, `sample_weight` has a number for each image of the data, which it must outlive; both
 * may be NULL, which leaves *out NULL. Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status sample_weights_create(convoy_context *ctx, const convoy_dataset *data, const char *class_weight,
                             const float *sample_weight, sample_weights **out, convoy_error *err);
void sample_weights_destroy(sample_weights *w);

/* Of NULL: WEIGHTS_NONE and NULL. */
int sample_weights_kind(const sample_weights *w);
const rt_buffer *sample_weights_buffer(const sample_weights *w);

/* Those of images go to the device as the epoch has the images: order[i] is the row that comes i-th. One copy, or none. */
convoy_status sample_weights_arrange(sample_weights *w, const int32_t *order, convoy_error *err);

#endif
