/* The three passes of a 2D convolution in groups: each group of out/groups filters reads in/groups channels of its own. With a
 * group for each channel it is Keras's depthwise convolution. */
#ifndef OPS_GROUP_CONV_H
#define OPS_GROUP_CONV_H

#include "ops/conv2d/conv2d.h"

/* As ops/conv2d.h has them, but for w, (kernel[0], kernel[1], in/groups, out). b->zeros is not used. */
convoy_status ops_group_conv_forward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s, int groups,
                                     const epilogue *end, const conv_buffers *b, convoy_error *err);

/* dx (not at all where b->dx is NULL), with `end` behind it, dw and dbias from dz. */
convoy_status ops_group_conv_backward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s, int groups,
                                      const epilogue *end, const conv_buffers *b, int batch, convoy_error *err);

/* Floats that b->scratch must have backward. */
size_t ops_group_conv_scratch(const convoy_context *ctx, const conv_shape *s, int groups, int batch);

/* Plain loops in double. bias and dbias may be NULL, dx too. */
void ops_group_conv_reference(const conv_shape *s, int groups, int batch, const double *x, const double *w, const double *bias,
                              double *z);
void ops_group_conv_reference_backward(const conv_shape *s, int groups, int batch, const double *x, const double *w,
                                       const double *dz, double *dx, double *dw, double *dbias);

#endif
