/* Normalization by known moments: given as options, or weights that Keras's adapt() has found. Formulas: cl/normalization.cl. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct state {
    option_axes axis;
    option_values mean, variance;
    bool invert;
    convoy_shape moments; /* set by build: the axes that have moments of their own, */
    int values;           /* and how many values that is */
} state;

#define AT(member) .offset = offsetof(state, member)

static const option options[] = {
    {.name = "axis", .kind = OPTION_AXES, AT(axis), .standard = "-1"},
    {.name = "mean", .kind = OPTION_VALUES, AT(mean), .standard = "null"},
    {.name = "variance", .kind = OPTION_VALUES, AT(variance), .standard = "null"},
    {.name = "invert", .kind = OPTION_BOOL, AT(invert), .standard = "false"},
    {0},
};

static bool is_given(const state *s) { return s->mean.count > 0; }

static convoy_status check_given(const state *s, convoy_error *err)
{
    if (s->mean.count != s->variance.count)
        return base_fail(err, CONVOY_ERROR_MODEL, "%d values of 'mean' and %d of 'variance'; as many of both are expected",
                         s->mean.count, s->variance.count);
    if (s->mean.count > 1 && s->mean.count != s->values)
        return base_fail(err, CONVOY_ERROR_MODEL, "%d values of 'mean'; one, or one for each of the %d values along 'axis', is "
                         "expected", s->mean.count, s->values);
    for (int i = 0; i < s->variance.count; i++)
        if (!(s->variance.value[i] >= 0))
            return base_fail(err, CONVOY_ERROR_MODEL, "option 'variance' has %g; at least 0 is expected",
                             s->variance.value[i]);
    return CONVOY_OK;
}

static void add_moments(layer *l, const convoy_shape *shape)
{
    initializer zeros = {0}, ones = {0};
    (void)initializer_named("zeros", &zeros);
    (void)initializer_named("ones", &ones);
    layer_add_param(l, "mean", *shape, zeros, 1, 1);
    layer_add_param(l, "variance", *shape, ones, 1, 1);
    layer_add_param(l, "count", (convoy_shape){0}, zeros, 1, 1); /* Keras keeps it for older files */
    l->param[1].positive = true;
    for (int k = 0; k < l->param_count; k++)
        l->param[k].trainable = false;
}

static convoy_status build(layer *l, convoy_error *err)
{
    state *s = l->state;
    int first;
    convoy_shape shape = {0};
    TRY(layer_last_axes(l, &s->axis, &first, err));
    for (int i = first; i < l->input[0].rank; i++)
        shape.dim[shape.rank++] = l->input[0].dim[i];
    s->moments = shape;
    s->values = (int)shape_count(&shape);
    l->output = l->input[0];
    TRY(check_given(s, err));
    if (!is_given(s))
        add_moments(l, &shape);
    return CONVOY_OK;
}

static double spread_of(double variance) { return fmax(sqrt(variance), 1e-7); }

/* Not with moments that only values of 0 to 1 have: their variance is at most 1/4. */
static bool takes_bytes(const layer *l, float *const *weights)
{
    const state *s = l->state;
    bool within_one = true;
    double spread = 0;
    for (int i = 0; i < (is_given(s) ? s->mean.count : s->values); i++) {
        double mean = is_given(s) ? s->mean.value[i] : (double)weights[0][i];
        double variance = is_given(s) ? s->variance.value[i] : (double)weights[1][i];
        within_one = within_one && mean >= 0 && mean <= 1 && variance <= 0.25;
        spread += variance;
    }
    return !s->invert && !(within_one && spread > 0);
}

/* " -DMEANS=1.0f,2.0f -DSPREADS=..." */
static void add_tables(const state *s, text *t)
{
    text_add(t, " -DMEANS=");
    for (int i = 0; i < s->mean.count; i++)
        text_add(t, "%s%.9ef", i ? "," : "", s->mean.value[i]);
    text_add(t, " -DSPREADS=");
    for (int i = 0; i < s->variance.count; i++)
        text_add(t, "%s%.9ef", i ? "," : "", spread_of(s->variance.value[i]));
}

static convoy_status add(const layer *l, const layer_io *io, const char *what, const char *kernel,
                         const rt_buffer *const *buffers, int count, rt_list *list, convoy_error *err)
{
    const state *s = l->state;
    char label[160], *options = NULL;
    text t = {0};
    text_add(&t, "-DC=%d -DINVERT=%d -DGIVEN=%d", is_given(s) ? s->mean.count : s->values, s->invert, is_given(s));
    if (is_given(s))
        add_tables(s, &t);
    TRY(text_take(&t, &options, err));
    snprintf(label, sizeof label, "%s %s", l->name, what);
    rt_launch launch = {.label = label, .source = "normalization", .kernel = kernel, .options = options};
    for (int i = 0; i < count; i++) /* moments that are no weights are not read: any buffer does */
        rt_push(&launch, RT_BUFFER(buffers[i] ? buffers[i] : buffers[0]));
    rt_push(&launch, RT_BATCH((int)shape_count(&l->output)));
    ops_range(&launch, io->ctx, shape_count(&l->output), 0, 1);
    launch.bytes_per_image = 8.0 * (double)shape_count(&l->output);
    convoy_status status = rt_list_add(list, &launch, err);
    free(options);
    return status;
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const rt_buffer *buffers[] = {io->input[0], io->param[0], io->param[1], io->output};
    return add(l, io, "forward", "normalization_forward", buffers, 4, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const rt_buffer *buffers[] = {io->d_output, io->param[1], io->d_input[0]};
    return io->d_input[0] ? add(l, io, "backward", "normalization_backward", buffers, 3, list, err) : CONVOY_OK;
}

static void moments_of(const layer *l, const layer_reference *r, size_t i, double *mean, double *spread)
{
    const state *s = l->state;
    size_t c = i % (size_t)(is_given(s) ? s->mean.count : s->values);
    *mean = is_given(s) ? s->mean.value[c] : r->param[0][c];
    *spread = spread_of(is_given(s) ? s->variance.value[c] : r->param[1][c]);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const state *s = l->state;
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++) {
        double mean, spread;
        moments_of(l, r, i, &mean, &spread);
        r->output[i] = s->invert ? r->input[0][i] * spread + mean : (r->input[0][i] - mean) / spread;
    }
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const state *s = l->state;
    for (size_t i = 0; r->d_input[0] && i < shape_count(&l->output) * (size_t)r->batch; i++) {
        double mean, spread;
        moments_of(l, r, i, &mean, &spread);
        r->d_input[0][i] = s->invert ? r->d_output[i] * spread : r->d_output[i] / spread;
    }
}

/* The moments as the kernel takes them: floats, and of the variance its root. */
static void fill_moments(const state *s, const onnx_graph *g, float *mean, float *spread)
{
    for (int i = 0; i < (is_given(s) ? s->mean.count : s->values); i++) {
        mean[i] = is_given(s) ? (float)s->mean.value[i] : onnx_values(g, 0)[i];
        spread[i] = (float)spread_of(is_given(s) ? s->variance.value[i] : onnx_values(g, 1)[i]);
    }
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const state *s = l->state;
    convoy_shape shape = is_given(s) && s->mean.count == 1 ? (convoy_shape){0} : s->moments;
    float *mean = malloc(2 * (size_t)s->values * sizeof *mean), *spread = mean + s->values;
    if (mean == NULL)
        return OUT_OF_MEMORY(err);
    fill_moments(s, g, mean, spread);
    onnx_value x = onnx_input(g, 0, ONNX_LAST), m = onnx_weight(g, "mean", &shape, mean, NULL);
    onnx_value root = onnx_weight(g, "spread", &shape, spread, NULL);
    x = s->invert ? onnx_binary(g, "Mul", x, root) : onnx_binary(g, "Sub", x, m);
    x = s->invert ? onnx_binary(g, "Add", x, m) : onnx_binary(g, "Div", x, root);
    free(mean);
    return onnx_result(g, x, ONNX_LAST, err);
}

static const layer_sample samples[] = {
    {"", {3, {5, 4, 3}}},
    {"invert=True", {1, {7}}},
    {"axis=[2, 3]", {3, {3, 4, 2}}},
    {"mean=0.5, variance=0.25", {3, {3, 3, 3}}},
    {"mean=[0.4914, 0.4822, 0.4465], variance=[0.061, 0.0594, 0.0684]", {3, {4, 3, 3}}},
    {"mean=[1.5, -2.0], variance=[4.0, 0.5], invert=True", {2, {5, 2}}},
    {0},
};

const layer_class normalization_class = {
    .name = "Normalization",
    .snake = "normalization",
    .state_size = sizeof(state),
    .options = options,
    .samples = samples,
    .build = build,
    .takes_bytes = takes_bytes,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = onnx,
};
