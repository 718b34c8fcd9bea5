/* Files: read one into memory or piece by piece; write one so that it appears complete or not at all. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Reads a regular file of at most `limit` bytes. *out has one NUL byte more than *size; the caller frees it. */
convoy_status file_read(const char *path, size_t limit, char **out, size_t *size, convoy_error *err);

/* The same piece by piece: a regular file of at most `limit` bytes, to be closed with close(); and exactly `size` bytes of it. */
convoy_status file_open(const char *path, size_t limit, int *fd, size_t *size, convoy_error *err);
convoy_status file_read_at(int fd, const char *path, size_t offset, void *out, size_t size, convoy_error *err);

/* Writes under a temporary name in the same folder, syncs, renames over `path`. */
convoy_status file_write(const char *path, const void *data, size_t size, convoy_error *err);

/* Makes a folder and its parents; fine if it is there. */
convoy_status file_make_folder(const char *path, convoy_error *err);

/* Where what ships beside the library is: the first of the environment's CONVOY_DATA_DIR, the folder that `meson install` filled
 * and the source tree that has `name` ("sample"). False: none has. */
bool file_find_data(const char *name, char *out, size_t size);

bool file_exists(const char *path);
bool file_is_folder(const char *path);

#endif
