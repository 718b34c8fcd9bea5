/* Batch normalisation over the last axis of (batch, rows, channels) tensors. Formulas and kernels: cl/batch_norm.cl. */
#ifndef OPS_BATCH_NORM_H
#define OPS_BATCH_NORM_H

#include "ops/epilogue.h"

typedef struct batch_norm {
    int rows, channels; /* rows: of one image */
    double epsilon, momentum;
    bool scale, center; /* there is a gamma, a beta */
    bool moving;        /* inference: from the moving statistics */
} batch_norm;

/* NULL where a pass has no use for it, and for gamma and beta where there is none. */
typedef struct batch_norm_buffers {
    const rt_buffer *x, *y, *gamma, *beta, *mean, *variance; /* mean, variance: moving */
    const rt_buffer *saved;                                  /* ops_batch_norm_saved floats */
    const rt_buffer *dy, *dx, *d_gamma, *d_beta;             /* dx may be NULL */
    const rt_buffer *scratch, *bad;
    epilogue end;                                            /* forward: what follows y */
} batch_norm_buffers;

/* Floats that training keeps from forward until the update, and that each pass needs for itself. */
size_t ops_batch_norm_saved(const batch_norm *n);
size_t ops_batch_norm_scratch(const convoy_context *ctx, const batch_norm *n, int batch);

/* y; with !moving also `saved`. */
convoy_status ops_batch_norm_forward(rt_list *list, convoy_context *ctx, const char *layer, const batch_norm *n,
                                     const batch_norm_buffers *b, int batch, convoy_error *err);
/* dx, and with !moving the gradients of gamma and beta. */
convoy_status ops_batch_norm_backward(rt_list *list, convoy_context *ctx, const char *layer, const batch_norm *n,
                                      const batch_norm_buffers *b, int batch, convoy_error *err);
/* The moving mean and variance, from `saved`, unless *bad is set. */
convoy_status ops_batch_norm_update(rt_list *list, convoy_context *ctx, const char *layer, const batch_norm *n,
                                    const batch_norm_buffers *b, int batch, convoy_error *err);

#endif
