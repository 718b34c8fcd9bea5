/* Structs of options from callers that may be older or newer than the library: see convoy/version.h. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stddef.h>

#include "base/error.h"

/* Copies the `given` struct (NULL: none, all zeros) of `given_size` bytes, as its caller's headers have it, into the library's own.
 * What an older caller does not know is zero. CONVOY_ERROR_ARGUMENT when a newer one set what the library does not know. */
convoy_status base_options_take(void *own, size_t own_size, const void *given, size_t given_size, const char *type,
                                convoy_error *err);

/* Defines `name`, the library's own copy of `given`. Returns from the function when that fails. */
#define TAKE_OPTIONS(type, name, given, given_size, err)                                                               \
    type name;                                                                                                         \
    do {                                                                                                               \
        convoy_status taken_ = base_options_take(&name, sizeof name, given, given_size, #type, err);                   \
        if (taken_ != CONVOY_OK)                                                                                       \
            return taken_;                                                                                             \
    } while (0)

#endif
