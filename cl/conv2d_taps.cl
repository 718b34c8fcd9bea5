// The filter gradient of a 2D convolution for devices that want explicit vectors (CPUs), for strides and dilations of 1 along a row.
// Formula, shapes and compile-time names as in conv2d_plain.cl.
//
// A tile is ROWS input channels x the KW taps of a row of the kernel x VECTORS vectors of output channels, all in registers. It walks
// along a row of x: a pixel of x meets the KW pixels of dz that lie under its taps, and all but one of these were there for the pixel
// before. So ROWS values and VECTORS vectors are loaded for ROWS * KW * VECTORS products, where conv2d_vec.cl loads ROWS values for
// ROWS * VECTORS: what counts where the loads are the limit, that is, with few channels.
//
// A work-item is a whole work-group; what it sums: filter_chunks.clh.
#include "fma.clh"
#include "vector.clh"

#ifndef ROWS
#define ROWS 4 // input channels in a register tile (IC >= ROWS)
#endif
#ifndef VECTORS
#define VECTORS 1 // vectors of output channels in a register tile (OC >= VECTORS * VW)
#endif

#define CHANNEL_TILES ((IC + ROWS - 1) / ROWS)
#define TILE_COUNT (KH * CHANNEL_TILES)

// Tap kw of pixel `ix` of x meets pixel ix + PL - kw of dz. From pixel FIRST_FULL to LAST_FULL all taps meet one, and so does the first
// tap of the next pixel; before and behind, only some do. No tap does from END on.
#define FIRST_FULL (KW - 1 > PL ? KW - 1 - PL : 0)
#define LAST_FULL (OW - 2 - PL)
#define END (W < OW - PL + KW - 1 ? W : OW - PL + KW - 1)

// Adds the products of the pixel at `from`; those of taps that meet no pixel of dz are left out where IX is known.
#define ADD_PIXEL(IX)                                                                                                  \
    UNROLLED for (int r = 0; r < ROWS; r++)                                                                            \
    {                                                                                                                  \
        FV a = (FV)(from[r]);                                                                                          \
        UNROLLED for (int k = 0; k < KW; k++)                                                                          \
            if ((IX) + PL - k >= 0 && (IX) + PL - k < OW)                                                              \
                UNROLLED for (int v = 0; v < VECTORS; v++) acc[r][k][v] = FMA(a, d[k][v], acc[r][k][v]);               \
    }                                                                                                                  \
    from += IC;

// The next pixel's dz: each tap takes over what the one before it had.
#define NEXT_PIXEL(IX)                                                                                                 \
    UNROLLED for (int k = KW - 1; k > 0; k--)                                                                          \
        UNROLLED for (int v = 0; v < VECTORS; v++) d[k][v] = d[k - 1][v];                                              \
    if ((IX) + PL + 1 < OW)                                                                                            \
        UNROLLED for (int v = 0; v < VECTORS; v++) d[0][v] = VLOAD(grad + ((IX) + PL + 1) * OC + v * VW);

// For filter_chunks.clh. The last tile of channels is moved back to end with the last one: `known` of its channels another has done.
inline void add_tile(global const float *restrict x, global const float *restrict dz, global float *restrict dw, int tile, int line,
                     int line_end, bool first)
{
    int kh = tile / CHANNEL_TILES, channel = tile % CHANNEL_TILES * ROWS;
    int ic = min(channel, IC - ROWS), known = channel - ic;
    global float *to = dw + (kh * KW * IC + ic) * OC;
    FV acc[ROWS][KW][VECTORS];
    UNROLLED for (int r = 0; r < ROWS; r++)
        UNROLLED for (int k = 0; k < KW; k++)
            UNROLLED for (int v = 0; v < VECTORS; v++)
                acc[r][k][v] = first ? (FV)0.0f : VLOAD(to + (k * IC + r) * OC + v * VW);
    for (; line < line_end; line++) {
        int iy = line % OH * SH + kh * DH - PT;
        if (iy < 0 || iy >= H)
            continue;
        global const float *from = x + (line / OH * H + iy) * (W * IC) + ic;
        global const float *grad = dz + line * (OW * OC);
        FV d[KW][VECTORS]; // dz under each tap
        UNROLLED for (int k = 0; k < KW; k++)
            UNROLLED for (int v = 0; v < VECTORS; v++)
                d[k][v] = PL - k >= 0 && PL - k < OW ? VLOAD(grad + (PL - k) * OC + v * VW) : (FV)0.0f;
#if LAST_FULL >= FIRST_FULL
        UNROLLED for (int ix = 0; ix < FIRST_FULL; ix++)
        {
            ADD_PIXEL(ix)
            NEXT_PIXEL(ix)
        }
        PRAGMA(unroll KW)
        for (int ix = FIRST_FULL; ix <= LAST_FULL; ix++) {
            ADD_PIXEL(FIRST_FULL)
            NEXT_PIXEL(ix)
        }
        UNROLLED for (int ix = LAST_FULL + 1; ix < END; ix++)
#else
        UNROLLED for (int ix = 0; ix < END; ix++)
#endif
        {
            ADD_PIXEL(ix)
            NEXT_PIXEL(ix)
        }
    }
    UNROLLED for (int r = 0; r < ROWS; r++)
        if (r >= known)
            UNROLLED for (int k = 0; k < KW; k++)
                UNROLLED for (int v = 0; v < VECTORS; v++) VSTORE(acc[r][k][v], to + (k * IC + r) * OC + v * VW);
}

#include "filter_chunks.clh"

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_backward_filter_taps(global const float *restrict x, global const float *restrict dz,
                                        global float *restrict dw, global float *restrict db, int stride, int bias_at,
                                        int batch)
{
    sum_chunk(x, dz, dw, db, stride, bias_at, batch, (int3)(get_global_id(0), get_global_id(1), get_global_id(2)));
}
