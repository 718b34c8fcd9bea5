/* AveragePooling2D: the mean of each window's real cells. Kernels: cl/avg_pool2d.cl. */
#include <stdio.h>
#include <string.h>

#include "layers/onnx.h"
#include "layers/pooling2d.h"
#include "ops/elementwise.h"

static const option options[] = {POOLING2D_OPTIONS(NULL), {0}};

static convoy_status add(const layer *l, const layer_io *io, bool backward, rt_list *list, convoy_error *err)
{
    const convoy_shape *written = backward ? &l->input[0] : &l->output;
    unsigned width = ops_row_width(io->ctx, l->input[0].dim[2]);
    char text[256], label[160];
    pooling2d_describe(l, &l->input[0], width, text, sizeof text - 16);
    strcat(text, backward ? "" : " -DFORWARD");
    snprintf(label, sizeof label, "%s %s", l->name, backward ? "backward" : "forward");
    rt_launch launch = {.label = label, .source = "avg_pool2d", .options = text,
                        .kernel = width > 1 ? "avg_pool2d_vec" : "avg_pool2d_plain"};
    rt_push(&launch, RT_BUFFER(backward ? io->d_output : io->input[0]));
    rt_push(&launch, RT_BUFFER(backward ? io->d_input[0] : io->output));
    ops_row_range(&launch, io->ctx, width, written->dim[0], written->dim[1] * written->dim[2]);
    launch.bytes_per_image = 4.0 * (double)(shape_count(&l->input[0]) + shape_count(&l->output));
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return add(l, io, false, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return io->d_input[0] ? add(l, io, true, list, err) : CONVOY_OK;
}

/* The mean of a window's cells into the output, or each cell's share of the gradient into it. */
static void window(const layer_reference *r, const pooling2d_window *w, bool backward)
{
    int size = (int)pooling2d_reduction(w->layer, 1), cells = 0;
    double sum = 0;
    for (int k = 0; k < size; k++)
        if (pooling2d_cell(w, k) != SIZE_MAX)
            cells++;
    for (int k = 0; k < size; k++) {
        size_t at = pooling2d_cell(w, k);
        if (at != SIZE_MAX && backward)
            r->d_input[0][at] += r->d_output[w->value] / cells;
        else if (at != SIZE_MAX)
            sum += r->input[0][at];
    }
    if (!backward)
        r->output[w->value] = sum / cells;
}

static void reference_forward(const layer *l, const layer_reference *r) { pooling2d_each(l, r, false, window); }

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        pooling2d_each(l, r, true, window);
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const pooling2d *s = l->state;
    onnx_node node = {.op = "AveragePool", .input = {onnx_input(g, 0, ONNX_FIRST)},
                      .attribute = {ONNX_INT("count_include_pad", 0)}};
    onnx_set_window(&node, l, s->pool_size, s->step, NULL, s->pad);
    return onnx_result(g, onnx_add(g, &node), ONNX_FIRST, err);
}

static const layer_sample samples[] = {
    {"pool_size=2", {3, {30, 30, 32}}},
    {"pool_size=(2, 3)", {3, {5, 7, 9}}},
    {"pool_size=3, strides=1", {3, {6, 5, 4}}},
    {"pool_size=3, strides=2, padding=same", {3, {7, 8, 17}}},
    {"pool_size=(3, 2), strides=(1, 3)", {3, {7, 8, 3}}},
    {"pool_size=2, strides=3", {3, {8, 9, 8}}},
    {"pool_size=2, padding=same", {3, {5, 5, 16}}},
    {"pool_size=4, padding=same", {3, {1, 3, 5}}},
    {"pool_size=3, strides=1, padding=same", {3, {4, 5, 1}}},
    {0},
};

const layer_class average_pooling2d_class = {
    .name = "AveragePooling2D",
    .snake = "average_pooling2d",
    .keeps_range = true,
    .state_size = sizeof(pooling2d),
    .options = options,
    .samples = samples,
    .build = pooling2d_build,
    .formula = pooling2d_formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = pooling2d_reduction,
    .onnx = onnx,
};
