/* A data set's inside: for the readers of this room, and for who makes one up. */
#ifndef DATA_DATA_H
#define DATA_DATA_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "convoy/dataset.h"

struct convoy_dataset {
    uint8_t *images; /* count x H x W x C */
    int32_t *labels; /* count, each 0 .. classes-1 */
    size_t count;
    convoy_shape shape;
    int classes;
    char **names; /* classes strings, or NULL */
};

/* A data set without images yet. CONVOY_ERROR_ARGUMENT when the shape isn't (H, W, C), a dimension or `classes` is
 * below 1, or an image has 2 GiB or more. */
convoy_status dataset_new(convoy_shape shape, int classes, const char *const *names, convoy_dataset **out,
                          convoy_error *err);

/* Gives the classes their names (a copy), in place of any before. */
convoy_status dataset_set_names(convoy_dataset *data, const char *const *names, convoy_error *err);

/* Makes room for `more` images behind the last; the caller fills it, then raises `count`. */
convoy_status dataset_reserve(convoy_dataset *data, size_t more, convoy_error *err);

size_t dataset_image_bytes(const convoy_dataset *data);

/* Random images with random labels, the same for the same seed: nothing to learn, but as much work as real ones. In
 * random.c; fails like dataset_new. */
convoy_status dataset_random(convoy_shape shape, int classes, size_t count, uint64_t seed, convoy_dataset **out,
                             convoy_error *err);

/* ---- where data sets lie that are called by a name (places.c) ---- */

/* The folder of folders that were fetched: $XDG_DATA_HOME/convoy, else ~/.local/share/convoy. It need not be there. */
convoy_status places_home(char out[PATH_MAX], convoy_error *err);
convoy_status places_join(char out[PATH_MAX], const char *folder, const char *name, convoy_error *err);

/* ---- the binary version of CIFAR-10 (cifar.c) ---- */

#define CIFAR_SIDE 32
#define CIFAR_CLASSES 10

/* Appends the records of one file to a data set of shape (32, 32, 3). */
convoy_status cifar_append(const char *path, convoy_dataset *data, convoy_error *err);

/* Names the classes after the file batches.meta.txt of `folder`. Where there is none: CIFAR-10's own names if
 * `is_cifar`, else no names. */
convoy_status cifar_read_names(const char *folder, bool is_cifar, convoy_dataset *data, convoy_error *err);

#endif
