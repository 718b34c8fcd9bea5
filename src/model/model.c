/* A model's life: its nodes, their names and their weights. */
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/build.h"

#define MOST_LAYERS 4096

convoy_status convoy_model_create(const char *name, convoy_model **out, convoy_error *err)
{
    convoy_model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return OUT_OF_MEMORY(err);
    if (name == NULL)
        name = "sequential";
    if (name[0] == '\0' || strchr(name, '/') != NULL || strlen(name) >= sizeof model->name) {
        size_t most = sizeof model->name - 1;
        free(model);
        return base_fail(err, CONVOY_ERROR_MODEL, "model name '%.200s': expected 1 to %zu bytes without '/'", name,
                         most);
    }
    text_copy(model->name, sizeof model->name, name);
    *out = model;
    return CONVOY_OK;
}

static void node_free(model_node *node)
{
    for (int i = 0; i < LAYER_MAX_PARAMS; i++)
        free(node->weights[i]);
    layer_destroy(node->layer);
}

void model_truncate(convoy_model *model, size_t count)
{
    while (model->node_count > count)
        node_free(&model->nodes[--model->node_count]);
}

/* The optimizer's slots belong to the weights as they were. */
static void forget_optimizer(convoy_model *model)
{
    for (size_t i = 0; i < sizeof model->optimizer_slots / sizeof model->optimizer_slots[0]; i++) {
        free(model->optimizer_slots[i]);
        model->optimizer_slots[i] = NULL;
    }
    model->optimizer[0] = '\0';
    model->optimizer_slot_count = 0;
    model->optimizer_steps = 0;
    model->learning_rate = model->momentum = 0;
    model->compiled = false;
}

void convoy_model_destroy(convoy_model *model)
{
    if (model == NULL)
        return;
    model_truncate(model, 0);
    forget_optimizer(model);
    (void)convoy_model_set_class_names(model, NULL, 0, NULL);
    free(model->nodes);
    free(model);
}

/* ---- growing ---- */

static bool is_input(const layer *l)
{
    return strcmp(l->class->name, "InputLayer") == 0;
}

static convoy_status check_place(const convoy_model *model, const layer *l, convoy_error *err)
{
    if (model->node_count == 0 && !is_input(l))
        return base_fail(err, CONVOY_ERROR_MODEL, "the first layer is %s; expected InputLayer with shape=(H, W, C), or "
                         "input_shape=(H, W, C) among this layer's options", l->class->name);
    if (model->node_count > 0 && is_input(l))
        return base_fail(err, CONVOY_ERROR_MODEL, "a second InputLayer; a Sequential model has one, at the beginning");
    if (model->node_count >= MOST_LAYERS)
        return base_fail(err, CONVOY_ERROR_MODEL, "more than %d layers", MOST_LAYERS);
    return CONVOY_OK;
}

/* Keras's default: conv2d, conv2d_1, ...: the first that is free. */
static convoy_status choose_name(const convoy_model *model, layer *l, convoy_error *err)
{
    const char *snake = l->class->snake;
    size_t length = strlen(snake), free_at = 0;
    bool *taken = calloc(model->node_count + 1, sizeof *taken);
    if (taken == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < model->node_count; i++) {
        const char *name = model->nodes[i].layer->name;
        if (strncmp(name, snake, length) != 0)
            continue;
        char *end = NULL;
        size_t k = 0;
        if (name[length] == '_' && name[length + 1] >= '1' && name[length + 1] <= '9')
            k = strtoul(name + length + 1, &end, 10);
        else
            end = (char *)name + length;
        if (*end == '\0' && k <= model->node_count)
            taken[k] = true;
    }
    while (taken[free_at])
        free_at++;
    free(taken);
    snprintf(l->name, sizeof l->name, free_at ? "%s_%zu" : "%s", snake, free_at);
    return CONVOY_OK;
}

static convoy_status name_layer(const convoy_model *model, layer *l, convoy_error *err)
{
    if (l->name[0] == '\0')
        return choose_name(model, l, err);
    for (size_t i = 0; i < model->node_count; i++)
        if (strcmp(model->nodes[i].layer->name, l->name) == 0)
            return base_fail(err, CONVOY_ERROR_MODEL,
                             "layers %zu and %zu have the same name '%s'; names must be unique", i, model->node_count,
                             l->name);
    return CONVOY_OK;
}

static convoy_status connect_node(const convoy_model *model, model_node *node, convoy_error *err)
{
    layer *l = node->layer;
    if (model->node_count > 0) {
        node->input_count = 1;
        node->input[0] = (int)model->node_count - 1;
        TRY(layer_connect(l, &model->nodes[model->node_count - 1].layer->output, 1, err));
    } else {
        TRY(layer_connect(l, NULL, 0, err));
    }
    for (int i = 0; i < l->param_count; i++) {
        node->weights[i] = calloc(l->param[i].count, sizeof(float));
        if (node->weights[i] == NULL)
            return base_fail(err, CONVOY_ERROR_MEMORY, "layer '%s' (%s): out of host memory for '%s' (%zu values)",
                             l->name, l->class->name, l->param[i].name, l->param[i].count);
    }
    return CONVOY_OK;
}

static convoy_status append_node(convoy_model *model, model_node *node, convoy_error *err)
{
    TRY(check_place(model, node->layer, err));
    TRY(name_layer(model, node->layer, err));
    TRY(connect_node(model, node, err));
    model_node *nodes = realloc(model->nodes, (model->node_count + 1) * sizeof *nodes);
    if (nodes == NULL)
        return OUT_OF_MEMORY(err);
    model->nodes = nodes;
    model->nodes[model->node_count++] = *node;
    forget_optimizer(model);
    return CONVOY_OK;
}

convoy_status model_append(convoy_model *model, layer *l, convoy_error *err)
{
    model_node node = {.layer = l};
    convoy_status status = append_node(model, &node, err);
    if (status != CONVOY_OK)
        node_free(&node);
    return status;
}

convoy_status convoy_model_add(convoy_model *model, const char *class_name, const char *options, convoy_error *err)
{
    json_t *config = NULL;
    convoy_status status = option_parse_text(options, &config, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "layer %.100s", class_name);
    status = model_append_config(model, class_name, config, NULL, err);
    json_decref(config);
    return status;
}

convoy_status convoy_model_initialize(convoy_model *model, uint64_t seed, convoy_error *err)
{
    (void)err; /* nothing here fails yet; drawing on a device could */
    uint32_t stream = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const layer *l = model->nodes[i].layer;
        for (int p = 0; p < l->param_count; p++)
            initializer_fill(&l->param[p].init, &l->param[p], seed, stream++, model->nodes[i].weights[p]);
    }
    forget_optimizer(model);
    return CONVOY_OK;
}

/* ---- what a model is made of ---- */

size_t model_trainable_count(const convoy_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; p < model->nodes[i].layer->param_count; p++)
            if (model->nodes[i].layer->param[p].trainable)
                count += model->nodes[i].layer->param[p].count;
    return count;
}

size_t convoy_model_parameter_count(const convoy_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; p < model->nodes[i].layer->param_count; p++)
            count += model->nodes[i].layer->param[p].count;
    return count;
}

const char *convoy_model_name(const convoy_model *model)
{
    return model->name;
}

size_t convoy_model_layer_count(const convoy_model *model)
{
    return model->node_count;
}

const char *convoy_model_layer_name(const convoy_model *model, size_t layer)
{
    return layer < model->node_count ? model->nodes[layer].layer->name : NULL;
}

const char *convoy_model_layer_class(const convoy_model *model, size_t layer)
{
    return layer < model->node_count ? model->nodes[layer].layer->class->name : NULL;
}

convoy_shape convoy_model_layer_output(const convoy_model *model, size_t layer)
{
    return layer < model->node_count ? model->nodes[layer].layer->output : (convoy_shape){0};
}

convoy_shape convoy_model_input(const convoy_model *model)
{
    return convoy_model_layer_output(model, 0);
}

convoy_shape convoy_model_output(const convoy_model *model)
{
    return model->node_count > 0 ? convoy_model_layer_output(model, model->node_count - 1) : (convoy_shape){0};
}

size_t convoy_model_weights(convoy_model *model, size_t layer, size_t index, float **values, convoy_shape *shape)
{
    if (layer >= model->node_count || index >= (size_t)model->nodes[layer].layer->param_count)
        return 0;
    const layer_param *param = &model->nodes[layer].layer->param[index];
    if (values != NULL)
        *values = model->nodes[layer].weights[index];
    if (shape != NULL)
        *shape = param->shape;
    return param->count;
}
