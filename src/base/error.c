#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *convoy_status_name(convoy_status status)
{
    switch (status) {
    case CONVOY_OK: return "ok";
    case CONVOY_ERROR_ARGUMENT: return "bad argument";
    case CONVOY_ERROR_MEMORY: return "out of memory";
    case CONVOY_ERROR_NO_DEVICE: return "no device";
    case CONVOY_ERROR_DEVICE: return "device error";
    case CONVOY_ERROR_DEVICE_MEMORY: return "out of device memory";
    case CONVOY_ERROR_BUILD: return "kernel build failed";
    case CONVOY_ERROR_FILE: return "file error";
    case CONVOY_ERROR_FORMAT: return "bad format";
    case CONVOY_ERROR_MODEL: return "bad model";
    case CONVOY_ERROR_NOT_FINITE: return "loss is not finite";
    case CONVOY_ERROR_INTERRUPTED: return "interrupted";
    case CONVOY_ERROR_UNSUPPORTED: return "unsupported";
    case CONVOY_ERROR_NO_PART: return "no such part";
    }
    return "unknown status";
}

convoy_status base_fail(convoy_error *err, convoy_status status, const char *format, ...)
{
    if (err == NULL)
        return status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    err->status = status;
    return status;
}

convoy_status base_fail_in(convoy_error *err, convoy_status status, const char *format, ...)
{
    if (err == NULL)
        return status;
    char prefix[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    size_t n = strlen(prefix);
    size_t room = sizeof err->message - 1;
    size_t kept = strlen(err->message);
    if (kept > room - n - 2)
        kept = room - n - 2;
    memmove(err->message + n + 2, err->message, kept);
    memcpy(err->message, prefix, n);
    memcpy(err->message + n, ": ", 2);
    err->message[n + 2 + kept] = '\0';
    return status;
}

convoy_status base_lacks(convoy_error *err, const char *need, const char *packages)
{
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "%s, which this build lacks; install %s (Debian's names) and build again", need, packages);
}
