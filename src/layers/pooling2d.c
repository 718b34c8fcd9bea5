#include "layers/pooling2d.h"

#include <stdint.h>
#include <stdio.h>

#include "layers/formula.h"
#include "ops/conv2d/conv2d.h"

convoy_status pooling2d_build(layer *l, convoy_error *err)
{
    pooling2d *s = l->state;
    TRY(layer_takes_images(l, err));
    l->output = l->input[0];
    for (int d = 0; d < 2; d++) {
        s->step[d] = s->strides[d] ? s->strides[d] : s->pool_size[d];
        ops_window(l->input[0].dim[d], s->pool_size[d], s->step[d], s->padding == 1, &l->output.dim[d], &s->pad[d]);
        if (l->output.dim[d] < 1)
            return base_fail(err, CONVOY_ERROR_MODEL, "windows of %d x %d do not fit into %d x %d pixels",
                             s->pool_size[0], s->pool_size[1], l->input[0].dim[0], l->input[0].dim[1]);
    }
    return CONVOY_OK;
}

void pooling2d_formula(const layer *l, int axis, text *out)
{
    const pooling2d *s = l->state;
    if (axis < 2)
        formula_window(l->input[0].dim[axis], s->pool_size[axis], 1, s->step[axis], s->padding == 1, out);
}

size_t pooling2d_reduction(const layer *l, int batch)
{
    const pooling2d *s = l->state;
    (void)batch;
    return (size_t)s->pool_size[0] * (size_t)s->pool_size[1];
}

void pooling2d_describe(const layer *l, const convoy_shape *pooled, unsigned vector_width, char *out, size_t size)
{
    const pooling2d *s = l->state;
    const int *in = pooled->dim, *o = l->output.dim;
    snprintf(out, size, "-DVW=%u -DH=%d -DW=%d -DC=%d -DOH=%d -DOW=%d -DPH=%d -DPW=%d -DSH=%d -DSW=%d -DPT=%d -DPL=%d",
             vector_width, in[0], in[1], in[2], o[0], o[1], s->pool_size[0], s->pool_size[1], s->step[0], s->step[1], s->pad[0],
             s->pad[1]);
}

size_t pooling2d_cell(const pooling2d_window *w, int k)
{
    const pooling2d *s = w->layer->state;
    const int *in = w->layer->input[0].dim;
    int y = w->y * s->step[0] + k / s->pool_size[1] - s->pad[0], x = w->x * s->step[1] + k % s->pool_size[1] - s->pad[1];
    if (y < 0 || y >= in[0] || x < 0 || x >= in[1])
        return SIZE_MAX;
    return (((size_t)w->image * in[0] + y) * in[1] + x) * in[2] + w->channel;
}

void pooling2d_each(const layer *l, const layer_reference *r, bool backward, pooling2d_visit *visit)
{
    const int *o = l->output.dim;
    pooling2d_window w = {.layer = l};
    for (w.image = 0; w.image < r->batch; w.image++)
        for (w.y = 0; w.y < o[0]; w.y++)
            for (w.x = 0; w.x < o[1]; w.x++)
                for (w.channel = 0; w.channel < o[2]; w.channel++, w.value++)
                    visit(r, &w, backward);
}
