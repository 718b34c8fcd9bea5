/* A bias by launches of its own, where no product's kernel adds it, and its gradient. */
#ifndef OPS_BIAS_H
#define OPS_BIAS_H

#include "ops/epilogue.h"

/* y += bias, and `end` behind it; a (batch, rows, channels) tensor. */
convoy_status ops_add_bias(rt_list *list, convoy_context *ctx, const char *layer, const rt_buffer *bias, const rt_buffer *y,
                           const epilogue *end, int rows, int channels, convoy_error *err);

/* dbias = sum of dz, (batch, rows, channels), in a fixed order; scratch has ops_bias_gradient_scratch floats. */
convoy_status ops_bias_gradient(rt_list *list, convoy_context *ctx, const char *layer, const rt_buffer *dz,
                                const rt_buffer *dbias, const rt_buffer *scratch, int rows, int channels, int batch,
                                convoy_error *err);
size_t ops_bias_gradient_scratch(const convoy_context *ctx, int channels, int batch);

#endif
