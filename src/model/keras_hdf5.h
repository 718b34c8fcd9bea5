/* libhdf5 without its habits: nothing is printed, every object is closed with its file, failures have a reason. */
#ifndef KERAS_HDF5_H
#define KERAS_HDF5_H

#include <hdf5.h>

#include "model/keras_file.h"

#define HDF5_REASON_SIZE 256

/* An HDF5 file in memory. While one is open, libhdf5's printing of errors is off; closing restores the caller's
 * setting. */
typedef struct hdf5_file {
    hid_t id;
    H5E_auto2_t hook;
    void *hook_data;
} hdf5_file;

/* The bytes are copied. */
convoy_status hdf5_open_image(const char *data, size_t size, hdf5_file *out, convoy_error *err);
convoy_status hdf5_create(hdf5_file *out, convoy_error *err);
/* The file's bytes; the caller frees them. */
convoy_status hdf5_take_image(const hdf5_file *file, char **out, size_t *size, convoy_error *err);
void hdf5_close(hdf5_file *file);

/* Why the last call failed, in libhdf5's words; returns out. */
const char *hdf5_reason(char out[HDF5_REASON_SIZE]);

#endif
