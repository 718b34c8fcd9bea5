/* Functional models from C: layers name those that they read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "model/config_inside.h"
#include "model/level.h"
#include "words/option.h"

#define MOST_OUTPUTS 256

/* ---- names ---- */

/* What a name stands for: a layer of the model itself, or a model inside it; -1: not that. Both by their first use. */
typedef struct named {
    int node, scope;
} named;

static bool has_name(const char *there, const char *name, size_t length)
{
    return strlen(there) == length && memcmp(there, name, length) == 0;
}

/* The first `length` bytes of `name`. */
static named find_name(const convoy_model *model, const char *name, size_t length)
{
    named found = {-1, -1};
    for (size_t i = 0; i < model->node_count && found.node < 0; i++)
        if (model->nodes[i].scope == 0 && model_is_first(model, i) && has_name(model->nodes[i].layer->name, name, length))
            found.node = (int)i;
    for (size_t s = 1; s < model->scope_count && found.node < 0 && found.scope < 0; s++)
        if (model->scopes[s].outer == 0 && model->scopes[s].first == (int)s && has_name(model->scopes[s].name, name, length))
            found.scope = (int)s;
    return found;
}

static convoy_status fail_name(const convoy_model *model, const char *name, convoy_error *err)
{
    char list[2048] = "", hint[160];
    size_t used = 0;
    for (size_t i = 0; i < model->node_count && used < sizeof list; i++)
        if (model->nodes[i].scope == 0 && model_is_first(model, i))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", model->nodes[i].layer->name);
    for (size_t s = 1; s < model->scope_count && used < sizeof list; s++)
        if (model->scopes[s].outer == 0 && model->scopes[s].first == (int)s)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", model->scopes[s].name);
    return base_fail(err, CONVOY_ERROR_MODEL, "'%s' is no layer of model '%s'; %sknown: %s", name, model->name,
                     suggest_word(name, list, hint, sizeof hint), used ? list : "none yet");
}

/* Takes "[12]" off the end of a name. */
static bool cut_index(const char *name, size_t *length, size_t *index)
{
    size_t at = *length;
    if (at < 3 || name[at - 1] != ']')
        return false;
    for (at--; at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9'; at--)
        ;
    if (at == 0 || name[at - 1] != '[' || at + 1 == *length || *length - at > 8)
        return false;
    *index = (size_t)strtoul(name + at, NULL, 10);
    *length = at - 1;
    return true;
}

/* Use k of a layer; -1 where there is none. */
static int find_use(const convoy_model *model, int first, size_t k)
{
    for (size_t i = 0; i < model->node_count; i++)
        if (model->nodes[i].first == first && k-- == 0)
            return (int)i;
    return -1;
}

/* Use k of an inner model; -1 where there is none. */
static int find_scope_use(const convoy_model *model, int first, size_t k)
{
    for (size_t s = 1; s < model->scope_count; s++)
        if (model->scopes[s].outer == 0 && model->scopes[s].first == first && k-- == 0)
            return (int)s;
    return -1;
}

/* As Keras's summary writes it: "conv2d", "conv2d[1]" (its second use), "encoder[0][1]" (an inner model's second output). */
static convoy_status find_node(const convoy_model *model, const char *name, int *out, convoy_error *err)
{
    size_t length = strlen(name), use = 0, tensor = 0, outer = 0;
    named found = find_name(model, name, length);
    if (found.node < 0 && found.scope < 0 && cut_index(name, &length, &use))
        found = find_name(model, name, length);
    if (found.node < 0 && found.scope < 0 && cut_index(name, &length, &outer)) {
        tensor = use;
        use = outer;
        found = find_name(model, name, length);
    }
    if (found.node < 0 && found.scope < 0)
        return fail_name(model, name, err);
    *out = found.node >= 0 ? find_use(model, found.node, use) : find_scope_use(model, found.scope, use);
    if (*out < 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "'%s': '%.*s' is not used that often; [0] is its first use", name,
                         (int)length, name);
    size_t outputs = found.node >= 0 ? 1 : (size_t)model->scopes[*out].output_count;
    if (tensor >= outputs)
        return base_fail(err, CONVOY_ERROR_MODEL, "'%s': '%.*s' gives %zu output%s; [0][0] is the first use's first", name,
                         (int)length, name, outputs, outputs == 1 ? "" : "s");
    if (found.scope >= 0)
        *out = model->scopes[*out].outputs[tensor];
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

/* What an inner model reads. */
static convoy_status find_sources(const convoy_model *model, const char *name, const char *inputs,
                                  int sources[CONFIG_MOST_INPUTS], int *count, convoy_error *err)
{
    convoy_status status = find_nodes(model, inputs, sources, CONFIG_MOST_INPUTS, count, err);
    if (status == CONVOY_OK && model->scopes[0].output_count > 0)
        status = base_fail(err, CONVOY_ERROR_MODEL, "the outputs of model '%s' are set; add layers before", model->name);
    if (status == CONVOY_OK && *count == 0)
        status = base_fail(err, CONVOY_ERROR_MODEL, "it reads nothing; name the layers that it reads");
    return status == CONVOY_OK ? status : base_fail_in(err, status, "model '%s'", name);
}

static convoy_status reuse_model(convoy_model *model, int first, const char *inputs, convoy_error *err)
{
    int sources[CONFIG_MOST_INPUTS], count = 0, scope = -1, tip = model->tip;
    size_t nodes = model->node_count, scopes = model->scope_count;
    TRY(find_sources(model, model->scopes[first].name, inputs, sources, &count, err));
    convoy_status status = model_repeat_scope(model, first, 0, sources, count, &scope, err);
    if (status != CONVOY_OK)
        model_truncate(model, nodes, scopes);
    model->tip = status == CONVOY_OK ? model->scopes[scope].outputs[0] : tip;
    return status;
}

convoy_status convoy_model_reuse(convoy_model *model, const char *name, const char *inputs, convoy_error *err)
{
    layer *again = NULL;
    named found = find_name(model, name, strlen(name));
    if (found.scope >= 0)
        return reuse_model(model, found.scope, inputs, err);
    if (found.node < 0)
        return fail_name(model, name, err);
    TRY(model_copy_layer(model->nodes[found.node].layer, &again, err));
    return append_reading(model, again, inputs, found.node, err);
}

/* ---- models inside ---- */

static convoy_status copy_weights(const convoy_model *inner, convoy_model *model, int scope, convoy_error *err)
{
    size_t *from = NULL, *to = NULL, from_count = 0, to_count = 0;
    convoy_status status;
    TRY_GOTO(level_order(inner, 0, &from, &from_count, err));
    TRY_GOTO(level_order(model, scope, &to, &to_count, err));
    for (size_t i = 0; i < from_count && i < to_count; i++) {
        const model_node *a = &inner->nodes[from[i]], *b = &model->nodes[to[i]];
        for (int p = 0; p < a->layer->param_count; p++)
            memcpy(b->weights[p], a->weights[p], a->layer->param[p].count * sizeof(float));
    }
done:
    free(from);
    free(to);
    return status;
}

static convoy_status insert_model(convoy_model *model, const convoy_model *inner, const int *sources, int count,
                                  convoy_error *err)
{
    const config_call call = {.sources = sources, .source_count = count};
    json_t *config = NULL;
    int scope = -1;
    TRY(model_to_config(inner, &config, err));
    convoy_status status = config_read_inner(model, &call, NULL, config, &scope, err);
    json_decref(config);
    TRY(status);
    TRY(copy_weights(inner, model, scope, err));
    model->tip = model->scopes[scope].outputs[0];
    return CONVOY_OK;
}

convoy_status convoy_model_connect_model(convoy_model *model, const convoy_model *inner, const char *inputs,
                                         convoy_error *err)
{
    int sources[CONFIG_MOST_INPUTS], count = 0, tip = model->tip;
    size_t nodes = model->node_count, scopes = model->scope_count;
    if (inner == model || inner->node_count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' %s", inner->name,
                         inner == model ? "can't be part of itself" : "has no layers");
    TRY(find_sources(model, inner->name, inputs, sources, &count, err));
    convoy_status status = insert_model(model, inner, sources, count, err);
    if (status == CONVOY_OK) {
        become_functional(model);
        return status;
    }
    model_truncate(model, nodes, scopes);
    model->tip = tip;
    return status;
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
