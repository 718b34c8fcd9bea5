/* BatchNormalization over the last axis. Formulas: cl/batch_norm.cl. As in Keras a frozen layer runs in inference mode. */
#include <math.h>
#include <stdlib.h>

#include "layers/onnx.h"
#include "ops/batch_norm.h"

typedef struct state {
    option_axes axis;
    double momentum, epsilon;
    bool center, scale, renorm;
    initializer beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer;
    param_rules beta_rules, gamma_rules;
    /* set by build */
    int rows, channels;
    int gamma, beta, mean, variance; /* indices of the parameters; -1: none */
} state;

#define AT(member) .offset = offsetof(state, member)

static const option options[] = {
    {.name = "axis", .kind = OPTION_AXES, AT(axis), .standard = "-1"},
    {.name = "momentum", .kind = OPTION_FLOAT, AT(momentum), .standard = "0.99", .least = 0, .most = 1},
    {.name = "epsilon", .kind = OPTION_FLOAT, AT(epsilon), .standard = "0.001", .least = 0, .most = 1e30},
    {.name = "center", .kind = OPTION_BOOL, AT(center), .standard = "true"},
    {.name = "scale", .kind = OPTION_BOOL, AT(scale), .standard = "true"},
    {.name = "beta_initializer", .kind = OPTION_INITIALIZER, AT(beta_initializer), .standard = "\"zeros\""},
    {.name = "gamma_initializer", .kind = OPTION_INITIALIZER, AT(gamma_initializer), .standard = "\"ones\""},
    {.name = "moving_mean_initializer", .kind = OPTION_INITIALIZER, AT(moving_mean_initializer),
     .standard = "\"zeros\""},
    {.name = "moving_variance_initializer", .kind = OPTION_INITIALIZER, AT(moving_variance_initializer),
     .standard = "\"ones\""},
    OPTION_RULES("beta", state, beta_rules),
    OPTION_RULES("gamma", state, gamma_rules),
    {.name = "renorm", .kind = OPTION_BOOL, AT(renorm), .standard = "false", .hidden = true},
    {.name = "renorm_clipping", .kind = OPTION_NULL, .instead = "renorm is not either"},
    {.name = "renorm_momentum", .kind = OPTION_IGNORED},
    {.name = "synchronized", .kind = OPTION_IGNORED}, /* one device: nothing to synchronize */
    {0},
};

static batch_norm norm_of(const layer *l, bool training)
{
    const state *s = l->state;
    return (batch_norm){.rows = s->rows, .channels = s->channels, .epsilon = s->epsilon, .momentum = s->momentum,
                        .scale = s->scale, .center = s->center, .moving = !training || !l->trainable};
}

static void needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    (void)pool;
    batch_norm n = norm_of(l, true);
    if (!n.moving)
        out->forward_scratch = out->backward_scratch = ops_batch_norm_scratch(ctx, &n, batch);
}

static int add_param(layer *l, const char *name, const initializer *init, const param_rules *rules, bool wanted)
{
    int channels = ((const state *)l->state)->channels;
    if (wanted) {
        layer_add_param(l, name, (convoy_shape){1, {channels}}, *init, channels, channels);
        layer_add_rules(l, rules);
    }
    return wanted ? l->param_count - 1 : -1;
}

static convoy_status build(layer *l, convoy_error *err)
{
    static const param_rules none;
    state *s = l->state;
    int first;
    TRY(layer_last_axes(l, &s->axis, &first, err));
    if (s->axis.count != 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'axis' has %d axes; one is expected", s->axis.count);
    s->axis.list = false; /* Keras 2 wrote [3]; Keras 3 takes a number */
    if (s->renorm)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'renorm' is true; only false is supported: plain batch normalization");
    l->output = l->input[0];
    s->channels = l->input[0].dim[l->input[0].rank - 1];
    s->rows = (int)(shape_count(&l->input[0]) / (size_t)s->channels);
    s->gamma = add_param(l, "gamma", &s->gamma_initializer, &s->gamma_rules, s->scale);
    s->beta = add_param(l, "beta", &s->beta_initializer, &s->beta_rules, s->center);
    s->mean = add_param(l, "moving_mean", &s->moving_mean_initializer, &none, true);
    s->variance = add_param(l, "moving_variance", &s->moving_variance_initializer, &none, true);
    l->param[s->mean].trainable = l->param[s->variance].trainable = false;
    l->param[s->variance].positive = true;
    batch_norm n = norm_of(l, true);
    l->backward_reads_input = l->trainable;
    l->saved_by_training = n.moving ? 0 : ops_batch_norm_saved(&n);
    l->keeps_d_output = true;
    l->takes = EPILOGUE_ADD | EPILOGUE_ACTIVATION;
    return CONVOY_OK;
}

static batch_norm_buffers buffers_of(const layer *l, const layer_io *io)
{
    const state *s = l->state;
    return (batch_norm_buffers){
        .x = io->input[0], .y = io->output, .saved = io->saved, .scratch = io->scratch, .dy = io->d_output,
        .dx = io->d_input[0], .mean = io->param[s->mean], .variance = io->param[s->variance], .bad = io->bad,
        .gamma = s->scale ? io->param[s->gamma] : NULL, .d_gamma = s->scale ? io->d_param[s->gamma] : NULL,
        .beta = s->center ? io->param[s->beta] : NULL, .d_beta = s->center ? io->d_param[s->beta] : NULL,
        .end = io->end,
    };
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    batch_norm n = norm_of(l, io->training);
    batch_norm_buffers b = buffers_of(l, io);
    return ops_batch_norm_forward(list, io->ctx, l->name, &n, &b, io->batch, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    batch_norm n = norm_of(l, true);
    batch_norm_buffers b = buffers_of(l, io);
    return ops_batch_norm_backward(list, io->ctx, l->name, &n, &b, io->batch, err);
}

static convoy_status update(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    batch_norm n = norm_of(l, true);
    batch_norm_buffers b = buffers_of(l, io);
    return n.moving ? CONVOY_OK : ops_batch_norm_update(list, io->ctx, l->name, &n, &b, io->batch, err);
}

/* ---- the reference, a channel at a time ---- */

typedef struct moments {
    double mean, variance, inverse;
} moments;

static moments moments_of(const layer *l, const layer_reference *r, size_t c)
{
    const state *s = l->state;
    size_t channels = (size_t)s->channels, rows = (size_t)s->rows * (size_t)r->batch;
    moments m = {r->param[s->mean][c], r->param[s->variance][c], 0};
    if (r->training && l->trainable) {
        m.mean = m.variance = 0;
        for (size_t i = 0; i < rows; i++)
            m.mean += r->input[0][i * channels + c] / (double)rows;
        for (size_t i = 0; i < rows; i++)
            m.variance += pow(r->input[0][i * channels + c] - m.mean, 2) / (double)rows;
    }
    m.inverse = 1 / sqrt(m.variance + s->epsilon);
    return m;
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    const state *s = l->state;
    size_t channels = (size_t)s->channels, count = channels * (size_t)s->rows * (size_t)r->batch;
    for (size_t c = 0; c < channels; c++) {
        moments m = moments_of(l, r, c);
        double gamma = s->scale ? r->param[s->gamma][c] : 1, beta = s->center ? r->param[s->beta][c] : 0;
        for (size_t i = c; i < count; i += channels)
            r->output[i] = (r->input[0][i] - m.mean) * m.inverse * gamma + beta;
        if (!r->training || !l->trainable || r->updated[s->mean] == NULL)
            continue;
        r->updated[s->mean][c] = r->param[s->mean][c] * s->momentum + m.mean * (1 - s->momentum);
        r->updated[s->variance][c] = r->param[s->variance][c] * s->momentum + m.variance * (1 - s->momentum);
    }
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    const state *s = l->state;
    size_t channels = (size_t)s->channels, rows = (size_t)s->rows * (size_t)r->batch, count = channels * rows;
    bool moving = !r->training || !l->trainable;
    for (size_t c = 0; c < channels; c++) {
        moments m = moments_of(l, r, c);
        double gamma = s->scale ? r->param[s->gamma][c] : 1, sum = 0, product = 0;
        for (size_t i = c; i < count; i += channels) {
            sum += r->d_output[i];
            product += r->d_output[i] * (r->input[0][i] - m.mean) * m.inverse;
        }
        if (s->scale)
            r->d_param[s->gamma][c] = product;
        if (s->center)
            r->d_param[s->beta][c] = sum;
        for (size_t i = c; r->d_input[0] && i < count; i += channels) {
            double xhat = (r->input[0][i] - m.mean) * m.inverse;
            double d = moving ? r->d_output[i] : r->d_output[i] - sum / (double)rows - xhat * product / (double)rows;
            r->d_input[0][i] = d * gamma * m.inverse;
        }
    }
}

static size_t reduction(const layer *l, int batch)
{
    return (size_t)((const state *)l->state)->rows * (size_t)batch;
}

/* Channels that fill vectors and that don't, one row a batch, more rows than a chunk has. */
/* Images and plain vectors have ONNX's operator, which takes the channels first. */
static onnx_value onnx_operator(const layer *l, onnx_graph *g, onnx_value x)
{
    const state *s = l->state;
    convoy_shape shape = {1, {s->channels}};
    onnx_node node = {.op = "BatchNormalization", .input = {x}, .attribute = {ONNX_FLOAT("epsilon", s->epsilon)}};
    node.input[1] = s->scale ? onnx_param(g, s->gamma, NULL) : onnx_filled(g, "gamma", &shape, 1);
    node.input[2] = s->center ? onnx_param(g, s->beta, NULL) : onnx_filled(g, "beta", &shape, 0);
    node.input[3] = onnx_param(g, s->mean, NULL);
    node.input[4] = onnx_param(g, s->variance, NULL);
    return onnx_add(g, &node);
}

/* Other ranks: x * slope + offset. */
static onnx_value onnx_line(const layer *l, onnx_graph *g, onnx_value x, float *slope, float *offset)
{
    const state *s = l->state;
    convoy_shape shape = {1, {s->channels}};
    for (int c = 0; c < s->channels; c++) {
        double gamma = s->scale ? onnx_values(g, s->gamma)[c] : 1, beta = s->center ? onnx_values(g, s->beta)[c] : 0;
        double a = gamma / sqrt(onnx_values(g, s->variance)[c] + s->epsilon);
        slope[c] = (float)a;
        offset[c] = (float)(beta - onnx_values(g, s->mean)[c] * a);
    }
    x = onnx_binary(g, "Mul", x, onnx_weight(g, "slope", &shape, slope, NULL));
    return onnx_binary(g, "Add", x, onnx_weight(g, "offset", &shape, offset, NULL));
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const state *s = l->state;
    int rank = l->input[0].rank;
    onnx_layout layout = rank == 3 ? ONNX_FIRST : ONNX_LAST;
    onnx_value x = onnx_input(g, 0, layout);
    if (rank == 1 || rank == 3)
        return onnx_result(g, onnx_operator(l, g, x), layout, err);
    float *lines = malloc(2 * (size_t)s->channels * sizeof *lines);
    if (lines == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = onnx_result(g, onnx_line(l, g, x, lines, lines + s->channels), layout, err);
    free(lines);
    return status;
}

static const layer_sample samples[] = {
    {"", {3, {5, 4, 8}}},
    {"", {3, {15, 14, 32}}},
    {"epsilon=0.01, momentum=0.9", {3, {3, 3, 3}}},
    {"center=False", {3, {2, 5, 24}}},
    {"scale=False", {3, {7, 3, 10}}},
    {"scale=False, center=False, axis=3", {3, {4, 2, 1}}},
    {"trainable=False", {3, {4, 3, 6}}},
    {"epsilon=0.1", {1, {19}}},
    {"epsilon=0.1", {2, {6, 64}}},
    {0},
};

const layer_class batch_normalization_class = {
    .name = "BatchNormalization",
    .snake = "batch_normalization",
    .state_size = sizeof(state),
    .options = options,
    .trains_apart = true,
    .samples = samples,
    .build = build,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .update = update,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .reduction = reduction,
    .onnx = onnx,
};
