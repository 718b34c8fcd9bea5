/* The runtime room: device memory, programs and launches, without a trace of OpenCL's own types. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "convoy/device.h"

/* ---- what the device is like ---- */

/* True when the device prefers explicit vectors in one work-item (CPUs); false when it vectorises across work-items. */
bool rt_wants_vectors(const convoy_context *ctx);
unsigned rt_vector_width(const convoy_context *ctx);  /* floats; 4, 8 or 16 */
const char *rt_variant(const convoy_context *ctx);    /* "vec", "tile" or "plain": the kernel family in force */
const char *rt_gemm(const convoy_context *ctx);       /* "clblast" or "builtin" */
bool rt_gemm_forced(const convoy_context *ctx);       /* clblast, because the user said so */
bool rt_kernels_forced(const convoy_context *ctx);    /* a family of kernels or the GEMM, because the user said so */
/* Families of kernels: "vec", "tile", "plain", and "gemm" for CLBlast. Preferred: what runs untuned; "plain" is the last resort of
 * each. Allowed: what a record may choose; what the user forced leaves nothing else. */
bool rt_family_preferred(const convoy_context *ctx, const char *family);
bool rt_family_allowed(const convoy_context *ctx, const char *family);
size_t rt_alignment(const convoy_context *ctx);       /* bytes that a slice's offset must be a multiple of */
size_t rt_max_local_size(const convoy_context *ctx);  /* work-items */
/* How a GPU runs work-groups: the device, or the GPU that the context was described as. */
typedef struct rt_gpu {
    unsigned lanes;       /* work-items of a sub-group, of which a work-group takes whole ones */
    unsigned registers;   /* floats that a work-item keeps in registers at most */
    unsigned group_units; /* compute units, as the driver counts them, that run a work-group together */
    bool tell_lanes;      /* its compiler takes wider sub-groups, with fewer registers for each work-item, unless a kernel says `lanes` */
} rt_gpu;
const rt_gpu *rt_gpu_of(const convoy_context *ctx);
/* Is the device only described (convoy_context_options.as)? Lists then have their launches, but nothing is built and none can be played. */
bool rt_is_described(const convoy_context *ctx);
void rt_message(convoy_context *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of what changes no result, which a quiet context keeps to itself. */
void rt_note(convoy_context *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- tuning records: what was measured to be best for a problem on this device ----
 * Text keys and text values. Three sources are asked in this order: what was set in this context; the user's file for this device,
 * driver, vector width and version of Convoy (in "tune" in the cache folder); the file that ships for the class of device (in "tune"
 * in the data folder). With tuning off only the first counts. */

/* Opens the device once more, with the same options: what is built there is what another process would build. */
convoy_status rt_context_again(const convoy_context *ctx, convoy_context **out, convoy_error *err);

/* The class of device that shipped records are for: "cpu-16" (a CPU, by the width of its vectors in floats: 4, 8 or 16),
 * "gpu-nvidia", "gpu-amd", "gpu-intel", "gpu" (of another vendor). */
const char *rt_device_class(const convoy_context *ctx);

/* The value of a key, NULL when there is none; valid until a record changes. */
const char *rt_record_find(const convoy_context *ctx, const char *key);
/* Hands `take` the values that may do for a key until it takes one (true): from each source the key's own; then, where the key ends
 * in a number ("... batch 64"), those of keys that are the same but for it, the nearest first (by ratio, up to a factor of 4);
 * then that of the key `general`, unless NULL. */
typedef bool rt_record_taker(void *user, const char *value);
bool rt_record_choose(const convoy_context *ctx, const char *key, const char *general, rt_record_taker *take, void *user);
/* Sets, or with a NULL value forgets, a record in this context; nothing is written to disk. */
convoy_status rt_record_set(convoy_context *ctx, const char *key, const char *value, convoy_error *err);
unsigned long rt_record_changes(const convoy_context *ctx); /* calls of it, so far */

/* What the tuner finds out joins the user's records; rt_records_save writes it. */
convoy_status rt_record_learn(convoy_context *ctx, const char *key, const char *value, double microseconds,
                              convoy_error *err);
/* A value that ran too long or did not work: no later run tries it. */
convoy_status rt_record_mark_bad(convoy_context *ctx, const char *key, const char *value, convoy_error *err);
bool rt_record_is_bad(const convoy_context *ctx, const char *key, const char *value);
/* Adds what was learned to the user's file; `path` gets its name, "" where the context has no cache folder. */
convoy_status rt_records_save(const convoy_context *ctx, char *path, size_t size, convoy_error *err);

typedef struct rt_record {
    const char *key, *value;
    double microseconds;
} rt_record;
/* Writes records for the device's class, as they ship; adds to those that the file has. `how` they were measured is noted. */
convoy_status rt_records_export(const convoy_context *ctx, const char *path, const char *how, const rt_record *items,
                                size_t count, convoy_error *err);

/* Parameters of a kernel of CLBlast's: "XgemmDirect", "WGD=8 MDIMCD=8 ...". A record of the key "clblast XgemmDirect" has such values;
 * it is applied before a context's first GEMM. */
typedef struct rt_gemm_setting {
    const char *kernel, *values;
} rt_gemm_setting;
/* Those that are worth trying, kernel by kernel; NULL past the end. */
const rt_gemm_setting *rt_gemm_setting_at(size_t i);
void rt_gemm_key(const char *kernel, char *out, size_t size);
/* For this device and the whole process: CLBlast keeps them itself, and there is no way back to its own. */
convoy_status rt_gemm_set(convoy_context *ctx, const char *kernel, const char *values, convoy_error *err);

/* ---- device memory ---- */

typedef struct rt_buffer rt_buffer;

/* `what` names the buffer in errors ("activations"). Contents are undefined. */
convoy_status rt_buffer_create(convoy_context *ctx, size_t bytes, const char *what, rt_buffer **out, convoy_error *err);
/* A window of a buffer (not of a slice): offset a multiple of rt_alignment. Destroy it before its parent. */
convoy_status rt_buffer_slice(rt_buffer *parent, size_t offset, size_t bytes, rt_buffer **out, convoy_error *err);
void rt_buffer_destroy(rt_buffer *buffer);
size_t rt_buffer_bytes(const rt_buffer *buffer);
/* Sets the counter peak_bytes, at least to what is allocated now: 0 to start anew. */
void rt_set_peak_bytes(convoy_context *ctx, uint64_t bytes);

/* Blocking copies; fill sets every float, for set-up. They wait for what was enqueued before. */
convoy_status rt_buffer_write(rt_buffer *buffer, size_t offset, const void *data, size_t bytes, convoy_error *err);
convoy_status rt_buffer_read(rt_buffer *buffer, size_t offset, void *data, size_t bytes, convoy_error *err);
convoy_status rt_buffer_fill(rt_buffer *buffer, float value, convoy_error *err);

/* A copy to the device that runs beside the kernels. `data` stays untouched until the transfer's end was waited for.
 * It starts after `after` (may be NULL) is done; *done is an event for rt_event_wait or rt_list_play. */
typedef struct rt_event rt_event;
convoy_status rt_buffer_write_async(rt_buffer *buffer, const void *data, size_t bytes, const rt_event *after,
                                    rt_event **done, convoy_error *err);

/* ---- events and waiting ---- */

/* An event that is done when everything enqueued so far is. */
convoy_status rt_marker(convoy_context *ctx, rt_event **out, convoy_error *err);
/* Makes what is enqueued from now on wait, on the device, for the event. */
convoy_status rt_barrier(convoy_context *ctx, const rt_event *event, convoy_error *err);
convoy_status rt_event_wait(convoy_context *ctx, rt_event *event, convoy_error *err);
void rt_event_destroy(rt_event *event);
/* Waits for everything. */
convoy_status rt_finish(convoy_context *ctx, convoy_error *err);
/* The same in front of a release of what launches and copies may still use; a failure is told, unless the device was lost before. */
void rt_settle(convoy_context *ctx);

/* ---- a list of launches: decided once, played every step ---- */

typedef struct rt_list rt_list;

#define RT_RATES 8

/* Values that change from step to step. */
typedef enum rt_variable {
    RT_VAR_FIRST,  /* int: position of the batch's first row in the order of rows */
    RT_VAR_ROW,    /* int: the same, also where the batch was sent by itself and RT_VAR_FIRST is 0 */
    RT_VAR_STEP,   /* int: index of the step in the epoch, where its metrics go */
    RT_VAR_UPDATES, /* int: updates that the optimizer had done before this step, a resumed run's earlier ones included */
    RT_VAR_RATE,   /* float: the optimizer's step size, the first of RT_RATES numbers that it may set */
    RT_VAR_COUNT = RT_VAR_RATE + RT_RATES
} rt_variable;

typedef enum rt_arg_kind {
    RT_ARG_BUFFER,
    RT_ARG_INT,
    RT_ARG_FLOAT,
    RT_ARG_BATCH,     /* int: images in this batch x i */
    RT_ARG_INVERSE,   /* float: 1 / images in this batch */
    RT_ARG_VARIABLE,  /* one of rt_variable */
    RT_ARG_SWITCHED,  /* a buffer out of several: rt_list_switch chooses */
    RT_ARG_LOCAL,     /* i bytes of local memory */
} rt_arg_kind;

typedef struct rt_arg {
    rt_arg_kind kind;
    const rt_buffer *buffer;
    const rt_buffer *const *switched; /* two of them */
    int i;
    float f;
} rt_arg;

#define RT_BUFFER(b) ((rt_arg){.kind = RT_ARG_BUFFER, .buffer = (b)})
#define RT_INT(v) ((rt_arg){.kind = RT_ARG_INT, .i = (v)})
#define RT_FLOAT(v) ((rt_arg){.kind = RT_ARG_FLOAT, .f = (v)})
#define RT_BATCH(times) ((rt_arg){.kind = RT_ARG_BATCH, .i = (times)})
#define RT_INVERSE_BATCH ((rt_arg){.kind = RT_ARG_INVERSE})
#define RT_VARIABLE(v) ((rt_arg){.kind = RT_ARG_VARIABLE, .i = (v)})
#define RT_SWITCHED(two) ((rt_arg){.kind = RT_ARG_SWITCHED, .switched = (two)})

/* One dimension of an NDRange: `fixed` work-items, or ceil(batch x per_image / divide); rounded up to the local size. */
typedef struct rt_extent {
    size_t fixed, per_image, divide;
} rt_extent;

#define RT_FIXED(n) ((rt_extent){.fixed = (n)})
#define RT_PER_IMAGE(n, d) ((rt_extent){.per_image = (n), .divide = (d)})

#define RT_MAX_ARGS 16

/* A kernel launch. Strings are copied. */
typedef struct rt_launch {
    const char *label;   /* "conv2d_1 forward": in profiles and errors */
    const char *source;  /* file in cl/ without its ending */
    const char *kernel;  /* kernel in it */
    const char *variant; /* what was chosen and how, for bench: "vec PIXELS=13 VECTORS=2"; may be NULL */
    const char *options; /* -D options of the build */
    rt_arg args[RT_MAX_ARGS];
    int arg_count;
    rt_extent global[3]; /* unused dimensions stay zero */
    size_t local[3];     /* zero: the runtime chooses */
    double flops_per_image, flops, bytes_per_image, bytes; /* work done, for bench */
    bool once;           /* what it gives lasts: only the first play after rt_list_renew runs it */
} rt_launch;

/* Appends an argument. */
static inline void rt_push(rt_launch *launch, rt_arg arg)
{
    if (launch->arg_count < RT_MAX_ARGS)
        launch->args[launch->arg_count++] = arg;
}

/* Row-major C = A.B: A is m x k (or k x m, transpose_a), B is k x n (or n x k, transpose_b).
 * A size of -1 is the batch. Runs CLBlast's Sgemm. */
typedef struct rt_gemm_launch {
    const char *label;
    const rt_buffer *a, *b, *c;
    bool transpose_a, transpose_b;
    int m, n, k;
} rt_gemm_launch;

convoy_status rt_list_create(convoy_context *ctx, int batch, rt_list **out, convoy_error *err);
void rt_list_destroy(rt_list *list);
/* Appends a list's launches: called by rt_list_compile. */
typedef convoy_status rt_list_writer(void *user, rt_list *list, convoy_error *err);
/* Has the launches appended with their programs compiled as one, which is much faster than one by one. `write` is called twice: the
 * first time additions only note what they need, and give nothing. Programs that do not build as one are told and built one by one. */
convoy_status rt_list_compile(rt_list *list, rt_list_writer *write, void *user, convoy_error *err);
/* Its steps, for who does not want all of them: has the needs noted; compiles what was noted. */
convoy_status rt_list_collect(rt_list *list, rt_list_writer *write, void *user, convoy_error *err);
convoy_status rt_list_build(rt_list *list, convoy_error *err);
/* Until rt_try_end, programs are built only to be tried: they are not kept on disk, and the user is not told about building.
 * rt_try_forget lets go of those that were built since rt_try_mark; lists made of them stay whole. */
void rt_try_begin(convoy_context *ctx);
void rt_try_end(convoy_context *ctx);
const void *rt_try_mark(const convoy_context *ctx);
void rt_try_forget(convoy_context *ctx, const void *mark);
/* Builds (or finds) the program, checks the arguments' number and types, appends. A work-group that the built kernel does not
 * allow is halved until it fits, or, where the kernel has a required size, refused with CONVOY_ERROR_DEVICE. */
convoy_status rt_list_add(rt_list *list, const rt_launch *launch, convoy_error *err);
convoy_status rt_list_add_gemm(rt_list *list, const rt_gemm_launch *gemm, convoy_error *err);
/* Appends a device-side copy (bytes_per_image x batch) or a fill of the whole buffer with zeros. */
convoy_status rt_list_add_copy(rt_list *list, const char *label, const rt_buffer *from, const rt_buffer *to,
                               size_t bytes_per_image, convoy_error *err);

/* Between plays: images of the batch (at most what the list was created with), variables, switched buffers. */
convoy_status rt_list_set_batch(rt_list *list, int batch, convoy_error *err);
convoy_status rt_list_set_int(rt_list *list, rt_variable variable, int value, convoy_error *err);
convoy_status rt_list_set_float(rt_list *list, rt_variable variable, float value, convoy_error *err);
convoy_status rt_list_switch(rt_list *list, int which, convoy_error *err);

/* Who wants to know which problems an operation with a choice of kernels appends: `hook` gets its own description of each, for
 * convolutions a const conv_job *. Told while collecting, too. */
typedef void rt_problem_hook(void *user, const void *problem);
void rt_list_watch(rt_list *list, rt_problem_hook *hook, void *user);
void rt_list_tell(rt_list *list, const void *problem);

size_t rt_list_length(const rt_list *list);
/* Takes the launches from `length` on out again. */
void rt_list_cut(rt_list *list, size_t length);
const char *rt_list_label(const rt_list *list, size_t i);
/* A launch as it was added, with its range for the present batch. Texts live as long as the list; empty where there is none. */
typedef struct rt_launch_row {
    const char *label, *source, *kernel, *variant, *options;
    size_t global[3], local[3]; /* 0 past the last dimension; local 0: the driver chooses */
} rt_launch_row;
void rt_list_launch(const rt_list *list, size_t i, rt_launch_row *out);
/* From now on rt_list_play of just these launches enqueues them as one, or as few as the device's driver allows, unless launches are
 * timed. Their results are the same. For ranges that are played often: it compiles their kernels once more. Nothing while a list
 * collects, so a writer may end with it. */
convoy_status rt_list_fuse(rt_list *list, size_t first, size_t last, convoy_error *err);
/* Another process compiles for it, once the range has been played for so many seconds from its first play; below 0: rt_list_fuse does it
 * itself, while its caller waits. Returns what was so before. */
double rt_fuse_after(convoy_context *ctx, double seconds);
/* Before a play: what launches that run once give is no longer so, because the parameters changed or somebody used the memory. */
void rt_list_renew(rt_list *list);
/* Enqueues launches [first, last): no allocation, build, copy or wait. */
convoy_status rt_list_play(rt_list *list, size_t first, size_t last, convoy_error *err);

/* ---- profiles (context created with profile = true, or switched to it) ---- */

bool rt_profiles(const convoy_context *ctx);
/* From now on launches are timed, or no longer. Programs, buffers and lists stay as they are. Waits for the device. */
convoy_status rt_set_profile(convoy_context *ctx, bool profile, convoy_error *err);

typedef struct rt_profile_row {
    const char *label, *source, *kernel, *variant; /* live as long as the list; variant: "" where there is no choice */
    uint64_t count;
    double seconds;       /* sum over count */
    double flops, bytes;  /* sum over count */
} rt_profile_row;

/* Row i of the list's launches since the list was created. Waits for the device. */
convoy_status rt_list_profile(rt_list *list, size_t i, rt_profile_row *out, convoy_error *err);

#endif
