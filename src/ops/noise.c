#include "ops/noise.h"

#include <math.h>
#include <stdio.h>

#include "base/philox.h"
#include "ops/elementwise.h"

/* Elements that sixteen neighbouring blocks fill. */
enum { GROUP = 64, BLOCKS = 16 };

static double scale_of(const noise *n) { return n->amount < 1.0 ? 1.0 / (1.0 - n->amount) : 0.0; }
static uint32_t threshold_of(const noise *n) { return (uint32_t)ceil(n->amount * 0x1p24); }

/* A launch over `count` values an image; `x` NULL: only y is written. */
static convoy_status add(rt_list *list, convoy_context *ctx, const char *label, const char *kernel, const noise *n,
                         float scale, const rt_buffer *x, const rt_buffer *y, size_t count, convoy_error *err)
{
    char options[32];
    unsigned width = ops_width(ctx);
    size_t most = rt_max_local_size(ctx) < 64 ? rt_max_local_size(ctx) : 64;
    snprintf(options, sizeof options, "-DVW=%u", width);
    rt_launch launch = {.label = label, .source = "noise", .kernel = kernel, .options = options};
    if (x != NULL)
        rt_push(&launch, RT_BUFFER(x));
    rt_push(&launch, RT_BUFFER(y));
    rt_push(&launch, RT_INT((int)(uint32_t)n->seed));
    rt_push(&launch, RT_INT((int)(uint32_t)(n->seed >> 32)));
    rt_push(&launch, RT_INT((int)n->stream));
    rt_push(&launch, RT_VARIABLE(RT_VAR_UPDATES));
    rt_push(&launch, RT_INT((int)threshold_of(n)));
    rt_push(&launch, RT_FLOAT(scale));
    rt_push(&launch, RT_BATCH((int)count));
    launch.global[0] = RT_FIXED(BLOCKS / width);
    launch.global[1] = RT_PER_IMAGE(count, GROUP);
    launch.local[0] = BLOCKS / width < most ? BLOCKS / width : most;
    launch.local[1] = most / launch.local[0];
    launch.bytes_per_image = 4.0 * (x ? 2 : 1) * (double)count;
    return rt_list_add(list, &launch, err);
}

convoy_status ops_dropout(rt_list *list, convoy_context *ctx, const char *label, const noise *n, const rt_buffer *x,
                          const rt_buffer *y, size_t count, convoy_error *err)
{
    return add(list, ctx, label, "dropout", n, (float)scale_of(n), x, y, count, err);
}

convoy_status ops_gaussian_noise(rt_list *list, convoy_context *ctx, const char *label, const noise *n, const rt_buffer *x,
                                 const rt_buffer *y, size_t count, convoy_error *err)
{
    return add(list, ctx, label, "gaussian_noise", n, (float)n->amount, x, y, count, err);
}

convoy_status ops_dropout_channels(rt_list *list, convoy_context *ctx, const char *label, const noise *n, const rt_buffer *x,
                                   const rt_buffer *y, const rt_buffer *scratch, int rows, int channels, convoy_error *err)
{
    char options[96], factors[176];
    unsigned width = ops_channel_width(ctx, channels);
    size_t count = (size_t)rows * (size_t)channels;
    snprintf(factors, sizeof factors, "%s factors", label);
    TRY(add(list, ctx, factors, "dropout_factors", n, (float)scale_of(n), NULL, scratch, (size_t)channels, err));
    snprintf(options, sizeof options, "-DVW=%u -DROWS=%d -DC=%d", width, rows, channels);
    rt_launch launch = {.label = label, .source = "scale_channels", .kernel = "scale_channels", .options = options};
    rt_push(&launch, RT_BUFFER(x));
    rt_push(&launch, RT_BUFFER(scratch));
    rt_push(&launch, RT_BUFFER(y));
    rt_push(&launch, RT_BATCH((int)count));
    ops_range(&launch, ctx, count, 0, width);
    launch.bytes_per_image = 8.0 * (double)count;
    return rt_list_add(list, &launch, err);
}

/* ---- the host ---- */

static void words_of(const noise *n, uint32_t step, size_t i, uint32_t out[4])
{
    uint32_t counter[4] = {(uint32_t)(i / GROUP * BLOCKS + i % BLOCKS), step, n->stream, PHILOX_NOISE};
    uint32_t key[2] = {(uint32_t)n->seed, (uint32_t)(n->seed >> 32)};
    philox4x32(counter, key, out);
}

double ops_dropout_factor(const noise *n, uint32_t step, size_t i)
{
    uint32_t words[4];
    words_of(n, step, i, words);
    return words[i % GROUP / BLOCKS] >> 8 < threshold_of(n) ? 0.0 : scale_of(n);
}

double ops_gaussian_value(const noise *n, uint32_t step, size_t i)
{
    uint32_t words[4];
    size_t k = i % GROUP / BLOCKS;
    words_of(n, step, i, words);
    double u = ((words[k & 2] >> 8) + 1) * 0x1p-24, angle = 6.283185307179586 * (words[k | 1] >> 8) * 0x1p-24;
    return sqrt(-2.0 * log(u)) * (k & 1 ? sin(angle) : cos(angle));
}
