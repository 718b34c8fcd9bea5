/* What the layers room shares about options: reading and writing one row, and words for messages. */
#ifndef OPTION_H
#define OPTION_H

#include "layers/layer.h"

/* Reads a value into the row's member of `state`. The message names the option, not the layer. */
convoy_status option_read(const option *row, const json_t *value, void *state, convoy_error *err);
/* Reads the row's default. */
convoy_status option_read_standard(const option *row, void *state, convoy_error *err);
/* The member as Keras's JSON; NULL when out of memory. Not for rows that option_is_written denies. */
json_t *option_write(const option *row, const void *state);
bool option_is_written(const option *row);

/* A value as JSON text, cut when it is long; returns out. */
const char *option_value_text(const json_t *value, char *out, size_t size);

/* "did you mean 'x'? " when a word of the comma-separated list is close to `name`, else ""; returns out. */
const char *option_suggest(const char *name, const char *list, char *out, size_t size);

/* rules.c: null, a name or Keras's serialised object, and back; has the parameter the axes that its constraint names? */
convoy_status rule_read(const json_t *value, bool constraint, param_rule *out, convoy_error *err);
json_t *rule_write(const param_rule *rule);
convoy_status rules_check(const layer_param *param, convoy_error *err);

/* initializer.c: a name or Keras's serialised object, and back. */
convoy_status initializer_read(const json_t *value, initializer *out, convoy_error *err);
json_t *initializer_write(const initializer *init);
/* Has the parameter a shape that its initializer can fill? */
convoy_status initializer_check(const layer_param *param, convoy_error *err);

#endif
