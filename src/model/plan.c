#include "model/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model/arena.h"

/* The tensors of a node, as indices into plan->tensors. */
enum { T_OUTPUT, T_D_OUTPUT, T_SAVED, T_FORWARD_SCRATCH, T_BACKWARD_SCRATCH, T_KINDS };

typedef struct plan_node {
    const model_node *node;
    size_t root;          /* the node whose memory holds the output (itself, unless this one is an alias) */
    size_t consumer;      /* the node that reads the output; SIZE_MAX: none */
    bool needs_gradient;  /* it, or something before it, has trainable parameters */
    size_t first, last;   /* forward launches */
    size_t param_offset[LAYER_MAX_PARAMS]; /* bytes in the flat buffers */
    rt_buffer *param[LAYER_MAX_PARAMS], *d_param[LAYER_MAX_PARAMS];
    rt_buffer *tensor[T_KINDS];
} plan_node;

struct plan {
    convoy_context *ctx;
    plan_options options;
    size_t count;
    plan_node *nodes;
    arena_tensor *tensors; /* T_KINDS a node */
    rt_list *list;
    rt_buffer *parameters, *gradients, *arena, *zeros; /* NULL where shared */
    size_t parameter_bytes, trainable_bytes, least_bytes, own_bytes, zeros_floats;
};

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* ---- the graph ---- */

static bool is_alias(const plan *p, const layer *l)
{
    return l->class->alias || (l->class->alias_in_inference && !p->options.training);
}

static convoy_status link_nodes(plan *p, const convoy_model *model, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        plan_node *n = &p->nodes[i];
        n->node = &model->nodes[i];
        const layer *l = n->node->layer;
        n->root = is_alias(p, l) ? p->nodes[n->node->input[0]].root : i;
        n->consumer = SIZE_MAX;
        for (int k = 0; k < l->param_count; k++)
            n->needs_gradient |= l->trainable && l->param[k].trainable;
        for (int k = 0; k < n->node->input_count; k++) {
            plan_node *from = &p->nodes[n->node->input[k]];
            if (from->consumer != SIZE_MAX)
                return base_fail(err, CONVOY_ERROR_MODEL, "layer '%s': its output is read twice; only chains are supported",
                                 from->node->layer->name);
            from->consumer = i;
            n->needs_gradient |= from->needs_gradient;
        }
        if (shape_count(&l->output) > (size_t)INT_MAX / (size_t)p->options.batch)
            return base_fail(err, CONVOY_ERROR_MODEL, "layer '%s': %zu values an image in batches of %d are too many; use a "
                             "smaller batch size", l->name, shape_count(&l->output), p->options.batch);
        p->zeros_floats = l->zeros_needed > p->zeros_floats ? l->zeros_needed : p->zeros_floats;
    }
    return CONVOY_OK;
}

/* ---- parameters ---- */

static void place_parameters(plan *p, bool trainable, size_t *offset)
{
    size_t alignment = rt_alignment(p->ctx);
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        for (int k = 0; k < l->param_count; k++) {
            if ((l->trainable && l->param[k].trainable) != trainable)
                continue;
            p->nodes[i].param_offset[k] = *offset;
            *offset = round_up(*offset + l->param[k].count * sizeof(float), alignment);
        }
    }
}

static convoy_status create_flat(plan *p, const char *what, rt_buffer **out, convoy_error *err)
{
    TRY(rt_buffer_create(p->ctx, p->parameter_bytes, what, out, err));
    p->own_bytes += p->parameter_bytes;
    p->least_bytes += p->parameter_bytes;
    return rt_buffer_fill(*out, 0.0f, err);
}

static convoy_status slice_parameters(plan *p, convoy_error *err)
{
    size_t alignment = rt_alignment(p->ctx);
    for (size_t i = 0; i < p->count; i++) {
        plan_node *n = &p->nodes[i];
        for (int k = 0; k < n->node->layer->param_count; k++) {
            size_t bytes = round_up(n->node->layer->param[k].count * sizeof(float), alignment);
            TRY(rt_buffer_slice(plan_parameters(p), n->param_offset[k], bytes, &n->param[k], err));
            if (p->gradients)
                TRY(rt_buffer_slice(p->gradients, n->param_offset[k], bytes, &n->d_param[k], err));
        }
    }
    return CONVOY_OK;
}

static convoy_status create_parameters(plan *p, convoy_error *err)
{
    place_parameters(p, true, &p->trainable_bytes);
    p->parameter_bytes = p->trainable_bytes;
    place_parameters(p, false, &p->parameter_bytes);
    if (p->parameter_bytes == 0)
        p->parameter_bytes = rt_alignment(p->ctx); /* a model without weights */
    if (p->options.share == NULL)
        TRY(create_flat(p, "parameters", &p->parameters, err));
    if (p->options.training)
        TRY(create_flat(p, "gradients", &p->gradients, err));
    return slice_parameters(p, err);
}

/* ---- tensors and their lifetimes ----
 * Moments: node i runs forward at i, the loss at N, node i runs backward at 2N - i, updates at 2N + 1. */

static arena_tensor *tensor_of(plan *p, size_t node, int kind) { return &p->tensors[node * T_KINDS + (size_t)kind]; }

static void want(plan *p, size_t node, int kind, size_t bytes, int first, int last)
{
    *tensor_of(p, node, kind) = (arena_tensor){round_up(bytes, rt_alignment(p->ctx)), first, last, 0};
}

static void prolong(plan *p, size_t node, int kind, int until)
{
    arena_tensor *t = tensor_of(p, node, kind);
    t->last = until > t->last ? until : t->last;
}

static void want_node(plan *p, size_t i)
{
    const layer *l = p->nodes[i].node->layer;
    int end = (int)p->count, batch = p->options.batch;
    bool backward = p->options.training && p->nodes[i].needs_gradient;
    size_t bytes = shape_count(&l->output) * (size_t)batch * sizeof(float);
    if (p->nodes[i].root == i)
        want(p, i, T_OUTPUT, bytes, (int)i, (int)i);
    if (i + 1 == p->count)
        prolong(p, p->nodes[i].root, T_OUTPUT, end);
    for (int k = 0; k < p->nodes[i].node->input_count; k++) {
        size_t from = p->nodes[p->nodes[i].node->input[k]].root;
        prolong(p, from, T_OUTPUT, backward && l->backward_reads_input ? 2 * end - (int)i : (int)i);
    }
    if (backward && l->backward_reads_output)
        prolong(p, p->nodes[i].root, T_OUTPUT, 2 * end - (int)i);
    size_t saved = l->saved_per_image * (size_t)batch + (p->options.training ? l->saved_by_training : 0);
    if (saved)
        want(p, i, T_SAVED, saved * sizeof(float), (int)i, backward ? 2 * end - (int)i : (int)i);
    if (saved && p->options.training && l->class->update)
        prolong(p, i, T_SAVED, 2 * end + 1);
    if (l->forward_scratch)
        want(p, i, T_FORWARD_SCRATCH, l->forward_scratch(l, p->ctx, batch) * sizeof(float), (int)i, (int)i);
    if (backward && l->backward_scratch)
        want(p, i, T_BACKWARD_SCRATCH, l->backward_scratch(l, p->ctx, batch) * sizeof(float), 2 * end - (int)i,
             2 * end - (int)i);
    if (!backward)
        return;
    /* The gradient of an output is written by its consumer, or by the loss; an alias's is its root's. */
    size_t root = p->nodes[i].root;
    int written = i + 1 == p->count ? end : 2 * end - (int)p->nodes[i].consumer;
    if (tensor_of(p, root, T_D_OUTPUT)->bytes == 0 || tensor_of(p, root, T_D_OUTPUT)->first > written)
        want(p, root, T_D_OUTPUT, bytes, written, 2 * end - (int)root);
}

static convoy_status create_arena(plan *p, convoy_error *err)
{
    size_t bytes = 0, least = 0;
    for (size_t i = 0; i < p->count; i++)
        want_node(p, i);
    TRY(arena_place(p->tensors, p->count * T_KINDS, rt_alignment(p->ctx), &bytes, &least, err));
    rt_buffer *arena = p->options.share ? p->options.share->arena : NULL;
    if (arena == NULL || rt_buffer_bytes(arena) < bytes) {
        TRY(rt_buffer_create(p->ctx, bytes, "activations", &p->arena, err));
        p->own_bytes += bytes;
        p->least_bytes += least;
        arena = p->arena;
    }
    for (size_t i = 0; i < p->count; i++)
        for (int kind = 0; kind < T_KINDS; kind++) {
            const arena_tensor *t = tensor_of(p, i, kind);
            if (t->bytes > 0)
                TRY(rt_buffer_slice(arena, t->offset, t->bytes, &p->nodes[i].tensor[kind], err));
        }
    if (p->zeros_floats > 0) {
        TRY(rt_buffer_create(p->ctx, p->zeros_floats * sizeof(float), "zeros", &p->zeros, err));
        p->own_bytes += p->zeros_floats * sizeof(float);
        p->least_bytes += p->zeros_floats * sizeof(float);
        TRY(rt_buffer_fill(p->zeros, 0.0f, err));
    }
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
    p->options = *options;
    p->count = model->node_count;
    p->nodes = calloc(p->count, sizeof *p->nodes);
    p->tensors = calloc(p->count * T_KINDS, sizeof *p->tensors);
    if (p->nodes == NULL || p->tensors == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(rt_list_create(ctx, options->batch, &p->list, err));
    TRY_GOTO(link_nodes(p, model, err));
    TRY_GOTO(create_parameters(p, err));
    TRY_GOTO(create_arena(p, err));
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

/* The activation that node i's backward pass takes the slope of on behalf of whoever made its input, or NULL. */
static const struct activation *input_slope(const plan *p, size_t i)
{
    const plan_node *n = &p->nodes[i];
    if (n->node->input_count != 1 || !n->node->layer->class->applies_input_slope)
        return NULL;
    const plan_node *from = &p->nodes[p->nodes[n->node->input[0]].root];
    return from->needs_gradient ? from->node->layer->activation : NULL;
}

/* The first node behind the alias nodes after i that really reads its output. */
static size_t reader_of(const plan *p, size_t i)
{
    size_t reader = p->nodes[i].consumer;
    while (reader != SIZE_MAX && is_alias(p, p->nodes[reader].node->layer))
        reader = p->nodes[reader].consumer;
    return reader;
}

static layer_io io_of(const plan *p, size_t i, bool backward)
{
    const plan_node *n = &p->nodes[i];
    layer_io io = {.ctx = p->ctx, .batch = p->options.batch, .training = p->options.training,
                   .seed = p->options.seed, .stream = (uint32_t)i, .output = output_of(p, i),
                   .saved = n->tensor[T_SAVED], .zeros = p->zeros,
                   .scratch = n->tensor[backward ? T_BACKWARD_SCRATCH : T_FORWARD_SCRATCH]};
    for (int k = 0; k < n->node->input_count; k++) {
        size_t from = (size_t)n->node->input[k];
        io.input[k] = output_of(p, from);
        if (backward && p->nodes[from].needs_gradient)
            io.d_input[k] = d_output_of(p, from);
    }
    for (int k = 0; k < n->node->layer->param_count; k++) {
        io.param[k] = n->param[k];
        io.d_param[k] = n->d_param[k];
    }
    if (p->zeros == NULL)
        io.zeros = plan_parameters((plan *)p);
    if (!backward)
        return io;
    io.d_output = d_output_of(p, i);
    io.input_slope = input_slope(p, i);
    size_t reader = reader_of(p, i);
    io.d_output_has_slope = reader != SIZE_MAX && n->node->layer->activation && input_slope(p, reader) != NULL;
    return io;
}

convoy_status plan_add_forward(plan *p, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        p->nodes[i].first = rt_list_length(p->list);
        if (l->class->forward && !is_alias(p, l)) {
            layer_io io = io_of(p, i, false);
            TRY(l->class->forward(l, &io, p->list, err));
        }
        p->nodes[i].last = rt_list_length(p->list);
    }
    return CONVOY_OK;
}

convoy_status plan_add_backward(plan *p, convoy_error *err)
{
    for (size_t i = p->count; i-- > 0;) {
        const layer *l = p->nodes[i].node->layer;
        if (l->class->backward == NULL || !p->nodes[i].needs_gradient)
            continue;
        layer_io io = io_of(p, i, true);
        TRY(l->class->backward(l, &io, p->list, err));
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

/* ---- weights ---- */

convoy_status plan_upload(plan *p, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; k < p->nodes[i].node->layer->param_count; k++)
            TRY(rt_buffer_write(plan_parameters(p), p->nodes[i].param_offset[k], p->nodes[i].node->weights[k],
                                p->nodes[i].node->layer->param[k].count * sizeof(float), err));
    return CONVOY_OK;
}

convoy_status plan_download(plan *p, convoy_model *model, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; k < model->nodes[i].layer->param_count; k++)
            TRY(rt_buffer_read(plan_parameters(p), p->nodes[i].param_offset[k], model->nodes[i].weights[k],
                               model->nodes[i].layer->param[k].count * sizeof(float), err));
    return CONVOY_OK;
}

/* Copies each trainable parameter's stretch of a flat buffer from or to packed host memory. */
static convoy_status copy_packed(const plan *p, rt_buffer *flat, const float *from, float *to, convoy_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        for (int k = 0; k < l->param_count; k++) {
            size_t count = l->param[k].count;
            if (!l->trainable || !l->param[k].trainable)
                continue;
            if (from)
                TRY(rt_buffer_write(flat, p->nodes[i].param_offset[k], from + at, count * sizeof(float), err));
            else
                TRY(rt_buffer_read(flat, p->nodes[i].param_offset[k], to + at, count * sizeof(float), err));
            at += count;
        }
    }
    return CONVOY_OK;
}

convoy_status plan_write_packed(const plan *p, rt_buffer *flat, const float *packed, convoy_error *err)
{
    return copy_packed(p, flat, packed, NULL, err);
}

convoy_status plan_read_packed(const plan *p, rt_buffer *flat, float *packed, convoy_error *err)
{
    return copy_packed(p, flat, NULL, packed, err);
}

/* ---- what there is ---- */

/* The parameter that is the variable's, or how many there are when there are fewer. */
static size_t find_variable(const plan *p, size_t variable, plan_stretch *out)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        for (int k = 0; k < l->param_count; k++)
            if (l->trainable && l->param[k].trainable && count++ == variable)
                *out = (plan_stretch){p->nodes[i].param_offset[k] / sizeof(float), l->param[k].count};
    }
    return count;
}

size_t plan_variable_count(const plan *p)
{
    plan_stretch none;
    return find_variable(p, SIZE_MAX, &none);
}

plan_stretch plan_variable(const plan *p, size_t variable)
{
    plan_stretch found = {0};
    find_variable(p, variable, &found);
    return found;
}

rt_list *plan_list(plan *p) { return p->list; }
const rt_buffer *plan_input(const plan *p) { return output_of(p, 0); }
const rt_buffer *plan_output(const plan *p) { return output_of(p, p->count - 1); }
const rt_buffer *plan_d_output(const plan *p) { return d_output_of(p, p->count - 1); }
const rt_buffer *plan_node_output(const plan *p, size_t node) { return output_of(p, node); }
rt_buffer *plan_parameters(plan *p) { return p->options.share ? p->options.share->parameters : p->parameters; }
rt_buffer *plan_gradients(plan *p) { return p->gradients; }
const rt_buffer *plan_parameter(const plan *p, size_t node, int k) { return p->nodes[node].param[k]; }
const rt_buffer *plan_parameter_gradient(const plan *p, size_t node, int k) { return p->nodes[node].d_param[k]; }
size_t plan_trainable_floats(const plan *p) { return p->trainable_bytes / sizeof(float); }
size_t plan_bytes(const plan *p) { return p->own_bytes; }
size_t plan_least_bytes(const plan *p) { return p->least_bytes; }

void plan_forward_range(const plan *p, size_t node, size_t *first, size_t *last)
{
    *first = p->nodes[node].first;
    *last = p->nodes[node].last;
}
