/* The optimizer's state in a whole model of Keras's older form: a list of variables, first the step, then the rate (which Keras 2
 * leaves out), then the slots. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/keras_legacy.h"

#define GROUP "optimizer_weights"

typedef struct slots {
    hid_t file;
    const hdf5_names *names;
    size_t first, visited;      /* first: where the slots begin in the list */
    size_t variables;           /* of the model that are trained */
    optimizer_layout layout;
    bool by_slot;               /* all variables' first slots, then all second ones */
} slots;

/* The last part of a variable's name, without TensorFlow's ":0". */
static bool is_called(const char *name, const char *wanted)
{
    const char *slash = strrchr(name, '/');
    size_t length = strlen(wanted);
    name = slash ? slash + 1 : name;
    return strncmp(name, wanted, length) == 0 && (name[length] == '\0' || strcmp(name + length, ":0") == 0);
}

static convoy_status read_variable(const slots *s, size_t index, const convoy_shape *shape, hid_t memory, void *out,
                                   convoy_error *err)
{
    char path[KERAS_PATH_SIZE];
    int n = snprintf(path, sizeof path, GROUP "/%s", s->names->name[index]);
    if (n < 0 || n >= KERAS_PATH_SIZE)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%.100s...: a name of %d bytes; at most %d are read", path, n,
                         KERAS_PATH_SIZE - 1);
    return hdf5_read_array(s->file, path, shape, memory, out, err);
}

/* Where the k-th slot of Convoy's (and Keras 3's) order stands in the file's. */
static size_t place_of(const slots *s, size_t k)
{
    size_t first = 0;
    for (int g = 0; s->by_slot && g < s->layout.groups; g++) {
        size_t in_group = (size_t)s->layout.group[g], all = in_group * s->variables;
        if (k - first < all)
            return first + (k - first) % in_group * s->variables + (k - first) / in_group;
        first += all;
    }
    return k;
}

static convoy_status read_slot(void *user, const char *path, const convoy_shape *shape, float *values, convoy_error *err)
{
    slots *s = user;
    size_t at = s->first + place_of(s, s->visited++);
    (void)path;
    if (at >= s->names->count)
        return CONVOY_OK; /* the scalar that Keras 2 does not keep */
    return read_variable(s, at, shape, H5T_NATIVE_FLOAT, values, err);
}

/* Keras 2 loses the product of Nadam's momenta; it follows from the steps. */
static float nadam_product(const optimizer_settings *settings, uint64_t steps)
{
    float product = OPTIMIZER_SCALAR_START, before = 0;
    for (uint64_t t = 1; t <= steps && product != before; t++) { /* it does not change any more where it is 0 */
        before = product;
        product *= (float)settings->beta_1 * (1.0f - 0.5f * powf(0.96f, (float)t));
    }
    return product;
}

static convoy_status read_state(convoy_model *model, slots *s, convoy_error *err)
{
    const convoy_shape scalar = {0};
    const hdf5_names *names = s->names;
    float rate = 0;
    uint64_t steps = 0;
    bool old = names->count > 0 && (is_called(names->name[0], "iter") || is_called(names->name[0], "iterations"));
    if (!old && (names->count == 0 || !is_called(names->name[0], "iteration")))
        return CONVOY_OK;
    bool has_rate = names->count > 1 && is_called(names->name[1], "learning_rate");
    size_t there = names->count - 1 - has_rate, wanted = keras_slots_count(model);
    bool lacks_scalar = s->layout.scalar && there + 1 == wanted;
    if (there != wanted && !lacks_scalar && wanted > 0) /* Keras 2 keeps slots of SGD that plain SGD has no use for */
        return CONVOY_OK;
    s->by_slot = old;
    s->first = 1 + has_rate;
    s->variables = s->layout.slots ? (wanted - s->layout.scalar) / (size_t)s->layout.slots : 0;
    TRY(read_variable(s, 0, &scalar, H5T_NATIVE_UINT64, &steps, err));
    if (has_rate)
        TRY(read_variable(s, 1, &scalar, H5T_NATIVE_FLOAT, &rate, err));
    if (has_rate && rate != (float)model->optimizer_settings.learning_rate)
        model->optimizer_settings.learning_rate = rate;
    TRY(keras_slots_visit(model, read_slot, s, err));
    if (lacks_scalar)
        model->optimizer_scalar = nadam_product(&model->optimizer_settings, steps);
    model->optimizer_steps = steps;
    return CONVOY_OK;
}

convoy_status keras_legacy_optimizer(convoy_model *model, const hdf5_file *file, convoy_error *err)
{
    hdf5_names names = {0};
    if (model->optimizer[0] == '\0')
        return CONVOY_OK;
    TRY(model_begin_optimizer(model, err));
    hdf5_presence found = hdf5_look(file->id, GROUP);
    if (found == HDF5_ABSENT)
        return CONVOY_OK;
    if (found == HDF5_REFUSED)
        return hdf5_fail_presence(found, GROUP, err);
    TRY(hdf5_read_names(file->id, GROUP, "weight_names", &names, err));
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    slots s = {.file = file->id, .names = &names, .layout = optimizer_layout_of(class, &model->optimizer_settings)};
    convoy_status status = read_state(model, &s, err);
    hdf5_names_free(&names);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "the optimizer's state");
}
