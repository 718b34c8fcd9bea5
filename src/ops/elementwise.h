/* Launches that treat a tensor as a plain row of floats, or as rows of its last axis. */
#ifndef OPS_ELEMENTWISE_H
#define OPS_ELEMENTWISE_H

#include "ops/activation.h"
#include "runtime/runtime.h"

/* Width of the vectors that elementwise kernels use on this device. */
unsigned ops_width(const convoy_context *ctx);

/* Fills range and local size for `per_image` floats an image (fixed: in all), a vector of `width` each. */
void ops_range(rt_launch *launch, const convoy_context *ctx, size_t per_image, size_t fixed, unsigned width);

/* The widest vector that fills `channels` without a rest, at most ops_width. */
unsigned ops_channel_width(const convoy_context *ctx, int channels);

/* Local sizes for a range of `columns` work-items that lie beside each other in memory, times any number of rows. */
void ops_local_2d(const convoy_context *ctx, size_t columns, size_t local[3]);
/* Kernels over images come in two forms: _plain, one value a work-item, and _vec, a row of pixels a work-item with its channels in
 * vectors. The width of these on this device, 1 for _plain. */
unsigned ops_row_width(const convoy_context *ctx, int channels);

/* Pushes the last argument of such a kernel, its count of rows or of values, and fills range and local size; each image has
 * `rows` rows of `values` floats. */
void ops_row_range(rt_launch *launch, const convoy_context *ctx, unsigned width, int rows, int values);

/* sum += part: floats an image, or `fixed` in all. */
convoy_status ops_accumulate(rt_list *list, convoy_context *ctx, const char *label, const rt_buffer *part, const rt_buffer *sum,
                             size_t per_image, size_t fixed, convoy_error *err);

/* y = act(z), any activation; (batch, rows, channels) tensors, channels being the last axis. y may be z. */
convoy_status ops_activation_forward(rt_list *list, convoy_context *ctx, const char *label, const activation *act,
                                     const rt_buffer *z, const rt_buffer *y, int rows, int channels, convoy_error *err);

/* dz = dy * slope, where `from` is y (act->from_output) or z. dz may be dy. */
convoy_status ops_activation_backward(rt_list *list, convoy_context *ctx, const char *label, const activation *act,
                                      const rt_buffer *from, const rt_buffer *y, const rt_buffer *dy,
                                      const rt_buffer *dz, int rows, int channels, convoy_error *err);

/* The same for the host's reference: rows x channels values. */
void ops_activation_reference(const activation *act, const double *z, double *y, size_t rows, size_t channels);
void ops_activation_reference_backward(const activation *act, const double *z, const double *y, const double *dy,
                                       double *dz, size_t rows, size_t channels);

/* How many images each work-item of a sum over the batch takes, so that `sums` of them keep the device busy: partial sums of the
 * chunks are added by ops_reduce_chunks. */
int ops_chunk_images(const convoy_context *ctx, int batch, size_t sums);

/* Sums over chunks of partial[c * stride + i]: the first `count` go to out, `rest_count` more to rest, which may be NULL for none. */
convoy_status ops_reduce_chunks(rt_list *list, convoy_context *ctx, const char *label, const rt_buffer *partial,
                                const rt_buffer *out, int count, const rt_buffer *rest, int rest_count, int chunks, int stride,
                                convoy_error *err);

/* Sums blocks of `block` chunks, each into its first one: partial[c * stride + i], i < count, c a multiple of block. */
convoy_status ops_fold_chunks(rt_list *list, convoy_context *ctx, const char *label, const rt_buffer *partial, int count,
                              int chunks, int stride, int block, convoy_error *err);

#endif
