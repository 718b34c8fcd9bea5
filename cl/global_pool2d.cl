// Pooling over whole images: x and dx (n, PIXELS, C), y and dy (n, C). MAXIMUM (1: maximum, 0: average).
//   average:  y = sum x / PIXELS                                   dx = dy / PIXELS
//   maximum:  y = max x                                            dx = dy / times y is in x, where x == y; else 0
// A work-item takes VW channels of one image, C >= VW; the last vector is moved back to end with the last channel. NaN wins, and
// its gradient is NaN.
#include "vector.clh"
#include "channels.clh"

kernel void global_pool2d_forward(global const float *restrict x, global float *restrict y, int vectors)
{
    int i = get_global_id(0);
    if (i >= vectors)
        return;
    int n = i / VECTORS;
    int c = CHANNEL(i % VECTORS);
    x += n * PIXELS * C + c;
    FV value = VLOAD(x);
    for (int p = 1; p < PIXELS; p++) {
        FV next = VLOAD(x + p * C);
#if MAXIMUM
        value = select(value, next, isgreater(next, value) | isnan(next));
#else
        value += next;
#endif
    }
    VSTORE(MAXIMUM ? value : value / (float)PIXELS, y + n * C + c);
}

// x and y are read for the maximum alone.
kernel void global_pool2d_backward(global const float *restrict x, global const float *restrict y,
                                   global const float *restrict dy, global float *restrict dx, int vectors)
{
    int i = get_global_id(0);
    if (i >= vectors)
        return;
    int n = i / VECTORS;
    int c = CHANNEL(i % VECTORS);
    FV gradient = VLOAD(dy + n * C + c);
    dx += n * PIXELS * C + c;
#if MAXIMUM
    FV top = VLOAD(y + n * C + c), times = (FV)0.0f;
    x += n * PIXELS * C + c;
    for (int p = 0; p < PIXELS; p++)
        times += select((FV)0.0f, (FV)1.0f, isequal(VLOAD(x + p * C), top));
    for (int p = 0; p < PIXELS; p++)
        VSTORE(gradient * (select((FV)0.0f, (FV)1.0f, isequal(VLOAD(x + p * C), top)) / times), dx + p * C);
#else
    for (int p = 0; p < PIXELS; p++)
        VSTORE(gradient / (float)PIXELS, dx + p * C);
#endif
}
