// Enlarges images (n, H, W, C) to (n, H*FH, W*FW, C).
//   nearest:   y[oy][ox] = x[oy/FH][ox/FW]                         dx = sum of dy over its FH x FW copies
//   BILINEAR:  y[oy][ox] = mean of the four pixels around, weighted by nearness; pixels' centres lie at the halves, and those
//              outside repeat the border: along one axis output o lies at (2o + 1 - F) / 2F
//
// _plain: one value a work-item. _vec: a work-item takes one row of pixels, all channels in vectors of VW.
// FORWARD chooses the pass.
#include "vector.clh"
#include "channels.clh"

#define OH (H * FH)
#define OW (W * FW)

#if BILINEAR
// The neighbours of output o along an axis of n pixels enlarged by f, and the share of the second.
inline int first_of(int o, int f) { return max((2 * o + 1 + f) / (2 * f) - 1, 0); }
inline int second_of(int o, int f, int n) { return min((2 * o + 1 + f) / (2 * f), n - 1); }
inline float share_of(int o, int f) { return (float)((2 * o + 1 + f) % (2 * f)) / (float)(2 * f); }

// The share of input i in output o.
inline float weight(int i, int o, int f, int n)
{
    float share = share_of(o, f);
    return (first_of(o, f) == i ? 1.0f - share : 0.0f) + (second_of(o, f, n) == i ? share : 0.0f);
}
#endif

#ifdef FORWARD
#define ROWS OH
#define COLUMNS OW
#define PIXEL(y, x) VLOAD(from + ((n * H + (y)) * W + (x)) * C + c)
inline FV sampled(global const float *from, int n, int oy, int ox, int c)
{
#if BILINEAR
    int top = first_of(oy, FH), bottom = second_of(oy, FH, H);
    int left = first_of(ox, FW), right = second_of(ox, FW, W);
    float down = share_of(oy, FH), across = share_of(ox, FW);
    FV upper = PIXEL(top, left) + (PIXEL(top, right) - PIXEL(top, left)) * across;
    FV lower = PIXEL(bottom, left) + (PIXEL(bottom, right) - PIXEL(bottom, left)) * across;
    return upper + (lower - upper) * down;
#else
    return PIXEL(oy / FH, ox / FW);
#endif
}
#else
#define ROWS H
#define COLUMNS W
// Bilinear: an input reaches outputs from the middle of the pixel before it to the middle of the pixel behind it.
#define REACH BILINEAR
inline FV sampled(global const float *from, int n, int iy, int ix, int c)
{
    FV sum = (FV)0.0f;
    for (int oy = max(iy - REACH, 0) * FH; oy < min(iy + REACH + 1, H) * FH; oy++)
        for (int ox = max(ix - REACH, 0) * FW; ox < min(ix + REACH + 1, W) * FW; ox++) {
            FV gradient = VLOAD(from + ((n * OH + oy) * OW + ox) * C + c);
#if BILINEAR
            float share = weight(iy, oy, FH, H) * weight(ix, ox, FW, W);
            gradient = share > 0.0f ? gradient * share : (FV)0.0f;
#endif
            sum += gradient;
        }
    return sum;
}
#endif

#if VW == 1
kernel void up_sampling2d_plain(global const float *from, global float *to, int count)
{
    int i = get_global_id(0);
    if (i < count)
        to[i] = sampled(from, i / (C * COLUMNS * ROWS), i / (C * COLUMNS) % ROWS, i / C % COLUMNS, i % C);
}
#else
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void up_sampling2d_vec(global const float *restrict from, global float *restrict to, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    for (int x = 0; x < COLUMNS; x++)
        for (int v = 0; v < VECTORS; v++)
            VSTORE(sampled(from, row / ROWS, row % ROWS, x, CHANNEL(v)), to + (row * COLUMNS + x) * C + CHANNEL(v));
}
#endif
