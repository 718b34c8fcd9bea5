/* Shared by program.c, bundle.c and build_log.c. */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

#include "base/text.h"
#include "runtime/internal.h"

/* -cl-kernel-arg-info is for the checks of rt_list_add. Without -cl-denorms-are-zero: with it PoCL 6.0 calls a function for each
 * vector's fma, which takes six times as long; the kernels keep no subnormal numbers themselves (FLUSHED in cl/vector.clh). */
#define FIXED_OPTIONS "-cl-std=CL1.2 -w -cl-kernel-arg-info"

/* Fails with CONVOY_ERROR_BUILD: what was built and for which device, the compiler's log, the lines of `text` it names. */
convoy_status build_fail(const convoy_context *ctx, const char *what, const char *options, const char *text,
                         const char *log, cl_int code, convoy_error *err);

/* `what`, for messages: "cl/dense.cl". */
convoy_status program_build_from_source(convoy_context *ctx, const char *what, const char *options, const char *text,
                                        cl_program *out, convoy_error *err);
/* After a build from source: says once a context that building takes a while, as soon as it has, and whether it will again. */
void program_built(convoy_context *ctx, program_keeper keeper);
/* Other processes build so many kernels now, which the driver keeps: says so once a context. */
void program_building(convoy_context *ctx, size_t kernels);
/* PoCL keeps what it compiled itself, unless it was told not to: then nothing need be compiled a second time for a binary. */
bool program_kept_by_driver(const convoy_context *ctx);
/* NULL when the cache has no program that this driver takes: then the source is built. */
cl_program program_build_from_cache(convoy_context *ctx, const char *text, const char *options);
/* Best effort: a driver that hands out no binary only costs the cache. False: it is not kept. */
bool program_keep_binary(convoy_context *ctx, cl_program program, const char *text, const char *options);
/* Appends to the context's list; takes the program. */
convoy_status program_remember(convoy_context *ctx, const char *source, const char *options, cl_program program,
                               const char *prefix, convoy_error *err);
/* Options are -DNAME=VALUE or -DNAME, separated by spaces: of others a joint program would know nothing. */
convoy_status program_check_options(const char *source, const char *options, convoy_error *err);
/* Fails: cl/ has no such file. */
convoy_status program_no_kernel(const char *source, convoy_error *err);
/* NULL when the context has not built it. */
const rt_program *program_known(const convoy_context *ctx, const char *source, const char *options);

/* bundle.c: a unit's `source` between the definitions of its options and the removal of all that it defined; its names begin with
 * "u<number>_". */
void bundle_add_unit(text *t, const rt_unit *unit, const char *source, size_t number);
/* Builds a text that was put together here, or finds it in the cache; `what` is for the message of a failure. Takes the text. */
convoy_status bundle_program(convoy_context *ctx, const char *what, char *joint, cl_program *out, convoy_error *err);

/* Stores the binaries of the bundles built so far. Late, because PoCL compiles every kernel once more to hand out a binary:
 * not while the user waits for the first step. */
void bundle_keep_binaries(convoy_context *ctx);

#endif
