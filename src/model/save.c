#include "model/model.h"

convoy_status convoy_model_save(const convoy_model *model, const char *path, convoy_error *err)
{
    return keras_file_save(model, path, err);
}
