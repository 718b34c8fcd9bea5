#include "base/zip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "base/text.h"

#define MOST_RATIO 1100 /* deflate, which numpy and Keras use, packs 1032 bytes into one at best */

struct zip_archive {
    zip_t *zip;
    const char *kind;
    uint64_t bytes; /* of the file */
};

/* ---- reading ---- */

convoy_status zip_archive_open(const char *path, const char *kind, zip_archive **out, convoy_error *err)
{
    int code = 0;
    zip_archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        return OUT_OF_MEMORY(err);
    struct stat info;
    archive->kind = kind;
    archive->bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
    archive->zip = zip_open(path, ZIP_RDONLY, &code);
    if (archive->zip == NULL) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        convoy_status status = CONVOY_ERROR_FORMAT;
        if (code == ZIP_ER_OPEN || code == ZIP_ER_NOENT)
            status = base_fail(err, CONVOY_ERROR_FILE, "can't open: %s", zip_error_strerror(&error));
        else
            base_fail(err, status, "not %s file, or a damaged or truncated one: it can't be read as a zip archive (%s)",
                      kind, zip_error_strerror(&error));
        zip_error_fini(&error);
        free(archive);
        return status;
    }
    *out = archive;
    return CONVOY_OK;
}

void zip_archive_close(zip_archive *archive)
{
    if (archive == NULL)
        return;
    zip_discard(archive->zip);
    free(archive);
}

convoy_status zip_archive_list(const zip_archive *archive, char **out, convoy_error *err)
{
    text held = {0};
    zip_int64_t count = zip_get_num_entries(archive->zip, 0);
    for (zip_int64_t i = 0; i < count && i < 10; i++) {
        const char *member = zip_get_name(archive->zip, (zip_uint64_t)i, 0);
        text_add(&held, "%s%.100s", i ? ", " : "", member ? member : "?");
    }
    text_add(&held, count > 10 ? ", ..." : count > 0 ? "" : "nothing");
    return text_take(&held, out, err);
}

static convoy_status fail_missing(const zip_archive *archive, const char *name, convoy_error *err)
{
    char *list = NULL;
    TRY(zip_archive_list(archive, &list, err));
    base_fail(err, CONVOY_ERROR_FORMAT, "not %s file: the archive has no member %s; it holds: %s", archive->kind, name, list);
    free(list);
    return CONVOY_ERROR_FORMAT;
}

struct zip_stream {
    zip_file_t *file;
    char name[256];
    size_t left; /* bytes that are not read yet */
};

convoy_status zip_stream_open(zip_archive *archive, const char *name, size_t limit, zip_stream **out, size_t *size,
                              convoy_error *err)
{
    zip_stat_t info;
    zip_int64_t index = zip_name_locate(archive->zip, name, 0);
    if (index < 0)
        return fail_missing(archive, name, err);
    if (zip_stat_index(archive->zip, (zip_uint64_t)index, 0, &info) != 0 || !(info.valid & ZIP_STAT_SIZE))
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is damaged: %s", name, zip_strerror(archive->zip));
    if (info.size > limit)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s has %llu bytes; at most %zu are expected here", name,
                         (unsigned long long)info.size, limit);
    if (info.size / MOST_RATIO > archive->bytes)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is damaged: %llu bytes can't come out of an archive of %llu", name,
                         (unsigned long long)info.size, (unsigned long long)archive->bytes);
    zip_file_t *file = zip_fopen_index(archive->zip, (zip_uint64_t)index, 0);
    if (file == NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s can't be unpacked: %s", name, zip_strerror(archive->zip));
    zip_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        zip_fclose(file);
        return OUT_OF_MEMORY(err);
    }
    stream->file = file;
    stream->left = *size = (size_t)info.size;
    text_copy(stream->name, sizeof stream->name, name);
    *out = stream;
    return CONVOY_OK;
}

static convoy_status fail_stream(const zip_stream *s, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_FORMAT, "%s is damaged: %s", s->name, zip_file_strerror(s->file));
}

/* The last piece reads past the end too: there the checksum is compared, and a member longer than it says is found out. */
convoy_status zip_stream_read(zip_stream *s, void *out, size_t size, convoy_error *err)
{
    char more;
    size_t got = 0;
    zip_int64_t n = 1;
    while (got < size && n > 0) {
        n = zip_fread(s->file, (char *)out + got, size - got);
        got += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        return fail_stream(s, err);
    if (got < size)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is damaged: it is shorter than the archive says", s->name);
    s->left -= size;
    if (s->left > 0)
        return CONVOY_OK;
    n = zip_fread(s->file, &more, 1);
    if (n < 0)
        return fail_stream(s, err);
    return n == 0 ? CONVOY_OK
                  : base_fail(err, CONVOY_ERROR_FORMAT, "%s is damaged: it is longer than the archive says", s->name);
}

void zip_stream_close(zip_stream *s)
{
    if (s == NULL)
        return;
    zip_fclose(s->file);
    free(s);
}

bool zip_archive_has(zip_archive *archive, const char *name)
{
    return zip_name_locate(archive->zip, name, 0) >= 0;
}

convoy_status zip_archive_read(zip_archive *archive, const char *name, size_t limit, char **out, size_t *size,
                               convoy_error *err)
{
    zip_stream *stream = NULL;
    TRY(zip_stream_open(archive, name, limit, &stream, size, err));
    char *data = malloc(*size + 1);
    convoy_status status = data ? zip_stream_read(stream, data, *size, err) : OUT_OF_MEMORY(err);
    zip_stream_close(stream);
    if (status != CONVOY_OK) {
        free(data);
        return status;
    }
    data[*size] = '\0';
    *out = data;
    return CONVOY_OK;
}

/* ---- writing ---- */

/* As numpy and Python's zipfile do it, members bear the first date that a zip archive knows. */
static convoy_status add_members(zip_t *zip, const zip_member *members, size_t count, convoy_error *err)
{
    const zip_uint16_t first_date = 1 << 5 | 1;
    for (size_t i = 0; i < count; i++) {
        zip_source_t *data = zip_source_buffer(zip, members[i].data, members[i].size, 0);
        zip_int64_t index = data ? zip_file_add(zip, members[i].name, data, ZIP_FL_ENC_UTF_8) : -1;
        if (index < 0 && data != NULL)
            zip_source_free(data);
        if (index < 0 || zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0 ||
            zip_file_set_dostime(zip, (zip_uint64_t)index, 0, first_date, 0) != 0)
            return base_fail(err, CONVOY_ERROR_MEMORY, "can't pack %s: %s", members[i].name, zip_strerror(zip));
    }
    return CONVOY_OK;
}

static convoy_status take_bytes(zip_source_t *archive, char **out, size_t *size, convoy_error *err)
{
    zip_int64_t length = -1;
    char *data = NULL;
    if (zip_source_open(archive) == 0) {
        if (zip_source_seek(archive, 0, SEEK_END) == 0)
            length = zip_source_tell(archive);
        if (length > 0 && zip_source_seek(archive, 0, SEEK_SET) == 0)
            data = malloc((size_t)length);
        if (data != NULL && zip_source_read(archive, data, (zip_uint64_t)length) != length) {
            free(data);
            data = NULL;
        }
        zip_source_close(archive);
    }
    *out = data;
    *size = (size_t)length;
    return data ? CONVOY_OK : OUT_OF_MEMORY(err);
}

convoy_status zip_archive_build(const zip_member *members, size_t count, char **out, size_t *size,
                                convoy_error *err)
{
    zip_source_t *archive = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_t *zip = archive ? zip_open_from_source(archive, ZIP_TRUNCATE, NULL) : NULL;
    if (zip == NULL) {
        zip_source_free(archive);
        return OUT_OF_MEMORY(err);
    }
    zip_source_keep(archive); /* past zip_close, which drops one reference */
    convoy_status status = add_members(zip, members, count, err);
    if (status != CONVOY_OK)
        zip_discard(zip);
    else if (zip_close(zip) != 0) {
        status = base_fail(err, CONVOY_ERROR_MEMORY, "can't pack the archive: %s", zip_strerror(zip));
        zip_discard(zip);
    } else {
        status = take_bytes(archive, out, size, err);
    }
    zip_source_free(archive);
    return status;
}
