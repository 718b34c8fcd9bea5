/* GlobalAveragePooling2D and GlobalMaxPooling2D: one value a channel of each image. Kernels and formula: cl/global_pool2d.cl. */
#include <math.h>
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct global_state {
    int data_format;
    bool keepdims;
    bool maximum; /* set by build */
} global_state;

#define AT(member) .offset = offsetof(global_state, member)

static const option options[] = {
    OPTION_DATA_FORMAT(global_state),
    {.name = "keepdims", .kind = OPTION_BOOL, AT(keepdims), .standard = "false"},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    const global_state *s = l->state;
    TRY(layer_takes_images(l, err));
    int channels = l->input[0].dim[2];
    l->output = s->keepdims ? (convoy_shape){3, {1, 1, channels}} : (convoy_shape){1, {channels}};
    return CONVOY_OK;
}

static convoy_status max_build(layer *l, convoy_error *err)
{
    global_state *s = l->state;
    s->maximum = true;
    l->backward_reads_input = l->backward_reads_output = true;
    return build(l, err);
}

static int channels_of(const layer *l) { return l->input[0].dim[2]; }
static int pixels_of(const layer *l) { return l->input[0].dim[0] * l->input[0].dim[1]; }

static convoy_status add(const layer *l, const layer_io *io, const char *pass, const rt_buffer *const *buffers, int count,
                         rt_list *list, convoy_error *err)
{
    const global_state *s = l->state;
    char text[96], label[160], kernel[48];
    int channels = channels_of(l), width = (int)ops_row_width(io->ctx, channels);
    int vectors = (channels + width - 1) / width;
    snprintf(text, sizeof text, "-DVW=%d -DPIXELS=%d -DC=%d -DMAXIMUM=%d", width, pixels_of(l), channels, s->maximum);
    snprintf(label, sizeof label, "%s %s", l->name, pass);
    snprintf(kernel, sizeof kernel, "global_pool2d_%s", pass);
    rt_launch launch = {.label = label, .source = "global_pool2d", .kernel = kernel, .options = text};
    for (int i = 0; i < count; i++)
        rt_push(&launch, RT_BUFFER(buffers[i]));
    rt_push(&launch, RT_BATCH(vectors));
    ops_range(&launch, io->ctx, (size_t)vectors, 0, 1);
    if (width > 1)
        launch.local[0] = 1;
    launch.bytes_per_image = 4.0 * (double)(shape_count(&l->input[0]) + (size_t)channels);
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return add(l, io, "forward", (const rt_buffer *[]){io->input[0], io->output}, 2, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const global_state *s = l->state;
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    const rt_buffer *x = s->maximum ? io->input[0] : io->d_output, *y = s->maximum ? io->output : io->d_output;
    return add(l, io, "backward", (const rt_buffer *[]){x, y, io->d_output, io->d_input[0]}, 4, list, err);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const global_state *s = l->state;
    size_t channels = (size_t)channels_of(l), pixels = (size_t)pixels_of(l);
    for (size_t i = 0; i < channels * (size_t)r->batch; i++) {
        const double *x = r->input[0] + i / channels * pixels * channels + i % channels;
        double top = x[0], sum = 0;
        for (size_t p = 0; p < pixels; p++) {
            top = fmax(top, x[p * channels]);
            sum += x[p * channels];
        }
        r->output[i] = s->maximum ? top : sum / (double)pixels;
    }
}

/* Equal maxima share the gradient. */
static void reference_backward(const layer *l, const layer_reference *r)
{
    const global_state *s = l->state;
    size_t channels = (size_t)channels_of(l), pixels = (size_t)pixels_of(l);
    for (size_t i = 0; r->d_input[0] && i < channels * (size_t)r->batch; i++) {
        size_t at = i / channels * pixels * channels + i % channels;
        const double *x = r->input[0] + at;
        double top = x[0], times = 0;
        for (size_t p = 0; p < pixels; p++)
            top = fmax(top, x[p * channels]);
        for (size_t p = 0; p < pixels; p++)
            times += x[p * channels] == top;
        for (size_t p = 0; p < pixels; p++) {
            double share = s->maximum ? (x[p * channels] == top) / times : 1.0 / (double)pixels;
            r->d_input[0][at + p * channels] = r->d_output[i] * share;
        }
    }
}

static size_t reduction(const layer *l, int batch)
{
    (void)batch;
    return (size_t)pixels_of(l);
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const global_state *s = l->state;
    const char *op = s->maximum ? "GlobalMaxPool" : "GlobalAveragePool";
    onnx_value y = onnx_unary(g, op, onnx_input(g, 0, ONNX_FIRST));
    return s->keepdims ? onnx_result(g, y, ONNX_FIRST, err) : onnx_result(g, onnx_unary(g, "Flatten", y), ONNX_LAST, err);
}

static const layer_sample samples[] = {
    {"", {3, {7, 7, 64}}}, {"keepdims=True", {3, {3, 5, 19}}}, {"", {3, {1, 1, 4}}}, {"", {3, {4, 2, 3}}},
    {"", {3, {2, 3, 1}}},  {0},
};

const layer_class global_average_pooling2d_class = {
    .name = "GlobalAveragePooling2D",
    .snake = "global_average_pooling2d",
    .keeps_range = true,
    .state_size = sizeof(global_state),
    .options = options,
    .samples = samples,
    .build = build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};

const layer_class global_max_pooling2d_class = {
    .name = "GlobalMaxPooling2D",
    .snake = "global_max_pooling2d",
    .keeps_range = true,
    .state_size = sizeof(global_state),
    .options = options,
    .samples = samples,
    .build = max_build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
