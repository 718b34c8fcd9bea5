// Dropout and noise; forward and backward draw the same numbers, which are nowhere kept (philox.clh says which).
//   dropout:  y = word >> 8 < threshold ? 0 : x * scale,   threshold = rate * 2^24, scale = 1 / (1 - rate); dx from dy likewise
//   gaussian: y = x + scale * z,   z by Box and Muller: words 0 and 1 give two, words 2 and 3 two more
// Over `count` floats in groups of 64; a work-item takes VW blocks of four.
#include "vector.clh"
#include "philox.clh"

#if VW == 1
#define CONVERT convert_float
#else
#define CONVERT CAT(convert_float, VW)
#endif
#define BLOCK ((int)(get_global_id(1) * 16 + get_global_id(0) * VW))

kernel void dropout(global const float *x, global float *y, int key_low, int key_high, int stream, int step, int threshold,
                    float scale, int count)
{
    UV words[4];
    int first = NOISE_FIRST(BLOCK);
    if (first >= count)
        return;
    noise_words(words, BLOCK, key_low, key_high, stream, step);
    for (int k = 0; k < 4; k++, first += 16)
        if (first < count)
            store_part(select(load_part(x + first, count - first) * scale, (FV)0.0f, words[k] >> 8 < (UV)((uint)threshold)),
                       y + first, count - first);
}

// The factors alone: 0 or scale.
kernel void dropout_factors(global float *factors, int key_low, int key_high, int stream, int step, int threshold,
                            float scale, int count)
{
    UV words[4];
    int first = NOISE_FIRST(BLOCK);
    if (first >= count)
        return;
    noise_words(words, BLOCK, key_low, key_high, stream, step);
    for (int k = 0; k < 4; k++, first += 16)
        if (first < count)
            store_part(select((FV)scale, (FV)0.0f, words[k] >> 8 < (UV)((uint)threshold)), factors + first, count - first);
}

kernel void gaussian_noise(global const float *x, global float *y, int key_low, int key_high, int stream, int step,
                           int threshold, float scale, int count)
{
    UV words[4];
    int first = NOISE_FIRST(BLOCK);
    if (first >= count)
        return;
    noise_words(words, BLOCK, key_low, key_high, stream, step);
    for (int k = 0; k < 4; k++, first += 16) {
        UV radius = words[k & 2] >> 8;
        UV angle = words[k | 1] >> 8;
        FV u = (CONVERT(radius) + 1.0f) * 0x1p-24f;
        FV v = CONVERT(angle) * 0x1p-23f;
        FV z = sqrt(-2.0f * log(u)) * (k & 1 ? sinpi(v) : cospi(v));
        if (first < count)
            store_part(load_part(x + first, count - first) + scale * z, y + first, count - first);
    }
}
