/* AveragePooling2D: the mean of each window's real cells. Kernels: cl/avg_pool2d.cl. */
#include <stdio.h>

#include "layers/formula.h"
#include "layers/onnx.h"
#include "ops/conv2d/conv2d.h"
#include "ops/elementwise.h"

typedef struct pool_state {
    int pool_size[2], strides[2], padding, data_format;
    int step[2], pad[2]; /* set by build; step: strides, or the pool's size */
} pool_state;

static const char *const paddings[] = {"valid", "same", NULL};
static const char *const formats[] = {"channels_last", NULL};

#define AT(member) .offset = offsetof(pool_state, member)

static const option options[] = {
    {.name = "pool_size", .kind = OPTION_PAIR, AT(pool_size), .least = 1, .most = 1 << 15},
    {.name = "strides", .kind = OPTION_OPTIONAL_PAIR, AT(strides), .standard = "null", .least = 1, .most = 1 << 15},
    {.name = "padding", .kind = OPTION_CHOICE, AT(padding), .standard = "\"valid\"", .choices = paddings},
    {.name = "data_format", .kind = OPTION_CHOICE, AT(data_format), .standard = "\"channels_last\"",
     .choices = formats, .hidden = true},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    pool_state *s = l->state;
    char shape[96];
    if (l->input[0].rank != 3)
        return base_fail(err, CONVOY_ERROR_MODEL, "the input is %s; (height, width, channels) images are expected",
                         shape_text(&l->input[0], shape, sizeof shape));
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

static void formula(const layer *l, int axis, text *out)
{
    const pool_state *s = l->state;
    if (axis < 2)
        formula_window(l->input[0].dim[axis], s->pool_size[axis], 1, s->step[axis], s->padding == 1, out);
}

static convoy_status add(const layer *l, const layer_io *io, bool backward, rt_list *list, convoy_error *err)
{
    const pool_state *s = l->state;
    const int *in = l->input[0].dim, *o = l->output.dim;
    const convoy_shape *written = backward ? &l->input[0] : &l->output;
    unsigned width = ops_row_width(io->ctx, in[2]);
    char text[256], label[160];
    snprintf(text, sizeof text,
             "-DVW=%u -DH=%d -DW=%d -DC=%d -DOH=%d -DOW=%d -DPH=%d -DPW=%d -DSH=%d -DSW=%d -DPT=%d -DPL=%d%s", width, in[0],
             in[1], in[2], o[0], o[1], s->pool_size[0], s->pool_size[1], s->step[0], s->step[1], s->pad[0], s->pad[1],
             backward ? "" : " -DFORWARD");
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

/* One window: its cells' sum into the output, or its share of the gradient into its cells. */
static void window(const layer *l, const layer_reference *r, bool backward_pass, size_t i, int n, int oy, int ox, int c)
{
    const pool_state *s = l->state;
    const int *in = l->input[0].dim;
    double sum = 0;
    int cells = 0;
    for (int pass = 0; pass < 2; pass++) /* cells are counted first */
        for (int py = 0; py < s->pool_size[0]; py++)
            for (int px = 0; px < s->pool_size[1]; px++) {
                int iy = oy * s->step[0] + py - s->pad[0], ix = ox * s->step[1] + px - s->pad[1];
                if (iy < 0 || iy >= in[0] || ix < 0 || ix >= in[1])
                    continue;
                size_t at = (((size_t)n * in[0] + iy) * in[1] + ix) * in[2] + c;
                cells += pass == 0;
                if (pass == 1 && backward_pass)
                    r->d_input[0][at] += r->d_output[i] / cells;
                else if (pass == 1)
                    sum += r->input[0][at];
            }
    if (!backward_pass)
        r->output[i] = sum / cells;
}

static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    const int *o = l->output.dim;
    size_t i = 0;
    for (int n = 0; n < r->batch; n++)
        for (int oy = 0; oy < o[0]; oy++)
            for (int ox = 0; ox < o[1]; ox++)
                for (int c = 0; c < o[2]; c++, i++)
                    window(l, r, backward_pass, i, n, oy, ox, c);
}

static void reference_forward(const layer *l, const layer_reference *r) { reference(l, r, false); }

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        reference(l, r, true);
}

static size_t reduction(const layer *l, int batch)
{
    const pool_state *s = l->state;
    (void)batch;
    return (size_t)s->pool_size[0] * (size_t)s->pool_size[1];
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const pool_state *s = l->state;
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
    .state_size = sizeof(pool_state),
    .options = options,
    .samples = samples,
    .build = build,
    .formula = formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
