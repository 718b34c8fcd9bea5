// 3x3 convolution of stride 1 by Winograd's minimal filtering F(M x M, 3x3), for devices that want explicit vectors: 16 products
// instead of 36 for 2x2 outputs, or 36 instead of 144 for 4x4, whose rounding errors are larger.
//
//   U = G g G' (winograd_weights.cl), V = B' d B for each patch d of the input, y = A' (sum over channels of U V, element by
//   element) A; the matrices: winograd_points.clh
//
// The forward pass can pool (pooled.clh), windows of 2 x 2 pixels: y is (n, POH, POW, OC) then.
//
// A work-item is a whole work-group and takes a row of patches of IMAGES images, TILES patches at a time, for all channels; or, where
// there would be too few work-items, one of PARTS parts of these steps, which are patches times tiles of channels.
// x (n, H, W, IC), y (n, OH, OW, OC), u (N N, IC, OC); PT and PL zeros lead. The data gradient is the same with dz as x, the kernel
// turned around and its channels swapped.
#include "vector.clh"
#include "pooled.clh"
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
#include "multiply_add.clh"
#ifndef PARTS
#define PARTS 1
#endif
#define PART (PARTS == 1 ? 0 : (int)get_global_id(2))
#define CHANNEL_TILES ((OC + VECTORS * VW - 1) / (VECTORS * VW))
#define STEPS ((PATCHES + TILES - 1) / TILES * CHANNEL_TILES)

// Floats from one position to the next: not a power of two, which would make all positions meet in the same set of the cache.
#define V_STEP (TILES * IMAGES * IC + 16)

// out = A' m for a column or row.
#if M == 2
#define TRANSFORM_OUT(out, m)                                                                                          \
    {                                                                                                                  \
        out[0] = m[0] + m[1] + m[2];                                                                                   \
        out[1] = m[1] - m[2] - m[3];                                                                                   \
    }
#else
#define TRANSFORM_OUT(out, m)                                                                                          \
    {                                                                                                                  \
        FV plus = m[1] + m[2], minus = m[1] - m[2], plus2 = m[3] + m[4], minus2 = m[3] - m[4];                         \
        out[0] = m[0] + plus + plus2;                                                                                  \
        out[1] = PA * minus + PB * minus2;                                                                             \
        out[2] = AA * plus + BB * plus2;                                                                               \
        out[3] = PA * AA * minus + PB * BB * minus2 + m[5];                                                            \
    }
#endif

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_winograd(global const float *restrict x, global const float *restrict u,
                            global const float *restrict bias, global float *restrict y, int batch EPILOGUE_ARGS)
{
    private float v_in[NN * V_STEP];       // V: position, patch, image, channel
    private float v_out[NN * IMAGES * VECTORS * VW];    // U V: position, image, channel
    int oy = get_global_id(0) * M;
    int first = max(min((int)get_global_id(1) * IMAGES, batch - IMAGES), 0);
    x += first * (H * W * IC);
    int begin = PART * STEPS / PARTS, end = (PART + 1) * STEPS / PARTS;
    for (int step = begin / CHANNEL_TILES * CHANNEL_TILES; step < end; step += CHANNEL_TILES) {
        int patch = min(step / CHANNEL_TILES * TILES, PATCHES - TILES);
        for (int t = 0; t < TILES; t++)
            for (int j = 0; j < IMAGES; j++)
                transform_patch(x + j * (H * W * IC), oy - PT, (patch + t) * M - PL, true, V_STEP,
                                v_in + (t * IMAGES + j) * IC);
        for (int tile = max(begin - step, 0); tile < min(end - step, CHANNEL_TILES); tile++) {
            int oc = min(tile * VECTORS * VW, OC - VECTORS * VW);
            for (int t = 0; t < TILES; t++) {
                for (int p = 0; p < NN; p++) {
                    private const float *from = v_in + p * V_STEP + t * (IMAGES * IC);
                    global const float *weights = u + p * U_STEP(IC, OC) + oc;
                    FV acc[IMAGES][VECTORS];
                    UNROLLED for (int j = 0; j < IMAGES; j++)
                        UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = (FV)0.0f;
                    MULTIPLY_ADD(from, IC, weights, OC, IC)
                    UNROLLED for (int j = 0; j < IMAGES; j++)
                        UNROLLED for (int v = 0; v < VECTORS; v++)
                            VSTORE(acc[j][v], v_out + ((p * IMAGES + j) * VECTORS + v) * VW);
                }
                int ox = (patch + t) * M;
                for (int j = 0; j < IMAGES; j++)
                    UNROLLED for (int v = 0; v < VECTORS; v++)
                    {
                        FV s[N][M]; // s[q] = A' times column q of the products
                        private const float *from = v_out + (j * VECTORS + v) * VW;
                        PATCH_LOOP for (int q = 0; q < N; q++)
                        {
                            FV m[N];
                            UNROLLED for (int i = 0; i < N; i++) m[i] = VLOAD(from + (i * N + q) * (IMAGES * VECTORS * VW));
                            TRANSFORM_OUT(s[q], m)
                        }
#if POOLED
                        FV above[M / 2]; // the upper half of each window
                        IV place_above[M / 2];
#endif
                        PATCH_LOOP for (int r = 0; r < M; r++)
                        {
                            FV row[N], out[M];
                            UNROLLED for (int q = 0; q < N; q++) row[q] = s[q][r];
                            TRANSFORM_OUT(out, row)
#if USE_BIAS
                            UNROLLED for (int q = 0; q < M; q++) out[q] += VLOAD(bias + oc + v * VW);
#endif
#if POOLED
                            UNROLLED for (int q = 0; q < M; q++) out[q] = FINISH(out[q], 0);
                            UNROLLED for (int q = 0; q < M / 2; q++)
                            {
                                FV pair = out[2 * q];
                                IV place = (IV)(r % 2 * PW);
                                TAKE(out[2 * q + 1], (IV)(r % 2 * PW + 1), pair, place)
                                FV best = above[q];
                                IV best_place = place_above[q];
                                TAKE(pair, place, best, best_place)
                                int at = (((first + j) * POH + (oy + r) / 2) * POW + ox / 2 + q) * OC + oc + v * VW;
                                bool whole = r % 2 == 1 && (oy + r) / 2 < POH && ox / 2 + q < POW;
                                if (whole) {
                                    VSTORE(best, y + at);
                                    KEEP_PLACES(best_place, at);
                                }
                                above[q] = pair;
                                place_above[q] = place;
                            }
#else
                            UNROLLED for (int q = 0; q < M; q++)
                            {
                                if (oy + r >= OH || ox + q >= OW)
                                    continue;
                                int at = (((first + j) * OH + oy + r) * OW + ox + q) * OC + oc + v * VW;
                                VSTORE(FINISH(out[q], at), y + at);
                            }
#endif
                        }
                    }
            }
        }
    }
}
