// Pooling over whole images: x and dx (n, PIXELS, C), y and dy (n, C). MAXIMUM (1: maximum, 0: average).
//   average:  y = sum x / PIXELS                                   dx = dy / PIXELS
//   maximum:  y = max x                                            dx = dy / times y is in x, where x == y; else 0
// A work-item takes VW channels of one image. NaN wins, and its gradient is NaN.
#include "vector.clh"

#define VECTORS ((C + VW - 1) / VW)

kernel void global_pool2d_forward(global const float *restrict x, global float *restrict y, int vectors)
{
    int i = get_global_id(0);
    if (i >= vectors)
        return;
    int n = i / VECTORS;
    int c = i % VECTORS * VW;
    int own = C - c; // channels, if fewer than VW
    x += n * PIXELS * C + c;
    FV value = load_part(x, own);
    for (int p = 1; p < PIXELS; p++) {
        FV next = load_part(x + p * C, own);
#if MAXIMUM
        value = select(value, next, isgreater(next, value) | isnan(next));
#else
        value += next;
#endif
    }
    store_part(MAXIMUM ? value : value / (float)PIXELS, y + n * C + c, own);
}

// x and y are read for the maximum alone.
kernel void global_pool2d_backward(global const float *restrict x, global const float *restrict y,
                                   global const float *restrict dy, global float *restrict dx, int vectors)
{
    int i = get_global_id(0);
    if (i >= vectors)
        return;
    int n = i / VECTORS;
    int c = i % VECTORS * VW;
    int own = C - c; // channels, if fewer than VW
    FV gradient = load_part(dy + n * C + c, own);
    dx += n * PIXELS * C + c;
#if MAXIMUM
    FV top = load_part(y + n * C + c, own), times = (FV)0.0f;
    x += n * PIXELS * C + c;
    for (int p = 0; p < PIXELS; p++)
        times += select((FV)0.0f, (FV)1.0f, isequal(load_part(x + p * C, own), top));
    for (int p = 0; p < PIXELS; p++)
        store_part(gradient * (select((FV)0.0f, (FV)1.0f, isequal(load_part(x + p * C, own), top)) / times), dx + p * C, own);
#else
    for (int p = 0; p < PIXELS; p++)
        store_part(gradient / (float)PIXELS, dx + p * C, own);
#endif
}
