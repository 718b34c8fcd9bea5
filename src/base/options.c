#include "base/options.h"

#include <stdbool.h>
#include <string.h>

#include "convoy/version.h"

convoy_status base_options_take(void *own, size_t own_size, const void *given, size_t given_size, const char *type,
                                convoy_error *err)
{
    const unsigned char *bytes = given;
    size_t known = given_size < own_size ? given_size : own_size;
    bool unknown = false;
    memset(own, 0, own_size);
    if (given == NULL)
        return CONVOY_OK;
    for (size_t i = known; i < given_size; i++)
        unknown = unknown || bytes[i] != 0;
    if (unknown)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: an option is set that this library, Convoy %s, does not have yet: the program "
                         "was built with the headers of a later version (%zu bytes, here %zu)", type, CONVOY_VERSION, given_size,
                         own_size);
    memcpy(own, given, known);
    return CONVOY_OK;
}
