/* What convoy predict shows: the likeliest classes of each image, as a table or as JSON. */
#ifndef PREDICTIONS_H
#define PREDICTIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "convoy/model.h"

typedef struct predictions {
    const convoy_model *model; /* gives the classes and their names */
    int top;
    bool probabilities;        /* the outputs are such; else they are logits */
    bool json, lines;          /* lines: JSON as an object a line, at once */
    json_t *list;              /* JSON: all so far */
    size_t failures;
    bool any;
} predictions;

void predictions_begin(predictions *p);

/* One image's outputs. CLI_RUN or an exit code. */
int predictions_add(predictions *p, const char *path, const float *outputs);

/* An image that could not be read; the message names it, and goes to stderr, and into the JSON too. */
void predictions_add_failure(predictions *p, const char *path, const char *message);

/* The exit code. */
int predictions_end(predictions *p, const char *model_name, const char *device);
void predictions_clear(predictions *p);

#endif
