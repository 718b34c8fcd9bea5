/* How the library reports failure: fill the caller's convoy_error, return its status, pass it up. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "convoy/error.h"

/* Fills err (which may be NULL) and returns status. */
convoy_status base_fail(convoy_error *err, convoy_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that err holds already; returns its status. */
convoy_status base_fail_in(convoy_error *err, convoy_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails with CONVOY_ERROR_UNSUPPORTED, for the files called *_none.c: `need` is "images need libpng", `packages` are Debian's. */
convoy_status base_lacks(convoy_error *err, const char *need, const char *packages);

/* Returns from the function when a call fails. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        convoy_status try_status_ = (call);                                                                            \
        if (try_status_ != CONVOY_OK)                                                                                  \
            return try_status_;                                                                                        \
    } while (0)

/* The same for a function with a `status` variable and a `done:` label that cleans up. */
#define TRY_GOTO(call)                                                                                                 \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != CONVOY_OK)                                                                                       \
            goto done;                                                                                                 \
    } while (0)

#define OUT_OF_MEMORY(err) base_fail((err), CONVOY_ERROR_MEMORY, "out of host memory")

#endif
