/* How a model grows: what model.c, config.c and load.c share. */
#ifndef MODEL_BUILD_H
#define MODEL_BUILD_H

#include "model/model.h"

#define MOST_JSON ((size_t)64 << 20) /* bytes of a config that are read */

/* Creates a layer of a class by name and appends it. When the model is empty and the config has input_shape,
 * batch_shape or batch_input_shape (Keras 2 keeps them in the first layer), or `build_shape` is not NULL, the
 * InputLayer is made from it. A failure leaves the model as it was. */
convoy_status model_append_config(convoy_model *model, const char *class_name, const json_t *config,
                                  const json_t *build_shape, convoy_error *err);

/* Removes the nodes from `count` on. */
void model_truncate(convoy_model *model, size_t count);

/* The text of data/models/<name>.json, embedded at build time; NULL when there is none. */
const char *builtin_model_text(const char *name);

#endif
