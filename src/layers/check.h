/* Inside of convoy_check, for tests that check a part of the samples. */
#ifndef LAYERS_CHECK_H
#define LAYERS_CHECK_H

#include "convoy/check.h"
#include "layers/layer.h"

enum { CHECK_FORWARD = 1, CHECK_D_INPUT = 2, CHECK_D_PARAMS = 4, CHECK_ALL = 7, CHECK_PASSES = 3 };

/* Which of them are to be checked of its class's sample number `sample`, connected to its inputs; 0: not the sample. Convolutions alone
 * can be asked for one of the two gradients. */
typedef unsigned check_filter(void *user, convoy_context *ctx, const layer *l, size_t sample);

/* convoy_check, of what the filter wants; NULL: all of all samples. */
convoy_status check_layers(convoy_context *ctx, const convoy_check_options *options, check_filter *wanted, void *user, size_t *failed,
                           convoy_error *err);

#endif
