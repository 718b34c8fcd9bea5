/* Reads the part of Python's pickle format that data sets are stored in: dicts, lists, tuples, numbers, strings and arrays
 * of bytes from numpy. Nothing is called and no code runs: what names any other class or function is refused. */
#ifndef DATA_PICKLE_H
#define DATA_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_STRING, /* str or bytes: Python 2 does not tell them apart */
    PICKLE_LIST,
    PICKLE_TUPLE,
    PICKLE_DICT,
    PICKLE_NAME,   /* a class or function: one of the few known ones */
    PICKLE_DTYPE,  /* numpy.dtype */
    PICKLE_ARRAY,  /* numpy.ndarray of uint8, in C order */
} pickle_kind;

typedef struct pickle_value pickle_value;
struct pickle_value {
    pickle_kind kind;
    int64_t integer;            /* INT, BOOL; NAME: which one; DTYPE: non-zero when it is uint8 */
    const uint8_t *bytes;       /* STRING, ARRAY: in the text that was read */
    size_t size;
    const pickle_value **items; /* LIST, TUPLE; DICT: keys and values in turn; ARRAY: its shape, as INTs */
    size_t count, capacity;
    pickle_value *next;         /* all values of a pickle are chained, to be freed */
};

typedef struct pickle pickle;

/* Reads `size` bytes; they must outlive the pickle. Messages do not name the file.
 * Errors: CONVOY_ERROR_FORMAT (what was found at which byte), CONVOY_ERROR_MEMORY. */
convoy_status pickle_read(const uint8_t *bytes, size_t size, pickle **out, convoy_error *err);
void pickle_free(pickle *p);

const pickle_value *pickle_root(const pickle *p);

/* The value of a key; NULL when there is none, or `dict` is no dict. */
const pickle_value *pickle_get(const pickle_value *dict, const char *key);

/* "a list", for messages; NULL is "nothing". */
const char *pickle_kind_text(const pickle_value *value);

#endif
