// Contrast and brightness of images (n, PIXELS, C):
//   y = clip((x - mean) f + mean + d, LOW, HIGH)   mean of each image's channel; without MEAN it is taken for 0
//   dx = f g + (1 - f) / PIXELS * sum of g over the channel's pixels,   g = dy where the value was not clipped, its bounds included
// drawn: STRIDE floats an image: f, d (cl/augment.cl) and, with MEAN, the C means.
#pragma OPENCL FP_CONTRACT OFF // both passes must find the same values clipped

inline float unclipped(float x, global const float *drawn, int c)
{
#if MEAN
    return (x - drawn[2 + c]) * drawn[0] + drawn[2 + c] + drawn[1];
#else
    return x * drawn[0] + drawn[1];
#endif
}

inline float passed(float x, global const float *drawn, int c, float dy)
{
    float y = unclipped(x, drawn, c);
    return y >= LOW && y <= HIGH ? dy : 0.0f;
}

// A work-item takes one channel of an image.
kernel void color_mean(global const float *x, global float *drawn, int channels)
{
    int i = get_global_id(0);
    if (i >= channels)
        return;
    x += i / C * PIXELS * C + i % C;
    float sum = 0.0f;
    for (int p = 0; p < PIXELS; p++)
        sum += x[p * C];
    drawn[i / C * STRIDE + 2 + i % C] = sum / (float)PIXELS;
}

kernel void color_forward(global const float *x, global const float *drawn, global float *y, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    float v = unclipped(x[i], drawn + i / (PIXELS * C) * STRIDE, i % C);
    y[i] = v < LOW ? LOW : v > HIGH ? HIGH : v; // NaN stays
}

// What each pixel of a channel gets through the mean. A work-item takes one channel of an image.
kernel void color_share(global const float *x, global const float *drawn, global const float *dy, global float *share,
                        int channels)
{
    int i = get_global_id(0);
    if (i >= channels)
        return;
    int first = i / C * PIXELS * C + i % C;
    drawn += i / C * STRIDE;
    float sum = 0.0f;
    for (int p = 0; p < PIXELS; p++)
        sum += passed(x[first + p * C], drawn, i % C, dy[first + p * C]);
    share[i] = (1.0f - drawn[0]) * sum / (float)PIXELS;
}

kernel void color_backward(global const float *x, global const float *drawn, global const float *dy,
                           global const float *share, global float *dx, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int n = i / (PIXELS * C);
    float direct = drawn[n * STRIDE] * passed(x[i], drawn + n * STRIDE, i % C, dy[i]);
#if MEAN
    direct += share[n * C + i % C];
#endif
    dx[i] = direct;
}
