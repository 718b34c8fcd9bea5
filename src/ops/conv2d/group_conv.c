#include "ops/conv2d/group_conv.h"

#include <stdio.h>

#include "ops/elementwise.h"

static size_t weights_of(const conv_shape *s, int groups)
{
    return (size_t)s->kernel[0] * s->kernel[1] * (size_t)(s->in / groups) * (size_t)s->out;
}

/* Vectors over channels are for depthwise convolution that keeps the number of channels. */
static unsigned width_for(const convoy_context *ctx, const conv_shape *s, int groups)
{
    return groups == s->in && groups == s->out && s->kernel[0] * s->kernel[1] <= 49 ? ops_row_width(ctx, s->in) : 1;
}

typedef struct group_launch {
    rt_launch launch;
    unsigned width;
    char options[512], label[160], kernel[64];
} group_launch;

static void begin(group_launch *g, const convoy_context *ctx, const char *layer, const conv_shape *s, int groups,
                  const char *what, const char *pass, const char *defined)
{
    g->width = width_for(ctx, s, groups);
    snprintf(g->options, sizeof g->options,
             "-DVW=%u -DH=%d -DW=%d -DIC=%d -DOH=%d -DOW=%d -DOC=%d -DKH=%d -DKW=%d -DSH=%d -DSW=%d -DDH=%d -DDW=%d -DPT=%d "
             "-DPL=%d -DUSE_BIAS=%d -DGROUPS=%d -D%s", g->width, s->height, s->width, s->in, s->out_height,
             s->out_width, s->out, s->kernel[0], s->kernel[1], s->stride[0], s->stride[1], s->dilation[0], s->dilation[1],
             s->pad[0], s->pad[1], s->bias, groups, defined);
    snprintf(g->label, sizeof g->label, "%s %s", layer, what);
    snprintf(g->kernel, sizeof g->kernel, "group_conv2d_%s_%s", pass, g->width > 1 ? "vec" : "plain");
    g->launch = (rt_launch){.label = g->label, .source = "group_conv2d", .kernel = g->kernel, .options = g->options};
    double outputs = (double)s->out_height * s->out_width * s->out, inputs = (double)s->height * s->width * s->in;
    g->launch.flops_per_image = 2.0 * outputs * s->kernel[0] * s->kernel[1] * s->in / groups;
    g->launch.bytes_per_image = 4.0 * (inputs + outputs);
    g->launch.bytes = 4.0 * (double)weights_of(s, groups);
}

convoy_status ops_group_conv_forward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s, int groups,
                                     const epilogue *end, const conv_buffers *b, convoy_error *err)
{
    group_launch g;
    begin(&g, ctx, layer, s, groups, "forward", "forward", "FORWARD");
    rt_push(&g.launch, RT_BUFFER(b->x));
    rt_push(&g.launch, RT_BUFFER(b->w));
    rt_push(&g.launch, RT_BUFFER(s->bias ? b->bias : b->w)); /* never read without a bias */
    rt_push(&g.launch, RT_BUFFER(b->y));
    ops_row_range(&g.launch, ctx, g.width, s->out_height, s->out_width * s->out);
    epilogue_append(end, &g.launch, g.options, sizeof g.options);
    return rt_list_add(list, &g.launch, err);
}

/* ---- the filter's gradient, in chunks of images ---- */

static int chunk_images(const convoy_context *ctx, const conv_shape *s, int groups, int batch)
{
    if (width_for(ctx, s, groups) == 1)
        return ops_chunk_images(ctx, batch, weights_of(s, groups) + (size_t)s->out);
    int chunks = 2 * (int)convoy_context_device(ctx)->compute_units;
    return chunks < batch ? (batch + chunks - 1) / chunks : 1;
}

size_t ops_group_conv_scratch(const convoy_context *ctx, const conv_shape *s, int groups, int batch)
{
    int images = chunk_images(ctx, s, groups, batch), chunks = (batch + images - 1) / images;
    return chunks > 1 ? (size_t)chunks * (weights_of(s, groups) + (size_t)s->out) : 0;
}

static convoy_status add_filter(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s, int groups,
                                const conv_buffers *b, int batch, convoy_error *err)
{
    group_launch g;
    int images = chunk_images(ctx, s, groups, batch), chunks = (batch + images - 1) / images;
    int weights = (int)weights_of(s, groups), stride = weights + s->out;
    begin(&g, ctx, layer, s, groups, "backward filter", "backward_filter", "BACKWARD_FILTER");
    rt_push(&g.launch, RT_BUFFER(b->x));
    rt_push(&g.launch, RT_BUFFER(b->dz));
    rt_push(&g.launch, RT_BUFFER(chunks > 1 ? b->scratch : b->dw));
    rt_push(&g.launch, RT_BUFFER(chunks > 1 ? b->scratch : s->bias ? b->dbias : b->dw));
    rt_push(&g.launch, RT_INT(chunks > 1 ? weights : 0)); /* where the bias begins */
    rt_push(&g.launch, RT_INT(stride));
    rt_push(&g.launch, RT_INT(images));
    rt_push(&g.launch, RT_BATCH(1));
    if (g.width > 1) {
        g.launch.global[0] = RT_FIXED((size_t)s->kernel[0] + s->bias);
        g.launch.local[0] = 1;
    } else {
        ops_range(&g.launch, ctx, 0, (size_t)stride, 1);
    }
    g.launch.global[1] = RT_FIXED((size_t)chunks);
    g.launch.local[1] = 1;
    TRY(rt_list_add(list, &g.launch, err));
    if (chunks == 1)
        return CONVOY_OK;
    char label[160];
    snprintf(label, sizeof label, "%s reduce filter", layer);
    return ops_reduce_chunks(list, ctx, label, b->scratch, b->dw, weights, b->dbias, s->bias ? s->out : 0, chunks, stride, err);
}

convoy_status ops_group_conv_backward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s, int groups,
                                      const epilogue *end, const conv_buffers *b, int batch, convoy_error *err)
{
    group_launch g;
    TRY(add_filter(list, ctx, layer, s, groups, b, batch, err));
    if (b->dx == NULL)
        return CONVOY_OK;
    begin(&g, ctx, layer, s, groups, "backward data", "backward_data", "BACKWARD_DATA");
    rt_push(&g.launch, RT_BUFFER(b->dz));
    rt_push(&g.launch, RT_BUFFER(b->w));
    rt_push(&g.launch, RT_BUFFER(b->dx));
    ops_row_range(&g.launch, ctx, g.width, s->height, s->width * s->in);
    epilogue_append(end, &g.launch, g.options, sizeof g.options);
    return rt_list_add(list, &g.launch, err);
}

/* ---- the specification ---- */

typedef void product_fn(void *state, size_t x, size_t w, size_t y);

/* Calls back for the products of one output pixel, by the flat indices of input, weight and output. */
static void for_pixel(const conv_shape *s, int groups, int n, int oy, int ox, product_fn *fn, void *state)
{
    int in = s->in / groups, out = s->out / groups;
    for (int kh = 0; kh < s->kernel[0]; kh++)
        for (int kw = 0; kw < s->kernel[1]; kw++) {
            int iy = oy * s->stride[0] + kh * s->dilation[0] - s->pad[0];
            int ix = ox * s->stride[1] + kw * s->dilation[1] - s->pad[1];
            if (iy < 0 || iy >= s->height || ix < 0 || ix >= s->width)
                continue;
            size_t x = (((size_t)n * s->height + iy) * s->width + ix) * s->in;
            size_t y = (((size_t)n * s->out_height + oy) * s->out_width + ox) * s->out;
            size_t w = ((size_t)kh * s->kernel[1] + kw) * in * s->out;
            for (int oc = 0; oc < s->out; oc++)
                for (int ic = 0; ic < in; ic++)
                    fn(state, x + (size_t)(oc / out * in + ic), w + (size_t)ic * s->out + oc, y + oc);
        }
}

static void for_products(const conv_shape *s, int groups, int batch, product_fn *fn, void *state)
{
    for (int n = 0; n < batch; n++)
        for (int oy = 0; oy < s->out_height; oy++)
            for (int ox = 0; ox < s->out_width; ox++)
                for_pixel(s, groups, n, oy, ox, fn, state);
}

typedef struct tensors {
    const double *x, *w, *dz;
    double *z, *dx, *dw;
} tensors;

static void add_forward(void *state, size_t x, size_t w, size_t y)
{
    tensors *t = state;
    t->z[y] += t->x[x] * t->w[w];
}

static void add_backward(void *state, size_t x, size_t w, size_t y)
{
    tensors *t = state;
    t->dw[w] += t->x[x] * t->dz[y];
    if (t->dx)
        t->dx[x] += t->w[w] * t->dz[y];
}

void ops_group_conv_reference(const conv_shape *s, int groups, int batch, const double *x, const double *w, const double *bias,
                              double *z)
{
    size_t count = (size_t)batch * s->out_height * s->out_width * s->out;
    for (size_t i = 0; i < count; i++)
        z[i] = bias ? bias[i % (size_t)s->out] : 0.0;
    tensors t = {.x = x, .w = w, .z = z};
    for_products(s, groups, batch, add_forward, &t);
}

void ops_group_conv_reference_backward(const conv_shape *s, int groups, int batch, const double *x, const double *w,
                                       const double *dz, double *dx, double *dw, double *dbias)
{
    size_t count = (size_t)batch * s->out_height * s->out_width * s->out;
    tensors t = {.x = x, .w = w, .dz = dz, .dx = dx, .dw = dw};
    for_products(s, groups, batch, add_backward, &t);
    for (size_t i = 0; dbias && i < count; i++)
        dbias[i % (size_t)s->out] += dz[i];
}
