/* Constraints of parameters, applied after the optimizer's update. */
#ifndef CONSTRAIN_H
#define CONSTRAIN_H

#include "plan/plan.h"

/* Appends a launch for each trained parameter that has a constraint; none of them does anything once the int *bad is set. */
convoy_status constrain_add(convoy_context *ctx, const convoy_model *model, plan *p, const rt_buffer *bad,
                            convoy_error *err);

#endif
