/* What the convolution layers share when they are built. */
#ifndef LAYERS_CONV_H
#define LAYERS_CONV_H

#include "layers/layer.h"
#include "ops/conv2d.h"

/* Fills the shape from images of rank 3, all but `out` and `bias`; refuses other inputs and kernels that do not fit. */
convoy_status conv_build(const layer *l, const int kernel_size[2], const int strides[2], const int dilation_rate[2], bool same,
                         conv_shape *out, convoy_error *err);

/* What the backward pass needs of an activation that ends the layer, whose output is known: saved is the input of one whose
 * slope does not follow from its output. */
void conv_build_activation(layer *l, const activation *act);

#endif
