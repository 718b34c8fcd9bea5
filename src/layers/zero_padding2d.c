/* ZeroPadding2D, and Cropping2D, which is padding by less than nothing. Kernel: cl/pad2d.cl. */
#include <limits.h>
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct padding_state {
    int sides[4]; /* top, bottom, left, right, as given */
    int data_format;
    int top, left; /* set by build: where the input's corner lies in the output; negative where it is cropped */
} padding_state;

#define AT(member) .offset = offsetof(padding_state, member)
#define FORMAT                                                                                                         \
    OPTION_DATA_FORMAT(padding_state)

static const option padding_options[] = {
    {.name = "padding", .kind = OPTION_SIDES, AT(sides), .standard = "1", .least = 0, .most = 1 << 24},
    FORMAT,
    {0},
};

static const option cropping_options[] = {
    {.name = "cropping", .kind = OPTION_SIDES, AT(sides), .standard = "0", .least = 0, .most = 1 << 24},
    FORMAT,
    {0},
};

static convoy_status build(layer *l, int sign, convoy_error *err)
{
    padding_state *s = l->state;
    TRY(layer_takes_images(l, err));
    s->top = sign * s->sides[0];
    s->left = sign * s->sides[2];
    l->output = l->input[0];
    for (int d = 0; d < 2; d++) {
        long size = (long)l->input[0].dim[d] + sign * ((long)s->sides[2 * d] + s->sides[2 * d + 1]);
        if (size < 1)
            return base_fail(err, CONVOY_ERROR_MODEL, "cropping ((%d, %d), (%d, %d)) leaves nothing of %d x %d pixels",
                             s->sides[0], s->sides[1], s->sides[2], s->sides[3], l->input[0].dim[0], l->input[0].dim[1]);
        l->output.dim[d] = size > INT_MAX ? INT_MAX : (int)size;
    }
    return CONVOY_OK;
}

static convoy_status padding_build(layer *l, convoy_error *err) { return build(l, 1, err); }
static convoy_status cropping_build(layer *l, convoy_error *err) { return build(l, -1, err); }

static void padding_formula(const layer *l, int axis, text *out)
{
    const padding_state *s = l->state;
    if (axis < 2)
        text_add(out, "%d + %d + %d", s->sides[2 * axis], l->input[0].dim[axis], s->sides[2 * axis + 1]);
}

static void cropping_formula(const layer *l, int axis, text *out)
{
    const padding_state *s = l->state;
    if (axis < 2)
        text_add(out, "%d - %d - %d", l->input[0].dim[axis], s->sides[2 * axis], s->sides[2 * axis + 1]);
}

/* Copies from one shape to the other; the corner of `from` lies at (top, left) of `to`. */
static convoy_status add(const layer *l, const layer_io *io, const rt_buffer *from, const convoy_shape *from_shape,
                         const rt_buffer *to, const convoy_shape *to_shape, int top, int left, const char *pass,
                         rt_list *list, convoy_error *err)
{
    const int *in = from_shape->dim, *out = to_shape->dim;
    unsigned width = ops_row_width(io->ctx, out[1] * out[2]);
    char text[160], label[160];
    snprintf(text, sizeof text, "-DVW=%u -DH=%d -DW=%d -DC=%d -DOH=%d -DOW=%d -DTOP=%d -DLEFT=%d", width, in[0], in[1],
             in[2], out[0], out[1], top, left);
    snprintf(label, sizeof label, "%s %s", l->name, pass);
    rt_launch launch = {.label = label, .source = "pad2d", .options = text,
                        .kernel = width > 1 ? "pad2d_vec" : "pad2d_plain"};
    rt_push(&launch, RT_BUFFER(from));
    rt_push(&launch, RT_BUFFER(to));
    ops_row_range(&launch, io->ctx, width, out[0], out[1] * out[2]);
    launch.bytes_per_image = 4.0 * (double)(shape_count(from_shape) + shape_count(to_shape));
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const padding_state *s = l->state;
    return add(l, io, io->input[0], &l->input[0], io->output, &l->output, s->top, s->left, "forward", list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const padding_state *s = l->state;
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    return add(l, io, io->d_output, &l->output, io->d_input[0], &l->input[0], -s->top, -s->left, "backward", list, err);
}

/* Both passes: each place of the output, and the place in the input that it is a copy of. */
static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    const padding_state *s = l->state;
    const int *in = l->input[0].dim, *o = l->output.dim;
    size_t i = 0;
    for (int n = 0; n < r->batch; n++)
        for (int oy = 0; oy < o[0]; oy++)
            for (int ox = 0; ox < o[1]; ox++)
                for (int c = 0; c < o[2]; c++, i++) {
                    int y = oy - s->top, x = ox - s->left;
                    bool inside = y >= 0 && y < in[0] && x >= 0 && x < in[1];
                    size_t at = (((size_t)n * in[0] + y) * in[1] + x) * in[2] + c;
                    if (!backward_pass)
                        r->output[i] = inside ? r->input[0][at] : 0.0;
                    else if (inside)
                        r->d_input[0][at] = r->d_output[i];
                }
}

static void reference_forward(const layer *l, const layer_reference *r) { reference(l, r, false); }

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        reference(l, r, true);
}

static convoy_status padding_onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    onnx_layout layout = onnx_given_layout(g);
    int64_t pads[8] = {0}; /* before each axis, the batch's and the channels' too, then behind each */
    const padding_state *s = l->state;
    for (int d = 0; d < 2; d++) {
        pads[onnx_axis(&l->output, d, layout)] = s->sides[2 * d];
        pads[onnx_axis(&l->output, d, layout) + 4] = s->sides[2 * d + 1];
    }
    onnx_value x = onnx_input(g, 0, layout);
    return onnx_result(g, onnx_binary(g, "Pad", x, onnx_ints(g, "pads", pads, 8)), layout, err);
}

static convoy_status cropping_onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    onnx_layout layout = onnx_given_layout(g);
    int64_t axes[2], starts[2], ends[2];
    const padding_state *s = l->state;
    for (int d = 0; d < 2; d++) {
        axes[d] = onnx_axis(&l->output, d, layout);
        starts[d] = s->sides[2 * d];
        ends[d] = starts[d] + l->output.dim[d];
    }
    onnx_node node = {.op = "Slice", .input = {onnx_input(g, 0, layout)}};
    node.input[1] = onnx_ints(g, "starts", starts, 2);
    node.input[2] = onnx_ints(g, "ends", ends, 2);
    node.input[3] = onnx_ints(g, "axes", axes, 2);
    return onnx_result(g, onnx_add(g, &node), layout, err);
}

static const layer_sample padding_samples[] = {
    {"", {3, {5, 6, 3}}},
    {"padding=3", {3, {7, 4, 16}}},
    {"padding=(0, 2)", {3, {3, 2, 5}}},
    {"padding=((1, 0), (2, 3))", {3, {4, 5, 17}}},
    {"padding=((0, 4), (5, 0))", {3, {1, 1, 1}}},
    {"padding=0", {3, {2, 3, 2}}},
    {0},
};

static const layer_sample cropping_samples[] = {
    {"", {3, {3, 2, 5}}},
    {"cropping=1", {3, {5, 6, 3}}},
    {"cropping=(0, 2)", {3, {3, 7, 16}}},
    {"cropping=((1, 0), (2, 3))", {3, {4, 6, 17}}},
    {"cropping=((0, 4), (5, 0))", {3, {5, 6, 1}}},
    {0},
};

const layer_class zero_padding2d_class = {
    .name = "ZeroPadding2D",
    .snake = "zero_padding2d",
    .keeps_range = true,
    .state_size = sizeof(padding_state),
    .options = padding_options,
    .samples = padding_samples,
    .build = padding_build,
    .formula = padding_formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = padding_onnx,
};

const layer_class cropping2d_class = {
    .name = "Cropping2D",
    .snake = "cropping2d",
    .keeps_range = true,
    .state_size = sizeof(padding_state),
    .options = cropping_options,
    .samples = cropping_samples,
    .build = cropping_build,
    .formula = cropping_formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = cropping_onnx,
};
