/* UpSampling2D: images enlarged by whole factors. Kernels and formulas: cl/up_sampling2d.cl. */
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

enum { NEAREST, BILINEAR };

typedef struct sampling_state {
    int size[2], interpolation, data_format;
} sampling_state;

static const char *const interpolations[] = {"nearest", "bilinear", NULL};

#define AT(member) .offset = offsetof(sampling_state, member)

static const option options[] = {
    {.name = "size", .kind = OPTION_PAIR, AT(size), .standard = "2", .least = 1, .most = 1 << 15},
    OPTION_DATA_FORMAT(sampling_state),
    {.name = "interpolation", .kind = OPTION_CHOICE, AT(interpolation), .standard = "\"nearest\"",
     .choices = interpolations},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    const sampling_state *s = l->state;
    TRY(layer_takes_images(l, err));
    l->output = l->input[0];
    for (int d = 0; d < 2; d++) {
        long size = (long)l->input[0].dim[d] * s->size[d];
        l->output.dim[d] = size > INT_MAX ? INT_MAX : (int)size; /* an image that large is refused */
    }
    return CONVOY_OK;
}

static void formula(const layer *l, int axis, text *out)
{
    const sampling_state *s = l->state;
    if (axis < 2)
        text_add(out, "%d * %d", l->input[0].dim[axis], s->size[axis]);
}

static convoy_status add(const layer *l, const layer_io *io, bool backward, rt_list *list, convoy_error *err)
{
    const sampling_state *s = l->state;
    const int *in = l->input[0].dim;
    const convoy_shape *written = backward ? &l->input[0] : &l->output;
    unsigned width = ops_row_width(io->ctx, in[2]);
    char text[160], label[160];
    snprintf(text, sizeof text, "-DVW=%u -DH=%d -DW=%d -DC=%d -DFH=%d -DFW=%d -DBILINEAR=%d%s", width, in[0], in[1], in[2],
             s->size[0], s->size[1], s->interpolation == BILINEAR, backward ? "" : " -DFORWARD");
    snprintf(label, sizeof label, "%s %s", l->name, backward ? "backward" : "forward");
    rt_launch launch = {.label = label, .source = "up_sampling2d", .options = text,
                        .kernel = width > 1 ? "up_sampling2d_vec" : "up_sampling2d_plain"};
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

/* The share that cell i of n has in cell o of an axis enlarged by f. */
static double share(const sampling_state *s, int i, int o, int f, int n)
{
    if (s->interpolation == NEAREST)
        return i == o / f;
    double at = (o + 0.5) / f - 0.5; /* where the centre of o lies among the centres of the input */
    at = fmin(fmax(at, 0.0), n - 1.0);
    return fmax(1.0 - fabs(at - i), 0.0);
}

static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    const sampling_state *s = l->state;
    const int *in = l->input[0].dim, *o = l->output.dim;
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++) {
        int c = (int)(i % (size_t)o[2]), ox = (int)(i / (size_t)o[2] % (size_t)o[1]);
        int oy = (int)(i / ((size_t)o[2] * o[1]) % (size_t)o[0]);
        size_t image = i / shape_count(&l->output) * shape_count(&l->input[0]);
        double sum = 0;
        for (int iy = 0; iy < in[0]; iy++)
            for (int ix = 0; ix < in[1]; ix++) {
                double w = share(s, iy, oy, s->size[0], in[0]) * share(s, ix, ox, s->size[1], in[1]);
                size_t at = image + ((size_t)iy * in[1] + ix) * in[2] + c;
                if (backward_pass)
                    r->d_input[0][at] += w * r->d_output[i];
                else
                    sum += w * r->input[0][at];
            }
        if (!backward_pass)
            r->output[i] = sum;
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
    const sampling_state *s = l->state;
    (void)batch;
    return 4 * (size_t)s->size[0] * (size_t)s->size[1];
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const sampling_state *s = l->state;
    bool bilinear = s->interpolation == BILINEAR;
    float scales[4] = {1, 1, (float)s->size[0], (float)s->size[1]};
    onnx_node node = {.op = "Resize", .input = {onnx_input(g, 0, ONNX_FIRST), ONNX_ABSENT},
                      .attribute = {ONNX_TEXT("mode", bilinear ? "linear" : "nearest"),
                                    ONNX_TEXT("coordinate_transformation_mode", bilinear ? "half_pixel" : "asymmetric"),
                                    ONNX_TEXT("nearest_mode", "floor")}};
    node.input[2] = onnx_weight(g, "scales", &(convoy_shape){1, {4}}, scales, NULL);
    return onnx_result(g, onnx_add(g, &node), ONNX_FIRST, err);
}

static const layer_sample samples[] = {
    {"", {3, {5, 6, 16}}},
    {"size=(3, 1)", {3, {4, 3, 5}}},
    {"size=(1, 4)", {3, {2, 3, 1}}},
    {"interpolation=bilinear", {3, {5, 4, 17}}},
    {"size=(3, 2), interpolation=bilinear", {3, {4, 6, 3}}},
    {"size=(1, 5), interpolation=bilinear", {3, {1, 3, 8}}},
    {"size=4, interpolation=bilinear", {3, {1, 1, 4}}},
    {0},
};

const layer_class up_sampling2d_class = {
    .name = "UpSampling2D",
    .snake = "up_sampling2d",
    .keeps_range = true,
    .state_size = sizeof(sampling_state),
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
