#include "plan/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementwise.h"

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
    TRY_GOTO(plan_link(p, err));
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
static rt_buffer *d_output_of(const plan *p, size_t node) { return plan_tensor(p, p->nodes[p->nodes[node].root].gradient); }

/* Where node i's backward pass writes the gradient of input k, or NULL. */
static rt_buffer *d_input_of(const plan *p, size_t i, int k)
{
    const plan_node *n = &p->nodes[i];
    switch (n->way[k]) {
    case GRADIENT_WHOLE:
    case GRADIENT_SUMMED: return p->nodes[p->nodes[n->node->input[k]].root].tensor[T_D_OUTPUT];
    case GRADIENT_ADDED:
    case GRADIENT_HELD: return n->tensor[T_D_INPUT + k];
    default: return NULL;
    }
}

static layer_io io_of(const plan *p, size_t i, bool backward)
{
    plan_node *n = &p->nodes[i];
    layer_io io = {.ctx = p->ctx, .batch = p->options.batch, .training = p->options.training,
                   .seed = p->options.seed, .stream = (uint32_t)i, .output = output_of(p, i),
                   .saved = n->tensor[T_SAVED], .zeros = p->zeros, .needs = &n->needs, .weights_stay = !p->options.training,
                   .scratch = n->tensor[backward ? T_BACKWARD_SCRATCH : T_FORWARD_SCRATCH],
                   .filter_scratch = n->tensor[T_FILTER_SCRATCH]};
    for (int k = 0; k < n->node->input_count; k++) {
        io.input[k] = output_of(p, n->node->input[k]);
        io.d_input[k] = backward ? d_input_of(p, i, k) : NULL;
    }
    for (int k = 0; k < n->node->layer->param_count; k++) {
        io.param[k] = plan_owner(p, i)->param[k];
        io.d_param[k] = backward && n->adds_params ? n->tensor[T_D_PARAM + k] : plan_owner(p, i)->d_param[k];
    }
    io.end = n->end;
    if (backward && (n->act != i || plan_slope_is_taken(p, i)))
        io.end.act = NULL;
    if (n->parts & EPILOGUE_ADD)
        io.end.addend = output_of(p, n->addend);
    if (n->parts & EPILOGUE_POOL) {
        io.output = output_of(p, n->pooler);
        io.end.places = p->nodes[n->pooler].tensor[T_SAVED];
    }
    if (p->zeros == NULL)
        io.zeros = plan_parameters((plan *)p);
    if (!backward)
        return io;
    io.d_output = d_output_of(p, i);
    io.d_end = (epilogue){.act = plan_input_slope(p, i), .outputs = io.input[0]};
    if (n->joined == EPILOGUE_POOL)
        io.d_end.pool = &p->nodes[p->nodes[n->node->input[0]].root].pool;
    if (n->way[0] == GRADIENT_SUMMED)
        io.d_end.addend = plan_tensor(p, p->nodes[p->nodes[n->node->input[0]].root].held);
    return io;
}

convoy_status plan_add_forward(plan *p, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        p->nodes[i].first = rt_list_length(p->list);
        if (l->class->forward && p->nodes[i].root == i && !p->nodes[i].joined) {
            layer_io io = io_of(p, i, false);
            TRY(l->class->forward(l, &io, p->list, err));
        }
        p->nodes[i].last = rt_list_length(p->list);
    }
    return CONVOY_OK;
}

static convoy_status add_to(plan *p, const layer *l, const rt_buffer *part, const rt_buffer *sum, size_t per_image,
                            size_t fixed, convoy_error *err)
{
    char label[160];
    snprintf(label, sizeof label, "%s sum of gradients", l->name);
    return ops_accumulate(p->list, p->ctx, label, part, sum, per_image, fixed, err);
}

static convoy_status add_gradients(plan *p, size_t i, convoy_error *err)
{
    const plan_node *n = &p->nodes[i];
    const layer *l = n->node->layer;
    for (int k = 0; k < n->node->input_count; k++)
        if (n->way[k] == GRADIENT_ADDED)
            TRY(add_to(p, l, n->tensor[T_D_INPUT + k], d_output_of(p, n->node->input[k]), shape_count(&l->input[k]), 0, err));
    for (int k = 0; k < l->param_count; k++)
        if (n->tensor[T_D_PARAM + k])
            TRY(add_to(p, l, n->tensor[T_D_PARAM + k], plan_owner(p, i)->d_param[k], 0, l->param[k].count, err));
    return CONVOY_OK;
}

/* Of an activation that its root does: in place, before anybody reads the gradient. */
static convoy_status add_slope(plan *p, size_t i, convoy_error *err)
{
    const plan_node *root = &p->nodes[p->nodes[i].root];
    const layer *l = p->nodes[i].node->layer;
    if (root->end.act == NULL || root->act != i || p->nodes[i].root == i || !root->is_written || !root->needs_gradient ||
        plan_slope_is_taken(p, p->nodes[i].root))
        return CONVOY_OK;
    return ops_activation_backward(p->list, p->ctx, l->name, root->end.act, output_of(p, i), output_of(p, i), d_output_of(p, i),
                                   d_output_of(p, i), 1, (int)shape_count(&l->output), err);
}

convoy_status plan_add_backward(plan *p, convoy_error *err)
{
    for (size_t i = p->count; i-- > 0;) {
        const layer *l = p->nodes[i].node->layer;
        TRY(add_slope(p, i, err));
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
size_t plan_node_writer(const plan *p, size_t node)
{
    const plan_node *n = &p->nodes[node];
    return n->joined == EPILOGUE_POOL ? p->nodes[n->node->input[0]].root : node;
}
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
