/* Finds where a loss stopped being finite. */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H

#include "plan/plan.h"

/* Plays the forward pass again, node by node, on the batch whose gather launch is launch 0 of the plan's list, and writes into
 * `out` what is bad first: "layer 'conv2d_1': its kernel holds 3 values that are not finite". */
convoy_status diagnose(plan *p, const convoy_model *model, int batch, char *out, size_t size, convoy_error *err);

#endif
