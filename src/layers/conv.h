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

/* Declares the bias, if it is wanted: one for each filter. */
void conv_add_bias(layer *l, bool wanted, int filters, initializer init, const param_rules *rules);

/* Chooses the kernels of a convolution, and makes *needs at least what they take. The shape of its backward passes may differ. */
void conv_needs(const convoy_context *ctx, const conv_shape *forward, const conv_shape *backward, int batch, layer_needs *needs,
                conv_kernels *kernels);

/* Where forward writes what the layer's own activation is applied to. */
const rt_buffer *conv_z(const layer_io *io);
/* What the kernel that writes it can do of io->end; conv_activate appends what is left. */
epilogue conv_end(const layer_io *io);
convoy_status conv_activate(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);
/* The passes of a layer that is one convolution by param[0], plus param[1] if it has that. */
convoy_status conv_forward(const layer *l, const layer_io *io, const conv_shape *s, rt_list *list, convoy_error *err);
convoy_status conv_backward(const layer *l, const layer_io *io, const conv_shape *s, rt_list *list, convoy_error *err);
/* Its reference, for images. */
void conv_reference_forward(const layer *l, const layer_reference *r, const conv_shape *s);
void conv_reference_backward(const layer *l, const layer_reference *r, const conv_shape *s);

/* d_output *= the slope of the layer's own activation, where backward is to take it. */
convoy_status conv_take_slope(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);

/* ONNX's Conv, of l's input size and l's output size: x (N, C, H, W), the kernel (out, in / groups, height, width); bias 0: none. */
onnx_value conv_onnx(onnx_graph *g, const layer *l, const conv_shape *c, int groups, onnx_value x, onnx_value kernel,
                     onnx_value bias);

/* From (height, width, in, out), which is Keras's order, to ONNX's (out, in, height, width). */
extern const int conv_onnx_order[4];

#endif
