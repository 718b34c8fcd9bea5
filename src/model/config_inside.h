/* What the readers of Keras's JSON configs share. */
#ifndef CONFIG_INSIDE_H
#define CONFIG_INSIDE_H

#include "model/build.h"

#define CONFIG_MOST_INPUTS 64 /* of a model inside a model */

/* How a model is called whose layers are read: into which scope, and what its inputs read. The model itself is called with
 * nothing. */
typedef struct config_call {
    int scope;
    const int *sources; /* nodes */
    int source_count;
    bool frozen;        /* a Functional model around it has trainable=False */
} config_call;

/* Is it an object with a class_name and a config, and no custom layer? */
convoy_status config_check_entry(const json_t *entry, convoy_error *err);
bool config_is_functional(const json_t *entry);
bool config_is_model(const json_t *entry);

/* Takes the input's shape out of a layer's config, as a batch_shape: a new reference, NULL when there is none. */
json_t *config_take_shape(json_t *config);

/* Reads all layers of a model's entry, and sets the scope's inputs and outputs. */
convoy_status config_read_scope(convoy_model *model, const config_call *call, const json_t *entry, convoy_error *err);
convoy_status config_read_chain(convoy_model *model, const config_call *call, const json_t *build_shape,
                                const json_t *layers, convoy_error *err);
convoy_status config_read_graph(convoy_model *model, const config_call *call, const json_t *entry, const json_t *layers,
                                convoy_error *err);

/* Reads a model inside the model; `call` gives its sources and the scope around it. *scope is its own. */
convoy_status config_read_inner(convoy_model *model, const config_call *call, const char *name, const json_t *entry,
                                int *scope, convoy_error *err);
/* Reads a layer (not a model) that is used for the first time. */
convoy_status config_read_layer(convoy_model *model, const config_call *call, const json_t *entry, const int *inputs,
                                int count, convoy_error *err);
/* An InputLayer of a scope, from its config, in place of input `k` of the call. */
convoy_status config_read_input(convoy_model *model, const config_call *call, const json_t *config, int k,
                                convoy_error *err);

#endif
