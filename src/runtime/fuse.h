/* Fused ranges of a launch list: several launches as one. Shared by fuse.c and fuse_text.c. */
#ifndef RUNTIME_FUSE_H
#define RUNTIME_FUSE_H

#include "base/text.h"
#include "runtime/compile_job.h"
#include "runtime/list.h"
#include "runtime/rivals.h"

enum {
    FUSE_COUNTER_INTS = 16, /* from one counter of a segment to the next: a cache line */
    FUSE_OWN_ARGS = 2,     /* in front of the launches': the counters, the batch */
};

/* `launches` of [first, last), which are all but those that run once: by one kernel, or a single launch as it is. */
typedef struct segment {
    size_t first, last, launches;
    char *text;       /* of its program, until that is built; NULL: a single launch */
    cl_program program;
    cl_kernel kernel; /* NULL: a single launch */
    rt_arg *args;     /* of the kernel: each different one of its launches' once */
    int arg_count;
    rt_buffer *counters;
} segment;

/* Until a range is ready, its launches are played one by one. */
typedef enum fuse_state { FUSE_WAITS, FUSE_COMPILES, FUSE_READY, FUSE_GIVEN_UP } fuse_state;

struct fused_range { /* launches [first, last) */
    size_t first, last;
    segment *segments;
    size_t count;
    fuse_state state;
    double since;     /* when it was first played; 0: not yet */
    compile_job *job; /* while it compiles */
    rivals ways;      /* play.c: how it is played */
    bool late;        /* it was not ready from the beginning */
    double cpu;       /* clock_cpu_seconds at the start of the block */
    bool timed;       /* is the block? */
    struct fused_range *next;
};

/* The argument's index among the segment's, or -1. */
int fuse_find_arg(const segment *s, const rt_arg *arg);

/* Goes one step on with a range that is not ready, without waiting: play.c asks each time. */
convoy_status fuse_advance(rt_list *list, fused_range *r, convoy_error *err);

/* fuse_text.c: the text of a segment's program; its kernel is called "fused". */
convoy_status fuse_write(const rt_list *list, const segment *s, char **out, convoy_error *err);

#endif
