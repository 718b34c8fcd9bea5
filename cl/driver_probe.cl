// How fast a driver's ways to multiply and add are (src/runtime/driver_probe.c): work-item i runs CHAINS chains acc = acc * a + b of
// `rounds` * TURNS steps each by one way, and leaves their sum from out[16 * i] on. One kernel has them all, because most of what a
// kernel takes to compile is the same for every kernel.
#include "fma.clh"

#ifndef NATIVE
#define NATIVE 8 // floats of the device's vectors
#endif
#define CHAINS 8 // independent: enough to hide the latency of fma, few enough for the registers
#define TURNS 2
#define UNROLLED _Pragma("unroll")

#define RUN(WIDTH, FORM)                                                                                               \
    {                                                                                                                  \
        float##WIDTH acc[CHAINS];                                                                                      \
        UNROLLED for (int k = 0; k < CHAINS; k++) acc[k] = (float##WIDTH)(convert_float(i + k));                       \
        for (int r = 0; r < rounds; r++)                                                                               \
            UNROLLED for (int t = 0; t < TURNS; t++)                                                                   \
            {                                                                                                          \
                UNROLLED for (int k = 0; k < CHAINS; k++) acc[k] = FORM(acc[k], (float##WIDTH)(a), (float##WIDTH)(b)); \
            }                                                                                                          \
        float##WIDTH sum = acc[0];                                                                                     \
        UNROLLED for (int k = 1; k < CHAINS; k++) sum += acc[k];                                                       \
        vstore##WIDTH(sum, 0, out + 16 * i);                                                                           \
    }

#define RUN_OF(WIDTH, FORM) RUN(WIDTH, FORM)

// The last digit of `way` is the form, what stands before it the floats of a vector.
kernel void driver_probe(global float *out, float a, float b, int rounds, int way)
{
    int i = get_global_id(0);
    if (way == 40)
        RUN(4, fma)
    else if (way == 80)
        RUN(8, fma)
    else if (way == 160)
        RUN(16, fma)
    else if (way == NATIVE * 10 + 1)
        RUN_OF(NATIVE, mad)
    else if (way == NATIVE * 10 + 2)
        RUN_OF(NATIVE, ELEMENTWISE_FMA)
}
