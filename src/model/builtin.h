/* The ready models: known by name, built by the functions that anyone can call. */
#ifndef MODEL_BUILTIN_H
#define MODEL_BUILTIN_H

#include "model/model.h"

/* What may be asked for in brackets: "resnet20(classes=100, augment=True)". */
typedef struct builtin_options {
    convoy_shape input_shape;
    int classes;
    bool augment;
} builtin_options;

typedef struct builtin_row {
    const char *name;
    const char *model_name; /* NULL: Keras's "sequential" */
    convoy_shape input;     /* the default */
    bool has_mirror;        /* a mirrored image is of the same class: augment flips as well */
    /* Appends the layers; the InputLayer and those of augment are there. */
    convoy_status (*build)(convoy_model *model, const builtin_options *options, convoy_error *err);
} builtin_row;

/* Ends with a row without a name (builtin_layers.c). */
extern const builtin_row builtin_rows[];

#endif
