/* What the layers room shares about options: reading and writing one row, and words for messages. */
#ifndef OPTION_H
#define OPTION_H

#include "layers/layer.h"
#include "ops/activation.h"

/* Reads a value into the row's member of `state`. The message names the option, not the layer. */
convoy_status option_read(const option *row, const json_t *value, void *state, convoy_error *err);
/* True or false, which some files write as 1 or 0. Gives whether it is either. */
bool option_read_bool(const json_t *value, bool *out);
/* Reads the row's default. */
convoy_status option_read_standard(const option *row, void *state, convoy_error *err);
/* The member as Keras's JSON; NULL when out of memory. Not for rows that option_is_written denies. */
json_t *option_write(const option *row, const void *state);
bool option_is_written(const option *row);

/* Fills `state` from a config by a table of rows that ends with a row without a name: the defaults, then what the config has.
 * Unknown keys, bad values and missing options are refused by name. `config` may be NULL: the defaults alone. */
convoy_status options_read(const option *rows, const json_t *config, void *state, convoy_error *err);
/* The rows that are written, as an object; a new reference, NULL when out of memory. */
json_t *options_write(const option *rows, const void *state);

/* What Keras serialises in place of an object it has a name for: a word, {"class_name": "function", "config": word}, or
 * {"class_name": NAME, "config": OPTIONS}. Gives the name, NULL when it is none of these; *config gets the options, NULL for a word. */
const char *option_serialised(const json_t *json, const json_t **config);

/* Does the word name a class: is it one of the names, or in the comma-separated list `also` (NULL: none)? Case ignored. */
bool option_is_called(const char *word, const char *class_name, const char *name, const char *also);
/* The only entry of a list, a tuple or a dict of one, by Keras's form of them; else the value itself. */
const json_t *option_only(const json_t *json);
/* Is it an object of a class that is not Keras's, by Keras's register of them? */
bool option_is_custom(const json_t *json);

/* Reads "Name" or "Name(keyword=value, ...)" into the name and the config, a new reference (NULL: no brackets). `what` says in
 * messages what the text is for. */
convoy_status options_parse_call(const char *what, const char *call, char *name, size_t size, json_t **config,
                                 convoy_error *err);

/* An option that came from the caller and not from a file is the caller's fault: CONVOY_ERROR_MODEL becomes
 * CONVOY_ERROR_ARGUMENT. */
convoy_status option_blame_argument(convoy_status status, convoy_error *err);

/* Appends what a row takes, in words: "a whole number of at least 1, or a pair of them". */
void option_expected(text *t, const option *row);

/* A value as JSON text, cut when it is long; returns out. */
const char *option_value_text(const json_t *value, char *out, size_t size);

/* A text that may hold any bytes as JSON, which is UTF-8 only: other bytes become '?'. NULL: out of memory. */
json_t *option_json_text(const char *text);

/* "did you mean 'x'? " when a word of the comma-separated list is close to `name`, else ""; returns out. */
const char *option_suggest(const char *name, const char *list, char *out, size_t size);

/* option_activation.c: a name, null, or one of Keras's objects, and back. */
convoy_status activation_read(const option *row, const json_t *value, activation_choice *out, convoy_error *err);
json_t *activation_write(const activation_choice *choice);

/* rules.c: null, a name or Keras's serialised object, and back; has the parameter the axes that its constraint names? */
convoy_status rule_read(const json_t *value, bool constraint, param_rule *out, convoy_error *err);
json_t *rule_write(const param_rule *rule);
/* The i-th regularizer or constraint with its defaults; false past the last one. */
bool rule_at(bool constraint, size_t i, param_rule *out);
convoy_status rules_check(const layer_param *param, convoy_error *err);

/* initializer.c: a name or Keras's serialised object, and back. */
convoy_status initializer_read(const json_t *value, initializer *out, convoy_error *err);
json_t *initializer_write(const initializer *init);
/* The i-th initializer with its defaults; false past the last one. */
bool initializer_at(size_t i, initializer *out);
/* Has the parameter a shape that its initializer can fill? */
convoy_status initializer_check(const layer_param *param, convoy_error *err);

#endif
