/* Writes models, by way of the forms that files have. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "files/files.h"
#include "model/model.h"

convoy_status convoy_model_save(const convoy_model *model, const char *path, convoy_error *err)
{
    if (text_ends_with(path, ".weights.h5") || text_ends_with(path, ".safetensors"))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: such a file holds weights alone, not a model; name it .keras, or call "
                         "convoy_model_save_weights", path);
    if (text_ends_with(path, ".h5") || text_ends_with(path, ".hdf5"))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: Keras's older .h5 models are read, but not written; name it .keras, "
                         "which every Keras 3 reads", path);
    return keras_file_save(model, path, err);
}

convoy_status convoy_model_save_config(const convoy_model *model, const char *path, convoy_error *err)
{
    char *json = NULL;
    convoy_status status = convoy_model_to_json(model, &json, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", path);
    size_t size = strlen(json);
    json[size++] = '\n'; /* in the place of the NUL */
    status = file_write(path, json, size, err);
    free(json);
    return status;
}
