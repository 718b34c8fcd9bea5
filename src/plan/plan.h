/* The plan of a model on a device: every buffer decided once, the launches written down as a list. Branches, layers used twice and
 * models inside the model make no difference to who plays it: the list is straight. A tensor that several nodes read lives until
 * the last of them; its gradient is written by the loss or by the last reader, and the others' are added launch by launch.
 *
 * Who builds a step appends to plan_list in this order: what fills plan_input, plan_add_forward, the loss (reads plan_output,
 * writes plan_d_output), plan_add_backward, the optimizer (reads plan_gradients, writes plan_parameters), plan_add_updates. */
#ifndef PLAN_H
#define PLAN_H

#include "model/model.h"
#include "runtime/runtime.h"

typedef struct plan plan;

typedef struct plan_options {
    int batch;       /* images, at most */
    bool training;   /* gradients too */
    uint64_t seed;   /* of random numbers that layers draw in training */
    bool logits;     /* the model ends in an activation, see model_ending, that is left out: plan_output is what it would be applied to,
                      * plan_d_output the gradient of that */
    bool keep_outputs; /* every node's output stays as it is up to the end of the forward pass; takes more memory */
    plan *share;     /* use this plan's parameters, and its arena if that is large enough; it must live longer. May be NULL */
} plan_options;

/* Errors: CONVOY_ERROR_DEVICE_MEMORY, CONVOY_ERROR_MODEL (no layers; batch too large for the kernels' indices). */
convoy_status plan_create(convoy_context *ctx, const convoy_model *model, const plan_options *options, plan **out,
                          convoy_error *err);
void plan_destroy(plan *p);

rt_list *plan_list(plan *p);
const rt_buffer *plan_input(const plan *p);    /* (batch, input shape) float32 */
const rt_buffer *plan_output(const plan *p);   /* (batch, output shape) */
const rt_buffer *plan_d_output(const plan *p); /* its gradient; NULL when not training */
/* The same for models with several inputs and outputs. Training, each output's gradient must be written. */
const rt_buffer *plan_input_at(const plan *p, size_t k);
const rt_buffer *plan_output_at(const plan *p, size_t k);
const rt_buffer *plan_d_output_at(const plan *p, size_t k);

/* Outside of training, launches that only transform parameters run once: after parameters have changed, or another plan has used the
 * arena that it shares, rt_list_renew makes them run again. */
convoy_status plan_add_forward(plan *p, convoy_error *err);
convoy_status plan_add_backward(plan *p, convoy_error *err);
/* What training changes besides the trained parameters (moving statistics), unless the int *bad is set. */
convoy_status plan_add_updates(plan *p, const rt_buffer *bad, convoy_error *err);

/* The launches of one node's forward pass, [*first, *last) in the list. */
void plan_forward_range(const plan *p, size_t node, size_t *first, size_t *last);
/* A node's output, (batch, shape): valid right after its forward launches; later tensors may take its place, unless the plan keeps
 * outputs. Without that, it is NULL where the next layer's pooling is part of these launches. */
const rt_buffer *plan_node_output(const plan *p, size_t node);
/* The node whose launches write that: itself, or the one before it that does its pooling. */
size_t plan_node_writer(const plan *p, size_t node);

/* Parameter k of a node, and its gradient (NULL when not training): windows of the flat buffers below. */
const rt_buffer *plan_parameter(const plan *p, size_t node, int k);
const rt_buffer *plan_parameter_gradient(const plan *p, size_t node, int k);

/* One flat buffer each, in the model's order, each parameter at an aligned offset; trainable ones come first. The gaps are 0. */
rt_buffer *plan_parameters(plan *p);
rt_buffer *plan_gradients(plan *p);            /* NULL when not training */
size_t plan_trainable_floats(const plan *p);   /* of the flat buffer, gaps included: what the optimizer goes over */

/* The trainable parameters one by one, in that order: where each lies in the flat buffers, in floats. */
typedef struct plan_stretch {
    size_t first, floats; /* the gap behind it not included */
} plan_stretch;
size_t plan_variable_count(const plan *p);
plan_stretch plan_variable(const plan *p, size_t variable);

/* Weights of the model -> device, and back. */
convoy_status plan_upload(plan *p, convoy_error *err);
convoy_status plan_download(plan *p, convoy_model *model, convoy_error *err);
/* The same for one flat buffer laid out like the trainable parameters; `packed` has them one after another, no gaps. */
convoy_status plan_write_packed(const plan *p, rt_buffer *flat, const float *packed, convoy_error *err);
convoy_status plan_read_packed(const plan *p, rt_buffer *flat, float *packed, convoy_error *err);

/* Device memory in bytes: what the plan holds itself, and the least that any plan could do with (live tensors at the fullest
 * moment, and the parameters and gradients). */
size_t plan_bytes(const plan *p);
size_t plan_least_bytes(const plan *p);

#endif
