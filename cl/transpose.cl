// Swaps the last two axes of weights: out[k][b][a] = in[k][a][b], k < taps, a < rows, b < columns.
#include "transpose_4x4.clh"

// Neighbouring work-items write neighbouring values.
kernel void transpose(global const float *in, global float *out, int taps, int rows, int columns)
{
    int i = get_global_id(0);
    if (i >= taps * rows * columns)
        return;
    int a = i % rows;
    int b = i / rows % columns;
    int k = i / (rows * columns);
    out[i] = in[(k * rows + a) * columns + b];
}

// For CPUs: a work-item moves 16 rows of tap get_global_id(1), four by four. What stands last overlaps (rows >= 16, columns >= 4).
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void transpose_blocks(global const float *restrict in, global float *restrict out, int taps, int rows, int columns)
{
    int first = min((int)get_global_id(0) * 16, rows - 16);
    in += (size_t)get_global_id(1) * rows * columns;
    out += (size_t)get_global_id(1) * rows * columns;
    for (int start = 0; start < columns; start += 4) {
        int b = min(start, columns - 4);
        for (int a = first; a < first + 16; a += 4) {
            global float *at = out + b * rows + a;
            TRANSPOSE_4X4(in + a * columns + b, columns, at, at + rows, at + 2 * rows, at + 3 * rows)
        }
    }
}
