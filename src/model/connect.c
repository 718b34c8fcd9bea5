/* Functional models from C: layers name those that they read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "layers/option.h"
#include "model/build.h"

#define MOST_OUTPUTS 256

/* ---- names ---- */

/* The layer of the model itself (not of models inside it) with a name of `length` bytes: its first use, or -1. */
static int find_layer(const convoy_model *model, const char *name, size_t length)
{
    for (size_t i = 0; i < model->node_count; i++) {
        const char *there = model->nodes[i].layer->name;
        if (model->nodes[i].scope == 0 && model_is_first(model, i) && strlen(there) == length &&
            memcmp(there, name, length) == 0)
            return (int)i;
    }
    return -1;
}

/* Use k of a layer, counted from 0; -1 where there is none. */
static int find_use(const convoy_model *model, int first, long k)
{
    for (size_t i = 0; i < model->node_count; i++)
        if (model->nodes[i].first == first && k-- == 0)
            return (int)i;
    return -1;
}

static convoy_status fail_name(const convoy_model *model, const char *name, convoy_error *err)
{
    char list[2048] = "", hint[160];
    size_t used = 0;
    for (size_t i = 0; i < model->node_count && used < sizeof list; i++)
        if (model->nodes[i].scope == 0 && model_is_first(model, i))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", model->nodes[i].layer->name);
    return base_fail(err, CONVOY_ERROR_MODEL, "'%s' is no layer of model '%s'; %sknown: %s", name, model->name,
                     option_suggest(name, list, hint, sizeof hint), used ? list : "none yet");
}

/* "conv2d", or "conv2d[1]": its second use. */
static convoy_status find_node(const convoy_model *model, const char *name, int *out, convoy_error *err)
{
    size_t length = strlen(name);
    const char *bracket = strrchr(name, '[');
    char *end = NULL;
    int first = find_layer(model, name, length);
    *out = first;
    if (first >= 0)
        return CONVOY_OK;
    long use = bracket != NULL ? strtol(bracket + 1, &end, 10) : -1;
    if (use < 0 || strcmp(end, "]") != 0 || (first = find_layer(model, name, (size_t)(bracket - name))) < 0)
        return fail_name(model, name, err);
    *out = find_use(model, first, use);
    if (*out < 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "'%s': layer '%s' is not used that often; [0] is its first use", name,
                         model->nodes[first].layer->name);
    return CONVOY_OK;
}

/* Comma-separated names. */
static convoy_status find_nodes(const convoy_model *model, const char *names, int *out, int most, int *count,
                                convoy_error *err)
{
    char name[160];
    *count = 0;
    while (names != NULL && *names != '\0') {
        size_t length = strcspn(names, ","), skipped = strspn(names, " ");
        const char *next = names + length + (names[length] == ',');
        skipped = skipped < length ? skipped : length;
        names += skipped;
        length -= skipped;
        while (length > 0 && names[length - 1] == ' ')
            length--;
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), names);
        if (length == 0)
            return base_fail(err, CONVOY_ERROR_MODEL, "an empty name; expected names of layers, separated by commas");
        if (*count == most)
            return base_fail(err, CONVOY_ERROR_MODEL, "more than %d names", most);
        TRY(find_node(model, name, &out[(*count)++], err));
        names = next;
    }
    return CONVOY_OK;
}

/* ---- growing ---- */

/* The name that convoy_model_create gives when none is wanted is a Sequential's. */
static void become_functional(convoy_model *model)
{
    if (!model->scopes[0].functional && strcmp(model->name, "sequential") == 0)
        text_copy(model->name, sizeof model->name, "functional");
    model->scopes[0].functional = true;
}

static convoy_status check_reading(const convoy_model *model, const layer *l, int count, convoy_error *err)
{
    bool reads = l->class->forward != NULL || l->class->alias; /* InputLayer does not */
    if (model->scopes[0].output_count > 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "the outputs of model '%s' are set; add layers before", model->name);
    if (reads && count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "it reads nothing; name the layers that it reads");
    if (!reads && count > 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "it reads no other layer");
    return CONVOY_OK;
}

/* Appends a layer, whose ownership this takes; the model becomes functional if that goes well. */
static convoy_status append_reading(convoy_model *model, layer *l, const char *inputs, int first, convoy_error *err)
{
    model_node node = {.layer = l, .first = first};
    bool before = model->scopes[0].functional;
    convoy_status status = find_nodes(model, inputs, node.input, LAYER_MAX_INPUTS, &node.input_count, err);
    if (status == CONVOY_OK)
        status = check_reading(model, l, node.input_count, err);
    if (status != CONVOY_OK) {
        base_fail_in(err, status, "layer %s%s%s%s", l->class->name, l->name[0] ? " '" : "", l->name, l->name[0] ? "'" : "");
        layer_destroy(l);
        return status;
    }
    model->scopes[0].functional = true;
    status = model_append_node(model, &node, err);
    model->scopes[0].functional = before;
    if (status == CONVOY_OK)
        become_functional(model);
    return status;
}

convoy_status convoy_model_connect(convoy_model *model, const char *class_name, const char *options, const char *inputs,
                                   convoy_error *err)
{
    const layer_class *class = NULL;
    json_t *config = NULL;
    layer *l = NULL;
    TRY(model_find_class(class_name, &class, err));
    convoy_status status = option_parse_text(options, &config, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "layer %.100s", class_name);
    status = layer_create(class, config, &l, err);
    json_decref(config);
    return status == CONVOY_OK ? append_reading(model, l, inputs, -1, err) : status;
}

convoy_status convoy_model_reuse(convoy_model *model, const char *layer_name, const char *inputs, convoy_error *err)
{
    layer *again = NULL;
    int first = find_layer(model, layer_name, strlen(layer_name));
    if (first < 0)
        return fail_name(model, layer_name, err);
    TRY(model_copy_layer(model->nodes[first].layer, &again, err));
    return append_reading(model, again, inputs, first, err);
}

/* ---- outputs ---- */

/* What leads to no output is no part of the model: Keras would leave it out. An output of an inner model may stay unread. */
static convoy_status check_all_used(const convoy_model *model, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    bool *used = calloc(model->node_count + 1, sizeof *used);
    if (used == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t k = 0; k < model_output_count(model); k++)
        used[model_output_node(model, k)] = true;
    for (size_t i = model->node_count; i-- > 0;)
        for (int k = 0; (used[i] || model->nodes[i].scope > 0) && k < model->nodes[i].input_count; k++)
            used[model->nodes[i].input[k]] = true;
    for (size_t i = 0; i < model->node_count && status == CONVOY_OK; i++)
        if (!used[i] && model->nodes[i].scope == 0 && model->nodes[i].input_count > 0)
            status = base_fail(err, CONVOY_ERROR_MODEL, "layer '%s' (%s) leads to no output of model '%s'",
                               model->nodes[i].layer->name, model->nodes[i].layer->class->name, model->name);
    free(used);
    return status;
}

convoy_status model_set_ends(convoy_model *model, int scope, bool outputs, const int *nodes, int count, convoy_error *err)
{
    model_scope *s = &model->scopes[scope];
    int *copy = malloc(((size_t)count + 1) * sizeof *copy);
    if (copy == NULL)
        return OUT_OF_MEMORY(err);
    memcpy(copy, nodes, (size_t)count * sizeof *copy);
    free(outputs ? s->outputs : s->inputs);
    *(outputs ? &s->outputs : &s->inputs) = copy;
    *(outputs ? &s->output_count : &s->input_count) = count;
    return outputs && scope == 0 ? check_all_used(model, err) : CONVOY_OK;
}

convoy_status convoy_model_set_outputs(convoy_model *model, const char *layers, convoy_error *err)
{
    int nodes[MOST_OUTPUTS], count = 0;
    convoy_status status = find_nodes(model, layers, nodes, MOST_OUTPUTS, &count, err);
    if (status == CONVOY_OK && count == 0)
        status = base_fail(err, CONVOY_ERROR_MODEL, "no layer is named");
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "outputs of model '%s'", model->name);
    status = model_set_ends(model, 0, true, nodes, count, err);
    if (status != CONVOY_OK) {
        model->scopes[0].output_count = 0;
        return base_fail_in(err, status, "outputs of model '%s'", model->name);
    }
    become_functional(model);
    return CONVOY_OK;
}
