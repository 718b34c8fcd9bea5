// The bias gradient on its own, dz (rows, COUNT): out[c] = sum over rows of dz[row][c]; a work-item takes one channel.
kernel void reduce_rows(global const float *dz, global float *out, int rows)
{
    int c = get_global_id(0);
    if (c >= COUNT)
        return;
    float sum = 0.0f;
    for (int r = 0; r < rows; r++)
        sum += dz[r * COUNT + c];
    out[c] = sum;
}
