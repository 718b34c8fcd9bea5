/* The safetensors format: a little-endian uint64, the length of a JSON object, padded with spaces, that says of each tensor its kind,
 * shape and place; then their data, one behind the other, little-endian, row-major. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "convoy/model.h"

typedef enum safetensors_kind { SAFETENSORS_F32, SAFETENSORS_F64, SAFETENSORS_F16, SAFETENSORS_BF16 } safetensors_kind;

typedef struct safetensors_entry {
    const char *name;     /* the file's */
    const json_t *shape;  /* checked: a list of sizes */
    safetensors_kind kind;
    size_t count;         /* values */
    size_t first, end;    /* bytes behind the header */
    bool used;            /* the reader's own mark */
} safetensors_entry;

typedef struct safetensors_file {
    json_t *header;
    const unsigned char *data;  /* behind the header; the caller's memory */
    size_t size;
    safetensors_entry *entries; /* in the order of their data */
    size_t count;
} safetensors_file;

/* Reads and checks the header: all data must be there, without overlaps and gaps. `bytes` must outlive the file. */
convoy_status safetensors_parse(const void *bytes, size_t size, safetensors_file *out, convoy_error *err);
void safetensors_free(safetensors_file *file);

/* NULL when there is none of that name. */
safetensors_entry *safetensors_find(const safetensors_file *file, const char *name);
/* The entry's values as float32, rounded to nearest from F64; `out` has room for its count. */
void safetensors_values(const safetensors_file *file, const safetensors_entry *entry, float *out);

/* ---- what weights in other files have in common with these ---- */

/* How many values a shape has that must be a list of sizes; those that can't be counted are refused. */
convoy_status safetensors_read_shape(const json_t *shape, size_t *count, convoy_error *err);
/* Is that the shape that the model needs? `name` is for the message. */
convoy_status safetensors_check_shape(const char *name, const json_t *found, const convoy_shape *needed, convoy_error *err);
/* IEEE half precision: 1 sign bit, 5 of the exponent, 10 of the fraction. */
float safetensors_half(uint32_t bits);

#endif
