// What each image of a batch meets in a step of training: STRIDE floats an image, the first of them drawn here. For image n there
// are the words 0 .. 7 of blocks 2n and 2n + 1 (philox.clh says of which stream); u_k is word k as a number in [0, 1), and
// BETWEEN(k) is low_k + u_k (high_k - low_k). src/ops/augment.c says the same for the host.
//
// A map (a0, a1, a2, b0, b1, b2): output pixel (x, y) shows what lies at (a0 x + a1 y + a2, b0 x + b1 y + b2) of the input.
#include "vector.clh"
#include "philox.clh"
#pragma OPENCL FP_CONTRACT OFF // as the host

#define ARGUMENTS                                                                                                      \
    global float *out, int key_low, int key_high, int stream, int step, float low0, float high0, float low1, float high1, \
        int count
// Leaves the kernel for work-items past the last image; `word` and `out` are this image's.
#define DRAW                                                                                                           \
    int n = get_global_id(0);                                                                                          \
    uint word[8];                                                                                                      \
    if (n >= count)                                                                                                    \
        return;                                                                                                        \
    noise_words(word, 2 * n, key_low, key_high, stream, step);                                                         \
    noise_words(word + 4, 2 * n + 1, key_low, key_high, stream, step);                                                 \
    out += n * STRIDE
#define UNIFORM(k) ((float)(word[k] >> 8) * 0x1p-24f)
#define BETWEEN(k) (low##k + UNIFORM(k) * (high##k - low##k))
// A whole number in 0 .. n - 1.
#define BELOW(n, k) ((float)mul_hi(word[k], (uint)(n)))

inline void put_map(global float *out, float a0, float a1, float a2, float b0, float b1, float b2)
{
    out[0] = a0;
    out[1] = a1;
    out[2] = a2;
    out[3] = b0;
    out[4] = b1;
    out[5] = b2;
}

inline void put_box(global float *out, float x, float width, float y, float height)
{
    out[0] = x;
    out[1] = x + width;
    out[2] = y;
    out[3] = y + height;
}

// One coin for both directions, as Keras has it; HORIZONTAL and VERTICAL say which of them are meant.
kernel void draw_flip(ARGUMENTS)
{
    DRAW;
    bool across = HORIZONTAL && UNIFORM(0) <= 0.5f;
    bool upside = VERTICAL && UNIFORM(0) <= 0.5f;
    put_map(out, across ? -1.0f : 1.0f, 0.0f, across ? W - 1.0f : 0.0f, 0.0f, upside ? -1.0f : 1.0f, upside ? H - 1.0f : 0.0f);
}

// Factor 0 is the height's, 1 the width's.
kernel void draw_translation(ARGUMENTS)
{
    DRAW;
    put_map(out, 1.0f, 0.0f, -BETWEEN(1) * W, 0.0f, 1.0f, -BETWEEN(0) * H);
}

// Factor 0, in whole turns, around the middle.
kernel void draw_rotation(ARGUMENTS)
{
    DRAW;
    float angle = BETWEEN(0) * 6.28318530717958647692f;
    float c = cos(angle);
    float s = sin(angle);
    float x = 0.5f * (W - 1.0f);
    float y = 0.5f * (H - 1.0f);
    put_map(out, c, -s, x - x * c + y * s, s, c, y - x * s - y * c);
}

// Factor 0 is the height's, 1 the width's; SAME: the height's does for both.
kernel void draw_zoom(ARGUMENTS)
{
    DRAW;
    float y = 1.0f + BETWEEN(0);
    float x = SAME ? y : 1.0f + BETWEEN(1);
    put_map(out, x, 0.0f, 0.5f * (W - 1.0f) * (1.0f - x), 0.0f, y, 0.5f * (H - 1.0f) * (1.0f - y));
}

// A window whose corner is one of the pixels in the first ROWS rows and COLUMNS columns.
kernel void draw_crop(ARGUMENTS)
{
    DRAW;
    put_map(out, 1.0f, 0.0f, BELOW(COLUMNS, 1), 0.0f, 1.0f, BELOW(ROWS, 0));
}

// A factor of the contrast, and what is added: of the two, one does nothing.
kernel void draw_contrast(ARGUMENTS)
{
    DRAW;
    out[0] = BETWEEN(0);
    out[1] = 0.0f;
}

kernel void draw_brightness(ARGUMENTS)
{
    DRAW;
    out[0] = 1.0f;
    out[1] = BETWEEN(0);
}

// A box x0 <= x < x1, y0 <= y < y1. Its sides are the roots of two shares between low0 and high0 of the image's sides; with a
// probability that is factor 1 it is there, else it is empty.
kernel void draw_erasing(ARGUMENTS)
{
    DRAW;
    float height = sqrt(fmax(BETWEEN(0), 0.0f)) * H;
    float width = sqrt(fmax(low0 + UNIFORM(2) * (high0 - low0), 0.0f)) * W;
    put_box(out, UNIFORM(3) * (W - width), UNIFORM(5) < BETWEEN(1) ? width : 0.0f, UNIFORM(4) * (H - height), height);
}

// A box of ROWS x COLUMNS pixels around a pixel of the image; what hangs over the edge is nowhere.
kernel void draw_cutout(ARGUMENTS)
{
    DRAW;
    put_box(out, BELOW(W, 1) - COLUMNS / 2, COLUMNS, BELOW(H, 0) - ROWS / 2, ROWS);
}
