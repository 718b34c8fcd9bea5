/* The three passes of a 2D convolution, also used for dense layers (a 1x1 convolution of one pixel an image). */
#ifndef OPS_CONV2D_H
#define OPS_CONV2D_H

#include <stdbool.h>

#include "ops/epilogue.h"

typedef enum conv_pass { CONV_FORWARD, CONV_BACKWARD_DATA, CONV_BACKWARD_FILTER, CONV_PASSES } conv_pass;

/* x (n, height, width, in), y (n, out_height, out_width, out), w (kernel[0], kernel[1], in, out). [0] is vertical. In several groups, w is
 * (kernel[0], kernel[1], in/groups, out), and each group of out/groups filters reads in/groups channels of its own: with a group for
 * each channel it is Keras's depthwise convolution. */
typedef struct conv_shape {
    int height, width, in, out_height, out_width, out;
    int kernel[2], stride[2], dilation[2];
    int pad[2]; /* zeros above and to the left; below and to the right follow from the sizes */
    bool bias;
    int groups; /* 0 or 1: all is one */
} conv_shape;

/* Keras's output size and leading padding of one axis. `same`: out = ceil(n/s), total = max((out-1)*s + k - n, 0), the
 * smaller half leads; `valid`: out = (n-k)/s + 1, negative or 0 when the kernel does not fit. k is the dilated kernel. */
void ops_window(int n, int k, int s, bool same, int *out, int *pad);

/* A row of variant.h with its parameters. */
enum { CONV_MAX_PARAMS = 6 };
typedef struct conv_choice {
    const struct conv_variant *variant;
    int params[CONV_MAX_PARAMS];
} conv_choice;

/* What is chosen for a convolution in batches of one size on one device, by pass, and the floats of scratch that it takes. */
typedef struct conv_kernels {
    conv_choice choice[CONV_PASSES];
    size_t scratch[CONV_PASSES];
    unsigned long records[CONV_PASSES]; /* rt_record_changes, when it was chosen */
} conv_kernels;
void ops_conv2d_choose(const convoy_context *ctx, conv_pass pass, const conv_shape *s, int batch, conv_kernels *out);
/* May ops_conv2d_forward be given this pool? */
bool ops_conv2d_pools(const conv_kernels *kernels, const conv_shape *s, int batch, const epilogue_pool *pool);
/* Does the scratch of CONV_FORWARD follow from the weights alone, so that it may be kept: conv_buffers.weights_stay? */
bool ops_conv2d_scratch_of_weights(const conv_kernels *kernels);

typedef struct conv_buffers {
    const rt_buffer *x, *w, *bias, *y;       /* forward */
    const rt_buffer *dz, *dx, *dw, *dbias;   /* backward; dx or dw NULL: not wanted */
    conv_kernels *kernels;                   /* of ops_conv2d_choose; changed where one turns out not to run. NULL: chosen now */
    const rt_buffer *scratch;                /* what they say, of CONV_FORWARD or CONV_BACKWARD_DATA */
    const rt_buffer *filter_scratch;         /* backward: of CONV_BACKWARD_FILTER */
    const rt_buffer *zeros;                  /* ops_conv2d_zeros floats */
    bool weights_stay;                       /* forward: the scratch is kept from play to play, and so are the weights */
} conv_buffers;

/* y = conv(x, w) + bias, and `end` behind it. */
convoy_status ops_conv2d_forward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                 const epilogue *end, const conv_buffers *b, int batch, convoy_error *err);

/* dx, with `end` behind it, dw and dbias from dz. dx may be x, if nothing is behind it. */
convoy_status ops_conv2d_backward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                  const epilogue *end, const conv_buffers *b, int batch, convoy_error *err);

/* One pass alone, for who uses it in another role: a transposed convolution is the data gradient of an ordinary one. `role`: "forward",
 * "backward data" or "backward filter", which the pass is for the layer; NULL: its own. `end` may be NULL. b->scratch is the pass's. */
convoy_status ops_conv2d_pass(rt_list *list, convoy_context *ctx, conv_pass pass, const char *layer, const char *role,
                              const conv_shape *s, const epilogue *end, const conv_buffers *b, int batch, convoy_error *err);

size_t ops_conv2d_zeros(const conv_shape *s);

/* ---- the specification ---- */

/* Called for every product that a convolution sums, by the flat indices of its input, weight and output. `state` is conv_operands: z += x w,
 * or, on the way back, dw += x dz and, unless dx is NULL, dx += w dz. */
typedef void conv_product(void *state, size_t x, size_t w, size_t y);
typedef struct conv_operands {
    const double *x, *w, *dz;
    double *z, *dx, *dw;
} conv_operands;
conv_product conv_product_forward, conv_product_backward;

/* Plain loops in double. bias, dx and dbias may be NULL. */
void ops_conv2d_reference(const conv_shape *s, int batch, const double *x, const double *w, const double *bias,
                          double *z);
void ops_conv2d_reference_backward(const conv_shape *s, int batch, const double *x, const double *w, const double *dz,
                                   double *dx, double *dw, double *dbias);

#endif
