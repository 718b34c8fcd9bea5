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
    model->tip = -1;
    if (model_add_scope(model, &(model_scope){.outer = -1}, err) != CONVOY_OK) {
        free(model);
        return CONVOY_ERROR_MEMORY;
    }
    if (name == NULL)
        name = "sequential";
    if (name[0] == '\0' || strchr(name, '/') != NULL || strlen(name) >= sizeof model->name) {
        size_t most = sizeof model->name - 1;
        convoy_model_destroy(model);
        return base_fail(err, CONVOY_ERROR_MODEL, "model name '%.200s': expected 1 to %zu bytes without '/'", name,
                         most);
    }
    text_copy(model->name, sizeof model->name, name);
    *out = model;
    return CONVOY_OK;
}

static void node_free(model_node *node, bool owns_weights)
{
    for (int i = 0; owns_weights && i < LAYER_MAX_PARAMS; i++)
        free(node->weights[i]);
    layer_destroy(node->layer);
}

void model_truncate(convoy_model *model, size_t node_count, size_t scope_count)
{
    while (model->node_count > node_count) {
        model_node *node = &model->nodes[--model->node_count];
        for (int k = 0; k < node->input_count; k++)
            model->nodes[node->input[k]].readers--;
        node_free(node, model_is_first(model, model->node_count));
    }
    while (model->scope_count > scope_count) {
        model_scope *scope = &model->scopes[--model->scope_count];
        free(scope->inputs);
        free(scope->outputs);
    }
    model->tip = (int)node_count - 1;
}

static void free_slots(convoy_model *model)
{
    for (size_t i = 0; i < sizeof model->optimizer_slots / sizeof model->optimizer_slots[0]; i++) {
        free(model->optimizer_slots[i]);
        model->optimizer_slots[i] = NULL;
    }
    model->optimizer_slot_count = 0;
    model->optimizer_steps = 0;
}

/* Its slots belong to the parameters as they were. */
static void forget_optimizer(convoy_model *model)
{
    free_slots(model);
    model->optimizer[0] = '\0';
    model->optimizer_refused[0] = '\0';
    model->optimizer_left_out[0] = '\0';
    optimizer_settings_clear(&model->optimizer_settings);
    model->compiled = false;
}

void model_drop_kept(convoy_model *model, const char *key)
{
    if (model->compile_kept != NULL)
        (void)json_object_del(model->compile_kept, key);
}

void model_set_objective(convoy_model *model, const loss_settings *loss, const metric_list *metrics)
{
    static const char *const keys[] = {"loss", "loss_weights", "metrics", "weighted_metrics"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        model_drop_kept(model, keys[i]);
    model->loss_refused[0] = model->metrics_refused[0] = '\0';
    model->loss = *loss;
    model->metrics = *metrics;
}

convoy_status model_begin_optimizer(convoy_model *model, convoy_error *err)
{
    size_t count = model_trainable_count(model);
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    free_slots(model);
    model->optimizer_left_out[0] = '\0';
    model->optimizer_slot_count = optimizer_layout_of(class, &model->optimizer_settings).slots;
    for (int s = 0; s < model->optimizer_slot_count; s++) {
        model->optimizer_slots[s] = calloc(count ? count : 1, sizeof(float));
        if (model->optimizer_slots[s] == NULL)
            return OUT_OF_MEMORY(err);
        for (size_t i = 0; i < count; i++)
            model->optimizer_slots[s][i] = optimizer_slot_start(class, &model->optimizer_settings, s);
    }
    model->optimizer_scalar = OPTIMIZER_SCALAR_START;
    return CONVOY_OK;
}

convoy_status model_leave_state_out(convoy_model *model, convoy_status status, const convoy_error *why, convoy_error *err)
{
    if (status == CONVOY_ERROR_MEMORY)
        return base_fail(err, status, "%s", why->message);
    TRY(model_begin_optimizer(model, err));
    text_copy(model->optimizer_left_out, sizeof model->optimizer_left_out, why->message);
    return CONVOY_OK;
}

void convoy_model_destroy(convoy_model *model)
{
    if (model == NULL)
        return;
    model_truncate(model, 0, 0);
    forget_optimizer(model);
    model_forget_training(model);
    json_decref(model->compile_kept);
    (void)convoy_model_set_class_names(model, NULL, 0, NULL);
    free(model->nodes);
    free(model->scopes);
    free(model);
}

/* ---- growing ---- */

static bool is_input(const layer *l)
{
    return strcmp(l->class->name, "InputLayer") == 0;
}

static convoy_status check_place(const convoy_model *model, const model_node *node, convoy_error *err)
{
    const layer *l = node->layer;
    bool chain = !model->scopes[node->scope].functional;
    if (model->node_count == 0 && !is_input(l))
        return base_fail(err, CONVOY_ERROR_MODEL, "the first layer is %s; expected InputLayer with shape=(H, W, C), or "
                         "input_shape=(H, W, C) among this layer's options", l->class->name);
    if (model->node_count > 0 && is_input(l) && chain && node->scope == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "a second InputLayer; a Sequential model has one, at the beginning");
    if (!is_input(l) && node->input_count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "layer %s reads nothing; name the layers that it reads", l->class->name);
    if (model->node_count >= MOST_LAYERS)
        return base_fail(err, CONVOY_ERROR_MODEL, "more than %d layers", MOST_LAYERS);
    return CONVOY_OK;
}

/* What layers and inner models of a scope are called: name i, or NULL where there is none of this scope. */
static const char *name_in(const convoy_model *model, int scope, size_t i)
{
    if (i < model->node_count)
        return model->nodes[i].scope == scope && model_is_first(model, i) ? model->nodes[i].layer->name : NULL;
    const model_scope *inner = &model->scopes[i - model->node_count];
    return inner->outer == scope && &model->scopes[inner->first] == inner ? inner->name : NULL;
}

/* Keras's default: conv2d, conv2d_1, ...: the first that is free. */
static convoy_status choose_name(const convoy_model *model, int scope, layer *l, convoy_error *err)
{
    const char *snake = l->class->snake;
    size_t length = strlen(snake), free_at = 0, names = model->node_count + model->scope_count;
    bool *taken = calloc(names + 1, sizeof *taken);
    if (taken == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < names; i++) {
        const char *name = name_in(model, scope, i);
        if (name == NULL || strncmp(name, snake, length) != 0)
            continue;
        char *end = NULL;
        size_t k = 0;
        if (name[length] == '_' && name[length + 1] >= '1' && name[length + 1] <= '9')
            k = strtoul(name + length + 1, &end, 10);
        else
            end = (char *)name + length;
        if (*end == '\0' && k <= names)
            taken[k] = true;
    }
    while (taken[free_at])
        free_at++;
    free(taken);
    snprintf(l->name, sizeof l->name, free_at ? "%s_%zu" : "%s", snake, free_at);
    return CONVOY_OK;
}

convoy_status model_check_name(const convoy_model *model, int scope, const char *wanted, convoy_error *err)
{
    for (size_t i = 0; i < model->node_count + model->scope_count; i++) {
        const char *name = name_in(model, scope, i);
        if (name != NULL && strcmp(name, wanted) == 0)
            return base_fail(err, CONVOY_ERROR_MODEL,
                             "layers %zu and %zu have the same name '%s'; names must be unique", i, model->node_count,
                             wanted);
    }
    return CONVOY_OK;
}

static convoy_status name_layer(const convoy_model *model, int scope, layer *l, convoy_error *err)
{
    return l->name[0] == '\0' ? choose_name(model, scope, l, err) : model_check_name(model, scope, l->name, err);
}

/* Used again, a layer must want the weights that it has. */
static convoy_status share_weights(const convoy_model *model, model_node *node, convoy_error *err)
{
    const model_node *first = &model->nodes[node->first];
    const layer *l = node->layer;
    char wanted[96], there[96];
    for (int i = 0; i < l->param_count; i++) {
        const convoy_shape *a = &l->param[i].shape, *b = &first->layer->param[i].shape;
        if (!shape_equal(a, b))
            return base_fail(err, CONVOY_ERROR_MODEL, "layer '%s' (%s), used again: with this input its '%s' would have the "
                             "shape %s (without None); it has %s", l->name, l->class->name, l->param[i].name,
                             shape_text(a, wanted, sizeof wanted), shape_text(b, there, sizeof there));
        node->weights[i] = first->weights[i];
    }
    return CONVOY_OK;
}

static convoy_status make_weights(model_node *node, convoy_error *err)
{
    const layer *l = node->layer;
    for (int i = 0; i < l->param_count; i++) {
        node->weights[i] = calloc(l->param[i].count, sizeof(float));
        if (node->weights[i] == NULL)
            return base_fail(err, CONVOY_ERROR_MEMORY, "layer '%s' (%s): out of host memory for '%s' (%zu values)",
                             l->name, l->class->name, l->param[i].name, l->param[i].count);
    }
    return CONVOY_OK;
}

/* Is an inner model called with what its InputLayer says? */
static convoy_status check_call(const convoy_model *model, const model_node *node, convoy_error *err)
{
    char wanted[96], there[96];
    const convoy_shape *a = &node->layer->output, *b = &model->nodes[node->input[0]].layer->output;
    if (shape_equal(a, b))
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' takes %s, but is called with %s, the output of layer '%s'",
                     model->scopes[node->scope].name, shape_text(a, wanted, sizeof wanted),
                     shape_text(b, there, sizeof there), model->nodes[node->input[0]].layer->name);
}

static convoy_status connect_node(const convoy_model *model, model_node *node, convoy_error *err)
{
    convoy_shape shapes[LAYER_MAX_INPUTS];
    /* What an inner model's InputLayer reads is no input to the layer: it says what the model must be called with. */
    int count = is_input(node->layer) ? 0 : node->input_count;
    for (int k = 0; k < count && k < LAYER_MAX_INPUTS; k++)
        shapes[k] = model->nodes[node->input[k]].layer->output;
    TRY(layer_connect(node->layer, shapes, count, err));
    if (count < node->input_count)
        TRY(check_call(model, node, err));
    return node->first == (int)model->node_count ? make_weights(node, err) : share_weights(model, node, err);
}

static convoy_status append_node(convoy_model *model, model_node *node, convoy_error *err)
{
    TRY(check_place(model, node, err));
    if (node->first == (int)model->node_count)
        TRY(name_layer(model, node->scope, node->layer, err));
    TRY(connect_node(model, node, err));
    model_node *nodes = realloc(model->nodes, (model->node_count + 1) * sizeof *nodes);
    if (nodes == NULL)
        return OUT_OF_MEMORY(err);
    model->nodes = nodes;
    for (int k = 0; k < node->input_count; k++)
        nodes[node->input[k]].readers++;
    model->tip = (int)model->node_count;
    model->nodes[model->node_count++] = *node;
    forget_optimizer(model);
    return CONVOY_OK;
}

convoy_status model_append_node(convoy_model *model, const model_node *use, convoy_error *err)
{
    model_node node = *use;
    if (node.first < 0)
        node.first = (int)model->node_count;
    convoy_status status = append_node(model, &node, err);
    if (status != CONVOY_OK)
        node_free(&node, node.first == (int)model->node_count);
    return status;
}

convoy_status model_append(convoy_model *model, layer *l, convoy_error *err)
{
    model_node node = {.layer = l, .first = -1};
    if (model->tip >= 0 && !is_input(l)) {
        node.input[0] = model->tip;
        node.input_count = 1;
    }
    return model_append_node(model, &node, err);
}

convoy_status model_copy_layer(const layer *l, layer **out, convoy_error *err)
{
    json_t *config = layer_config(l);
    if (config == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = layer_create(l->class, config, out, err);
    json_decref(config);
    if (status == CONVOY_OK)
        (*out)->trainable = l->trainable;
    return status;
}

convoy_status model_add_scope(convoy_model *model, const model_scope *scope, convoy_error *err)
{
    model_scope *scopes = realloc(model->scopes, (model->scope_count + 1) * sizeof *scopes);
    if (scopes == NULL)
        return OUT_OF_MEMORY(err);
    model->scopes = scopes;
    scopes[model->scope_count++] = *scope;
    return CONVOY_OK;
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
    uint32_t stream = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const layer *l = model->nodes[i].layer;
        for (int p = 0; model_is_first(model, i) && p < l->param_count; p++)
            TRY(initializer_fill(&l->param[p].init, &l->param[p], seed, stream++, model->nodes[i].weights[p], err));
    }
    model->has_weights = true;
    /* The optimizer's state belongs to the weights as they were. */
    return model->optimizer[0] != '\0' ? model_begin_optimizer(model, err) : CONVOY_OK;
}

bool convoy_model_has_weights(const convoy_model *model)
{
    return model->has_weights || convoy_model_parameter_count(model) == 0;
}
