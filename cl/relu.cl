// Keras's ReLU layer in full, as Keras computes it:
//   v = x > THRESHOLD ? x : 0;   v = clamp(v, 0, MAX_VALUE) when HAS_MAX;   y = v - NEGATIVE_SLOPE * max(THRESHOLD - x, 0)
// over `count` floats, a vector a work-item.
#include "vector.clh"

kernel void relu_forward(global const float *x, global float *y, int count)
{
    int i = get_global_id(0) * VW;
    if (i >= count)
        return;
    FV v = load_part(x + i, count - i);
    FV r = select(v, (FV)0.0f, islessequal(v, (FV)THRESHOLD));
#if HAS_MAX
    r = select(r, (FV)0.0f, isless(r, (FV)0.0f)); // not clamp, which would hide NaN
    r = select(r, (FV)MAX_VALUE, isgreater(r, (FV)MAX_VALUE));
#endif
    store_part(r - NEGATIVE_SLOPE * fmax(THRESHOLD - v, (FV)0.0f), y + i, count - i);
}

kernel void relu_backward(global const float *x, global const float *dy, global float *dx, int count)
{
    int i = get_global_id(0) * VW;
    if (i >= count)
        return;
    FV v = load_part(x + i, count - i);
    FV slope = select((FV)0.0f, (FV)1.0f, isgreater(v, (FV)THRESHOLD));
#if HAS_MAX
    slope = select(slope, (FV)0.0f, isless(v, (FV)0.0f));
    // Where Keras's ReLU is its relu6 (RELU6), the slope at 6 is 0.
    slope = select(slope, (FV)0.0f, RELU6 ? isgreaterequal(v, (FV)MAX_VALUE) : isgreater(v, (FV)MAX_VALUE));
#endif
    // At the kink Keras takes the left slope where its ReLU is a plain leaky one (LEAKY), and none otherwise.
    slope += select((FV)0.0f, (FV)NEGATIVE_SLOPE, LEAKY ? islessequal(v, (FV)THRESHOLD) : isless(v, (FV)THRESHOLD));
    store_part(load_part(dy + i, count - i) * slope, dx + i, count - i);
}
