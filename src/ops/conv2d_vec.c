/* The vec variants: register tiles of pixels x channel vectors, one work-item a work-group. Kernels: cl/conv2d_vec.cl. */
#include "ops/conv2d_tiles.h"

/* ---- forward and data gradient: a tile is PIXELS output pixels, counted through the whole batch ---- */

enum { VW, VECTORS, PIXELS, TILES };

static bool fits_pixels(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    return tile_fits_channels(ctx, tile_channels(p), params[VW], params[VECTORS]);
}

/* How many pixels, counted through the batch, a launch computes; `phases`: one of strides[0] x strides[1] interleaved grids. */
static int pixels_per_image(const conv_problem *p)
{
    const conv_shape *s = p->shape;
    if (p->pass == CONV_FORWARD)
        return s->out_height * s->out_width;
    return ((s->height + s->stride[0] - 1) / s->stride[0]) * ((s->width + s->stride[1] - 1) / s->stride[1]);
}

/* A work-item does several tiles, so that its work outweighs the cost of a work-group. */
static void default_pixels(const convoy_context *ctx, const conv_problem *p, int *params)
{
    const conv_shape *s = p->shape;
    tile_default_channels(ctx, tile_channels(p), &params[VW], &params[VECTORS]);
    params[PIXELS] = tile_rows(params[VW], params[VECTORS]);
    long products = (long)params[PIXELS] * params[VECTORS] * s->kernel[0] * s->kernel[1] *
                    (p->pass == CONV_FORWARD ? s->in : s->out / (s->stride[0] * s->stride[1]));
    long wanted = products > 0 ? 24576 / products : 24576;
    long most = (long)pixels_per_image(p) * p->batch / params[PIXELS] / 16;
    params[TILES] = (int)(wanted < most ? wanted : most);
    if (params[TILES] < 1)
        params[TILES] = 1;
}

static void push_pixels(conv_launch *l, const conv_job *job)
{
    const int *v = job->params;
    int pixels = pixels_per_image(&job->problem), channels = v[VECTORS] * v[VW];
    rt_push(&l->launch, RT_BUFFER(job->buffers->zeros));
    rt_push(&l->launch, RT_BATCH(pixels));
    l->launch.global[0] = RT_PER_IMAGE((size_t)pixels, (size_t)v[PIXELS] * v[TILES]);
    l->launch.global[1] = RT_FIXED((size_t)(tile_channels(&job->problem) + channels - 1) / channels);
    l->launch.local[0] = l->launch.local[1] = 1;
}

static convoy_status add_forward(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    (void)ctx;
    conv_launch_begin(&l, job, "forward", "conv2d_vec", "conv2d_forward_vec");
    conv_launch_activation(&l, job);
    conv_launch_option(&l, " -DFORWARD" TILE_OPTIONS " -DPIXELS=%d -DTILES=%d", job->params[VW], job->params[VECTORS],
                       job->params[PIXELS], job->params[TILES]);
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->w));
    rt_push(&l.launch, RT_BUFFER(b->bias ? b->bias : b->w)); /* never read without USE_BIAS */
    rt_push(&l.launch, RT_BUFFER(b->y));
    push_pixels(&l, job);
    return rt_list_add(list, &l.launch, err);
}

static convoy_status add_backward_data(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    TRY(conv_add_transpose(list, ctx, job, err));
    conv_launch_begin(&l, job, "backward data", "conv2d_vec", "conv2d_backward_data_vec");
    conv_launch_activation(&l, job);
    conv_launch_option(&l, " -DBACKWARD_DATA" TILE_OPTIONS " -DPIXELS=%d -DTILES=%d", job->params[VW],
                       job->params[VECTORS], job->params[PIXELS], job->params[TILES]);
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(b->scratch));
    rt_push(&l.launch, RT_BUFFER(job->act ? b->x : b->dz)); /* only read for the slope */
    rt_push(&l.launch, RT_BUFFER(b->addend ? b->addend : b->dz));
    rt_push(&l.launch, RT_BUFFER(b->dx));
    push_pixels(&l, job);
    l.launch.global[2] = RT_FIXED((size_t)s->stride[0] * s->stride[1]);
    l.launch.local[2] = 1;
    return rt_list_add(list, &l.launch, err);
}

/* ---- filter gradient: a tile is ROWS rows of the weights, summed over a chunk of images, some lines at a time ---- */

enum { ROWS = 2, CHUNK, LINES, RUN };

/* Rows of the weights whose inputs lie behind each other in memory. */
static int group_rows(const conv_shape *s)
{
    return !conv_padded(s) && s->dilation[1] == 1 ? s->kernel[1] * s->in : s->in;
}

static int group_count(const conv_shape *s) { return s->kernel[0] * s->kernel[1] * s->in / group_rows(s); }

static bool fits_rows(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    bool apart = p->shape->out % (params[VW] * params[VECTORS]) == 0;
    return tile_fits_channels(ctx, tile_channels(p), params[VW], params[VECTORS]) &&
           params[ROWS] <= group_rows(p->shape) && params[CHUNK] <= p->batch &&
           (apart || params[LINES] >= params[CHUNK] * p->shape->out_height);
}

/* Enough chunks to keep the device busy and a chunk's inputs in cache, but no more, because each writes a whole gradient. */
static int default_chunk(const convoy_context *ctx, const conv_problem *p)
{
    const conv_shape *s = p->shape;
    int cached = (int)(262144 / (4 * (conv_inputs(s) + conv_outputs(s))));
    int most_chunks = conv_weights(s) > 65536 ? 1 : 2 * (int)convoy_context_device(ctx)->compute_units;
    int least = (p->batch + most_chunks - 1) / most_chunks;
    int images = cached > least ? cached : least;
    return images < p->batch ? images : p->batch;
}

/* Products for each load of the best tile with so many vectors; *rows is its height. The last tile of a group overlaps the one
 * before it, so a height that divides the group wastes nothing. */
static double best_rows(int group, int width, int vectors, int *rows)
{
    /* Accumulators of 32 registers, fewer where sums come from memory and go there; or of 16. */
    int most = (width < 16 ? 12 : group <= 12 ? 24 : 16) / vectors;
    double best = 0;
    for (int r = 1; r <= most && r <= group; r++) {
        double used = (double)group / ((group + r - 1) / r * r);
        double rate = used * vectors * r / (vectors + r + 1);
        if (rate < best)
            continue;
        best = rate;
        *rows = r;
    }
    return best;
}

static int tile_count(const conv_problem *p, const int *params)
{
    return group_count(p->shape) * ((group_rows(p->shape) + params[ROWS] - 1) / params[ROWS]);
}

static int channel_tiles(const conv_problem *p, const int *params)
{
    int channels = params[VW] * params[VECTORS];
    return (p->shape->out + channels - 1) / channels;
}

/* Bytes of dz and x that lines of an output bring into the first cache, which has 32 KiB at least. */
#define CACHED_LINES (24 * 1024)
/* Pixels from which on loading and storing the sums does not count. */
enum { LEAST_PIXELS = 128 };

/* So many lines that they stay in the first cache, and all tiles in one work-item: where that leaves work-items enough, and where no
 * two of them share weights. */
static void default_lines(const convoy_context *ctx, const conv_problem *p, int *params)
{
    const conv_shape *s = p->shape;
    int channels = params[VW] * params[VECTORS], most = params[CHUNK] * s->out_height;
    int least = (LEAST_PIXELS + s->out_width - 1) / s->out_width;
    int cached = CACHED_LINES / (4 * (s->stride[0] * s->width * s->in + s->out_width * channels));
    int chunks = (p->batch + params[CHUNK] - 1) / params[CHUNK];
    int units = (int)convoy_context_device(ctx)->compute_units, tiles = tile_count(p, params);
    bool apart = s->out % channels == 0;
    int runs = (4 * units + channel_tiles(p, params) * chunks - 1) / (channel_tiles(p, params) * chunks);
    bool pays = apart && least < most && runs < tiles;
    params[LINES] = !pays ? most : cached > least ? cached : least;
    params[LINES] = params[LINES] < most ? params[LINES] : most;
    params[RUN] = pays ? (tiles + runs - 1) / runs : 1;
}

static void default_rows(const convoy_context *ctx, const conv_problem *p, int *params)
{
    int group = group_rows(p->shape), rows = 1;
    tile_default_channels(ctx, tile_channels(p), &params[VW], &params[VECTORS]);
    double rate = best_rows(group, params[VW], params[VECTORS], &params[ROWS]);
    /* More vectors take more of dz from further away: only for groups that are lower than a tile could be. */
    if (params[VECTORS] == 2 && group < 12 && 4 * params[VW] <= p->shape->out &&
        best_rows(group, params[VW], 4, &rows) > rate) {
        params[VECTORS] = 4;
        params[ROWS] = rows;
    }
    params[CHUNK] = default_chunk(ctx, p);
    default_lines(ctx, p, params);
}

static int chunk_count(const conv_problem *p, const int *params)
{
    return (p->batch + params[CHUNK] - 1) / params[CHUNK];
}

static size_t scratch_rows(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    size_t chunks = (size_t)chunk_count(p, params);
    return chunks > 1 ? chunks * (conv_weights(p->shape) + (size_t)p->shape->out) : 0;
}

/* With one chunk the gradients go where they belong; with more into scratch, [chunk][weights, bias], and are summed. */
static convoy_status add_backward_filter(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    const int *v = job->params;
    int chunks = chunk_count(&job->problem, v), weights = (int)conv_weights(s);
    int runs = (tile_count(&job->problem, v) + v[RUN] - 1) / v[RUN];
    conv_launch_begin(&l, job, "backward filter", "conv2d_vec", "conv2d_backward_filter_vec");
    conv_launch_option(&l, " -DBACKWARD_FILTER" TILE_OPTIONS " -DROWS=%d -DCHUNK=%d -DLINES=%d -DTILES=%d", v[VW], v[VECTORS],
                       v[ROWS], v[CHUNK], v[LINES], v[RUN]);
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(chunks > 1 ? b->scratch : b->dw));
    rt_push(&l.launch, RT_BUFFER(chunks > 1 ? b->scratch : s->bias ? b->dbias : b->dw));
    rt_push(&l.launch, RT_INT(weights + s->out));
    rt_push(&l.launch, RT_INT(chunks > 1 ? weights : 0));
    rt_push(&l.launch, RT_BATCH(1));
    l.launch.global[0] = RT_FIXED((size_t)runs);
    l.launch.global[1] = RT_FIXED((size_t)channel_tiles(&job->problem, v));
    l.launch.global[2] = RT_FIXED((size_t)chunks);
    l.launch.local[0] = l.launch.local[1] = l.launch.local[2] = 1;
    TRY(rt_list_add(list, &l.launch, err));
    return chunks > 1 ? conv_add_reduce(list, ctx, job, chunks, err) : CONVOY_OK;
}

#define PIXEL_PARAMS                                                                                                   \
    {TILE_CHANNEL_PARAMS, {"PIXELS", {4, 6, 8, 10, 12, 13, 14}}, {"TILES", {1, 4, 16}}}

const conv_variant conv_vec_variants[] = {
    {.name = "vec", .family = "vec", .pass = CONV_FORWARD, .params = PIXEL_PARAMS, .fits = fits_pixels,
     .defaults = default_pixels, .add = add_forward},
    {.name = "vec", .family = "vec", .pass = CONV_BACKWARD_DATA, .params = PIXEL_PARAMS, .fits = fits_pixels,
     .defaults = default_pixels, .scratch = tile_transposed_scratch, .add = add_backward_data},
    {.name = "vec", .family = "vec", .pass = CONV_BACKWARD_FILTER,
     .params = {TILE_CHANNEL_PARAMS, {"ROWS", {3, 4, 6, 8, 9, 12, 13, 14}}, {"CHUNK", {1, 2, 4, 8, 16, 32, 64}},
                {"LINES", {4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 4096}}, {"TILES", {1, 2, 4, 8, 9, 16, 18, 36, 72}}},
     .fits = fits_rows, .defaults = default_rows, .scratch = scratch_rows, .add = add_backward_filter},
    {0},
};
