// Batch normalisation over the last axis. x, y, dy and dx are (rows, C); a row is a pixel of an image.
//   training:  mean[c], variance[c] over the rows (biased);  inverse = 1 / sqrt(variance + EPSILON)
//              y = (x - mean) * inverse * gamma + beta
//              dbeta = sum dy;  dgamma = sum dy * xhat;  dx = gamma * inverse * (dy - dbeta / rows - xhat * dgamma / rows)
//   inference: the same y from the moving statistics;  dx = gamma * inverse * dy
// The rows are summed in chunks of CHUNK, the chunks then in their order: no atomics, the same bits every time. Moments are
// taken in two passes around a value of the chunk itself, so that a mean much larger than the deviation costs no digits.
//
// saved:    mean, variance, inverse, C each
// partial:  a pair for each chunk, C each: mean and sum of squared deviations, or the two sums of backward
// VW divides C; a work-item takes VW channels of a chunk, or of BLOCK rows.
#include "vector.clh"
#include "epilogue.clh"

#ifndef CHUNK
#define CHUNK 256 // rows a work-item sums
#endif
#ifndef BLOCK
#define BLOCK 4 // rows a work-item normalises
#endif
#define VECTORS (C / VW)

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
#if MOVING // `spread` is a variance
#define INVERSE(c) ((FV)1.0f / sqrt(VLOAD(spread + (c)) + EPSILON))
#else
#define INVERSE(c) VLOAD(spread + (c))
#endif

inline int rows_of_chunk(int chunk, int rows) { return clamp(rows - chunk * CHUNK, 0, CHUNK); }

kernel void batch_norm_chunks(global const float *x, global float *partial, int rows)
{
    int chunk = get_global_id(0) / VECTORS;
    int c = get_global_id(0) % VECTORS * VW;
    int n = rows_of_chunk(chunk, rows);
    if (n == 0)
        return;
    x += chunk * CHUNK * C + c;
    FV around = VLOAD(x);
    FV sum = (FV)0.0f;
    for (int r = 0; r < n; r++)
        sum += VLOAD(x + r * C) - around;
    FV mean = around + sum / (float)n;
    FV off = (FV)0.0f;
    FV squares = (FV)0.0f;
    for (int r = 0; r < n; r++) {
        FV d = VLOAD(x + r * C) - mean;
        off += d;
        squares += d * d;
    }
    VSTORE(mean, partial + 2 * chunk * C + c);
    VSTORE(squares - off * off / (float)n, partial + (2 * chunk + 1) * C + c);
}

// Joins the chunks' moments (Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance", 1983).
kernel void batch_norm_moments(global const float *partial, global float *saved, int rows)
{
    int c = get_global_id(0) * VW;
    if (c >= C)
        return;
    FV around = VLOAD(partial + c);
    FV sum = (FV)0.0f;
    for (int chunk = 0; chunk * CHUNK < rows; chunk++)
        sum += (float)rows_of_chunk(chunk, rows) * (VLOAD(partial + 2 * chunk * C + c) - around);
    FV mean = around + sum / (float)rows;
    FV squares = (FV)0.0f;
    for (int chunk = 0; chunk * CHUNK < rows; chunk++) {
        FV d = VLOAD(partial + 2 * chunk * C + c) - mean;
        squares += VLOAD(partial + (2 * chunk + 1) * C + c) + (float)rows_of_chunk(chunk, rows) * d * d;
    }
    FV variance = squares / (float)rows;
    VSTORE(mean, saved + c);
    VSTORE(variance, saved + C + c);
    VSTORE((FV)1.0f / sqrt(variance + EPSILON), saved + 2 * C + c);
}

kernel void batch_norm_forward(global const float *x, global const float *mean, global const float *spread,
                               global const float *gamma, global const float *beta, global float *y,
                               int rows EPILOGUE_ARGS)
{
    int c = get_global_id(0) * VW;
    int first = get_global_id(1) * BLOCK;
    if (c >= C)
        return;
#if !MOVING
    spread += 2 * C;
#endif
    FV center = VLOAD(mean + c);
    FV scale = INVERSE(c) * GAMMA(c);
    FV shift = BETA(c);
    for (int r = first; r < min(first + BLOCK, rows); r++) {
        FV z = (VLOAD(x + r * C + c) - center) * scale + shift;
        VSTORE(FINISH(z, r * C + c), y + r * C + c);
    }
}

// Nothing happens once `bad` is set.
kernel void batch_norm_update(global const float *saved, global float *mean, global float *variance, global const int *bad)
{
    int c = get_global_id(0) * VW;
    if (c >= C || bad[0])
        return;
    FV center = VLOAD(mean + c) * MOMENTUM + VLOAD(saved + c) * ONE_MINUS_MOMENTUM;
    FV spread = VLOAD(variance + c) * MOMENTUM + VLOAD(saved + C + c) * ONE_MINUS_MOMENTUM;
    VSTORE(FLUSHED(center), mean + c);
    VSTORE(FLUSHED(spread), variance + c);
}

kernel void batch_norm_backward_chunks(global const float *x, global const float *dy, global const float *saved,
                                       global float *partial, int rows)
{
    int chunk = get_global_id(0) / VECTORS;
    int c = get_global_id(0) % VECTORS * VW;
    int n = rows_of_chunk(chunk, rows);
    if (n == 0)
        return;
    x += chunk * CHUNK * C + c;
    dy += chunk * CHUNK * C + c;
    FV mean = VLOAD(saved + c);
    FV sum = (FV)0.0f;
    FV product = (FV)0.0f;
    for (int r = 0; r < n; r++) {
        FV d = VLOAD(dy + r * C);
        sum += d;
        product += d * (VLOAD(x + r * C) - mean);
    }
    partial += 2 * C; // behind the sums
    VSTORE(sum, partial + 2 * chunk * C + c);
    VSTORE(product * VLOAD(saved + 2 * C + c), partial + (2 * chunk + 1) * C + c);
}

// partial begins with the sums over all chunks, which are also what dbeta and dgamma are.
kernel void batch_norm_sums(global float *partial, global float *d_gamma, global float *d_beta, int rows)
{
    int c = get_global_id(0) * VW;
    if (c >= C)
        return;
    FV sum = (FV)0.0f;
    FV product = (FV)0.0f;
    for (int chunk = 0; chunk * CHUNK < rows; chunk++) {
        sum += VLOAD(partial + 2 * (chunk + 1) * C + c);
        product += VLOAD(partial + (2 * (chunk + 1) + 1) * C + c);
    }
    VSTORE(sum, partial + c);
    VSTORE(product, partial + C + c);
#if SCALE
    VSTORE(product, d_gamma + c);
#endif
#if CENTER
    VSTORE(sum, d_beta + c);
#endif
}

kernel void batch_norm_backward(global const float *x, global const float *dy, global const float *saved,
                                global const float *sums, global const float *gamma, global float *dx, int rows)
{
    int c = get_global_id(0) * VW;
    int first = get_global_id(1) * BLOCK;
    if (c >= C)
        return;
    FV center = VLOAD(saved + c);
    FV inverse = VLOAD(saved + 2 * C + c);
    FV scale = inverse * GAMMA(c);
    FV shift = VLOAD(sums + c) / (float)rows;
    FV slope = inverse * VLOAD(sums + C + c) / (float)rows;
    for (int r = first; r < min(first + BLOCK, rows); r++) {
        FV d = VLOAD(dy + r * C + c) - shift - (VLOAD(x + r * C + c) - center) * slope;
        VSTORE(d * scale, dx + r * C + c);
    }
}

// Of a layer that is not trained.
kernel void batch_norm_backward_moving(global const float *dy, global const float *spread, global const float *gamma,
                                       global float *dx, int rows)
{
    int c = get_global_id(0) * VW;
    int first = get_global_id(1) * BLOCK;
    if (c >= C)
        return;
    FV scale = INVERSE(c) * GAMMA(c);
    for (int r = first; r < min(first + BLOCK, rows); r++)
        VSTORE(VLOAD(dy + r * C + c) * scale, dx + r * C + c);
}
