/* Status codes and error texts: what every function that can fail gives back. */
#ifndef CONVOY_ERROR_H
#define CONVOY_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum convoy_status {
    CONVOY_OK = 0,
    CONVOY_ERROR_ARGUMENT,    /* an option or argument that makes no sense; the command exits with 2 */
    CONVOY_ERROR_MEMORY,      /* the host is out of memory */
    CONVOY_ERROR_NO_DEVICE,   /* no OpenCL device, or none (or several) that match; the command exits with 2 */
    CONVOY_ERROR_DEVICE,      /* an OpenCL call failed */
    CONVOY_ERROR_DEVICE_MEMORY, /* the device is out of memory */
    CONVOY_ERROR_BUILD,       /* a kernel does not build; the message has the log and the lines it names */
    CONVOY_ERROR_FILE,        /* a file can't be opened, read or written */
    CONVOY_ERROR_FORMAT,      /* a file was read, but it does not hold what it should */
    CONVOY_ERROR_MODEL,       /* unknown layer, option or activation; shapes that do not fit */
    CONVOY_ERROR_NOT_FINITE,  /* the loss became NaN or infinite */
    CONVOY_ERROR_INTERRUPTED, /* a callback asked to stop */
    CONVOY_ERROR_UNSUPPORTED, /* built without the library that this needs */
    CONVOY_ERROR_NO_PART,     /* a data set is there, but not the part of it that was asked for */
} convoy_status;

/* Text of the last failure. The caller owns it: one on the stack is fine, zero-initialised (`convoy_error err = {0}`).
 * Every `convoy_error *` parameter may be NULL; it is written only on failure, so several calls may share one. */
typedef struct convoy_error {
    convoy_status status;
    char message[8192]; /* names the thing, what was found, what was expected and what to do; no newline at the end */
} convoy_error;

/* Short English name of a status ("no device"). Never NULL. */
const char *convoy_status_name(convoy_status status);

#ifdef __cplusplus
}
#endif
#endif
