/* What a model is made of. */
#include "model/model.h"

/* ---- inside: nodes ---- */

/* The k-th node with a property; node_count past the last. */
static size_t find_node(const convoy_model *model, bool (*has)(const model_node *node), size_t k)
{
    size_t i = 0;
    for (; i < model->node_count; i++)
        if (has(&model->nodes[i]) && k-- == 0)
            break;
    return i;
}

static size_t count_nodes(const convoy_model *model, bool (*has)(const model_node *node))
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++)
        count += has(&model->nodes[i]);
    return count;
}

static bool reads_nothing(const model_node *node) { return node->input_count == 0; }
static bool is_unread(const model_node *node) { return node->readers == 0; }

size_t model_input_count(const convoy_model *model)
{
    const model_scope *scope = &model->scopes[0];
    return scope->input_count > 0 ? (size_t)scope->input_count : count_nodes(model, reads_nothing);
}

size_t model_input_node(const convoy_model *model, size_t k)
{
    const model_scope *scope = &model->scopes[0];
    return scope->input_count > 0 ? (size_t)scope->inputs[k] : find_node(model, reads_nothing, k);
}

size_t model_output_count(const convoy_model *model)
{
    const model_scope *scope = &model->scopes[0];
    if (scope->output_count > 0)
        return (size_t)scope->output_count;
    return scope->functional ? count_nodes(model, is_unread) : model->tip >= 0;
}

size_t model_output_node(const convoy_model *model, size_t k)
{
    const model_scope *scope = &model->scopes[0];
    if (scope->output_count > 0)
        return (size_t)scope->outputs[k];
    return scope->functional ? find_node(model, is_unread, k) : (size_t)model->tip;
}

size_t model_trainable_count(const convoy_model *model)
{
    return model_packed_offset(model, model->node_count);
}

size_t model_packed_offset(const convoy_model *model, size_t node)
{
    size_t count = 0;
    for (size_t i = 0; i < node; i++)
        for (int p = 0; model_is_first(model, i) && p < model->nodes[i].layer->param_count; p++)
            if (model->nodes[i].layer->param[p].trainable)
                count += model->nodes[i].layer->param[p].count;
    return count;
}

/* ---- outside: layers, each once ---- */

size_t model_layer_node(const convoy_model *model, size_t layer)
{
    size_t i = 0;
    for (; i < model->node_count; i++)
        if (model_is_first(model, i) && layer-- == 0)
            break;
    return i;
}

/* The node of a layer's first use; NULL past the last. */
static const model_node *find_layer(const convoy_model *model, size_t layer)
{
    size_t node = model_layer_node(model, layer);
    return node < model->node_count ? &model->nodes[node] : NULL;
}

size_t convoy_model_parameter_count(const convoy_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; model_is_first(model, i) && p < model->nodes[i].layer->param_count; p++)
            count += model->nodes[i].layer->param[p].count;
    return count;
}

const char *convoy_model_name(const convoy_model *model)
{
    return model->name;
}

size_t convoy_model_layer_count(const convoy_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++)
        count += model_is_first(model, i);
    return count;
}

const char *convoy_model_layer_name(const convoy_model *model, size_t layer)
{
    const model_node *node = find_layer(model, layer);
    return node ? node->layer->name : NULL;
}

const char *convoy_model_layer_class(const convoy_model *model, size_t layer)
{
    const model_node *node = find_layer(model, layer);
    return node ? node->layer->class->name : NULL;
}

convoy_shape convoy_model_layer_output(const convoy_model *model, size_t layer)
{
    const model_node *node = find_layer(model, layer);
    return node ? node->layer->output : (convoy_shape){0};
}

size_t convoy_model_input_count(const convoy_model *model)
{
    return model_input_count(model);
}

convoy_shape convoy_model_input_at(const convoy_model *model, size_t input)
{
    return input < model_input_count(model) ? model->nodes[model_input_node(model, input)].layer->output
                                            : (convoy_shape){0};
}

size_t convoy_model_output_count(const convoy_model *model)
{
    return model_output_count(model);
}

convoy_shape convoy_model_output_at(const convoy_model *model, size_t output)
{
    return output < model_output_count(model) ? model->nodes[model_output_node(model, output)].layer->output
                                              : (convoy_shape){0};
}

convoy_shape convoy_model_input(const convoy_model *model)
{
    return convoy_model_input_at(model, 0);
}

convoy_shape convoy_model_output(const convoy_model *model)
{
    return convoy_model_output_at(model, 0);
}

size_t convoy_model_weights(convoy_model *model, size_t layer, size_t index, float **values, convoy_shape *shape)
{
    const model_node *node = find_layer(model, layer);
    if (node == NULL || index >= (size_t)node->layer->param_count)
        return 0;
    const layer_param *param = &node->layer->param[index];
    if (values != NULL)
        *values = node->weights[index];
    if (shape != NULL)
        *shape = param->shape;
    return param->count;
}
