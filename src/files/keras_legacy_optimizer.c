/* The optimizer's state in a whole model of Keras's older form: a list of variables. What stands in it, and in which order:
 *   Keras 2.0 to 2.3   steps (RMSprop, Adagrad and Adadelta have none before 2.3), Nadam's product of momenta (2.3), then all variables'
 *                      first slots, all second ones, ...; up to 2.0.5 the variables are sorted by name. Adam without amsgrad has a
 *                      third slot of one value from 2.1 on.
 *   tf.keras to 2.10   steps, slots in the same order
 *   Keras 2.11 on      steps, the rate (Keras 3), the first variable's slots, the second one's, ...; Nadam's product
 * A state that doesn't fit is left out, and the model keeps the reason. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/keras_legacy.h"

#define GROUP "optimizer_weights"

typedef struct slots {
    hid_t file;
    const hdf5_names *names;
    convoy_shape *shapes;       /* of each of them */
    size_t first, visited;      /* first: where the slots begin in the list */
    size_t variables;           /* of the model that are trained */
    size_t *rank;               /* of each variable in the file's order; NULL: the model's order */
    optimizer_layout layout;
    bool by_slot;               /* all variables' first slots, then all second ones */
    uint64_t steps;
} slots;

/* ---- the list ---- */

/* The last part of a variable's name, without TensorFlow's ":0". */
static bool is_called(const char *name, const char *wanted)
{
    const char *slash = strrchr(name, '/');
    size_t length = strlen(wanted);
    name = slash ? slash + 1 : name;
    return strncmp(name, wanted, length) == 0 && (name[length] == '\0' || strcmp(name + length, ":0") == 0);
}

static convoy_status path_of(const slots *s, size_t index, char path[KERAS_PATH_SIZE], convoy_error *err)
{
    int n = snprintf(path, KERAS_PATH_SIZE, GROUP "/%s", s->names->name[index]);
    if (n >= 0 && n < KERAS_PATH_SIZE)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT, "%.100s...: a name of %d bytes; at most %d are read", path, n, KERAS_PATH_SIZE - 1);
}

static convoy_status read_variable(const slots *s, size_t index, const convoy_shape *shape, hid_t memory, void *out,
                                   convoy_error *err)
{
    char path[KERAS_PATH_SIZE];
    TRY(path_of(s, index, path, err));
    return hdf5_read_array(s->file, path, shape, memory, out, err);
}

static convoy_status read_shapes(slots *s, convoy_error *err)
{
    char path[KERAS_PATH_SIZE];
    s->shapes = calloc(s->names->count + 1, sizeof *s->shapes);
    if (s->shapes == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < s->names->count; i++) {
        TRY(path_of(s, i, path, err));
        if (!hdf5_shape(s->file, path, &s->shapes[i]))
            return base_fail(err, CONVOY_ERROR_FORMAT, "%s is missing, or no array of numbers", path);
    }
    return CONVOY_OK;
}

/* ---- the order of the variables ---- */

typedef struct named {
    const char *name;
    size_t at;
} named;

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* Keras 2.0.0 to 2.0.5 */
static bool sorts_variables(const char *version)
{
    return version != NULL && strncmp(version, "2.0.", 4) == 0 && version[4] >= '0' && version[4] <= '5' &&
           (version[5] < '0' || version[5] > '9');
}

static convoy_status rank_variables(slots *s, const hdf5_names *trained, convoy_error *err)
{
    if (trained->count != s->variables)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%zu weights are trained, and %zu have a name", s->variables, trained->count);
    named *list = malloc((s->variables + 1) * sizeof *list);
    s->rank = malloc((s->variables + 1) * sizeof *s->rank);
    if (list != NULL && s->rank != NULL) {
        for (size_t i = 0; i < s->variables; i++)
            list[i] = (named){trained->name[i], i};
        qsort(list, s->variables, sizeof *list, by_name);
        for (size_t i = 0; i < s->variables; i++)
            s->rank[list[i].at] = i;
    }
    free(list);
    return list != NULL && s->rank != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

/* Where the k-th slot of Convoy's (and Keras 3's) order stands in the file's. */
static size_t place_of(const slots *s, size_t k)
{
    size_t first = 0;
    for (int g = 0; s->by_slot && g < s->layout.groups; g++) {
        size_t in_group = (size_t)s->layout.group[g], all = in_group * s->variables;
        if (k - first < all) {
            size_t variable = (k - first) / in_group;
            return first + (k - first) % in_group * s->variables + (s->rank ? s->rank[variable] : variable);
        }
        first += all;
    }
    return k;
}

/* ---- reading ---- */

/* What stands before the slots. */
static convoy_status read_beginning(convoy_model *model, slots *s, convoy_error *err)
{
    const hdf5_names *names = s->names;
    const convoy_shape scalar = {0};
    float rate = 0;
    s->by_slot = names->count == 0 || !is_called(names->name[0], "iteration");
    if (s->first < names->count && s->shapes[s->first].rank == 0)
        TRY(read_variable(s, s->first++, &scalar, H5T_NATIVE_UINT64, &s->steps, err));
    model->optimizer_scalar = s->layout.scalar ? keras_nadam_product(&model->optimizer_settings, s->steps) : OPTIMIZER_SCALAR_START;
    if (s->first == 0 || s->first >= names->count || s->shapes[s->first].rank != 0)
        return CONVOY_OK;
    if (is_called(names->name[s->first], "learning_rate")) {
        TRY(read_variable(s, s->first++, &scalar, H5T_NATIVE_FLOAT, &rate, err));
        if (rate != (float)model->optimizer_settings.learning_rate)
            model->optimizer_settings.learning_rate = rate;
    } else if (s->layout.scalar && s->by_slot) {
        TRY(read_variable(s, s->first++, &scalar, H5T_NATIVE_FLOAT, &model->optimizer_scalar, err));
    }
    return CONVOY_OK;
}

/* How many of the file's variables, from `first` on, are slots: Adam's third of one value are none. */
static size_t slots_there(const convoy_model *model, const slots *s)
{
    size_t there = s->names->count - s->first, rest = s->variables;
    bool plain_adam = strcmp(model->optimizer, "adam") == 0 && !model->optimizer_settings.amsgrad;
    if (!s->by_slot || !plain_adam || there != 3 * s->variables)
        return there;
    for (size_t i = 0; i < s->variables; i++) {
        const convoy_shape *shape = &s->shapes[s->names->count - 1 - i];
        rest -= shape->rank == 1 && shape->dim[0] == 1;
    }
    return rest == 0 ? there - s->variables : there;
}

static convoy_status read_slot(void *user, const char *path, const convoy_shape *shape, float *values, convoy_error *err)
{
    slots *s = user;
    size_t at = s->first + place_of(s, s->visited++);
    (void)path;
    if (at >= s->names->count || (shape->rank == 0 && s->by_slot))
        return CONVOY_OK; /* the scalar: Keras 2 does not keep it, or it stood at the beginning */
    return read_variable(s, at, shape, H5T_NATIVE_FLOAT, values, err);
}

static convoy_status read_state(convoy_model *model, slots *s, const hdf5_names *trained, const char *version, convoy_error *err)
{
    TRY(read_shapes(s, err));
    TRY(read_beginning(model, s, err));
    size_t wanted = keras_slots_count(model), there;
    s->variables = s->layout.slots ? (wanted - s->layout.scalar) / (size_t)s->layout.slots : 0;
    there = slots_there(model, s);
    if (there == 0 && s->steps == 0) /* compiled, never fitted */
        return CONVOY_OK;
    bool lacks_scalar = s->layout.scalar && there + 1 == wanted;
    if (there != wanted && !lacks_scalar && wanted > 0) /* Keras 2 keeps slots of SGD that plain SGD has no use for */
        return base_fail(err, CONVOY_ERROR_FORMAT, "the file has %zu variables of it; %s needs %zu for this model", there,
                         optimizer_class_find(model->optimizer)->class_name, wanted);
    if (sorts_variables(version))
        TRY(rank_variables(s, trained, err));
    TRY(keras_slots_visit(model, read_slot, s, err));
    model->optimizer_steps = s->steps;
    return CONVOY_OK;
}

static convoy_status read_list(convoy_model *model, const hdf5_file *file, const hdf5_names *trained, convoy_error *err)
{
    hdf5_names names = {0};
    char *version = NULL;
    hdf5_presence found = hdf5_look(file->id, GROUP);
    if (found == HDF5_ABSENT)
        return CONVOY_OK;
    if (found == HDF5_REFUSED)
        return hdf5_fail_presence(found, GROUP, err);
    TRY(hdf5_read_names(file->id, GROUP, "weight_names", &names, err));
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    slots s = {.file = file->id, .names = &names, .layout = optimizer_layout_of(class, &model->optimizer_settings)};
    convoy_status status = hdf5_read_text(file->id, "/", "keras_version", &version, err);
    if (status == CONVOY_OK)
        status = read_state(model, &s, trained, version, err);
    free(version);
    free(s.shapes);
    free(s.rank);
    hdf5_names_free(&names);
    return status;
}

convoy_status keras_legacy_optimizer(convoy_model *model, const hdf5_file *file, const hdf5_names *trained, convoy_error *err)
{
    convoy_error why = {0};
    double rate = model->optimizer_settings.learning_rate;
    if (model->optimizer[0] == '\0')
        return CONVOY_OK;
    TRY(model_begin_optimizer(model, err));
    convoy_status status = read_list(model, file, trained, &why);
    if (status == CONVOY_OK)
        return status;
    model->optimizer_settings.learning_rate = rate;
    return model_leave_state_out(model, status, &why, err);
}
