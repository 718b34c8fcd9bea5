#include "train/diagnose.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static size_t count_bad(const float *values, size_t count)
{
    size_t bad = 0;
    for (size_t i = 0; i < count; i++)
        bad += !isfinite(values[i]);
    return bad;
}

/* The weights were downloaded into the model: is one of this layer's bad? */
static bool bad_weights(const model_node *node, char *out, size_t size)
{
    const layer *l = node->layer;
    for (int k = 0; k < l->param_count; k++) {
        size_t bad = count_bad(node->weights[k], l->param[k].count);
        if (bad > 0) {
            snprintf(out, size, "layer '%s' (%s): %zu of %zu values of its %s are not finite", l->name,
                     l->class->name, bad, l->param[k].count, l->param[k].name);
            return true;
        }
    }
    return false;
}

static convoy_status bad_output(plan *p, size_t i, const convoy_model *model, int batch, bool *found, char *out, size_t size,
                                convoy_error *err)
{
    size_t count = shape_count(&model->nodes[i].layer->output) * (size_t)batch, first, last, writer = plan_node_writer(p, i);
    const layer *l = model->nodes[writer].layer;
    const rt_buffer *output = plan_node_output(p, i);
    plan_forward_range(p, i, &first, &last);
    if (output == NULL) {
        *found = false;
        return rt_list_play(plan_list(p), first, last, err);
    }
    float *values = malloc(count * sizeof *values);
    if (values == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = rt_list_play(plan_list(p), first, last, err);
    if (status == CONVOY_OK)
        status = rt_buffer_read((rt_buffer *)output, 0, values, count * sizeof *values, err);
    size_t bad = status == CONVOY_OK ? count_bad(values, count) : 0;
    free(values);
    *found = bad > 0;
    if (bad > 0)
        snprintf(out, size, "layer '%s' (%s): %zu of %zu values of its output%s are not finite", l->name, l->class->name, bad, count,
                 writer == i ? "" : ", pooled,");
    return status;
}

convoy_status diagnose(plan *p, const convoy_model *model, int batch, char *out, size_t size, convoy_error *err)
{
    bool found = false;
    TRY(rt_list_play(plan_list(p), 0, 1, err));
    for (size_t i = 0; i < model->node_count && !found; i++) {
        found = bad_weights(&model->nodes[i], out, size);
        if (!found)
            TRY(bad_output(p, i, model, batch, &found, out, size, err));
    }
    if (!found)
        snprintf(out, size, "all layers' outputs are finite, the loss of them is not");
    return CONVOY_OK;
}
