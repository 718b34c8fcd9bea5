/* Resizing: images at another size, as Keras computes it with TensorFlow. Kernels and formulas: cl/resizing.cl; the reference has them
 * once more, with positions in float: where a pixel begins must not depend on the precision. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

enum { NEAREST, BILINEAR, BICUBIC, AREA, LANCZOS3, LANCZOS5 };                                /* of the option */
enum { BY_NEAREST, BY_BILINEAR, BY_TABLE, BY_AREA, BY_LANCZOS, BY_TRIANGLE, BY_KEYS }; /* METHOD of the kernel */

#define MOST_TAPS 4096 /* weights that a work-item keeps */

typedef struct resizing_state {
    int height, width, interpolation, data_format, fill_mode;
    bool crop, pad, antialias;
    double fill_value;
    /* set by build */
    int method;
    float radius;
    int source[2], offset[2]; /* rows and columns of what is resized, and where the image begins in it */
} resizing_state;

static const char *const interpolations[] = {"nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", NULL};
static const char *const fill_modes[] = {"constant", NULL};

#define AT(member) .offset = offsetof(resizing_state, member)

static const option options[] = {
    {.name = "height", .kind = OPTION_INT, AT(height), .least = 1, .most = 1 << 20},
    {.name = "width", .kind = OPTION_INT, AT(width), .least = 1, .most = 1 << 20},
    {.name = "interpolation", .kind = OPTION_CHOICE, AT(interpolation), .standard = "\"bilinear\"", .choices = interpolations},
    {.name = "crop_to_aspect_ratio", .kind = OPTION_BOOL, AT(crop), .standard = "false"},
    {.name = "pad_to_aspect_ratio", .kind = OPTION_BOOL, AT(pad), .standard = "false"},
    {.name = "fill_mode", .kind = OPTION_CHOICE, AT(fill_mode), .standard = "\"constant\"", .choices = fill_modes},
    {.name = "fill_value", .kind = OPTION_FLOAT, AT(fill_value), .standard = "0.0", .least = -3.4e38, .most = 3.4e38},
    {.name = "antialias", .kind = OPTION_BOOL, AT(antialias), .standard = "false"},
    OPTION_DATA_FORMAT(resizing_state),
    {.name = "bounding_box_format", .kind = OPTION_IGNORED},
    {0},
};

/* ---- shapes ---- */

static void choose_method(resizing_state *s)
{
    switch (s->interpolation) {
    case NEAREST: s->method = BY_NEAREST; break;
    case BILINEAR: s->method = s->antialias ? BY_TRIANGLE : BY_BILINEAR; break;
    case BICUBIC: s->method = s->antialias ? BY_KEYS : BY_TABLE; break;
    case AREA: s->method = BY_AREA; break;
    default: s->method = BY_LANCZOS; break;
    }
    s->radius = s->method == BY_TRIANGLE ? 1 : s->method == BY_KEYS ? 2 : s->interpolation == LANCZOS3 ? 3 : 5;
}

/* The part of the image, or the image in a frame, that has the output's aspect ratio: sizes are cut to whole ones, as in Keras. */
static void choose_source(const layer *l, resizing_state *s)
{
    const int *in = l->input[0].dim, out[2] = {s->height, s->width};
    for (int d = 0; d < 2; d++) {
        int fitting = (int)fminf((float)((double)in[1 - d] * out[d]) / (float)out[1 - d], 1e9f);
        s->source[d] = in[d];
        s->offset[d] = 0;
        if (s->crop) {
            s->source[d] = fitting < 1 ? 1 : fitting < in[d] ? fitting : in[d];
            s->offset[d] = -((in[d] - s->source[d]) / 2);
        } else if (s->pad && fitting > in[d]) {
            s->offset[d] = (fitting - in[d]) / 2;
            s->source[d] = in[d] + 2 * s->offset[d];
        }
    }
}

/* How many weights a pass keeps along an axis. */
static int taps_of(const resizing_state *s, int d, bool backward)
{
    int out = d ? s->width : s->height;
    double scale = (double)s->source[d] / out, wide = s->antialias ? fmax(scale, 1.0) : 1.0;
    double reach = s->method > BY_AREA ? s->radius * wide : s->method == BY_AREA ? scale / 2 + 1 : 2;
    double taps = backward ? 2 * (reach + 2) / scale + 6 : 2 * reach + 4;
    int most = backward ? out : s->source[d];
    return taps < most ? (int)taps : most;
}

static convoy_status build(layer *l, convoy_error *err)
{
    resizing_state *s = l->state;
    TRY(layer_takes_images(l, err));
    if (s->crop && s->pad)
        return base_fail(err, CONVOY_ERROR_MODEL, "crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other; give one of them");
    choose_method(s);
    choose_source(l, s);
    for (int d = 0; d < 2; d++)
        if (taps_of(s, d, false) > MOST_TAPS || taps_of(s, d, true) > MOST_TAPS)
            return base_fail(err, CONVOY_ERROR_MODEL, "%d %s become %d: each would be a sum over %d pixels; at most %d are possible",
                             s->source[d], d ? "columns" : "rows", d ? s->width : s->height, taps_of(s, d, false), MOST_TAPS);
    l->output = l->input[0];
    l->output.dim[0] = s->height;
    l->output.dim[1] = s->width;
    return CONVOY_OK;
}

/* ---- launches ---- */

static convoy_status add(const layer *l, const layer_io *io, bool backward, rt_list *list, convoy_error *err)
{
    const resizing_state *s = l->state;
    const int *in = l->input[0].dim;
    const convoy_shape *written = backward ? &l->input[0] : &l->output;
    unsigned width = ops_row_width(io->ctx, in[2]);
    char text[512], label[160];
    snprintf(text, sizeof text,
             "-DVW=%u -DH=%d -DW=%d -DC=%d -DOH=%d -DOW=%d -DSH=%d -DSW=%d -DTOP=%d -DLEFT=%d -DFILL=%.9ef -DMETHOD=%d -DRADIUS=%.1ff "
             "-DANTIALIAS=%d -DTAPS_H=%d -DTAPS_W=%d%s",
             width, in[0], in[1], in[2], s->height, s->width, s->source[0], s->source[1], s->offset[0], s->offset[1], s->fill_value,
             s->method, (double)s->radius, s->antialias, taps_of(s, 0, backward), taps_of(s, 1, backward),
             backward ? "" : " -DFORWARD");
    snprintf(label, sizeof label, "%s %s", l->name, backward ? "backward" : "forward");
    rt_launch launch = {.label = label, .source = "resizing", .options = text,
                        .kernel = width > 1 ? "resizing_vec" : "resizing_plain"};
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

/* ---- the reference ---- */

static double keys(double x)
{
    return x >= 2 ? 0 : x >= 1 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : (1.5 * x - 2.5) * x * x + 1;
}

static double lanczos(double x, double radius)
{
    const double turn = 3.14159265358979323846 * x;
    return x > radius ? 0 : x <= 1e-3 ? 1 : radius * sin(turn) * sin(turn / radius) / (turn * turn);
}

static double cell_share(double low, double high, double left)
{
    return fmax(fmin(left + 1, high) - fmax(left, low), 0);
}

/* What pixel `i` of the source weighs in output `o`, before all are divided by their sum. */
static double raw_weight(const resizing_state *s, int d, int o, int i)
{
    int out = d ? s->width : s->height, last = s->source[d] - 1;
    float scale = (float)s->source[d] / (float)out, at = ((float)o + 0.5f) * scale, before = floorf(at - 0.5f);
    float share = (at - 0.5f) - before, wide = s->antialias ? fmaxf(scale, 1.0f) : 1.0f;
    double x = fabs((double)((float)i + 0.5f - at)) / (double)wide;
    switch (s->method) {
    case BY_NEAREST: return i == (floorf(at) < (float)last ? (int)floorf(at) : last);
    case BY_BILINEAR: {
        int low = before < 0 ? 0 : (int)before, high = (int)ceilf(at - 0.5f) < last ? (int)ceilf(at - 0.5f) : last;
        return low == high ? i == low : i == low ? 1 - (double)share : i == high ? (double)share : 0;
    }
    case BY_TABLE: return keys(fabs(i - (double)before - rint((double)(share * 1024.0f)) / 1024));
    case BY_AREA: return cell_share((double)((float)o * scale), (double)((float)(o + 1) * scale), i);
    case BY_LANCZOS: return lanczos(x, (double)s->radius);
    case BY_TRIANGLE: return fmax(1 - x, 0);
    default: return keys(x);
    }
}

static double weight(const resizing_state *s, int d, int o, int i)
{
    double raw = raw_weight(s, d, o, i), sum = 0;
    for (int k = 0; raw != 0 && k < s->source[d]; k++)
        sum += raw_weight(s, d, o, k);
    return raw != 0 ? raw / sum : 0;
}

static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    const resizing_state *s = l->state;
    const int *in = l->input[0].dim;
    size_t channels = (size_t)in[2], images = (size_t)r->batch * channels;
    for (int oy = 0; oy < s->height; oy++)
        for (int sy = 0; sy < s->source[0]; sy++) {
            double down = weight(s, 0, oy, sy);
            for (int ox = 0; down != 0 && ox < s->width; ox++)
                for (int sx = 0; sx < s->source[1]; sx++) {
                    int y = sy - s->offset[0], x = sx - s->offset[1];
                    bool inside = y >= 0 && y < in[0] && x >= 0 && x < in[1];
                    double w = down * weight(s, 1, ox, sx);
                    for (size_t k = 0; w != 0 && k < images; k++) {
                        size_t n = k / channels, c = k % channels;
                        size_t from = inside ? ((n * (size_t)in[0] + (size_t)y) * (size_t)in[1] + (size_t)x) * channels + c : 0;
                        size_t to = ((n * (size_t)s->height + (size_t)oy) * (size_t)s->width + (size_t)ox) * channels + c;
                        if (!backward_pass)
                            r->output[to] += w * (inside ? r->input[0][from] : s->fill_value);
                        else if (inside)
                            r->d_input[0][from] += w * r->d_output[to];
                    }
                }
        }
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++)
        r->output[i] = 0;
    reference(l, r, false);
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        reference(l, r, true);
}

static size_t reduction(const layer *l, int batch)
{
    const resizing_state *s = l->state;
    (void)batch;
    return (size_t)taps_of(s, 0, false) * (size_t)taps_of(s, 1, false) + (size_t)taps_of(s, 0, true) * (size_t)taps_of(s, 1, true);
}

/* ---- ONNX ---- */

/* ONNX cuts size * scale to a whole number; `sizes` in its place would fix the batch. */
static float whole_scale(const layer *l, int d)
{
    float in = (float)l->input[0].dim[d], out = (float)l->output.dim[d], scale = out / in;
    while ((double)in * (double)scale < (double)out)
        scale = nextafterf(scale, 2 * out);
    return scale;
}

/* The weights along one axis as a matrix: (out, in) of rows, (in, out) of columns. *shares: how much of each output is of the image. */
static onnx_value weight_matrix(const layer *l, onnx_graph *g, int d, float *shares)
{
    const resizing_state *s = l->state;
    int in = l->input[0].dim[d], out = l->output.dim[d];
    float *values = malloc((size_t)in * (size_t)out * sizeof *values);
    for (int o = 0; values != NULL && o < out; o++) {
        shares[o] = 0;
        for (int i = 0; i < in; i++) {
            int at = i + s->offset[d];
            float w = at >= 0 && at < s->source[d] ? (float)weight(s, d, o, at) : 0.0f;
            values[d ? i * out + o : o * in + i] = w;
            shares[o] += w;
        }
    }
    convoy_shape shape = {2, {d ? in : out, d ? out : in}};
    onnx_value matrix = values ? onnx_weight(g, d ? "columns" : "rows", &shape, values, NULL) : 0;
    free(values);
    return matrix;
}

/* What ONNX has no word for is a product with a matrix on either side, and of a frame its share. */
static onnx_value by_matrices(const layer *l, onnx_graph *g, onnx_value x)
{
    const resizing_state *s = l->state;
    int rows = s->height, columns = s->width;
    float *shares = malloc(((size_t)rows + (size_t)columns) * sizeof *shares);
    float *frame = malloc((size_t)rows * (size_t)columns * sizeof *frame);
    onnx_value y = 0;
    if (shares != NULL && frame != NULL) {
        y = onnx_binary(g, "MatMul", weight_matrix(l, g, 0, shares), x);
        y = onnx_binary(g, "MatMul", y, weight_matrix(l, g, 1, shares + rows));
        for (int i = 0; i < rows * columns; i++)
            frame[i] = (float)s->fill_value * (1.0f - shares[i / columns] * shares[rows + i % columns]);
        if (s->pad && s->fill_value != 0)
            y = onnx_binary(g, "Add", y, onnx_weight(g, "frame", &(convoy_shape){2, {rows, columns}}, frame, NULL));
    }
    free(shares);
    free(frame);
    return y;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const resizing_state *s = l->state;
    bool bilinear = s->method == BY_BILINEAR, whole = !s->crop && !s->pad;
    onnx_value x = onnx_input(g, 0, ONNX_FIRST);
    if ((!bilinear && s->method != BY_NEAREST) || !whole)
        return onnx_result(g, by_matrices(l, g, x), ONNX_FIRST, err);
    float scales[4] = {1, 1, whole_scale(l, 0), whole_scale(l, 1)};
    onnx_node node = {.op = "Resize", .input = {x, ONNX_ABSENT},
                      .attribute = {ONNX_TEXT("mode", bilinear ? "linear" : "nearest"),
                                    ONNX_TEXT("coordinate_transformation_mode", "half_pixel"),
                                    ONNX_TEXT("nearest_mode", "round_prefer_ceil")}};
    node.input[2] = onnx_weight(g, "scales", &(convoy_shape){1, {4}}, scales, NULL);
    return onnx_result(g, onnx_add(g, &node), ONNX_FIRST, err);
}

static const layer_sample samples[] = {
    {"height=7, width=5", {3, {5, 8, 3}}},
    {"height=4, width=9, interpolation=nearest", {3, {7, 5, 16}}},
    {"height=6, width=3, interpolation=bicubic", {3, {4, 7, 17}}},
    {"height=3, width=8, interpolation=area", {3, {8, 5, 1}}},
    {"height=5, width=4, interpolation=lanczos3", {3, {4, 9, 4}}},
    {"height=3, width=11, interpolation=lanczos5, antialias=True", {3, {10, 4, 2}}},
    {"height=4, width=3, antialias=True", {3, {9, 8, 8}}},
    {"height=3, width=6, interpolation=bicubic, antialias=True", {3, {8, 5, 3}}},
    {"height=6, width=5, crop_to_aspect_ratio=True", {3, {5, 9, 3}}},
    {"height=4, width=6, pad_to_aspect_ratio=True, fill_value=0.5", {3, {7, 5, 3}}},
    {0},
};

const layer_class resizing_class = {
    .name = "Resizing",
    .snake = "resizing",
    .state_size = sizeof(resizing_state),
    .options = options,
    .keeps_range = true,
    .samples = samples,
    .build = build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
