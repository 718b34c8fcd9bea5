/* Writes the weights of a .keras file, or of a .weights.h5 file, laid out as Keras does. The same weights give the same bytes: no times are
 * kept. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "files/files.h"
#include "files/keras_hdf5.h"
#include "model/level.h"

static convoy_status fail_write(const char *path, convoy_error *err)
{
    char reason[HDF5_REASON_SIZE];
    return base_fail(err, CONVOY_ERROR_MEMORY, "libhdf5 can't write %s: %s", path, hdf5_reason(reason));
}

/* Keras names what a group belongs to; it does not read it back. */
static convoy_status write_name(hid_t group, const char *path, const char *name, convoy_error *err)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attribute = -1;
    if (type >= 0 && space >= 0 && H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
        attribute = H5Acreate2(group, "name", type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool written = attribute >= 0 && H5Awrite(attribute, type, &name) >= 0;
    convoy_status status = written ? CONVOY_OK : fail_write(path, err);
    if (attribute >= 0)
        H5Aclose(attribute);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    return status;
}

/* The group and those above it. */
static convoy_status write_group(const hdf5_file *file, const char *path, const char *name, convoy_error *err)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE), group = -1;
    if (links >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0)
        group = H5Gcreate2(file->id, path, links, H5P_DEFAULT, H5P_DEFAULT);
    convoy_status status = group < 0 ? fail_write(path, err) : write_name(group, path, name, err);
    if (group >= 0)
        H5Gclose(group);
    if (links >= 0)
        H5Pclose(links);
    return status;
}

static convoy_status write_array(const hdf5_file *file, const char *path, const convoy_shape *shape, hid_t stored,
                                 hid_t memory, const void *values, convoy_error *err)
{
    hsize_t dims[CONVOY_MAX_RANK];
    hid_t data = -1;
    for (int i = 0; i < shape->rank; i++)
        dims[i] = (hsize_t)shape->dim[i];
    hid_t space = shape->rank > 0 ? H5Screate_simple(shape->rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (space >= 0 && list >= 0 && H5Pset_obj_track_times(list, 0) >= 0)
        data = H5Dcreate2(file->id, path, stored, space, H5P_DEFAULT, list, H5P_DEFAULT);
    bool written = data >= 0 && H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    convoy_status status = written ? CONVOY_OK : fail_write(path, err);
    if (data >= 0)
        H5Dclose(data);
    if (list >= 0)
        H5Pclose(list);
    if (space >= 0)
        H5Sclose(space);
    return status;
}

static convoy_status write_floats(const hdf5_file *file, const char *path, const convoy_shape *shape,
                                  const float *values, convoy_error *err)
{
    return write_array(file, path, shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values, err);
}

/* ---- layers ---- */

typedef struct writing {
    const hdf5_file *file;
    const convoy_model *model;
} writing;

static convoy_status visit_layer(void *user, size_t node, const char *name, const char *path, convoy_error *err)
{
    const writing *w = user;
    char group[KERAS_PATH_SIZE], array[KERAS_PATH_SIZE + 16];
    snprintf(group, sizeof group, "%s/vars", path);
    TRY(write_group(w->file, group, name, err));
    const layer *l = node == SIZE_MAX ? NULL : w->model->nodes[node].layer; /* an inner model has none of its own */
    for (int p = 0; l != NULL && p < l->param_count; p++) {
        snprintf(array, sizeof array, "%s/%d", group, p);
        TRY(write_floats(w->file, array, &l->param[p].shape, w->model->nodes[node].weights[p], err));
    }
    return CONVOY_OK;
}

/* ---- the optimizer ---- */

static convoy_status write_slot(void *user, const char *path, const convoy_shape *shape, float *values,
                                convoy_error *err)
{
    return write_floats(user, path, shape, values, err);
}

static convoy_status write_optimizer(hdf5_file *file, const convoy_model *model, convoy_error *err)
{
    const convoy_shape scalar = {0};
    float rate = (float)model->optimizer_settings.learning_rate;
    TRY(write_group(file, "optimizer/vars", model->optimizer, err));
    TRY(write_array(file, "optimizer/vars/0", &scalar, H5T_STD_I64LE, H5T_NATIVE_UINT64, &model->optimizer_steps, err));
    if (keras_rate_is_variable(model))
        TRY(write_floats(file, "optimizer/vars/1", &scalar, &rate, err));
    return keras_slots_visit((convoy_model *)model, write_slot, file, err); /* only reads the values */
}

static convoy_status write_all(hdf5_file *file, const convoy_model *model, convoy_error *err)
{
    TRY(write_group(file, "vars", model->name, err));
    TRY(level_walk(model, visit_layer, &(writing){file, model}, err));
    if (model->optimizer[0] != '\0')
        TRY(write_optimizer(file, model, err));
    return CONVOY_OK;
}

convoy_status keras_weights_build(const convoy_model *model, char **out, size_t *size, convoy_error *err)
{
    hdf5_file file;
    TRY(hdf5_create(&file, err));
    convoy_status status = write_all(&file, model, err);
    if (status == CONVOY_OK)
        status = hdf5_take_image(&file, out, size, err);
    hdf5_close(&file);
    return status;
}

convoy_status keras_weights_save(const convoy_model *model, const char *path, convoy_error *err)
{
    char *data = NULL;
    size_t size = 0;
    convoy_status status = keras_weights_build(model, &data, &size, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", path);
    status = file_write(path, data, size, err);
    free(data);
    return status;
}
