// The gradient of a bias, dz (n, ROWS, CHANNELS): out[chunk][c] = sum over the rows of the chunk's images of dz[n][row][c]; 0 where
// there are no images left. A work-item takes one channel of one chunk.
kernel void bias_gradient(global const float *dz, global float *out, int images, int batch)
{
    int c = get_global_id(0);
    int chunk = get_global_id(1);
    if (c >= CHANNELS)
        return;
    int first = chunk * images, end = min(first + images, batch);
    float sum = 0.0f;
    for (int row = first * ROWS; row < end * ROWS; row++)
        sum += dz[row * CHANNELS + c];
    out[chunk * CHANNELS + c] = sum;
}
