// Direct 2D convolution for devices that want explicit vectors (CPUs), tiled over images: a work-item is a whole work-group, and
// its register tile is IMAGES images x VECTORS vectors of VW channels, at one pixel after another of a row. The pixels of a tile
// lie at the same place in their images, so they meet the same taps: what the padding cuts off costs nothing, and no test or
// address is needed within a tile. Formulas, shapes and compile-time names as in conv2d_plain.cl.
//
// The forward pass can pool (pooled.clh): y is (n, POH, POW, OC), and rows of pixels are rows of windows.
//
// Nothing is masked: the last tile of channels and the last block of images are moved back to end with the last one (OC or IC
// >= VECTORS * VW). A batch of less than IMAGES computes on what lies behind it: tensors have room for IMAGES at least.
// Dimension 0 counts rows of pixels, 1 tiles of channels, 2 blocks of images.
#include "vector.clh"
#include "pooled.clh"

#ifndef IMAGES
#define IMAGES 6 // images in a register tile
#endif
#ifndef VECTORS
#define VECTORS 2 // vectors of channels in a register tile
#endif
#include "multiply_add.clh"

#define TILE_START(CHANNELS) min((int)get_global_id(1) * VECTORS * VW, (CHANNELS) - VECTORS * VW)
#define FIRST_IMAGE max(min((int)get_global_id(2) * IMAGES, batch - IMAGES), 0)

#ifdef FORWARD
// Where the result for image j and vector v of a tile is.
#define PLACE_OF(j, v) (first + (j) * (POH * POW * OC) + column * OC + (v) * VW)

// The taps of an axis of N that are inside for a window that begins at `start`: [FIRST_TAP, LAST_TAP).
#define FIRST_TAP(start, D) ((start) >= 0 ? 0 : (-(start) + (D) - 1) / (D))
#define LAST_TAP(start, D, N, K) min((K), ((N) - (start) + (D) - 1) / (D))

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_forward_vec_images(global const float *restrict x, global const float *restrict w,
                                      global const float *restrict bias, global float *restrict y,
                                      int batch EPILOGUE_ARGS)
{
    int oc = TILE_START(OC);
    int row = get_global_id(0);
    x += FIRST_IMAGE * (H * W * IC);
    int first = FIRST_IMAGE * (POH * POW * OC) + row * POW * OC + oc;
    for (int column = 0; column < POW; column++) {
        FV best[IMAGES][VECTORS];
        IV best_place[IMAGES][VECTORS];
        UNROLLED for (int j = 0; j < IMAGES; j++)
            UNROLLED for (int v = 0; v < VECTORS; v++)
            {
                best[j][v] = (FV)-INFINITY;
                best_place[j][v] = (IV)0;
            }
        for (int place = 0; place < PH * PW; place++) {
            int iy = (row * PSH + place / PW) * SH - PT;
            int ix = (column * PSW + place % PW) * SW - PL;
            int kh_first = FIRST_TAP(iy, DH), kh_end = LAST_TAP(iy, DH, H, KH);
#if PADDED
            int kw_first = FIRST_TAP(ix, DW), kw_end = LAST_TAP(ix, DW, W, KW);
#else
            const int kw_first = 0, kw_end = KW;
#endif
            FV acc[IMAGES][VECTORS];
            UNROLLED for (int j = 0; j < IMAGES; j++)
                UNROLLED for (int v = 0; v < VECTORS; v++)
#if USE_BIAS
                    acc[j][v] = VLOAD(bias + oc + v * VW);
#else
                    acc[j][v] = (FV)0.0f;
#endif
            for (int kh = kh_first; kh < kh_end; kh++) {
#if DW == 1
                // The taps of one row of the kernel lie behind each other in memory.
                global const float *from = x + ((iy + kh * DH) * W + ix + kw_first) * IC;
                global const float *weights = w + (kh * KW + kw_first) * IC * OC + oc;
                MULTIPLY_ADD(from, H * W * IC, weights, OC, (kw_end - kw_first) * IC)
#else
                for (int kw = kw_first; kw < kw_end; kw++) {
                    global const float *from = x + ((iy + kh * DH) * W + ix + kw * DW) * IC;
                    global const float *weights = w + (kh * KW + kw) * IC * OC + oc;
                    MULTIPLY_ADD(from, H * W * IC, weights, OC, IC)
                }
#endif
            }
            UNROLLED for (int j = 0; j < IMAGES; j++)
                UNROLLED for (int v = 0; v < VECTORS; v++)
                {
                    FV value = FINISH(acc[j][v], PLACE_OF(j, v));
#if POOLED
                    TAKE(value, (IV)place, best[j][v], best_place[j][v])
#else
                    best[j][v] = value;
#endif
                }
        }
        UNROLLED for (int j = 0; j < IMAGES; j++)
            UNROLLED for (int v = 0; v < VECTORS; v++)
            {
                VSTORE(best[j][v], y + PLACE_OF(j, v));
                KEEP_PLACES(best_place[j][v], PLACE_OF(j, v));
            }
    }
}
#endif

#ifdef BACKWARD_DATA
// wt is w with its last two axes swapped, (KH, KW, OC, IC).
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_backward_data_vec_images(global const float *restrict dz, global const float *restrict wt,
                                            global float *restrict dx, int batch EPILOGUE_ARGS)
{
    int ic = TILE_START(IC);
    int iy = get_global_id(0);
    int first = FIRST_IMAGE;
    dz += first * (OH * OW * OC);
    for (int ix = 0; ix < W; ix++) {
        FV acc[IMAGES][VECTORS];
        UNROLLED for (int j = 0; j < IMAGES; j++)
            UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = (FV)0.0f;
        for (int kh = 0; kh < KH; kh++) {
            int sy = iy + PT - kh * DH;
            if (sy < 0 || sy % SH != 0 || sy / SH >= OH)
                continue;
            for (int kw = 0; kw < KW; kw++) {
                int sx = ix + PL - kw * DW;
                if (sx < 0 || sx % SW != 0 || sx / SW >= OW)
                    continue;
                global const float *from = dz + (sy / SH * OW + sx / SW) * OC;
                global const float *weights = wt + (kh * KW + kw) * OC * IC + ic;
                MULTIPLY_ADD(from, OH * OW * OC, weights, IC, OC)
            }
        }
        int at = first * (H * W * IC) + (iy * W + ix) * IC + ic;
        UNROLLED for (int j = 0; j < IMAGES; j++)
            UNROLLED for (int v = 0; v < VECTORS; v++)
            {
                int to = at + j * (H * W * IC) + v * VW;
                VSTORE(FINISH(acc[j][v], to), dx + to);
            }
    }
}
#endif
