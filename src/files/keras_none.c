/* Stands in for the readers and writers of Keras's files where libzip or libhdf5 is missing. */
#include "files/files.h"
#include "model/model.h"

convoy_status keras_file_supported(convoy_error *err)
{
    return base_lacks(err, "Keras's files need libzip and libhdf5", "libzip-dev and libhdf5-dev");
}

static convoy_status unsupported(const char *path, convoy_error *err) { return base_fail_in(err, keras_file_supported(err), "%s", path); }

convoy_status keras_file_load(const char *path, convoy_model **out, convoy_error *err)
{
    (void)out;
    return unsupported(path, err);
}

convoy_status keras_file_save(const convoy_model *model, const char *path, convoy_error *err)
{
    (void)model;
    return unsupported(path, err);
}

convoy_status keras_legacy_load(const char *path, convoy_model **out, convoy_error *err)
{
    (void)out;
    return unsupported(path, err);
}

convoy_status keras_file_load_weights(convoy_model *model, const char *path, convoy_error *err)
{
    (void)model;
    return unsupported(path, err);
}

convoy_status keras_weights_load(convoy_model *model, const char *path, convoy_error *err)
{
    (void)model;
    return unsupported(path, err);
}

convoy_status keras_weights_save(const convoy_model *model, const char *path, convoy_error *err)
{
    (void)model;
    return unsupported(path, err);
}
