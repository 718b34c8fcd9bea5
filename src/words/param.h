/* Parameters of layers: their shapes, and Keras's words for what they begin with, what is added to the loss for them, and what holds
 * them within bounds. */
#ifndef PARAM_H
#define PARAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "convoy/model.h"
#include "words/option.h"

typedef struct initializer {
    int kind;        /* row of initializers in initializer.c */
    double args[3];
    uint64_t seed;   /* 0: the model's */
} initializer;

/* A regularizer or a constraint; all zero: none. */
typedef struct param_rule {
    int kind;         /* row of rules in rules.c */
    double args[3];
    option_axes axis; /* of the parameter, the first being 0 */
} param_rule;

typedef struct param_rules {
    param_rule regularizer, constraint;
} param_rules;

/* Two rows: the options NAME_regularizer and NAME_constraint, kept in the member of type param_rules. */
#define OPTION_RULES(name_, state_, member_)                                                                           \
    {.name = name_ "_regularizer", .kind = OPTION_REGULARIZER, .offset = offsetof(state_, member_.regularizer),        \
     .standard = "null"},                                                                                              \
        {.name = name_ "_constraint", .kind = OPTION_CONSTRAINT, .offset = offsetof(state_, member_.constraint),       \
         .standard = "null"}

typedef struct layer_param {
    const char *name; /* "kernel", "bias" */
    convoy_shape shape; /* rank up to 4; row-major */
    size_t count;
    initializer init;
    int fan_in, fan_out;
    bool trainable;
    bool positive;   /* a variance: never below 0 */
    param_rules rules;
} layer_param;

/* ---- initializers (initializer.c) ---- */

/* The initializer of this name with its defaults; false when there is none. */
bool initializer_named(const char *name, initializer *out);

/* Draws a parameter's values. Errors: CONVOY_ERROR_MEMORY. */
convoy_status initializer_fill(const initializer *init, const layer_param *param, uint64_t seed, uint32_t stream, float *out,
                               convoy_error *err);
/* A name or Keras's serialised object, and back. */
convoy_status initializer_read(const json_t *value, initializer *out, convoy_error *err);
json_t *initializer_write(const initializer *init);
/* The i-th initializer with its defaults; false past the last one. */
bool initializer_at(size_t i, initializer *out);
/* Has the parameter a shape that its initializer can fill? */
convoy_status initializer_check(const layer_param *param, convoy_error *err);

/* ---- regularizers and constraints (rules.c) ---- */

/* What a regularizer adds to the loss: l1 * sum |w| + l2 * sum w^2; false: nothing. */
bool rule_penalty(const param_rule *regularizer, double *l1, double *l2);
/* max(w, 0)? */
bool rule_is_non_negative(const param_rule *constraint);
/* Norms along the rule's axes: w *= (rate * clamp(norm, least, most) + (1 - rate) * norm) / (1e-7 + norm)? */
bool rule_norm(const param_rule *constraint, double *least, double *most, double *rate);
/* Null, a name or Keras's serialised object, and back. */
convoy_status rule_read(const json_t *value, bool constraint, param_rule *out, convoy_error *err);
json_t *rule_write(const param_rule *rule);
/* The i-th regularizer or constraint with its defaults; false past the last one. */
bool rule_at(bool constraint, size_t i, param_rule *out);
/* Has the parameter the axes that its constraint names? */
convoy_status rules_check(const layer_param *param, convoy_error *err);

#endif
