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
