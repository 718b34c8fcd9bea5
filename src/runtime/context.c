#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/quota.h"
#include "base/text.h"
#include "runtime/driver_probe.h"
#include "runtime/program.h"

#define LONGEST_TIMEOUT 1e8 /* seconds: three years */

static bool one_of(const char *value, const char *a, const char *b, const char *c)
{
    return value == NULL || strcmp(value, a) == 0 || strcmp(value, b) == 0 || strcmp(value, c) == 0;
}

static convoy_status check_options(const convoy_context_options *o, convoy_error *err)
{
    if (!one_of(o->gemm, "clblast", "builtin", "builtin"))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "gemm: '%s' is not known; use clblast or builtin", o->gemm);
    if (!one_of(o->variant, "vec", "tile", "plain"))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "variant: '%s' is not known; use vec, tile or plain", o->variant);
    if (o->vector_width != 0 && o->vector_width != 4 && o->vector_width != 8 && o->vector_width != 16)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "vector width: %u; it is 4, 8 or 16 floats", o->vector_width);
    return CONVOY_OK;
}

/* The option, else the environment's CONVOY_TUNING, else on. */
static convoy_status choose_tuning(convoy_context *ctx, const char *option, convoy_error *err)
{
    const char *environment = getenv("CONVOY_TUNING");
    const char *value = option ? option : environment && *environment ? environment : "on";
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: '%s' is not known; use on or off",
                         option ? "tuning" : "CONVOY_TUNING", value);
    ctx->tuning = strcmp(value, "on") == 0;
    return CONVOY_OK;
}

/* The option, else the environment's CONVOY_TIMEOUT, else none. */
static convoy_status choose_timeout(convoy_context *ctx, double option, convoy_error *err)
{
    const char *environment = getenv("CONVOY_TIMEOUT");
    char *end = NULL;
    ctx->timeout = option;
    if (option == 0 && environment != NULL && *environment != '\0') {
        ctx->timeout = strtod(environment, &end);
        if (*end != '\0' || !(ctx->timeout > 0) || ctx->timeout > LONGEST_TIMEOUT)
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "CONVOY_TIMEOUT: '%s'; it is seconds, more than 0 and at most %g", environment,
                             LONGEST_TIMEOUT);
    }
    if (!(ctx->timeout >= 0) || ctx->timeout > LONGEST_TIMEOUT)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "timeout: %g; it is seconds, from 0 (none) to %g", option, LONGEST_TIMEOUT);
    return CONVOY_OK;
}

static void choose_cache(convoy_context *ctx, const char *cache_dir)
{
    const char *home;
    if (cache_dir != NULL)
        text_copy(ctx->cache_dir, sizeof ctx->cache_dir, cache_dir);
    else if ((home = getenv("XDG_CACHE_HOME")) != NULL && home[0] == '/')
        snprintf(ctx->cache_dir, sizeof ctx->cache_dir, "%s/convoy", home);
    else if ((home = getenv("HOME")) != NULL && home[0] == '/')
        snprintf(ctx->cache_dir, sizeof ctx->cache_dir, "%s/.cache/convoy", home);
}

static convoy_status query_limits(convoy_context *ctx, convoy_error *err)
{
    cl_uint bits = 0;
    CL_TRY(ctx, clGetDeviceInfo, ctx->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof bits, &bits, NULL);
    /* At least a cache line, and at least a 16-float vector. */
    ctx->alignment = bits / 8 < 64 ? 64 : bits / 8;
    if (ctx->described == NULL)
        CL_TRY(ctx, clGetDeviceInfo, ctx->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof ctx->max_local, &ctx->max_local, NULL);
    return CONVOY_OK;
}

unsigned rt_native_width(const convoy_context *ctx)
{
    unsigned native = ctx->info.native_vector_width_float;
    return native >= 16 ? 16 : native >= 8 ? 8 : 4;
}

static void choose_kernels(convoy_context *ctx, const convoy_context_options *o)
{
    unsigned native = ctx->info.native_vector_width_float;
    /* The native width tells, not the device's type: Mesa's llvmpipe calls itself a CPU and vectorises across work-items. */
    ctx->vector_width = rt_native_width(ctx);
    text_copy(ctx->build_options, sizeof ctx->build_options, FIXED_OPTIONS);
    text_copy(ctx->variant, sizeof ctx->variant, o->variant ? o->variant : native >= 4 ? "vec" : "tile");
    ctx->variant_forced = o->variant != NULL;
    ctx->quiet = o->quiet;
    ctx->gemm_forced = o->gemm != NULL;
    bool clblast = native < 4 && gemm_supported(NULL) == CONVOY_OK;
    text_copy(ctx->gemm, sizeof ctx->gemm, o->gemm ? o->gemm : clblast ? "clblast" : "builtin");
}

void rt_platform_version(const convoy_context *ctx, char *out, size_t size)
{
    cl_platform_id platform;
    if (clGetDeviceInfo(ctx->device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL) != CL_SUCCESS ||
        clGetPlatformInfo(platform, CL_PLATFORM_VERSION, size, out, NULL) != CL_SUCCESS)
        out[0] = '\0';
}

bool rt_is_pocl(const convoy_context *ctx) { return strcmp(ctx->info.platform_name, "Portable Computing Language") == 0; }

/* What a fused program costs the machine is some three seconds of one core, and what it gains is at most a fifth of the time. */
#define FUSE_AFTER 3.0

double rt_fuse_after(convoy_context *ctx, double seconds)
{
    double before = ctx->fuse_after;
    ctx->fuse_after = seconds;
    return before;
}

/* Launches are fused where it was measured: PoCL's threads are the system's, so that one may wait for another. They wait without
 * sleeping, so they may not be more than get time to run. Where others keep the CPU busy, play.c finds out what is faster then. */
static convoy_status choose_groups(convoy_context *ctx, unsigned cores, convoy_error *err)
{
    const char *fuse = getenv("CONVOY_FUSE");
    if (fuse == NULL)
        fuse = "auto";
    if (strcmp(fuse, "on") != 0 && strcmp(fuse, "off") != 0 && strcmp(fuse, "auto") != 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "CONVOY_FUSE is '%s'; expected on, off or auto", fuse);
    if (strcmp(fuse, "off") == 0)
        return CONVOY_OK;
    ctx->fused = strcmp(fuse, "on") == 0 ? FUSED_ALWAYS : FUSED_IF_FASTER;
    ctx->fuse_after = FUSE_AFTER;
    if (rt_is_pocl(ctx) && ctx->info.type == CONVOY_DEVICE_CPU)
        ctx->persistent_groups = cores;
    return CONVOY_OK;
}

/* CONVOY_COMPILERS: as many as there are cores, if nothing is said; 1: this process alone. */
static convoy_status choose_compilers(convoy_context *ctx, unsigned cores, convoy_error *err)
{
    const char *text = getenv("CONVOY_COMPILERS");
    char *end = NULL;
    long most = text ? strtol(text, &end, 10) : 0;
    if (text && (end == text || *end != '\0' || most < 1 || most > 1024))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "CONVOY_COMPILERS is '%s'; expected a number of processes from 1 to 1024", text);
    ctx->compilers = most ? (unsigned)most : cores;
    return CONVOY_OK;
}

static convoy_status choose_processes(convoy_context *ctx, convoy_error *err)
{
    unsigned allowed = quota_cpus("/sys/fs/cgroup"), units = ctx->info.compute_units;
    unsigned cores = allowed && allowed < units ? allowed : units;
    TRY(choose_groups(ctx, cores, err));
    return choose_compilers(ctx, cores, err);
}

static convoy_status open_queues(convoy_context *ctx, convoy_error *err)
{
    cl_int code;
    ctx->context = clCreateContext(NULL, 1, &ctx->device, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        return rt_fail(ctx, "clCreateContext", code, err);
    cl_command_queue_properties flags = ctx->profile ? CL_QUEUE_PROFILING_ENABLE : 0;
    ctx->queue = clCreateCommandQueue(ctx->context, ctx->device, flags, &code);
    if (code != CL_SUCCESS)
        return rt_fail(ctx, "clCreateCommandQueue", code, err);
    ctx->transfer = clCreateCommandQueue(ctx->context, ctx->device, 0, &code);
    if (code != CL_SUCCESS)
        return rt_fail(ctx, "clCreateCommandQueue", code, err);
    return CONVOY_OK;
}

/* Tuning records are for vectors of a width. */
static convoy_status choose_vectors(convoy_context *ctx, unsigned wanted, convoy_error *err)
{
    TRY(driver_choose(ctx, err));
    if (wanted)
        ctx->vector_width = wanted;
    if (ctx->vector_width == rt_native_width(ctx))
        return CONVOY_OK;
    rt_records_destroy(ctx);
    records_load(ctx);
    return CONVOY_OK;
}

convoy_status convoy_context_create_sized(const convoy_context_options *options, size_t options_size, convoy_context **out,
                                          convoy_error *err)
{
    convoy_status status;
    TAKE_OPTIONS(convoy_context_options, own, options, options_size, err);
    const convoy_context_options *o = &own;
    TRY(check_options(o, err));
    if (o->gemm != NULL && strcmp(o->gemm, "clblast") == 0)
        TRY(gemm_supported(err));
    convoy_context *ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return OUT_OF_MEMORY(err);
    ctx->profile = o->profile;
    TRY_GOTO(rt_device_select(o->device, &ctx->device, &ctx->info, err));
    rt_ask_gpu(ctx);
    if (o->as != NULL)
        TRY_GOTO(rt_describe(ctx, o->as, err));
    TRY_GOTO(choose_tuning(ctx, o->tuning, err));
    TRY_GOTO(choose_timeout(ctx, o->timeout, err));
    choose_cache(ctx, o->cache_dir);
    choose_kernels(ctx, o);
    TRY_GOTO(choose_processes(ctx, err));
    records_load(ctx);
    TRY_GOTO(query_limits(ctx, err));
    TRY_GOTO(open_queues(ctx, err));
    TRY_GOTO(choose_vectors(ctx, o->vector_width, err));
    *out = ctx;
    return CONVOY_OK;
done:
    convoy_context_destroy(ctx);
    return status;
}

convoy_status rt_context_again(const convoy_context *ctx, convoy_context **out, convoy_error *err)
{
    char device[32];
    snprintf(device, sizeof device, "%d:%d", ctx->info.platform, ctx->info.device);
    return convoy_context_create(&(convoy_context_options){.device = device, .cache_dir = ctx->cache_dir,
                                                           .gemm = ctx->gemm_forced ? ctx->gemm : NULL,
                                                           .variant = ctx->variant_forced ? ctx->variant : NULL,
                                                           .vector_width = ctx->vector_width,
                                                           .tuning = ctx->tuning ? "on" : "off",
                                                           .timeout = ctx->timeout, .as = ctx->described},
                                 out, err);
}

/* A device that does not answer keeps what it has: to release it might be one more wait. */
static void release_queues(convoy_context *ctx)
{
    if (ctx->context)
        rt_wait_begin(ctx, "closing", ctx->info.platform_name, true);
    cl_int transfer = ctx->transfer && !ctx->lost ? clReleaseCommandQueue(ctx->transfer) : CL_SUCCESS;
    cl_int queue = ctx->queue && !ctx->lost ? clReleaseCommandQueue(ctx->queue) : CL_SUCCESS;
    cl_int context = ctx->context && !ctx->lost ? clReleaseContext(ctx->context) : CL_SUCCESS;
    rt_wait_end(ctx); /* so that nobody else tells now */
    rt_tell_status(ctx, "clReleaseCommandQueue", transfer);
    rt_tell_status(ctx, "clReleaseCommandQueue", queue);
    rt_tell_status(ctx, "clReleaseContext", context);
    rt_wait_destroy(ctx);
}

void convoy_context_destroy(convoy_context *ctx)
{
    if (ctx == NULL)
        return;
    /* A driver's threads may still compile or run what was enqueued, as the process ends: PoCL 7 then crashes. */
    if (ctx->queue != NULL && ctx->transfer != NULL)
        rt_settle(ctx);
    gemm_forget(ctx);
    rt_programs_destroy(ctx);
    rt_records_destroy(ctx);
    release_queues(ctx);
    free(ctx);
}

const char *convoy_context_measured(const convoy_context *ctx) { return ctx->driver_ways; }
const convoy_device_info *convoy_context_device(const convoy_context *ctx) { return &ctx->info; }
convoy_counters convoy_context_counters(const convoy_context *ctx) { return ctx->counters; }
bool rt_wants_vectors(const convoy_context *ctx) { return strcmp(ctx->variant, "vec") == 0; }
unsigned rt_vector_width(const convoy_context *ctx) { return ctx->vector_width; }
const char *rt_variant(const convoy_context *ctx) { return ctx->variant; }
const char *rt_gemm(const convoy_context *ctx) { return ctx->gemm; }
bool rt_gemm_forced(const convoy_context *ctx) { return ctx->gemm_forced && strcmp(ctx->gemm, "clblast") == 0; }

bool rt_kernels_forced(const convoy_context *ctx) { return ctx->gemm_forced || ctx->variant_forced; }

bool rt_family_preferred(const convoy_context *ctx, const char *family)
{
    if (strcmp(family, "gemm") == 0)
        return strcmp(ctx->gemm, "clblast") == 0;
    return strcmp(family, "plain") == 0 || strcmp(family, ctx->variant) == 0;
}

bool rt_family_allowed(const convoy_context *ctx, const char *family)
{
    if (strcmp(family, "gemm") == 0 && gemm_supported(NULL) != CONVOY_OK)
        return false;
    bool forced = strcmp(family, "gemm") == 0 ? ctx->gemm_forced : ctx->variant_forced;
    return !forced || rt_family_preferred(ctx, family);
}

size_t rt_alignment(const convoy_context *ctx) { return ctx->alignment; }
size_t rt_max_local_size(const convoy_context *ctx) { return ctx->max_local; }

void convoy_context_on_message(convoy_context *ctx, void (*hook)(void *user, const char *text), void *user)
{
    ctx->on_message = hook;
    ctx->message_user = user;
}

static void pass_message(convoy_context *ctx, const char *format, va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    ctx->on_message(ctx->message_user, text);
}

void rt_message(convoy_context *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (ctx->on_message != NULL)
        pass_message(ctx, format, args);
    va_end(args);
}

void rt_note(convoy_context *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (ctx->on_message != NULL && !ctx->quiet)
        pass_message(ctx, format, args);
    va_end(args);
}
