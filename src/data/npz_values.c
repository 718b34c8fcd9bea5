#include "data/npz_values.h"

#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)16384) /* values */

void npz_values_close(npz_values *v)
{
    zip_stream_close(v->stream);
    free(v->head);
    *v = (npz_values){0};
}

convoy_status npz_values_open(zip_archive *archive, const char *name, npz_values *out, convoy_error *err)
{
    size_t size = 0;
    npz_values_close(out);
    TRY(zip_stream_open(archive, name, NPZ_MEMBER_LIMIT, &out->stream, &size, err));
    out->held = size < NPY_HEAD ? size : NPY_HEAD;
    out->head = malloc(out->held + 1);
    if (out->head == NULL)
        return OUT_OF_MEMORY(err);
    TRY(zip_stream_read(out->stream, out->head, out->held, err));
    convoy_status status = npy_parse_head(out->head, out->held, size, &out->array, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", name);
    out->at = (size_t)(out->array.data - out->head);
    return CONVOY_OK;
}

convoy_status npz_values_bytes(npz_values *v, void *out, size_t size, convoy_error *err)
{
    size_t ready = v->held - v->at < size ? v->held - v->at : size;
    memcpy(out, v->head + v->at, ready);
    v->at += ready;
    return ready < size ? zip_stream_read(v->stream, (uint8_t *)out + ready, size - ready, err) : CONVOY_OK;
}

convoy_status npz_values_visit(npz_values *v, npz_visit *take, void *user, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    npy piece = v->array;
    uint8_t *bytes = malloc(PIECE * (size_t)piece.bytes);
    if (bytes == NULL)
        return OUT_OF_MEMORY(err);
    piece.data = bytes;
    for (size_t i = 0; i < piece.count && status == CONVOY_OK; i += PIECE) {
        size_t count = piece.count - i < PIECE ? piece.count - i : PIECE;
        status = npz_values_bytes(v, bytes, count * (size_t)piece.bytes, err);
        if (status == CONVOY_OK)
            status = take(user, &piece, i, count, err);
    }
    free(bytes);
    return status;
}
