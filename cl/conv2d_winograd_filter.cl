// The filter gradient of a 3x3 convolution of stride 1 by Winograd's minimal filtering F(3x3, M x M): for each M x M piece of dz and
// the patch of x under it, 16 products instead of 36 (M = 2) or 36 instead of 144 (M = 4).
//
//   V = B' x B, Z = G dz G', S = sum over pieces and images of V Z (element by element, for each pair of channels), dw = A' S A
//   B', points and f: winograd_points.clh
//   M = 2: G = 1 0, 1/2 1/2, 1/2 -1/2, 0 1                  A' = 1 1 1 0, 0 1 -1 0, 0 1 1 -1
//   M = 4: G = (1 p p^2 p^3) / f(p), 0 0 0 1 for infinity    A' = p^0, p^1, p^2 of each point in a column, and 0 0 1
//
// x (n, H, W, IC), dz (n, OH, OW, OC), dw (3, 3, IC, OC), db (OC). A work-item is a whole work-group and sums a chunk of CHUNK
// images into its own part of the scratch, S (N N, IC, OC) and then db; winograd_gradient_finish sums the chunks in their order.
#include "fma.clh"
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

#define PIECES ((OW + M - 1) / M) // in a row
#define COUNT (PIECES * IMAGES)
#define PART (NN * IC * OC + OC)
// Floats from one position to the next: not a power of two, which would make all positions meet in the same set of the cache.
#define V_STEP (COUNT * IC + 16)
#define Z_STEP (COUNT * OC + 16)

// z = G d and w = A' s for a column or row.
#if M == 2
#define TRANSFORM_PIECE(z, d)                                                                                          \
    {                                                                                                                  \
        z[0] = d[0];                                                                                                   \
        z[1] = 0.5f * (d[0] + d[1]);                                                                                   \
        z[2] = 0.5f * (d[0] - d[1]);                                                                                   \
        z[3] = d[1];                                                                                                   \
    }
#define TRANSFORM_SUM(w, s)                                                                                            \
    {                                                                                                                  \
        w[0] = s[0] + s[1] + s[2];                                                                                     \
        w[1] = s[1] - s[2];                                                                                            \
        w[2] = s[1] + s[2] - s[3];                                                                                     \
    }
#else
#define TRANSFORM_PIECE(z, d)                                                                                          \
    {                                                                                                                  \
        FV even = 1.0f / FA * d[0] + AA / FA * d[2], odd = PA / FA * d[1] + PA * AA / FA * d[3];                       \
        FV even2 = 1.0f / FB * d[0] + BB / FB * d[2], odd2 = PB / FB * d[1] + PB * BB / FB * d[3];                     \
        z[0] = 1.0f / F0 * d[0];                                                                                       \
        z[1] = even + odd;                                                                                             \
        z[2] = even - odd;                                                                                             \
        z[3] = even2 + odd2;                                                                                           \
        z[4] = even2 - odd2;                                                                                           \
        z[5] = d[3];                                                                                                   \
    }
#define TRANSFORM_SUM(w, s)                                                                                            \
    {                                                                                                                  \
        FV plus = s[1] + s[2], minus = s[1] - s[2], plus2 = s[3] + s[4], minus2 = s[3] - s[4];                         \
        w[0] = s[0] + plus + plus2;                                                                                    \
        w[1] = PA * minus + PB * minus2;                                                                               \
        w[2] = AA * plus + BB * plus2 + s[5];                                                                          \
    }
#endif

// to[position * Z_STEP + channel] = G dz G' of the piece at (oy, ox), and its sum joins `sums`; outside of the image dz is 0.
inline void transform_piece(global const float *dz, int oy, int ox, bool there, private float *to, private float *sums)
{
    for (int c = 0; c < OC; c += VW) {
        FV t[M][N]; // t[j] = G times column j
        FV sum = VLOAD(sums + c);
        PATCH_LOOP for (int j = 0; j < M; j++)
        {
            FV d[M];
            UNROLLED for (int i = 0; i < M; i++)
            {
                d[i] = there && oy + i < OH && ox + j < OW ? VLOAD(dz + ((oy + i) * OW + ox + j) * OC + c) : (FV)0.0f;
                sum += d[i];
            }
            TRANSFORM_PIECE(t[j], d)
        }
        VSTORE(sum, sums + c);
        PATCH_LOOP for (int i = 0; i < N; i++)
        {
            FV row[M], out[N];
            UNROLLED for (int j = 0; j < M; j++) row[j] = t[j][i];
            TRANSFORM_PIECE(out, row)
            UNROLLED for (int j = 0; j < N; j++) VSTORE(out[j], to + (i * N + j) * Z_STEP + c);
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
                    UNROLLED for (int k = 0; k < VECTORS; k++) acc[r][k] = FMA(a, b[k], acc[r][k]);
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
    private float v[NN * V_STEP], z[NN * Z_STEP]; // position, piece, channel
    private float sums[OC];
    global float *m = scratch + (int)get_global_id(0) * PART;
    int begin = get_global_id(0) * CHUNK;
    int end = min(begin + CHUNK, batch);
    for (int c = 0; c < OC; c += VW) VSTORE((FV)0.0f, sums + c);
    for (int n = begin; n < end; n += IMAGES)
        for (int oy = 0; oy < OH; oy += M) {
            for (int j = 0; j < IMAGES; j++)
                for (int t = 0; t < PIECES; t++) {
                    bool there = n + j < end;
                    int piece = j * PIECES + t;
                    transform_patch(x + min(n + j, batch - 1) * (H * W * IC), oy - PT, t * M - PL, there, V_STEP,
                                    v + piece * IC);
                    transform_piece(dz + min(n + j, batch - 1) * (OH * OW * OC), oy, t * M, there, z + piece * OC, sums);
                }
            for (int p = 0; p < NN; p++)
                add_products(v + p * V_STEP, z + p * Z_STEP, m + p * (IC * OC), n == begin && oy == 0);
        }
    for (int c = 0; c < OC; c += VW) VSTORE(VLOAD(sums + c), m + NN * IC * OC + c);
}

// Dimension 0 counts vectors of output channels, 1 input channels.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_gradient_finish(global const float *restrict scratch, global float *restrict dw, global float *restrict db,
                                     int batch)
{
    int chunks = (batch + CHUNK - 1) / CHUNK;
    int oc = get_global_id(0) * VW;
    int at = get_global_id(1) * OC + oc;
    FV s[N][3]; // s[j] = A' times column j
    PATCH_LOOP for (int j = 0; j < N; j++)
    {
        FV m[N];
        UNROLLED for (int i = 0; i < N; i++) m[i] = VLOAD(scratch + (i * N + j) * (IC * OC) + at);
        for (int c = 1; c < chunks; c++)
            UNROLLED for (int i = 0; i < N; i++) m[i] += VLOAD(scratch + c * PART + (i * N + j) * (IC * OC) + at);
        TRANSFORM_SUM(s[j], m)
    }
    PATCH_LOOP for (int i = 0; i < 3; i++)
    {
        FV row[N], out[3];
        UNROLLED for (int j = 0; j < N; j++) row[j] = s[j][i];
        TRANSFORM_SUM(out, row)
        UNROLLED for (int j = 0; j < 3; j++) VSTORE(out[j], dw + (i * 3 + j) * (IC * OC) + at);
    }
#if USE_BIAS
    if (get_global_id(1) == 0) {
        FV sum = VLOAD(scratch + NN * IC * OC + oc);
        for (int c = 1; c < chunks; c++) sum += VLOAD(scratch + c * PART + NN * IC * OC + oc);
        VSTORE(sum, db + oc);
    }
#endif
}
