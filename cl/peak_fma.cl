// How fast the device multiplies and adds, for `convoy bench`: out[i] = the sum of ACCUMULATORS chains acc = acc * a + b of
// `rounds` * TURNS steps each, which are 2 * VW * ACCUMULATORS * TURNS * rounds flops a work-item.
// a and b are not known to the compiler, every chain starts from a number of its own and ends in the sum: nothing can be left
// out or shared among work-items.
#include "vector.clh"

#ifndef ACCUMULATORS
#define ACCUMULATORS 8 // independent chains: enough to hide the latency of fma, few enough for the registers
#endif
#ifndef TURNS
#define TURNS 16 // steps of each chain in one turn of the loop, so that counting costs nothing
#endif
#ifndef MULTIPLY_ADD
#define MULTIPLY_ADD fma // or mad: where fma is no instruction it may be hundreds of times slower (Rusticl's llvmpipe)
#endif
#define UNROLLED _Pragma("unroll")

kernel void peak_fma(global float *out, float a, float b, int rounds)
{
    int i = get_global_id(0);
    FV acc[ACCUMULATORS];
    UNROLLED for (int k = 0; k < ACCUMULATORS; k++) acc[k] = (FV)(convert_float(i + k));
    for (int r = 0; r < rounds; r++)
        UNROLLED for (int t = 0; t < TURNS; t++)
        {
            UNROLLED for (int k = 0; k < ACCUMULATORS; k++) acc[k] = MULTIPLY_ADD(acc[k], (FV)(a), (FV)(b));
        }
    FV sum = acc[0];
    UNROLLED for (int k = 1; k < ACCUMULATORS; k++) sum += acc[k];
    VSTORE(sum, out + i * VW);
}
