/* Numbers as Python writes them, for files that Python programs write and read too. */
#ifndef BASE_PYTHON_NUMBER_H
#define BASE_PYTHON_NUMBER_H

#include "base/text.h"

#define PYTHON_NUMBER_SIZE 40

/* repr(value): the shortest digits that read back as the same double; returns out. */
const char *python_repr(double value, char out[PYTHON_NUMBER_SIZE]);

/* A named value for a format. */
typedef struct python_value {
    const char *name;
    double value;
    bool whole; /* an int */
} python_value;

/* str.format: "best-{epoch:02d}-{val_loss:.2f}.keras". Fields: a name, then [0][width][.precision] and d, f, F, e, E, g, G or %;
 * {{ and }} are braces. Errors: CONVOY_ERROR_ARGUMENT names the field and what is known. The caller frees *out. */
convoy_status python_format(const char *format, const python_value *values, size_t count, char **out, convoy_error *err);

#endif
