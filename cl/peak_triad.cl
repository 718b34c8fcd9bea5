// How fast the device's memory is, for `convoy bench`: z = x + scale * y, the triad of McCalpin's STREAM benchmark. A
// work-item does BLOCK vectors that lie behind each other: 12 * VW * BLOCK bytes read or written.
#include "vector.clh"

#ifndef BLOCK
#define BLOCK 1 // vectors of a work-item
#endif

kernel void peak_triad(global const float *restrict x, global const float *restrict y, global float *restrict z,
                       float scale)
{
    size_t at = get_global_id(0) * BLOCK * VW;
    for (int k = 0; k < BLOCK; k++, at += VW)
        VSTORE(fma(VLOAD(y + at), (FV)(scale), VLOAD(x + at)), z + at);
}
