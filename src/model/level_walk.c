/* All layers of a model in the order of Keras's weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/level.h"

#define PATH_SIZE 512
#define MOST_INSIDE 64 /* models inside models inside models ... */

typedef struct walk {
    const convoy_model *model;
    level_visit *visit;
    void *user;
} walk;

static const char *snake_of(const level *l, const level_item *item)
{
    if (item->is_scope)
        return l->model->scopes[item->at].functional ? "functional" : "sequential";
    return l->model->nodes[item->at].layer->class->snake;
}

static bool is_left_out(const level *l, const level_item *item)
{
    return !l->model->scopes[l->scope].functional && !item->is_scope && l->model->nodes[item->at].layer->input_count == 0;
}

/* Keras counts the layers of each class, whatever their names. */
static convoy_status write_path(const level *l, size_t place, const char *prefix, char out[PATH_SIZE], convoy_error *err)
{
    const level_item *item = &l->items[l->order[place]];
    const char *snake = snake_of(l, item);
    size_t before = 0;
    for (size_t k = 0; k < place; k++)
        before += strcmp(snake_of(l, &l->items[l->order[k]]), snake) == 0;
    int n = snprintf(out, PATH_SIZE, before ? "%slayers/%s_%zu" : "%slayers/%s", prefix, snake, before);
    if (n < PATH_SIZE - 1)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "layer '%s': its place in a .keras file has a name of %d bytes; at most %d are "
                     "possible", item->name, n, PATH_SIZE - 2);
}

static convoy_status walk_scope(const walk *w, int scope, const char *prefix, int inside, convoy_error *err)
{
    level l;
    char path[PATH_SIZE], below[PATH_SIZE + 1];
    convoy_status status = CONVOY_OK;
    if (inside > MOST_INSIDE)
        return base_fail(err, CONVOY_ERROR_MODEL, "more than %d models inside each other", MOST_INSIDE);
    TRY(level_create(w->model, scope, &l, err));
    for (size_t place = 0; place < l.item_count; place++) {
        const level_item *item = &l.items[l.order[place]];
        if (is_left_out(&l, item))
            continue;
        TRY_GOTO(write_path(&l, place, prefix, path, err));
        TRY_GOTO(w->visit(w->user, item->is_scope ? SIZE_MAX : (size_t)item->at, item->name, path, err));
        snprintf(below, sizeof below, "%s/", path);
        if (item->is_scope)
            TRY_GOTO(walk_scope(w, item->at, below, inside + 1, err));
    }
done:
    level_destroy(&l);
    return status;
}

convoy_status level_walk(const convoy_model *model, level_visit *visit, void *user, convoy_error *err)
{
    const walk w = {model, visit, user};
    return walk_scope(&w, 0, "", 0, err);
}

/* ---- the order alone ---- */

typedef struct node_list {
    size_t *nodes, count;
} node_list;

static convoy_status collect(void *user, size_t node, const char *name, const char *path, convoy_error *err)
{
    node_list *list = user;
    (void)name, (void)path, (void)err;
    if (node != SIZE_MAX)
        list->nodes[list->count++] = node;
    return CONVOY_OK;
}

convoy_status level_order(const convoy_model *model, int scope, size_t **out, size_t *count, convoy_error *err)
{
    node_list list = {malloc((model->node_count + 1) * sizeof *list.nodes), 0};
    if (list.nodes == NULL)
        return OUT_OF_MEMORY(err);
    const walk w = {model, collect, &list};
    convoy_status status = walk_scope(&w, scope, "", 0, err);
    if (status != CONVOY_OK) {
        free(list.nodes);
        return status;
    }
    *out = list.nodes;
    *count = list.count;
    return CONVOY_OK;
}

/* ---- names of weights ---- */

convoy_status level_weight_path(const convoy_model *model, const model_node *node, int param, char out[LEVEL_WEIGHT_PATH],
                                convoy_error *err)
{
    int scopes[MOST_INSIDE], inside = 0;
    size_t used = 0;
    for (int s = node->scope; s > 0 && inside < MOST_INSIDE; s = model->scopes[s].outer)
        scopes[inside++] = s;
    out[0] = '\0';
    while (inside > 0 && used < LEVEL_WEIGHT_PATH)
        used += (size_t)snprintf(out + used, LEVEL_WEIGHT_PATH - used, "%s/", model->scopes[scopes[--inside]].name);
    if (used < LEVEL_WEIGHT_PATH)
        used += (size_t)snprintf(out + used, LEVEL_WEIGHT_PATH - used, "%s/%s", node->layer->name, node->layer->param[param].name);
    if (used < LEVEL_WEIGHT_PATH)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "layer '%s': its place among the models inside the model has a name of more than %d "
                     "bytes", node->layer->name, LEVEL_WEIGHT_PATH - 1);
}
