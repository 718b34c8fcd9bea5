/* Inside of a plan, shared by its files. */
#ifndef PLAN_INSIDE_H
#define PLAN_INSIDE_H

#include "plan/arena.h"
#include "plan/plan.h"

/* The tensors of a node, as indices into plan->tensors. T_D_INPUT + k: the gradient of input k, where it is added to what other
 * readers of the same tensor have written; T_D_PARAM + k: the same for a parameter that several nodes share. */
enum {
    T_OUTPUT,
    T_D_OUTPUT,
    T_SAVED,
    T_FORWARD_SCRATCH,
    T_BACKWARD_SCRATCH,
    T_FILTER_SCRATCH,
    T_D_INPUT,
    T_D_PARAM = T_D_INPUT + LAYER_MAX_INPUTS,
    T_KINDS = T_D_PARAM + LAYER_MAX_PARAMS
};

/* How a backward pass leaves the gradient of one input. */
typedef enum gradient_way {
    GRADIENT_NONE,   /* not at all: nobody needs it, or there is nothing to be done for it */
    GRADIENT_WHOLE,  /* written where it belongs */
    GRADIENT_ADDED,  /* written to T_D_INPUT + k, then added to what other readers have written */
    GRADIENT_HELD,   /* written to T_D_INPUT + k, for the other reader, which sums ... */
    GRADIENT_SUMMED, /* ... and this is that reader: written where it belongs, with what the other one left added */
    GRADIENT_PASSED  /* the gradient of the output is it: nothing is written */
} gradient_way;

typedef struct plan_node {
    const model_node *node;
    size_t root;          /* the node whose memory holds the output (itself, unless this one is an alias or a joined sum or activation) */
    size_t uses;          /* inputs of nodes, and outputs of the model, that are this node's output */
    bool is_alias;        /* no launches, forward or backward, but for the slope where it is a joined activation */
    epilogue_part joined; /* what it is of the epilogue behind one of its inputs: that one's launches do its forward pass; 0: nothing */
    layer_needs needs;    /* with the kernels that were chosen */
    bool needs_gradient;  /* it, or something before it, has trainable parameters */
    bool backward;        /* its backward pass is run: the gradient is needed, and the loss depends on it */
    gradient_way way[LAYER_MAX_INPUTS];
    bool adds_params;     /* another use of the layer writes the parameters' gradients before */
    /* Of a root: what follows its operation. The tensors are still nodes: */
    epilogue end;                /* its own activation, or that of a joined node; `pool` */
    int parts;                   /* epilogue_parts */
    size_t addend, act, pooler;  /* the node whose output is added, those (itself, maybe) whose activation and pooling it does */
    epilogue_pool pool;
    bool is_output;              /* of the model */
    /* Of a root: its gradient. */
    bool is_written;             /* somebody's backward pass, or the loss, writes it */
    size_t writer_count, first_writer, last_writer; /* backward passes: inputs of nodes; the nodes */
    size_t gradient, held;       /* tensors: the whole of it; what the first of two writers left for the second */
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

static inline rt_buffer *plan_tensor(const plan *p, size_t tensor) { return p->nodes[tensor / T_KINDS].tensor[tensor % T_KINDS]; }

/* The node that holds the parameters of node i: the layer's first use. */
static inline const plan_node *plan_owner(const plan *p, size_t i)
{
    return &p->nodes[p->nodes[i].node->first];
}

/* plan_link.c: who reads whom, and what runs as part of something else. */
convoy_status plan_link(plan *p, convoy_error *err);
/* plan_gradients.c: which backward passes are run, and how each gradient comes about. */
void plan_link_gradients(plan *p);
/* The activation that node i's backward pass takes the slope of on behalf of whoever made its input, or NULL. */
const activation *plan_input_slope(const plan *p, size_t i);
/* Does a reader of this root's output take the slope of the root's activation? */
bool plan_slope_is_taken(const plan *p, size_t root);
/* plan_weights.c: the flat buffers and each parameter's slice of them. */
convoy_status plan_create_parameters(plan *p, convoy_error *err);
/* plan_memory.c: every other tensor, placed by lifetime in one arena. */
convoy_status plan_create_arena(plan *p, convoy_error *err);

#endif
