/* Picks the variant of each convolution pass and appends its launches. */
#include "ops/conv2d.h"

#include <stdio.h>
#include <string.h>

#include "ops/elementwise.h"

/* The register tiles of the _vec kernels for one pass. */
typedef struct vec_tile {
    int width, vectors, pixels, rows, tiles, unroll;
} vec_tile;

static int at_least_one(int n) { return n < 1 ? 1 : n; }

/* The widest vector that the channels fill, two of them where they fill two. */
static vec_tile channel_tile(const convoy_context *ctx, int channels)
{
    vec_tile t = {.width = (int)rt_vector_width(ctx), .unroll = 4};
    while (t.width > channels)
        t.width /= 2;
    t.vectors = channels >= 2 * t.width ? 2 : 1;
    /* AVX2 has 16 registers and AVX-512 has 32: accumulators, weights and one input must fit. */
    t.pixels = t.width >= 16 ? (t.vectors == 2 ? 13 : 14) : (t.vectors == 2 ? 6 : 10);
    t.rows = t.width >= 16 ? 12 : (t.vectors == 2 ? 6 : 12);
    return t;
}

/* How many tiles a work-item does, so that its work outweighs the cost of a work-group. `products` in one tile. */
static int tiles_for(long products, long pixels, int pixels_in_tile)
{
    long wanted = at_least_one((int)(24576 / at_least_one((int)products)));
    long most = at_least_one((int)(pixels / pixels_in_tile / 16));
    return (int)(wanted < most ? wanted : most);
}

static void shape_options(char *out, size_t size, const conv_shape *s)
{
    snprintf(out, size,
             "-DH=%d -DW=%d -DIC=%d -DOH=%d -DOW=%d -DOC=%d -DKH=%d -DKW=%d -DSH=%d -DSW=%d -DDH=%d -DDW=%d -DPT=%d "
             "-DPL=%d -DUSE_BIAS=%d",
             s->height, s->width, s->in, s->out_height, s->out_width, s->out, s->kernel[0], s->kernel[1], s->stride[0],
             s->stride[1], s->dilation[0], s->dilation[1], s->pad[0], s->pad[1], s->bias);
}

static double product_count(const conv_shape *s)
{
    return (double)s->out_height * s->out_width * s->out * s->in * s->kernel[0] * s->kernel[1];
}

static size_t weight_count(const conv_shape *s) { return (size_t)s->kernel[0] * s->kernel[1] * s->in * s->out; }
static size_t in_count(const conv_shape *s) { return (size_t)s->height * s->width * s->in; }
static size_t out_count(const conv_shape *s) { return (size_t)s->out_height * s->out_width * s->out; }

/* A launch with what all passes share filled in; `text` holds the options. */
typedef struct pass {
    rt_launch launch;
    char options[640], label[160];
} pass;

static void begin(pass *p, const char *layer, const char *what, const conv_shape *s, const char *source,
                  const char *kernel)
{
    memset(p, 0, sizeof *p);
    snprintf(p->label, sizeof p->label, "%s %s", layer, what);
    shape_options(p->options, sizeof p->options, s);
    p->launch = (rt_launch){.label = p->label, .source = source, .kernel = kernel, .options = p->options};
    p->launch.flops_per_image = 2.0 * product_count(s);
    p->launch.bytes_per_image = 4.0 * (double)(in_count(s) + out_count(s));
    p->launch.bytes = 4.0 * (double)weight_count(s);
}

static void add_options(pass *p, const char *format, int a, int b, int c)
{
    size_t used = strlen(p->options);
    snprintf(p->options + used, sizeof p->options - used, format, a, b, c);
}

static void add_activation(pass *p, const activation *act)
{
    size_t used = strlen(p->options);
    snprintf(p->options + used, sizeof p->options - used, ACTIVATION_OPTIONS, act->name, act->name);
}

/* ---- forward ---- */

convoy_status ops_conv2d_forward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                 const activation *act, const conv_buffers *b, int batch, convoy_error *err)
{
    pass p;
    bool vec = rt_wants_vectors(ctx);
    begin(&p, layer, "forward", s, vec ? "conv2d_vec" : "conv2d_plain",
          vec ? "conv2d_forward_vec" : "conv2d_forward_plain");
    add_activation(&p, act);
    rt_push(&p.launch, RT_BUFFER(b->x));
    rt_push(&p.launch, RT_BUFFER(b->w));
    rt_push(&p.launch, RT_BUFFER(b->bias ? b->bias : b->w)); /* never read without USE_BIAS */
    rt_push(&p.launch, RT_BUFFER(b->y));
    if (!vec) {
        rt_push(&p.launch, RT_BATCH((int)out_count(s)));
        ops_range(&p.launch, ctx, out_count(s), 0, 1);
        return rt_list_add(list, &p.launch, err);
    }
    vec_tile t = channel_tile(ctx, s->out);
    int pixels = s->out_height * s->out_width;
    t.tiles = tiles_for((long)t.pixels * t.vectors * s->in * s->kernel[0] * s->kernel[1], (long)pixels * batch, t.pixels);
    add_options(&p, " -DFORWARD -DVW=%d -DVECTORS=%d -DPIXELS=%d", t.width, t.vectors, t.pixels);
    rt_push(&p.launch, RT_BUFFER(b->zeros));
    rt_push(&p.launch, RT_BATCH(pixels));
    rt_push(&p.launch, RT_INT(t.tiles));
    int channels = t.vectors * t.width;
    p.launch.global[0] = RT_PER_IMAGE((size_t)pixels, (size_t)t.pixels * t.tiles);
    p.launch.global[1] = RT_FIXED((size_t)(s->out + channels - 1) / channels);
    p.launch.local[0] = p.launch.local[1] = 1;
    return rt_list_add(list, &p.launch, err);
}

/* ---- backward, data ---- */

static convoy_status transpose(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                               const conv_buffers *b, convoy_error *err)
{
    char label[160];
    snprintf(label, sizeof label, "%s transpose", layer);
    rt_launch launch = {.label = label, .source = "transpose", .kernel = "transpose"};
    rt_push(&launch, RT_BUFFER(b->w));
    rt_push(&launch, RT_BUFFER(b->scratch));
    rt_push(&launch, RT_INT(s->kernel[0] * s->kernel[1]));
    rt_push(&launch, RT_INT(s->in));
    rt_push(&launch, RT_INT(s->out));
    ops_range(&launch, ctx, 0, weight_count(s), 1);
    launch.bytes = 8.0 * (double)weight_count(s);
    return rt_list_add(list, &launch, err);
}

static convoy_status backward_data(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                   const activation *slope, const conv_buffers *b, int batch, convoy_error *err)
{
    pass p;
    bool vec = rt_wants_vectors(ctx);
    if (vec)
        TRY(transpose(list, ctx, layer, s, b, err));
    begin(&p, layer, "backward data", s, vec ? "conv2d_vec" : "conv2d_plain",
          vec ? "conv2d_backward_data_vec" : "conv2d_backward_data_plain");
    if (slope) {
        add_activation(&p, slope);
        add_options(&p, " -DINPUT_SLOPE=%d", 1, 0, 0);
    }
    rt_push(&p.launch, RT_BUFFER(b->dz));
    rt_push(&p.launch, RT_BUFFER(vec ? b->scratch : b->w));
    rt_push(&p.launch, RT_BUFFER(slope ? b->x : b->dz)); /* only read for the slope */
    rt_push(&p.launch, RT_BUFFER(b->dx));
    if (!vec) {
        rt_push(&p.launch, RT_BATCH((int)in_count(s)));
        ops_range(&p.launch, ctx, in_count(s), 0, 1);
        return rt_list_add(list, &p.launch, err);
    }
    vec_tile t = channel_tile(ctx, s->in);
    int sh = s->stride[0], sw = s->stride[1];
    int pixels = ((s->height + sh - 1) / sh) * ((s->width + sw - 1) / sw);
    long products = (long)t.pixels * t.vectors * s->out * s->kernel[0] * s->kernel[1] / ((long)sh * sw);
    t.tiles = tiles_for(products, (long)pixels * batch, t.pixels);
    add_options(&p, " -DBACKWARD_DATA -DVW=%d -DVECTORS=%d -DPIXELS=%d", t.width, t.vectors, t.pixels);
    rt_push(&p.launch, RT_BUFFER(b->zeros));
    rt_push(&p.launch, RT_BATCH(pixels));
    rt_push(&p.launch, RT_INT(t.tiles));
    int channels = t.vectors * t.width;
    p.launch.global[0] = RT_PER_IMAGE((size_t)pixels, (size_t)t.pixels * t.tiles);
    p.launch.global[1] = RT_FIXED((size_t)(s->in + channels - 1) / channels);
    p.launch.global[2] = RT_FIXED((size_t)sh * sw);
    p.launch.local[0] = p.launch.local[1] = p.launch.local[2] = 1;
    return rt_list_add(list, &p.launch, err);
}

/* ---- backward, filter ---- */

/* Images in a chunk of the filter gradient: enough chunks to keep the device busy and its inputs in cache, but no more,
 * because each writes a whole gradient. */
static int chunk_images(const convoy_context *ctx, const conv_shape *s, int batch)
{
    size_t bytes = 4 * (in_count(s) + out_count(s));
    int cached = at_least_one((int)(262144 / bytes));
    int most_chunks = 2 * (int)convoy_context_device(ctx)->compute_units;
    if (weight_count(s) > 65536)
        most_chunks = 1;
    int least = (batch + most_chunks - 1) / most_chunks;
    return cached > least ? cached : least;
}

static int chunk_count(const convoy_context *ctx, const conv_shape *s, int batch)
{
    int images = chunk_images(ctx, s, batch);
    return (batch + images - 1) / images;
}

static convoy_status filter_plain(rt_list *list, convoy_context *ctx, pass *p, const conv_shape *s,
                                  const conv_buffers *b, convoy_error *err)
{
    rt_push(&p->launch, RT_BUFFER(b->x));
    rt_push(&p->launch, RT_BUFFER(b->dz));
    rt_push(&p->launch, RT_BUFFER(b->dw));
    rt_push(&p->launch, RT_BUFFER(s->bias ? b->dbias : b->dw));
    rt_push(&p->launch, RT_BATCH(1));
    ops_range(&p->launch, ctx, 0, weight_count(s) + (size_t)s->out, 1);
    return rt_list_add(list, &p->launch, err);
}

static bool padded(const conv_shape *s)
{
    return s->pad[0] || s->pad[1] || (s->out_height - 1) * s->stride[0] + (s->kernel[0] - 1) * s->dilation[0] >= s->height ||
           (s->out_width - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] >= s->width;
}

/* With one chunk the gradients go where they belong; with more into scratch, [chunk][weights, bias], and are summed. */
static convoy_status backward_filter(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                     const conv_buffers *b, int batch, convoy_error *err)
{
    pass p;
    bool vec = rt_wants_vectors(ctx);
    begin(&p, layer, "backward filter", s, vec ? "conv2d_vec" : "conv2d_plain",
          vec ? "conv2d_backward_filter_vec" : "conv2d_backward_filter_plain");
    if (!vec)
        return filter_plain(list, ctx, &p, s, b, err);
    vec_tile t = channel_tile(ctx, s->out);
    int chunks = chunk_count(ctx, s, batch);
    int weights = (int)weight_count(s), stride = weights + s->out;
    bool rows_joined = !padded(s) && s->dilation[1] == 1;
    int group = rows_joined ? s->kernel[1] * s->in : s->in;
    int groups = rows_joined ? s->kernel[0] : s->kernel[0] * s->kernel[1];
    if (t.rows > group)
        t.rows = group;
    add_options(&p, " -DBACKWARD_FILTER -DVW=%d -DVECTORS=%d -DROWS=%d", t.width, t.vectors, t.rows);
    rt_push(&p.launch, RT_BUFFER(b->x));
    rt_push(&p.launch, RT_BUFFER(b->dz));
    rt_push(&p.launch, RT_BUFFER(chunks > 1 ? b->scratch : b->dw));
    rt_push(&p.launch, RT_BUFFER(chunks > 1 ? b->scratch : s->bias ? b->dbias : b->dw));
    rt_push(&p.launch, RT_INT(stride));
    rt_push(&p.launch, RT_INT(chunks > 1 ? weights : 0));
    rt_push(&p.launch, RT_INT(chunk_images(ctx, s, batch)));
    rt_push(&p.launch, RT_BATCH(1));
    int channels = t.vectors * t.width;
    p.launch.global[0] = RT_FIXED((size_t)groups * ((group + t.rows - 1) / t.rows));
    p.launch.global[1] = RT_FIXED((size_t)(s->out + channels - 1) / channels);
    p.launch.global[2] = RT_FIXED((size_t)chunks);
    p.launch.local[0] = p.launch.local[1] = p.launch.local[2] = 1;
    TRY(rt_list_add(list, &p.launch, err));
    if (chunks == 1)
        return CONVOY_OK;
    snprintf(p.label, sizeof p.label, "%s reduce filter", layer);
    TRY(ops_reduce_chunks(list, ctx, p.label, b->scratch, b->dw, weights, chunks, stride, 0, err));
    snprintf(p.label, sizeof p.label, "%s reduce bias", layer);
    return s->bias ? ops_reduce_chunks(list, ctx, p.label, b->scratch, b->dbias, s->out, chunks, stride, weights, err)
                   : CONVOY_OK;
}

convoy_status ops_conv2d_backward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                  const activation *slope, const conv_buffers *b, int batch, convoy_error *err)
{
    TRY(backward_filter(list, ctx, layer, s, b, batch, err));
    return b->dx ? backward_data(list, ctx, layer, s, slope, b, batch, err) : CONVOY_OK;
}

/* The filter gradient is done with the scratch before the transposed weights go there. */
size_t ops_conv2d_scratch(const convoy_context *ctx, const conv_shape *s, int batch)
{
    if (!rt_wants_vectors(ctx))
        return 0;
    int chunks = chunk_count(ctx, s, batch);
    size_t partial = chunks > 1 ? (size_t)chunks * (weight_count(s) + (size_t)s->out) : 0;
    return partial > weight_count(s) ? partial : weight_count(s);
}

size_t ops_conv2d_zeros(const conv_shape *s) { return (size_t)(s->in > s->out ? s->in : s->out); }
