/* Sequential models in Keras's configs, and what they share with Functional ones: layers, and models inside the model. */
#include <string.h>

#include "base/text.h"
#include "model/config_inside.h"
#include "words/option.h"

/* ---- one layer ---- */

convoy_status config_read_layer(convoy_model *model, const config_call *call, const json_t *entry, const int *inputs,
                                int count, convoy_error *err)
{
    const layer_class *class = NULL;
    model_node node = {.first = -1, .scope = call->scope, .input_count = count};
    if (count > LAYER_MAX_INPUTS)
        return base_fail(err, CONVOY_ERROR_MODEL, "%d inputs; at most %d are possible", count, LAYER_MAX_INPUTS);
    TRY(config_check_entry(entry, err));
    TRY(model_find_class(json_string_value(json_object_get(entry, "class_name")), &class, err));
    json_t *config = json_copy(json_object_get(entry, "config"));
    if (config == NULL)
        return OUT_OF_MEMORY(err);
    if (class->forward != NULL || class->alias) /* Keras 2 keeps the model's input shape in the first layer */
        json_decref(config_take_shape(config));
    convoy_status status = layer_create(class, config, &node.layer, err);
    json_decref(config);
    TRY(status);
    node.layer->trainable = node.layer->trainable && !call->frozen;
    for (int k = 0; k < count; k++)
        node.input[k] = inputs[k];
    return model_append_node(model, &node, err);
}

convoy_status config_read_input(convoy_model *model, const config_call *call, const json_t *config, int k, convoy_error *err)
{
    json_t *entry = json_pack("{s:s, s:O}", "class_name", "InputLayer", "config", config);
    if (entry == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = config_read_layer(model, call, entry, call->sources ? &call->sources[k] : NULL,
                                             call->sources ? 1 : 0, err);
    json_decref(entry);
    return status;
}

/* ---- a model inside the model ---- */

convoy_status config_read_inner(convoy_model *model, const config_call *call, const char *name, const json_t *entry,
                                int *scope, convoy_error *err)
{
    model_scope inner = {.functional = config_is_functional(entry), .outer = call->scope, .first = (int)model->scope_count};
    config_call into = *call;
    TRY(config_check_entry(entry, err));
    if (name == NULL)
        name = json_string_value(json_object_get(json_object_get(entry, "config"), "name"));
    if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL || strlen(name) >= sizeof inner.name)
        return base_fail(err, CONVOY_ERROR_MODEL, "the name of a model inside the model: expected 1 to %zu bytes without '/'",
                         sizeof inner.name - 1);
    text_copy(inner.name, sizeof inner.name, name);
    into.scope = *scope = (int)model->scope_count;
    TRY(model_check_name(model, call->scope, inner.name, err));
    TRY(model_add_scope(model, &inner, err));
    convoy_status status = config_read_scope(model, &into, entry, err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "model '%s'", inner.name);
}

/* ---- a chain ---- */

/* The InputLayer of a chain that begins with a model: that model's own says its shape. */
static convoy_status copy_input(convoy_model *model, const config_call *call, const json_t *entry, convoy_error *err)
{
    const json_t *layers = json_object_get(json_object_get(entry, "config"), "layers");
    json_t *config = json_copy(json_object_get(json_array_get(layers, 0), "config"));
    if (config == NULL)
        return base_fail(err, CONVOY_ERROR_MODEL, "the model inside has no layers");
    json_object_del(config, "name");
    convoy_status status = config_read_input(model, call, config, 0, err);
    json_decref(config);
    return status;
}

/* The InputLayer of an inner chain that has none written down: as what it is called with. */
static convoy_status make_input(convoy_model *model, const config_call *call, convoy_error *err)
{
    const convoy_shape *shape = &model->nodes[call->sources[0]].layer->output;
    json_t *config = json_pack("{s:[]}", "shape");
    for (int i = 0; i < shape->rank; i++)
        json_array_append_new(json_object_get(config, "shape"), json_integer(shape->dim[i]));
    convoy_status status = config ? config_read_input(model, call, config, 0, err) : OUT_OF_MEMORY(err);
    json_decref(config);
    return status;
}

/* A model inside the chain: the next layer reads what it gives. */
static convoy_status read_inner(convoy_model *model, const config_call *call, const json_t *entry, convoy_error *err)
{
    int scope = -1, source = model->tip;
    const config_call inner = {call->scope, &source, 1, call->frozen};
    TRY(config_read_inner(model, &inner, NULL, entry, &scope, err));
    if (model->scopes[scope].output_count != 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' gives %d outputs; in a Sequential model it must give one",
                         model->scopes[scope].name, model->scopes[scope].output_count);
    model->tip = model->scopes[scope].outputs[0];
    return CONVOY_OK;
}

static convoy_status read_next(convoy_model *model, const config_call *call, const json_t *entry, const json_t *build_shape,
                               bool first, convoy_error *err)
{
    const char *class_name = json_string_value(json_object_get(entry, "class_name"));
    bool is_input = class_name != NULL && strcmp(class_name, "InputLayer") == 0, inside = call->scope > 0;
    TRY(config_check_entry(entry, err));
    if (!inside && !config_is_model(entry))
        return model_append_config(model, class_name, json_object_get(entry, "config"), first ? build_shape : NULL, err);
    if (first && !is_input)
        TRY(inside ? make_input(model, call, err) : copy_input(model, call, entry, err));
    if (config_is_model(entry))
        return read_inner(model, call, entry, err);
    if (!is_input)
        return config_read_layer(model, call, entry, &model->tip, 1, err);
    if (!first)
        return base_fail(err, CONVOY_ERROR_MODEL, "a second InputLayer; a Sequential model has one, at the beginning");
    return config_read_input(model, call, json_object_get(entry, "config"), 0, err);
}

convoy_status config_read_chain(convoy_model *model, const config_call *call, const json_t *build_shape,
                                const json_t *layers, convoy_error *err)
{
    int first = (int)model->node_count;
    if (call->scope > 0 && call->source_count != 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "a Sequential model is called with %d tensors; it takes one",
                         call->source_count);
    for (size_t i = 0; i < json_array_size(layers); i++) {
        convoy_status status = read_next(model, call, json_array_get(layers, i), build_shape, i == 0, err);
        if (status != CONVOY_OK)
            return base_fail_in(err, status, "layers[%zu]", i);
    }
    if (call->scope == 0)
        return CONVOY_OK; /* its ends are those of the chain */
    TRY(model_set_ends(model, call->scope, false, &first, 1, err));
    return model_set_ends(model, call->scope, true, &model->tip, 1, err);
}
