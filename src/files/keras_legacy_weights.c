/* Weights in Keras's older layout: a group for each layer, named after it, with an attribute that lists its weights: those that are
 * trained, then the others. A model inside the model has one group for all its layers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/keras_legacy.h"
#include "model/level.h"

/* A group of the file that has weights. */
typedef struct weight_group {
    const char *name;
    hdf5_names weights;
} weight_group;

/* A weight of the model. */
typedef struct weight {
    size_t node;
    int param;
} weight;

/* A layer, or model inside the model, that has weights; in the file's order of them. */
typedef struct weight_owner {
    const char *name, *class_name;
    weight *weights;
    size_t count;
} weight_owner;

typedef struct reading {
    convoy_model *model;
    hid_t file;
    const char *group; /* "" or "model_weights/" */
    hdf5_names names;
    weight_group *groups;
    weight_owner *owners;
    size_t group_count, owner_count;
    hdf5_names *trained; /* NULL: not asked for */
} reading;

/* ---- what the file has ---- */

static convoy_status join(const reading *r, const char *name, const char *weight, char path[KERAS_PATH_SIZE], convoy_error *err)
{
    int n = snprintf(path, KERAS_PATH_SIZE, "%s%s%s%s", r->group, name, weight ? "/" : "", weight ? weight : "");
    if (n >= 0 && n < KERAS_PATH_SIZE)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT, "%.100s...: a name of %d bytes; at most %d are read", path, n, KERAS_PATH_SIZE - 1);
}

static convoy_status read_group(reading *r, const char *name, convoy_error *err)
{
    char path[KERAS_PATH_SIZE];
    weight_group *group = &r->groups[r->group_count];
    TRY(join(r, name, NULL, path, err));
    hdf5_presence found = hdf5_look(r->file, path);
    if (found != HDF5_PRESENT)
        return hdf5_fail_presence(found, path, err);
    convoy_status status = hdf5_read_names(r->file, path, "weight_names", &group->weights, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", path);
    group->name = name;
    r->group_count += group->weights.count > 0; /* a layer without weights has an empty list */
    return CONVOY_OK;
}

static convoy_status read_groups(reading *r, const char *group, convoy_error *err)
{
    hdf5_presence found = strcmp(group, "/") == 0 ? HDF5_PRESENT : hdf5_look(r->file, group);
    if (found != HDF5_PRESENT)
        return hdf5_fail_presence(found, group, err);
    TRY(hdf5_read_names(r->file, group, LEGACY_LAYERS, &r->names, err));
    r->groups = calloc(r->names.count + 1, sizeof *r->groups);
    if (r->groups == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < r->names.count; i++)
        TRY(read_group(r, r->names.name[i], err));
    return CONVOY_OK;
}

/* ---- what the model has ---- */

static void append_weights(const convoy_model *model, size_t node, bool trained, weight_owner *owner)
{
    const layer *l = model->nodes[node].layer;
    for (int p = 0; p < l->param_count; p++)
        if (l->param[p].trainable == trained)
            owner->weights[owner->count++] = (weight){node, p};
}

static convoy_status add_owner(reading *r, const level *l, const level_item *item, convoy_error *err)
{
    const convoy_model *model = r->model;
    weight_owner *owner = &r->owners[r->owner_count];
    size_t own = (size_t)item->at, *nodes = &own, count = 1;
    if (item->is_scope)
        TRY(level_order(l->model, item->at, &nodes, &count, err));
    *owner = (weight_owner){.name = item->name,
                            .class_name = item->is_scope ? "a model" : model->nodes[own].layer->class->name,
                            .weights = calloc(count * LAYER_MAX_PARAMS + 1, sizeof *owner->weights)};
    for (int trained = 1; trained >= 0 && owner->weights != NULL; trained--)
        for (size_t i = 0; i < count; i++)
            append_weights(model, nodes[i], trained, owner);
    if (item->is_scope)
        free(nodes);
    r->owner_count += owner->count > 0;
    if (owner->weights == NULL)
        return OUT_OF_MEMORY(err);
    if (owner->count == 0) {
        free(owner->weights);
        owner->weights = NULL;
    }
    return CONVOY_OK;
}

static convoy_status find_owners(reading *r, convoy_error *err)
{
    level l;
    convoy_status status = CONVOY_OK;
    TRY(level_create(r->model, 0, &l, err));
    r->owners = calloc(l.item_count + 1, sizeof *r->owners);
    if (r->owners == NULL)
        status = OUT_OF_MEMORY(err);
    for (size_t place = 0; status == CONVOY_OK && place < l.item_count; place++)
        status = add_owner(r, &l, &l.items[l.order[place]], err);
    level_destroy(&l);
    return status;
}

/* ---- both together ---- */

static convoy_status read_weight(const reading *r, const weight *w, const weight_group *group, const char *name, convoy_error *err)
{
    char path[KERAS_PATH_SIZE];
    const model_node *node = &r->model->nodes[w->node];
    const layer_param *param = &node->layer->param[w->param];
    TRY(join(r, group->name, name, path, err));
    convoy_status status = hdf5_read_array(r->file, path, &param->shape, H5T_NATIVE_FLOAT, node->weights[w->param], err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", param->name);
}

/* Names of trained weights for those who asked. */
static convoy_status keep_name(const reading *r, const weight *w, const char *name, convoy_error *err)
{
    hdf5_names *t = r->trained;
    if (t == NULL || !r->model->nodes[w->node].layer->param[w->param].trainable)
        return CONVOY_OK;
    char **more = realloc(t->name, (t->count + 1) * sizeof *more);
    if (more == NULL)
        return OUT_OF_MEMORY(err);
    t->name = more;
    more[t->count] = strdup(name);
    return more[t->count++] != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status read_owner(const reading *r, const weight_owner *owner, const weight_group *group, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    if (group->weights.count != owner->count)
        status = base_fail(err, CONVOY_ERROR_FORMAT, "%zu weights in %s%s; the model needs %zu", group->weights.count, r->group,
                           group->name, owner->count);
    for (size_t i = 0; status == CONVOY_OK && i < owner->count; i++)
        if ((status = read_weight(r, &owner->weights[i], group, group->weights.name[i], err)) == CONVOY_OK)
            status = keep_name(r, &owner->weights[i], group->weights.name[i], err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "layer '%s' (%s)", owner->name, owner->class_name);
}

static const weight_group *find_group(const reading *r, const char *name)
{
    for (size_t i = 0; i < r->group_count; i++)
        if (strcmp(r->groups[i].name, name) == 0)
            return &r->groups[i];
    return NULL;
}

static convoy_status read_owners(const reading *r, bool by_name, convoy_error *err)
{
    if (!by_name && r->group_count != r->owner_count)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%zu layers with weights; the model has %zu", r->group_count, r->owner_count);
    for (size_t i = 0; i < r->owner_count; i++) {
        const weight_owner *owner = &r->owners[i];
        const weight_group *group = by_name ? find_group(r, owner->name) : &r->groups[i];
        if (group == NULL)
            return base_fail(err, CONVOY_ERROR_FORMAT, "layer '%s' (%s): no weights in %s%s, or it is missing", owner->name,
                             owner->class_name, r->group, owner->name);
        TRY(read_owner(r, owner, group, err));
    }
    return CONVOY_OK;
}

convoy_status keras_legacy_weights(convoy_model *model, const hdf5_file *file, const char *group, bool by_name, hdf5_names *trained,
                                   convoy_error *err)
{
    char prefix[KERAS_PATH_SIZE] = "";
    reading r = {.model = model, .file = file->id, .group = prefix, .trained = trained};
    if (group[0] != '/')
        snprintf(prefix, sizeof prefix, "%s/", group);
    convoy_status status = read_groups(&r, group, err);
    if (status == CONVOY_OK)
        status = find_owners(&r, err);
    if (status == CONVOY_OK)
        status = read_owners(&r, by_name, err);
    for (size_t i = 0; i < r.names.count && r.groups != NULL; i++)
        hdf5_names_free(&r.groups[i].weights);
    for (size_t i = 0; i < r.owner_count; i++)
        free(r.owners[i].weights);
    free(r.groups);
    free(r.owners);
    hdf5_names_free(&r.names);
    return status;
}
