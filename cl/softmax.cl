// Softmax and its logarithm over the last axis; a work-item takes one row of C values. z may be y, dy may be dz.
//   softmax:      y[i] = exp(z[i] - max z) / sum exp(z[j] - max z)            dz[i] = y[i] * (dy[i] - sum dy[j] y[j])
//   log_softmax:  y[i] = z[i] - max z - log sum exp(z[j] - max z)             dz[i] = dy[i] - exp(y[i]) * sum dy[j]
kernel void softmax_forward(global const float *z, global float *y, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    y += row * C;
    float top = z[0];
    for (int i = 1; i < C; i++)
        top = fmax(top, z[i]);
    float sum = 0.0f;
    for (int i = 0; i < C; i++) {
        float e = exp(z[i] - top);
        y[i] = e;
        sum += e;
    }
    for (int i = 0; i < C; i++)
        y[i] /= sum;
}

kernel void softmax_backward(global const float *y, global const float *dy, global float *dz, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    y += row * C;
    dy += row * C;
    dz += row * C;
    float dot = 0.0f;
    for (int i = 0; i < C; i++)
        dot += dy[i] * y[i];
    for (int i = 0; i < C; i++)
        dz[i] = y[i] * (dy[i] - dot);
}

kernel void log_softmax_forward(global const float *z, global float *y, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    y += row * C;
    float top = z[0];
    for (int i = 1; i < C; i++)
        top = fmax(top, z[i]);
    float sum = 0.0f;
    for (int i = 0; i < C; i++)
        sum += exp(z[i] - top);
    float shift = log(sum);
    for (int i = 0; i < C; i++)
        y[i] = z[i] - top - shift;
}

kernel void log_softmax_backward(global const float *y, global const float *dy, global float *dz, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    y += row * C;
    dy += row * C;
    dz += row * C;
    float sum = 0.0f;
    for (int i = 0; i < C; i++)
        sum += dy[i];
    for (int i = 0; i < C; i++)
        dz[i] = dy[i] - exp(y[i]) * sum;
}
