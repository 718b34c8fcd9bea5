// 2D convolution for GPUs, forward and data gradient, as a matrix product whose left side is gathered while it is read: rows are
// pixels of the result, columns its channels, the sum runs over taps and channels of the source. Formulas, shapes and compile-time
// names as in conv2d_plain.cl; the block and its parameters in conv2d_tile.clh.
// Not fused: a work-group shares a block in local memory.
//
// Every load and store stays inside its tensor: rows and columns beyond the end read what the last one reads and are not written.
// Dimension 0 counts blocks of rows (each ITEMS work-items), 1 blocks of columns, 2 parts of the sum x phases (see below).
#define VW 4
#include "vector.clh"
#define EPILOGUE_LOAD(p) LOAD_CHANNELS(p)
#include "epilogue.clh"
#include "conv2d_tile.clh"

#ifndef PADDED
#define PADDED 1 // 0: every tap of every pixel is inside of the source
#endif
#ifndef BY_IMAGES
#define BY_IMAGES 0 // 1: rows go through the images before they go to the next pixel; a block's pixels then lack the same taps
#endif

// The source, the result, the result's pixels that share a grid, the taps that these meet, and how far apart in the source.
#ifdef BACKWARD_DATA
// With strides, the pixels of one phase ((y + PT) % SH, (x + PL) % SW) meet the same taps, every SH-th and SW-th. A stride and a
// dilation in the same direction are not for this kernel.
#define SRC_H OH
#define SRC_W OW
#define SRC_C OC
#define OUT_H H
#define OUT_W W
#define OUT_C IC
#define PHASES_H SH
#define PHASES_W SW
#define STEP_H (-DH)
#define STEP_W (-DW)
#define A_WIDTH OV_WIDTH
#define B_WIDTH OV_WIDTH
typedef OV AV;
typedef OV BV;
#else
#define SRC_H H
#define SRC_W W
#define SRC_C IC
#define OUT_H OH
#define OUT_W OW
#define OUT_C OC
#define PHASES_H 1
#define PHASES_W 1
#define STEP_H DH
#define STEP_W DW
#define A_WIDTH IV_WIDTH
#define B_WIDTH OV_WIDTH
typedef IV AV;
typedef OV BV;
#endif
#define PHASES (PHASES_H * PHASES_W)
#define GRID_H ((OUT_H + PHASES_H - 1) / PHASES_H)
#define GRID_W ((OUT_W + PHASES_W - 1) / PHASES_W)
#define TAPS_H ((KH + PHASES_H - 1) / PHASES_H)
#define TAPS_W ((KW + PHASES_W - 1) / PHASES_W)
#define LENGTH (TAPS_H * TAPS_W * SRC_C)

#define A_LANES (TILE_K / A_WIDTH)
#define A_LOADS LOADS(TILE_M * TILE_K, A_WIDTH)
#define B_LOADS LOADS(TILE_N * TILE_K, B_WIDTH)
#ifdef BACKWARD_DATA
#define B_LANES (TILE_K / B_WIDTH)
#else
#define B_LANES (TILE_N / B_WIDTH)
#endif

// (image, y, x) of row m, on the grid of its phase.
inline int4 pixel_of(int m, int batch)
{
#if BY_IMAGES
    return (int4)(m % batch, m / batch / GRID_W, m / batch % GRID_W, 0);
#else
    return (int4)(m / (GRID_H * GRID_W), m / GRID_W % GRID_H, m % GRID_W, 0);
#endif
}

// The result's pixel (y, x) that a pixel of a grid stands for.
#ifdef BACKWARD_DATA
#define OUT_Y(p, phase) ((p).y * SH + ((phase) / SW + SH - PT % SH) % SH)
#define OUT_X(p, phase) ((p).z * SW + ((phase) % SW + SW - PL % SW) % SW)
#else
#define OUT_Y(p, phase) ((p).y)
#define OUT_X(p, phase) ((p).z)
#endif

// Where in the source the first tap of a pixel lies: (offset, y, x), perhaps outside.
inline int4 window_of(int4 p, int phase)
{
#ifdef BACKWARD_DATA
    int y = (OUT_Y(p, phase) + PT - phase / SW) / SH;
    int x = (OUT_X(p, phase) + PL - phase % SW) / SW;
#else
    int y = p.y * SH - PT;
    int x = p.z * SW - PL;
#endif
    return (int4)(((p.x * SRC_H + y) * SRC_W + x) * SRC_C, y, x, 0);
}

inline bool inside(int4 window, int th, int tw)
{
    return (uint)(window.y + th * STEP_H) < (uint)SRC_H && (uint)(window.z + tw * STEP_W) < (uint)SRC_W;
}

// A phase may have one tap less than the others.
#define TAP_EXISTS(th, tw, phase)                                                                                      \
    (PHASES == 1 || ((phase) / PHASES_W + (th) * PHASES_H < KH && (phase) % PHASES_W + (tw) * PHASES_W < KW))
#define IN_SUM(k) (LENGTH % TILE_K == 0 || (k) < LENGTH)

// From k on, the first part of the sum in which some pixel of the block has a tap: BY_IMAGES, that is worth asking.
inline int skip_taps(int k, int end, int m0, int rows, int batch, int phase)
{
#if BY_IMAGES && PADDED && SRC_C % TILE_K == 0
    int first = m0 / batch, last = min(m0 + TILE_M, rows) - 1;
    for (; k < end; k = (k / SRC_C + 1) * SRC_C) {
        int th = k / SRC_C / TAPS_W, tw = k / SRC_C % TAPS_W;
        bool wanted = false;
        for (int p = first; p <= last / batch && !wanted; p++)
            wanted = inside(window_of(pixel_of(p * batch, batch), phase), th, tw);
        if (wanted && TAP_EXISTS(th, tw, phase))
            break;
    }
#endif
    return k;
}

// This work-item's share of the blocks at k, into registers.
inline void read_source(global const float *from, const int4 window[A_LOADS], int k, int phase, AV a[A_LOADS])
{
    UNROLLED for (int i = 0; i < A_LOADS; i++)
    {
        int at = k + (get_local_id(0) + i * ITEMS) % A_LANES * A_WIDTH;
        int tap = (uint)at / SRC_C, th = (uint)tap / TAPS_W, tw = (uint)tap % TAPS_W;
        int offset = (th * STEP_H * SRC_W + tw * STEP_W) * SRC_C + (uint)at % SRC_C;
        bool there = IN_SUM(at) && TAP_EXISTS(th, tw, phase);
#if PADDED
        there = there && inside(window[i], th, tw);
#endif
        a[i] = there ? *(global const AV *)(from + window[i].x + offset) : (AV)0.0f;
    }
}

inline void read_weights(global const float *w, int n0, int k, int phase, BV b[B_LOADS])
{
    UNROLLED for (int i = 0; i < B_LOADS; i++)
    {
        int e = get_local_id(0) + i * ITEMS;
#ifdef BACKWARD_DATA
        int at = k + e % B_LANES * B_WIDTH, n = min(n0 + e / B_LANES, IC - 1);
        int tap = (uint)at / OC, th = (uint)tap / TAPS_W, tw = (uint)tap % TAPS_W;
        int kh = phase / SW + th * SH, kw = phase % SW + tw * SW;
        int offset = ((kh * KW + kw) * IC + n) * OC + (uint)at % OC;
        bool there = IN_SUM(at) && TAP_EXISTS(th, tw, phase);
#else
        int at = k + e / B_LANES, n = min(n0 + e % B_LANES * B_WIDTH, OC - B_WIDTH);
        int offset = at * OC + n;
        bool there = IN_SUM(at);
#endif
        b[i] = there && HAS_LOAD(e, TILE_N * TILE_K, B_WIDTH) ? *(global const BV *)(w + offset) : (BV)0.0f;
    }
}

// And from registers into local memory.
inline void put_blocks(const AV a[A_LOADS], const BV b[B_LOADS], local float *a_block, local float *b_block)
{
    UNROLLED for (int i = 0; i < A_LOADS; i++)
    {
        int e = get_local_id(0) + i * ITEMS;
        if (HAS_LOAD(e, TILE_M * TILE_K, A_WIDTH))
            CAT(PUT_ACROSS_, A_WIDTH)(a[i], a_block + e % A_LANES * A_WIDTH * ROW_M + e / A_LANES, ROW_M);
    }
    UNROLLED for (int i = 0; i < B_LOADS; i++)
    {
        int e = get_local_id(0) + i * ITEMS;
        if (HAS_LOAD(e, TILE_N * TILE_K, B_WIDTH))
#ifdef BACKWARD_DATA
            CAT(PUT_ACROSS_, B_WIDTH)(b[i], b_block + e % B_LANES * B_WIDTH * ROW_N + e / B_LANES, ROW_N);
#else
            *(local BV *)(b_block + e / B_LANES * ROW_N + e % B_LANES * B_WIDTH) = b[i];
#endif
    }
}

// Four channels of the result from n on, or what there is of them.
#if OUT_C % 4 == 0
#define LOAD_CHANNELS(p) (*(global const FV *)(p))
#define STORE_CHANNELS(v, p) (*(global FV *)(p) = (v))
#else
#define LOAD_CHANNELS(p) load_part((p), OUT_C - n)
#define STORE_CHANNELS(v, p) store_part((v), (p), OUT_C - n)
#endif

// PARTIAL: `to` is one result after the other, and what is applied to a whole sum waits.
#ifdef BACKWARD_DATA
__attribute__((reqd_work_group_size(ITEMS, 1, 1))) SUB_GROUPED
kernel void conv2d_backward_data_tile(global const float *restrict from, global const float *restrict w,
                                      global float *restrict to, int batch EPILOGUE_ARGS)
#else
__attribute__((reqd_work_group_size(ITEMS, 1, 1))) SUB_GROUPED
kernel void conv2d_forward_tile(global const float *restrict from, global const float *restrict w,
                                global const float *restrict bias, global float *restrict to, int batch EPILOGUE_ARGS)
#endif
{
    local FV a_block[2 * A_BLOCK / 4], b_block[2 * B_BLOCK / 4];
    local float *a_local = (local float *)a_block, *b_local = (local float *)b_block;
    int m0 = get_group_id(0) * TILE_M, n0 = get_group_id(1) * TILE_N, rows = batch * GRID_H * GRID_W;
    int phase = get_group_id(2) % PHASES, part = get_group_id(2) / PHASES, parts = get_num_groups(2) / PHASES;
    int end = PART_END(part, parts, LENGTH);
    int k = skip_taps(PART_FIRST(part, parts, LENGTH), end, m0, rows, batch, phase);

    int4 window[A_LOADS];
    UNROLLED for (int i = 0; i < A_LOADS; i++) window[i] =
        window_of(pixel_of(min(m0 + (int)(get_local_id(0) + i * ITEMS) / A_LANES, rows - 1), batch), phase);
    FV sum[WORK_M][WORK_N / 4];
    AV a[A_LOADS];
    BV b[B_LOADS];
    clear_sums(sum);
    if (k < end) {
        read_source(from, window, k, phase, a);
        read_weights(w, n0, k, phase, b);
        put_blocks(a, b, a_local, b_local);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int turn = 0; k < end; turn ^= 1) {
        int next = skip_taps(k + TILE_K, end, m0, rows, batch, phase);
        if (next < end) {
            read_source(from, window, next, phase, a);
            read_weights(w, n0, next, phase, b);
        }
        multiply_blocks(a_local + turn * A_BLOCK, b_local + turn * B_BLOCK, sum);
        if (next < end)
            put_blocks(a, b, a_local + (turn ^ 1) * A_BLOCK, b_local + (turn ^ 1) * B_BLOCK);
        barrier(CLK_LOCAL_MEM_FENCE);
        k = next;
    }

#if PARTIAL
    to += part * (batch * OUT_H * OUT_W * OUT_C);
#endif
    UNROLLED for (int i = 0; i < WORK_M; i++)
    {
        int m = m0 + ITEM_ROW(i);
        int4 p = pixel_of(m, batch);
        int y = OUT_Y(p, phase), x = OUT_X(p, phase);
        bool there = m < rows;
#if PHASES > 1
        there = there && y < OUT_H && x < OUT_W;
#endif
        int at = ((p.x * OUT_H + y) * OUT_W + x) * OUT_C;
        UNROLLED for (int j = 0; j < WORK_N / 4; j++)
        {
            int n = n0 + ITEM_COLUMN(j);
            if (!there || n >= OUT_C)
                continue;
            FV v = sum[i][j];
#if USE_BIAS && !PARTIAL
            v += LOAD_CHANNELS(bias + n);
#endif
            STORE_CHANNELS(FINISH(v, at + n), to + at + n);
        }
    }
}
