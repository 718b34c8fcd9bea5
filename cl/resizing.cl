// Images (n, H, W, C) at another size (n, OH, OW, C), as TensorFlow's tf.image.resize computes it: every output is a weighted mean of
// the source along both axes,
//   y[oy][ox] = sum over sy, sx of weight(oy, sy) weight(ox, sx) source[sy][sx]
// where pixels' centres lie at the halves. The source is SH x SW pixels; pixel (0, 0) of the image is its (TOP, LEFT): negative where
// the image was cropped. Around the image it is FILL. dx is the sum of dy by the same weights.
//   0 nearest   1 bilinear   2 bicubic   3 area   4 KERNEL_LANCZOS, 5 KERNEL_TRIANGLE, 6 KERNEL_KEYS: a kernel of RADIUS source
//   pixels, times the scale where ANTIALIAS shrinks the image
//
// _plain: one value a work-item. _vec: a work-item takes one row of pixels, all channels in vectors of VW. FORWARD chooses the pass;
// TAPS_H and TAPS_W bound how many pixels one weighs.
#include "vector.clh"
#include "channels.clh"

// Where an output's centre lies among the pixels of the source, and how wide the kernel is there.
inline float scale_of(int sources, int outputs) { return (float)sources / (float)outputs; }
inline float reach_of(float scale) { return RADIUS * (ANTIALIAS ? fmax(scale, 1.0f) : 1.0f); }

// The pixels that output o weighs: first and last.
inline int2 span_of(int o, int sources, int outputs)
{
    float scale = scale_of(sources, outputs);
    float at = ((float)o + 0.5f) * scale;
#if METHOD == 0
    return (int2)(min((int)floor(at), sources - 1));
#elif METHOD == 1
    return (int2)(max((int)floor(at - 0.5f), 0), min((int)ceil(at - 0.5f), sources - 1));
#elif METHOD == 2
    return (int2)(max((int)floor(at - 0.5f) - 1, 0), min((int)floor(at - 0.5f) + 2, sources - 1));
#elif METHOD == 3
    return (int2)(min((int)floor((float)o * scale), sources - 1), clamp((int)ceil((float)(o + 1) * scale) - 1, 0, sources - 1));
#else
    float reach = reach_of(scale);
    int2 reached = (int2)((int)ceil(at - reach - 0.5f), (int)floor(at + reach - 0.5f));
    return clamp(reached, (int2)(0), (int2)(sources - 1)); // oclgrind takes no scalars here
#endif
}

inline float keys(float x)
{
    return x >= 2.0f ? 0.0f : x >= 1.0f ? ((-0.5f * x + 2.5f) * x - 4.0f) * x + 2.0f : ((1.5f * x - 2.5f) * x) * x + 1.0f;
}

// The weight of pixel s, which is in the span, before all are divided by their sum.
inline float raw_weight(int o, int s, int sources, int outputs)
{
    float scale = scale_of(sources, outputs);
    float at = ((float)o + 0.5f) * scale;
#if METHOD == 0
    return 1.0f;
#elif METHOD == 1
    float share = (at - 0.5f) - floor(at - 0.5f);
    int2 span = span_of(o, sources, outputs);
    return span.x == span.y ? 1.0f : s == span.x ? 1.0f - share : share;
#elif METHOD == 2
    float before = floor(at - 0.5f); // the share is rounded to a 1024th, as in TensorFlow's table
    float share = rint(((at - 0.5f) - before) * 1024.0f) / 1024.0f;
    return keys(fabs((float)s - before - share));
#elif METHOD == 3
    float low = (float)o * scale, high = (float)(o + 1) * scale, left = (float)s;
    return (left < low ? (left + 1.0f > high ? scale : left + 1.0f - low) : left + 1.0f > high ? high - left : 1.0f);
#else
    float x = fabs(((float)s + 0.5f - at) * (RADIUS / reach_of(scale)));
#if METHOD == 4
    float turn = M_PI_F * x;
    return x > RADIUS ? 0.0f : x <= 1e-3f ? 1.0f : RADIUS * sin(turn) * sin(turn / RADIUS) / (turn * turn);
#elif METHOD == 5
    return fmax(1.0f - x, 0.0f);
#else
    return keys(x);
#endif
#endif
}

inline float sum_of(int o, int2 span, int sources, int outputs)
{
    float sum = 0.0f;
    for (int s = span.x; s <= span.y; s++)
        sum += raw_weight(o, s, sources, outputs);
    return sum;
}

#ifdef FORWARD
#define ROWS OH
#define COLUMNS OW
#define INSIDE(s, offset, n) ((s) >= (offset) && (s) < (offset) + (n))

inline FV sampled(global const float *from, int n, int2 rows, int2 columns, const float *down, const float *across, int c)
{
    FV sum = (FV)0.0f;
    for (int sy = rows.x; sy <= rows.y; sy++) {
        FV row = (FV)0.0f;
        for (int sx = columns.x; sx <= columns.y; sx++) {
            bool inside = INSIDE(sy, TOP, H) && INSIDE(sx, LEFT, W);
            FV pixel = (FV)(FILL);
            if (inside)
                pixel = VLOAD(from + ((n * H + sy - TOP) * W + sx - LEFT) * C + c);
            row += pixel * across[sx - columns.x];
        }
        sum += row * down[sy - rows.x];
    }
    return sum;
}

// The span of an output, and its weights.
inline int2 weigh(int o, int sources, int outputs, float *weights)
{
    int2 span = span_of(o, sources, outputs);
    float sum = sum_of(o, span, sources, outputs);
    for (int s = span.x; s <= span.y; s++)
        weights[s - span.x] = raw_weight(o, s, sources, outputs) / sum;
    return span;
}

#define WEIGH_ROW(y, weights) weigh(y, SH, OH, weights)
#define WEIGH_COLUMN(x, weights) weigh(x, SW, OW, weights)
#else
#define ROWS H
#define COLUMNS W

inline FV sampled(global const float *from, int n, int2 rows, int2 columns, const float *down, const float *across, int c)
{
    FV sum = (FV)0.0f;
    for (int oy = rows.x; oy <= rows.y; oy++) {
        FV row = (FV)0.0f;
        for (int ox = columns.x; ox <= columns.y; ox++)
            row += VLOAD(from + ((n * OH + oy) * OW + ox) * C + c) * across[ox - columns.x];
        sum += row * down[oy - rows.x];
    }
    return sum;
}

// The outputs that may weigh pixel s of the source, and by how much: none where the image was cropped away.
inline int2 weigh(int s, int sources, int outputs, int taps, float *weights)
{
    float scale = scale_of(sources, outputs), reach = (METHOD > 3 ? reach_of(scale) : METHOD == 3 ? 0.5f * scale + 1.0f : 2.0f) + 1.0f;
    int first = max((int)floor(((float)s + 0.5f - reach) / scale - 0.5f) - 1, 0);
    int last = min((int)ceil(((float)s + 0.5f + reach) / scale - 0.5f) + 1, min(outputs, first + taps) - 1);
    for (int o = first; o <= last; o++) {
        int2 span = span_of(o, sources, outputs);
        bool weighed = s >= span.x && s <= span.y;
        weights[o - first] = weighed ? raw_weight(o, s, sources, outputs) / sum_of(o, span, sources, outputs) : 0.0f;
    }
    return (int2)(first, last);
}

#define WEIGH_ROW(y, weights) weigh((y) + TOP, SH, OH, TAPS_H, weights)
#define WEIGH_COLUMN(x, weights) weigh((x) + LEFT, SW, OW, TAPS_W, weights)
#endif

#if VW == 1
kernel void resizing_plain(global const float *from, global float *to, int count)
{
    int i = get_global_id(0);
    float down[TAPS_H], across[TAPS_W];
    if (i >= count)
        return;
    int2 rows = WEIGH_ROW(i / (C * COLUMNS) % ROWS, down), columns = WEIGH_COLUMN(i / C % COLUMNS, across);
    to[i] = sampled(from, i / (C * COLUMNS * ROWS), rows, columns, down, across, i % C);
}
#else
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void resizing_vec(global const float *restrict from, global float *restrict to, int count)
{
    int row = get_global_id(0);
    float down[TAPS_H], across[TAPS_W];
    if (row >= count)
        return;
    int2 rows = WEIGH_ROW(row % ROWS, down);
    for (int x = 0; x < COLUMNS; x++) {
        int2 columns = WEIGH_COLUMN(x, across);
        for (int v = 0; v < VECTORS; v++)
            VSTORE(sampled(from, row / ROWS, rows, columns, down, across, CHANNEL(v)), to + (row * COLUMNS + x) * C + CHANNEL(v));
    }
}
#endif
