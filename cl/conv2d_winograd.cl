// 3x3 convolution of stride 1 by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2015), for devices that want explicit vectors: 16 products instead of 36 for 2x2 outputs.
//
//   U = G g G' (winograd_weights.cl), V = B' d B for each 4x4 patch d of the input (winograd.clh),
//   y = A' (sum over channels of U V, element by element) A,   A' = 1 1 1 0, 0 1 -1 -1
//
// A work-item is a whole work-group and takes a row of patches of IMAGES images, TILES patches at a time, for all channels.
// x (n, H, W, IC), y (n, OH, OW, OC), u (16, IC, OC), `u_at` floats into the scratch; PT and PL zeros lead. The data gradient is the
// same with dz as x, the kernel turned around and its channels swapped; with INPUT_SLOPE y is multiplied by the slope at `other`.
#include "vector.clh"
#include "activation.clh"
#include "winograd.clh"

#ifndef IMAGES
#define IMAGES 8 // images in a register tile
#endif
#ifndef VECTORS
#define VECTORS 2 // vectors of output channels in a register tile
#endif
#ifndef TILES
#define TILES 1 // patches transformed at once; they share the loads of u
#endif
#ifndef UNROLL
#define UNROLL 4 // input channels in one turn of the innermost loop
#endif

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_winograd(global const float *restrict x, global const float *restrict scratch, int u_at,
                            global const float *restrict other, global float *restrict y, int batch)
{
    global const float *u = scratch + u_at;
    private float v_in[16 * TILES * IMAGES * IC];       // V: position, patch, image, channel
    private float v_out[16 * IMAGES * VECTORS * VW];    // U V: position, image, channel
    int oy = get_global_id(0) * 2;
    int first = max(min((int)get_global_id(1) * IMAGES, batch - IMAGES), 0);
    x += first * (H * W * IC);
    y += first * (OH * OW * OC);
    for (int start = 0; start < PATCHES; start += TILES) {
        int patch = min(start, PATCHES - TILES);
        for (int t = 0; t < TILES; t++)
            for (int j = 0; j < IMAGES; j++)
                transform_patch(x + j * (H * W * IC), oy - PT, (patch + t) * 2 - PL, true, TILES * IMAGES * IC,
                                v_in + (t * IMAGES + j) * IC);
        for (int c = 0; c < OC; c += VECTORS * VW) {
            int oc = min(c, OC - VECTORS * VW);
            for (int t = 0; t < TILES; t++) {
                for (int p = 0; p < 16; p++) {
                    private const float *from = v_in + (p * TILES + t) * (IMAGES * IC);
                    global const float *weights = u + p * (IC * OC) + oc;
                    FV acc[IMAGES][VECTORS];
                    UNROLLED for (int j = 0; j < IMAGES; j++)
                        UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = (FV)0.0f;
                    PRAGMA(unroll UNROLL)
                    for (int k = 0; k < IC; k++) {
                        FV b[VECTORS];
                        UNROLLED for (int v = 0; v < VECTORS; v++) b[v] = VLOAD(weights + k * OC + v * VW);
                        UNROLLED for (int j = 0; j < IMAGES; j++)
                        {
                            FV a = (FV)(from[j * IC + k]);
                            UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = fma(a, b[v], acc[j][v]);
                        }
                    }
                    UNROLLED for (int j = 0; j < IMAGES; j++)
                        UNROLLED for (int v = 0; v < VECTORS; v++)
                            VSTORE(acc[j][v], v_out + ((p * IMAGES + j) * VECTORS + v) * VW);
                }
                int ox = (patch + t) * 2;
                for (int j = 0; j < IMAGES; j++)
                    UNROLLED for (int v = 0; v < VECTORS; v++)
                    {
                        FV s[2][4]; // A' times the products
                        private const float *from = v_out + (j * VECTORS + v) * VW;
                        UNROLLED for (int q = 0; q < 4; q++)
                        {
                            FV m0 = VLOAD(from + q * (IMAGES * VECTORS * VW));
                            FV m1 = VLOAD(from + (4 + q) * (IMAGES * VECTORS * VW));
                            FV m2 = VLOAD(from + (8 + q) * (IMAGES * VECTORS * VW));
                            FV m3 = VLOAD(from + (12 + q) * (IMAGES * VECTORS * VW));
                            s[0][q] = m0 + m1 + m2;
                            s[1][q] = m1 - m2 - m3;
                        }
                        UNROLLED for (int r = 0; r < 2; r++)
                        {
                            FV out[2] = {s[r][0] + s[r][1] + s[r][2], s[r][1] - s[r][2] - s[r][3]};
                            UNROLLED for (int q = 0; q < 2; q++)
                            {
                                if (oy + r >= OH || ox + q >= OW)
                                    continue;
                                int at = j * (OH * OW * OC) + ((oy + r) * OW + ox + q) * OC + oc + v * VW;
#if BACKWARD
#if INPUT_SLOPE
                                FV there = VLOAD(other + first * (OH * OW * OC) + at);
                                out[q] *= SLOPE(there, there);
#endif
                                VSTORE(out[q], y + at);
#else
#if USE_BIAS
                                out[q] += VLOAD(other + oc + v * VW);
#endif
                                VSTORE(ACTIVATE(out[q]), y + at);
#endif
                            }
                        }
                    }
            }
        }
    }
}
