/* Functional models in Keras's configs: layers in any order, each with the calls ("inbound nodes") that say what it reads. */
#include <stdlib.h>
#include <string.h>

#include "model/config_inside.h"
#include "words/option.h"

/* A layer, or a model inside the model, while the graph is read. */
typedef struct entry {
    const json_t *json, *calls; /* calls: "inbound_nodes" */
    const char *name;
    bool is_model, is_input;
    size_t done;                /* calls that are part of the graph by now */
    int *uses;                  /* of each of those: a node; of a model: a scope */
} entry;

typedef struct graph {
    convoy_model *model;
    const config_call *call;
    entry *entries;
    size_t count;
    json_t *index; /* name -> place in entries */
} graph;

/* What one call reads. */
typedef struct reading {
    int nodes[CONFIG_MOST_INPUTS];
    int count;
    bool waits; /* for a call that is not part of the graph yet */
} reading;

/* ---- references to tensors: ["conv2d", use, output] ---- */

static bool is_reference(const json_t *value)
{
    return json_is_array(value) && json_array_size(value) >= 3 && json_is_string(json_array_get(value, 0));
}

/* Functional models have a use of their own before all calls (their InputLayers); the lists of inputs and outputs count it,
 * and so do the calls that Keras 2 wrote, for a Sequential too. */
static json_int_t first_use(const entry *e, bool in_list, bool old)
{
    const json_t *layers = json_object_get(json_object_get(e->json, "config"), "layers");
    const char *class_name = json_string_value(json_object_get(json_array_get(layers, 0), "class_name"));
    if (!e->is_model || !(in_list || old))
        return 0;
    return config_is_functional(e->json) || (old && class_name != NULL && strcmp(class_name, "InputLayer") == 0);
}

static convoy_status fail_reference(const json_t *ref, const char *what, convoy_error *err)
{
    char found[200];
    return base_fail(err, CONVOY_ERROR_MODEL, "%s: %s", option_value_text(ref, found, sizeof found), what);
}

/* *out is -1 when the use is not part of the graph yet. */
static convoy_status find_tensor(const graph *g, const json_t *ref, bool in_list, bool old, int *out, convoy_error *err)
{
    const json_t *place = json_object_get(g->index, json_string_value(json_array_get(ref, 0)));
    json_int_t use = json_integer_value(json_array_get(ref, 1)), tensor = json_integer_value(json_array_get(ref, 2));
    *out = -1;
    if (!is_reference(ref) || !json_is_integer(json_array_get(ref, 1)) || !json_is_integer(json_array_get(ref, 2)))
        return fail_reference(ref, "expected a layer's name and two numbers", err);
    if (place == NULL)
        return fail_reference(ref, "the model has no layer of that name", err);
    const entry *e = &g->entries[json_integer_value(place)];
    use -= first_use(e, in_list, old);
    size_t all = e->is_input ? 1 : json_array_size(e->calls);
    if (use < 0 || (size_t)use >= all)
        return fail_reference(ref, "the layer is not called that often", err);
    if ((size_t)use >= e->done)
        return CONVOY_OK;
    const model_scope *inner = e->is_model ? &g->model->scopes[e->uses[use]] : NULL;
    if (tensor < 0 || tensor >= (inner ? inner->output_count : 1))
        return fail_reference(ref, "the layer does not give that many outputs", err);
    *out = inner ? inner->outputs[tensor] : e->uses[use];
    return CONVOY_OK;
}

static convoy_status read_tensor(const graph *g, const json_t *ref, bool old, reading *out, convoy_error *err)
{
    int node = -1;
    if (out->count == CONFIG_MOST_INPUTS)
        return base_fail(err, CONVOY_ERROR_MODEL, "called with more than %d tensors", CONFIG_MOST_INPUTS);
    TRY(find_tensor(g, ref, false, old, &node, err));
    out->waits = out->waits || node < 0;
    out->nodes[out->count++] = node;
    return CONVOY_OK;
}

/* ---- calls ---- */

/* {"class_name": "__keras_tensor__", "config": {"keras_history": [...]}}, or a list of such. */
static convoy_status read_argument(const graph *g, const json_t *argument, bool inside, reading *out, convoy_error *err)
{
    char found[200];
    const json_t *history = json_object_get(json_object_get(argument, "config"), "keras_history");
    if (history != NULL)
        return read_tensor(g, history, false, out, err);
    if (!json_is_array(argument) || inside)
        return base_fail(err, CONVOY_ERROR_MODEL, "called with %s; only tensors and lists of tensors are supported",
                         option_value_text(argument, found, sizeof found));
    for (size_t i = 0; i < json_array_size(argument); i++)
        TRY(read_argument(g, json_array_get(argument, i), true, out, err));
    return CONVOY_OK;
}

/* Nothing but nulls: a mask that is not there. */
static bool is_nothing(const json_t *value)
{
    bool nothing = json_is_null(value) || json_is_array(value);
    for (size_t i = 0; nothing && i < json_array_size(value); i++)
        nothing = json_is_null(json_array_get(value, i));
    return nothing;
}

/* `training`: Keras 3 writes it for each call of a layer that has such an argument (Dropout: false), and fit, evaluate and predict
 * put theirs in its place, whatever it is; so it does with a false that Keras 2 wrote (base(x, training=False)). Keras 2's true came from
 * the user alone, and counted in prediction too. */
static convoy_status check_keywords(const json_t *keywords, bool old, convoy_error *err)
{
    const char *key;
    json_t *value;
    char found[200];
    json_object_foreach((json_t *)keywords, key, value)
        if (!is_nothing(value) && (strcmp(key, "training") != 0 || (old && !json_is_false(value))))
            return base_fail(err, CONVOY_ERROR_MODEL, "called with %.100s=%s, which is not supported; without it it is", key,
                             option_value_text(value, found, sizeof found));
    return CONVOY_OK;
}

static convoy_status read_old_tensor(const graph *g, const json_t *ref, reading *out, convoy_error *err)
{
    TRY(read_tensor(g, ref, true, out, err));
    return check_keywords(json_array_get(ref, 3), true, err);
}

/* As Keras 3 writes it, an object; as Keras 2 does, a list of [name, use, output, keywords]. */
static convoy_status read_call(const graph *g, const json_t *call, reading *out, convoy_error *err)
{
    char found[200];
    const json_t *args = json_object_get(call, "args");
    *out = (reading){0};
    if (is_reference(call)) /* tf.keras of TensorFlow 2.0 writes a call with one tensor without the list around it */
        return read_old_tensor(g, call, out, err);
    if (json_is_array(call)) {
        for (size_t i = 0; i < json_array_size(call); i++)
            TRY(read_old_tensor(g, json_array_get(call, i), out, err));
        return CONVOY_OK;
    }
    if (json_array_size(args) != 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "called with the arguments %s; expected one tensor, or one list of tensors",
                         option_value_text(args, found, sizeof found));
    TRY(check_keywords(json_object_get(call, "kwargs"), false, err));
    return read_argument(g, json_array_get(args, 0), false, out, err);
}

/* ---- uses ---- */

static convoy_status use_layer(const graph *g, entry *e, const reading *r, convoy_error *err)
{
    model_node again = {.scope = g->call->scope, .input_count = r->count};
    if (e->done == 0) {
        TRY(config_read_layer(g->model, g->call, e->json, r->nodes, r->count, err));
    } else if (r->count > LAYER_MAX_INPUTS) {
        return base_fail(err, CONVOY_ERROR_MODEL, "%d inputs; at most %d are possible", r->count, LAYER_MAX_INPUTS);
    } else {
        again.first = e->uses[0];
        for (int k = 0; k < r->count; k++)
            again.input[k] = r->nodes[k];
        TRY(model_copy_layer(g->model->nodes[again.first].layer, &again.layer, err));
        TRY(model_append_node(g->model, &again, err));
    }
    e->uses[e->done++] = (int)g->model->node_count - 1;
    return CONVOY_OK;
}

static convoy_status use_model(const graph *g, entry *e, const reading *r, convoy_error *err)
{
    const config_call call = {g->call->scope, r->nodes, r->count, g->call->frozen};
    int scope = -1;
    if (e->done == 0)
        TRY(config_read_inner(g->model, &call, e->name, e->json, &scope, err));
    else
        TRY(model_repeat_scope(g->model, e->uses[0], call.scope, r->nodes, r->count, &scope, err));
    e->uses[e->done++] = scope;
    return CONVOY_OK;
}

/* Makes as many of a layer's calls part of the graph as can be. */
static convoy_status use_entry(const graph *g, entry *e, bool *progress, convoy_error *err)
{
    while (e->done < json_array_size(e->calls)) {
        reading r;
        convoy_status status = read_call(g, json_array_get(e->calls, e->done), &r, err);
        if (status == CONVOY_OK && r.waits)
            return CONVOY_OK;
        if (status == CONVOY_OK && r.count == 0)
            status = base_fail(err, CONVOY_ERROR_MODEL, "called with nothing");
        if (status != CONVOY_OK)
            return base_fail_in(err, status, "call %zu", e->done);
        TRY(e->is_model ? use_model(g, e, &r, err) : use_layer(g, e, &r, err));
        *progress = true;
    }
    return CONVOY_OK;
}

/* Layers may stand before those that they read, and a layer's second use may wait for another's first. */
static convoy_status use_all(const graph *g, convoy_error *err)
{
    const entry *waiting = NULL;
    for (bool progress = true; progress;) {
        progress = false;
        waiting = NULL;
        for (size_t i = 0; i < g->count; i++) {
            entry *e = &g->entries[i];
            convoy_status status = e->is_input ? CONVOY_OK : use_entry(g, e, &progress, err);
            if (status != CONVOY_OK)
                return base_fail_in(err, status, "layers[%zu] ('%.100s')", i, e->name);
            if (!e->is_input && e->done < json_array_size(e->calls) && waiting == NULL)
                waiting = e;
        }
    }
    if (waiting != NULL)
        return base_fail(err, CONVOY_ERROR_MODEL, "layer '%.100s' waits for layers that wait for it: the graph has a loop",
                         waiting->name);
    return CONVOY_OK;
}

/* ---- inputs and outputs ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Puts all references of a list, however nested, into `flat`; objects in the order of their keys, as Keras does. */
static convoy_status flatten(const json_t *value, json_t *flat, convoy_error *err)
{
    if (is_reference(value))
        return json_array_append(flat, (json_t *)value) == 0 ? CONVOY_OK : OUT_OF_MEMORY(err);
    for (size_t i = 0; i < json_array_size(value); i++)
        TRY(flatten(json_array_get(value, i), flat, err));
    size_t count = 0, size = json_object_size(value);
    const char **keys = calloc(size + 1, sizeof *keys), *key;
    json_t *member;
    if (keys == NULL)
        return OUT_OF_MEMORY(err);
    json_object_foreach((json_t *)value, key, member)
        keys[count++] = key;
    qsort(keys, count, sizeof *keys, by_key);
    convoy_status status = CONVOY_OK;
    for (size_t i = 0; i < count && status == CONVOY_OK; i++)
        status = flatten(json_object_get(value, keys[i]), flat, err);
    free(keys);
    return status;
}

/* The caller releases *flat, also after a failure. */
static convoy_status open_list(const json_t *config, const char *key, json_t **flat, convoy_error *err)
{
    char found[200];
    const json_t *value = json_object_get(config, key);
    *flat = json_array();
    if (*flat == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = flatten(value, *flat, err);
    if (status == CONVOY_OK && json_array_size(*flat) == 0)
        status = base_fail(err, CONVOY_ERROR_MODEL, "\"%s\" is %s; expected references to layers", key,
                           option_value_text(value, found, sizeof found));
    return status;
}

/* Makes the InputLayers, in the order of the list. */
static convoy_status read_inputs(const graph *g, const json_t *list, convoy_error *err)
{
    if (g->call->scope > 0 && (size_t)g->call->source_count != json_array_size(list))
        return base_fail(err, CONVOY_ERROR_MODEL, "it is called with %d tensors; it has %zu inputs", g->call->source_count,
                         json_array_size(list));
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *ref = json_array_get(list, k);
        const json_t *place = json_object_get(g->index, json_string_value(json_array_get(ref, 0)));
        entry *e = place ? &g->entries[json_integer_value(place)] : NULL;
        if (e == NULL || !e->is_input || e->done > 0)
            return fail_reference(ref, "each of the \"input_layers\" must be an InputLayer of its own", err);
        TRY(config_read_input(g->model, g->call, json_object_get(e->json, "config"), (int)k, err));
        e->uses[e->done++] = (int)g->model->node_count - 1;
    }
    for (size_t i = 0; i < g->count; i++)
        if (g->entries[i].is_input && g->entries[i].done == 0)
            return base_fail(err, CONVOY_ERROR_MODEL, "InputLayer '%.100s' is not among the \"input_layers\"",
                             g->entries[i].name);
    return CONVOY_OK;
}

static convoy_status set_ends(const graph *g, const json_t *list, bool outputs, convoy_error *err)
{
    size_t count = json_array_size(list);
    int *nodes = malloc(count * sizeof *nodes);
    convoy_status status = nodes ? CONVOY_OK : OUT_OF_MEMORY(err);
    for (size_t k = 0; k < count && status == CONVOY_OK; k++)
        status = find_tensor(g, json_array_get(list, k), true, false, &nodes[k], err);
    if (status == CONVOY_OK)
        status = model_set_ends(g->model, g->call->scope, outputs, nodes, (int)count, err);
    free(nodes);
    return status;
}

/* ---- the graph ---- */

static convoy_status open_entry(graph *g, size_t i, const json_t *json, convoy_error *err)
{
    entry *e = &g->entries[i];
    TRY(config_check_entry(json, err));
    const char *name = json_string_value(json_object_get(json, "name"));
    e->json = json;
    e->name = name ? name : json_string_value(json_object_get(json_object_get(json, "config"), "name"));
    e->calls = json_object_get(json, "inbound_nodes");
    e->is_model = config_is_model(json);
    e->is_input = strcmp(json_string_value(json_object_get(json, "class_name")), "InputLayer") == 0;
    if (e->name == NULL)
        return base_fail(err, CONVOY_ERROR_MODEL, "a layer of a Functional model needs a name");
    if (!json_is_array(e->calls) || (!e->is_input && json_array_size(e->calls) == 0))
        return base_fail(err, CONVOY_ERROR_MODEL, "layer '%.100s' has no \"inbound_nodes\": what does it read?", e->name);
    if (json_object_get(g->index, e->name) != NULL)
        return base_fail(err, CONVOY_ERROR_MODEL, "the name '%.100s' is used twice; names must be unique", e->name);
    e->uses = calloc(json_array_size(e->calls) + 1, sizeof *e->uses);
    if (e->uses == NULL || json_object_set_new(g->index, e->name, json_integer((json_int_t)i)) != 0)
        return OUT_OF_MEMORY(err);
    return CONVOY_OK;
}

static convoy_status read_graph(graph *g, const json_t *layers, const json_t *inputs, const json_t *outputs,
                                convoy_error *err)
{
    for (size_t i = 0; i < g->count; i++) {
        convoy_status status = open_entry(g, i, json_array_get(layers, i), err);
        if (status != CONVOY_OK)
            return base_fail_in(err, status, "layers[%zu]", i);
    }
    TRY(read_inputs(g, inputs, err));
    TRY(use_all(g, err));
    TRY(set_ends(g, inputs, false, err));
    return set_ends(g, outputs, true, err);
}

convoy_status config_read_graph(convoy_model *model, const config_call *call, const json_t *root, const json_t *layers,
                                convoy_error *err)
{
    const json_t *config = json_object_get(root, "config");
    graph g = {model, call, NULL, json_array_size(layers), json_object()};
    json_t *inputs = NULL, *outputs = NULL;
    convoy_status status;
    config_call own = *call;
    bool trained;
    own.frozen = call->frozen || (option_read_bool(json_object_get(config, "trainable"), &trained) && !trained);
    g.call = &own;
    g.entries = calloc(g.count, sizeof *g.entries);
    if (g.index == NULL || g.entries == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(open_list(config, "input_layers", &inputs, err));
    TRY_GOTO(open_list(config, "output_layers", &outputs, err));
    status = read_graph(&g, layers, inputs, outputs, err);
done:
    for (size_t i = 0; g.entries != NULL && i < g.count; i++)
        free(g.entries[i].uses);
    free(g.entries);
    json_decref(g.index);
    json_decref(inputs);
    json_decref(outputs);
    return status;
}
