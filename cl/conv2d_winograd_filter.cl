// The filter gradient of a 3x3 convolution of stride 1 by Winograd's minimal filtering F(3x3, 2x2): for each 2x2 piece of dz and the
// 4x4 patch of x under it, 16 products instead of 36 (B': winograd.clh).
//
//   V = B' x B, Z = G dz G', M = sum over pieces and images of V Z (element by element, for each pair of channels), dw = A' M A
//   G = 1 0, 1/2 1/2, 1/2 -1/2, 0 1     A' = 1 1 1 0, 0 1 -1 0, 0 1 1 -1
//
// x (n, H, W, IC), dz (n, OH, OW, OC), dw (3, 3, IC, OC), db (OC). A work-item is a whole work-group and sums a chunk of CHUNK
// images into its own part of the scratch, M (16, IC, OC) and then db; winograd_gradient_finish sums the chunks in their order.
#include "vector.clh"
#include "winograd.clh"

#ifndef IMAGES
#define IMAGES 8 // images transformed at once
#endif
#ifndef VECTORS
#define VECTORS 2 // vectors of output channels in a register tile (OC a multiple of VECTORS * VW)
#endif
#ifndef ROWS
#define ROWS 8 // input channels in a register tile (IC a multiple of it)
#endif

#define PIECES ((OW + 1) / 2) // in a row
#define COUNT (PIECES * IMAGES)
#define PART (16 * IC * OC + OC)

// to[position * COUNT * OC + channel] = G dz G' of the piece at (oy, ox); outside of the image dz is 0.
inline void transform_piece(global const float *dz, int oy, int ox, bool there, private float *to)
{
    for (int c = 0; c < OC; c += VW) {
        FV d[2][2], t[4][2];
        UNROLLED for (int i = 0; i < 2; i++)
            UNROLLED for (int j = 0; j < 2; j++)
                d[i][j] = there && oy + i < OH && ox + j < OW ? VLOAD(dz + ((oy + i) * OW + ox + j) * OC + c) : (FV)0.0f;
        UNROLLED for (int j = 0; j < 2; j++)
        {
            t[0][j] = d[0][j];
            t[1][j] = 0.5f * (d[0][j] + d[1][j]);
            t[2][j] = 0.5f * (d[0][j] - d[1][j]);
            t[3][j] = d[1][j];
        }
        UNROLLED for (int i = 0; i < 4; i++)
        {
            VSTORE(t[i][0], to + (i * 4) * (COUNT * OC) + c);
            VSTORE(0.5f * (t[i][0] + t[i][1]), to + (i * 4 + 1) * (COUNT * OC) + c);
            VSTORE(0.5f * (t[i][0] - t[i][1]), to + (i * 4 + 2) * (COUNT * OC) + c);
            VSTORE(t[i][1], to + (i * 4 + 3) * (COUNT * OC) + c);
        }
    }
}

// m[ic][oc] (+)= sum over the pieces of v[piece][ic] * z[piece][oc]
inline void add_products(private const float *v, private const float *z, global float *m, bool first)
{
    for (int ic = 0; ic < IC; ic += ROWS)
        for (int oc = 0; oc < OC; oc += VECTORS * VW) {
            FV acc[ROWS][VECTORS];
            UNROLLED for (int r = 0; r < ROWS; r++)
                UNROLLED for (int k = 0; k < VECTORS; k++)
                    acc[r][k] = first ? (FV)0.0f : VLOAD(m + (ic + r) * OC + oc + k * VW);
            for (int p = 0; p < COUNT; p++) {
                FV b[VECTORS];
                UNROLLED for (int k = 0; k < VECTORS; k++) b[k] = VLOAD(z + p * OC + oc + k * VW);
                UNROLLED for (int r = 0; r < ROWS; r++)
                {
                    FV a = (FV)(v[p * IC + ic + r]);
                    UNROLLED for (int k = 0; k < VECTORS; k++) acc[r][k] = fma(a, b[k], acc[r][k]);
                }
            }
            UNROLLED for (int r = 0; r < ROWS; r++)
                UNROLLED for (int k = 0; k < VECTORS; k++) VSTORE(acc[r][k], m + (ic + r) * OC + oc + k * VW);
        }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_gradient(global const float *restrict x, global const float *restrict dz, global float *restrict scratch,
                              int batch)
{
    private float v[16 * COUNT * IC], z[16 * COUNT * OC]; // position, piece, channel
    global float *m = scratch + (int)get_global_id(0) * PART;
    int begin = get_global_id(0) * CHUNK;
    int end = min(begin + CHUNK, batch);
    for (int c = 0; c < OC; c += VW) VSTORE((FV)0.0f, m + 16 * IC * OC + c);
    for (int n = begin; n < end; n += IMAGES)
        for (int oy = 0; oy < OH; oy += 2) {
            for (int j = 0; j < IMAGES; j++)
                for (int t = 0; t < PIECES; t++) {
                    bool there = n + j < end;
                    int piece = j * PIECES + t;
                    transform_patch(x + min(n + j, batch - 1) * (H * W * IC), oy - PT, t * 2 - PL, there, COUNT * IC,
                                    v + piece * IC);
                    transform_piece(dz + min(n + j, batch - 1) * (OH * OW * OC), oy, t * 2, there, z + piece * OC);
                }
            for (int p = 0; p < 16; p++)
                add_products(v + p * (COUNT * IC), z + p * (COUNT * OC), m + p * (IC * OC), n == begin && oy == 0);
            // Position (1, 1) of Z is a quarter of the piece's sum.
            for (int c = 0; c < OC; c += VW) {
                FV sum = VLOAD(m + 16 * IC * OC + c);
                for (int p = 0; p < COUNT; p++) sum += 4.0f * VLOAD(z + (5 * COUNT + p) * OC + c);
                VSTORE(sum, m + 16 * IC * OC + c);
            }
        }
}

// Dimension 0 counts vectors of output channels, 1 input channels.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_gradient_finish(global const float *restrict scratch, global float *restrict dw, global float *restrict db,
                                     int batch)
{
    int chunks = (batch + CHUNK - 1) / CHUNK;
    int oc = get_global_id(0) * VW;
    int at = get_global_id(1) * OC + oc;
    FV s[3][4];
    UNROLLED for (int j = 0; j < 4; j++)
    {
        FV m[4];
        for (int i = 0; i < 4; i++) {
            m[i] = VLOAD(scratch + (i * 4 + j) * (IC * OC) + at);
            for (int c = 1; c < chunks; c++) m[i] += VLOAD(scratch + c * PART + (i * 4 + j) * (IC * OC) + at);
        }
        s[0][j] = m[0] + m[1] + m[2];
        s[1][j] = m[1] - m[2];
        s[2][j] = m[1] + m[2] - m[3];
    }
    UNROLLED for (int i = 0; i < 3; i++)
    {
        VSTORE(s[i][0] + s[i][1] + s[i][2], dw + i * 3 * (IC * OC) + at);
        VSTORE(s[i][1] - s[i][2], dw + (i * 3 + 1) * (IC * OC) + at);
        VSTORE(s[i][1] + s[i][2] - s[i][3], dw + (i * 3 + 2) * (IC * OC) + at);
    }
#if USE_BIAS
    if (get_global_id(1) == 0) {
        FV sum = VLOAD(scratch + 16 * IC * OC + oc);
        for (int c = 1; c < chunks; c++) sum += VLOAD(scratch + c * PART + 16 * IC * OC + oc);
        VSTORE(sum, db + oc);
    }
#endif
}
