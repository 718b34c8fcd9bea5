/* Programs that another process compiles, while this one goes on. PoCL compiles under one lock, but keeps what it has compiled in a folder:
 * what a process has compiled there, any other finds at once. The process is convoy-compile (compile_main.c). */
#ifndef RUNTIME_COMPILE_JOB_H
#define RUNTIME_COMPILE_JOB_H

#include "runtime/list.h"

typedef struct compile_job compile_job;
typedef enum compile_state { COMPILE_RUNS, COMPILE_DONE, COMPILE_FAILED } compile_state;

/* A kernel that is compiled with its program, for work-groups of this size: so it must be run, once, on memory of its own that is all 0. */
typedef struct compile_launch {
    const char *kernel;
    cl_uint dims;
    const size_t *global, *local;
    const rt_arg *args;
    int arg_count;
    const rt_buffer *filled; /* has every byte 0x3f instead; NULL: none */
} compile_launch;

convoy_status compile_job_create(convoy_context *ctx, compile_job **out, convoy_error *err);
/* A program, with the context's options, and then just so many launches of it. Arguments have the list's present values. Nothing is copied
 * to the other process but sizes and numbers. */
void compile_job_add(compile_job *job, const char *text, size_t launches);
void compile_job_add_launch(compile_job *job, const rt_list *list, const compile_launch *launch);
/* False: there is no such program, or no process for it. */
bool compile_job_start(compile_job *job);
compile_state compile_job_poll(compile_job *job);
/* How many launches' kernels there are, and are compiled, as the last poll found. */
size_t compile_job_kernels(const compile_job *job);
size_t compile_job_built(const compile_job *job);
/* Ends the process if it still runs. NULL is allowed. */
void compile_job_destroy(compile_job *job);

#endif
