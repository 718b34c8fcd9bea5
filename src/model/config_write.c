/* The smallest form of Keras's JSON configs: the full one of a newer Keras is an error in an older. */
#include "model/build.h"
#include "model/level.h"

#define MOST_INSIDE 64

static json_t *write_layer(const layer *l)
{
    return json_pack("{s:s, s:s, s:o}", "module", l->class->module ? l->class->module : "keras.layers", "class_name",
                     l->class->name, "config", layer_config(l));
}

/* ---- references ---- */

static const level_item *item_of(const level *l, level_ref ref) { return &l->items[l->uses[ref.use].item]; }

static const convoy_shape *shape_of(const level *l, level_ref ref)
{
    const level_use *use = &l->uses[ref.use];
    int node = item_of(l, ref)->is_scope ? l->model->scopes[use->at].outputs[ref.tensor] : use->at;
    return &l->model->nodes[node].layer->output;
}

/* [name, use, output]. Functional models have a use of their own before all calls, which the lists of inputs and outputs count. */
static json_t *write_reference(const level *l, level_ref ref, bool in_list)
{
    const level_item *item = item_of(l, ref);
    bool counted = in_list && item->is_scope && l->model->scopes[item->at].functional;
    return json_pack("[s, I, I]", item->name, (json_int_t)l->uses[ref.use].index + (json_int_t)counted, (json_int_t)ref.tensor);
}

static json_t *write_tensor(const level *l, level_ref ref)
{
    const convoy_shape *shape = shape_of(l, ref);
    json_t *dims = json_pack("[n]");
    for (int i = 0; i < shape->rank; i++)
        json_array_append_new(dims, json_integer(shape->dim[i]));
    return json_pack("{s:s, s:{s:o, s:s, s:o}}", "class_name", "__keras_tensor__", "config", "shape", dims, "dtype",
                     "float32", "keras_history", write_reference(l, ref, false));
}

/* One stands alone, several in a list. */
static json_t *write_ends(const level *l, const level_ref *refs, size_t count)
{
    if (count == 1)
        return write_reference(l, refs[0], true);
    json_t *list = json_array();
    for (size_t k = 0; k < count; k++)
        json_array_append_new(list, write_reference(l, refs[k], true));
    return list;
}

/* ---- calls ---- */

static bool takes_list(const level *l, const level_use *use)
{
    const level_item *item = &l->items[use->item];
    return item->is_scope ? use->input_count > 1 : l->model->nodes[item->at].layer->class->merges;
}

static json_t *write_call(const level *l, const level_use *use)
{
    json_t *tensors = json_array();
    for (size_t k = 0; k < use->input_count; k++)
        json_array_append_new(tensors, write_tensor(l, use->inputs[k]));
    if (takes_list(l, use))
        tensors = json_pack("[o]", tensors);
    return json_pack("{s:o, s:{}}", "args", tensors, "kwargs");
}

static json_t *write_calls(const level *l, size_t item)
{
    json_t *calls = json_array();
    for (size_t u = 0; u < l->use_count; u++)
        if (l->uses[u].item == item && l->uses[u].input_count > 0)
            json_array_append_new(calls, write_call(l, &l->uses[u]));
    return calls;
}

/* ---- models ---- */

static convoy_status write_model(const convoy_model *model, int scope, const char *name, int inside, json_t **out,
                                 convoy_error *err);

static convoy_status write_layers(const level *l, int inside, json_t *layers, convoy_error *err)
{
    for (size_t place = 0; place < l->item_count; place++) {
        const level_item *item = &l->items[l->order[place]];
        json_t *entry = NULL;
        if (item->is_scope)
            TRY(write_model(l->model, item->at, item->name, inside + 1, &entry, err));
        else
            entry = write_layer(l->model->nodes[item->at].layer);
        int failed = json_array_append_new(layers, entry);
        if (!failed && l->model->scopes[l->scope].functional) {
            failed |= json_object_set_new(entry, "name", json_string(item->name));
            failed |= json_object_set_new(entry, "inbound_nodes", write_calls(l, l->order[place]));
        }
        if (failed)
            return OUT_OF_MEMORY(err);
    }
    return CONVOY_OK;
}

static json_t *write_config(const level *l, const char *name, json_t *layers)
{
    if (!l->model->scopes[l->scope].functional)
        return json_pack("{s:s, s:s, s:{s:s, s:O}}", "module", "keras", "class_name", "Sequential", "config", "name", name,
                         "layers", layers);
    return json_pack("{s:s, s:s, s:{s:s, s:O, s:o, s:o}, s:s}", "module", "keras.src.models.functional", "class_name",
                     "Functional", "config", "name", name, "layers", layers, "input_layers",
                     write_ends(l, l->inputs, l->input_count), "output_layers",
                     write_ends(l, l->outputs, l->output_count), "registered_name", "Functional");
}

static convoy_status write_model(const convoy_model *model, int scope, const char *name, int inside, json_t **out,
                                 convoy_error *err)
{
    level l;
    if (inside > MOST_INSIDE)
        return base_fail(err, CONVOY_ERROR_MODEL, "more than %d models inside each other", MOST_INSIDE);
    TRY(level_create(model, scope, &l, err));
    json_t *layers = json_array();
    convoy_status status = layers ? write_layers(&l, inside, layers, err) : OUT_OF_MEMORY(err);
    if (status == CONVOY_OK) {
        *out = write_config(&l, name, layers);
        status = *out ? CONVOY_OK : OUT_OF_MEMORY(err);
    }
    json_decref(layers);
    level_destroy(&l);
    return status;
}

convoy_status model_to_config(const convoy_model *model, json_t **out, convoy_error *err)
{
    return write_model(model, 0, model->name, 0, out, err);
}
