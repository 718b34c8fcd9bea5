// The filter gradient of a 2D convolution for devices that want explicit vectors (CPUs), for strides and dilations of 1 along a row.
// Formula, shapes and compile-time names as in conv2d_plain.cl.
//
// A tile is ROWS input channels x the KW taps of a row of the kernel x VECTORS vectors of output channels, all in registers. It walks
// along a row of x: a pixel of x meets the KW pixels of dz that lie under its taps, and all but one of these were there for the pixel
// before. So ROWS values and VECTORS vectors are loaded for ROWS * KW * VECTORS products, where conv2d_vec.cl loads ROWS values for
// ROWS * VECTORS: what counts where the loads are the limit, that is, with few channels.
//
// A work-item is a whole work-group; runs of TILES tiles, LINES and chunks of CHUNK images as in conv2d_vec.cl.
#include "vector.clh"

#ifndef ROWS
#define ROWS 4 // input channels in a register tile (IC >= ROWS)
#endif
#ifndef VECTORS
#define VECTORS 1 // vectors of output channels in a register tile (OC >= VECTORS * VW)
#endif
#ifndef CHUNK
#define CHUNK 8 // images that a work-item sums
#endif
#ifndef LINES
#define LINES (CHUNK * OH) // lines of dz that a tile sums at once
#endif
#ifndef TILES
#define TILES 1 // tiles that a work-item does
#endif
#include "bias_lines.clh"

#define CHANNEL_TILES ((IC + ROWS - 1) / ROWS)

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
                UNROLLED for (int v = 0; v < VECTORS; v++) acc[r][k][v] = fma(a, d[k][v], acc[r][k][v]);               \
    }                                                                                                                  \
    from += IC;

// The next pixel's dz: each tap takes over what the one before it had.
#define NEXT_PIXEL(IX)                                                                                                 \
    UNROLLED for (int k = KW - 1; k > 0; k--)                                                                          \
        UNROLLED for (int v = 0; v < VECTORS; v++) d[k][v] = d[k - 1][v];                                              \
    if ((IX) + PL + 1 < OW)                                                                                            \
        UNROLLED for (int v = 0; v < VECTORS; v++) d[0][v] = VLOAD(grad + ((IX) + PL + 1) * OC + v * VW);

// What lines [line, line_end) of dz, counted through the batch, add to the tile of channels from `ic` on of row `kh` of the kernel; `known`
// of them another tile has done.
inline void add_lines(global const float *restrict x, global const float *restrict dz, global float *restrict dw, int kh, int ic,
                      int known, int line, int line_end, bool first)
{
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

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_backward_filter_taps(global const float *restrict x, global const float *restrict dz,
                                        global float *restrict dw, global float *restrict db, int stride, int bias_at,
                                        int batch)
{
    int first_tile = get_global_id(0) * TILES;
    int last_tile = min(first_tile + TILES, KH * CHANNEL_TILES);
    int oc = min((int)get_global_id(1) * VECTORS * VW, OC - VECTORS * VW);
    int chunk = get_global_id(2);
    int begin = chunk * CHUNK * OH;
    int end = min((chunk + 1) * CHUNK, batch) * OH;
    dz += oc;
    dw += chunk * stride + oc;
    // A chunk behind the end of a short batch still writes its zeros.
    for (int line = begin; line == begin || line < end; line += LINES) {
        int line_end = min(line + LINES, end);
        for (int tile = first_tile; tile < last_tile; tile++) {
            int channel = tile % CHANNEL_TILES * ROWS, ic = min(channel, IC - ROWS);
            add_lines(x, dz, dw, tile / CHANNEL_TILES, ic, channel - ic, line, line_end, line == begin);
        }
#if USE_BIAS
        if (get_global_id(0) == 0)
            add_bias_lines(dz, db + bias_at + chunk * stride + oc, line, line_end, line == begin);
#endif
    }
}
