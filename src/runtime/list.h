/* Inside of a launch list, shared by list.c, launch_args.c, order.c, fuse.c, play.c, gemm.c and profile.c. */
#ifndef RUNTIME_LIST_H
#define RUNTIME_LIST_H

#include "runtime/internal.h"

typedef struct fused_range fused_range;

typedef enum item_kind { ITEM_KERNEL, ITEM_GEMM, ITEM_COPY } item_kind;

typedef struct gemm_item {
    rt_gemm_launch launch;
    cl_mem temporary; /* NULL: CLBlast needs none for this shape */
    size_t temporary_bytes;
} gemm_item;

typedef struct list_item {
    item_kind kind;
    char *label, *source, *options, *kernel_name, *variant;
    double flops_per_image, flops, bytes_per_image, bytes;
    /* ITEM_KERNEL */
    cl_kernel kernel;
    rt_arg args[RT_MAX_ARGS];
    int arg_count;
    rt_extent extent[3];
    size_t global[3], local[3];
    cl_uint dims;
    bool once, done; /* done: since the last renewal */
    unsigned written; /* a bit for each argument that the kernel may write to */
    /* ITEM_GEMM */
    gemm_item gemm;
    /* ITEM_COPY */
    const rt_buffer *from, *to;
    size_t bytes_each;
    /* profile */
    cl_event event;
    double pending_flops, pending_bytes;
    rt_profile_row profile;
} list_item;

/* A launch that was noted while its list collected: what compiles its kernel may need to run it. */
typedef struct noted_launch {
    size_t unit; /* of rt_list.wanted */
    char kernel[64];
    rt_arg args[RT_MAX_ARGS];
    int arg_count;
    rt_extent extent[3];
    size_t local[3];
} noted_launch;

struct rt_list {
    convoy_context *ctx;
    int max_batch, batch, which;
    int warmed[8]; /* batch sizes whose GEMMs have been run once, so that no step builds */
    list_item *items;
    size_t count, capacity;
    bool collecting;
    fused_range *fused; /* ranges that are played as fewer launches */
    rt_units wanted; /* programs noted while collecting */
    noted_launch *noted; /* of these, and their count */
    size_t noted_count;
    rt_problem_hook *watch;
    void *watch_user;
    int ints[RT_VAR_COUNT];
    float floats[RT_VAR_COUNT];
};

/* launch_args.c: "int", "float", "global" or "local". */
const char *list_arg_type(const rt_arg *arg);
/* Checks a kernel's arguments by number, kind and type; sets those that `which` selects. */
convoy_status list_check_args(const rt_list *list, const list_item *item, convoy_error *err);
typedef enum arg_set { ARGS_ALL, ARGS_BATCH, ARGS_VARIABLE, ARGS_SWITCHED } arg_set;
convoy_status list_set_args(const rt_list *list, cl_kernel kernel, const rt_arg *args, int count, arg_set which,
                            convoy_error *err);

/* gemm.c, or gemm_none.c. */
convoy_status gemm_prepare(const rt_list *list, list_item *item, convoy_error *err);
convoy_status gemm_play(const rt_list *list, list_item *item, cl_event *event, convoy_error *err);
void gemm_release(const rt_list *list, list_item *item);
/* gemm_settings.c: before a context's first GEMM. */
void gemm_apply_records(convoy_context *ctx);

/* order.c: notes which arguments a kernel may write to. */
void order_note_written(list_item *item);
/* Do they share memory that one of them may write to? Of anything but kernels nothing is known. */
bool order_conflict(const list_item *a, const list_item *b);
enum { ORDER_LAUNCHES = 64 }; /* at most that order_waits can tell apart: a bit each */
/* waits[l] gets a bit for each launch that launch l of [first, last), counted without those that run once, waits for: the latest that it
 * conflicts with, and those that these have not waited for. At most ORDER_LAUNCHES; returns how many. */
size_t order_waits(const rt_list *list, size_t first, size_t last, uint64_t *waits);

/* build_apart.c: notes a launch of one of the wanted programs; builds these, in several processes where that is faster; forgets both. */
convoy_status list_note(rt_list *list, const rt_launch *launch, convoy_error *err);
convoy_status list_build(rt_list *list, convoy_error *err);
void list_forget_noted(rt_list *list);

/* list.c: work-items in a dimension for the present batch, rounded up to the local size. */
size_t list_range(const rt_list *list, const rt_extent *extent, size_t local);

/* fuse.c: the range that plays just these launches, or NULL; sets the arguments that `which` selects; drops all ranges. */
fused_range *fuse_find(const rt_list *list, size_t first, size_t last);
convoy_status fuse_set_args(const rt_list *list, arg_set which, convoy_error *err);
void fuse_forget(rt_list *list);

/* profile.c: adds the finished event to the item's row. */
convoy_status profile_collect(const rt_list *list, list_item *item, convoy_error *err);

#endif
