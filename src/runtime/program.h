/* Shared by program.c and build_log.c. */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

#include "runtime/internal.h"

/* Fails with CONVOY_ERROR_BUILD: what was built and for which device, the compiler's log, the lines of `text` it names. */
convoy_status build_fail(const convoy_context *ctx, const char *source, const char *options, const char *text,
                         const char *log, cl_int code, convoy_error *err);

#endif
