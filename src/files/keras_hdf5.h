/* libhdf5 without its habits: nothing is printed, every object is closed with its file, failures have a reason. */
#ifndef KERAS_HDF5_H
#define KERAS_HDF5_H

#include <hdf5.h>

#include "files/keras_file.h"

#define HDF5_REASON_SIZE 256

/* An open HDF5 file, in memory or on disk. While one is open, libhdf5's printing of errors is off; closing restores the caller's
 * setting. */
typedef struct hdf5_file {
    hid_t id;
    H5E_auto2_t hook;
    void *hook_data;
} hdf5_file;

/* The bytes are copied. */
convoy_status hdf5_open_image(const char *data, size_t size, hdf5_file *out, convoy_error *err);
/* For reading alone, from the disk. */
convoy_status hdf5_open_path(const char *path, hdf5_file *out, convoy_error *err);
convoy_status hdf5_create(hdf5_file *out, convoy_error *err);
/* The file's bytes; the caller frees them. */
convoy_status hdf5_take_image(const hdf5_file *file, char **out, size_t *size, convoy_error *err);
void hdf5_close(hdf5_file *file);

/* Why the last call failed, in libhdf5's words; returns out. */
const char *hdf5_reason(char out[HDF5_REASON_SIZE]);

/* ---- arrays (hdf5_array.c); paths are those of the file, shorter than KERAS_PATH_SIZE ---- */

typedef enum hdf5_presence { HDF5_ABSENT, HDF5_PRESENT, HDF5_REFUSED } hdf5_presence;

hdf5_presence hdf5_look(hid_t file, const char *path);
convoy_status hdf5_fail_presence(hdf5_presence found, const char *path, convoy_error *err);
/* How many things are in a group; 0 when there is no such group. */
convoy_status hdf5_count(hid_t file, const char *group, size_t *out, convoy_error *err);
/* The whole array, which must have this shape, as `memory` (H5T_NATIVE_FLOAT, ...). */
convoy_status hdf5_read_array(hid_t file, const char *path, const convoy_shape *shape, hid_t memory, void *out,
                              convoy_error *err);
/* The shape of an array; false: it is not there, or has no shape that a weight can have. */
bool hdf5_shape(hid_t file, const char *path, convoy_shape *out);
/* Is it there, an array of one value without dimensions? */
bool hdf5_is_scalar(hid_t file, const char *path);

/* ---- attributes with texts, of fixed or variable length (hdf5_text.c) ---- */

typedef struct hdf5_names {
    char **name; /* owned */
    size_t count;
} hdf5_names;

bool hdf5_has_attribute(hid_t file, const char *path, const char *attribute);
/* The caller frees *out; NULL: `path` has no such attribute. */
convoy_status hdf5_read_text(hid_t file, const char *path, const char *attribute, char **out, convoy_error *err);
/* A list of texts, which Keras cuts into ATTRIBUTE0, ATTRIBUTE1, ... when it is long. An empty one may be of any kind. */
convoy_status hdf5_read_names(hid_t file, const char *path, const char *attribute, hdf5_names *out, convoy_error *err);
void hdf5_names_free(hdf5_names *names);

#endif
