/* Optimizers: one launch over the flat parameters. A row each; a new one is a row and a kernel. */
#ifndef OPTIMIZER_H
#define OPTIMIZER_H

#include "model/plan.h"

typedef struct optimizer optimizer;

typedef struct optimizer_options {
    const char *name;      /* NULL: "adam" */
    double learning_rate;  /* 0: Keras's default */
    double momentum;       /* sgd */
} optimizer_options;

/* Takes up the state that the model carries when it is of the same kind; else starts anew. */
convoy_status optimizer_create(convoy_context *ctx, const convoy_model *model, plan *p, const optimizer_options *options,
                               optimizer **out, convoy_error *err);
void optimizer_destroy(optimizer *o);
convoy_status optimizer_add(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err);

/* Before each step: counts it and sets its step size. */
void optimizer_begin(optimizer *o, rt_list *list);
uint64_t optimizer_steps(const optimizer *o);
size_t optimizer_bytes(const optimizer *o); /* of its slots on the device */

/* Leaves kind, step count and slots in the model. Waits for the device. */
convoy_status optimizer_download(optimizer *o, plan *p, convoy_model *model, convoy_error *err);

#endif
