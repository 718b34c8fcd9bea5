/* A plan's tensors and their lifetimes.
 * Moments: node i runs forward at i, the losses at N, node i runs backward at 2N - i, updates at 2N + 1. What the caller
 * fills (the model's inputs) lives from 0 on, what the caller reads (its outputs) up to N. */
#include "plan/inside.h"

static arena_tensor *tensor_of(plan *p, size_t node, int kind) { return &p->tensors[node * T_KINDS + (size_t)kind]; }

static void want(plan *p, size_t node, int kind, size_t bytes, int first, int last)
{
    *tensor_of(p, node, kind) = (arena_tensor){arena_round_up(bytes, rt_alignment(p->ctx)), first, last, 0};
}

static void prolong(plan *p, size_t node, int kind, int until)
{
    arena_tensor *t = tensor_of(p, node, kind);
    t->last = until > t->last ? until : t->last;
}

/* Bytes of an output for a whole batch. */
static size_t output_bytes(const plan *p, size_t i)
{
    return shape_count(&p->nodes[i].node->layer->output) * (size_t)p->options.batch * sizeof(float);
}

/* Bytes of its gradient: where the output is pooled at once, of what the windows cover. */
static size_t gradient_bytes(const plan *p, size_t i)
{
    convoy_shape shape = p->nodes[i].node->layer->output;
    if (p->nodes[i].end.pool)
        epilogue_pool_covers(&p->nodes[i].pool, &shape.dim[0], &shape.dim[1]);
    return shape_count(&shape) * (size_t)p->options.batch * sizeof(float);
}

static void want_forward(plan *p, size_t i)
{
    const plan_node *n = &p->nodes[i];
    const layer *l = n->node->layer;
    int now = n->joined == EPILOGUE_ADD ? (int)n->root : (int)i, end = (int)p->count, batch = p->options.batch;
    int back = n->backward ? 2 * end - (int)i : now;
    int made = n->node->input_count == 0 ? 0 : n->joined == EPILOGUE_POOL ? (int)p->nodes[n->node->input[0]].root : now;
    if (n->root == i && n->end.pool == NULL)
        want(p, i, T_OUTPUT, output_bytes(p, i), made, n->is_output || p->options.keep_outputs ? end : now);
    for (int k = 0; k < n->node->input_count; k++)
        prolong(p, p->nodes[n->node->input[k]].root, T_OUTPUT, l->backward_reads_input ? back : now);
    if (l->backward_reads_output)
        prolong(p, n->root, T_OUTPUT, back);
    size_t saved = l->saved_per_image * (size_t)batch + (p->options.training ? l->saved_by_training : 0);
    if (saved && (n->joined != EPILOGUE_POOL || p->options.training))
        want(p, i, T_SAVED, saved * sizeof(float), made, back);
    if (saved && p->options.training && l->class->update)
        prolong(p, i, T_SAVED, 2 * end + 1);
    bool keeps = !p->options.training && n->needs.keeps_scratch;
    want(p, i, T_FORWARD_SCRATCH, n->needs.forward_scratch * sizeof(float), keeps ? 0 : now, keeps ? end : now);
}

/* The gradient of input k of node i. That of an output lives from the moment of its first writer, which is its last reader or the
 * loss, to its own node's backward pass, or longer where it is passed on. What is added to it lives until then only. */
static void want_d_input(plan *p, size_t i, int k)
{
    const plan_node *n = &p->nodes[i];
    size_t root = p->nodes[n->node->input[k]].root;
    const plan_node *from = &p->nodes[root];
    int end = (int)p->count, now = 2 * end - (int)i, until = 2 * end - (int)root, summed = 2 * end - (int)from->last_writer;
    size_t passed = p->nodes[n->root].gradient;
    switch (n->way[k]) {
    case GRADIENT_WHOLE:
    case GRADIENT_SUMMED: want(p, root, T_D_OUTPUT, gradient_bytes(p, root), now, until); break;
    case GRADIENT_ADDED: want(p, i, T_D_INPUT + k, output_bytes(p, root), now, now); break;
    case GRADIENT_HELD: want(p, i, T_D_INPUT + k, output_bytes(p, root), now, summed); break;
    case GRADIENT_PASSED:
        prolong(p, passed / T_KINDS, (int)(passed % T_KINDS), from->writer_count == 1 ? until : summed);
        break;
    case GRADIENT_NONE: break;
    }
}

/* The loss writes it. */
static void want_output_gradient(plan *p, size_t i)
{
    int end = (int)p->count;
    if (p->nodes[i].root == i && p->nodes[i].is_output && p->nodes[i].needs_gradient)
        want(p, i, T_D_OUTPUT, output_bytes(p, i), end, 2 * end - (int)i);
}

static void want_backward(plan *p, size_t i)
{
    const plan_node *n = &p->nodes[i];
    const layer *l = n->node->layer;
    int now = 2 * (int)p->count - (int)i;
    if (n->end.act && n->act != i && !plan_slope_is_taken(p, i))
        prolong(p, i, T_OUTPUT, 2 * (int)p->count - (int)n->act);
    if (!n->backward)
        return;
    want(p, i, T_BACKWARD_SCRATCH, n->needs.backward_scratch * sizeof(float), now, now);
    want(p, i, T_FILTER_SCRATCH, n->needs.filter_scratch * sizeof(float), now, now);
    for (int k = 0; k < n->node->input_count; k++)
        want_d_input(p, i, k);
    for (int k = 0; n->adds_params && k < l->param_count; k++)
        want(p, i, T_D_PARAM + k, l->param[k].count * sizeof(float), now, now);
}

static convoy_status create_zeros(plan *p, convoy_error *err)
{
    if (p->zeros_floats == 0)
        return CONVOY_OK;
    TRY(rt_buffer_create(p->ctx, p->zeros_floats * sizeof(float), "zeros", &p->zeros, err));
    p->own_bytes += p->zeros_floats * sizeof(float);
    p->least_bytes += p->zeros_floats * sizeof(float);
    return rt_buffer_fill(p->zeros, 0.0f, err);
}

convoy_status plan_create_arena(plan *p, convoy_error *err)
{
    size_t bytes = 0, least = 0;
    for (size_t i = 0; i < p->count; i++)
        want_forward(p, i);
    for (size_t i = 0; p->options.training && i < p->count; i++)
        want_output_gradient(p, i);
    for (size_t i = p->count; p->options.training && i-- > 0;)
        want_backward(p, i);
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
    return create_zeros(p, err);
}
