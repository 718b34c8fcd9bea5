// Average pooling. x and dx (n, H, W, C), y and dy (n, OH, OW, C), window PH x PW, strides SH x SW, PT rows and PL columns of
// padding, which does not count: the sum is divided by the number of real cells.
//   forward:  y[oy][ox] = sum of the window's cells / cells        backward: dx = sum of dy / cells over the windows that cover it
//
// _plain: one value a work-item. _vec: a work-item takes one row of pixels, all channels in vectors of VW.
// FORWARD chooses the pass.
#include "vector.clh"
#include "channels.clh"

// Cells of the window at position o of an axis of n cells: window p, stride s, padding before it.
inline int cells(int o, int n, int p, int s, int before) { return min(o * s - before + p, n) - max(o * s - before, 0); }

#ifdef FORWARD
#define ROWS OH
#define COLUMNS OW
inline FV pooled(global const float *x, int n, int oy, int ox, int c)
{
    int y_first = max(oy * SH - PT, 0), y_end = min(oy * SH - PT + PH, H);
    int x_first = max(ox * SW - PL, 0), x_end = min(ox * SW - PL + PW, W);
    FV sum = (FV)0.0f;
    for (int iy = y_first; iy < y_end; iy++)
        for (int ix = x_first; ix < x_end; ix++)
            sum += VLOAD(x + ((n * H + iy) * W + ix) * C + c);
    return sum / (float)((y_end - y_first) * (x_end - x_first));
}
#else
#define ROWS H
#define COLUMNS W
inline FV pooled(global const float *dy, int n, int iy, int ix, int c)
{
    int y = iy + PT, x = ix + PL;
    int first_y = y < PH ? 0 : (y - PH) / SH + 1;
    int first_x = x < PW ? 0 : (x - PW) / SW + 1;
    FV sum = (FV)0.0f;
    for (int oy = first_y; oy < OH && oy * SH <= y; oy++)
        for (int ox = first_x; ox < OW && ox * SW <= x; ox++)
            sum += VLOAD(dy + ((n * OH + oy) * OW + ox) * C + c) /
                   (float)(cells(oy, H, PH, SH, PT) * cells(ox, W, PW, SW, PL));
    return sum;
}
#endif

#if VW == 1
kernel void avg_pool2d_plain(global const float *from, global float *to, int count)
{
    int i = get_global_id(0);
    if (i < count)
        to[i] = pooled(from, i / (C * COLUMNS * ROWS), i / (C * COLUMNS) % ROWS, i / C % COLUMNS, i % C);
}
#else
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void avg_pool2d_vec(global const float *restrict from, global float *restrict to, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    for (int x = 0; x < COLUMNS; x++)
        for (int v = 0; v < VECTORS; v++)
            VSTORE(pooled(from, row / ROWS, row % ROWS, x, CHANNEL(v)), to + (row * COLUMNS + x) * C + CHANNEL(v));
}
#endif
