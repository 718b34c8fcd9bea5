/* What the device can do at most, measured by kernels made for that: what bench holds others against. */
#ifndef RUNTIME_PEAK_H
#define RUNTIME_PEAK_H

#include "runtime/runtime.h"

typedef struct rt_peak {
    double flops;   /* float32 multiply-adds from registers, two flops each, a second */
    double bytes;   /* read or written a second by the triad z = x + s * y, on arrays larger than caches are */
    double launch;  /* seconds from one launch of an empty kernel to the next */
} rt_peak;

/* Takes a second or two and, meanwhile, at most a quarter of the device's memory. The context must not profile. */
convoy_status rt_peak_measure(convoy_context *ctx, rt_peak *out, convoy_error *err);

/* What a work-item of peak_fma does in `rounds` rounds of RT_PEAK_TURNS: `accumulators` chains of `width` floats. */
enum { RT_PEAK_TURNS = 16 };
double rt_peak_fma_flops(unsigned width, int accumulators, int rounds);

#endif
