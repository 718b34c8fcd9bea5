/* Who reads whom in a plan, and which nodes run as part of others. */
#include "plan/inside.h"

#include <limits.h>

/* ---- joined nodes ---- */

static void count_uses(plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; k < p->model->nodes[i].input_count; k++)
            p->nodes[p->model->nodes[i].input[k]].uses++;
    for (size_t k = 0; k < model_output_count(p->model); k++)
        p->nodes[model_output_node(p->model, k)].uses++;
}

static bool is_class_alias(const plan *p, const model_node *node)
{
    const layer_class *class = node->layer->class;
    /* The InputLayer of a model inside the model is what that model is called with. */
    return class->alias || (class->alias_in_inference && !p->options.training) ||
           (class->forward == NULL && node->input_count > 0);
}

/* Of two, the one that is computed last. */
static size_t later_input(const model_node *node)
{
    return (size_t)node->input[node->input_count == 2 && node->input[1] > node->input[0]];
}

/* Nobody else reads the output of node i, nor what it is an alias of. */
static bool is_read_once(const plan *p, size_t i)
{
    while (p->nodes[i].uses == 1 && p->nodes[i].is_alias && !p->nodes[i].joined)
        i = p->nodes[i].node->input[0];
    return p->nodes[i].uses == 1;
}

/* A sum of two, the other of which is there before, and whose gradient is that of both. */
static bool can_add(const plan *p, size_t i, const plan_node *root)
{
    const model_node *node = &p->model->nodes[i];
    return node->input_count == 2 && node->input[0] != node->input[1] && &p->nodes[later_input(node)] == root &&
           root->node->layer->keeps_d_output && (!p->options.training || root->needs_gradient);
}

/* What is pooled is not kept: so nothing may be needed of it on the way back but its slope, which the pooling takes from the maxima. */
static bool can_pool(const plan *p, const layer *l, const layer_part *it, const plan_node *root)
{
    const layer *from = root->node->layer;
    bool takes_slope = activation_fuses(root->end.act) && (l->d_takes & EPILOGUE_SLOPE);
    bool is_done_with = !p->options.training || !root->needs_gradient || (root->end.act ? takes_slope : from->keeps_d_output);
    return is_done_with && !(root->parts & EPILOGUE_ADD) && shape_equal(&l->input[0], &from->output) &&
           from->class->pools(from, &root->needs, p->options.batch, &it->pool);
}

/* Node i becomes a part of the epilogue behind its input, the last one that is computed, where that one takes such a part, nobody else
 * reads it, and it has no later part yet. */
static epilogue_part join(plan *p, size_t i)
{
    const model_node *node = &p->model->nodes[i];
    layer_part it = layer_find_part(node->layer);
    if (p->options.keep_outputs || it.part == 0)
        return 0;
    size_t from = later_input(node);
    plan_node *root = &p->nodes[p->nodes[from].root];
    it.pool.keeps_places = p->options.training;
    if (!(root->node->layer->takes & it.part) || root->parts >= (int)it.part || !is_read_once(p, from) ||
        (it.part == EPILOGUE_ADD && !can_add(p, i, root)) || (it.part == EPILOGUE_POOL && !can_pool(p, node->layer, &it, root)))
        return 0;
    if (it.part == EPILOGUE_ADD) {
        root->addend = (size_t)node->input[from == (size_t)node->input[0]];
    } else if (it.part == EPILOGUE_ACTIVATION) {
        root->act = i;
        root->end.act = it.act;
    } else {
        root->pooler = i;
        root->pool = it.pool;
        root->end.pool = &root->pool;
        root->needs = layer_find_needs(root->node->layer, p->ctx, p->options.batch, &root->pool);
    }
    root->parts |= (int)it.part;
    return it.part;
}

/* ---- the graph ---- */

static bool leaves_activation(const plan *p, size_t i)
{
    size_t node;
    return p->options.logits && model_ending(p->model, p->options.training, &node) != NULL && node == i;
}

static convoy_status link_node(plan *p, size_t i, convoy_error *err)
{
    plan_node *n = &p->nodes[i];
    n->node = &p->model->nodes[i];
    const layer *l = n->node->layer;
    bool leaves = leaves_activation(p, i);
    n->needs = layer_find_needs(l, p->ctx, p->options.batch, NULL);
    n->is_alias = (leaves && l->is_only_activation) || is_class_alias(p, n->node);
    n->joined = n->is_alias ? 0 : join(p, i);
    n->is_alias |= n->joined == EPILOGUE_ACTIVATION;
    n->root = n->is_alias || n->joined == EPILOGUE_ADD ? p->nodes[later_input(n->node)].root : i;
    if (l->activation && !leaves) {
        n->end.act = l->activation;
        n->act = i;
        n->parts = EPILOGUE_ACTIVATION;
    }
    for (int k = 0; k < l->param_count; k++)
        n->needs_gradient |= l->trainable && l->param[k].trainable;
    for (int k = 0; k < n->node->input_count; k++)
        n->needs_gradient |= p->nodes[p->nodes[n->node->input[k]].root].needs_gradient;
    if (shape_count(&l->output) > (size_t)INT_MAX / (size_t)p->options.batch)
        return base_fail(err, CONVOY_ERROR_MODEL, "layer '%s': %zu values an image in batches of %d are too many; use a "
                         "smaller batch size", l->name, shape_count(&l->output), p->options.batch);
    p->zeros_floats = l->zeros_needed > p->zeros_floats ? l->zeros_needed : p->zeros_floats;
    return CONVOY_OK;
}

/* Two outputs in one place would be two losses' gradients in one place. */
static convoy_status link_outputs(plan *p, convoy_error *err)
{
    for (size_t k = 0; k < model_output_count(p->model); k++) {
        size_t i = model_output_node(p->model, k);
        plan_node *root = &p->nodes[p->nodes[i].root];
        if (root->is_output && p->options.training)
            return base_fail(err, CONVOY_ERROR_MODEL, "output %zu, layer '%s', is the same tensor as another output; such a "
                             "model can't be trained", k, p->nodes[i].node->layer->name);
        root->is_output = true;
        root->is_written = p->options.training;
    }
    return CONVOY_OK;
}

convoy_status plan_link(plan *p, convoy_error *err)
{
    count_uses(p);
    for (size_t i = 0; i < p->count; i++)
        TRY(link_node(p, i, err));
    TRY(link_outputs(p, err));
    if (p->options.training)
        plan_link_gradients(p);
    return CONVOY_OK;
}
