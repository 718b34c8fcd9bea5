/* Optimizers: one launch over the flat parameters (lamb, and clipping by norms, take a few more). */
#ifndef OPTIMIZER_H
#define OPTIMIZER_H

#include "plan/plan.h"

typedef struct optimizer optimizer;

typedef struct optimizer_options {
    const char *name;      /* "adam", "adamw(weight_decay=0.01)"; NULL: the model's own, adam where it has none */
    double learning_rate;  /* 0: what name says, else the model's own, else Keras's default */
    double momentum;       /* 0: what name says; refused by optimizers without one */
    const char *schedule;  /* instead of the rate: "CosineDecay(...)"; NULL: none of its own */
} optimizer_options;

/* Could an optimizer be made of this? Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status optimizer_check(const optimizer_options *options, convoy_error *err);

/* What will be made of it, as Keras serialises it: {class_name, config}, a new reference. A schedule that Keras does not have
 * stands in the config like its own. */
convoy_status optimizer_describe(const convoy_model *model, const optimizer_options *options, json_t **out,
                                 convoy_error *err);

/* Takes up the state that the model carries when it is of the same kind; else starts anew. */
convoy_status optimizer_create(convoy_context *ctx, const convoy_model *model, plan *p, const optimizer_options *options,
                               optimizer **out, convoy_error *err);
void optimizer_destroy(optimizer *o);

/* Appends the launches [optimizer_first, optimizer_last) to the plan's list. Where gradients accumulate or weights are averaged, not
 * each step plays all of them. */
convoy_status optimizer_add(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err);
size_t optimizer_first(const optimizer *o);
size_t optimizer_last(const optimizer *o);
bool optimizer_plays_all(const optimizer *o); /* in each step */

/* Before each step: counts it, sets its numbers, decides on its launches; optimizer_play plays these, behind all launches that
 * come before optimizer_first. */
convoy_status optimizer_begin(optimizer *o, rt_list *list, convoy_error *err);
convoy_status optimizer_play(const optimizer *o, rt_list *list, convoy_error *err);
/* After the last step: with use_ema the averages become the weights, as Keras's fit has it. */
convoy_status optimizer_finish(const optimizer *o, rt_list *list, convoy_error *err);
uint64_t optimizer_steps(const optimizer *o);
size_t optimizer_bytes(const optimizer *o); /* of its slots on the device */

/* The rate of the next step. Setting it where a schedule decides is CONVOY_ERROR_ARGUMENT. */
double optimizer_rate(const optimizer *o);
convoy_status optimizer_set_rate(optimizer *o, double rate, convoy_error *err);

/* Leaves kind, settings, step count and slots in the model. Waits for the device. */
convoy_status optimizer_download(optimizer *o, plan *p, convoy_model *model, convoy_error *err);

#endif
