#include <stdio.h>

#include "layers/layer.h"

/* SIZE_MAX when the product does not fit. */
size_t shape_count(const convoy_shape *shape)
{
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        if (__builtin_mul_overflow(count, (size_t)shape->dim[i], &count))
            return SIZE_MAX;
    return count;
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

int layer_sample_inputs(const layer_class *class, const layer_sample *sample, convoy_shape out[LAYER_MAX_INPUTS])
{
    const convoy_shape *more = class->more_inputs ? class->more_inputs[sample - class->samples] : NULL;
    int count = 1;
    out[0] = sample->input;
    for (; more && count < LAYER_MAX_INPUTS && more[count - 1].rank > 0; count++)
        out[count] = more[count - 1];
    return count;
}
