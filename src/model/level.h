/* One level of a model as Keras sees it: the layers of one scope, a model inside it as one layer, each with its uses. The order of
 * the layers is Keras's own (map_graph in keras/src/ops/function.py): files, weights and tables follow it. */
#ifndef LEVEL_H
#define LEVEL_H

#include "model/model.h"

/* A tensor: what a use gives; an inner model may give several. */
typedef struct level_ref {
    size_t use, tensor;
} level_ref;

/* One use of an item. */
typedef struct level_use {
    size_t item, index; /* index: among the item's uses, from 0 */
    int at;             /* a node; of an inner model: a scope */
    level_ref *inputs;
    size_t input_count;
    size_t depth;       /* the longest way to an output, as Keras counts it */
} level_use;

/* A layer, or a model inside the model. */
typedef struct level_item {
    bool is_scope;
    int at;          /* the node, or scope, of its first use */
    const char *name;
    size_t depth;
    long found;      /* when an output leads to it; -1: none does */
} level_item;

typedef struct level {
    const convoy_model *model;
    int scope;
    level_use *uses;   /* those of one item in the order of their index */
    level_item *items;
    size_t *order;     /* of the items, Keras's */
    size_t use_count, item_count;
    level_ref *inputs, *outputs; /* of the scope */
    size_t input_count, output_count;
    level_ref *refs;   /* memory of the uses' inputs */
} level;

/* The level of a scope that is a model's first use. Release it with level_destroy. */
convoy_status level_create(const convoy_model *model, int scope, level *out, convoy_error *err);
void level_destroy(level *l);

/* No branches, and no layer used twice: Keras's summary then shows no connections. */
bool level_is_chain(const level *l);

/* Calls `visit` for every layer, those of inner models where these stand, in Keras's order: the order of a model's weights. `path`
 * is the layer's place in a .keras file: "layers/functional/layers/conv2d_1"; an inner model has one too, its node is SIZE_MAX.
 * A Sequential's InputLayer is left out, as Keras does. */
typedef convoy_status level_visit(void *user, size_t node, const char *name, const char *path, convoy_error *err);
convoy_status level_walk(const convoy_model *model, level_visit *visit, void *user, convoy_error *err);

/* The nodes that level_walk visits, in its order (of the model, scope 0, or of a model inside it); the caller frees *out. */
convoy_status level_order(const convoy_model *model, int scope, size_t **out, size_t *count, convoy_error *err);

/* A weight's name with its way through the models inside the model: "INNER/LAYER/kernel". */
#define LEVEL_WEIGHT_PATH 1024
convoy_status level_weight_path(const convoy_model *model, const model_node *node, int param, char out[LEVEL_WEIGHT_PATH],
                                convoy_error *err);

#endif
