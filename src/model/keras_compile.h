/* A compile_config, as Keras's files and JSON configs have it: what a model is trained with and judged by. */
#ifndef KERAS_COMPILE_H
#define KERAS_COMPILE_H

#include "model/model.h"

/* Takes the optimizer, the loss and the metrics with their options from a model's config. A loss, and metrics, of a model with one
 * output may stand in lists and dicts of one. What Convoy has no counterpart for is kept as it stands there, with the reason: such a
 * file can be looked at, run and written again, and trained or evaluated with what the caller names in its place.
 * Errors: out of memory. */
convoy_status keras_compile_read(const json_t *config, convoy_model *model, convoy_error *err);
/* Adds compile_config when the model has an optimizer, or kept one. */
convoy_status keras_compile_write(const convoy_model *model, json_t *config, convoy_error *err);

/* The training_config of Keras's older files, {"optimizer_config": ..., "loss": ..., ...}, as {"compile_config": {"optimizer": ...,
 * "loss": ..., ...}}: a new reference (keras_legacy_compile.c). */
json_t *keras_legacy_compile(const json_t *training);

#endif
