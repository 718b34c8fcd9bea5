/* Arrays in numpy's .npy files. */
#ifndef CONVOY_NPY_H
#define CONVOY_NPY_H

#include <stddef.h>

#include "convoy/error.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads an array as float32, whatever numbers it holds (C order, little endian). The first dimension counts rows, which goes to
 * *count; the others are *shape (rank 0 for an array of one dimension). The caller frees *values with free().
 * Errors: CONVOY_ERROR_FILE, CONVOY_ERROR_FORMAT. */
convoy_status convoy_npy_read(const char *path, float **values, size_t *count, convoy_shape *shape, convoy_error *err);

/* Writes `count` rows of `shape` as float32; under a temporary name, synced and renamed. */
convoy_status convoy_npy_write(const char *path, const float *values, size_t count, const convoy_shape *shape,
                               convoy_error *err);

#ifdef __cplusplus
}
#endif
#endif
