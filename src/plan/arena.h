/* Places tensors with lifetimes into one piece of memory, so that two share bytes only if they never live together. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

#include "base/error.h"

typedef struct arena_tensor {
    size_t bytes;      /* 0: not wanted */
    int first, last;   /* moments of life, both included */
    size_t offset;     /* result */
} arena_tensor;

static inline size_t arena_round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Sets the offsets, multiples of `alignment`; returns the arena's size in *bytes and in *least the bytes of the tensors that
 * live at the fullest moment. */
convoy_status arena_place(arena_tensor *tensors, size_t count, size_t alignment, size_t *bytes, size_t *least,
                          convoy_error *err);

#endif
