// Swaps the last two axes of weights: out[k][b][a] = in[k][a][b], k < taps, a < rows, b < columns.

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
            float4 r0 = vload4(0, in + a * columns + b);
            float4 r1 = vload4(0, in + (a + 1) * columns + b);
            float4 r2 = vload4(0, in + (a + 2) * columns + b);
            float4 r3 = vload4(0, in + (a + 3) * columns + b);
            vstore4((float4)(r0.x, r1.x, r2.x, r3.x), 0, out + b * rows + a);
            vstore4((float4)(r0.y, r1.y, r2.y, r3.y), 0, out + (b + 1) * rows + a);
            vstore4((float4)(r0.z, r1.z, r2.z, r3.z), 0, out + (b + 2) * rows + a);
            vstore4((float4)(r0.w, r1.w, r2.w, r3.w), 0, out + (b + 3) * rows + a);
        }
    }
}
