/* PReLU: a leaky ReLU whose slopes are learned. Kernels and formulas: cl/p_re_lu.cl. */
#include <math.h>
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct prelu_state {
    convoy_shape shared_axes; /* counted from 1; rank 0: none */
    initializer alpha_initializer;
    param_rules alpha_rules;
} prelu_state;

#define AT(member) .offset = offsetof(prelu_state, member)

static const option options[] = {
    {.name = "alpha_initializer", .kind = OPTION_INITIALIZER, AT(alpha_initializer), .standard = "\"zeros\""},
    OPTION_RULES("alpha", prelu_state, alpha_rules),
    {.name = "shared_axes", .kind = OPTION_LIST, AT(shared_axes), .standard = "null", .least = 1, .most = CONVOY_MAX_RANK},
    {0},
};

static int chunk_images(const layer *l, const convoy_context *ctx, int batch)
{
    return ops_chunk_images(ctx, batch, l->param[0].count);
}

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    (void)pool;
    int images = chunk_images(l, ctx, batch), chunks = (batch + images - 1) / images;
    if (chunks > 1)
        out->backward_scratch = (size_t)chunks * l->param[0].count;
}

static convoy_status build(layer *l, convoy_error *err)
{
    const prelu_state *s = l->state;
    char text[96];
    convoy_shape shape = l->input[0];
    for (int i = 0; i < s->shared_axes.rank; i++) {
        if (s->shared_axes.dim[i] > shape.rank)
            return base_fail(err, CONVOY_ERROR_MODEL, "shared_axes has axis %d; the input is %s, whose axes count from 1",
                             s->shared_axes.dim[i], shape_text(&l->input[0], text, sizeof text));
        shape.dim[s->shared_axes.dim[i] - 1] = 1;
    }
    /* Keras's fans: the last two axes, times what lies before them. */
    int last = shape.dim[shape.rank - 1], before = shape.rank > 1 ? shape.dim[shape.rank - 2] : last;
    int field = shape.rank > 1 ? (int)(shape_count(&shape) / (size_t)last / (size_t)before) : 1;
    l->output = l->input[0];
    layer_add_param(l, "alpha", shape, s->alpha_initializer, field * before, field * last);
    layer_add_rules(l, &s->alpha_rules);
    l->backward_reads_input = true;
    return CONVOY_OK;
}

static void begin(const layer *l, const char *pass, const char *kernel, char text[160], char label[160], rt_launch *launch)
{
    int d[4] = {1, 1, 1, 1}, p[4] = {1, 1, 1, 1}, rank = l->input[0].rank;
    for (int i = 0; i < rank; i++) {
        d[4 - rank + i] = l->input[0].dim[i];
        p[4 - rank + i] = l->param[0].shape.dim[i];
    }
    snprintf(text, 160, "-DD0=%d -DD1=%d -DD2=%d -DD3=%d -DP0=%d -DP1=%d -DP2=%d -DP3=%d", d[0], d[1], d[2], d[3], p[0], p[1],
             p[2], p[3]);
    snprintf(label, 160, "%s %s", l->name, pass);
    *launch = (rt_launch){.label = label, .source = "p_re_lu", .kernel = kernel, .options = text};
}

static convoy_status add(const layer *l, const layer_io *io, const char *pass, const char *kernel,
                         const rt_buffer *const *buffers, int count, rt_list *list, convoy_error *err)
{
    char text[160], label[160];
    rt_launch launch;
    size_t values = shape_count(&l->output);
    begin(l, pass, kernel, text, label, &launch);
    for (int i = 0; i < count; i++)
        rt_push(&launch, RT_BUFFER(buffers[i]));
    rt_push(&launch, RT_BATCH((int)values));
    ops_range(&launch, io->ctx, values, 0, 1);
    launch.bytes_per_image = 4.0 * (count - 1) * (double)values;
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return add(l, io, "forward", "p_re_lu_forward", (const rt_buffer *[]){io->input[0], io->param[0], io->output}, 3, list,
               err);
}

static convoy_status add_alpha(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    char text[160], label[160];
    rt_launch launch;
    int alphas = (int)l->param[0].count;
    int images = chunk_images(l, io->ctx, io->batch), chunks = (io->batch + images - 1) / images;
    begin(l, "backward alpha", "p_re_lu_backward_alpha", text, label, &launch);
    rt_push(&launch, RT_BUFFER(io->input[0]));
    rt_push(&launch, RT_BUFFER(io->d_output));
    rt_push(&launch, RT_BUFFER(chunks > 1 ? io->scratch : io->d_param[0]));
    rt_push(&launch, RT_INT(images));
    rt_push(&launch, RT_BATCH(1));
    ops_range(&launch, io->ctx, 0, (size_t)alphas, 1);
    launch.global[1] = RT_FIXED((size_t)chunks);
    launch.local[1] = 1;
    launch.bytes_per_image = 8.0 * (double)shape_count(&l->output);
    TRY(rt_list_add(list, &launch, err));
    if (chunks == 1)
        return CONVOY_OK;
    snprintf(label, sizeof label, "%s reduce alpha", l->name);
    return ops_reduce_chunks(list, io->ctx, label, io->scratch, io->d_param[0], alphas, NULL, 0, chunks, alphas, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    TRY(add_alpha(l, io, list, err));
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    return add(l, io, "backward", "p_re_lu_backward",
               (const rt_buffer *[]){io->input[0], io->param[0], io->d_output, io->d_input[0]}, 4, list, err);
}

/* Index in alpha of value i: its coordinates, 0 on axes of size 1. */
static size_t alpha_of(const layer *l, size_t i)
{
    size_t at = 0, step = 1;
    for (int k = l->input[0].rank; k-- > 0; i /= (size_t)l->input[0].dim[k]) {
        size_t size = (size_t)l->param[0].shape.dim[k];
        at += size > 1 ? i % (size_t)l->input[0].dim[k] * step : 0;
        step *= size;
    }
    return at;
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++) {
        double x = r->input[0][i];
        r->output[i] = fmax(x, 0.0) - r->param[0][alpha_of(l, i)] * fmax(-x, 0.0);
    }
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++) {
        double x = r->input[0][i], dy = r->d_output[i];
        size_t a = alpha_of(l, i);
        r->d_param[0][a] += fmin(x, 0.0) * dy;
        if (r->d_input[0])
            r->d_input[0][i] = x > 0 ? dy : x < 0 ? dy * r->param[0][a] : 0.0;
    }
}

static size_t reduction(const layer *l, int batch)
{
    return (size_t)batch * shape_count(&l->output) / l->param[0].count;
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    static const int channels_first[] = {2, 0, 1};
    onnx_layout layout = onnx_given_layout(g);
    onnx_value x = onnx_input(g, 0, layout), alpha;
    if (layout == ONNX_FIRST)
        alpha = onnx_weight(g, "alpha_nchw", &l->param[0].shape, onnx_values(g, 0), channels_first);
    else
        alpha = onnx_param(g, 0, NULL);
    return onnx_result(g, onnx_binary(g, "PRelu", x, alpha), layout, err);
}

static const layer_sample samples[] = {
    {"", {3, {3, 4, 5}}},
    {"shared_axes=(1, 2)", {3, {9, 8, 16}}},
    {"shared_axes=[2]", {3, {4, 3, 5}}},
    {"shared_axes=(3, 1)", {3, {4, 3, 5}}},
    {"shared_axes=1", {1, {7}}},
    {"", {1, {19}}},
    {"shared_axes=(1, 2, 3)", {3, {2, 3, 4}}},
    {0},
};

const layer_class p_re_lu_class = {
    .name = "PReLU",
    .snake = "p_re_lu",
    .state_size = sizeof(prelu_state),
    .options = options,
    .samples = samples,
    .build = build,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
