/* MaxPooling2D: the maximum of each window. Kernels: cl/max_pool2d.cl. */
#include <stdio.h>
#include <string.h>

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
    {.name = "pool_size", .kind = OPTION_PAIR, AT(pool_size), .standard = "2", .least = 1, .most = 1 << 15},
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
    /* Which place of its window each maximum has: a byte where that is enough (PLACE in the kernels). */
    size_t place = (long)s->pool_size[0] * s->pool_size[1] <= 256 ? 1 : sizeof(int32_t);
    l->saved_per_image = (shape_count(&l->output) * place + sizeof(float) - 1) / sizeof(float);
    l->backward_reads_output = true; /* for the slope */
    return CONVOY_OK;
}

static void formula(const layer *l, int axis, text *out)
{
    const pool_state *s = l->state;
    if (axis < 2)
        formula_window(l->input[0].dim[axis], s->pool_size[axis], 1, s->step[axis], s->padding == 1, out);
}

/* Vectors for whole rows of windows; the backward pass also needs windows that neither overlap nor reach outside. */
static bool suits_vec(const layer *l, const convoy_context *ctx, bool backward)
{
    const pool_state *s = l->state;
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
    if (io->pool != NULL)
        conv_pool_covers(io->pool, &shape.dim[0], &shape.dim[1]);
    return shape;
}

static void describe(const layer *l, const layer_io *io, bool vec, const activation *slope, char *out, size_t size)
{
    const pool_state *s = l->state;
    convoy_shape pooled = pooled_shape(l, io);
    const int *in = pooled.dim, *o = l->output.dim;
    snprintf(out, size,
             "-DVW=%u -DH=%d -DW=%d -DC=%d -DOH=%d -DOW=%d -DPH=%d -DPW=%d -DSH=%d -DSW=%d -DPT=%d -DPL=%d "
             "-DINPUT_SLOPE=%d" ACTIVATION_OPTIONS,
             width_for(l, io->ctx, vec), in[0], in[1], in[2], o[0], o[1], s->pool_size[0], s->pool_size[1], s->step[0],
             s->step[1], s->pad[0], s->pad[1], slope != NULL, slope ? slope->name : "linear", slope ? slope->name : "linear");
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
    describe(l, io, vec, NULL, text, sizeof text - 32);
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
    describe(l, io, vec, io->input_slope, text, sizeof text);
    snprintf(label, sizeof label, "%s backward", l->name);
    rt_launch launch = {.label = label, .source = "max_pool2d", .options = text,
                        .kernel = vec ? "max_pool2d_backward_vec" : "max_pool2d_backward_plain"};
    rt_push(&launch, RT_BUFFER(io->output));
    rt_push(&launch, RT_BUFFER(io->saved));
    rt_push(&launch, RT_BUFFER(io->d_output));
    rt_push(&launch, RT_BUFFER(io->d_input[0]));
    convoy_shape pooled = pooled_shape(l, io);
    set_range(&launch, l, io, vec, shape_count(&pooled));
    launch.bytes_per_image = 4.0 * (double)(shape_count(&pooled) + 2 * shape_count(&l->output) + l->saved_per_image);
    return rt_list_add(list, &launch, err);
}

static bool pooling(const layer *l, conv_pool *out)
{
    const pool_state *s = l->state;
    const int *in = l->input[0].dim, *o = l->output.dim;
    *out = (conv_pool){.out_height = o[0], .out_width = o[1]};
    for (int d = 0; d < 2; d++) {
        out->size[d] = s->pool_size[d];
        out->step[d] = s->step[d];
        if (s->pad[d] > 0 || (o[d] - 1) * s->step[d] + s->pool_size[d] > in[d])
            return false;
    }
    return true;
}

/* Index of the first maximum of a window in the input, row by row. */
static size_t winner(const layer *l, const double *x, int n, int oy, int ox, int c)
{
    const pool_state *s = l->state;
    const int *in = l->input[0].dim;
    size_t found = SIZE_MAX;
    for (int py = 0; py < s->pool_size[0]; py++)
        for (int px = 0; px < s->pool_size[1]; px++) {
            int iy = oy * s->step[0] + py - s->pad[0], ix = ox * s->step[1] + px - s->pad[1];
            if (iy < 0 || iy >= in[0] || ix < 0 || ix >= in[1])
                continue;
            size_t at = (((size_t)n * in[0] + iy) * in[1] + ix) * in[2] + c;
            if (found == SIZE_MAX || x[at] > x[found])
                found = at;
        }
    return found;
}

static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    const int *o = l->output.dim;
    size_t i = 0;
    for (int n = 0; n < r->batch; n++)
        for (int oy = 0; oy < o[0]; oy++)
            for (int ox = 0; ox < o[1]; ox++)
                for (int c = 0; c < o[2]; c++, i++) {
                    size_t at = winner(l, r->input[0], n, oy, ox, c);
                    if (backward_pass)
                        r->d_input[0][at] += r->d_output[i];
                    else
                        r->output[i] = r->input[0][at];
                }
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
    return (size_t)s->pool_size[0] * (size_t)s->pool_size[1]; /* windows that may share an input */
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const pool_state *s = l->state;
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
    .state_size = sizeof(pool_state),
    .options = options,
    .applies_input_slope = true,
    .samples = samples,
    .build = build,
    .pooling = pooling,
    .formula = formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
