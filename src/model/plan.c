#include "model/plan_inside.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementwise.h"

/* ---- the graph ---- */

bool plan_is_alias(const plan *p, const model_node *node)
{
    const layer_class *class = node->layer->class;
    /* The InputLayer of a model inside the model is what that model is called with. */
    return class->alias || (class->alias_in_inference && !p->options.training) ||
           (class->forward == NULL && node->input_count > 0);
}

static convoy_status link_node(plan *p, size_t i, convoy_error *err)
{
    plan_node *n = &p->nodes[i];
    n->node = &p->model->nodes[i];
    const layer *l = n->node->layer;
    bool alias = plan_is_alias(p, n->node);
    n->root = alias ? p->nodes[n->node->input[0]].root : i;
    for (int k = 0; k < l->param_count; k++)
        n->needs_gradient |= l->trainable && l->param[k].trainable;
    for (int k = 0; k < n->node->input_count; k++) {
        plan_node *from = &p->nodes[p->nodes[n->node->input[k]].root];
        n->needs_gradient |= from->needs_gradient;
        from->reader_count += !alias;
        from->reader = alias ? from->reader : i;
    }
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

/* Which backward passes are run, and who writes each gradient first: the loss, else the last reader, whose pass comes first. */
static void link_backward(plan *p)
{
    for (size_t i = p->count; i-- > 0;) {
        plan_node *n = &p->nodes[i];
        if (!n->needs_gradient || !p->nodes[n->root].is_written || plan_is_alias(p, n->node))
            continue;
        n->backward = true;
        for (int k = 0; k < n->node->input_count; k++) {
            plan_node *from = &p->nodes[p->nodes[n->node->input[k]].root];
            n->adds_input[k] = from->is_written;
            from->is_written = true;
        }
        for (size_t j = i + 1; j < p->count; j++)
            n->adds_params |= p->nodes[j].backward && p->nodes[j].node->first == n->node->first;
    }
}

/* Inference needs nothing of a convolution's output but the maxima that a pooling behind it takes. */
static void link_pooling(plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        plan_node *n = &p->nodes[i], *reader = &p->nodes[n->reader];
        const layer *l = n->node->layer;
        if (n->root != i || l->class->pools == NULL || n->reader_count != 1 || n->is_output ||
            reader->node->layer->class->pooling == NULL || !reader->node->layer->class->pooling(reader->node->layer, &n->pool))
            continue;
        n->pools_for_reader = reader->is_pooled = l->class->pools(l, p->ctx, p->options.batch, &n->pool);
    }
}

static convoy_status link_nodes(plan *p, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++)
        TRY(link_node(p, i, err));
    TRY(link_outputs(p, err));
    if (p->options.training)
        link_backward(p);
    else if (!p->options.keep_outputs)
        link_pooling(p);
    return CONVOY_OK;
}

/* ---- life ---- */

convoy_status plan_create(convoy_context *ctx, const convoy_model *model, const plan_options *options, plan **out,
                          convoy_error *err)
{
    convoy_status status;
    if (model->node_count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has no layers", model->name);
    plan *p = calloc(1, sizeof *p);
    if (p == NULL)
        return OUT_OF_MEMORY(err);
    p->ctx = ctx;
    p->model = model;
    p->options = *options;
    p->count = model->node_count;
    p->nodes = calloc(p->count, sizeof *p->nodes);
    p->tensors = calloc(p->count * T_KINDS, sizeof *p->tensors);
    if (p->nodes == NULL || p->tensors == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(rt_list_create(ctx, options->batch, &p->list, err));
    TRY_GOTO(link_nodes(p, err));
    TRY_GOTO(plan_create_parameters(p, err));
    TRY_GOTO(plan_create_arena(p, err));
    if (options->share == NULL)
        TRY_GOTO(plan_upload(p, err));
    *out = p;
    return CONVOY_OK;
done:
    plan_destroy(p);
    return status;
}

void plan_destroy(plan *p)
{
    if (p == NULL)
        return;
    rt_list_destroy(p->list);
    for (size_t i = 0; p->nodes && i < p->count; i++) {
        for (int k = 0; k < LAYER_MAX_PARAMS; k++) {
            rt_buffer_destroy(p->nodes[i].param[k]);
            rt_buffer_destroy(p->nodes[i].d_param[k]);
        }
        for (int kind = 0; kind < T_KINDS; kind++)
            rt_buffer_destroy(p->nodes[i].tensor[kind]);
    }
    rt_buffer_destroy(p->zeros);
    rt_buffer_destroy(p->arena);
    rt_buffer_destroy(p->gradients);
    rt_buffer_destroy(p->parameters);
    free(p->tensors);
    free(p->nodes);
    free(p);
}

/* ---- launches ---- */

static rt_buffer *output_of(const plan *p, size_t node) { return p->nodes[p->nodes[node].root].tensor[T_OUTPUT]; }
static rt_buffer *d_output_of(const plan *p, size_t node) { return p->nodes[p->nodes[node].root].tensor[T_D_OUTPUT]; }

/* The activation that node i's backward pass takes the slope of on behalf of whoever made its input, or NULL. Only the sole
 * reader may: with several, or a loss beside, the slope is taken of the sum. */
static const struct activation *input_slope(const plan *p, size_t i)
{
    const plan_node *n = &p->nodes[i];
    if (!n->backward || n->node->input_count != 1 || !n->node->layer->class->applies_input_slope)
        return NULL;
    const plan_node *from = &p->nodes[p->nodes[n->node->input[0]].root];
    return from->needs_gradient && from->reader_count == 1 && !from->is_output ? from->node->layer->activation : NULL;
}

static layer_io io_of(const plan *p, size_t i, bool backward)
{
    const plan_node *n = &p->nodes[i];
    layer_io io = {.ctx = p->ctx, .batch = p->options.batch, .training = p->options.training,
                   .seed = p->options.seed, .stream = (uint32_t)i, .output = output_of(p, i),
                   .saved = n->tensor[T_SAVED], .zeros = p->zeros, .weights_stay = !p->options.training,
                   .scratch = n->tensor[backward ? T_BACKWARD_SCRATCH : T_FORWARD_SCRATCH]};
    for (int k = 0; k < n->node->input_count; k++) {
        size_t from = p->nodes[n->node->input[k]].root;
        io.input[k] = output_of(p, from);
        if (backward && p->nodes[from].needs_gradient)
            io.d_input[k] = n->adds_input[k] ? n->tensor[T_D_INPUT + k] : d_output_of(p, from);
    }
    for (int k = 0; k < n->node->layer->param_count; k++) {
        io.param[k] = plan_owner(p, i)->param[k];
        io.d_param[k] = backward && n->adds_params ? n->tensor[T_D_PARAM + k] : plan_owner(p, i)->d_param[k];
    }
    if (p->zeros == NULL)
        io.zeros = plan_parameters((plan *)p);
    if (!backward)
        return io;
    io.d_output = d_output_of(p, i);
    io.input_slope = input_slope(p, i);
    io.d_output_has_slope = n->reader_count == 1 && n->node->layer->activation && input_slope(p, n->reader) != NULL;
    return io;
}

convoy_status plan_add_forward(plan *p, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        p->nodes[i].first = rt_list_length(p->list);
        if (l->class->forward && !plan_is_alias(p, p->nodes[i].node) && !p->nodes[i].is_pooled) {
            layer_io io = io_of(p, i, false);
            if (p->nodes[i].pools_for_reader) {
                io.pool = &p->nodes[i].pool;
                io.output = output_of(p, p->nodes[i].reader);
            }
            TRY(l->class->forward(l, &io, p->list, err));
        }
        p->nodes[i].last = rt_list_length(p->list);
    }
    return CONVOY_OK;
}

/* sum += part: floats an image, or `fixed` in all. */
static convoy_status add_to(plan *p, const layer *l, const rt_buffer *part, const rt_buffer *sum, size_t per_image,
                            size_t fixed, convoy_error *err)
{
    char options[32], label[160];
    snprintf(options, sizeof options, "-DVW=%u", ops_width(p->ctx));
    snprintf(label, sizeof label, "%s sum of gradients", l->name);
    rt_launch launch = {.label = label, .source = "accumulate", .kernel = "accumulate", .options = options};
    rt_push(&launch, RT_BUFFER(part));
    rt_push(&launch, RT_BUFFER(sum));
    rt_push(&launch, fixed ? RT_INT((int)fixed) : RT_BATCH((int)per_image));
    ops_range(&launch, p->ctx, per_image, fixed, ops_width(p->ctx));
    launch.bytes_per_image = 12.0 * (double)per_image;
    launch.bytes = 12.0 * (double)fixed;
    launch.flops_per_image = (double)per_image;
    launch.flops = (double)fixed;
    return rt_list_add(p->list, &launch, err);
}

static convoy_status add_gradients(plan *p, size_t i, convoy_error *err)
{
    const plan_node *n = &p->nodes[i];
    const layer *l = n->node->layer;
    for (int k = 0; k < n->node->input_count; k++) {
        size_t root = p->nodes[n->node->input[k]].root;
        if (n->tensor[T_D_INPUT + k])
            TRY(add_to(p, l, n->tensor[T_D_INPUT + k], d_output_of(p, root),
                       shape_count(&p->nodes[root].node->layer->output), 0, err));
    }
    for (int k = 0; k < l->param_count; k++)
        if (n->tensor[T_D_PARAM + k])
            TRY(add_to(p, l, n->tensor[T_D_PARAM + k], plan_owner(p, i)->d_param[k], 0, l->param[k].count, err));
    return CONVOY_OK;
}

convoy_status plan_add_backward(plan *p, convoy_error *err)
{
    for (size_t i = p->count; i-- > 0;) {
        const layer *l = p->nodes[i].node->layer;
        if (l->class->backward == NULL || !p->nodes[i].backward)
            continue;
        layer_io io = io_of(p, i, true);
        TRY(l->class->backward(l, &io, p->list, err));
        TRY(add_gradients(p, i, err));
    }
    return CONVOY_OK;
}

convoy_status plan_add_updates(plan *p, const rt_buffer *bad, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        if (l->class->update == NULL)
            continue;
        layer_io io = io_of(p, i, false);
        io.bad = bad;
        TRY(l->class->update(l, &io, p->list, err));
    }
    return CONVOY_OK;
}

/* ---- what there is ---- */

rt_list *plan_list(plan *p) { return p->list; }
const rt_buffer *plan_input(const plan *p) { return plan_input_at(p, 0); }
const rt_buffer *plan_output(const plan *p) { return plan_output_at(p, 0); }
const rt_buffer *plan_d_output(const plan *p) { return plan_d_output_at(p, 0); }
const rt_buffer *plan_input_at(const plan *p, size_t k) { return output_of(p, model_input_node(p->model, k)); }
const rt_buffer *plan_output_at(const plan *p, size_t k) { return output_of(p, model_output_node(p->model, k)); }
const rt_buffer *plan_d_output_at(const plan *p, size_t k) { return d_output_of(p, model_output_node(p->model, k)); }
const rt_buffer *plan_node_output(const plan *p, size_t node) { return output_of(p, node); }
rt_buffer *plan_parameters(plan *p) { return p->options.share ? p->options.share->parameters : p->parameters; }
rt_buffer *plan_gradients(plan *p) { return p->gradients; }
const rt_buffer *plan_parameter(const plan *p, size_t node, int k) { return plan_owner(p, node)->param[k]; }
const rt_buffer *plan_parameter_gradient(const plan *p, size_t node, int k) { return plan_owner(p, node)->d_param[k]; }
size_t plan_trainable_floats(const plan *p) { return p->trainable_bytes / sizeof(float); }
size_t plan_bytes(const plan *p) { return p->own_bytes; }
size_t plan_least_bytes(const plan *p) { return p->least_bytes; }

void plan_forward_range(const plan *p, size_t node, size_t *first, size_t *last)
{
    *first = p->nodes[node].first;
    *last = p->nodes[node].last;
}
