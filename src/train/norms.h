/* Norms of the variables in a flat buffer, on the device, in a fixed order of sums. */
#ifndef NORMS_H
#define NORMS_H

#include "plan/plan.h"

typedef struct norms norms;

/* For the trainable parameters of a plan. */
convoy_status norms_create(convoy_context *ctx, const plan *p, norms **out, convoy_error *err);
void norms_destroy(norms *n);

/* A buffer for the norms: one float for each variable. */
convoy_status norms_create_result(const norms *n, rt_buffer **out, convoy_error *err);

/* Appends the launches: the norm of each variable of `flat`, or, with `all`, one of all variables, in out[0]. */
convoy_status norms_add(const norms *n, rt_list *list, const rt_buffer *flat, const rt_buffer *out, bool all,
                        convoy_error *err);

/* Says to which variable each `norms_block` floats of the flat buffer belong (int). */
const rt_buffer *norms_owner(const norms *n);
size_t norms_block(const norms *n);

#endif
