/* What layers are in ONNX (onnx.ai): a class's `onnx` builds the nodes of one use of a layer with the functions here.
 *
 * Operator set 17 in IR version 8, what runtimes since the middle of 2022 read: the first set with LayerNormalization. (What 18
 * added, GroupNormalization, scaled groups and not channels, and was withdrawn.)
 *
 * A model's images are (N, H, W, C); ONNX's operators for images take (N, C, H, W). A tensor of rank 3 is there in the one layout,
 * in the other, or in both: where a layer asks for the one that is not there, a Transpose makes it, once a tensor. Tensors of other
 * ranks have one layout, ONNX_LAST.
 *
 * A call that fails gives 0; that it did is remembered, and onnx_result reports it. */
#ifndef LAYERS_ONNX_H
#define LAYERS_ONNX_H

#include "layers/layer.h"
#include "ops/activation.h"

typedef struct onnx_graph onnx_graph;

/* A tensor of the ONNX graph; 0: none. */
typedef int onnx_value;
#define ONNX_ABSENT (-1) /* an optional input that is left out, with others behind it */

/* Where the channels of images are. */
typedef enum onnx_layout { ONNX_LAST, ONNX_FIRST } onnx_layout;

/* ---- nodes ---- */

#define ONNX_MOST_ATTRIBUTES 8
#define ONNX_MOST_INTS 8

/* Numbered as in onnx.proto, AttributeProto.AttributeType. */
typedef enum onnx_kind { ONNX_KIND_FLOAT = 1, ONNX_KIND_INT = 2, ONNX_KIND_TEXT = 3, ONNX_KIND_INTS = 7 } onnx_kind;

typedef struct onnx_attribute {
    const char *name;      /* NULL ends a list of them */
    onnx_kind kind;
    float number;
    const char *text;      /* lives as long as the program */
    int count;             /* of ints */
    int64_t ints[ONNX_MOST_INTS];
} onnx_attribute;

#define ONNX_FLOAT(name_, value_) {.name = (name_), .kind = ONNX_KIND_FLOAT, .number = (float)(value_)}
#define ONNX_INT(name_, value_) {.name = (name_), .kind = ONNX_KIND_INT, .ints = {(value_)}}
#define ONNX_TEXT(name_, value_) {.name = (name_), .kind = ONNX_KIND_TEXT, .text = (value_)}
#define ONNX_INTS(name_, count_, ...) {.name = (name_), .kind = ONNX_KIND_INTS, .count = (count_), .ints = {__VA_ARGS__}}

/* An operator with one output. */
typedef struct onnx_node {
    const char *op;
    onnx_value input[LAYER_MAX_INPUTS];             /* up to the first 0 */
    onnx_attribute attribute[ONNX_MOST_ATTRIBUTES]; /* up to the first without a name */
} onnx_node;

/* Appends a node and gives its output. */
onnx_value onnx_add(onnx_graph *g, const onnx_node *node);
/* The same for operators of one or two inputs without attributes. */
onnx_value onnx_unary(onnx_graph *g, const char *op, onnx_value x);
onnx_value onnx_binary(onnx_graph *g, const char *op, onnx_value x, onnx_value y);

/* To (N, shape). */
onnx_value onnx_reshape(onnx_graph *g, onnx_value x, const convoy_shape *shape);
/* Axis i of the result is axis order[i] of x, the batch being axis 0; `rank` is without it. */
onnx_value onnx_transpose(onnx_graph *g, onnx_value x, int rank, const int *order);
/* x held between two numbers. */
onnx_value onnx_clip(onnx_graph *g, onnx_value x, double least, double most);
/* activation(x): x itself for linear. x has the output's rank. */
onnx_value onnx_activate(onnx_graph *g, const activation *act, onnx_value x, onnx_layout layout);

/* Remembers that there is no form of this: "activation 'x' has no form in ONNX yet". Gives 0. */
onnx_value onnx_refuse(onnx_graph *g, const char *what, const char *name);

/* Attributes of a window that moves over images: kernel_shape, strides and pads, and dilations unless NULL. `pad` is what lies above
 * and to the left; sizes are those of the layer's input and output. */
void onnx_set_window(onnx_node *node, const layer *l, const int kernel[2], const int strides[2], const int *dilation,
                     const int pad[2]);
void onnx_set(onnx_node *node, onnx_attribute attribute);

/* ---- what does not depend on the input ---- */

/* The values of a parameter, and the parameter as it is or, with `order`, transposed. Uses of one layer share it. */
const float *onnx_values(const onnx_graph *g, int param);
onnx_value onnx_param(onnx_graph *g, int param, const int *order);
/* What is made of parameters: as onnx_param, with a name of its own, which tells it from the layer's others. */
onnx_value onnx_weight(onnx_graph *g, const char *name, const convoy_shape *shape, const float *values, const int *order);
/* One number everywhere. */
onnx_value onnx_filled(onnx_graph *g, const char *name, const convoy_shape *shape, float value);

onnx_value onnx_scalar(onnx_graph *g, double value);
onnx_value onnx_ints(onnx_graph *g, const char *name, const int64_t *values, int count);

/* ---- what goes in and what comes out ---- */

onnx_value onnx_input(onnx_graph *g, int input, onnx_layout layout);
/* For layers that take either layout: ONNX_FIRST where an input is there in it. */
onnx_layout onnx_given_layout(const onnx_graph *g);
/* ONNX's number of an axis of a shape, whose axes count from 0 without the batch. */
int onnx_axis(const convoy_shape *shape, int axis, onnx_layout layout);
/* The last call of a class's `onnx`: says what the layer gives, which may be an input, and whether all went well. */
convoy_status onnx_result(onnx_graph *g, onnx_value value, onnx_layout layout, convoy_error *err);

/* ---- the whole graph: for the model ---- */

/* One use of a layer. Tensors are numbered by the caller: one for each use. */
typedef struct onnx_use {
    const layer *layer;
    const char *path;          /* names it in the graph: "conv2d", "block/conv2d" */
    const char *weights_path;  /* the path of the layer's first use */
    float *const *weights;
    const int *inputs;         /* tensors of earlier uses */
    int tensor;
} onnx_use;

/* What stands in the file besides the graph. */
typedef struct onnx_about {
    const char *name, *version;        /* of the model, of the library */
    const char *const (*metadata)[2];  /* pairs of key and value, ended by NULL */
} onnx_about;

convoy_status onnx_graph_create(size_t tensors, onnx_graph **out, convoy_error *err);
void onnx_graph_destroy(onnx_graph *g);
/* An input of the graph, in the order of the calls. */
convoy_status onnx_graph_input(onnx_graph *g, int tensor, const char *name, const convoy_shape *shape, convoy_error *err);
/* Errors: CONVOY_ERROR_MODEL names a layer that has no ONNX form. */
convoy_status onnx_graph_add(onnx_graph *g, const onnx_use *use, convoy_error *err);
/* An output, of this name unless it is taken. */
convoy_status onnx_graph_output(onnx_graph *g, int tensor, const char *name, convoy_error *err);
/* The bytes of the file; the caller frees them. */
convoy_status onnx_graph_take(onnx_graph *g, const onnx_about *about, char **out, size_t *size, convoy_error *err);

#endif
