/* A model's inside: layers and the edges between them, weights on the host. */
#ifndef MODEL_H
#define MODEL_H

#include <jansson.h>

#include "convoy/model.h"
#include "layers/layer.h"

/* A layer in the graph. Sequential models are a chain: node i reads node i-1. */
typedef struct model_node {
    layer *layer;
    int input_count;
    int input[LAYER_MAX_INPUTS];          /* indices of earlier nodes */
    float *weights[LAYER_MAX_PARAMS];     /* host, layer->param[i].count floats each, owned */
} model_node;

struct convoy_model {
    char name[128];
    model_node *nodes;
    size_t node_count;
    /* The optimizer's state as a file or a training run left it; kind "" when there is none. Slots follow the order of the
     * trainable parameters: slot s of parameter p is optimizer_slots[s] at the parameter's offset in that order. */
    char optimizer[32];        /* "adam", "sgd" */
    double learning_rate, momentum;
    uint64_t optimizer_steps;
    int optimizer_slot_count;  /* adam: m, v; sgd with momentum: 1 */
    float *optimizer_slots[4]; /* trainable parameter count floats each, owned */
    bool compiled;             /* has an optimizer to write into compile_config */
    bool from_probabilities;
    char **class_names; /* owned */
    size_t class_count; /* 0: no names */
};

/* Appends a layer that reads the last node; takes ownership of the layer also on failure. Gives it Keras's default name
 * (conv2d, conv2d_1, ...) when it has none. */
convoy_status model_append(convoy_model *model, layer *l, convoy_error *err);

/* Number of trainable parameters (floats). */
size_t model_trainable_count(const convoy_model *model);

/* JSON: a parsed Keras Sequential config -> model; model -> config object (new reference). */
convoy_status model_from_config(const json_t *config, convoy_model **out, convoy_error *err);
convoy_status model_to_config(const convoy_model *model, json_t **out, convoy_error *err);

/* .keras files, given as memory or path. */
convoy_status keras_file_load(const char *path, convoy_model **out, convoy_error *err);
convoy_status keras_file_save(const convoy_model *model, const char *path, convoy_error *err);

/* "cifar10": appends its layers; NULL-terminated names for messages. */
const char *const *builtin_model_names(void);
convoy_status builtin_model(const char *name, convoy_model **out, convoy_error *err);

#endif
