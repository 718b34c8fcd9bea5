// Swaps the last two axes of weights: out[k][b][a] = in[k][a][b], k < TAPS, a < ROWS, b < COLUMNS.
// Neighbouring work-items write neighbouring values.
kernel void transpose(global const float *in, global float *out)
{
    int i = get_global_id(0);
    if (i >= TAPS * ROWS * COLUMNS)
        return;
    int a = i % ROWS;
    int b = i / ROWS % COLUMNS;
    int k = i / (ROWS * COLUMNS);
    out[i] = in[(k * ROWS + a) * COLUMNS + b];
}
