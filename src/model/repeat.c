/* A model inside the model that is used again: its layers once more, with the same weights. */
#include <stdlib.h>

#include "model/build.h"

typedef struct repeat {
    convoy_model *model;
    int first, outer;
    const int *sources;
    size_t node_count, scope_count; /* before */
    int *node, *scope;              /* of the first use -> of this one; -1: not part of it */
} repeat;

static convoy_status repeat_scopes(repeat *r, convoy_error *err)
{
    for (size_t s = 1; s < r->scope_count; s++) {
        model_scope copy = r->model->scopes[s];
        r->scope[s] = -1;
        if ((int)s == r->first)
            copy.outer = r->outer;
        else if (copy.outer > 0 && r->scope[copy.outer] >= 0) /* an outer scope stands before its inner ones */
            copy.outer = r->scope[copy.outer];
        else
            continue;
        copy.inputs = copy.outputs = NULL;
        copy.input_count = copy.output_count = 0;
        r->scope[s] = (int)r->model->scope_count;
        TRY(model_add_scope(r->model, &copy, err));
    }
    return CONVOY_OK;
}

/* What an InputLayer of the model itself reads is what it is called with now. */
static int source_of(const repeat *r, int node, int input)
{
    const model_scope *scope = &r->model->scopes[r->first];
    int k = 0;
    if (r->model->nodes[node].scope != r->first || r->model->nodes[node].layer->input_count > 0)
        return r->node[input];
    while (scope->inputs[k] != node)
        k++;
    return r->sources[k];
}

static convoy_status repeat_nodes(repeat *r, convoy_error *err)
{
    for (size_t i = 0; i < r->node_count; i++) {
        model_node copy = r->model->nodes[i];
        r->node[i] = -1;
        if (copy.scope == 0 || r->scope[copy.scope] < 0)
            continue;
        for (int k = 0; k < copy.input_count; k++)
            copy.input[k] = source_of(r, (int)i, copy.input[k]);
        copy.scope = r->scope[copy.scope];
        copy.readers = 0;
        r->node[i] = (int)r->model->node_count;
        TRY(model_copy_layer(r->model->nodes[i].layer, &copy.layer, err));
        TRY(model_append_node(r->model, &copy, err));
    }
    return CONVOY_OK;
}

static convoy_status repeat_ends(const repeat *r, int from, int to, bool outputs, convoy_error *err)
{
    const model_scope *scope = &r->model->scopes[from];
    const int *old = outputs ? scope->outputs : scope->inputs;
    int count = outputs ? scope->output_count : scope->input_count;
    int *nodes = malloc(((size_t)count + 1) * sizeof *nodes);
    if (nodes == NULL)
        return OUT_OF_MEMORY(err);
    for (int k = 0; k < count; k++)
        nodes[k] = r->node[old[k]];
    convoy_status status = model_set_ends(r->model, to, outputs, nodes, count, err);
    free(nodes);
    return status;
}

static convoy_status run(repeat *r, convoy_error *err)
{
    if (r->node == NULL || r->scope == NULL)
        return OUT_OF_MEMORY(err);
    TRY(repeat_scopes(r, err));
    TRY(repeat_nodes(r, err));
    for (size_t s = 1; s < r->scope_count; s++) {
        if (r->scope[s] < 0)
            continue;
        TRY(repeat_ends(r, (int)s, r->scope[s], false, err));
        TRY(repeat_ends(r, (int)s, r->scope[s], true, err));
    }
    return CONVOY_OK;
}

convoy_status model_repeat_scope(convoy_model *model, int first, int outer, const int *sources, int source_count,
                                 int *scope, convoy_error *err)
{
    const model_scope *inner = &model->scopes[first];
    if (inner->input_count != source_count)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' is called with %d tensors; it has %d inputs", inner->name,
                         source_count, inner->input_count);
    repeat r = {model, first, outer, sources, model->node_count, model->scope_count,
                malloc((model->node_count + 1) * sizeof *r.node), malloc((model->scope_count + 1) * sizeof *r.scope)};
    *scope = (int)model->scope_count;
    convoy_status status = run(&r, err);
    free(r.node);
    free(r.scope);
    return status;
}
