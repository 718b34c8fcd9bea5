/* Activations by Keras's names. The device's side is cl/activation.clh: act_<name> and act_grad_<name>. */
#ifndef OPS_ACTIVATION_H
#define OPS_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct activation {
    const char *name;
    bool elementwise;  /* false: softmax, over the last axis */
    bool from_output;  /* the slope follows from the output alone, so the input need not be kept */
    double (*value)(double z);
    double (*slope)(double z, double y); /* dy/dz at input z, output y */
} activation;

/* -D options that choose an activation in cl/activation.clh; printf takes the name twice. */
#define ACTIVATION_OPTIONS " -DACTIVATE=act_%s -DSLOPE=slope_%s"

/* The row of a name, NULL when unknown. */
const activation *activation_find(const char *name);
/* All names, comma-separated. */
void activation_names(char *out, size_t size);

#endif
