/* OpenCL platforms and devices: what there is, which one is chosen, and why others are not. */
#ifndef CONVOY_DEVICE_H
#define CONVOY_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum convoy_device_type {
    CONVOY_DEVICE_OTHER = 0,
    CONVOY_DEVICE_CPU,
    CONVOY_DEVICE_ACCELERATOR,
    CONVOY_DEVICE_GPU,
} convoy_device_type;

/* One row of the list: a device, or (device == -1) a platform that has none. */
typedef struct convoy_device_info {
    int platform, device; /* numbered as clinfo does: `P:D` */
    convoy_device_type type;
    char platform_name[128], name[128], vendor[128];
    char version[128], driver[128], opencl_c[128];
    unsigned compute_units;
    unsigned native_vector_width_float;
    uint64_t global_memory, max_allocation, local_memory; /* bytes */
    bool usable;
    char rejected[256];   /* why not usable; empty when usable */
    bool is_default;
    char why_default[128]; /* "the only GPU", "fastest class here: CPU; the first of 2", ...; empty unless is_default */
} convoy_device_info;

/* Lists every platform and device of the ICD loader, usable or not, in its order.
 * *out is an array of *count rows, freed by the caller with free(). No platform at all is not an error: *count is 0. */
convoy_status convoy_devices_list(convoy_device_info **out, size_t *count, convoy_error *err);

/* "gpu", "cpu", "accelerator" or "other". */
const char *convoy_device_type_name(convoy_device_type type);

/* A device opened for work: its OpenCL context, queue and compiled programs. One thread at a time may use it. */
typedef struct convoy_context convoy_context;

typedef struct convoy_context_options {
    /* `P:D` as clinfo numbers them, `gpu|cpu|accelerator`, or a part of the device's or platform's name (any case).
     * NULL: the environment's CONVOY_DEVICE, else the first device of the fastest class (GPU, accelerator, CPU). */
    const char *device;
    bool profile;            /* time every launch (slower) */
    /* Where compiled programs are kept, and in its folder "tune" what convoy_tune found. NULL: $XDG_CACHE_HOME/convoy; "": nowhere. */
    const char *cache_dir;
    const char *gemm;        /* "clblast", "builtin" or NULL for the choice that suits the device */
    const char *variant;     /* kernel family: "vec", "tile", "plain" or NULL for the choice that suits the device */
    unsigned vector_width;   /* floats in a vector of the _vec kernels (4, 8, 16); 0: the device's native width */
    /* "off": kernels run with their built-in parameters. "on": what was measured counts: by convoy_tune on this device, else what
     * ships for devices of its class. NULL: the environment's CONVOY_TUNING, else on. */
    const char *tuning;
    /* Seconds that a wait for the device may take before it fails with CONVOY_ERROR_DEVICE; the context is then good for nothing but to
     * be destroyed, and what the device holds is not released, because it may still use it. A launch that is long is no fault, nor one
     * that the driver compiles first: so 0 is the environment's CONVOY_TIMEOUT, else as long as it takes. A wait longer than 30
     * seconds, or a quarter of this, is told. */
    double timeout;
    bool quiet;              /* on_message gets warnings only, not that kernels are being built or how a split is made */
    /* One of convoy_described_gpu: everything is chosen as for this GPU, whose description takes the place of the device's. Nothing is
     * built, and nothing can run: it is for convoy_bench_plan. NULL: the device itself. */
    const char *as;
} convoy_context_options;

convoy_status convoy_context_create_sized(const convoy_context_options *options, size_t options_size, convoy_context **out,
                                          convoy_error *err);
/* Opens a device. `options` may be NULL. Errors: CONVOY_ERROR_NO_DEVICE (the message lists what there is).
 * Destroy everything made from the context before the context itself; destroying NULL is allowed. */
static inline convoy_status convoy_context_create(const convoy_context_options *options, convoy_context **out, convoy_error *err)
{
    return convoy_context_create_sized(options, sizeof *options, out, err);
}
void convoy_context_destroy(convoy_context *ctx);

/* The GPUs that convoy_context_options.as knows, by the names that compilers have for them ("gfx1030"); NULL past the end. */
const char *convoy_described_gpu(size_t i);

/* The device behind a context; lives as long as the context. */
const convoy_device_info *convoy_context_device(const convoy_context *ctx);

/* What was measured of the device's driver when it was first used, and what follows from it: "fma VW=8; GFLOP/s: fma 78.1, mad 77.9,
 * elementwise 78.0, VW=4 39.5, VW=16 77.0" is the form of a * b + c and the floats of a vector in the _vec kernels, and how fast each
 * way is. Empty where nothing is measured: other kernel families, tuning off, no cache folder. Lives as long as the context. */
const char *convoy_context_measured(const convoy_context *ctx);

/* What the runtime has done and holds, counted by itself. */
typedef struct convoy_counters {
    uint64_t launches;       /* kernels and library calls run */
    uint64_t commands;       /* enqueued for them: launches that were fused have one together */
    uint64_t allocations;    /* device buffers created */
    uint64_t builds;         /* programs compiled from source */
    uint64_t cache_hits;     /* programs loaded from the disk cache */
    uint64_t reads, writes;  /* copies between host and device */
    uint64_t waits;          /* times the host waited for the device; what times steps on PoCL is not counted */
    uint64_t live_objects;   /* OpenCL objects not yet released (kept programs included, the context and its queues not) */
    uint64_t bytes, peak_bytes; /* device memory allocated now, and at most */
} convoy_counters;

convoy_counters convoy_context_counters(const convoy_context *ctx);

/* A warning hook: the library never prints. `text` is one line without a newline. NULL removes it. That a wait is long is told from
 * another thread, while the caller's is within the call that waits. */
void convoy_context_on_message(convoy_context *ctx, void (*hook)(void *user, const char *text), void *user);

#ifdef __cplusplus
}
#endif
#endif
