/* A data set's inside: for the readers of this room, and for who makes one up. */
#ifndef DATA_DATA_H
#define DATA_DATA_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "convoy/dataset.h"
#include "data/pixels.h"

struct convoy_dataset {
    pixels *pixels;
    uint8_t *images; /* count x H x W x C, in the pixels; of a slice and of what was kept on disk they are not to be written */
    int32_t *rows;     /* of a choice (dataset_pick): where in `images` each one is; owned. NULL: one after another */
    bool floats;       /* the images are float32 there, not bytes */
    bool prepared;     /* floats that a model takes as they are: they are no pixels of 0 to 255 */
    float least, most; /* of prepared ones, or of the set that they were taken from: their range */
    int32_t *labels; /* count, each 0 .. classes-1 */
    size_t count;
    convoy_shape shape;
    int classes;
    char **names; /* classes strings, or NULL */
    size_t skipped;      /* files that could not be read */
    char *first_skipped; /* what is wrong with the first of them; NULL when there is none */
    size_t decoded;      /* image files that were decoded to make it */
};

/* A data set without images yet. CONVOY_ERROR_ARGUMENT when the shape isn't (H, W, C), a dimension or `classes` is
 * below 1, or an image has 2 GiB or more. */
convoy_status dataset_new(convoy_shape shape, int classes, const char *const *names, convoy_dataset **out,
                          convoy_error *err);

/* Gives the classes their names (a copy), in place of any before. */
convoy_status dataset_set_names(convoy_dataset *data, const char *const *names, convoy_error *err);

/* Do the classes have the model's numbers, as far as both have names? *first is the first one that has not. (match.c) */
bool dataset_numbered_as(const convoy_dataset *data, const convoy_model *model, int *first);

/* Makes room for `more` images behind the last; the caller fills it, then raises `count`. */
convoy_status dataset_reserve(convoy_dataset *data, size_t more, convoy_error *err);

size_t dataset_image_values(const convoy_dataset *data);
size_t dataset_image_bytes(const convoy_dataset *data);

/* The bytes of image i, which may be floats. */
const uint8_t *dataset_image(const convoy_dataset *data, size_t i);

/* These rows of `data` as a data set of its own, which outlives the other one: the pixels are shared, not copied, so that they
 * don't stand one after another. It is for this library alone: convoy_dataset_images would not find them. */
convoy_status dataset_pick(const convoy_dataset *data, const int32_t *rows, size_t count, convoy_dataset **out,
                           convoy_error *err);

/* Value `i` of all images, bytes or floats; not of a choice. */
static inline float dataset_value(const convoy_dataset *data, size_t i)
{
    return data->floats ? ((const float *)(const void *)data->images)[i] : (float)data->images[i];
}

/* Tells the system which rows are read next: for data sets that are more than memory holds and lie in a file. */
void dataset_expect(const convoy_dataset *data, const int32_t *rows, size_t count);

/* Random images with random labels, the same for the same seed: nothing to learn, but as much work as real ones. In
 * random.c; fails like dataset_new. */
convoy_status dataset_random(convoy_shape shape, int classes, size_t count, uint64_t seed, convoy_dataset **out,
                             convoy_error *err);

/* ---- where data sets lie that are called by a name (places.c) ---- */

/* The folder of folders that were fetched: $XDG_DATA_HOME/convoy, else ~/.local/share/convoy. It need not be there. */
convoy_status places_home(char out[PATH_MAX], convoy_error *err);

/* Convoy's folder of what can be made anew: $XDG_CACHE_HOME/convoy, else ~/.cache/convoy. It need not be there. */
convoy_status places_cache(char out[PATH_MAX], convoy_error *err);

/* ---- readers: each tells whether it knows what lies there, and reads one part of it ---- */

typedef struct data_request {
    const char *path; /* exists */
    bool is_folder;
    bool test;        /* the test part, not the training part */
    const convoy_dataset_options *options;
    unsigned char head[4]; /* of a file: its first bytes, zeros where there are fewer */
} data_request;

typedef struct data_reader {
    const char *form;       /* what it reads: "a folder of MNIST's files" */
    const char *looked_for; /* in a folder: its files or folders; NULL: it reads files */
    bool (*fits)(const data_request *request);
    /* Gives a data set without images when the part is not there, and says in *listed which files that would be; or fails with
     * CONVOY_ERROR_NO_PART. */
    convoy_status (*read)(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err);
} data_reader;

bool cifar_fits(const data_request *request); /* cifar.c: folders of CIFAR-10 and CIFAR-100, binary and Python */
bool cifar_file_fits(const data_request *request);
bool idx_fits(const data_request *request);
bool image_folder_fits(const data_request *request);

convoy_status cifar_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err);
convoy_status cifar_file_read(const data_request *request, convoy_dataset **out, const char **listed,
                              convoy_error *err);
convoy_status idx_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err);
convoy_status npz_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err);
convoy_status image_folder_read(const data_request *request, convoy_dataset **out, const char **listed,
                                convoy_error *err);

/* Beyond this a file is taken for something else than what it is called. */
#define DATA_FILE_LIMIT ((size_t)1 << 30)

/* ---- paths (folder.c) ---- */

/* folder/name into PATH_MAX bytes. CONVOY_ERROR_FILE when it is too long. */
convoy_status folder_join(char *out, const char *folder, const char *name, convoy_error *err);
bool folder_holds(const char *folder, const char *name);
/* Any one of the names (NULL-terminated). */
bool folder_holds_any(const char *folder, const char *const *names);

#endif
