/* Options: a table of rows says what a layer, an optimizer, a schedule or a callback is told, as Keras's configs spell it. */
#ifndef OPTION_H
#define OPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "convoy/model.h"
#include "ops/activation.h"

/* ---- options: one row each drives the JSON reader, the writer, the defaults and the messages ---- */

typedef enum option_kind {
    OPTION_INT,        /* int */
    OPTION_FLOAT,      /* double; integers accepted */
    OPTION_OPTIONAL_FLOAT, /* double; null is NAN */
    OPTION_BOOL,       /* bool */
    OPTION_PAIR,       /* int[2]; a number or a pair of numbers */
    OPTION_OPTIONAL_PAIR, /* int[2]; null is {least - 1, least - 1} */
    OPTION_SIDES,      /* int[4]: top, bottom, left, right; a number, a pair of numbers or a pair of pairs */
    OPTION_LIST,       /* convoy_shape: a number or a list of numbers; null, where that is the default, is rank 0 */
    OPTION_CHOICE,     /* int: index into `choices`; the choice "null" is None */
    OPTION_ACTIVATION, /* activation_choice */
    OPTION_INITIALIZER,/* initializer (by value) */
    OPTION_IGNORED,    /* accepted with any value and not kept (dtype, ...) */
    OPTION_NULL,       /* only null is supported yet; `instead` says what is near it */
    OPTION_REGULARIZER,/* param_rule */
    OPTION_CONSTRAINT, /* param_rule */
    OPTION_SHAPE,      /* convoy_shape: a list of numbers, the leading null of a batch_shape allowed */
    OPTION_VALUES,     /* option_values: null, a number or a list of them, lists in lists taken as one */
    OPTION_SEED,       /* int64_t; null is -1 */
    OPTION_AXES,       /* option_axes: a number or a list of them */
    OPTION_OPTIONAL_INT, /* int; null is 0 */
    OPTION_FLOATS,     /* option_floats: a list of numbers */
    OPTION_TEXT,       /* char[OPTION_TEXT_SIZE]; null is "" */
} option_kind;

#define OPTION_TEXT_SIZE 512
#define OPTION_MOST_FLOATS 64

typedef struct option_floats {
    int count;
    double value[OPTION_MOST_FLOATS];
} option_floats;

typedef struct option {
    const char *name; /* Keras's */
    option_kind kind;
    size_t offset;         /* of the member in the layer's state */
    const char *standard;  /* default, as JSON text; NULL: the option must be given */
    double least, most;    /* bounds of numbers; both 0: none */
    const char *const *choices; /* NULL-terminated */
    bool hidden;           /* read but not written */
    const char *instead;   /* of OPTION_NULL: what there is in its place, for the message; or NULL */
} option;

/* Rows that many layers have, for members of these names. */
extern const char *const option_paddings[], *const option_formats[];
#define OPTION_PADDING(state_)                                                                                         \
    {.name = "padding", .kind = OPTION_CHOICE, .offset = offsetof(state_, padding), .standard = "\"valid\"",           \
     .choices = option_paddings}
#define OPTION_DATA_FORMAT(state_)                                                                                     \
    {.name = "data_format", .kind = OPTION_CHOICE, .offset = offsetof(state_, data_format),                            \
     .standard = "\"channels_last\"", .choices = option_formats, .hidden = true}

/* Axes as Keras counts them: 0 is the batch, -1 the last one. */
typedef struct option_axes {
    int count, axis[CONVOY_MAX_RANK];
    bool list; /* given as a list */
} option_axes;

/* A few numbers; null: none. */
typedef struct option_values {
    int count;
    bool list; /* given as a list */
    double value[64];
} option_values;

/* ---- reading and writing ---- */

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
/* Keys that are known besides those of a table: their names, for messages, and what reads one. */
typedef struct option_others {
    const char *names; /* "name, trainable, dtype" */
    convoy_status (*read)(void *user, const char *key, const json_t *value, bool *known, convoy_error *err);
    void *user;
} option_others;
/* The same with other keys among those of the table, which may be NULL. */
convoy_status options_read_among(const option *rows, const option_others *others, const json_t *config, void *state,
                                 convoy_error *err);
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

/* "filters=32, padding=same" -> a JSON object (new reference). */
convoy_status option_parse_text(const char *text, json_t **out, convoy_error *err);

/* option_activation.c: a name, null, or one of Keras's objects, and back. */
convoy_status activation_read(const option *row, const json_t *value, activation_choice *out, convoy_error *err);
json_t *activation_write(const activation_choice *choice);

#endif
