/* Single passes of a 2D convolution, also for layers that use one in another role: a transposed convolution is the data gradient of an
 * ordinary one. And what stands between passes: bias, and its gradient. */
#ifndef OPS_CONV_PASS_H
#define OPS_CONV_PASS_H

#include "ops/conv2d/variant.h"

/* Appends the chosen variant of one pass, as ops/conv2d.h describes them, and tells who watches the list of the problem; end may be NULL.
 * `role`: "forward", "backward data" or "backward filter", which the pass is for the layer; NULL: its own. */
convoy_status ops_conv_pass(rt_list *list, convoy_context *ctx, conv_pass pass, const char *layer, const char *role, const conv_shape *s,
                            const epilogue *end, const conv_buffers *b, int batch, convoy_error *err);
/* Floats that its b->scratch must have. */
size_t ops_conv_pass_scratch(const convoy_context *ctx, conv_pass pass, const conv_shape *s, int batch);

/* y += bias, and `end` behind it; a (batch, rows, channels) tensor. */
convoy_status ops_add_bias(rt_list *list, convoy_context *ctx, const char *layer, const rt_buffer *bias, const rt_buffer *y,
                           const epilogue *end, int rows, int channels, convoy_error *err);

/* dbias = sum of dz, (batch, rows, channels), in a fixed order; scratch has ops_bias_gradient_scratch floats. */
convoy_status ops_bias_gradient(rt_list *list, convoy_context *ctx, const char *layer, const rt_buffer *dz,
                                const rt_buffer *dbias, const rt_buffer *scratch, int rows, int channels, int batch,
                                convoy_error *err);
size_t ops_bias_gradient_scratch(const convoy_context *ctx, int channels, int batch);

#endif
