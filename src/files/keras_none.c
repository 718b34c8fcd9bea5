/* Stands in for the readers and writers of Keras's files where libzip or libhdf5 is missing. */
#include "files/files.h"
#include "model/model.h"

static convoy_status unsupported(const char *path, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED,
                     "%s: Keras's files need libzip and libhdf5, which this build lacks; install libzip-dev and "
                     "libhdf5-dev (as Debian calls them) and build again", path);
}

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
