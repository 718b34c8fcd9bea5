/* Activations by Keras's names. The device's side is cl/activation.clh: act_<name> and slope_<name>. */
#ifndef OPS_ACTIVATION_H
#define OPS_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct activation {
    const char *name;  /* Keras's; where the argument is not Keras's default, with the -D option behind it that tells the kernels */
    bool elementwise;  /* false: softmax and log_softmax, over the last axis */
    bool from_output;  /* the slope follows from the output alone, so the input need not be kept */
    double (*value)(double z, double argument);
    double (*slope)(double z, double y, double argument); /* dy/dz at input z, output y */
    double argument;         /* negative_slope or alpha, of those that have one */
    const char *macro;       /* its macro in cl/activation.clh; NULL: there is none */
    const struct activation *row; /* that this one was made of, by activation_with; NULL: it is a row itself */
    char text[96];           /* what name points at then */
} activation;

/* An activation as an option: a row, or `own` with an argument of its own. */
typedef struct activation_choice {
    const activation *act;
    activation own;
} activation_choice;

/* -D options that choose an activation in cl/activation.clh; printf takes the name twice. */
#define ACTIVATION_OPTIONS " -DACTIVATE=act_%s -DSLOPE=slope_%s"

/* Can it follow in a kernel, and its slope in another, from the output alone? NULL: no. */
bool activation_fuses(const activation *act);

/* NULL past the end. */
const activation *activation_at(size_t i);
/* The row of a name, NULL when unknown. */
const activation *activation_find(const char *name);
/* Sets the choice to a known activation with an argument, at least 0: to the row where that is the default. */
void activation_with(const char *name, double argument, activation_choice *out);
/* All names, comma-separated. */
void activation_names(char *out, size_t size);

#endif
