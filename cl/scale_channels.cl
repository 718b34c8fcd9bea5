// y[n][row][c] = x[n][row][c] * factors[n][c]; x (n, ROWS, C). VW divides C; a work-item takes VW values.
#include "vector.clh"

kernel void scale_channels(global const float *x, global const float *factors, global float *y, int count)
{
    int i = get_global_id(0) * VW;
    if (i < count)
        VSTORE(VLOAD(x + i) * VLOAD(factors + i / (ROWS * C) * C + i % C), y + i);
}
