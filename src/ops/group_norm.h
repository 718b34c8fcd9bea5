/* Normalisation inside one sample: LayerNormalization (one pixel, one group: the row itself) and GroupNormalization. Tensors are
 * (batch, samples, pixels, channels). Formulas and kernels: cl/group_norm.cl. */
#ifndef OPS_GROUP_NORM_H
#define OPS_GROUP_NORM_H

#include "runtime/runtime.h"

typedef struct group_norm {
    int samples, pixels;   /* samples: of one image */
    int groups, channels;  /* groups divide channels */
    double epsilon;
    bool scale, center;    /* there is a gamma, a beta; channels floats each */
    bool rms;              /* Keras's rms_scaling */
} group_norm;

/* gamma, beta and their gradients are NULL where there is none; dx may be NULL; d_gamma and d_beta both NULL: not wanted. */
typedef struct group_norm_buffers {
    const rt_buffer *x, *y, *gamma, *beta, *saved; /* saved: ops_group_norm_saved floats an image */
    const rt_buffer *dy, *dx, *d_gamma, *d_beta, *scratch;
} group_norm_buffers;

size_t ops_group_norm_saved(const group_norm *n);
/* Floats that backward needs for itself. */
size_t ops_group_norm_scratch(const convoy_context *ctx, const group_norm *n, int batch);

convoy_status ops_group_norm_forward(rt_list *list, convoy_context *ctx, const char *layer, const group_norm *n,
                                     const group_norm_buffers *b, int batch, convoy_error *err);
convoy_status ops_group_norm_backward(rt_list *list, convoy_context *ctx, const char *layer, const group_norm *n,
                                      const group_norm_buffers *b, int batch, convoy_error *err);

/* The specification, in double. gamma and beta may be NULL; so may dx, d_gamma and d_beta. */
void ops_group_norm_reference(const group_norm *n, int batch, const double *x, const double *gamma, const double *beta,
                              double *y);
void ops_group_norm_reference_backward(const group_norm *n, int batch, const double *x, const double *gamma,
                                       const double *dy, double *dx, double *d_gamma, double *d_beta);

#endif
