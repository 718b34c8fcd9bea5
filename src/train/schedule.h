/* Learning rate schedules: a rate for each step, with Keras's arithmetic (keras/src/optimizers/schedules). */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "words/option.h"

typedef struct schedule schedule;

/* The name of the i-th kind and its options; NULL past the last one. */
const char *schedule_kind_at(size_t i, const option **options);

/* From "CosineDecay(initial_learning_rate=0.1, decay_steps=1000)". Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status schedule_parse(const char *text, schedule **out, convoy_error *err);
/* From Keras's {module, class_name, config} (borrowed). */
convoy_status schedule_from_json(const json_t *object, schedule **out, convoy_error *err);
void schedule_destroy(schedule *s);

/* Keras's serialised object with every option; borrowed, lives as long as the schedule. */
json_t *schedule_json(const schedule *s);

/* The rate of the step after `step` steps, in float32 as Keras computes it. */
float schedule_rate(const schedule *s, uint64_t step);

#endif
