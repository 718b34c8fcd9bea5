/* numpy's .npy format: a header that is a Python dict, then the values. */
#ifndef DATA_NPY_H
#define DATA_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define NPY_MOST_RANK 8

typedef struct npy {
    char kind;           /* numpy's: 'u' unsigned, 'i' signed, 'f' float, 'b' bool */
    int bytes;           /* of a value: 1, 2, 4, 8; floats 2, 4 or 8 */
    int rank;
    size_t dim[NPY_MOST_RANK];
    size_t count;        /* of values */
    const uint8_t *data; /* in the text that was read; not aligned */
} npy;

/* Reads the header of `size` bytes, versions 1 to 3. C order, little-endian numbers; anything else is refused by name.
 * Messages do not name the file. */
convoy_status npy_parse(const uint8_t *bytes, size_t size, npy *out, convoy_error *err);
/* The same of a file of `size` bytes of which only the first ones, NPY_HEAD or all, are at hand. */
#define NPY_HEAD (65536 + 12)
convoy_status npy_parse_head(const uint8_t *bytes, size_t held, size_t size, npy *out, convoy_error *err);

/* Value `index` as a number; integers beyond 2^53 lose digits. */
double npy_value(const npy *array, size_t index);

/* "uint8 (100, 28, 28)" */
const char *npy_text(const npy *array, char *out, size_t size);

#endif
