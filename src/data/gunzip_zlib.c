/* Unpacking, by zlib. image_none.c stands in where that is missing. */
#include <stdlib.h>
#include <zlib.h>

#include "data/gunzip.h"

/* Gives `stream` more room behind what it has written. */
static convoy_status more_room(z_stream *stream, char **data, size_t *room, size_t limit, const char *path,
                               convoy_error *err)
{
    size_t used = *room, more = used ? 2 * used : (size_t)1 << 16;
    if (used > limit)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: unpacks to more than %zu bytes, the most that are expected here",
                         path, limit);
    char *moved = realloc(*data, more + 1);
    if (moved == NULL)
        return OUT_OF_MEMORY(err);
    *data = moved;
    *room = more;
    stream->next_out = (Bytef *)moved + used;
    stream->avail_out = (uInt)(more - used);
    return CONVOY_OK;
}

static convoy_status inflate_all(z_stream *stream, const char *path, size_t limit, char **data, size_t *size,
                                 convoy_error *err)
{
    size_t room = 0;
    int code = Z_OK;
    while (code == Z_OK) {
        if (stream->avail_out == 0)
            TRY(more_room(stream, data, &room, limit, path, err));
        code = inflate(stream, Z_NO_FLUSH);
        if (code == Z_BUF_ERROR && stream->avail_out == 0)
            code = Z_OK;
    }
    if (code == Z_MEM_ERROR)
        return OUT_OF_MEMORY(err);
    if (code != Z_STREAM_END)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: truncated or damaged: it can't be unpacked (gzip%s%s)", path,
                         stream->msg ? ": " : "", stream->msg ? stream->msg : "");
    *size = room - stream->avail_out;
    (*data)[*size] = '\0';
    return CONVOY_OK;
}

convoy_status gunzip_unpack(const char *path, const char *packed, size_t packed_size, size_t limit, char **out, size_t *size,
                            convoy_error *err)
{
    char *data = NULL;
    z_stream stream = {.next_in = (z_const Bytef *)packed, .avail_in = (uInt)packed_size};
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return OUT_OF_MEMORY(err);
    convoy_status status = inflate_all(&stream, path, limit, &data, size, err);
    inflateEnd(&stream);
    if (status != CONVOY_OK)
        free(data);
    else
        *out = data;
    return status;
}
