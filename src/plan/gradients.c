/* How each gradient of a plan comes about. Backward passes run from the last node to the first, so a tensor's readers write its
 * gradient from the last one to the first, after the loss.
 *
 * Where two readers write, and the second can add what the first left, it does so while it writes: no launch only adds. A layer
 * that sums its inputs leaves its own output's gradient. All others' are added one by one. */
#include "plan/inside.h"

static size_t root_of(const plan *p, size_t i, int k) { return p->nodes[p->nodes[i].node->input[k]].root; }

/* A reader's pass is to come that writes the gradient of `root`. */
static bool add_writer(plan *p, size_t root, size_t i)
{
    plan_node *from = &p->nodes[root];
    bool first = !from->is_written;
    from->is_written = true;
    from->first_writer = from->writer_count++ == 0 ? i : from->first_writer;
    from->last_writer = i;
    return first;
}

/* Which passes are run. In `way`, for now: the first writer's is GRADIENT_WHOLE, those of others are GRADIENT_ADDED. */
static void link_passes(plan *p)
{
    for (size_t i = p->count; i-- > 0;) {
        plan_node *n = &p->nodes[i];
        n->gradient = i * T_KINDS + T_D_OUTPUT;
        if (!n->needs_gradient || !p->nodes[n->root].is_written || n->is_alias)
            continue;
        n->backward = true;
        for (int k = 0; k < n->node->input_count; k++) {
            size_t root = root_of(p, i, k);
            if (root != n->root && p->nodes[root].needs_gradient)
                n->way[k] = add_writer(p, root, i) ? GRADIENT_WHOLE : GRADIENT_ADDED;
        }
        for (size_t j = i + 1; j < p->count; j++)
            n->adds_params |= p->nodes[j].backward && p->nodes[j].node->first == n->node->first;
    }
}

/* Two readers write, and nobody else, and the second one sums. */
static bool second_sums(const plan *p, const plan_node *from)
{
    const model_node *last = p->nodes[from->last_writer].node;
    return !from->is_output && from->writer_count == 2 && from->first_writer != from->last_writer &&
           (last->layer->d_takes & EPILOGUE_ADD) && last->input_count == 1;
}

static void choose_way(plan *p, size_t i, int k)
{
    plan_node *n = &p->nodes[i], *from = &p->nodes[root_of(p, i, k)];
    bool sums = second_sums(p, from);
    if (n->way[k] == GRADIENT_ADDED) {
        n->way[k] = sums ? GRADIENT_SUMMED : GRADIENT_ADDED;
        return;
    }
    /* What is passed on has several readers: nobody may change it. */
    bool only_read = from->writer_count == 1 && from->node->layer->keeps_d_output && from->end.act == NULL;
    if (layer_find_part(n->node->layer).part == EPILOGUE_ADD && (sums || only_read))
        n->way[k] = GRADIENT_PASSED;
    else if (sums)
        n->way[k] = GRADIENT_HELD;
    size_t left = n->way[k] == GRADIENT_PASSED ? p->nodes[n->root].gradient : i * T_KINDS + T_D_INPUT + (size_t)k;
    if (sums)
        from->held = left;
    else if (n->way[k] == GRADIENT_PASSED)
        from->gradient = left;
}

void plan_link_gradients(plan *p)
{
    link_passes(p);
    for (size_t i = p->count; i-- > 0;)
        for (int k = 0; k < p->nodes[i].node->input_count; k++)
            if (p->nodes[i].way[k] != GRADIENT_NONE)
                choose_way(p, i, k);
}

/* Only who writes the whole gradient may: of a sum the slope is taken once. */
const activation *plan_input_slope(const plan *p, size_t i)
{
    const plan_node *n = &p->nodes[i];
    if (!n->backward || n->node->input_count != 1 || !(n->node->layer->d_takes & EPILOGUE_SLOPE))
        return NULL;
    const plan_node *from = &p->nodes[root_of(p, i, 0)];
    bool whole = n->way[0] == GRADIENT_SUMMED || (n->way[0] == GRADIENT_WHOLE && from->writer_count == 1);
    return whole && activation_fuses(from->end.act) ? from->end.act : NULL;
}

bool plan_slope_is_taken(const plan *p, size_t root)
{
    const plan_node *n = &p->nodes[root];
    return n->writer_count > 0 && plan_input_slope(p, n->last_writer) != NULL;
}
