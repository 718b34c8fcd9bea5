/* What the files of the runtime room share. Only this room sees OpenCL's types. */
#ifndef RUNTIME_INTERNAL_H
#define RUNTIME_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include "runtime/records.h"
#include "runtime/runtime.h"

enum { RT_PREFIX = 24 };

/* A compiled program, kept for the life of its context. */
typedef struct rt_program {
    char *source, *options; /* the key */
    cl_program program;
    char prefix[RT_PREFIX]; /* rt_bundle_prefix: of its kernels' names: programs that were built together share one cl_program */
    struct rt_program *next;
} rt_program;

/* Who keeps a compiled program for the next start. */
typedef enum program_keeper { KEPT_HERE, KEPT_BY_DRIVER, KEPT_NOWHERE } program_keeper;

/* Launches enqueued since the host last waited for all. The labels are the lists' own. */
typedef struct rt_work {
    const char *first, *last;
    size_t launches;
} rt_work;

struct convoy_context {
    convoy_device_info info;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;    /* in order: all the work */
    cl_command_queue transfer; /* in order: copies that run beside it */
    bool profile, used_gemm;
    char cache_dir[1024];      /* empty: no disk cache */
    char gemm[16], variant[16];
    bool gemm_forced, variant_forced; /* by the caller */
    bool tuning;               /* the records of files count */
    unsigned persistent_groups; /* work-groups of a persistent kernel (rt_list_fuse), at most; 0: launches are not fused */
    enum { FUSED_IF_FASTER, FUSED_ALWAYS, FUSED_IN_TURNS } fused; /* how fused ranges are played: play.c; the last is for tests */
    unsigned compilers;        /* processes that compile at once, at most */
    double fuse_after;         /* seconds of single launches before a fused range is compiled; below 0: as it is made */
    const struct fused_range *played; /* the last one */
    bool trying;               /* programs are built to be tried, not kept: see rt_try_begin */
    rt_records records[RECORDS_SOURCES];
    unsigned long record_changes;
    unsigned vector_width;
    char build_options[128];   /* of every program: FIXED_OPTIONS, and what driver_probe.c chose */
    char driver_ways[RECORD_VALUE]; /* what it measured, for the eye; empty: nothing */
    size_t alignment, max_local; /* bytes, work-items */
    rt_gpu gpu;
    const char *described;     /* convoy_context_options.as */
    rt_program *programs;
    struct rt_pending *pending; /* binaries to keep when the context goes */
    convoy_counters counters;
    double build_seconds;      /* spent on compiling from source so far */
    bool build_told;
    program_keeper keeper;     /* of what was compiled: the least sure one */
    rt_work work;
    double timeout;            /* seconds that a wait for the device may take; 0: as long as it takes */
    bool lost;                 /* one took longer: what was enqueued may still run, so nothing is released any more */
    bool watch_tried;
    struct rt_watch *watch;    /* wait.c; NULL: no wait yet, or no thread for it */
    void (*on_message)(void *user, const char *text);
    void *message_user;
    bool quiet;                /* rt_note says nothing */
};

struct rt_buffer {
    convoy_context *ctx;
    cl_mem mem, root; /* root: what clCreateBuffer made, of a slice too; mem: what commands get */
    size_t offset, bytes; /* offset: in root */
    bool slice;
    char what[64];
};

struct rt_event {
    convoy_context *ctx;
    cl_event event;
};

/* context.c: is the driver PoCL? */
bool rt_is_pocl(const convoy_context *ctx);
unsigned rt_native_width(const convoy_context *ctx); /* of a vector, in floats: 4, 8 or 16 */

/* Of the platform's OpenCL; "" where the driver does not tell, whose own version is then all there is. */
void rt_platform_version(const convoy_context *ctx, char *out, size_t size);

/* "CL_INVALID_WORK_GROUP_SIZE" for -54; never NULL. */
const char *rt_cl_error(cl_int code);

/* Fails with "clFoo: CL_BAR (-54)" and the device's name; out-of-memory codes get CONVOY_ERROR_DEVICE_MEMORY. */
convoy_status rt_fail(const convoy_context *ctx, const char *call, cl_int code, convoy_error *err);

/* Runs an OpenCL call that returns its code. */
#define CL_TRY(ctx, function, ...)                                                                                     \
    do {                                                                                                               \
        cl_int cl_code_ = function(__VA_ARGS__);                                                                       \
        if (cl_code_ != CL_SUCCESS)                                                                                    \
            return rt_fail((ctx), #function, cl_code_, err);                                                           \
    } while (0)

/* Releases an object, unless there is none or its device is lost: that might be one more wait. A refusal is told, since nobody could do
 * anything about it. */
#define CL_RELEASE(ctx, function, object)                                                                              \
    do {                                                                                                               \
        if ((object) != NULL && !(ctx)->lost)                                                                          \
            rt_tell_status((ctx), #function, function(object));                                                        \
    } while (0)
void rt_tell_status(convoy_context *ctx, const char *call, cl_int code); /* unless it is CL_SUCCESS */

/* wait.c. Around each call that may block, so that one that is long is told: "still <doing> <name> after ...". `device`: it waits for
 * what was enqueued, not for the compiler. Neither costs more than a clock and a lock. */
void rt_wait_begin(convoy_context *ctx, const char *doing, const char *name, bool device);
void rt_wait_end(convoy_context *ctx);
/* In front of them: waits for all of a queue, or for an event, if there is a limit, and fails when that is over (ctx->lost). */
convoy_status rt_wait_queue(convoy_context *ctx, cl_command_queue queue, const char *doing, const char *name, convoy_error *err);
convoy_status rt_wait_limited(convoy_context *ctx, cl_event event, const char *doing, const char *name, convoy_error *err);
convoy_status rt_wait_failed(convoy_context *ctx, cl_event event, const char *name, cl_int code, convoy_error *err);
void rt_wait_destroy(convoy_context *ctx);

/* The same as CL_TRY for a call that waits for the device. */
#define CL_WAIT(ctx, doing, name, function, ...)                                                                       \
    do {                                                                                                               \
        rt_wait_begin((ctx), (doing), (name), true);                                                                   \
        cl_int cl_code_ = function(__VA_ARGS__);                                                                       \
        rt_wait_end(ctx);                                                                                              \
        if (cl_code_ != CL_SUCCESS)                                                                                    \
            return rt_fail((ctx), #function, cl_code_, err);                                                           \
    } while (0)

/* gemm.c: is CLBlast there? If not, says what to install. In front of a context's end: CLBlast would hold it, and free its programs after
 * the driver is gone. */
convoy_status gemm_supported(convoy_error *err);
void gemm_forget(convoy_context *ctx);

/* device.c: the OpenCL device that `selector` (may be NULL: environment, then default) names. */
convoy_status rt_device_select(const char *selector, cl_device_id *out, convoy_device_info *info, convoy_error *err);

/* described.c: the context becomes that of a described GPU; or asks the driver how its GPU runs work-groups. */
convoy_status rt_describe(convoy_context *ctx, const char *name, convoy_error *err);
void rt_ask_gpu(convoy_context *ctx);

/* program.c: the built program of a file in cl/ (name without ending) with the given -D options; built at most once a
 * context, from the disk cache where it has it. */
convoy_status rt_program_get(convoy_context *ctx, const char *source, const char *options, cl_program *out,
                             convoy_error *err);
void rt_programs_destroy(convoy_context *ctx);
/* The same, with the prefix of the kernels' names. */
convoy_status rt_program_find(convoy_context *ctx, const char *source, const char *options, const rt_program **out,
                              convoy_error *err);

/* bundle.c: several programs compiled as one, because each compilation has a fixed cost of a tenth of a second and more. */
typedef struct rt_unit {
    char *source, *options; /* owned */
} rt_unit;
typedef struct rt_units {
    rt_unit *items;
    size_t count;
} rt_units;
/* Notes a program to build, unless the context or the list has it. */
convoy_status rt_units_add(const convoy_context *ctx, rt_units *units, const char *source, const char *options,
                           convoy_error *err);
/* The same, built or not. */
convoy_status rt_units_note(rt_units *units, const char *source, const char *options, convoy_error *err);
size_t rt_units_find(const rt_units *units, const char *source, const char *options); /* their count: it is not there */
void rt_units_clear(rt_units *units);
/* Builds them all as one program, on PoCL. If that does not build it is told and nothing is kept: they are built one by one later. */
convoy_status rt_bundle_build(convoy_context *ctx, const rt_units *units, convoy_error *err);
/* The text of that program; the prefix of a unit's names in it. */
convoy_status rt_bundle_text(const rt_units *units, char **out, convoy_error *err);
void rt_bundle_prefix(size_t unit, char out[RT_PREFIX]);
/* On disk: has the driver compiled the text before, with the kernels that Convoy runs? */
bool rt_bundle_marked(const convoy_context *ctx, const char *text);
void rt_bundle_mark(const convoy_context *ctx, const char *text); /* best effort: else it is compiled by a process once more */

/* records.c */
void rt_records_destroy(convoy_context *ctx);

/* program_cache.c: binaries on disk, keyed by source text, options, device and driver. A miss, a corrupt or a stale entry
 * gives NULL; storing is best effort and atomic (two processes may share the folder). */
unsigned char *rt_cache_load(const convoy_context *ctx, const char *text, const char *options, size_t *size);
bool rt_cache_store(const convoy_context *ctx, const char *text, const char *options, const unsigned char *binary,
                    size_t size); /* false: it is not stored */

/* kernels.c, generated from cl/ at build time: the text of a file, its includes expanded; NULL when there is none. */
const char *rt_kernel_source(const char *name);
/* What that text defines, separated by spaces: its macros, or its functions and types. */
const char *rt_kernel_defined(const char *name, int macros);
/* May its launches be fused? A file whose kernels know work-groups says so: docs/kernel-contract.md. */
int rt_kernel_fuses(const char *name);

#endif
