/* Inside of convoy_check, for tests that check a part of the samples. */
#ifndef LAYERS_CHECK_H
#define LAYERS_CHECK_H

#include "convoy/check.h"
#include "layers/layer.h"

/* Whether a sample, connected to its inputs, is to be checked. */
typedef bool check_filter(void *user, convoy_context *ctx, const layer *l);

/* convoy_check, of the samples that pass the filter; NULL: all do. */
convoy_status check_layers(convoy_context *ctx, const convoy_check_options *options, check_filter *wanted, void *user, size_t *failed,
                           convoy_error *err);

#endif
