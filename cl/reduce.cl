// Sums partial results in a fixed order, so that the same run gives the same bits:
//   out[i] = sum over c < CHUNKS of partial[c * STRIDE + FIRST + i], i < COUNT
#include "vector.clh"

kernel void reduce_chunks(global const float *partial, global float *out)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT)
        return;
    if (i + VW <= COUNT) {
        FV sum = VLOAD(partial + FIRST + i);
        for (int c = 1; c < CHUNKS; c++)
            sum += VLOAD(partial + c * STRIDE + FIRST + i);
        VSTORE(sum, out + i);
        return;
    }
    for (; i < COUNT; i++) {
        float sum = partial[FIRST + i];
        for (int c = 1; c < CHUNKS; c++)
            sum += partial[c * STRIDE + FIRST + i];
        out[i] = sum;
    }
}
