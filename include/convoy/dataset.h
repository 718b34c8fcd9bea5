/* Labelled images on the host, as bytes: the form in which they also live on the device. */
#ifndef CONVOY_DATASET_H
#define CONVOY_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "convoy/error.h"
#include "convoy/fetch.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct convoy_dataset convoy_dataset;

/* Opens the training or the test part ("train" or "test") of DATA: "sample", a name that convoy_fetch knows, a folder of
 * CIFAR-10 binary files, or one such file (which then is both parts). Errors: CONVOY_ERROR_FILE, CONVOY_ERROR_FORMAT (name the file and what is wrong). */
convoy_status convoy_dataset_open(const char *data, const char *part, convoy_dataset **out, convoy_error *err);

/* Where DATA lies. "sample": where Convoy is installed. A name that convoy_fetch knows: in the current folder, where it
 * was fetched to, or where Keras has put it ($KERAS_HOME, else ~/.keras). Anything else is a path and stays as it is.
 * CONVOY_ERROR_FILE when a name's data set is in none of its places. */
convoy_status convoy_dataset_locate(const char *data, char path[CONVOY_PATH_SIZE], convoy_error *err);

/* Copies `count` images of `shape` (H, W, C), uint8, NHWC, with labels 0 .. classes-1. `names` (classes strings) may be NULL. */
convoy_status convoy_dataset_create(const uint8_t *images, const int32_t *labels, size_t count, convoy_shape shape,
                                    int classes, const char *const *names, convoy_dataset **out, convoy_error *err);

/* Rows [first, first + count) as a data set of its own (a copy); count 0 means all the rest. */
convoy_status convoy_dataset_slice(const convoy_dataset *data, size_t first, size_t count, convoy_dataset **out,
                                   convoy_error *err);
void convoy_dataset_destroy(convoy_dataset *data);

size_t convoy_dataset_count(const convoy_dataset *data);
convoy_shape convoy_dataset_shape(const convoy_dataset *data);
int convoy_dataset_classes(const convoy_dataset *data);
const char *convoy_dataset_class_name(const convoy_dataset *data, int label); /* NULL when unnamed */
const uint8_t *convoy_dataset_images(const convoy_dataset *data);             /* count x H x W x C */
const int32_t *convoy_dataset_labels(const convoy_dataset *data);             /* count */

#ifdef __cplusplus
}
#endif
#endif
