/* Inside of a plan, shared by plan.c, plan_memory.c and plan_weights.c. */
#ifndef PLAN_INSIDE_H
#define PLAN_INSIDE_H

#include "model/arena.h"
#include "model/plan.h"
#include "ops/conv2d.h"

/* The tensors of a node, as indices into plan->tensors. T_D_INPUT + k: the gradient of input k, where it is added to what other
 * readers of the same tensor have written; T_D_PARAM + k: the same for a parameter that several nodes share. */
enum {
    T_OUTPUT,
    T_D_OUTPUT,
    T_SAVED,
    T_FORWARD_SCRATCH,
    T_BACKWARD_SCRATCH,
    T_D_INPUT,
    T_D_PARAM = T_D_INPUT + LAYER_MAX_INPUTS,
    T_KINDS = T_D_PARAM + LAYER_MAX_PARAMS
};

typedef struct plan_node {
    const model_node *node;
    size_t root;          /* the node whose memory holds the output (itself, unless this one is an alias) */
    bool needs_gradient;  /* it, or something before it, has trainable parameters */
    bool backward;        /* its backward pass is run: the gradient is needed, and the loss depends on it */
    bool adds_input[LAYER_MAX_INPUTS]; /* another reader writes this input's gradient before */
    bool adds_params;     /* another use of the layer writes the parameters' gradients before */
    /* Of a root: who reads its memory, aliases left out. */
    size_t reader_count, reader; /* inputs of nodes; the node, where there is one */
    bool is_output;              /* of the model */
    bool pools_for_reader;       /* inference: its forward pass does its only reader's pooling too, `pool`, ... */
    bool is_pooled;              /* ... which then has no launches */
    conv_pool pool;
    bool is_written;             /* somebody's backward pass, or the loss, writes its gradient */
    size_t first, last;   /* forward launches */
    /* Of a layer's first use; later ones look there. */
    size_t param_offset[LAYER_MAX_PARAMS]; /* bytes in the flat buffers */
    rt_buffer *param[LAYER_MAX_PARAMS], *d_param[LAYER_MAX_PARAMS];
    rt_buffer *tensor[T_KINDS];
} plan_node;

struct plan {
    convoy_context *ctx;
    const convoy_model *model;
    plan_options options;
    size_t count;
    plan_node *nodes;
    arena_tensor *tensors; /* T_KINDS a node */
    rt_list *list;
    rt_buffer *parameters, *gradients, *arena, *zeros; /* NULL where shared */
    size_t parameter_bytes, trainable_bytes, least_bytes, own_bytes, zeros_floats;
};

static inline size_t plan_round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* The node that holds the parameters of node i: the layer's first use. */
static inline const plan_node *plan_owner(const plan *p, size_t i)
{
    return &p->nodes[p->nodes[i].node->first];
}

/* The node's output is its input's memory. */
bool plan_is_alias(const plan *p, const model_node *node);
/* plan_weights.c: the flat buffers and each parameter's slice of them. */
convoy_status plan_create_parameters(plan *p, convoy_error *err);
/* plan_memory.c: every other tensor, placed by lifetime in one arena. */
convoy_status plan_create_arena(plan *p, convoy_error *err);

#endif
