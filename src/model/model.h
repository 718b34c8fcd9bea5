/* A model's inside: layers and the edges between them, weights on the host. */
#ifndef MODEL_H
#define MODEL_H

#include <jansson.h>

#include "convoy/model.h"
#include "layers/layer.h"
#include "words/loss_config.h"
#include "words/metric_config.h"
#include "words/optimizer_config.h"

/* A use of a layer. Nodes stand in an order in which they can be run. A layer used twice has a node for each use: `layer` is each
 * node's own, since the shapes may differ; the weights are those of the first. */
typedef struct model_node {
    layer *layer;
    int input_count;
    int input[LAYER_MAX_INPUTS];          /* indices of earlier nodes */
    float *weights[LAYER_MAX_PARAMS];     /* host, layer->param[i].count floats each; owned by the layer's first use */
    int first;   /* the node of the layer's first use: this one, or an earlier one */
    int scope;   /* index of the scope that it belongs to */
    int readers; /* inputs of other nodes that read it */
} model_node;

/* A use of a model: the model itself (scope 0), or a model inside it that is called like a layer. The nodes of both stand in one
 * list; an InputLayer of an inner model is a node whose input is what the model is called with, and hands it through. */
typedef struct model_scope {
    char name[128];   /* of scope 0: the model's own is convoy_model.name */
    bool functional;  /* Keras's class: Functional, or else Sequential */
    int outer;        /* the scope that it is called in; -1: none */
    int first;        /* the scope of the inner model's first use: this one, or an earlier one with the same layers */
    int *inputs, *outputs; /* nodes, owned */
    int input_count, output_count; /* of scope 0: 0 until they are set; see model_output_count */
} model_scope;

struct convoy_model {
    char name[128];
    model_node *nodes;
    size_t node_count;
    model_scope *scopes;
    size_t scope_count;
    int tip;  /* the node that the next layer of a chain reads; -1: none */
    /* The optimizer's state as a file or a training run left it; kind "" when there is none. Slots follow the order of the
     * trainable parameters: slot s of parameter p is optimizer_slots[s] at the parameter's offset in that order. */
    char optimizer[32];        /* name of an optimizer_class: "adam" */
    optimizer_settings optimizer_settings;
    uint64_t optimizer_steps;
    int optimizer_slot_count;  /* adam: m, v; sgd with momentum: 1; optimizer_layout_of says which */
    float *optimizer_slots[OPTIMIZER_MAX_SLOTS]; /* trainable parameter count floats each, owned */
    char optimizer_refused[512]; /* why the file's optimizer is not that, for those who want to train with it; "": no reason */
    char optimizer_left_out[512]; /* why the state that a file has of it is not here; "": no reason */
    float optimizer_scalar;    /* of layouts with one: nadam's product of momenta */
    bool has_weights;          /* a file's, initial ones or trained ones: not the zeros of a model that was only described */
    bool compiled;             /* has an optimizer to write into compile_config */
    loss_settings loss;        /* as it was compiled, or trained last; class NULL: not known */
    metric_list metrics;       /* count 0: none were chosen */
    json_t *compile_kept;      /* what a file's compile_config says that Convoy has no counterpart for, as it stands there, by Keras's
                                * keys: it is written again; owned, NULL: nothing */
    char loss_refused[512], metrics_refused[512]; /* why, for those who want to use them; "": no reason */
    const char *builtin; /* the name of the built-in model that this is; NULL: none. For messages only: not saved */
    /* How far the run that trained it had come, for training to go on (train/record.h); NULL: nothing is known. And sets of all
     * weights that the run keeps beside the model's own, one after another; owned. */
    json_t *training;
    float *kept_weights;
    size_t kept_count;
    char **class_names; /* owned */
    size_t class_count; /* 0: no names */
};

/* Appends a layer that reads the last node; takes ownership of the layer also on failure. Gives it Keras's default name
 * (conv2d, conv2d_1, ...) when it has none. */
convoy_status model_append(convoy_model *model, layer *l, convoy_error *err);

/* Is node i its layer's first use? What has to do with weights goes over these. */
static inline bool model_is_first(const convoy_model *model, size_t i)
{
    return model->nodes[i].first == (int)i;
}

/* The nodes that take the model's inputs and give its outputs: as set, else the InputLayers, and the last layer of a chain or the
 * nodes of a graph that nobody reads. */
size_t model_input_count(const convoy_model *model);
size_t model_input_node(const convoy_model *model, size_t k);
size_t model_output_count(const convoy_model *model);
size_t model_output_node(const convoy_model *model, size_t k);

/* The activation that the model's first output comes out of, linear too; NULL: something else. *node is the node that applies it: the
 * output's, or, outside of training, one whose output layers like Dropout hand on. */
const struct activation *model_ending(const convoy_model *model, bool training, size_t *node);

/* The loss that training takes where nothing says which: BinaryCrossentropy of a model that ends in sigmoids, else
 * SparseCategoricalCrossentropy, from logits unless the model ends in a softmax. */
loss_settings model_default_loss(const convoy_model *model);

/* The node of the first use of layer `layer`, as convoy_model_layer_name counts them; node_count past the last. */
size_t model_layer_node(const convoy_model *model, size_t layer);

/* Number of trainable parameters (floats). */
size_t model_trainable_count(const convoy_model *model);
/* Where those of a node that is a first use begin among them, in the order of the nodes. */
size_t model_packed_offset(const convoy_model *model, size_t node);

/* The state of the model's optimizer as it is before the first step; what there was is freed. */
convoy_status model_begin_optimizer(convoy_model *model, convoy_error *err);
/* Begins it because the file's state can't be gone on with: `why` is kept for who trains. Lack of memory is handed on instead. */
convoy_status model_leave_state_out(convoy_model *model, convoy_status status, const convoy_error *why, convoy_error *err);

/* Frees the model's training and kept_weights. */
void model_forget_training(convoy_model *model);
/* Makes room for `more` sets of kept weights; the first of them is *out. */
convoy_status model_keep_weights(convoy_model *model, size_t more, float **out, convoy_error *err);
/* Copies all weights of the model, one after another, to `row`; or back. */
void model_copy_weights(const convoy_model *model, float *row, bool back);
/* What the model was trained with takes the place of what its file had. */
void model_set_objective(convoy_model *model, const loss_settings *loss, const metric_list *metrics);
/* Forgets what is kept of a compile_config under the key. */
void model_drop_kept(convoy_model *model, const char *key);

/* JSON: a parsed Keras Sequential config -> model; model -> config object (new reference). */
convoy_status model_from_config(const json_t *config, convoy_model **out, convoy_error *err);
convoy_status model_to_config(const convoy_model *model, json_t **out, convoy_error *err);

/* What would make a built-in model take images of this shape and give so many classes, "lenet5(input_shape=(28, 28, 1),
 * classes=10)"; NULL where the model is not one. */
const char *builtin_that_fits(const convoy_model *model, const convoy_shape *images, int classes, char *out, size_t size);

#endif
