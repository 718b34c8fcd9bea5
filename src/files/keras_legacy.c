/* Reads whole models in Keras's older form: an HDF5 file with the configs as attributes. It is read only: Keras 3 itself calls it
 * legacy, and reads .keras files wherever it reads these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/files.h"
#include "files/keras_legacy.h"
#include "model/build.h"

#define MODEL "model_config"
#define TRAINING "training_config"

/* *out is NULL when the file has no such attribute. */
static convoy_status read_json(const hdf5_file *file, const char *attribute, json_t **out, convoy_error *err)
{
    char *text = NULL;
    *out = NULL;
    TRY(hdf5_read_text(file->id, "/", attribute, &text, err));
    if (text == NULL)
        return CONVOY_OK;
    convoy_status status = config_parse(text, strlen(text), out, err);
    free(text);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "attribute %s", attribute);
}

static convoy_status fail_no_model(const hdf5_file *file, convoy_error *err)
{
    bool weights = hdf5_has_attribute(file->id, "/", LEGACY_LAYERS) || hdf5_has_attribute(file->id, "/", LEGACY_LAYERS "0") ||
                   hdf5_look(file->id, "layers") == HDF5_PRESENT;
    if (weights)
        return base_fail(err, CONVOY_ERROR_FORMAT, "it holds weights alone, no model (the attribute " MODEL " is missing): name "
                         "the model, and give this file as its weights (convoy_model_load_weights)");
    return base_fail(err, CONVOY_ERROR_FORMAT, "an HDF5 file, but not a model that Keras saved: the attribute " MODEL
                     " is missing");
}

static convoy_status read_model(const hdf5_file *file, convoy_model **out, convoy_error *err)
{
    json_t *config = NULL;
    TRY(read_json(file, MODEL, &config, err));
    if (config == NULL)
        return fail_no_model(file, err);
    config_modernise(config);
    convoy_status status = model_from_config(config, out, err);
    json_decref(config);
    return status == CONVOY_OK ? status : base_fail_in(err, status, MODEL);
}

/* A model that was never compiled has no such config. */
static convoy_status read_training(const hdf5_file *file, convoy_model *model, convoy_error *err)
{
    json_t *training = NULL, *compile = NULL;
    TRY(read_json(file, TRAINING, &training, err));
    if (training == NULL)
        return CONVOY_OK;
    compile = keras_legacy_compile(training);
    json_decref(training);
    if (compile == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = keras_compile_read(compile, model, err);
    json_decref(compile);
    return status;
}

static convoy_status read_file(const hdf5_file *file, convoy_model **out, convoy_error *err)
{
    TRY(read_model(file, out, err));
    TRY(read_training(file, *out, err));
    hdf5_names trained = {0};
    convoy_status status = keras_legacy_weights(*out, file, LEGACY_WEIGHTS, true, &trained, err);
    if (status == CONVOY_OK)
        status = keras_legacy_optimizer(*out, file, &trained, err);
    hdf5_names_free(&trained);
    return status;
}

convoy_status keras_legacy_load(const char *path, convoy_model **out, convoy_error *err)
{
    hdf5_file file;
    convoy_model *model = NULL;
    convoy_status status = hdf5_open_path(path, &file, err);
    if (status == CONVOY_OK) {
        status = read_file(&file, &model, err);
        hdf5_close(&file);
    }
    if (status == CONVOY_OK) {
        model->has_weights = true;
        *out = model;
        return status;
    }
    convoy_model_destroy(model);
    return base_fail_in(err, status, "%s", path);
}
