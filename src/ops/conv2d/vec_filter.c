/* The vec and vec_taps variants of the filter gradient: a tile of the weights' gradient in registers, summed over a chunk of images,
 * some lines at a time. Kernels: cl/conv2d_vec.cl, cl/conv2d_taps.cl. */
#include "ops/conv2d/block.h"

/* ROWS: of a tile, without its vectors. RUN: tiles of a work-item; the kernels' TILES. */
enum { VW, VECTORS, ROWS, CHUNK, LINES, RUN };

static int blocks_of(int count, int size) { return (count + size - 1) / size; }

/* ---- what a tile is ---- */

/* vec: rows of the weights whose inputs lie behind each other in memory. */
static int group_rows(const conv_shape *s)
{
    return !conv_padded(s) && s->dilation[1] == 1 ? s->kernel[1] * s->in : s->in;
}

static int vec_tiles(const conv_problem *p, const int *params)
{
    const conv_shape *s = p->shape;
    int group = group_rows(s);
    return s->kernel[0] * s->kernel[1] * s->in / group * blocks_of(group, params[ROWS]);
}

/* vec_taps: input channels, for all taps of a row of the kernel. */
static int taps_tiles(const conv_problem *p, const int *params)
{
    return p->shape->kernel[0] * blocks_of(p->shape->in, params[ROWS]);
}

static int channel_tiles(const conv_problem *p, const int *params)
{
    return blocks_of(p->shape->out, params[VW] * params[VECTORS]);
}

static int chunk_count(const conv_problem *p, const int *params) { return blocks_of(p->batch, params[CHUNK]); }

/* Fewer lines than a chunk has: sums wait in memory, so tiles may not share any. */
static bool fits(const convoy_context *ctx, const conv_problem *p, const int *params, int most_rows)
{
    bool apart = p->shape->out % (params[VW] * params[VECTORS]) == 0;
    return block_fits_channels(ctx, block_channels(p), params[VW], params[VECTORS]) && params[ROWS] <= most_rows &&
           params[CHUNK] <= p->batch && (apart || params[LINES] >= params[CHUNK] * p->shape->out_height);
}

static bool vec_fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    return fits(ctx, p, params, group_rows(p->shape));
}

/* Registers of the vectors' width. */
static int registers(int width) { return width >= 16 ? 32 : 16; }

/* The accumulators, the pixels of dz under the taps, and a value of x. */
static bool taps_fit_registers(const conv_shape *s, const int *params)
{
    return (params[ROWS] + 1) * s->kernel[1] * params[VECTORS] + 1 <= registers(params[VW]);
}

static bool taps_fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    const conv_shape *s = p->shape;
    return s->stride[1] == 1 && s->dilation[1] == 1 && s->kernel[1] > 1 && s->pad[1] < s->kernel[1] &&
           s->out_width - 2 - s->pad[1] < s->width && taps_fit_registers(s, params) && fits(ctx, p, params, s->in);
}

/* ---- defaults ---- */

/* Enough chunks to keep the device busy and a chunk's inputs in cache, but no more, because each writes a whole gradient. */
static int default_chunk(const convoy_context *ctx, const conv_problem *p)
{
    const conv_shape *s = p->shape;
    int units = (int)convoy_context_device(ctx)->compute_units;
    int cached = (int)(262144 / (4 * (conv_inputs(s) + conv_outputs(s))));
    int most_chunks = conv_weights(s) > 65536 ? 1 : conv_weights(s) > 16384 ? 2 * units : 4 * units;
    int least = blocks_of(p->batch, most_chunks);
    int images = cached > least ? cached : least;
    return images < p->batch ? images : p->batch;
}

/* Bytes of dz and x that lines of an output bring into the first cache, which has 32 KiB at least. */
#define CACHED_LINES (24 * 1024)
/* Pixels from which on loading and storing the sums does not count. */
enum { LEAST_PIXELS = 128 };

/* So many lines that they stay in the first cache, and all tiles in one work-item: where that leaves work-items enough, and where no
 * two of them share weights. */
static void default_lines(const convoy_context *ctx, const conv_problem *p, int tiles, int *params)
{
    const conv_shape *s = p->shape;
    int channels = params[VW] * params[VECTORS], most = params[CHUNK] * s->out_height;
    int least = blocks_of(LEAST_PIXELS, s->out_width);
    int cached = CACHED_LINES / (4 * (s->stride[0] * s->width * s->in + s->out_width * channels));
    int runs = blocks_of(4 * (int)convoy_context_device(ctx)->compute_units, channel_tiles(p, params) * chunk_count(p, params));
    bool pays = s->out % channels == 0 && least < most && runs < tiles;
    params[LINES] = !pays ? most : cached > least ? cached : least;
    params[LINES] = params[LINES] < most ? params[LINES] : most;
    params[RUN] = pays ? blocks_of(tiles, runs) : 1;
}

/* Products for each load of the best tile with so many vectors; *rows is its height. The last tile of a group overlaps the one
 * before it, so a height that divides the group wastes nothing. */
static double best_rows(int group, int width, int vectors, int *rows)
{
    /* Accumulators of 32 registers, fewer where sums come from memory and go there; or of 16. */
    int most = (width < 16 ? 12 : group <= 12 ? 24 : 16) / vectors;
    double best = 0;
    for (int r = 1; r <= most && r <= group; r++) {
        double used = (double)group / (blocks_of(group, r) * r);
        double rate = used * vectors * r / (vectors + r + 1);
        if (rate < best)
            continue;
        best = rate;
        *rows = r;
    }
    return best;
}

static void vec_defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    int group = group_rows(p->shape), rows = 1;
    block_default_channels(ctx, block_channels(p), &params[VW], &params[VECTORS]);
    double rate = best_rows(group, params[VW], params[VECTORS], &params[ROWS]);
    /* More vectors take more of dz from further away: only for groups that are lower than a tile could be. */
    if (params[VECTORS] == 2 && group < 12 && 4 * params[VW] <= p->shape->out &&
        best_rows(group, params[VW], 4, &rows) > rate) {
        params[VECTORS] = 4;
        params[ROWS] = rows;
    }
    params[CHUNK] = default_chunk(ctx, p);
    default_lines(ctx, p, vec_tiles(p, params), params);
}

/* The tile with the most products for each load that the registers hold. */
static void taps_defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    const conv_shape *s = p->shape;
    double best = 0;
    int tried[RUN + 1] = {0};
    block_default_channels(ctx, s->out, &params[VW], &params[VECTORS]);
    tried[VW] = params[VW];
    params[ROWS] = s->in; /* fits nowhere if no tile does */
    for (tried[VECTORS] = 1; tried[VECTORS] * tried[VW] <= s->out && tried[VECTORS] <= 4; tried[VECTORS]++)
        for (tried[ROWS] = 1; tried[ROWS] <= s->in && taps_fit_registers(s, tried); tried[ROWS]++) {
            double used = (double)s->in / (blocks_of(s->in, tried[ROWS]) * tried[ROWS]);
            double rate = used * s->kernel[1] * tried[ROWS] * tried[VECTORS] / (tried[ROWS] + tried[VECTORS]);
            if (rate < best || s->out % (tried[VECTORS] * tried[VW]) != s->out % tried[VW])
                continue;
            best = rate;
            params[VECTORS] = tried[VECTORS];
            params[ROWS] = tried[ROWS];
        }
    params[CHUNK] = default_chunk(ctx, p);
    default_lines(ctx, p, taps_tiles(p, params), params);
}

/* ---- launches ---- */

static size_t scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    size_t chunks = (size_t)chunk_count(p, params);
    return chunks > 1 ? chunks * (conv_weights(p->shape) + (size_t)p->shape->out) : 0;
}

/* With one chunk the gradients go where they belong; with more into scratch, [chunk][weights, bias], and are summed. */
static convoy_status add(rt_list *list, convoy_context *ctx, const conv_job *job, const char *source, const char *kernel, int tiles,
                         convoy_error *err)
{
    conv_launch l;
    const conv_buffers *b = job->buffers;
    const conv_shape *s = job->problem.shape;
    const int *v = job->params;
    int chunks = chunk_count(&job->problem, v), weights = (int)conv_weights(s);
    conv_launch_begin(&l, job, "backward filter", source, kernel);
    conv_launch_option(&l, " -DBACKWARD_FILTER" BLOCK_OPTIONS " -DROWS=%d -DCHUNK=%d -DLINES=%d -DTILES=%d", v[VW], v[VECTORS],
                       v[ROWS], v[CHUNK], v[LINES], v[RUN]);
    rt_push(&l.launch, RT_BUFFER(b->x));
    rt_push(&l.launch, RT_BUFFER(b->dz));
    rt_push(&l.launch, RT_BUFFER(chunks > 1 ? b->scratch : b->dw));
    rt_push(&l.launch, RT_BUFFER(chunks > 1 ? b->scratch : s->bias ? b->dbias : b->dw));
    rt_push(&l.launch, RT_INT(weights + s->out));
    rt_push(&l.launch, RT_INT(chunks > 1 ? weights : 0));
    rt_push(&l.launch, RT_BATCH(1));
    l.launch.global[0] = RT_FIXED((size_t)blocks_of(tiles, v[RUN]));
    l.launch.global[1] = RT_FIXED((size_t)channel_tiles(&job->problem, v));
    l.launch.global[2] = RT_FIXED((size_t)chunks);
    l.launch.local[0] = l.launch.local[1] = l.launch.local[2] = 1;
    TRY(rt_list_add(list, &l.launch, err));
    return chunks > 1 ? conv_add_reduce(list, ctx, job, chunks, err) : CONVOY_OK;
}

static convoy_status vec_add(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    return add(list, ctx, job, "conv2d_vec", "conv2d_backward_filter_vec", vec_tiles(&job->problem, job->params), err);
}

static convoy_status taps_add(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    return add(list, ctx, job, "conv2d_taps", "conv2d_backward_filter_taps", taps_tiles(&job->problem, job->params), err);
}

#define SUM_PARAMS                                                                                                     \
    {"CHUNK", {1, 2, 4, 8, 16, 32, 64}}, {"LINES", {4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 4096}},                      \
        {"TILES", {1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 36}}

const conv_variant conv_vec_filter_variants[] = {
    {.name = "vec_taps", .family = "vec", .pass = CONV_BACKWARD_FILTER,
     .params = {BLOCK_CHANNEL_PARAMS, {"ROWS", {1, 2, 3, 4, 6, 8}}, SUM_PARAMS}, .fits = taps_fits, .defaults = taps_defaults,
     .scratch = scratch, .add = taps_add},
    {.name = "vec", .family = "vec", .pass = CONV_BACKWARD_FILTER,
     .params = {BLOCK_CHANNEL_PARAMS, {"ROWS", {3, 4, 6, 8, 9, 12, 13, 14, 16}}, SUM_PARAMS}, .fits = vec_fits,
     .defaults = vec_defaults, .scratch = scratch, .add = vec_add},
    {0},
};
