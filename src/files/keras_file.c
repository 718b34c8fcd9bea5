#include "files/keras_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convoy/version.h"
#include "files/files.h"
#include "model/build.h"

#define KIND "a .keras"
#define METADATA "metadata.json"
#define CONFIG "config.json"
#define WEIGHTS "model.weights.h5"
#define NAMES "convoy.json"
#define KEPT "convoy.weights" /* sets of all weights: float32, in the order of the layers */

/* The oldest Keras, of those tried, that reads this form of config: of a chain, and of a graph. */
#define KERAS_VERSION "3.0.5"
#define KERAS_GRAPH_VERSION "3.4.1"

convoy_status keras_file_supported(convoy_error *err)
{
    (void)err;
    return CONVOY_OK;
}

/* ---- reading ---- */

/* What the weights can take: double precision for each value and four slots of an optimizer, with room to spare. It
 * keeps an archive that unpacks to far more than its model needs from filling the memory. */
static size_t weights_limit(const convoy_model *model)
{
    size_t bytes;
    if (__builtin_mul_overflow(convoy_model_parameter_count(model), (size_t)64, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)16 << 20, &bytes))
        return SIZE_MAX - 1;
    return bytes;
}

static convoy_status read_config(zip_archive *archive, convoy_model **out, convoy_error *err)
{
    char *json = NULL;
    size_t size = 0;
    json_t *root = NULL;
    TRY(zip_archive_read(archive, CONFIG, MOST_JSON, &json, &size, err));
    convoy_status status = config_parse(json, size, &root, err);
    free(json);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, CONFIG);
    config_modernise(root);
    status = model_from_config(root, out, err);
    if (status == CONVOY_OK)
        status = keras_compile_read(root, *out, err);
    json_decref(root);
    return status == CONVOY_OK ? status : base_fail_in(err, status, CONFIG);
}

static convoy_status read_weights(zip_archive *archive, convoy_model *model, convoy_error *err)
{
    char *data = NULL;
    size_t size = 0;
    TRY(zip_archive_read(archive, WEIGHTS, weights_limit(model), &data, &size, err));
    convoy_status status = keras_weights_read(model, data, size, err);
    free(data);
    return status == CONVOY_OK ? status : base_fail_in(err, status, WEIGHTS);
}

/* An extra that most files lack. */
static convoy_status read_names(zip_archive *archive, convoy_model *model, convoy_error *err)
{
    char *data = NULL;
    size_t size = 0;
    if (!zip_archive_has(archive, NAMES))
        return CONVOY_OK;
    TRY(zip_archive_read(archive, NAMES, MOST_JSON, &data, &size, err));
    convoy_status status = keras_names_read(data, size, model, err);
    free(data);
    return status;
}

/* Another extra: sets that are not whole are none. */
static convoy_status read_kept(zip_archive *archive, convoy_model *model, convoy_error *err)
{
    char *data = NULL;
    float *sets = NULL;
    size_t size = 0, set = convoy_model_parameter_count(model) * sizeof(float);
    if (model->training == NULL || !zip_archive_has(archive, KEPT))
        return CONVOY_OK;
    TRY(zip_archive_read(archive, KEPT, weights_limit(model), &data, &size, err));
    convoy_status status = CONVOY_OK;
    if (set > 0 && size > 0 && size % set == 0)
        status = model_keep_weights(model, size / set, &sets, err);
    if (sets != NULL && status == CONVOY_OK)
        memcpy(sets, data, size);
    free(data);
    return status;
}

convoy_status keras_file_load(const char *path, convoy_model **out, convoy_error *err)
{
    zip_archive *archive = NULL;
    convoy_model *model = NULL;
    convoy_status status = zip_archive_open(path, KIND, &archive, err);
    if (status == CONVOY_OK)
        status = read_config(archive, &model, err);
    if (status == CONVOY_OK)
        status = read_weights(archive, model, err);
    if (status == CONVOY_OK)
        status = read_names(archive, model, err);
    if (status == CONVOY_OK)
        status = read_kept(archive, model, err);
    zip_archive_close(archive);
    if (status == CONVOY_OK) {
        model->has_weights = true;
        *out = model;
        return status;
    }
    convoy_model_destroy(model);
    return base_fail_in(err, status, "%s", path);
}

convoy_status keras_file_load_weights(convoy_model *model, const char *path, convoy_error *err)
{
    zip_archive *archive = NULL;
    convoy_status status = zip_archive_open(path, KIND, &archive, err);
    if (status == CONVOY_OK)
        status = read_weights(archive, model, err);
    zip_archive_close(archive);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

/* ---- writing ---- */

/* Memory of our own allocator, whichever jansson uses. */
static convoy_status dump(const json_t *json, char **out, size_t *size, convoy_error *err)
{
    *size = json_dumpb(json, NULL, 0, 0);
    *out = *size > 0 ? malloc(*size) : NULL;
    if (*out == NULL)
        return OUT_OF_MEMORY(err);
    json_dumpb(json, *out, *size, 0);
    return CONVOY_OK;
}

static convoy_status build_config(const convoy_model *model, char **out, size_t *size, convoy_error *err)
{
    json_t *config = NULL;
    TRY(model_to_config(model, &config, err));
    convoy_status status = keras_compile_write(model, config, err);
    if (status == CONVOY_OK)
        status = dump(config, out, size, err);
    json_decref(config);
    return status;
}

/* No date: the same weights give the same file. */
static convoy_status build_metadata(const convoy_model *model, char **out, size_t *size, convoy_error *err)
{
    bool graph = model->scopes[0].functional || model->scope_count > 1;
    json_t *metadata = json_pack("{s:s, s:s}", "keras_version", graph ? KERAS_GRAPH_VERSION : KERAS_VERSION, "writer",
                                 "convoy " CONVOY_VERSION);
    if (metadata == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = dump(metadata, out, size, err);
    json_decref(metadata);
    return status;
}

static convoy_status build_names(const convoy_model *model, char **out, size_t *size, convoy_error *err)
{
    json_t *names = NULL;
    TRY(keras_names_build(model, &names, err));
    convoy_status status = dump(names, out, size, err);
    json_decref(names);
    return status;
}

static convoy_status build_kept(const convoy_model *model, char **out, size_t *size, convoy_error *err)
{
    *size = model->kept_count * convoy_model_parameter_count(model) * sizeof(float);
    *out = malloc(*size + 1);
    if (*out == NULL)
        return OUT_OF_MEMORY(err);
    memcpy(*out, model->kept_weights, *size);
    return CONVOY_OK;
}

static convoy_status build_file(const convoy_model *model, char **out, size_t *size, convoy_error *err)
{
    enum { MEMBERS = 5 };
    static const char *const names[MEMBERS] = {METADATA, CONFIG, WEIGHTS, NAMES, KEPT};
    zip_member members[MEMBERS];
    char *part[MEMBERS] = {NULL};
    size_t length[MEMBERS] = {0}, count = 0;
    convoy_status status = CONVOY_OK;
    TRY_GOTO(build_metadata(model, &part[0], &length[0], err));
    TRY_GOTO(build_config(model, &part[1], &length[1], err));
    TRY_GOTO(keras_weights_build(model, &part[2], &length[2], err));
    if (model->class_count > 0 || model->training != NULL)
        TRY_GOTO(build_names(model, &part[3], &length[3], err));
    if (model->kept_count > 0)
        TRY_GOTO(build_kept(model, &part[4], &length[4], err));
    for (size_t i = 0; i < MEMBERS; i++)
        if (part[i] != NULL)
            members[count++] = (zip_member){names[i], part[i], length[i]};
    TRY_GOTO(zip_archive_build(members, count, out, size, err));
done:
    for (int i = 0; i < MEMBERS; i++)
        free(part[i]);
    return status;
}

convoy_status keras_file_save(const convoy_model *model, const char *path, convoy_error *err)
{
    char *data = NULL;
    size_t size = 0;
    convoy_status status = build_file(model, &data, &size, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", path);
    status = file_write(path, data, size, err);
    free(data);
    return status;
}
