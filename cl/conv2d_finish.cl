// Ends a convolution whose sums were split: adds the parts, one result of `count` values after the other, in a fixed order.
//   finish_forward         y[i] = act(bias[i % OC] + sum of parts)
//   finish_backward_data   dx[i] = slope at x[i] * (addend[i] + sum of parts)
// Compile-time: OC USE_BIAS ACTIVATE SLOPE INPUT_SLOPE ADDEND.
#define VW 1
#include "vector.clh"
#include "activation.clh"

inline float sum_parts(global const float *partial, int i, int count, int parts)
{
    float sum = partial[i];
    _Pragma("unroll 8") for (int p = 1; p < parts; p++) sum += partial[p * count + i];
    return sum;
}

kernel void finish_forward(global const float *partial, global const float *bias, global float *y, int parts, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    float sum = sum_parts(partial, i, count, parts);
#if USE_BIAS
    sum += bias[i % OC];
#endif
    y[i] = ACTIVATE(sum);
}

kernel void finish_backward_data(global const float *partial, global const float *x, global const float *addend, global float *dx,
                                 int parts, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    float sum = sum_parts(partial, i, count, parts);
#if ADDEND
    sum += addend[i];
#endif
#if INPUT_SLOPE
    sum *= SLOPE(x[i], x[i]);
#endif
    dx[i] = sum;
}
