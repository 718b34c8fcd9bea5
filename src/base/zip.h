/* Zip archives, by libzip: members are read whole or piece by piece, each compared with its checksum. Messages do not name the file. */
#ifndef BASE_ZIP_H
#define BASE_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct zip_archive zip_archive;

typedef struct zip_member {
    const char *name, *data;
    size_t size;
} zip_member;

/* `kind` is "a .keras" or "an .npz", for messages; it must outlive the archive. */
convoy_status zip_archive_open(const char *path, const char *kind, zip_archive **out, convoy_error *err);
void zip_archive_close(zip_archive *archive);
bool zip_archive_has(zip_archive *archive, const char *name);
/* The names of its members, the first ten, for a message: "a.npy, b.npy". The caller frees *out. */
convoy_status zip_archive_list(const zip_archive *archive, char **out, convoy_error *err);
/* Reads a member of at most `limit` bytes and checks its checksum. *out has one NUL byte more than *size; the caller
 * frees it. */
convoy_status zip_archive_read(zip_archive *archive, const char *name, size_t limit, char **out, size_t *size,
                               convoy_error *err);
/* The same piece by piece, for members that memory may not hold: all *size bytes, in pieces of any size; the one that takes the
 * last byte also compares the checksum. Messages begin with the member's name. */
typedef struct zip_stream zip_stream;
convoy_status zip_stream_open(zip_archive *archive, const char *name, size_t limit, zip_stream **out, size_t *size,
                              convoy_error *err);
convoy_status zip_stream_read(zip_stream *stream, void *out, size_t size, convoy_error *err);
void zip_stream_close(zip_stream *stream);

/* An archive with the members stored as they are; the same members give the same bytes. The caller frees *out. */
convoy_status zip_archive_build(const zip_member *members, size_t count, char **out, size_t *size,
                                convoy_error *err);

#endif
