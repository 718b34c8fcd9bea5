// Ends a convolution whose sums were split: adds the parts, one result of `count` values after the other, in a fixed order.
//   y[i] = bias[i % OC] + sum of parts, with USE_BIAS, and what epilogue.clh does to that
#define VW 1
#include "vector.clh"
#include "epilogue.clh"

inline float sum_parts(global const float *partial, int i, int count, int parts)
{
    float sum = partial[i];
    _Pragma("unroll 8") for (int p = 1; p < parts; p++) sum += partial[p * count + i];
    return sum;
}

kernel void conv2d_finish(global const float *partial, global const float *bias, global float *y, int parts, int count EPILOGUE_ARGS)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    float sum = sum_parts(partial, i, count, parts);
#if USE_BIAS
    sum += bias[i % OC];
#endif
    y[i] = FINISH(sum, i);
}
