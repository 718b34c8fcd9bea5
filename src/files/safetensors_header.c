/* Headers of safetensors files, which may come from anybody: every number is checked before it is used. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/safetensors.h"
#include "words/option.h"

#define LENGTH_BYTES 8
#define MOST_HEADER ((size_t)64 << 20)
#define METADATA "__metadata__" /* texts about the file; no tensor */

static const struct {
    const char *name;
    size_t bytes;
} kinds[] = {
    [SAFETENSORS_F32] = {"F32", 4},
    [SAFETENSORS_F64] = {"F64", 8},
    [SAFETENSORS_F16] = {"F16", 2},
    [SAFETENSORS_BF16] = {"BF16", 2},
};

/* ---- one tensor ---- */

static convoy_status read_kind(const json_t *value, safetensors_kind *out, convoy_error *err)
{
    char found[100];
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (safetensors_kind)i;
            return CONVOY_OK;
        }
    return base_fail(err, CONVOY_ERROR_FORMAT, "dtype is %s; F32, F64, F16 and BF16 can be read",
                     option_value_text(value, found, sizeof found));
}

/* A whole number that an index can hold. */
static bool read_size(const json_t *value, size_t *out)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number > SIZE_MAX)
        return false;
    *out = (size_t)number;
    return true;
}

convoy_status safetensors_read_shape(const json_t *shape, size_t *count, convoy_error *err)
{
    char found[200];
    bool good = json_is_array(shape), fits = true;
    *count = 1;
    for (size_t i = 0; good && i < json_array_size(shape); i++) {
        size_t side = 0;
        good = read_size(json_array_get(shape, i), &side);
        fits = fits && !__builtin_mul_overflow(*count, side, count);
    }
    option_value_text(shape, found, sizeof found);
    if (!good)
        return base_fail(err, CONVOY_ERROR_FORMAT, "shape is %s; expected a list of sizes", found);
    if (!fits)
        return base_fail(err, CONVOY_ERROR_FORMAT, "shape %s has more values than can be counted", found);
    return CONVOY_OK;
}

static bool same_shape(const json_t *found, const convoy_shape *shape)
{
    bool same = json_array_size(found) == (size_t)shape->rank;
    for (int i = 0; same && i < shape->rank; i++)
        same = json_integer_value(json_array_get(found, (size_t)i)) == shape->dim[i];
    return same;
}

static void shape_words(const convoy_shape *shape, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < shape->rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, i ? ",%d" : "%d", shape->dim[i]);
    if (used < size)
        snprintf(out + used, size - used, "]");
}

convoy_status safetensors_check_shape(const char *name, const json_t *found, const convoy_shape *needed, convoy_error *err)
{
    char text[200], expected[96];
    if (same_shape(found, needed))
        return CONVOY_OK;
    shape_words(needed, expected, sizeof expected);
    return base_fail(err, CONVOY_ERROR_FORMAT, "'%s' has the shape %s; the model needs %s", name,
                     option_value_text(found, text, sizeof text), expected);
}

static convoy_status read_entry(const safetensors_file *file, const json_t *value, safetensors_entry *e, convoy_error *err)
{
    char found[200];
    size_t bytes;
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (!json_is_object(value))
        return base_fail(err, CONVOY_ERROR_FORMAT, "found %s; expected dtype, shape and data_offsets",
                         option_value_text(value, found, sizeof found));
    TRY(read_kind(json_object_get(value, "dtype"), &e->kind, err));
    e->shape = json_object_get(value, "shape");
    TRY(safetensors_read_shape(e->shape, &e->count, err));
    option_value_text(offsets, found, sizeof found);
    if (json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &e->first) ||
        !read_size(json_array_get(offsets, 1), &e->end) || e->first > e->end)
        return base_fail(err, CONVOY_ERROR_FORMAT, "data_offsets is %s; expected [first byte, byte behind the last]", found);
    if (e->end > file->size)
        return base_fail(err, CONVOY_ERROR_FORMAT, "data_offsets is %s, but there are only %zu bytes of data; is the file "
                         "truncated?", found, file->size);
    if (__builtin_mul_overflow(e->count, kinds[e->kind].bytes, &bytes) || bytes != e->end - e->first)
        return base_fail(err, CONVOY_ERROR_FORMAT, "data_offsets is %s, %zu bytes; %zu values of %s need another number", found,
                         e->end - e->first, e->count, kinds[e->kind].name);
    return CONVOY_OK;
}

/* ---- all of them ---- */

static int by_place(const void *a, const void *b)
{
    const safetensors_entry *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static convoy_status check_places(const safetensors_file *file, convoy_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < file->count; at = file->entries[i++].end) {
        const safetensors_entry *e = &file->entries[i];
        if (e->first < at)
            return base_fail(err, CONVOY_ERROR_FORMAT, "'%.200s' and '%.200s' overlap", file->entries[i - 1].name, e->name);
        if (e->first > at)
            return base_fail(err, CONVOY_ERROR_FORMAT, "%zu bytes in front of '%.200s' belong to nobody", e->first - at, e->name);
    }
    if (at != file->size)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%zu bytes at the end belong to nobody", file->size - at);
    return CONVOY_OK;
}

static convoy_status read_entries(safetensors_file *file, convoy_error *err)
{
    const char *name;
    json_t *value;
    file->entries = calloc(json_object_size(file->header) + 1, sizeof *file->entries);
    if (file->entries == NULL)
        return OUT_OF_MEMORY(err);
    json_object_foreach(file->header, name, value) {
        safetensors_entry *e = &file->entries[file->count];
        if (strcmp(name, METADATA) == 0)
            continue;
        e->name = name;
        file->count++;
        convoy_status status = read_entry(file, value, e, err);
        if (status != CONVOY_OK)
            return base_fail_in(err, status, "'%.200s'", name);
    }
    qsort(file->entries, file->count, sizeof *file->entries, by_place);
    return check_places(file, err);
}

static convoy_status read_header(const unsigned char *bytes, size_t size, safetensors_file *out, convoy_error *err)
{
    uint64_t length = 0;
    json_error_t where;
    if (size < LENGTH_BYTES)
        return base_fail(err, CONVOY_ERROR_FORMAT, "not a safetensors file: %zu bytes; the length of the header alone has %d", size,
                         LENGTH_BYTES);
    for (int i = 0; i < LENGTH_BYTES; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    if (length > size - LENGTH_BYTES || length > MOST_HEADER)
        return base_fail(err, CONVOY_ERROR_FORMAT, "a damaged or truncated safetensors file, or none: its header would have %llu "
                         "bytes, but %zu follow (and at most %zu are read)", (unsigned long long)length, size - LENGTH_BYTES,
                         MOST_HEADER);
    out->data = bytes + LENGTH_BYTES + length;
    out->size = size - LENGTH_BYTES - (size_t)length;
    out->header = json_loadb((const char *)bytes + LENGTH_BYTES, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (out->header == NULL && json_error_code(&where) == json_error_out_of_memory)
        return OUT_OF_MEMORY(err);
    if (out->header == NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "the header is broken JSON at line %d, column %d: %s", where.line, where.column,
                         where.text);
    if (!json_is_object(out->header))
        return base_fail(err, CONVOY_ERROR_FORMAT, "the header is no JSON object");
    return CONVOY_OK;
}

convoy_status safetensors_parse(const void *bytes, size_t size, safetensors_file *out, convoy_error *err)
{
    *out = (safetensors_file){0};
    convoy_status status = read_header(bytes, size, out, err);
    if (status == CONVOY_OK)
        status = read_entries(out, err);
    if (status != CONVOY_OK)
        safetensors_free(out);
    return status;
}

void safetensors_free(safetensors_file *file)
{
    json_decref(file->header);
    free(file->entries);
    *file = (safetensors_file){0};
}

safetensors_entry *safetensors_find(const safetensors_file *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0)
            return &file->entries[i];
    return NULL;
}

/* ---- values ---- */

float safetensors_half(uint32_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value = exponent == 0 ? ldexpf((float)fraction, -24)
                                : exponent == 31 ? (fraction ? NAN : INFINITY) : ldexpf((float)(fraction | 1024), exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static float value_of(safetensors_kind kind, uint64_t bits)
{
    uint32_t word = (uint32_t)(kind == SAFETENSORS_BF16 ? bits << 16 : bits);
    float single;
    double wide;
    if (kind == SAFETENSORS_F16)
        return safetensors_half(word);
    if (kind == SAFETENSORS_F64) {
        memcpy(&wide, &bits, sizeof wide);
        return (float)wide;
    }
    memcpy(&single, &word, sizeof single);
    return single;
}

void safetensors_values(const safetensors_file *file, const safetensors_entry *entry, float *out)
{
    size_t bytes = kinds[entry->kind].bytes;
    const unsigned char *at = file->data + entry->first;
    for (size_t i = 0; i < entry->count; i++, at += bytes) {
        uint64_t bits = 0;
        for (size_t b = 0; b < bytes; b++)
            bits |= (uint64_t)at[b] << 8 * b;
        out[i] = value_of(entry->kind, bits);
    }
}
