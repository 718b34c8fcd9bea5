/* GPUs that Convoy knows by description, so that what would be chosen for one can be seen where there is none; and how a GPU's
 * work-groups run, asked of its driver where that tells. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "runtime/internal.h"

#define KIB ((uint64_t)1024)
#define GIB (KIB * KIB * KIB)

typedef struct described_gpu {
    const char *name; /* as compilers call it */
    const char *title, *vendor;
    unsigned units;   /* as its driver counts them: Intel's execution units, AMD's pairs of compute units from gfx1010 on */
    uint64_t local_memory, global_memory;
    size_t max_local; /* work-items */
    rt_gpu how;
} described_gpu;

/* A thread of Intel's has 128 registers of 32 bytes, of 64 from Ponte Vecchio on: 128 floats for each work-item of the narrowest sub-group.
 * Under pressure its compiler takes that on the older ones; on Ponte Vecchio it takes 32 work-items and spills. */
static const described_gpu gpus[] = {
    {"skl", "Intel HD Graphics 530", "Intel", 24, 64 * KIB, 6 * GIB, 256, {8, 128, 8, false}},
    {"tgllp", "Intel Iris Xe Graphics", "Intel", 96, 64 * KIB, 6 * GIB, 512, {8, 128, 16, false}},
    {"dg2", "Intel Arc A770", "Intel", 512, 64 * KIB, 16 * GIB, 1024, {8, 128, 16, false}},
    {"pvc", "Intel Data Center GPU Max, one tile", "Intel", 512, 128 * KIB, 64 * GIB, 1024, {16, 128, 8, true}},
    {"gfx906", "AMD Radeon VII", "AMD", 60, 64 * KIB, 16 * GIB, 256, {64, 256, 1, false}},
    {"gfx1030", "AMD Radeon RX 6800 XT", "AMD", 36, 64 * KIB, 16 * GIB, 256, {32, 256, 1, false}},
    {"gfx1100", "AMD Radeon RX 7900 XTX", "AMD", 48, 64 * KIB, 24 * GIB, 256, {32, 256, 1, false}},
    {"sm_75", "NVIDIA GeForce RTX 2080", "NVIDIA", 46, 48 * KIB, 8 * GIB, 1024, {32, 255, 1, false}},
    {"sm_90", "NVIDIA H100", "NVIDIA", 132, 48 * KIB, 80 * GIB, 1024, {32, 255, 1, false}},
};
enum { GPUS = sizeof gpus / sizeof *gpus };

const char *convoy_described_gpu(size_t i) { return i < GPUS ? gpus[i].name : NULL; }

static convoy_status fail_name(const char *name, convoy_error *err)
{
    char list[160] = "";
    for (size_t i = 0; i < GPUS; i++) {
        strcat(list, i ? ", " : "");
        strcat(list, gpus[i].name);
    }
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "described GPU '%s' is not known; known: %s", name, list);
}

convoy_status rt_describe(convoy_context *ctx, const char *name, convoy_error *err)
{
    const described_gpu *g = gpus;
    while (g < gpus + GPUS && strcmp(g->name, name) != 0)
        g++;
    if (g == gpus + GPUS)
        return fail_name(name, err);
    convoy_device_info *info = &ctx->info;
    ctx->described = g->name;
    ctx->gpu = g->how;
    ctx->max_local = g->max_local;
    info->type = CONVOY_DEVICE_GPU;
    text_copy(info->name, sizeof info->name, g->title);
    text_copy(info->vendor, sizeof info->vendor, g->vendor);
    text_copy(info->driver, sizeof info->driver, "none: described");
    text_copy(info->platform_name, sizeof info->platform_name, "described");
    info->compute_units = g->units;
    info->native_vector_width_float = 1;
    info->local_memory = g->local_memory;
    info->global_memory = g->global_memory;
    info->max_allocation = g->global_memory / 4;
    return CONVOY_OK;
}

/* ---- a device that is there ---- */

/* cl_intel_required_subgroup_size, cl_intel_device_attribute_query, cl_amd_device_attribute_query, cl_nv_device_attribute_query */
enum { SUB_GROUP_SIZES_INTEL = 0x4108, EUS_PER_SUB_SLICE_INTEL = 0x4254, WAVEFRONT_AMD = 0x4043, WARP_NV = 0x4003 };

/* 0 where the driver does not know the question. */
static unsigned ask(const convoy_context *ctx, cl_device_info what)
{
    cl_uint value = 0;
    return clGetDeviceInfo(ctx->device, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static bool is_of(const convoy_context *ctx, const char *vendor)
{
    return strncasecmp(ctx->info.vendor, vendor, strlen(vendor)) == 0;
}

static rt_gpu intel_gpu(const convoy_context *ctx)
{
    size_t sizes[8] = {0}, bytes = 0;
    bool mesa = strcmp(ctx->info.platform_name, "rusticl") == 0; /* it counts sub-slices */
    unsigned units = mesa ? 1 : ask(ctx, EUS_PER_SUB_SLICE_INTEL);
    rt_gpu g = {.lanes = 8, .registers = 128, .group_units = units ? units : 8};
    if (clGetDeviceInfo(ctx->device, SUB_GROUP_SIZES_INTEL, sizeof sizes, sizes, &bytes) == CL_SUCCESS && bytes > 0 && sizes[0] > 0)
        g.lanes = (unsigned)sizes[0]; /* the narrowest comes first */
    g.tell_lanes = g.lanes > 8;
    return g;
}

void rt_ask_gpu(convoy_context *ctx)
{
    unsigned lanes = 0;
    ctx->gpu = (rt_gpu){.lanes = 32, .registers = 255, .group_units = 1};
    if (is_of(ctx, "Intel") && ctx->info.type == CONVOY_DEVICE_GPU)
        ctx->gpu = intel_gpu(ctx);
    if (is_of(ctx, "NVIDIA"))
        lanes = ask(ctx, WARP_NV);
    if (is_of(ctx, "Advanced Micro Devices") || is_of(ctx, "AMD"))
        lanes = ask(ctx, WAVEFRONT_AMD);
    if (lanes > 0)
        ctx->gpu.lanes = lanes;
}

const rt_gpu *rt_gpu_of(const convoy_context *ctx) { return &ctx->gpu; }
bool rt_is_described(const convoy_context *ctx) { return ctx->described != NULL; }
