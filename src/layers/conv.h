/* What the convolution layers share when they are built. */
#ifndef LAYERS_CONV_H
#define LAYERS_CONV_H

#include "layers/onnx.h"
#include "ops/conv2d/conv2d.h"

/* Fills the shape from images of rank 3, all but `out` and `bias`; refuses other inputs and kernels that do not fit. */
convoy_status conv_build(const layer *l, const int kernel_size[2], const int strides[2], const int dilation_rate[2], bool same,
                         conv_shape *out, convoy_error *err);

/* What the backward pass needs of an activation that ends the layer, whose output is known: saved is the input of one whose
 * slope does not follow from its output. */
void conv_build_activation(layer *l, const activation *act);

/* The activation that forward applies: the layer's own, or none. */
const activation *conv_activation(const layer_io *io, const activation *own);

/* ONNX's Conv, of l's input size and l's output size: x (N, C, H, W), the kernel (out, in / groups, height, width); bias 0: none. */
onnx_value conv_onnx(onnx_graph *g, const layer *l, const conv_shape *c, int groups, onnx_value x, onnx_value kernel,
                     onnx_value bias);

/* From (height, width, in, out), which is Keras's order, to ONNX's (out, in, height, width). */
extern const int conv_onnx_order[4];

#endif
