/* A layer is one descriptor. Its state is private to its .c file; nothing elsewhere switches on a layer's class. */
#ifndef LAYER_H
#define LAYER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/shape.h"
#include "base/text.h"
#include "convoy/model.h"
#include "ops/conv2d/conv2d.h"
#include "words/option.h"
#include "words/param.h"

#define LAYER_MAX_INPUTS 8
#define LAYER_MAX_PARAMS 4

typedef struct layer layer;
struct onnx_graph;

/* ---- what a launch needs to know ---- */

/* What its passes take, in batches of one size on one device: worked out once, and kept beside the buffers. */
typedef struct layer_needs {
    size_t forward_scratch, backward_scratch, filter_scratch; /* floats */
    bool keeps_scratch;      /* that of forward follows from the parameters alone, and may be kept: layer_io.weights_stay */
    conv_kernels kernels[2]; /* of the convolutions that it is made of */
} layer_needs;

/* Device buffers of one layer in one plan; NULL where the layer said it needs none. Gradients of inputs that nobody needs
 * are NULL too. Each tensor is (batch, shape...) float32, row-major. */
typedef struct layer_io {
    convoy_context *ctx;
    int batch;                             /* the largest; launches must follow RT_BATCH */
    bool training;                         /* forward of a training plan: Keras's training=True */
    bool weights_stay;                     /* parameters, and scratch that keeps_scratch speaks of, last from play to play */
    layer_needs *needs;                    /* what layer_find_needs found; its kernels may change */
    const rt_buffer *input[LAYER_MAX_INPUTS];
    const rt_buffer *output;
    const rt_buffer *saved;                /* written by forward, kept until backward */
    const rt_buffer *scratch;              /* of forward or backward: gone after it */
    const rt_buffer *filter_scratch;       /* of backward, besides: of what gives the gradient of the weights */
    const rt_buffer *param[LAYER_MAX_PARAMS];
    const rt_buffer *d_input[LAYER_MAX_INPUTS]; /* backward writes these */
    const rt_buffer *d_output;             /* backward may overwrite it */
    const rt_buffer *d_param[LAYER_MAX_PARAMS];
    const rt_buffer *zeros;                /* at least zeros_needed floats, all 0: what padding reads */
    uint64_t seed;                         /* of random numbers, and the layer's own stream of them */
    uint32_t stream;
    const rt_buffer *bad;                  /* update only: an int; not 0: nothing may change any more */
    /* What follows the output in forward's launches: parts that the layer `takes`, and the activation that it ends in itself. Backward
     * is given the latter only where it is to take the slope of that, and a pool where d_output holds only what the windows cover. */
    epilogue end;
    /* What follows d_input[0] in those of backward, of what the layer `d_takes`. A pool: d_input[0] holds only what that covers. */
    epilogue d_end;
} layer_io;

/* The same for the reference, in double on the host. */
typedef struct layer_reference {
    int batch;
    bool training;
    uint64_t seed;
    uint32_t stream, step;              /* step: RT_VAR_UPDATES */
    const double *input[LAYER_MAX_INPUTS];
    double *output;
    const double *param[LAYER_MAX_PARAMS];
    double *d_input[LAYER_MAX_INPUTS];  /* zeroed by the caller */
    const double *d_output;
    double *d_param[LAYER_MAX_PARAMS];  /* zeroed by the caller */
    double *scratch;                    /* three times the output, for backward */
    double *updated[LAYER_MAX_PARAMS];  /* what training makes of parameters that are not trained; a copy of them before */
} layer_reference;

/* A layer as a part of an epilogue. */
typedef struct layer_part {
    epilogue_part part;           /* 0: none. EPILOGUE_ADD: d_output is the gradient of each input, which has its shape */
    const struct activation *act; /* EPILOGUE_ACTIVATION: the layer is this one and nothing else; its slope follows from the output */
    epilogue_pool pool;           /* EPILOGUE_POOL: the windows whose maximum it takes, whole ones inside the image */
} layer_part;

/* A configuration that tests and `convoy check` try. */
typedef struct layer_sample {
    const char *options; /* as for convoy_model_add */
    convoy_shape input;
} layer_sample;

typedef struct layer_class {
    const char *name;   /* as Keras spells it: "Conv2D" */
    const char *snake;  /* Keras's snake case: "conv2d": default names and the group in .weights.h5 */
    const char *module; /* NULL: "keras.layers" */
    size_t state_size;
    const option *options;        /* ends with a row whose name is NULL */
    bool alias;                   /* the output is the input's memory, reshaped: no launches */
    bool alias_in_inference;      /* the same outside of training plans */
    bool trains_apart;            /* inference has launches, others than training */
    bool keeps_range;             /* what it gives is of the range of what it reads: it moves, picks or varies values */
    bool merges;                  /* reads a list of one or more tensors; others read one, InputLayer none */
    const layer_sample *samples;  /* ends with options == NULL */
    const convoy_shape (*more_inputs)[LAYER_MAX_INPUTS - 1]; /* of each sample, behind the first: rank 0 ends them; or NULL */

    /* From options and input shapes: output shape, parameters, saved and scratch sizes. Message without the layer's name. */
    convoy_status (*build)(layer *l, convoy_error *err);
    /* How the output's size along `axis` (0: rows of an image) follows from the input, the numbers put in: "(32 - 3) / 1 + 1".
     * Made of whole numbers, + - * /, brackets, ceil(), floor() and max(,). Nothing for an axis that is not computed.
     * NULL: none is. */
    void (*formula)(const layer *l, int axis, text *out);
    /* Does it take values of 0 to 255, as bytes of images are, and bring them into a range that a network computes with?
     * `weights` as in model_node. NULL: no. */
    bool (*takes_bytes)(const layer *l, float *const *weights);
    /* Append launches. */
    convoy_status (*forward)(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);
    convoy_status (*backward)(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);
    /* Of *out, which is all zero, what is not. `pool`: forward pools its own output by it; or NULL. NULL: it needs nothing. */
    void (*needs)(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out);
    /* What the layer can be of the epilogue of whoever makes its input. NULL: nothing. */
    layer_part (*part)(const layer *l);
    /* Can forward pool its own output with these kernels? NULL: no. */
    bool (*pools)(const layer *l, const layer_needs *needs, int batch, const epilogue_pool *pool);
    /* Writes what training changes besides the trained parameters, from `saved`, once the loss is known. May be NULL. */
    convoy_status (*update)(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);
    /* Plain loops in double: the specification. */
    void (*reference_forward)(const layer *l, const layer_reference *r);
    void (*reference_backward)(const layer *l, const layer_reference *r);
    /* Length of the longest sum behind one output or gradient value: what tolerances follow. NULL: 1. */
    size_t (*reduction)(const layer *l, int batch);
    /* What the layer is in ONNX, outside of training: nodes, by layers/onnx.h. NULL: aliases need none; a model with any other such
     * layer can't be exported. */
    convoy_status (*onnx)(const layer *l, struct onnx_graph *g, convoy_error *err);
} layer_class;

struct layer {
    const layer_class *class;
    char name[128];
    bool trainable;
    void *state;  /* class->state_size bytes, filled from the options */

    int input_count;
    convoy_shape input[LAYER_MAX_INPUTS];
    /* set by build */
    convoy_shape output;
    int param_count;
    layer_param param[LAYER_MAX_PARAMS];
    bool backward_reads_input, backward_reads_output;
    int takes, d_takes;                         /* epilogue_parts: of forward, behind the output; of backward, behind d_input[0] */
    const struct activation *activation;        /* what the layer ends in: forward applies it where layer_io.end has it; or NULL */
    bool keeps_d_output;                        /* backward doesn't overwrite it */
    const struct activation *last_activation;   /* what the output comes out of, linear too; NULL: something else */
    bool is_only_activation;                    /* the layer is that and nothing else */
    size_t saved_per_image;                     /* floats */
    size_t saved_by_training;                   /* floats in all, besides; only training has them */
    size_t zeros_needed;                        /* floats */
};

/* ---- the registry (layers.def) ---- */

const layer_class *layer_class_find(const char *name);              /* NULL when unknown */
const layer_class *layer_class_at(size_t i);                        /* NULL past the end */
/* All class names, comma-separated: "what is known". */
void layer_class_names(char *out, size_t size);

/* ---- one layer's life ---- */

/* From a Keras config object (borrowed): unknown or bad options are refused by name. `name` is taken from the config when
 * there, else left empty. */
convoy_status layer_create(const layer_class *class, const json_t *config, layer **out, convoy_error *err);
void layer_destroy(layer *l);
/* Fixes the input shapes and calls build. Errors name the layer and the shapes. */
convoy_status layer_connect(layer *l, const convoy_shape *inputs, int count, convoy_error *err);
/* The config as Keras's keys, name included; a new reference, NULL when out of memory. */
json_t *layer_config(const layer *l);

/* What the class's `part` and `needs` say. */
layer_part layer_find_part(const layer *l);
layer_needs layer_find_needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool);

/* For build: the input must be (height, width, channels). */
convoy_status layer_takes_images(const layer *l, convoy_error *err);
/* For build: declares a parameter. */
void layer_add_param(layer *l, const char *name, convoy_shape shape, initializer init, int fan_in, int fan_out);
/* For build: the regularizer and the constraint of the parameter that was declared last. */
void layer_add_rules(layer *l, const param_rules *rules);
/* For build: the axes must be the last ones of the input, without the batch; *first is the leftmost, 0 being the first of an
 * image. */
convoy_status layer_last_axes(const layer *l, const option_axes *axes, int *first, convoy_error *err);

/* The inputs of one of a class's samples; returns how many. */
int layer_sample_inputs(const layer_class *class, const layer_sample *sample, convoy_shape out[LAYER_MAX_INPUTS]);

#endif
