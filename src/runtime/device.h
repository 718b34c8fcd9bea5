/* The rows behind convoy_devices_list, with OpenCL's own handles; and the choice among them. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "runtime/internal.h"

typedef struct device_row {
    convoy_device_info info;
    cl_device_id id; /* NULL for a platform without a device */
} device_row;

/* Every platform and device; *out is freed with free(). The row that an unnamed device would get is marked as default. */
convoy_status device_rows_list(device_row **out, size_t *count, convoy_error *err);

/* CONVOY_DEVICE, or NULL when it is unset or empty. */
const char *device_environment(void);

/* Marks the default row, if there is one: what CONVOY_DEVICE names, else the first of the fastest class. */
void device_rows_mark_default(device_row *rows, size_t count);

/* The row that `selector` names; `origin` says in errors where it comes from ("device", the option, or "CONVOY_DEVICE"). */
convoy_status device_rows_match(const device_row *rows, size_t count, const char *selector, const char *origin,
                                size_t *index, convoy_error *err);

#endif
