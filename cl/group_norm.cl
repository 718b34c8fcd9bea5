// Normalisation inside one sample: groups of channels, or a whole row. x, y, dy and dx are (samples, PIXELS, GROUPS x K).
//   mean, variance over the PIXELS x K values of a group (biased);  inverse = 1 / sqrt(variance + EPSILON)
//   y = (x - mean) * inverse * gamma[c] + beta[c]
//   g = dy * gamma;  dx = inverse * (g - mean of g - xhat * mean of (g * xhat));  dgamma = sum dy * xhat;  dbeta = sum dy
// RMS (Keras's rms_scaling, whose variance is that of x - mean all the same):
//   y = x * inverse * gamma;  dx = inverse * (g - xhat * inverse * mean of (g * x));  dgamma = sum dy * x * inverse
// Moments are taken in two passes around the group's first value.
//
// saved:    mean and inverse of each group, side by side
// partial:  for each chunk of CHUNK rows (a row is a pixel of a sample): the sums for gamma, those for beta
// VW divides K; a work-item takes a group of a sample, or VW channels of a chunk.
#include "vector.clh"

#ifndef CHUNK
#define CHUNK 256 // rows a work-item sums
#endif
#define C (GROUPS * K)
#define VALUES ((float)(PIXELS * K))

#if SCALE
#define GAMMA(c) VLOAD(gamma + (c))
#else
#define GAMMA(c) ((FV)1.0f)
#endif
#if CENTER
#define BETA(c) VLOAD(beta + (c))
#else
#define BETA(c) ((FV)0.0f)
#endif
#if RMS
#define CENTERED(x, mean) (x)
#else
#define CENTERED(x, mean) ((x) - (mean))
#endif

inline float total(FV v)
{
#if VW == 1
    return v;
#else
    float values[VW];
    VSTORE(v, values);
    float sum = values[0];
    for (int i = 1; i < VW; i++)
        sum += values[i];
    return sum;
#endif
}

kernel void group_norm_forward(global const float *x, global const float *gamma, global const float *beta, global float *y,
                               global float *saved, int groups)
{
    int i = get_global_id(0);
    if (i >= groups)
        return;
    int first = i % GROUPS * K;
    x += i / GROUPS * PIXELS * C;
    y += i / GROUPS * PIXELS * C;
    float around = x[first];
    FV sum = (FV)0.0f;
    for (int p = 0; p < PIXELS; p++)
        for (int c = first; c < first + K; c += VW)
            sum += VLOAD(x + p * C + c) - around;
    float mean = around + total(sum) / VALUES;
    FV off = (FV)0.0f;
    FV squares = (FV)0.0f;
    for (int p = 0; p < PIXELS; p++)
        for (int c = first; c < first + K; c += VW) {
            FV d = VLOAD(x + p * C + c) - mean;
            off += d;
            squares += d * d;
        }
    float rest = total(off);
    float variance = (total(squares) - rest * rest / VALUES) / VALUES;
    float inverse = 1.0f / sqrt(variance + EPSILON);
    for (int p = 0; p < PIXELS; p++)
        for (int c = first; c < first + K; c += VW)
            VSTORE(CENTERED(VLOAD(x + p * C + c), mean) * inverse * GAMMA(c) + BETA(c), y + p * C + c);
    saved[2 * i] = mean;
    saved[2 * i + 1] = inverse;
}

kernel void group_norm_backward(global const float *x, global const float *dy, global const float *gamma,
                                global const float *saved, global float *dx, int groups)
{
    int i = get_global_id(0);
    if (i >= groups)
        return;
    int first = i % GROUPS * K;
    x += i / GROUPS * PIXELS * C;
    dy += i / GROUPS * PIXELS * C;
    dx += i / GROUPS * PIXELS * C;
    float mean = saved[2 * i];
    float inverse = saved[2 * i + 1];
    FV sum = (FV)0.0f;
    FV product = (FV)0.0f;
    for (int p = 0; p < PIXELS; p++)
        for (int c = first; c < first + K; c += VW) {
            FV g = VLOAD(dy + p * C + c) * GAMMA(c);
            sum += g;
            product += g * CENTERED(VLOAD(x + p * C + c), mean);
        }
#if RMS
    float shift = 0.0f;
#else
    float shift = total(sum) / VALUES;
#endif
    float slope = total(product) * inverse * inverse / VALUES;
    for (int p = 0; p < PIXELS; p++)
        for (int c = first; c < first + K; c += VW) {
            FV g = VLOAD(dy + p * C + c) * GAMMA(c);
            VSTORE((g - shift - (VLOAD(x + p * C + c) - mean) * slope) * inverse, dx + p * C + c);
        }
}

kernel void group_norm_chunks(global const float *x, global const float *dy, global const float *saved,
                              global float *partial, int rows)
{
    int chunk = get_global_id(0) / (C / VW);
    int c = get_global_id(0) % (C / VW) * VW;
    if (chunk * CHUNK >= rows)
        return;
    FV sum = (FV)0.0f;
    FV product = (FV)0.0f;
    for (int r = chunk * CHUNK; r < min((chunk + 1) * CHUNK, rows); r++) {
        int group = r / PIXELS * GROUPS + c / K;
        FV d = VLOAD(dy + r * C + c);
        sum += d;
        product += d * CENTERED(VLOAD(x + r * C + c), saved[2 * group]) * saved[2 * group + 1];
    }
    VSTORE(product, partial + 2 * chunk * C + c);
    VSTORE(sum, partial + (2 * chunk + 1) * C + c);
}

inline FV join(global const float *partial, int rows)
{
    FV sum = (FV)0.0f;
    for (int chunk = 0; chunk * CHUNK < rows; chunk++)
        sum += VLOAD(partial + 2 * chunk * C);
    return sum;
}

kernel void group_norm_sums(global const float *partial, global float *d_gamma, global float *d_beta, int rows)
{
    int c = get_global_id(0) * VW;
    if (c >= C)
        return;
#if SCALE
    VSTORE(join(partial + c, rows), d_gamma + c);
#endif
#if CENTER
    VSTORE(join(partial + C + c, rows), d_beta + c);
#endif
}
