/* Files that may be compressed by gzip. */
#ifndef DATA_GUNZIP_H
#define DATA_GUNZIP_H

#include <stddef.h>

#include "base/error.h"

/* Like file_read; a file that begins as gzip's do is unpacked, to at most `limit` bytes.
 * Errors: also CONVOY_ERROR_UNSUPPORTED where Convoy was built without zlib. */
convoy_status gunzip_read(const char *path, size_t limit, char **out, size_t *size, convoy_error *err);

#endif
