/* A model's weights in a safetensors file: each is named by its way through the models inside the model, "LAYER/kernel". */
#include "files/safetensors.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "files/files.h"
#include "model/level.h"

#define LENGTH_BYTES 8 /* of the header's length */
#define ALIGNMENT 8    /* of the data: the header is padded */

/* What each visit of a weight is given. */
typedef convoy_status (*weight_visit)(void *user, const char *path, const layer_param *param, float *values, convoy_error *err);

static convoy_status visit_node(const convoy_model *model, const model_node *node, weight_visit visit, void *user,
                                convoy_error *err)
{
    char path[LEVEL_WEIGHT_PATH];
    for (int p = 0; p < node->layer->param_count; p++) {
        TRY(level_weight_path(model, node, p, path, err));
        TRY(visit(user, path, &node->layer->param[p], node->weights[p], err));
    }
    return CONVOY_OK;
}

/* All weights in Keras's order. */
static convoy_status visit_weights(const convoy_model *model, weight_visit visit, void *user, convoy_error *err)
{
    size_t *nodes = NULL, count = 0;
    TRY(level_order(model, 0, &nodes, &count, err));
    convoy_status status = CONVOY_OK;
    for (size_t i = 0; i < count && status == CONVOY_OK; i++)
        status = visit_node(model, &model->nodes[nodes[i]], visit, user, err);
    free(nodes);
    return status;
}

/* ---- reading ---- */

typedef struct reading {
    const safetensors_file *file;
    const convoy_model *model;
} reading;

/* Keras puts a Sequential's own name in front of its weights' paths; and of a Functional model inside the model, whose layers were
 * made before it was, it puts none. */
static safetensors_entry *find(const reading *r, const char *path)
{
    char longer[LEVEL_WEIGHT_PATH + sizeof r->model->name + 1];
    safetensors_entry *e = safetensors_find(r->file, path);
    snprintf(longer, sizeof longer, "%s/%s", r->model->name, path);
    if (e == NULL)
        e = safetensors_find(r->file, longer);
    for (const char *rest = strchr(path, '/') + 1; e == NULL && strchr(rest, '/') != NULL; rest = strchr(rest, '/') + 1)
        e = safetensors_find(r->file, rest); /* "kernel" alone says too little */
    return e;
}

static convoy_status read_weight(void *user, const char *path, const layer_param *param, float *values, convoy_error *err)
{
    const reading *r = user;
    safetensors_entry *e = find(r, path);
    if (e == NULL || e->used)
        return base_fail(err, CONVOY_ERROR_FORMAT, "no tensor is called '%s', which the model has", path);
    TRY(safetensors_check_shape(path, e->shape, &param->shape, err));
    e->used = true;
    safetensors_values(r->file, e, values);
    return CONVOY_OK;
}

static convoy_status read_weights(convoy_model *model, const safetensors_file *file, convoy_error *err)
{
    TRY(visit_weights(model, read_weight, &(reading){file, model}, err));
    for (size_t i = 0; i < file->count; i++)
        if (!file->entries[i].used)
            return base_fail(err, CONVOY_ERROR_FORMAT, "the model has no weight for the tensor '%.200s'", file->entries[i].name);
    return CONVOY_OK;
}

/* At most what the model can take: doubles, and a header. */
static size_t limit_of(const convoy_model *model)
{
    size_t bytes;
    if (__builtin_mul_overflow(convoy_model_parameter_count(model), sizeof(double), &bytes) ||
        __builtin_add_overflow(bytes, (size_t)65 << 20, &bytes))
        return SIZE_MAX - 1;
    return bytes;
}

convoy_status safetensors_load(convoy_model *model, const char *path, convoy_error *err)
{
    char *bytes = NULL;
    size_t size = 0;
    safetensors_file file;
    TRY(file_read(path, limit_of(model), &bytes, &size, err));
    convoy_status status = safetensors_parse(bytes, size, &file, err);
    if (status == CONVOY_OK) {
        status = read_weights(model, &file, err);
        safetensors_free(&file);
    }
    free(bytes);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

/* ---- writing ---- */

typedef struct writing {
    json_t *header;
    size_t bytes;       /* of data, so far described */
    unsigned char *out; /* where the next weight's data goes */
} writing;

static convoy_status describe_weight(void *user, const char *path, const layer_param *param, float *values, convoy_error *err)
{
    writing *w = user;
    size_t end = w->bytes + param->count * sizeof(float);
    json_t *shape = json_array();
    (void)values;
    for (int i = 0; i < param->shape.rank; i++)
        json_array_append_new(shape, json_integer(param->shape.dim[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)w->bytes,
                              (json_int_t)end);
    w->bytes = end;
    return json_object_set_new(w->header, path, entry) == 0 ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status write_weight(void *user, const char *path, const layer_param *param, float *values, convoy_error *err)
{
    writing *w = user;
    (void)path, (void)err;
    for (size_t i = 0; i < param->count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int b = 0; b < 4; b++)
            *w->out++ = (unsigned char)(bits >> 8 * b);
    }
    return CONVOY_OK;
}

static convoy_status build(const convoy_model *model, writing *w, char **out, size_t *size, convoy_error *err)
{
    w->header = json_object();
    if (w->header == NULL)
        return OUT_OF_MEMORY(err);
    TRY(visit_weights(model, describe_weight, w, err));
    size_t length = json_dumpb(w->header, NULL, 0, JSON_COMPACT), padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *size = LENGTH_BYTES + padded + w->bytes;
    *out = length > 0 ? malloc(*size) : NULL;
    if (*out == NULL)
        return OUT_OF_MEMORY(err);
    for (int i = 0; i < LENGTH_BYTES; i++)
        (*out)[i] = (char)((uint64_t)padded >> 8 * i & 255);
    memset(*out + LENGTH_BYTES, ' ', padded);
    json_dumpb(w->header, *out + LENGTH_BYTES, length, JSON_COMPACT);
    w->out = (unsigned char *)*out + LENGTH_BYTES + padded;
    return visit_weights(model, write_weight, w, err);
}

convoy_status safetensors_save(const convoy_model *model, const char *path, convoy_error *err)
{
    writing w = {0};
    char *bytes = NULL;
    size_t size = 0;
    convoy_status status = build(model, &w, &bytes, &size, err);
    if (status == CONVOY_OK)
        status = file_write(path, bytes, size, err);
    else
        base_fail_in(err, status, "%s", path);
    free(bytes);
    json_decref(w.header);
    return status;
}
