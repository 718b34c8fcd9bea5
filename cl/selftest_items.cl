/* Kernels for the tests of fused launches: they know their work-item's place and nothing of its work-group. */

/* y[i] = shift - x[i] for i < count. */
kernel void negate(global const float *x, global float *y, float shift, int count)
{
    int i = get_global_id(0);
    if (i < count)
        y[i] = shift - x[i];
}

/* The same by lines of 16, places of three dimensions. */
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void negate_lines(global const float *restrict x, global float *restrict y, float shift, int count)
{
    int line = (get_global_id(2) * 4 + get_global_id(1)) * 8 + get_global_id(0);
    for (int i = line * 16; i < min(line * 16 + 16, count); i++)
        y[i] = shift - x[i];
}
