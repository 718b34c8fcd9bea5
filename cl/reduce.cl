// Sums partial results in a fixed order, so that the same run gives the same bits:
//   out[i] = sum over c < chunks of partial[c * stride + first + i], i < COUNT
#include "vector.clh"

kernel void reduce_chunks(global const float *partial, global float *out, int chunks, int stride,
                          int first)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT)
        return;
    if (i + VW <= COUNT) {
        FV sum = VLOAD(partial + first + i);
        for (int c = 1; c < chunks; c++)
            sum += VLOAD(partial + c * stride + first + i);
        VSTORE(sum, out + i);
        return;
    }
    for (; i < COUNT; i++) {
        float sum = partial[first + i];
        for (int c = 1; c < chunks; c++)
            sum += partial[c * stride + first + i];
        out[i] = sum;
    }
}
