/* MaxPooling2D: the maximum of each window. Kernels: cl/max_pool2d.cl. */
#include <stdio.h>
#include <string.h>

#include "layers/onnx.h"
#include "layers/pooling2d.h"
#include "ops/conv2d/conv2d.h"
#include "ops/elementwise.h"

static const option options[] = {POOLING2D_OPTIONS("2"), {0}};

static convoy_status build(layer *l, convoy_error *err)
{
    TRY(pooling2d_build(l, err));
    /* Which place of its window each maximum has: a byte where that is enough (PLACE in the kernels). */
    size_t place = pooling2d_reduction(l, 1) <= 256 ? 1 : sizeof(int32_t);
    l->saved_per_image = (shape_count(&l->output) * place + sizeof(float) - 1) / sizeof(float);
    l->backward_reads_output = true; /* for the slope */
    l->d_takes = EPILOGUE_SLOPE;
    return CONVOY_OK;
}

/* Vectors for whole rows of windows; the backward pass also needs windows that neither overlap nor reach outside. */
static bool suits_vec(const layer *l, const convoy_context *ctx, bool backward)
{
    const pooling2d *s = l->state;
    if (!rt_wants_vectors(ctx) || l->input[0].dim[2] < 4)
        return false;
    bool apart = s->step[0] == s->pool_size[0] && s->step[1] == s->pool_size[1];
    bool inside = l->output.dim[0] * s->step[0] <= l->input[0].dim[0] && l->output.dim[1] * s->step[1] <= l->input[0].dim[1];
    return !backward || (apart && inside);
}

static unsigned width_for(const layer *l, const convoy_context *ctx, bool vec)
{
    unsigned width = vec ? rt_vector_width(ctx) : 1;
    while (width > (unsigned)l->input[0].dim[2])
        width /= 2;
    return width;
}

/* What is pooled, or has a gradient. */
static convoy_shape pooled_shape(const layer *l, const layer_io *io)
{
    convoy_shape shape = l->input[0];
    if (io->d_end.pool != NULL)
        epilogue_pool_covers(io->d_end.pool, &shape.dim[0], &shape.dim[1]);
    return shape;
}

static void describe(const layer *l, const layer_io *io, bool vec, char *out, size_t size)
{
    convoy_shape pooled = pooled_shape(l, io);
    pooling2d_describe(l, &pooled, width_for(l, io->ctx, vec), out, size);
}

static void set_range(rt_launch *launch, const layer *l, const layer_io *io, bool vec, size_t count)
{
    rt_push(launch, RT_BATCH(vec ? l->output.dim[0] : (int)count));
    if (!vec) {
        ops_range(launch, io->ctx, count, 0, 1);
        return;
    }
    launch->global[0] = RT_PER_IMAGE((size_t)l->output.dim[0], 1);
    launch->local[0] = 1;
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    char text[320], label[160];
    bool vec = suits_vec(l, io->ctx, false);
    describe(l, io, vec, text, sizeof text - 32);
    strcat(text, io->training ? " -DFORWARD -DTRAINING=1" : " -DFORWARD");
    snprintf(label, sizeof label, "%s forward", l->name);
    rt_launch launch = {.label = label, .source = "max_pool2d", .options = text,
                        .kernel = vec ? "max_pool2d_forward_vec" : "max_pool2d_forward_plain"};
    rt_push(&launch, RT_BUFFER(io->input[0]));
    rt_push(&launch, RT_BUFFER(io->output));
    rt_push(&launch, RT_BUFFER(io->saved)); /* only written in training */
    set_range(&launch, l, io, vec, shape_count(&l->output));
    launch.bytes_per_image = 4.0 * (double)(shape_count(&l->input[0]) + shape_count(&l->output));
    return rt_list_add(list, &launch, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    char text[320], label[160];
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    bool vec = suits_vec(l, io->ctx, true);
    describe(l, io, vec, text, sizeof text);
    snprintf(label, sizeof label, "%s backward", l->name);
    rt_launch launch = {.label = label, .source = "max_pool2d", .options = text,
                        .kernel = vec ? "max_pool2d_backward_vec" : "max_pool2d_backward_plain"};
    rt_push(&launch, RT_BUFFER(io->saved));
    rt_push(&launch, RT_BUFFER(io->d_output));
    rt_push(&launch, RT_BUFFER(io->d_input[0]));
    convoy_shape pooled = pooled_shape(l, io);
    set_range(&launch, l, io, vec, shape_count(&pooled));
    epilogue end = {.act = io->d_end.act, .outputs = io->output}; /* what the maxima are of */
    epilogue_append(&end, &launch, text, sizeof text);
    launch.bytes_per_image = 4.0 * (double)(shape_count(&pooled) + 2 * shape_count(&l->output) + l->saved_per_image);
    return rt_list_add(list, &launch, err);
}

static layer_part part(const layer *l)
{
    const pooling2d *s = l->state;
    const int *in = l->input[0].dim, *o = l->output.dim;
    layer_part out = {.part = EPILOGUE_POOL, .pool = {.out_height = o[0], .out_width = o[1]}};
    for (int d = 0; d < 2; d++) {
        out.pool.size[d] = s->pool_size[d];
        out.pool.step[d] = s->step[d];
        if (s->pad[d] > 0 || (o[d] - 1) * s->step[d] + s->pool_size[d] > in[d])
            out.part = 0;
    }
    return out;
}

/* The first maximum of a window's cells into the output, or the gradient to where that is. */
static void window(const layer_reference *r, const pooling2d_window *w, bool backward)
{
    int size = (int)pooling2d_reduction(w->layer, 1);
    size_t found = SIZE_MAX;
    for (int k = 0; k < size; k++) {
        size_t at = pooling2d_cell(w, k);
        if (at != SIZE_MAX && (found == SIZE_MAX || r->input[0][at] > r->input[0][found]))
            found = at;
    }
    if (backward)
        r->d_input[0][found] += r->d_output[w->value];
    else
        r->output[w->value] = r->input[0][found];
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
    onnx_node node = {.op = "MaxPool", .input = {onnx_input(g, 0, ONNX_FIRST)}};
    onnx_set_window(&node, l, s->pool_size, s->step, NULL, s->pad);
    return onnx_result(g, onnx_add(g, &node), ONNX_FIRST, err);
}

static const layer_sample samples[] = {
    {"", {3, {30, 30, 32}}},
    {"", {3, {13, 13, 64}}},
    {"pool_size=(2, 3)", {3, {5, 7, 9}}},
    {"pool_size=3, strides=1", {3, {6, 5, 4}}},
    {"pool_size=3, strides=2, padding=same", {3, {7, 8, 17}}},
    {"pool_size=(3, 2), strides=(1, 3)", {3, {7, 8, 3}}},
    {"pool_size=2, strides=3", {3, {8, 9, 8}}},
    {"pool_size=2, padding=same", {3, {5, 5, 16}}},
    {"pool_size=4, padding=same", {3, {1, 3, 5}}},
    {"pool_size=1", {3, {3, 3, 2}}},
    {"pool_size=(17, 16)", {3, {17, 33, 5}}},
    {0},
};

const layer_class max_pooling2d_class = {
    .name = "MaxPooling2D",
    .snake = "max_pooling2d",
    .keeps_range = true,
    .state_size = sizeof(pooling2d),
    .options = options,
    .samples = samples,
    .build = build,
    .part = part,
    .formula = pooling2d_formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = pooling2d_reduction,
    .onnx = onnx,
};
