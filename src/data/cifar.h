/* CIFAR-10 and CIFAR-100, each in a binary and a Python version: one row for each form, in cifar.c. */
#ifndef DATA_CIFAR_H
#define DATA_CIFAR_H

#include "data/data.h"

#define CIFAR_SIDE 32
#define CIFAR_CHANNELS 3
#define CIFAR_PLANE (CIFAR_SIDE * CIFAR_SIDE)
#define CIFAR_PIXELS (CIFAR_CHANNELS * CIFAR_PLANE)
#define CIFAR_MOST_CLASSES 100
#define CIFAR_FILE_IMAGES 10000 /* in each of CIFAR-10's files */

typedef struct cifar_form cifar_form;
struct cifar_form {
    const char *title;           /* "CIFAR-100", for messages */
    const char *folder;          /* what the tar ball unpacks to */
    const char *const *files[2]; /* the training and the test part, each NULL-terminated */
    const char *listed[2];       /* the same in words */
    int classes;
    int label_bytes, label_at;   /* binary: bytes before the pixels, and which of them is the label */
    const char *label_key;       /* Python: where in the dict the labels are */
    const char *names_file, *names_key;
    const char *const *names;    /* the classes' names where the file has none; may be NULL */
    /* Appends the records of one file to a data set of shape (32, 32, 3). */
    convoy_status (*append)(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err);
    /* Names the classes after that file, which exists. */
    convoy_status (*read_names)(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err);
};

/* The binary version: records of a label (two for CIFAR-100) and the planes of R, G, B, row by row. */
convoy_status cifar_binary_append(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err);
convoy_status cifar_binary_names(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err);

/* The Python version: a pickled dict with an array of such planes. */
convoy_status cifar_python_append(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err);
convoy_status cifar_python_names(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err);
/* Has the file CIFAR-100's two kinds of labels? */
convoy_status cifar_python_is_100(const char *path, bool *out, convoy_error *err);

/* One image's planes to interleaved pixels. */
void cifar_interleave(const uint8_t *planes, uint8_t *pixels);

/* A name goes to terminals and reports: of a sane length and without control characters. `line` counts from 1. */
convoy_status cifar_check_name(const char *path, const char *name, size_t length, int line, convoy_error *err);

#endif
