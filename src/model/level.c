#include "model/level.h"

#include <stdlib.h>
#include <string.h>

/* While a level is made: where the nodes and scopes of the model stand in it. SIZE_MAX: not on this level. */
typedef struct maker {
    level *level;
    size_t *use_of_node, *use_of_scope;
    size_t *item_of_node, *item_of_scope; /* of first uses */
    size_t *done, done_count;             /* uses, each behind those that it reads */
    bool *seen;
    size_t ref_count;
    long found_count;
} maker;

/* ---- uses and items ---- */

static void add_use(maker *m, bool is_scope, int at, int first, const char *name)
{
    level *l = m->level;
    size_t *item = is_scope ? &m->item_of_scope[first] : &m->item_of_node[first], index = 0;
    if (*item == SIZE_MAX) {
        *item = l->item_count;
        l->items[l->item_count++] = (level_item){.is_scope = is_scope, .at = at, .name = name, .found = -1};
    }
    for (size_t u = 0; u < l->use_count; u++)
        index += l->uses[u].item == *item;
    (is_scope ? m->use_of_scope : m->use_of_node)[at] = l->use_count;
    l->uses[l->use_count++] = (level_use){.item = *item, .index = index, .at = at};
}

static void add_uses(maker *m)
{
    const convoy_model *model = m->level->model;
    for (size_t i = 0; i < model->node_count; i++)
        if (model->nodes[i].scope == m->level->scope)
            add_use(m, false, (int)i, model->nodes[i].first, model->nodes[i].layer->name);
    for (size_t s = 1; s < model->scope_count; s++)
        if (model->scopes[s].outer == m->level->scope)
            add_use(m, true, (int)s, model->scopes[s].first, model->scopes[s].name);
}

/* ---- who reads whom ---- */

/* A node as this level sees it: one of its own, or an output of an inner model. */
static level_ref refer(const maker *m, int node)
{
    const convoy_model *model = m->level->model;
    level_ref ref = {m->use_of_node[node], 0};
    if (ref.use != SIZE_MAX)
        return ref;
    int scope = model->nodes[node].scope;
    while (model->scopes[scope].outer != m->level->scope)
        scope = model->scopes[scope].outer;
    while (model->scopes[scope].outputs[ref.tensor] != node)
        ref.tensor++;
    ref.use = m->use_of_scope[scope];
    return ref;
}

/* What an inner model's InputLayer reads is outside of its level. */
static void refer_node(maker *m, level_use *use)
{
    const model_node *node = &m->level->model->nodes[use->at];
    for (int k = 0; k < node->layer->input_count; k++)
        use->inputs[use->input_count++] = refer(m, node->input[k]);
}

static void refer_scope(maker *m, level_use *use)
{
    const model_scope *scope = &m->level->model->scopes[use->at];
    for (int k = 0; k < scope->input_count; k++)
        use->inputs[use->input_count++] = refer(m, m->level->model->nodes[scope->inputs[k]].input[0]);
}

static void refer_all(maker *m)
{
    level *l = m->level;
    const model_scope *scope = &l->model->scopes[l->scope];
    for (size_t u = 0; u < l->use_count; u++) {
        level_use *use = &l->uses[u];
        use->inputs = l->refs + m->ref_count;
        if (l->items[use->item].is_scope)
            refer_scope(m, use);
        else
            refer_node(m, use);
        m->ref_count += use->input_count;
    }
    for (size_t k = 0; k < l->input_count; k++)
        l->inputs[k] = refer(m, l->scope ? scope->inputs[k] : (int)model_input_node(l->model, k));
    for (size_t k = 0; k < l->output_count; k++)
        l->outputs[k] = refer(m, l->scope ? scope->outputs[k] : (int)model_output_node(l->model, k));
}

/* ---- Keras's order ---- */

/* _build_map_helper: depth first, from an output to the inputs; items are numbered as they are met. */
static void trace(maker *m, size_t u)
{
    level_use *use = &m->level->uses[u];
    level_item *item = &m->level->items[use->item];
    if (m->seen[u])
        return;
    m->seen[u] = true;
    if (item->found < 0)
        item->found = m->found_count++;
    for (size_t k = 0; k < use->input_count; k++)
        trace(m, use->inputs[k].use);
    m->done[m->done_count++] = u;
}

static void deepen(size_t *depth, size_t at_least)
{
    *depth = *depth < at_least ? at_least : *depth;
}

/* map_graph: a use is one deeper than the deepest that reads it, and as deep as its item has been found to be before. */
static void measure(maker *m)
{
    level *l = m->level;
    for (size_t k = 0; k < l->output_count; k++)
        trace(m, l->outputs[k].use);
    while (m->done_count > 0) {
        level_use *use = &l->uses[m->done[--m->done_count]];
        deepen(&use->depth, l->items[use->item].depth);
        l->items[use->item].depth = use->depth;
        for (size_t k = 0; k < use->input_count; k++)
            deepen(&l->uses[use->inputs[k].use].depth, use->depth + 1);
    }
}

/* Deep ones first, then as they were met. */
static bool comes_before(const level_item *a, const level_item *b)
{
    return a->depth != b->depth ? a->depth > b->depth : a->found < b->found;
}

static void put_in_order(level *l)
{
    for (size_t i = 0; i < l->item_count; i++) {
        size_t at = i;
        for (; at > 0 && comes_before(&l->items[i], &l->items[l->order[at - 1]]); at--)
            l->order[at] = l->order[at - 1];
        l->order[at] = i;
    }
}

/* ---- life ---- */

static void fill_max(size_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = SIZE_MAX;
}

static convoy_status make(maker *m, convoy_error *err)
{
    level *l = m->level;
    size_t nodes = l->model->node_count, scopes = l->model->scope_count, most = nodes + scopes, refs = 0;
    for (size_t i = 0; i < nodes; i++)
        refs += (size_t)l->model->nodes[i].input_count;
    for (size_t s = 0; s < scopes; s++)
        refs += (size_t)l->model->scopes[s].input_count;
    l->input_count = l->scope ? (size_t)l->model->scopes[l->scope].input_count : model_input_count(l->model);
    l->output_count = l->scope ? (size_t)l->model->scopes[l->scope].output_count : model_output_count(l->model);
    l->uses = calloc(most, sizeof *l->uses);
    l->items = calloc(most, sizeof *l->items);
    l->order = calloc(most, sizeof *l->order);
    l->refs = calloc(refs + 1, sizeof *l->refs);
    l->inputs = calloc(l->input_count + 1, sizeof *l->inputs);
    l->outputs = calloc(l->output_count + 1, sizeof *l->outputs);
    m->use_of_node = malloc(5 * most * sizeof *m->use_of_node);
    m->seen = calloc(most, sizeof *m->seen);
    if (!l->uses || !l->items || !l->order || !l->refs || !l->inputs || !l->outputs || !m->use_of_node || !m->seen)
        return OUT_OF_MEMORY(err);
    fill_max(m->use_of_node, 5 * most);
    m->use_of_scope = m->use_of_node + most;
    m->item_of_node = m->use_of_scope + most;
    m->item_of_scope = m->item_of_node + most;
    m->done = m->item_of_scope + most;
    add_uses(m);
    refer_all(m);
    measure(m);
    put_in_order(l);
    return CONVOY_OK;
}

convoy_status level_create(const convoy_model *model, int scope, level *out, convoy_error *err)
{
    *out = (level){.model = model, .scope = scope};
    maker m = {.level = out};
    convoy_status status = make(&m, err);
    free(m.use_of_node);
    free(m.seen);
    if (status != CONVOY_OK)
        level_destroy(out);
    return status;
}

void level_destroy(level *l)
{
    free(l->uses);
    free(l->items);
    free(l->order);
    free(l->refs);
    free(l->inputs);
    free(l->outputs);
    *l = (level){0};
}

bool level_is_chain(const level *l)
{
    bool chain = l->use_count == l->item_count;
    for (size_t u = 0; chain && u < l->use_count; u++) {
        chain = l->uses[u].input_count <= 1;
        for (size_t v = 0; chain && v < u; v++)
            chain = l->uses[v].depth != l->uses[u].depth;
    }
    return chain;
}
