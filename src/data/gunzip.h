/* Files that may be compressed by gzip. */
#ifndef DATA_GUNZIP_H
#define DATA_GUNZIP_H

#include <stddef.h>

#include "base/error.h"

/* Like file_read; a file that begins as gzip's do is unpacked, to at most `limit` bytes.
 * Errors: also CONVOY_ERROR_UNSUPPORTED where Convoy was built without zlib. */
convoy_status gunzip_read(const char *path, size_t limit, char **out, size_t *size, convoy_error *err);

/* gunzip_zlib.c: what gzip packed, which file_read has read from `path`. */
convoy_status gunzip_unpack(const char *path, const char *packed, size_t packed_size, size_t limit, char **out, size_t *size,
                            convoy_error *err);

#endif
