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

/* An activation that alone reads the output of a layer that can apply it: that one does. */
static bool join_activation(plan *p, size_t i)
{
    const model_node *node = p->nodes[i].node;
    if (p->options.keep_outputs || node->layer->is_activation == NULL)
        return false;
    const plan_node *from = &p->nodes[node->input[0]];
    plan_node *root = &p->nodes[from->root];
    if (from->uses != 1 || from->is_alias || !(root->node->layer->takes & EPILOGUE_ACTIVATION) || root->ending)
        return false;
    root->ending = node->layer->is_activation;
    root->ending_node = i;
    return true;
}

/* A sum of two whose later input is read by nobody else and can add the other one to its output: that one does. */
static bool join_sum(plan *p, size_t i, size_t *root)
{
    const model_node *node = p->nodes[i].node;
    if (p->options.keep_outputs || !node->layer->passes_gradient || node->input_count != 2)
        return false;
    size_t later = node->input[node->input[1] > node->input[0]], other = node->input[node->input[1] < node->input[0]];
    plan_node *n = &p->nodes[later];
    const layer *l = n->node->layer;
    if (later == other || n->root != later || n->uses != 1 || !(l->takes & EPILOGUE_ADD) || !l->keeps_d_output ||
        (p->options.training && !n->needs_gradient))
        return false;
    n->has_residual = true;
    n->residual = other;
    *root = later;
    return true;
}

/* ---- the graph ---- */

static void link_inputs(plan *p, size_t i)
{
    plan_node *n = &p->nodes[i];
    for (int k = 0; k < n->node->input_count; k++) {
        size_t root = p->nodes[n->node->input[k]].root;
        plan_node *from = &p->nodes[root];
        n->needs_gradient |= from->needs_gradient;
        if (n->is_alias || root == n->root)
            continue;
        from->reader_count++;
        from->reader = i;
    }
}

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
    n->leaves_activation = leaves_activation(p, i);
    n->is_alias = (n->leaves_activation && l->is_only_activation) || is_class_alias(p, n->node) || join_activation(p, i);
    n->root = n->is_alias ? p->nodes[n->node->input[0]].root : i;
    n->is_sum = join_sum(p, i, &n->root);
    for (int k = 0; k < l->param_count; k++)
        n->needs_gradient |= l->trainable && l->param[k].trainable;
    link_inputs(p, i);
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

/* Nothing but its slope is needed of the node's output for the way back, and its reader takes that from the maxima. */
static bool is_done_with(const plan *p, size_t i)
{
    const layer *l = p->nodes[i].node->layer;
    return !p->options.training || !p->nodes[i].needs_gradient || l->keeps_d_output || (l->activation && plan_slope_is_taken(p, i));
}

/* Nobody needs more of a convolution's output than the maxima that a pooling behind it takes, and in training their places. */
static void link_pooling(plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        plan_node *n = &p->nodes[i], *reader = &p->nodes[n->reader];
        const layer *l = n->node->layer;
        if (n->root != i || l->class->pools == NULL || n->reader_count != 1 || n->is_output || !is_done_with(p, i) ||
            reader->node->layer->class->pooling == NULL || !reader->node->layer->class->pooling(reader->node->layer, &n->pool))
            continue;
        n->pool.keeps_places = p->options.training;
        n->pools_for_reader = reader->is_pooled = l->class->pools(l, p->ctx, p->options.batch, &n->pool);
    }
}

convoy_status plan_link(plan *p, convoy_error *err)
{
    count_uses(p);
    for (size_t i = 0; i < p->count; i++)
        TRY(link_node(p, i, err));
    TRY(link_outputs(p, err));
    if (p->options.training)
        plan_link_gradients(p);
    if (!p->options.keep_outputs)
        link_pooling(p);
    return CONVOY_OK;
}
