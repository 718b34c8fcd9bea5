/* What a driver is fastest at, among ways that compute the same: how wide vectors are, and how a * b + c is written. Neither can be told
 * from what it says of itself: PoCL 6 calls a function for each fma with one build option and not with another, and a CPU may run two
 * vectors of 8 floats as fast as one of 16. */
#ifndef RUNTIME_DRIVER_PROBE_H
#define RUNTIME_DRIVER_PROBE_H

#include "runtime/internal.h"

/* A way, and how fast it was seen to be. */
typedef struct driver_way {
    const char *form; /* of driver_form_options */
    unsigned width;   /* floats of a vector */
    double gflops;
} driver_way;

/* The first one, which is what the driver says of itself, unless another is faster by more than measurements differ. */
const driver_way *driver_pick(const driver_way *ways, size_t count);

/* What build options a form asks for: "" for "fma"; NULL: there is no such form. */
const char *driver_form_options(const char *form);

/* Chooses ctx->build_options and ctx->vector_width, which is the native one so far, from what was measured and kept; the first time it
 * is measured, which takes about a second. Only for devices of the _vec kernels, with tuning on and a cache folder: else all
 * stays as it is. A driver that refuses to build this keeps what it says of itself too; ctx->driver_ways says why.
 * Errors: what running kernels may come to. */
convoy_status driver_choose(convoy_context *ctx, convoy_error *err);

#endif
