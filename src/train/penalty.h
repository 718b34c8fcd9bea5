/* Regularizers: what they add to the loss of a step, and to the gradients. */
#ifndef PENALTY_H
#define PENALTY_H

#include "plan/plan.h"

typedef struct penalty penalty;

/* *out is NULL when no trained parameter has a regularizer; the other calls then do nothing. Model and plan must outlive it. */
convoy_status penalty_create(convoy_context *ctx, const convoy_model *model, plan *p, penalty **out, convoy_error *err);
void penalty_destroy(penalty *t);

/* One float, the sum of all penalties; NULL: none. */
const rt_buffer *penalty_value(const penalty *t);
/* Appends the launches that write it, from the parameters as they are. */
convoy_status penalty_add(const penalty *t, convoy_error *err);
/* Appends the launches that add its gradient to the plan's, after the backward pass has written those. */
convoy_status penalty_add_gradient(const penalty *t, convoy_error *err);

#endif
