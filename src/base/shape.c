#include "base/shape.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

size_t shape_count(const convoy_shape *shape)
{
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        if (__builtin_mul_overflow(count, (size_t)shape->dim[i], &count))
            return SIZE_MAX;
    return count;
}

bool shape_equal(const convoy_shape *a, const convoy_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

const char *shape_text(const convoy_shape *shape, char *out, size_t size)
{
    int used = snprintf(out, size, "(None");
    for (int i = 0; i < shape->rank && used >= 0 && (size_t)used < size; i++)
        used += snprintf(out + used, size - (size_t)used, ", %d", shape->dim[i]);
    if (used >= 0 && (size_t)used < size)
        snprintf(out + used, size - (size_t)used, shape->rank == 0 ? ",)" : ")");
    return out;
}
