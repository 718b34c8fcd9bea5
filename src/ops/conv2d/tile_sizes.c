/* Which blocks the tile variants may use, and which they use untuned. */
#include "ops/conv2d/tile.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static double ceil_div(double a, double b) { return ceil(a / b); }

tile_product tile_product_of(const conv_problem *p)
{
    const conv_shape *s = p->shape;
    double pixels = (double)p->batch * s->out_height * s->out_width, useful = conv_products(s) * p->batch;
    tile_product g = {.phases = 1};
    switch (p->pass) {
    case CONV_BACKWARD_DATA:
        g.phases = s->stride[0] * s->stride[1];
        g.rows = p->batch * ceil_div(s->height, s->stride[0]) * ceil_div(s->width, s->stride[1]);
        g.columns = s->in;
        g.length = ceil_div(s->kernel[0], s->stride[0]) * ceil_div(s->kernel[1], s->stride[1]) * s->out;
        break;
    case CONV_BACKWARD_FILTER:
        g.rows = (double)conv_weights(s) / s->out + s->bias;
        g.columns = s->out;
        g.length = pixels;
        break;
    default:
        g.rows = pixels;
        g.columns = s->out;
        g.length = (double)conv_weights(s) / s->out;
    }
    double products = g.phases * g.rows * g.columns * g.length;
    g.wasted = products > useful ? 1 - useful / products : 0;
    return g;
}

int tile_items(const int *params) { return params[TILE_M] / params[WORK_M] * (params[TILE_N] / params[WORK_N]); }

/* Two blocks of each side, padded by four floats a row, and where the pixels of a filter gradient's blocks lie. */
size_t tile_local_bytes(const int *params)
{
    return (size_t)2 * params[TILE_K] * (sizeof(float) * (params[TILE_M] + params[TILE_N] + 8) + 4 * sizeof(int));
}

static bool divides(int part, int whole) { return part >= 4 && part % 4 == 0 && whole >= part && whole % part == 0; }

/* With a stride and a dilation in one direction, a phase's taps are not every so-many-th. */
static bool has_phases(const conv_shape *s)
{
    return (s->stride[0] == 1 || s->dilation[0] == 1) && (s->stride[1] == 1 || s->dilation[1] == 1);
}

/* Values of what one part of a split sum writes. */
static double part_values(const conv_problem *p)
{
    const conv_shape *s = p->shape;
    if (p->pass == CONV_BACKWARD_FILTER)
        return (double)conv_weights(s) + s->out;
    return (double)p->batch * (double)(p->pass == CONV_FORWARD ? conv_outputs(s) : conv_inputs(s));
}

bool tile_fits(const convoy_context *ctx, const conv_problem *p, const int *v)
{
    if (!divides(v[WORK_M], v[TILE_M]) || !divides(v[WORK_N], v[TILE_N]) || v[TILE_K] < 4 || v[TILE_K] % 4 != 0 ||
        v[SPLITS] < 1)
        return false;
    if (tile_items(v) < TILE_LEAST_ITEMS || (size_t)tile_items(v) > rt_max_local_size(ctx) ||
        tile_local_bytes(v) > convoy_context_device(ctx)->local_memory || v[WORK_M] * v[WORK_N] > 256)
        return false;
    if (v[SPLITS] > 1 && (v[SPLITS] > ceil_div(tile_product_of(p).length, v[TILE_K]) ||
                          part_values(p) * v[SPLITS] > INT_MAX))
        return false;
    return p->pass != CONV_BACKWARD_DATA || has_phases(p->shape);
}

/* ---- untuned ---- */

/* Blocks and shares that cover what GPUs like: from 8x8 sums a work-item, which need few loads, to 4x4, which occupy more. */
static const int blocks[][4] = {{128, 128, 8, 8}, {128, 64, 8, 8}, {64, 128, 8, 8}, {64, 64, 8, 8}, {128, 64, 8, 4},
                                {64, 64, 8, 4},   {64, 64, 4, 4},  {128, 32, 8, 4}, {128, 32, 4, 4}, {64, 32, 8, 4},
                                {64, 32, 4, 4},   {32, 64, 4, 4},  {32, 32, 4, 4},  {128, 16, 4, 4}, {64, 16, 4, 4},
                                {16, 64, 4, 4},   {32, 16, 4, 4},  {16, 32, 4, 4},  {16, 16, 4, 4}};

/* Products a cycle of a compute unit; work-items that keep it busy; bytes of memory a cycle for it; cycles of a launch. Of today's
 * GPUs, roughly: they only have to put blocks in the right order. */
enum { PRODUCTS = 128, BUSY_ITEMS = 256, BYTES = 16, LAUNCH = 4000 };

/* Numbers of a place to read from; of addresses and counters. */
enum { WINDOW = 3, ADDRESSES = 42 };

/* Channels of what a product's left side is gathered from. */
static int source_channels(const conv_problem *p) { return p->pass == CONV_BACKWARD_DATA ? p->shape->out : p->shape->in; }

/* Floats that a work-item keeps: its sums, the factors of a product and of the next one, what it has read of the next blocks and from
 * where, and addresses. What has no place in registers goes to memory in the innermost loop. What the constants give was held against
 * compilers (tools/check-gpu): on Intel's GPUs, which have 128 registers, they spill from 8x8 sums on, and from 8x4 in small groups. */
int tile_registers(const conv_problem *p, const int *v)
{
    int items = tile_items(v), width = source_channels(p) % 4 == 0 ? 4 : 1; /* floats read at once */
    int reads = (v[TILE_M] * v[TILE_K] / width + items - 1) / items, others = (v[TILE_N] * v[TILE_K] / 4 + items - 1) / items;
    return v[WORK_M] * v[WORK_N] + 2 * (v[WORK_M] + v[WORK_N]) + (width + WINDOW) * reads + 4 * others + ADDRESSES;
}

/* What computes a work-group: a compute unit, or as many as the driver counts for what shares a work-group. */
static double units_of(const convoy_context *ctx)
{
    double units = convoy_context_device(ctx)->compute_units / rt_gpu_of(ctx)->group_units;
    return units > 1 ? units : 1;
}

/* Cycles until the busiest compute unit is through. */
static double cost(const convoy_context *ctx, const conv_problem *p, const tile_product *g, const int *v, double useful)
{
    double units = units_of(ctx), lanes = rt_gpu_of(ctx)->lanes;
    double groups = ceil_div(g->rows, v[TILE_M]) * ceil_div(g->columns, v[TILE_N]) * g->phases * v[SPLITS];
    double each = ceil_div(groups, units); /* groups of the busiest unit */
    double length = ceil_div(ceil_div(g->length, v[TILE_K]), v[SPLITS]) * v[TILE_K] * useful;
    /* For each product's two factors: from local memory into registers, shared by a work-item's sums; and into local memory, shared
     * by a block's, with the addresses. */
    double step = (double)v[TILE_M] * v[TILE_N] * (1 + 1.0 / v[WORK_M] + 1.0 / v[WORK_N]) + 8.0 * (v[TILE_M] + v[TILE_N]);
    double items = each * tile_items(v);
    double idle = ceil_div(tile_items(v), lanes) * lanes / tile_items(v); /* a group's last sub-group may not be full */
    double cycles = each * length * step / PRODUCTS * idle * (items < BUSY_ITEMS ? BUSY_ITEMS / items : 1);
    if (v[SPLITS] > 1)
        cycles += LAUNCH + 2 * sizeof(float) * part_values(p) * v[SPLITS] / (BYTES * units) + 64 * sqrt(v[SPLITS]);
    return cycles;
}

/* Longer parts of the sum where four channels are read at once: else the addresses take too many registers. */
static int default_tile_k(const conv_problem *p) { return source_channels(p) % 4 == 0 ? 16 : 8; }

static double best(const convoy_context *ctx, const conv_problem *p, bool by_images, int *params)
{
    tile_product g = tile_product_of(p);
    double least = INFINITY;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        for (int splits = 1; splits <= 512; splits *= 2) {
            int v[CONV_MAX_PARAMS] = {blocks[i][0], blocks[i][1], default_tile_k(p), blocks[i][2], blocks[i][3], splits};
            if (!tile_fits(ctx, p, v) || tile_registers(p, v) > (int)rt_gpu_of(ctx)->registers || (by_images && v[TILE_M] > p->batch))
                continue;
            double cycles = cost(ctx, p, &g, v, by_images ? 1 - g.wasted : 1);
            if (cycles >= least)
                continue;
            least = cycles;
            memcpy(params, v, sizeof v);
        }
    return least;
}

void tile_defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    memset(params, 0, CONV_MAX_PARAMS * sizeof *params);
    (void)best(ctx, p, false, params);
}

void tile_images_defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    int other[CONV_MAX_PARAMS];
    memset(params, 0, CONV_MAX_PARAMS * sizeof *params);
    double pixels = best(ctx, p, false, other), images = best(ctx, p, true, params);
    if (source_channels(p) % default_tile_k(p) != 0 || images > 0.95 * pixels)
        memset(params, 0, CONV_MAX_PARAMS * sizeof *params);
}

bool tile_smaller(const convoy_context *ctx, const conv_problem *p, int *params)
{
    int side = params[TILE_M] / params[WORK_M] >= params[TILE_N] / params[WORK_N] ? TILE_M : TILE_N;
    params[side] /= 2;
    return tile_fits(ctx, p, params);
}
