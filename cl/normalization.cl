// Normalization by known moments, over the last C values of (count) floats: the mean and variance of value i are those of i % C.
//   forward: y = (x - mean) / max(sqrt(variance), 1e-7); INVERT: y = x * max(sqrt(variance), 1e-7) + mean
//   backward: dx = dy / max(sqrt(variance), 1e-7);       INVERT: dx = dy * max(sqrt(variance), 1e-7)
// GIVEN: the moments are the layer's options, MEANS and SPREADS, C numbers each; else they are weights.
#if GIVEN
#define TABLES                                                                                                         \
    const float means[] = {MEANS};                                                                                     \
    const float spreads[] = {SPREADS};
#define MEAN(c) means[c]
#define SPREAD(c) spreads[c]
#else
#define TABLES
#define MEAN(c) mean[c]
#define SPREAD(c) fmax(sqrt(variance[c]), 1e-7f)
#endif

kernel void normalization_forward(global const float *x, global const float *mean, global const float *variance,
                                  global float *y, int count)
{
    TABLES
    int i = get_global_id(0);
    if (i >= count)
        return;
#if INVERT
    y[i] = x[i] * SPREAD(i % C) + MEAN(i % C);
#else
    y[i] = (x[i] - MEAN(i % C)) / SPREAD(i % C);
#endif
}

kernel void normalization_backward(global const float *dy, global const float *variance, global float *dx, int count)
{
#if GIVEN
    const float spreads[] = {SPREADS};
#endif
    int i = get_global_id(0);
    if (i >= count)
        return;
#if INVERT
    dx[i] = dy[i] * SPREAD(i % C);
#else
    dx[i] = dy[i] / SPREAD(i % C);
#endif
}
