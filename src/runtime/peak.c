#include "runtime/peak.h"

#include <stdio.h>

#include "base/clock.h"
#include "runtime/internal.h"

#define RUN_SECONDS 0.008   /* of one run of peak_fma */
#define MOST_SECONDS 1.5    /* of all runs of one kernel, on devices where one takes long */
#define MIB ((size_t)1 << 20)

enum { TRIAL_RUNS = 4, FMA_RUNS = 24, RUNS = 10, LAUNCHES = 1000, BLOCK = 4096 };

/* A way to run peak_fma. Which is the fastest depends on the latency of fma, on the registers there are, and on whether it is
 * one instruction at all: every way is tried. */
typedef struct fma_way {
    unsigned width; /* floats of a vector; 0: the device's native width */
    int accumulators;
    const char *multiply_add;
} fma_way;

enum { WAYS = 4 };
static const fma_way ways_of_vectors[WAYS] = {{0, 8, "fma"}, {0, 12, "fma"}, {0, 16, "fma"}, {0, 12, "mad"}};
static const fma_way ways_of_items[WAYS] = {{1, 8, "fma"}, {1, 16, "fma"}, {4, 4, "fma"}, {1, 16, "mad"}};

typedef struct peak {
    convoy_context *ctx;
    bool vectors;        /* one work-item is one thread, as in the _vec kernels; else work-items make up the vectors */
    unsigned width;      /* native, in floats */
    size_t items, local; /* of peak_fma */
    size_t floats;       /* of each array of the triad */
    rt_buffer *out, *x, *y, *z;
    rt_list *list;       /* the ways of peak_fma, peak_triad, peak_launch */
} peak;

enum { AT_TRIAD = WAYS, AT_LAUNCH };

static fma_way way_of(const peak *p, int i)
{
    fma_way way = p->vectors ? ways_of_vectors[i] : ways_of_items[i];
    way.width = way.width ? way.width : p->width;
    return way;
}

/* ---- the launches ---- */

static convoy_status add_fma(const peak *p, int i, convoy_error *err)
{
    char options[96];
    fma_way way = way_of(p, i);
    snprintf(options, sizeof options, "-DVW=%u -DACCUMULATORS=%d -DTURNS=%d -DMULTIPLY_ADD=%s", way.width,
             way.accumulators, RT_PEAK_TURNS, way.multiply_add);
    rt_launch launch = {.label = "peak fma", .source = "peak_fma", .kernel = "peak_fma", .options = options};
    rt_push(&launch, RT_BUFFER(p->out));
    rt_push(&launch, RT_FLOAT(0.5f)); /* towards 1: neither overflow nor denormals */
    rt_push(&launch, RT_FLOAT(0.5f));
    rt_push(&launch, RT_VARIABLE(RT_VAR_STEP)); /* the rounds */
    launch.global[0] = RT_FIXED(p->items);
    launch.local[0] = p->local;
    return rt_list_add(p->list, &launch, err);
}

static convoy_status add_triad(const peak *p, convoy_error *err)
{
    char options[64];
    unsigned width = p->vectors ? p->width : 4, block = p->vectors ? BLOCK : 1;
    snprintf(options, sizeof options, "-DVW=%u -DBLOCK=%u", width, block);
    rt_launch launch = {.label = "peak triad", .source = "peak_triad", .kernel = "peak_triad", .options = options};
    rt_push(&launch, RT_BUFFER(p->x));
    rt_push(&launch, RT_BUFFER(p->y));
    rt_push(&launch, RT_BUFFER(p->z));
    rt_push(&launch, RT_FLOAT(0.5f));
    launch.global[0] = RT_FIXED(p->floats / width / block);
    launch.local[0] = p->local;
    return rt_list_add(p->list, &launch, err);
}

static convoy_status add_launches(void *user, rt_list *list, convoy_error *err)
{
    const peak *p = user;
    for (int i = 0; i < WAYS; i++)
        TRY(add_fma(p, i, err));
    TRY(add_triad(p, err));
    rt_launch launch = {.label = "peak launch", .source = "peak_launch", .kernel = "peak_launch"};
    launch.global[0] = RT_FIXED(1);
    launch.local[0] = 1;
    return rt_list_add(list, &launch, err);
}

static convoy_status setup(peak *p, convoy_error *err)
{
    const convoy_device_info *d = convoy_context_device(p->ctx);
    uint64_t most = d->global_memory / 16 < d->max_allocation ? d->global_memory / 16 : d->max_allocation;
    size_t bytes = most > 128 * MIB ? 128 * MIB : (size_t)most / MIB * MIB;
    bytes = bytes ? bytes : MIB;
    p->floats = bytes / sizeof(float);
    /* The device's own habits, whatever variant and width the context was told to use. */
    p->width = d->native_vector_width_float >= 16 ? 16 : d->native_vector_width_float >= 8 ? 8 : 4;
    p->vectors = d->native_vector_width_float >= 4;
    p->local = p->vectors ? 1 : rt_max_local_size(p->ctx) < 256 ? rt_max_local_size(p->ctx) : 256;
    p->items = (size_t)d->compute_units * (p->vectors ? 512 : 2048);
    TRY(rt_buffer_create(p->ctx, p->items * 16 * sizeof(float), "sums", &p->out, err));
    TRY(rt_buffer_create(p->ctx, bytes, "array", &p->x, err));
    TRY(rt_buffer_create(p->ctx, bytes, "array", &p->y, err));
    TRY(rt_buffer_create(p->ctx, bytes, "array", &p->z, err));
    TRY(rt_buffer_fill(p->x, 1.0f, err)); /* pages that were never written may all be one and the same */
    TRY(rt_buffer_fill(p->y, 1.0f, err));
    TRY(rt_list_create(p->ctx, 1, &p->list, err));
    return rt_list_compile(p->list, add_launches, p, err);
}

static void cleanup(peak *p)
{
    rt_settle(p->ctx);
    rt_list_destroy(p->list);
    rt_buffer_destroy(p->z);
    rt_buffer_destroy(p->y);
    rt_buffer_destroy(p->x);
    rt_buffer_destroy(p->out);
}

/* ---- the runs ---- */

/* The time from the first of `times` launches to the end of the last. */
static convoy_status time_run(peak *p, size_t i, int times, double *seconds, convoy_error *err)
{
    double start = clock_seconds();
    for (int k = 0; k < times; k++)
        TRY(rt_list_play(p->list, i, i + 1, err));
    TRY(rt_finish(p->ctx, err));
    *seconds = clock_seconds() - start;
    return CONVOY_OK;
}

/* The shortest of several runs; a first one, which may compile or touch memory for the first time, does not count. */
static convoy_status best_run(peak *p, size_t i, int times, int runs, double *best, convoy_error *err)
{
    double start = clock_seconds();
    TRY(time_run(p, i, 1, best, err));
    for (int run = 0; run < runs && (run == 0 || clock_seconds() - start < MOST_SECONDS); run++) {
        double seconds;
        TRY(time_run(p, i, times, &seconds, err));
        if (run == 0 || seconds < *best)
            *best = seconds;
    }
    return CONVOY_OK;
}

/* So many rounds that a run takes RUN_SECONDS. */
static convoy_status choose_rounds(peak *p, size_t i, int *rounds, convoy_error *err)
{
    double seconds = 0;
    *rounds = 1;
    TRY(rt_list_set_int(p->list, RT_VAR_STEP, *rounds, err));
    TRY(time_run(p, i, 1, &seconds, err)); /* may compile */
    for (;;) {
        TRY(time_run(p, i, 1, &seconds, err));
        if (seconds > RUN_SECONDS / 8 || *rounds > 1 << 24)
            break;
        *rounds *= 2;
        TRY(rt_list_set_int(p->list, RT_VAR_STEP, *rounds, err));
    }
    double times = RUN_SECONDS / seconds;
    *rounds = (int)(*rounds * (times < 1 ? 1 : times > 16 ? 16 : times));
    return CONVOY_OK;
}

double rt_peak_fma_flops(unsigned width, int accumulators, int rounds)
{
    return 2.0 * width * accumulators * RT_PEAK_TURNS * rounds;
}

static convoy_status fma_speed(peak *p, int i, int rounds, int runs, double *flops, convoy_error *err)
{
    double seconds;
    fma_way way = way_of(p, i);
    TRY(rt_list_set_int(p->list, RT_VAR_STEP, rounds, err));
    TRY(best_run(p, (size_t)i, 1, runs, &seconds, err));
    *flops = rt_peak_fma_flops(way.width, way.accumulators, rounds) * (double)p->items / seconds;
    return CONVOY_OK;
}

/* A few runs of each way, then many of the best: what else the machine does spoils a run now and then. */
static convoy_status measure_flops(peak *p, double *out, convoy_error *err)
{
    int best = 0, rounds[WAYS];
    double flops;
    *out = 0;
    for (int i = 0; i < WAYS; i++) {
        TRY(choose_rounds(p, (size_t)i, &rounds[i], err));
        TRY(fma_speed(p, i, rounds[i], TRIAL_RUNS, &flops, err));
        if (flops > *out) {
            *out = flops;
            best = i;
        }
    }
    TRY(fma_speed(p, best, rounds[best], FMA_RUNS, &flops, err));
    *out = flops > *out ? flops : *out;
    return CONVOY_OK;
}

/* A peak that is no half of one multiply-add a cycle for each float of a vector: then the driver is not at its best. Vectors that
 * work-items make up are not told by a driver. */
static convoy_status judge(const peak *p, double flops, convoy_error *err)
{
    convoy_context *ctx = p->ctx;
    cl_uint mhz = 0;
    CL_TRY(ctx, clGetDeviceInfo, ctx->device, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof mhz, &mhz, NULL);
    double allowed = 2e6 * mhz * ctx->info.compute_units * p->width;
    if (p->vectors && flops < 0.5 * allowed)
        rt_message(ctx, "the measured peak of %.1f GFLOP/s is far below the %.1f that %u units, %u floats and %u MHz allow: the machine "
                   "is busy, or the driver computes otherwise (%s)", flops * 1e-9, allowed * 1e-9, ctx->info.compute_units, p->width,
                   (unsigned)mhz, ctx->driver_ways[0] ? ctx->driver_ways : "its ways were not measured");
    return CONVOY_OK;
}

static convoy_status measure(peak *p, rt_peak *out, convoy_error *err)
{
    double seconds;
    TRY(setup(p, err));
    TRY(measure_flops(p, &out->flops, err));
    TRY(judge(p, out->flops, err));
    TRY(best_run(p, AT_TRIAD, 1, RUNS, &seconds, err));
    out->bytes = 3.0 * sizeof(float) * (double)p->floats / seconds;
    TRY(best_run(p, AT_LAUNCH, LAUNCHES, RUNS, &seconds, err));
    out->launch = seconds / LAUNCHES;
    return CONVOY_OK;
}

convoy_status rt_peak_measure(convoy_context *ctx, rt_peak *out, convoy_error *err)
{
    peak p = {.ctx = ctx};
    convoy_status status = measure(&p, out, err);
    cleanup(&p);
    return status;
}
