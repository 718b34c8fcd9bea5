// The filter gradient of a 2D convolution for GPUs, as a matrix product whose left side is gathered while it is read: rows are the
// weights' taps and input channels, columns output channels, the sum runs over the pixels of the batch. The bias is one more row,
// whose input is 1. Formulas, shapes and compile-time names as in conv2d_plain.cl; the block and its parameters in conv2d_tile.clh.
// Not fused: a work-group shares a block in local memory.
//
// Every load and store stays inside its tensor: rows and columns beyond the end read what another one reads and are not written.
// Dimension 0 counts blocks of rows (each ITEMS work-items), 1 blocks of columns, 2 parts of the sum.
#define VW 4
#include "vector.clh"
#include "conv2d_tile.clh"

#ifndef PADDED
#define PADDED 1 // 0: every tap of every pixel is inside of x
#endif

#define WEIGHT_ROWS (KH * KW * IC)
#define A_LANES (TILE_M / IV_WIDTH)
#define B_LANES (TILE_N / OV_WIDTH)
#define A_LOADS LOADS(TILE_M * TILE_K, IV_WIDTH)
#define B_LOADS LOADS(TILE_N * TILE_K, OV_WIDTH)

// Where in x the first tap of an output pixel lies: (offset, y, x), perhaps outside. The work-items find those of a block
// together, one turn before they read it.
inline int4 window_of(int pixel, int pixels)
{
    if (pixel >= pixels)
        return (int4)(-1, INT_MIN, INT_MIN, 0);
    int n = (uint)pixel / (OH * OW), y = (uint)pixel / OW % OH * SH - PT, x = (uint)pixel % OW * SW - PL;
    return (int4)(((n * H + y) * W + x) * IC, y, x, 0);
}

inline void put_windows(local int4 *window, int k, int pixels)
{
    for (int i = get_local_id(0); i < TILE_K; i += ITEMS)
        window[i] = window_of(k + i, pixels);
}

// Where behind a window's first tap a row of the weights reads: (offset, y, x).
inline int4 reach_of(int m)
{
    int tap = min(m, WEIGHT_ROWS - 1) / IC, y = tap / KW * DH, x = tap % KW * DW;
    return (int4)((y * W + x) * IC + (m < WEIGHT_ROWS ? m % IC : 0), y, x, 0);
}

inline IV read_input(global const float *x, int4 window, int4 reach)
{
#if PADDED
    bool there = (uint)(window.y + reach.y) < (uint)H && (uint)(window.z + reach.z) < (uint)W;
#else
    bool there = window.x >= 0;
#endif
    return there ? *(global const IV *)(x + window.x + reach.x) : (IV)0.0f;
}

// This work-item's share of the blocks at k, into registers.
inline void read_blocks(global const float *x, global const float *dz, local const int4 *window, int m0, int n0, int k,
                        int pixels, IV a[A_LOADS], OV b[B_LOADS])
{
    UNROLLED for (int i = 0; i < A_LOADS; i++)
    {
        int e = get_local_id(0) + i * ITEMS, m = m0 + e % A_LANES * IV_WIDTH;
        a[i] = (IV)0.0f;
        if (HAS_LOAD(e, TILE_M * TILE_K, IV_WIDTH))
            a[i] = read_input(x, window[e / A_LANES], reach_of(m));
        if (USE_BIAS && m == WEIGHT_ROWS)
            a[i] = (IV)1.0f;
    }
    UNROLLED for (int i = 0; i < B_LOADS; i++)
    {
        int e = get_local_id(0) + i * ITEMS, pixel = k + e / B_LANES;
        int n = min(n0 + e % B_LANES * OV_WIDTH, OC - OV_WIDTH);
        bool there = pixel < pixels && HAS_LOAD(e, TILE_N * TILE_K, OV_WIDTH);
        b[i] = there ? *(global const OV *)(dz + pixel * OC + n) : (OV)0.0f;
    }
}

// And from registers into local memory.
inline void put_blocks(const IV a[A_LOADS], const OV b[B_LOADS], local float *a_block, local float *b_block)
{
    UNROLLED for (int i = 0; i < A_LOADS; i++)
    {
        int e = get_local_id(0) + i * ITEMS;
        if (HAS_LOAD(e, TILE_M * TILE_K, IV_WIDTH))
            *(local IV *)(a_block + e / A_LANES * ROW_M + e % A_LANES * IV_WIDTH) = a[i];
    }
    UNROLLED for (int i = 0; i < B_LOADS; i++)
    {
        int e = get_local_id(0) + i * ITEMS;
        if (HAS_LOAD(e, TILE_N * TILE_K, OV_WIDTH))
            *(local OV *)(b_block + e / B_LANES * ROW_N + e % B_LANES * OV_WIDTH) = b[i];
    }
}

// PARTIAL: dw is one gradient after the other, each with its bias behind the weights, and db is not used.
__attribute__((reqd_work_group_size(ITEMS, 1, 1))) SUB_GROUPED
kernel void conv2d_backward_filter_tile(global const float *restrict x, global const float *restrict dz,
                                        global float *restrict dw, global float *restrict db, int batch)
{
    local FV a_block[2 * A_BLOCK / 4], b_block[2 * B_BLOCK / 4];
    local int4 window[2 * TILE_K];
    local float *a_local = (local float *)a_block, *b_local = (local float *)b_block;
    int m0 = get_group_id(0) * TILE_M, n0 = get_group_id(1) * TILE_N, pixels = batch * OH * OW;
    int part = get_group_id(2), parts = get_num_groups(2);
    int k = PART_FIRST(part, parts, pixels), end = PART_END(part, parts, pixels);

    FV sum[WORK_M][WORK_N / 4];
    IV a[A_LOADS];
    OV b[B_LOADS];
    clear_sums(sum);
    put_windows(window, k, pixels);
    put_windows(window + TILE_K, k + TILE_K, pixels);
    barrier(CLK_LOCAL_MEM_FENCE);
    read_blocks(x, dz, window, m0, n0, k, pixels, a, b);
    put_blocks(a, b, a_local, b_local);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int turn = 0; k < end; turn ^= 1) {
        k += TILE_K;
        if (k < end) {
            read_blocks(x, dz, window + (turn ^ 1) * TILE_K, m0, n0, k, pixels, a, b);
            put_windows(window + turn * TILE_K, k + TILE_K, pixels);
        }
        multiply_blocks(a_local + turn * A_BLOCK, b_local + turn * B_BLOCK, sum);
        if (k < end)
            put_blocks(a, b, a_local + (turn ^ 1) * A_BLOCK, b_local + (turn ^ 1) * B_BLOCK);
        barrier(CLK_LOCAL_MEM_FENCE);
    }

#if PARTIAL
    dw += part * ((WEIGHT_ROWS + 1) * OC);
#endif
    UNROLLED for (int i = 0; i < WORK_M; i++)
    {
        int m = m0 + ITEM_ROW(i);
        global float *to = PARTIAL || m < WEIGHT_ROWS ? dw + m * OC : db;
        UNROLLED for (int j = 0; j < WORK_N / 4; j++)
        {
            int n = n0 + ITEM_COLUMN(j);
            if (m >= WEIGHT_ROWS + (USE_BIAS ? 1 : 0) || n >= OC)
                continue;
#if OC % 4 == 0
            *(global FV *)(to + n) = sum[i][j];
#else
            store_part(sum[i][j], to + n, OC - n);
#endif
        }
    }
}
