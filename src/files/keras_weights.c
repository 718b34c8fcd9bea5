/* Reads the weights of a .keras file, or of a .weights.h5 file, which is laid out in the same way. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "files/files.h"
#include "files/keras_groups.h"
#include "files/keras_legacy.h"
#include "model/level.h"

/* ---- layers ---- */

typedef struct reading {
    const hdf5_file *file;
    convoy_model *model;
    keras_groups *groups;
    size_t variable, variables; /* of the optimizer: the next one's number, and how many there are */
} reading;

static convoy_status read_layer(const reading *r, const model_node *node, const char *group, convoy_error *err)
{
    const layer *l = node->layer;
    char path[KERAS_PATH_SIZE + 16];
    size_t count = 0;
    TRY(hdf5_count(r->file->id, group, &count, err));
    if (count != (size_t)l->param_count)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%zu weights in %s; the model needs %d", count, group,
                         l->param_count);
    for (int p = 0; p < l->param_count; p++) {
        snprintf(path, sizeof path, "%s/%d", group, p);
        convoy_status status = hdf5_read_array(r->file->id, path, &l->param[p].shape, H5T_NATIVE_FLOAT, node->weights[p], err);
        if (status != CONVOY_OK)
            return base_fail_in(err, status, "%s", l->param[p].name);
    }
    return CONVOY_OK;
}

static convoy_status visit_layer(void *user, size_t node, const char *name, const char *path, convoy_error *err)
{
    const reading *r = user;
    char group[KERAS_PATH_SIZE];
    int needed = node == SIZE_MAX ? 0 : r->model->nodes[node].layer->param_count;
    if (needed == 0)
        return CONVOY_OK;
    convoy_status status = keras_groups_find(r->groups, path, needed, group, err);
    if (status == CONVOY_OK)
        status = read_layer(r, &r->model->nodes[node], group, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "layer '%s' (%s)", name, r->model->nodes[node].layer->class->name);
    return CONVOY_OK;
}

/* ---- the optimizer ---- */

#define OPTIMIZER "optimizer/vars"

static convoy_status read_variable(reading *r, const convoy_shape *shape, hid_t memory, void *out, convoy_error *err)
{
    char path[64];
    snprintf(path, sizeof path, OPTIMIZER "/%zu", r->variable++);
    return hdf5_read_array(r->file->id, path, shape, memory, out, err);
}

static convoy_status read_slot(void *user, const char *path, const convoy_shape *shape, float *values, convoy_error *err)
{
    reading *r = user;
    (void)path; /* that of a file with a rate */
    if (r->variable == r->variables)
        return CONVOY_OK; /* the scalar that Keras 2 does not keep */
    return read_variable(r, shape, H5T_NATIVE_FLOAT, values, err);
}

/* Keras 2 kept no rate; a model that was compiled and never fitted has no slots. */
static convoy_status read_state(reading *r, convoy_error *err)
{
    const convoy_shape scalar = {0};
    convoy_model *model = r->model;
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    size_t count = 0, wanted = keras_slots_count(model);
    float rate = 0;
    TRY(hdf5_count(r->file->id, OPTIMIZER, &count, err));
    r->variables = count;
    if (count == 0)
        return CONVOY_OK;
    TRY(read_variable(r, &scalar, H5T_NATIVE_UINT64, &model->optimizer_steps, err));
    bool has_rate = keras_rate_is_variable(model) && count > 1 && hdf5_is_scalar(r->file->id, OPTIMIZER "/1");
    if (count == 1u + has_rate && model->optimizer_steps == 0)
        return CONVOY_OK;
    bool lacks_scalar = class->scalar && count == has_rate + wanted;
    if (count != 1 + has_rate + wanted && !lacks_scalar)
        return base_fail(err, CONVOY_ERROR_FORMAT, "the file has %zu variables of it; %s needs %zu for this model", count,
                         class->class_name, 1 + has_rate + wanted);
    if (lacks_scalar)
        model->optimizer_scalar = keras_nadam_product(&model->optimizer_settings, model->optimizer_steps);
    if (has_rate)
        TRY(read_variable(r, &scalar, H5T_NATIVE_FLOAT, &rate, err));
    if (has_rate && rate != (float)model->optimizer_settings.learning_rate)
        model->optimizer_settings.learning_rate = rate;
    return keras_slots_visit(model, read_slot, r, err);
}

/* As in Keras, an optimizer whose variables are not all there starts afresh; the model keeps the reason. */
static convoy_status read_optimizer(reading *r, convoy_error *err)
{
    convoy_model *model = r->model;
    convoy_error why = {0};
    double rate = model->optimizer_settings.learning_rate;
    TRY(model_begin_optimizer(model, err));
    convoy_status status = read_state(r, &why);
    if (status == CONVOY_OK)
        return status;
    model->optimizer_settings.learning_rate = rate;
    return model_leave_state_out(model, status, &why, err);
}

static convoy_status read_all(convoy_model *model, const hdf5_file *file, convoy_error *err)
{
    reading r = {.file = file, .model = model};
    TRY(keras_groups_open(file, model, &r.groups, err));
    convoy_status status = level_walk(model, visit_layer, &r, err);
    keras_groups_close(r.groups);
    TRY(status);
    return model->optimizer[0] != '\0' ? read_optimizer(&r, err) : CONVOY_OK;
}

convoy_status keras_weights_read(convoy_model *model, const char *data, size_t size, convoy_error *err)
{
    hdf5_file file;
    TRY(hdf5_open_image(data, size, &file, err));
    convoy_status status = read_all(model, &file, err);
    hdf5_close(&file);
    return status;
}

/* ---- files of weights ---- */

static convoy_status has_groups(const convoy_model *model, const hdf5_file *file, bool *out, convoy_error *err)
{
    keras_groups *groups = NULL;
    *out = hdf5_look(file->id, "layers") == HDF5_PRESENT;
    if (*out)
        return CONVOY_OK;
    TRY(keras_groups_open(file, model, &groups, err));
    *out = keras_groups_any(groups);
    keras_groups_close(groups);
    return CONVOY_OK;
}

/* Whichever of the three forms it is. */
static convoy_status read_any(convoy_model *model, const hdf5_file *file, convoy_error *err)
{
    bool groups = false;
    if (hdf5_has_attribute(file->id, "/", LEGACY_LAYERS "0") || hdf5_has_attribute(file->id, "/", LEGACY_LAYERS))
        return keras_legacy_weights(model, file, "/", false, NULL, err);
    if (hdf5_look(file->id, LEGACY_WEIGHTS) == HDF5_PRESENT)
        return keras_legacy_weights(model, file, LEGACY_WEIGHTS, false, NULL, err);
    TRY(has_groups(model, file, &groups, err));
    if (groups)
        return read_all(model, file, err);
    return base_fail(err, CONVOY_ERROR_FORMAT, "no weights that Keras wrote: neither the group layers (.weights.h5), nor the "
                     "attribute " LEGACY_LAYERS ", nor the group " LEGACY_WEIGHTS " (older forms)");
}

convoy_status keras_weights_load(convoy_model *model, const char *path, convoy_error *err)
{
    hdf5_file file;
    convoy_status status = hdf5_open_path(path, &file, err);
    if (status == CONVOY_OK) {
        status = read_any(model, &file, err);
        hdf5_close(&file);
    }
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}
