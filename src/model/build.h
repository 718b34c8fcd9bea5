/* How a model grows: what the files of this room share, and those that read a model. */
#ifndef MODEL_BUILD_H
#define MODEL_BUILD_H

#include "model/model.h"

#define MOST_JSON ((size_t)64 << 20) /* bytes of a config that are read */

/* The class of a name; the message of a failure suggests one. */
convoy_status model_find_class(const char *name, const layer_class **out, convoy_error *err);

/* Parses a config's JSON text; a byte order mark in front is skipped, and NULs inside texts are spelt \\u0000. A new reference. */
convoy_status config_parse(const char *json, size_t size, json_t **out, convoy_error *err);

/* The same of a file. */
convoy_status config_parse_file(const char *path, json_t **out, convoy_error *err);

/* Puts a config of an older Keras into the words that the readers know. */
void config_modernise(json_t *config);

/* The model of a config without weights, which may say what it is to be trained with, as a file does. Modernises it where it stands. */
convoy_status config_read(json_t *root, convoy_model **out, convoy_error *err);

/* A layer like this one, not yet connected: for another use of it. */
convoy_status model_copy_layer(const layer *l, layer **out, convoy_error *err);

/* Sets the nodes that are the inputs, or outputs, of a scope. Every node must lead to an output of scope 0. */
convoy_status model_set_ends(convoy_model *model, int scope, bool outputs, const int *nodes, int count, convoy_error *err);

/* Creates a layer of a class by name and appends it. When the model is empty and the config has input_shape,
 * batch_shape or batch_input_shape (Keras 2 keeps them in the first layer), or `build_shape` is not NULL, the
 * InputLayer is made from it. A failure leaves the model as it was. */
convoy_status model_append_config(convoy_model *model, const char *class_name, const json_t *config,
                                  const json_t *build_shape, convoy_error *err);

/* Appends a use of a layer: `use` gives the layer, which this takes ownership of also on failure, what it reads, the scope, and the
 * first use (-1: this one). It becomes the tip. */
convoy_status model_append_node(convoy_model *model, const model_node *use, convoy_error *err);
/* Is the name free for a layer, or inner model, of a scope? */
convoy_status model_check_name(const convoy_model *model, int scope, const char *wanted, convoy_error *err);
/* Uses an inner model once more: all its nodes again, with the weights of the first. *scope is the new one. */
convoy_status model_repeat_scope(convoy_model *model, int first, int outer, const int *sources, int source_count,
                                 int *scope, convoy_error *err);
/* Appends a scope; its lists belong to the model afterwards. */
convoy_status model_add_scope(convoy_model *model, const model_scope *scope, convoy_error *err);

/* Removes the nodes and scopes from these on. */
void model_truncate(convoy_model *model, size_t node_count, size_t scope_count);

/* The built-in model of this name, which may have options in brackets. */
convoy_status builtin_model(const char *name, convoy_model **out, convoy_error *err);
/* Is there one of this name, without brackets? */
bool builtin_has(const char *name);

#endif
