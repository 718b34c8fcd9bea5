/* Random numbers of layers in training: dropout and noise. Which number meets which element follows from the seed, the layer and
 * the optimizer's step alone (cl/philox.clh), so that backward draws them again and a resumed run meets the same ones. */
#ifndef OPS_NOISE_H
#define OPS_NOISE_H

#include "runtime/runtime.h"

typedef struct noise {
    uint64_t seed;
    uint32_t stream;  /* of the layer */
    double amount;    /* dropout: the rate, 0 to 1; gaussian: the standard deviation */
} noise;

/* y = x with a share of the values dropped, the others made larger by as much; `count` values an image. y may be x. */
convoy_status ops_dropout(rt_list *list, convoy_context *ctx, const char *label, const noise *n, const rt_buffer *x,
                          const rt_buffer *y, size_t count, convoy_error *err);
/* The same with one decision for a channel of an image, (batch, rows, channels); scratch: batch x channels floats. */
convoy_status ops_dropout_channels(rt_list *list, convoy_context *ctx, const char *label, const noise *n, const rt_buffer *x,
                                   const rt_buffer *y, const rt_buffer *scratch, int rows, int channels, convoy_error *err);
/* y = x + normal noise. */
convoy_status ops_gaussian_noise(rt_list *list, convoy_context *ctx, const char *label, const noise *n, const rt_buffer *x,
                                 const rt_buffer *y, size_t count, convoy_error *err);

/* For references, on the host: what element i of a tensor meets in a step. */
double ops_dropout_factor(const noise *n, uint32_t step, size_t i);  /* 0, or 1 / (1 - rate) */
double ops_gaussian_value(const noise *n, uint32_t step, size_t i);  /* standard normal */

#endif
