/* Single values of a convolution's results by the definition, in double: what large results are checked by, a few hundred values
 * at a time. */
#ifndef OPS_CONV2D_SAMPLE_H
#define OPS_CONV2D_SAMPLE_H

#include "ops/conv2d/variant.h"

/* What a pass reads, on the host; those that it does not read may be NULL. */
typedef struct conv_tensors {
    const float *x, *w, *bias, *dz;
} conv_tensors;

/* How many values a pass writes: y, dx, or dw and behind it dbias. */
size_t conv_result_count(const conv_problem *p);

/* Result value i: y = act(conv(x, w) + bias); dx = conv'(dz, w), times act's slope at x unless act is NULL; dw and dbias. */
double conv_sample_value(const conv_problem *p, const activation *act, const conv_tensors *t, size_t i);

/* Products behind one value, at most: what its tolerance follows from. */
double conv_sample_length(const conv_problem *p);

/* Fills `out` with indices of results: the first and the last value, those at the corners and edges of the first and the last
 * image (or of the weights), then random ones. Returns how many, at most `most`. */
size_t conv_sample_places(const conv_problem *p, uint64_t seed, size_t *out, size_t most);

#endif
