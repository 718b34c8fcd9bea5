#include "data/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "convoy/npy.h"

#define HEADER_LIMIT 65536
#define FILE_LIMIT ((size_t)1 << 34)

/* ---- the header's dict ---- */

typedef struct header {
    const char *at, *end;
} header;

static void skip_blanks(header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t'))
        h->at++;
}

static bool eat(header *h, const char *text)
{
    size_t length = strlen(text);
    skip_blanks(h);
    if ((size_t)(h->end - h->at) < length || memcmp(h->at, text, length) != 0)
        return false;
    h->at += length;
    return true;
}

/* 'text' or "text", of fewer than `size` bytes. */
static bool eat_string(header *h, char *out, size_t size)
{
    char quote;
    size_t length = 0;
    skip_blanks(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"'))
        return false;
    for (quote = *h->at++; h->at < h->end && *h->at != quote; h->at++) {
        if (length + 1 >= size)
            return false;
        out[length++] = *h->at;
    }
    out[length] = '\0';
    if (h->at == h->end)
        return false;
    h->at++;
    return true;
}

static bool eat_number(header *h, size_t *out)
{
    skip_blanks(h);
    const char *start = h->at;
    for (*out = 0; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++)
        if (__builtin_mul_overflow(*out, (size_t)10, out) ||
            __builtin_add_overflow(*out, (size_t)(*h->at - '0'), out))
            return false;
    return h->at > start;
}

static convoy_status fail_header(convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_FORMAT,
                     "a damaged .npy header: {'descr': ..., 'fortran_order': ..., 'shape': (...)} is expected");
}

static convoy_status read_type(header *h, npy *out, convoy_error *err)
{
    char type[16];
    if (!eat_string(h, type, sizeof type))
        return base_fail(err, CONVOY_ERROR_FORMAT, "values of several fields; plain numbers are expected");
    char order = type[0];
    bool known = strchr("<>|=", order) != NULL && order != '\0' && strchr("uifb", type[1]) != NULL && type[1] != '\0' &&
                 strchr("1248", type[2]) != NULL && type[2] != '\0' && type[3] == '\0';
    if (order == '>' && known && type[2] != '1')
        return base_fail(err, CONVOY_ERROR_FORMAT, "big-endian values ('%s'); little-endian ones are expected", type);
    if (!known || (type[1] == 'f' && type[2] == '1') || (type[1] == 'b' && type[2] != '1'))
        return base_fail(err, CONVOY_ERROR_FORMAT, "values of the type '%s'; integers and floats are expected",
                         type);
    out->kind = type[1];
    out->bytes = type[2] - '0';
    return CONVOY_OK;
}

static convoy_status read_shape(header *h, npy *out, convoy_error *err)
{
    if (!eat(h, "("))
        return fail_header(err);
    while (!eat(h, ")")) {
        if (out->rank == NPY_MOST_RANK)
            return base_fail(err, CONVOY_ERROR_FORMAT, "an array of more than %d dimensions", NPY_MOST_RANK);
        if (!eat_number(h, &out->dim[out->rank++]))
            return fail_header(err);
        if (!eat(h, ",")) {
            if (!eat(h, ")"))
                return fail_header(err);
            break;
        }
    }
    return CONVOY_OK;
}

static convoy_status read_dict(header *h, npy *out, convoy_error *err)
{
    enum { TYPE = 1, ORDER = 2, SHAPE = 4 };
    int seen = 0;
    char key[32];
    if (!eat(h, "{"))
        return fail_header(err);
    while (!eat(h, "}")) {
        if (!eat_string(h, key, sizeof key) || !eat(h, ":"))
            return fail_header(err);
        int now = strcmp(key, "descr") == 0 ? TYPE : strcmp(key, "fortran_order") == 0 ? ORDER
                : strcmp(key, "shape") == 0 ? SHAPE : 0;
        if (now == 0 || (seen & now) != 0)
            return fail_header(err);
        seen |= now;
        if (now == TYPE)
            TRY(read_type(h, out, err));
        else if (now == SHAPE)
            TRY(read_shape(h, out, err));
        else if (eat(h, "True"))
            return base_fail(err, CONVOY_ERROR_FORMAT,
                             "an array in Fortran's order; C order is expected (numpy.ascontiguousarray)");
        else if (!eat(h, "False"))
            return fail_header(err);
        eat(h, ",");
    }
    return seen == (TYPE | ORDER | SHAPE) ? CONVOY_OK : fail_header(err);
}

/* ---- the file ---- */

/* Where the dict begins and ends. */
static convoy_status find_dict(const uint8_t *bytes, size_t size, header *out, convoy_error *err)
{
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "not a .npy file: it does not begin with \\x93NUMPY");
    if (bytes[6] < 1 || bytes[6] > 3)
        return base_fail(err, CONVOY_ERROR_FORMAT, "version %d of the .npy format; 1 to 3 are read", bytes[6]);
    size_t start = bytes[6] == 1 ? 10 : 12, length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (size >= 12 && bytes[6] > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size < start || length > size - start || length > HEADER_LIMIT)
        return base_fail(err, CONVOY_ERROR_FORMAT, "truncated or damaged: a header of %zu bytes in a file of %zu", length,
                         size);
    *out = (header){(const char *)bytes + start, (const char *)bytes + start + length};
    return CONVOY_OK;
}

convoy_status npy_parse_head(const uint8_t *bytes, size_t held, size_t size, npy *out, convoy_error *err)
{
    header h = {0};
    size_t total = 0;
    *out = (npy){0};
    TRY(find_dict(bytes, held, &h, err));
    out->data = (const uint8_t *)h.end;
    TRY(read_dict(&h, out, err));
    out->count = 1;
    bool fits = true;
    for (int i = 0; i < out->rank; i++)
        fits = fits && !__builtin_mul_overflow(out->count, out->dim[i], &out->count);
    fits = fits && !__builtin_mul_overflow(out->count, (size_t)out->bytes, &total);
    size_t there = size - (size_t)(out->data - bytes);
    if (!fits || total != there)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: %zu bytes of values are there, and the header announces %zu",
                         fits && total < there ? "damaged" : "truncated or damaged", there, fits ? total : SIZE_MAX);
    return CONVOY_OK;
}

convoy_status npy_parse(const uint8_t *bytes, size_t size, npy *out, convoy_error *err)
{
    return npy_parse_head(bytes, size, size, out, err);
}

/* IEEE 754's binary16. */
static double half_value(uint32_t bits)
{
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023), value;
    if (exponent == 31)
        value = fraction == 0 ? INFINITY : NAN;
    else
        value = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25);
    return bits >> 15 & 1 ? -value : value;
}

double npy_value(const npy *array, size_t index)
{
    const uint8_t *at = array->data + index * (size_t)array->bytes;
    uint64_t bits = 0;
    for (int i = 0; i < array->bytes; i++)
        bits |= (uint64_t)at[i] << (8 * i);
    if (array->kind == 'f') {
        float narrow;
        double wide;
        uint32_t low = (uint32_t)bits;
        memcpy(&narrow, &low, sizeof narrow);
        memcpy(&wide, &bits, sizeof wide);
        return array->bytes == 2 ? half_value(low) : array->bytes == 4 ? (double)narrow : wide;
    }
    if (array->kind == 'i' && array->bytes < 8 && bits >> (8 * array->bytes - 1))
        bits |= ~(uint64_t)0 << (8 * array->bytes);
    return array->kind == 'i' ? (double)(int64_t)bits : (double)bits;
}

const char *npy_text(const npy *array, char *out, size_t size)
{
    const char *kind = array->kind == 'u' ? "uint" : array->kind == 'i' ? "int" : array->kind == 'f' ? "float" : "bool";
    size_t used = array->kind == 'b' ? (size_t)snprintf(out, size, "bool (")
                                     : (size_t)snprintf(out, size, "%s%d (", kind, 8 * array->bytes);
    for (int i = 0; i < array->rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", i ? ", " : "", array->dim[i]);
    if (used < size)
        snprintf(out + used, size - used, "%s)", array->rank == 1 ? "," : "");
    return out;
}

/* ---- for programs ---- */

static convoy_status to_floats(const npy *array, float **values, size_t *count, convoy_shape *shape, convoy_error *err)
{
    char text[200];
    if (array->rank < 1 || array->rank > CONVOY_MAX_RANK + 1 || array->count == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "an array %s; rows of up to %d dimensions are expected",
                         npy_text(array, text, sizeof text), CONVOY_MAX_RANK);
    *shape = (convoy_shape){.rank = array->rank - 1};
    for (int i = 1; i < array->rank; i++) {
        if (array->dim[i] > INT32_MAX)
            return base_fail(err, CONVOY_ERROR_FORMAT, "an array %s: too large", npy_text(array, text, sizeof text));
        shape->dim[i - 1] = (int)array->dim[i];
    }
    float *out = array->count <= SIZE_MAX / sizeof *out ? malloc(array->count * sizeof *out) : NULL;
    if (out == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < array->count; i++)
        out[i] = (float)npy_value(array, i);
    *values = out;
    *count = array->dim[0];
    return CONVOY_OK;
}

convoy_status convoy_npy_read(const char *path, float **values, size_t *count, convoy_shape *shape, convoy_error *err)
{
    char *text = NULL;
    size_t size = 0;
    npy array;
    if (path == NULL || values == NULL || count == NULL || shape == NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no %s", path == NULL ? "file to read" : "place for the array");
    TRY(file_read(path, FILE_LIMIT, &text, &size, err));
    convoy_status status = npy_parse((const uint8_t *)text, size, &array, err);
    if (status == CONVOY_OK)
        status = to_floats(&array, values, count, shape, err);
    free(text);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

/* Little-endian whatever the host is. */
static void add_float(text *t, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
    text_add_bytes(t, bytes, sizeof bytes);
}

convoy_status convoy_npy_write(const char *path, const float *values, size_t count, const convoy_shape *shape,
                               convoy_error *err)
{
    text dict = {0}, t = {0};
    size_t row = 1;
    if (path == NULL || values == NULL || shape == NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no %s", path == NULL ? "file to write" : "array to write");
    text_add(&dict, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu,", count);
    for (int i = 0; i < shape->rank; i++) {
        row *= (size_t)shape->dim[i];
        text_add(&dict, " %d%s", shape->dim[i], i + 1 < shape->rank ? "," : "");
    }
    text_add(&dict, "), }");
    while ((10 + dict.length + 1) % 64 != 0 && !dict.failed)
        text_add_bytes(&dict, " ", 1);
    text_add_bytes(&dict, "\n", 1);
    text_add_bytes(&t, "\x93NUMPY\x01", 8);
    const uint8_t length[2] = {(uint8_t)dict.length, (uint8_t)(dict.length >> 8)};
    text_add_bytes(&t, length, sizeof length);
    text_add_bytes(&t, dict.data, dict.failed ? 0 : dict.length);
    for (size_t i = 0; i < count * row; i++)
        add_float(&t, values[i]);
    convoy_status status = dict.failed || t.failed ? OUT_OF_MEMORY(err) : file_write(path, t.data, t.length, err);
    text_free(&dict);
    text_free(&t);
    return status;
}
