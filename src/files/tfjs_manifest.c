/* The manifest of a TensorFlow.js model's weights, and the shards with their bytes. Both may come from anybody: names must stay in the
 * file's folder, and the sizes of all are compared before anything is allocated. */
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "files/safetensors.h"
#include "files/tfjs.h"
#include "words/option.h"

#define MOST_NAMED 3 /* shards, in a message */

static const struct {
    const char *name;
    size_t bytes;
} kinds[] = {
    [TFJS_FLOAT32] = {"float32", 4}, [TFJS_INT32] = {"int32", 4}, [TFJS_FLOAT16] = {"float16", 2},
    [TFJS_UINT16] = {"uint16", 2},   [TFJS_UINT8] = {"uint8", 1}, [TFJS_BOOL] = {"bool", 1},
};

/* ---- one weight ---- */

static bool find_kind(const json_t *value, tfjs_kind *out)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (tfjs_kind)i;
            return true;
        }
    return false;
}

/* {"dtype": "uint8", "min": -1.5, "scale": 0.01, "original_dtype": "float32"}; float16 has neither min nor scale. */
static convoy_status read_quantization(const json_t *value, tfjs_weight *w, convoy_error *err)
{
    char found[200];
    tfjs_kind original = w->kind;
    const json_t *before = json_object_get(value, "original_dtype"), *dtype = json_object_get(value, "dtype");
    const json_t *min = json_object_get(value, "min"), *scale = json_object_get(value, "scale");
    if ((before != NULL && !find_kind(before, &original)) || (original != TFJS_FLOAT32 && original != TFJS_INT32))
        return base_fail(err, CONVOY_ERROR_FORMAT, "quantization of %s; that of float32 and int32 can be read",
                         before != NULL ? option_value_text(before, found, sizeof found) : kinds[original].name);
    if (!find_kind(dtype, &w->kind) || (w->kind != TFJS_UINT8 && w->kind != TFJS_UINT16 && w->kind != TFJS_FLOAT16))
        return base_fail(err, CONVOY_ERROR_FORMAT, "quantization's dtype is %s; uint8, uint16 and float16 can be read",
                         option_value_text(dtype, found, sizeof found));
    w->quantized = w->kind != TFJS_FLOAT16;
    w->whole = w->quantized && original == TFJS_INT32;
    if (w->quantized && (!json_is_number(min) || !json_is_number(scale)))
        return base_fail(err, CONVOY_ERROR_FORMAT, "quantization is %s; %s needs the numbers min and scale",
                         option_value_text(value, found, sizeof found), kinds[w->kind].name);
    w->min = json_number_value(min);
    w->scale = json_number_value(scale);
    return CONVOY_OK;
}

static convoy_status read_weight(const json_t *value, tfjs_weight *w, convoy_error *err)
{
    char found[200];
    const json_t *dtype = json_object_get(value, "dtype"), *quantization = json_object_get(value, "quantization");
    const char *group = json_string_value(json_object_get(value, "group"));
    w->is_optimizers = group != NULL && strcmp(group, "optimizer") == 0;
    if (!find_kind(dtype, &w->kind))
        return base_fail(err, CONVOY_ERROR_FORMAT, "dtype is %s; float32, int32, float16, uint16, uint8 and bool can be read",
                         option_value_text(dtype, found, sizeof found));
    if (json_is_object(quantization))
        TRY(read_quantization(quantization, w, err));
    else if (quantization != NULL && !json_is_null(quantization))
        return base_fail(err, CONVOY_ERROR_FORMAT, "quantization is %s; expected an object",
                         option_value_text(quantization, found, sizeof found));
    w->shape = json_object_get(value, "shape");
    TRY(safetensors_read_shape(w->shape, &w->count, err));
    if (__builtin_mul_overflow(w->count, kinds[w->kind].bytes, &w->bytes))
        return base_fail(err, CONVOY_ERROR_FORMAT, "shape is %s: more bytes than can be counted",
                         option_value_text(w->shape, found, sizeof found));
    return CONVOY_OK;
}

/* ---- all of them ---- */

static convoy_status read_group(const json_t *group, size_t index, tfjs_manifest *out, convoy_error *err)
{
    char found[200];
    size_t end = 0;
    const json_t *weights = json_object_get(group, "weights");
    if (!json_is_array(json_object_get(group, "paths")) || !json_is_array(weights))
        return base_fail(err, CONVOY_ERROR_FORMAT, "found %s; expected an object with the lists paths and weights",
                         option_value_text(group, found, sizeof found));
    for (size_t i = 0; i < json_array_size(weights); i++) {
        const json_t *value = json_array_get(weights, i);
        tfjs_weight *w = &out->weights[out->count++];
        *w = (tfjs_weight){.name = json_string_value(json_object_get(value, "name")), .group = index, .first = end};
        if (w->name == NULL)
            return base_fail(err, CONVOY_ERROR_FORMAT, "found %s; expected a weight's name, shape and dtype",
                             option_value_text(value, found, sizeof found));
        convoy_status status = read_weight(value, w, err);
        if (status != CONVOY_OK)
            return base_fail_in(err, status, "'%.200s'", w->name);
        if (__builtin_add_overflow(end, w->bytes, &end))
            return base_fail(err, CONVOY_ERROR_FORMAT, "the weights up to '%.200s' have more bytes than can be counted", w->name);
    }
    return CONVOY_OK;
}

convoy_status tfjs_manifest_parse(const json_t *groups, tfjs_manifest *out, convoy_error *err)
{
    char found[200];
    size_t count = 0;
    *out = (tfjs_manifest){.groups = groups};
    if (!json_is_array(groups))
        return base_fail(err, CONVOY_ERROR_FORMAT, "found %s; expected a list of groups", option_value_text(groups, found, sizeof found));
    for (size_t g = 0; g < json_array_size(groups); g++)
        count += json_array_size(json_object_get(json_array_get(groups, g), "weights"));
    out->weights = calloc(count + 1, sizeof *out->weights);
    if (out->weights == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t g = 0; g < json_array_size(groups); g++) {
        convoy_status status = read_group(json_array_get(groups, g), g, out, err);
        if (status == CONVOY_OK)
            continue;
        tfjs_manifest_free(out);
        return base_fail_in(err, status, "group %zu", g + 1);
    }
    return CONVOY_OK;
}

void tfjs_manifest_free(tfjs_manifest *manifest)
{
    free(manifest->weights);
    *manifest = (tfjs_manifest){0};
}

/* ---- shards ---- */

/* A file must not lead out of its folder. */
static bool stays_inside(const char *path)
{
    if (path[0] == '\0' || path[0] == '/')
        return false;
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

static convoy_status place_of(const json_t *shard, const char *path, char out[PATH_MAX], convoy_error *err)
{
    char found[200];
    const char *name = json_string_value(shard), *slash = strrchr(path, '/');
    if (name == NULL || !stays_inside(name))
        return base_fail(err, CONVOY_ERROR_FORMAT, "a shard's path is %s; expected one inside the folder of the model's file",
                         option_value_text(shard, found, sizeof found));
    int n = snprintf(out, PATH_MAX, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, name);
    if (n < 0 || n >= PATH_MAX)
        return base_fail(err, CONVOY_ERROR_FORMAT, "the shard's path %.100s... is too long", name);
    return CONVOY_OK;
}

static convoy_status open_shard(const json_t *shard, const char *path, char place[PATH_MAX], int *fd, size_t *size, convoy_error *err)
{
    TRY(place_of(shard, path, place, err));
    convoy_status status = file_open(place, SIZE_MAX, fd, size, err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "shard");
}

static convoy_status fail_size(const json_t *paths, size_t size, size_t need, convoy_error *err)
{
    text list = {0};
    char *names = NULL;
    size_t count = json_array_size(paths);
    for (size_t i = 0; i < count && i < MOST_NAMED; i++)
        text_add(&list, "%s%.200s", i ? ", " : "", json_string_value(json_array_get(paths, i)));
    if (count > MOST_NAMED)
        text_add(&list, " and %zu more", count - MOST_NAMED);
    text_add(&list, "%s", count == 0 ? "a group without shards" : "");
    TRY(text_take(&list, &names, err));
    base_fail(err, CONVOY_ERROR_FORMAT, "%s: %zu bytes; the weights in %s need %zu%s", names, size, count > 1 ? "them" : "it", need,
              size < need ? "; was all of it copied?" : "");
    free(names);
    return CONVOY_ERROR_FORMAT;
}

static convoy_status check_sizes(const json_t *paths, const char *path, size_t need, convoy_error *err)
{
    char place[PATH_MAX];
    size_t all = 0;
    for (size_t i = 0; i < json_array_size(paths); i++) {
        int fd;
        size_t size;
        TRY(open_shard(json_array_get(paths, i), path, place, &fd, &size, err));
        close(fd);
        if (__builtin_add_overflow(all, size, &all))
            all = SIZE_MAX;
    }
    return all == need ? CONVOY_OK : fail_size(paths, all, need, err);
}

static convoy_status read_shards(const json_t *paths, const char *path, unsigned char *out, size_t need, convoy_error *err)
{
    char place[PATH_MAX];
    for (size_t i = 0; i < json_array_size(paths); i++) {
        int fd;
        size_t size;
        TRY(open_shard(json_array_get(paths, i), path, place, &fd, &size, err));
        convoy_status status = size <= need ? file_read_at(fd, place, 0, out, size, err)
                                            : base_fail(err, CONVOY_ERROR_FILE, "%s: grew while it was read", place);
        close(fd);
        if (status != CONVOY_OK)
            return status;
        out += size;
        need -= size;
    }
    return need == 0 ? CONVOY_OK : base_fail(err, CONVOY_ERROR_FILE, "%s: shrank while it was read", place);
}

convoy_status tfjs_manifest_read(const tfjs_manifest *manifest, size_t group, const char *path, unsigned char **out, convoy_error *err)
{
    const json_t *paths = json_object_get(json_array_get(manifest->groups, group), "paths");
    size_t need = 0;
    for (size_t i = 0; i < manifest->count; i++)
        need += manifest->weights[i].group == group ? manifest->weights[i].bytes : 0;
    TRY(check_sizes(paths, path, need, err));
    unsigned char *bytes = malloc(need + 1);
    if (bytes == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = read_shards(paths, path, bytes, need, err);
    if (status == CONVOY_OK)
        *out = bytes;
    else
        free(bytes);
    return status;
}

/* ---- values ---- */

static double value_of(tfjs_kind kind, uint32_t bits)
{
    float single;
    switch (kind) {
    case TFJS_FLOAT32: memcpy(&single, &bits, sizeof single); return (double)single;
    case TFJS_INT32: return (double)(int32_t)bits;
    case TFJS_FLOAT16: return (double)safetensors_half(bits);
    case TFJS_BOOL: return bits != 0;
    case TFJS_UINT16:
    case TFJS_UINT8: break;
    }
    return bits;
}

void tfjs_manifest_values(const tfjs_weight *weight, const unsigned char *bytes, float *out)
{
    size_t size = kinds[weight->kind].bytes;
    const unsigned char *at = bytes + weight->first;
    for (size_t i = 0; i < weight->count; i++, at += size) {
        uint32_t bits = 0;
        for (size_t b = 0; b < size; b++)
            bits |= (uint32_t)at[b] << 8 * b;
        double value = value_of(weight->kind, bits);
        if (weight->quantized)
            value = value * weight->scale + weight->min;
        out[i] = (float)(weight->whole ? round(value) : value);
    }
}
