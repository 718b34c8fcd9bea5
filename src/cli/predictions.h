/* What convoy predict shows of each image, by what the model's outputs mean: the likeliest classes, numbers, or an image of labels; as
 * a table or as JSON. */
#ifndef PREDICTIONS_H
#define PREDICTIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "convoy/model.h"
#include "convoy/outputs.h"

typedef struct predictions {
    const convoy_model *model; /* gives the names of classes */
    convoy_outputs outputs;
    int top;
    const char *place;         /* where images of labels go: a file, a folder, or NULL: the current one */
    bool json, lines;          /* lines: JSON as an object a line, at once */
    json_t *list;              /* JSON: all so far */
    size_t failures;
    bool any;
    char **written;            /* images of labels so far, owned */
    size_t written_count;
} predictions;

/* Can what the model gives for an image be shown? CLI_RUN, or an exit code after a message. */
int predictions_check(const predictions *p, const char *model_name, bool one_image);

void predictions_begin(predictions *p);

/* One image's outputs. CLI_RUN or an exit code. */
int predictions_add(predictions *p, const char *path, const float *outputs);

/* An image that could not be read; the message names it, and goes to stderr, and into the JSON too. */
void predictions_add_failure(predictions *p, const char *path, const char *message);

/* The exit code. */
int predictions_end(predictions *p, const char *model_name, const char *device);
void predictions_clear(predictions *p);

/* ---- prediction_labels.c ---- */

/* What the classes of an image of labels take of it. */
typedef struct label_image {
    char path[4096]; /* where it was written */
    float *shares;   /* of each class, 0 to 1; owned */
} label_image;

/* The height and width of what the model gives for an image, (H, W, C) or (H * W, C) as large as its input; false: it is no image. */
bool label_image_size(const convoy_model *model, int *height, int *width);

/* Is `place` (NULL: none is named) a folder, or for one image a file that can be written? CLI_RUN or an exit code. */
int label_image_check_place(const char *place, bool one_image);

/* Writes the classes of all pixels as an image. CLI_RUN or an exit code. */
int label_image_write(predictions *p, const char *path, const float *outputs, label_image *out);

#endif
