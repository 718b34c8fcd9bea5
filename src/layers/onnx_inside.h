/* A graph in the making: what onnx.c builds and onnx_write.c writes. */
#ifndef LAYERS_ONNX_INSIDE_H
#define LAYERS_ONNX_INSIDE_H

#include "base/text.h"
#include "layers/onnx.h"

typedef struct onnx_step {
    onnx_node node;
    onnx_value output;
} onnx_step;

/* What a use of a layer gives. */
typedef struct onnx_tensor {
    int root;              /* the tensor that it is: itself, or an earlier one that is handed through */
    char *path;
    convoy_shape shape;
    onnx_value value[2];   /* in each layout; 0: not there */
} onnx_tensor;

/* Inputs or outputs of the graph. */
typedef struct onnx_ends {
    onnx_value *value;
    int *tensor;           /* whose shape it has */
    size_t count;
} onnx_ends;

struct onnx_graph {
    char **names;          /* of value v: names[v - 1]; NULL: not named yet */
    size_t value_count;
    onnx_step *steps;
    size_t step_count;
    onnx_tensor *tensors;
    size_t tensor_count;
    onnx_ends inputs, outputs;
    text initializers;     /* fields of a GraphProto */
    /* while a use is added */
    const onnx_use *use;
    size_t first_step;
    convoy_error failure;  /* status CONVOY_OK: none */
};

static inline const char *onnx_name(const onnx_graph *g, onnx_value value)
{
    return value == ONNX_ABSENT ? "" : g->names[value - 1];
}

/* Is it an input or an output of the graph? */
bool onnx_is_end(const onnx_graph *g, onnx_value value);

/* Appends an initializer: a transpose of `values` when there is an order; of `shape`, or `shape` transposed. */
void onnx_write_floats(onnx_graph *g, const char *name, const convoy_shape *shape, const float *values, const int *order);
void onnx_write_ints(onnx_graph *g, const char *name, const int64_t *values, int count);

#endif
