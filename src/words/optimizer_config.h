/* What an optimizer is told and what it remembers, as Keras's config and files have it. How it computes is train's. */
#ifndef OPTIMIZER_CONFIG_H
#define OPTIMIZER_CONFIG_H

#include "words/option.h"

#define OPTIMIZER_MAX_SLOTS 6

/* Keras's arguments; a class has only some of them. NAN and 0 stand for None. */
typedef struct optimizer_settings {
    double learning_rate; /* now: training may have changed it */
    json_t *schedule;     /* instead of a rate: Keras's {module, class_name, config}; owned, NULL: none */
    double momentum, rho, beta_1, beta_2, epsilon, initial_accumulator_value;
    bool nesterov, amsgrad, centered;
    double weight_decay, clipnorm, global_clipnorm, clipvalue;
    bool use_ema;
    double ema_momentum;
    int ema_overwrite_frequency, gradient_accumulation_steps;
} optimizer_settings;

/* The slots of an optimizer in Keras's order. Slots of one group alternate from variable to variable (m, v, m, v, ...);
 * the groups follow each other. */
typedef struct optimizer_layout {
    int slots, groups;
    int group[OPTIMIZER_MAX_SLOTS]; /* slots in each */
    int average, accumulator;       /* slots of the base class: averages of the weights, summed gradients; -1: none */
    bool scalar;                    /* one number after all slots: nadam's product of momenta */
} optimizer_layout;

typedef struct optimizer_class {
    const char *name;       /* "adam": lower case */
    const char *class_name; /* "Adam" */
    const char *snake;      /* what Keras calls an instance: "adam_w" */
    const option *options;
    /* Slots of its own beside the base class's: fills group sizes from group[0] on, returns their number. */
    int (*groups)(const optimizer_settings *s, int *group);
    bool scalar;
} optimizer_class;

/* By name or class name, case ignored; NULL when unknown. */
const optimizer_class *optimizer_class_find(const char *name);
const optimizer_class *optimizer_class_at(size_t i); /* NULL past the end */
/* Keras's default. */
double optimizer_standard_rate(const optimizer_class *class);
void optimizer_class_names(char *out, size_t size); /* comma-separated */

/* Fills settings from a Keras config (NULL: the defaults); the schedule, if there is one, is kept as it is. */
convoy_status optimizer_settings_read(const optimizer_class *class, const json_t *config, optimizer_settings *out,
                                      convoy_error *err);
/* The config of Keras's serialised optimizer; a new reference, NULL when out of memory. */
json_t *optimizer_settings_write(const optimizer_class *class, const optimizer_settings *s);
optimizer_settings optimizer_settings_copy(const optimizer_settings *s);
void optimizer_settings_clear(optimizer_settings *s);

optimizer_layout optimizer_layout_of(const optimizer_class *class, const optimizer_settings *s);
/* Do two settings of one class have the same slots, with the same meaning? */
bool optimizer_same_slots(const optimizer_settings *a, const optimizer_settings *b);
/* What a slot, and the scalar, hold before the first step. */
float optimizer_slot_start(const optimizer_class *class, const optimizer_settings *s, int slot);
#define OPTIMIZER_SCALAR_START 1.0f
/* The schedule is one that Keras has: it goes into the optimizer's config. Others are kept beside it. */
bool optimizer_schedule_is_keras(const optimizer_settings *s);

#endif
