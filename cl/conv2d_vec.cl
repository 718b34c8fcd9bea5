// Direct 2D convolution for devices that want explicit vectors (CPUs): a work-item is a whole work-group and keeps a register
// tile of PIXELS output pixels x VECTORS vectors of VW channels; the input is broadcast, the weights are loaded as vectors.
// Formulas, shapes and compile-time names as in conv2d_plain.cl. Nothing is masked: tiles of channels overlap at the end
// (OC >= VECTORS * VW), the last pixel is repeated, and taps in the padding read a row of zeros.
//
// Pixels are counted through the whole batch, so a tile may span rows and images. A work-item does TILES tiles, one after
// another, so that small tiles outweigh the cost of a work-group.
#include "fma.clh"
#include "vector.clh"
#include "epilogue.clh"

#ifndef PIXELS
#define PIXELS 6 // output pixels in a register tile
#endif
#ifndef VECTORS
#define VECTORS 2 // vectors of output channels in a register tile
#endif
#ifndef TILES
#define TILES 1 // tiles that a work-item does
#endif
#ifndef UNROLL
#define UNROLL 4 // input channels in one turn of the innermost loop
#endif

// First channel of tile `t` of CHANNELS: the last tile is moved back so that it ends with the last channel.
#define TILE_START(t, CHANNELS) min((int)(t) * VECTORS * VW, (CHANNELS) - VECTORS * VW)

// acc[j][v] += from[j][k] * weights[k * STRIDE + v], k < LENGTH: the heart of all of it.
#define MULTIPLY_ADD(from, weights, STRIDE, LENGTH)                                                                    \
    PRAGMA(unroll UNROLL)                                                                                              \
    for (int k = 0; k < (LENGTH); k++) {                                                                               \
        FV b[VECTORS];                                                                                                 \
        UNROLLED for (int v = 0; v < VECTORS; v++) b[v] = VLOAD((weights) + k * (STRIDE) + v * VW);                    \
        UNROLLED for (int j = 0; j < PIXELS; j++)                                                                      \
        {                                                                                                              \
            FV a = (FV)(from[j][k]);                                                                                   \
            UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = FMA(a, b[v], acc[j][v]);                            \
        }                                                                                                              \
    }

#define PADDED (PT > 0 || PL > 0 || (OH - 1) * SH + (KH - 1) * DH >= H || (OW - 1) * SW + (KW - 1) * DW >= W)

#ifdef FORWARD
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_forward_vec(global const float *restrict x, global const float *restrict w,
                               global const float *restrict bias, global float *restrict y,
                               global const float *restrict zeros, int pixels EPILOGUE_ARGS)
{
    int oc = TILE_START(get_global_id(1), OC);
    for (int t = 0; t < TILES; t++) {
        int first = (get_global_id(0) * TILES + t) * PIXELS;
        if (first >= pixels)
            return;
        FV acc[PIXELS][VECTORS];
        global const float *origin[PIXELS];
        int row[PIXELS], column[PIXELS];
        UNROLLED for (int j = 0; j < PIXELS; j++)
        {
            int p = min(first + j, pixels - 1);
            int n = p / (OH * OW);
            row[j] = p / OW % OH * SH - PT;
            column[j] = p % OW * SW - PL;
            origin[j] = x + ((n * H + row[j]) * W + column[j]) * IC;
            UNROLLED for (int v = 0; v < VECTORS; v++)
#if USE_BIAS
                acc[j][v] = VLOAD(bias + oc + v * VW);
#else
                acc[j][v] = (FV)0.0f;
#endif
        }
        for (int kh = 0; kh < KH; kh++) {
#if !PADDED && DW == 1
            // Without padding the taps of one row of the kernel lie behind each other in memory.
            global const float *from[PIXELS];
            UNROLLED for (int j = 0; j < PIXELS; j++) from[j] = origin[j] + kh * DH * W * IC;
            MULTIPLY_ADD(from, w + kh * KW * IC * OC + oc, OC, KW * IC)
#else
            for (int kw = 0; kw < KW; kw++) {
                global const float *from[PIXELS];
                UNROLLED for (int j = 0; j < PIXELS; j++)
                {
                    int iy = row[j] + kh * DH;
                    int ix = column[j] + kw * DW;
                    bool inside = iy >= 0 && iy < H && ix >= 0 && ix < W;
                    from[j] = inside ? origin[j] + (kh * DH * W + kw * DW) * IC : zeros;
                }
                MULTIPLY_ADD(from, w + (kh * KW + kw) * IC * OC + oc, OC, IC)
            }
#endif
        }
        UNROLLED for (int j = 0; j < PIXELS; j++)
        {
            int at = min(first + j, pixels - 1) * OC + oc;
            UNROLLED for (int v = 0; v < VECTORS; v++) VSTORE(FINISH(acc[j][v], at + v * VW), y + at + v * VW);
        }
    }
}
#endif

#ifdef BACKWARD_DATA
// wt is w with its last two axes swapped, (KH, KW, OC, IC). With strides, the pixels of one phase (y % SH, x % SW) meet the
// same taps: dimension 2 counts the phases, and the pixels of a phase form a grid of PH x PW.
#define PH ((H + SH - 1) / SH)
#define PW ((W + SW - 1) / SW)

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_backward_data_vec(global const float *restrict dz, global const float *restrict wt,
                                     global float *restrict dx, global const float *restrict zeros, int pixels EPILOGUE_ARGS)
{
    int ic = TILE_START(get_global_id(1), IC);
    int phase_y = get_global_id(2) / SW;
    int phase_x = get_global_id(2) % SW;
    for (int t = 0; t < TILES; t++) {
        int first = (get_global_id(0) * TILES + t) * PIXELS;
        if (first >= pixels)
            return;
        FV acc[PIXELS][VECTORS];
        int image[PIXELS], row[PIXELS], column[PIXELS];
        UNROLLED for (int j = 0; j < PIXELS; j++)
        {
            int p = min(first + j, pixels - 1);
            image[j] = p / (PH * PW);
            row[j] = p / PW % PH * SH + phase_y;
            column[j] = p % PW * SW + phase_x;
            UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = (FV)0.0f;
        }
        for (int kh = 0; kh < KH; kh++) {
            if ((phase_y + PT + KH * DH * SH - kh * DH) % SH != 0)
                continue;
            for (int kw = 0; kw < KW; kw++) {
                if ((phase_x + PL + KW * DW * SW - kw * DW) % SW != 0)
                    continue;
                global const float *from[PIXELS];
                UNROLLED for (int j = 0; j < PIXELS; j++)
                {
                    int sy = row[j] + PT - kh * DH;
                    int sx = column[j] + PL - kw * DW;
                    bool inside = sy >= 0 && sy / SH < OH && sx >= 0 && sx / SW < OW;
                    from[j] = inside ? dz + ((image[j] * OH + sy / SH) * OW + sx / SW) * OC : zeros;
                }
                MULTIPLY_ADD(from, wt + (kh * KW + kw) * OC * IC + ic, IC, OC)
            }
        }
        UNROLLED for (int j = 0; j < PIXELS; j++)
        {
            int at = ((image[j] * H + row[j]) * W + column[j]) * IC + ic;
            if (row[j] < H && column[j] < W) {
                UNROLLED for (int v = 0; v < VECTORS; v++) VSTORE(FINISH(acc[j][v], at + v * VW), dx + at + v * VW);
            }
        }
    }
}
#endif

#ifdef BACKWARD_FILTER
// A tile is ROWS rows of the weights, seen as a matrix of KH*KW*IC rows of OC, x VECTORS vectors. Rows come in groups whose
// inputs lie behind each other in memory: a row of the kernel (KW*IC) without padding, one tap (IC) with it. What a work-item sums:
// filter_chunks.clh.
#ifndef ROWS
#define ROWS 4 // rows of the weights in a register tile
#endif
#if !PADDED && DW == 1
#define GROUP (KW * IC)
#define GROUPS KH
#define KW_OF(g) 0
#define KH_OF(g) (g)
#else
#define GROUP IC
#define GROUPS (KH * KW)
#define KW_OF(g) ((g) % KW)
#define KH_OF(g) ((g) / KW)
#endif
#define GROUP_TILES ((GROUP + ROWS - 1) / ROWS)
#define TILE_COUNT (GROUPS * GROUP_TILES)

// First and one past the last output whose tap at offset o lies inside an axis of N.
#define FIRST_INSIDE(o, S) ((o) >= 0 ? 0 : (-(o) + (S) - 1) / (S))
#define LAST_INSIDE(o, S, N, COUNT) ((o) > (N) - 1 ? 0 : min((COUNT), ((N) - 1 - (o)) / (S) + 1))

// For filter_chunks.clh. The last tile of a group is moved back to end with it: `known` of its rows another has done.
inline void add_tile(global const float *restrict x, global const float *restrict dz, global float *restrict dw, int tile, int line,
                     int line_end, bool first)
{
    int group = tile / GROUP_TILES, row = tile % GROUP_TILES * ROWS;
    int start = min(row, max(GROUP - ROWS, 0)), known = row - start;
    global float *to = dw + (group * GROUP + start) * OC;
    int oy_shift = KH_OF(group) * DH - PT;
    int ox_shift = KW_OF(group) * DW - PL;
    int oy_first = FIRST_INSIDE(oy_shift, SH);
    int ox_first = FIRST_INSIDE(ox_shift, SW);
    int oy_end = LAST_INSIDE(oy_shift, SH, H, OH);
#if !PADDED && DW == 1
    int ox_end = OW;
#else
    int ox_end = LAST_INSIDE(ox_shift, SW, W, OW);
#endif
    FV acc[ROWS][VECTORS];
    UNROLLED for (int r = 0; r < ROWS; r++)
        UNROLLED for (int v = 0; v < VECTORS; v++)
            acc[r][v] = first ? (FV)0.0f : VLOAD(to + min(r, GROUP - 1) * OC + v * VW);
    for (; line < line_end; line++) {
        int n = line / OH, oy = line % OH;
        if (oy < oy_first || oy >= oy_end)
            continue;
        global const float *from = x + ((n * H + oy * SH + oy_shift) * W + ox_first * SW + ox_shift) * IC + start;
        global const float *grad = dz + (line * OW + ox_first) * OC;
        PRAGMA(unroll 2)
        for (int ox = ox_first; ox < ox_end; ox++) {
            FV b[VECTORS];
            UNROLLED for (int v = 0; v < VECTORS; v++) b[v] = VLOAD(grad + v * VW);
            UNROLLED for (int r = 0; r < ROWS; r++)
            {
                FV a = (FV)(from[min(r, GROUP - 1)]);
                UNROLLED for (int v = 0; v < VECTORS; v++) acc[r][v] = FMA(a, b[v], acc[r][v]);
            }
            from += SW * IC;
            grad += OC;
        }
    }
    UNROLLED for (int r = 0; r < min(ROWS, GROUP); r++)
        if (r >= known) {
            UNROLLED for (int v = 0; v < VECTORS; v++) VSTORE(acc[r][v], to + r * OC + v * VW);
        }
}

#include "filter_chunks.clh"

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_backward_filter_vec(global const float *restrict x, global const float *restrict dz,
                                       global float *restrict dw, global float *restrict db, int stride, int bias_at,
                                       int batch)
{
    sum_chunk(x, dz, dw, db, stride, bias_at, batch, (int3)(get_global_id(0), get_global_id(1), get_global_id(2)));
}
#endif
