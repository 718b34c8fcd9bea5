/* Labelled images on the host, as bytes or as floats: the form in which they also live on the device. */
#ifndef CONVOY_DATASET_H
#define CONVOY_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/error.h"
#include "convoy/fetch.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct convoy_dataset convoy_dataset;

/* How to read what leaves a choice; zero means the default. */
typedef struct convoy_dataset_options {
    int height, width, channels; /* a folder of images: what every image becomes; channels 1 (grey) or 3 (RGB) */
    double test_split;           /* a folder of images without train and test folders: the share of each class that is the
                                  * test part, 0 to 1; 0: 0.2 */
    uint64_t seed;               /* which images that are: the same seed, the same split, whatever the part */
    bool coarse_labels;          /* CIFAR-100: the 20 superclasses instead of the 100 classes */
    int threads;                 /* that decode images; 0: one a processor, at most 8 */
    bool no_image_cache;         /* a folder of images: decode them anew and keep nothing; see below */
    uint64_t image_cache_bytes;  /* what is kept of all folders together; 0: 16 GiB */
    /* What a user may want to know: why decoded images are not kept, that two arrays of a .npz file look scaled differently.
     * NULL: nobody does. */
    void (*on_message)(void *user, const char *text);
    void *user;
} convoy_dataset_options;

convoy_status convoy_dataset_open_with_sized(const char *data, const char *part, const convoy_dataset_options *options,
                                             size_t options_size, convoy_dataset **out, convoy_error *err);
/* Opens the training or the test part ("train" or "test") of DATA, which is one of
 *   - "sample", the built-in data set;
 *   - a name that convoy_fetch knows: the data set that was fetched, or that Keras has;
 *   - a folder with the files of CIFAR-10 or CIFAR-100, the binary or the Python version, or the folder that their tar ball
 *     unpacks to in it; or one of these files (which then is both parts);
 *   - a folder with MNIST's files, {train,t10k}-{images-idx3,labels-idx1}-ubyte, each may end in .gz: (H, W, 1);
 *   - a .npz file with x_train, y_train, x_test and y_test, or one part of them: images (N, H, W, C) or (N, H, W) of numbers,
 *     labels (N,) or (N, 1), integers. What the values are is guessed for x_train and x_test together: integers of 0 to 255
 *     are bytes, as elsewhere; floats of 0 to 255 that go beyond 16 are pixels like those, but stay floats; any others, within
 *     0 and 1, negative, standardised or larger, are floats that a model takes as they are (convoy_dataset_prepared);
 *   - a folder with a folder of images (PNG, JPEG) for each of two classes or more, or with folders train and test (or
 *     validation, val) of such folders. Classes are numbered and named by their folders' names in the order of their
 *     bytes. Images are made to fit as convoy_image_read does. A file that can't be read is left out:
 *     convoy_dataset_skipped tells. Needs the size in the options.
 * The decoded images of a folder are kept in $XDG_CACHE_HOME/convoy/images (else ~/.cache/convoy/images) and read from there
 * until the name, size or time of a file changes; what was not used for longest is removed. The folder may be deleted at
 * any time. Where it can't be used or is full, the images are decoded all the same, and on_message is told.
 * Images that take more than a quarter of the machine's memory are in a file, of the cache folder too, whose pages come and
 * go; nothing of it stays behind.
 * `options` may be NULL.
 * Errors: CONVOY_ERROR_FILE, CONVOY_ERROR_FORMAT (name the file and what is wrong), CONVOY_ERROR_NO_PART (the data lacks this
 * part), CONVOY_ERROR_ARGUMENT (`part` is another word, no size), CONVOY_ERROR_UNSUPPORTED (built without the library that reads it). */
static inline convoy_status convoy_dataset_open_with(const char *data, const char *part, const convoy_dataset_options *options,
                                                     convoy_dataset **out, convoy_error *err)
{
    return convoy_dataset_open_with_sized(data, part, options, sizeof *options, out, err);
}

/* What files and folders can be opened, in words, from 0 on: "a folder of MNIST's files"; NULL past the last. */
const char *convoy_dataset_form(size_t i);

/* The same without options. */
convoy_status convoy_dataset_open(const char *data, const char *part, convoy_dataset **out, convoy_error *err);

/* Where DATA lies. "sample": where Convoy is installed. A name that convoy_fetch knows: in the current folder, where it
 * was fetched to, or where Keras has put it ($KERAS_HOME, else ~/.keras). Anything else is a path and stays as it is.
 * CONVOY_ERROR_FILE when a name's data set is in none of its places. */
convoy_status convoy_dataset_locate(const char *data, char path[CONVOY_PATH_SIZE], convoy_error *err);

/* Copies `count` images of `shape` (H, W, C), uint8, NHWC, with labels 0 .. classes-1. `names` (classes strings) may be NULL. */
convoy_status convoy_dataset_create(const uint8_t *images, const int32_t *labels, size_t count, convoy_shape shape,
                                    int classes, const char *const *names, convoy_dataset **out, convoy_error *err);

/* The same of float32 values, which a model takes as they are: nothing is divided unless a scale is asked for by name.
 * CONVOY_ERROR_ARGUMENT also when one is infinite or no number. */
convoy_status convoy_dataset_create_floats(const float *values, const int32_t *labels, size_t count, convoy_shape shape,
                                           int classes, const char *const *names, convoy_dataset **out, convoy_error *err);

/* Rows [first, first + count) as a data set of its own, which outlives the other one (the pixels are shared, not copied);
 * count 0 means all the rest. */
convoy_status convoy_dataset_slice(const convoy_dataset *data, size_t first, size_t count, convoy_dataset **out,
                                   convoy_error *err);

/* Gives the labels the numbers that `model` knows the classes by, where both have names: a folder with `dog` and `cat` then means
 * the same to a model that was trained on `bird`, `cat` and `dog`. The names are compared byte by byte, upper and lower case and
 * spaces included; afterwards the data's names and their number are the model's. convoy_fit and convoy_evaluate refuse named data
 * whose numbers differ. Slices that were made before keep their labels.
 * Errors: CONVOY_ERROR_MODEL lists both when the model lacks a name; the data then stays as it was. */
convoy_status convoy_dataset_match_classes(convoy_dataset *data, const convoy_model *model, convoy_error *err);

void convoy_dataset_destroy(convoy_dataset *data);

size_t convoy_dataset_count(const convoy_dataset *data);
convoy_shape convoy_dataset_shape(const convoy_dataset *data);
int convoy_dataset_classes(const convoy_dataset *data);
const char *convoy_dataset_class_name(const convoy_dataset *data, int label); /* NULL when unnamed */
const uint8_t *convoy_dataset_images(const convoy_dataset *data);             /* count x H x W x C; NULL of floats */
const float *convoy_dataset_values(const convoy_dataset *data);               /* the same of floats; NULL of bytes */
const int32_t *convoy_dataset_labels(const convoy_dataset *data);             /* count */

/* Are the values what a model takes, so that they are not divided? Else they are pixels of 0 to 255, bytes or floats. */
bool convoy_dataset_prepared(const convoy_dataset *data);

/* Have both the same images, value for value, in the same order? */
bool convoy_dataset_same_images(const convoy_dataset *a, const convoy_dataset *b);

/* How many files were left out because they could not be read; *first (may be NULL) is what is wrong with the first one,
 * beginning with its name, or NULL when there is none. Both live as long as the data set. A slice has none. */
size_t convoy_dataset_skipped(const convoy_dataset *data, const char **first);

#ifdef __cplusplus
}
#endif
#endif
