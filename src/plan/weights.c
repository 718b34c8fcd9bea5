/* A plan's parameters: one flat buffer for all of them, one for their gradients. */
#include "plan/inside.h"

static bool is_trainable(const layer *l, int k) { return l->trainable && l->param[k].trainable; }

/* Number of a node's parameters that are its own: a layer used again has none. */
static int own_count(const plan *p, size_t i)
{
    return model_is_first(p->model, i) ? p->nodes[i].node->layer->param_count : 0;
}

static void place_parameters(plan *p, bool trainable, size_t *offset)
{
    size_t alignment = rt_alignment(p->ctx);
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        for (int k = 0; k < own_count(p, i); k++) {
            if (is_trainable(l, k) != trainable)
                continue;
            p->nodes[i].param_offset[k] = *offset;
            *offset = arena_round_up(*offset + l->param[k].count * sizeof(float), alignment);
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
        for (int k = 0; k < own_count(p, i); k++) {
            size_t bytes = arena_round_up(n->node->layer->param[k].count * sizeof(float), alignment);
            TRY(rt_buffer_slice(plan_parameters(p), n->param_offset[k], bytes, &n->param[k], err));
            if (p->gradients)
                TRY(rt_buffer_slice(p->gradients, n->param_offset[k], bytes, &n->d_param[k], err));
        }
    }
    return CONVOY_OK;
}

convoy_status plan_create_parameters(plan *p, convoy_error *err)
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

convoy_status plan_upload(plan *p, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; k < own_count(p, i); k++)
            TRY(rt_buffer_write(plan_parameters(p), p->nodes[i].param_offset[k], p->nodes[i].node->weights[k],
                                p->nodes[i].node->layer->param[k].count * sizeof(float), err));
    return CONVOY_OK;
}

convoy_status plan_download(plan *p, convoy_model *model, convoy_error *err)
{
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; k < own_count(p, i); k++)
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
        for (int k = 0; k < own_count(p, i); k++) {
            size_t count = l->param[k].count;
            if (!is_trainable(l, k))
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

/* ---- the trainable parameters one by one ---- */

/* The parameter that is the variable's, or how many there are when there are fewer. */
static size_t find_variable(const plan *p, size_t variable, plan_stretch *out)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const layer *l = p->nodes[i].node->layer;
        for (int k = 0; k < own_count(p, i); k++)
            if (is_trainable(l, k) && count++ == variable)
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
