/* Which loss a model is trained with and how, as Keras's arguments and files have it. How it computes is train's. */
#ifndef LOSS_CONFIG_H
#define LOSS_CONFIG_H

#include "layers/option.h"

typedef struct loss_class {
    const char *class_name; /* "CategoricalCrossentropy" */
    const char *name;       /* of its function, and of its kernels' file: "categorical_crossentropy" */
    const char *short_name; /* "mse"; NULL: none */
    const option *options;
    bool has_logits; /* takes logits or probabilities, as from_logits says */
    bool on_logits;  /* taken on the logits behind a last sigmoid or softmax */
    bool is_dense;   /* compares each value with one of its own, so that a single output can be compared with the label itself */
} loss_class;

/* Keras's arguments; a class has only some of them. */
typedef struct loss_settings {
    const loss_class *class; /* NULL: no loss */
    bool from_logits;
    double label_smoothing, delta;
    int reduction, axis;     /* read, but there is only one of each */
} loss_settings;

/* By class, function or short name, case ignored; NULL when unknown. */
const loss_class *loss_class_find(const char *name);

/* "mse", "Huber(delta=0.5)". Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status loss_parse(const char *text, loss_settings *out, convoy_error *err);

/* From a compile_config: a name, a serialised object, or a serialised function. Errors: CONVOY_ERROR_MODEL. */
convoy_status loss_from_json(const json_t *json, loss_settings *out, convoy_error *err);
/* As Keras serialises an object; a new reference, NULL when out of memory. */
json_t *loss_to_json(const loss_settings *s);

#endif
