/* Every layer's kernels on a device against the layer's reference, plain loops in double. */
#ifndef CONVOY_CHECK_H
#define CONVOY_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/device.h"
#include "convoy/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One layer in one configuration. */
typedef struct convoy_check_row {
    const char *layer, *options; /* "Conv2D", "filters=8, kernel_size=3" */
    char input[128];             /* its shape; several: "(None, 4) and (None, 1)", "8 x (None, 4)" */
    bool passed;
    double error;                /* the worst error, as a multiple of what is tolerated: at most 1 passes */
    char message[256];           /* of a failure: which tensor, where, both values */
} convoy_check_row;

typedef struct convoy_check_options {
    uint64_t seed;      /* of inputs and weights */
    const char *layer;  /* only this class; NULL: all */
    size_t most_values; /* skip inputs with more values than this (slow devices); 0: no limit */
    void (*on_row)(void *user, const convoy_check_row *row);
    void *user;
} convoy_check_options;

convoy_status convoy_check_sized(convoy_context *ctx, const convoy_check_options *options, size_t options_size, size_t *failed,
                                 convoy_error *err);
/* Runs forward and backward passes of every layer over odd shapes; *failed counts the rows that did not pass. */
static inline convoy_status convoy_check(convoy_context *ctx, const convoy_check_options *options, size_t *failed, convoy_error *err)
{
    return convoy_check_sized(ctx, options, sizeof *options, failed, err);
}

#ifdef __cplusplus
}
#endif
#endif
