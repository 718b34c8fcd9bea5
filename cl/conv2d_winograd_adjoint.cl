// The data gradient of a 3x3 convolution of stride 1 as the adjoint of Winograd's minimal filtering F(M x M, 3x3): where the forward
// pass is y = A' (sum over ic of U (B' d B)) A for each patch d, the patch's gradient is
//
//   B (sum over oc of U (A dz A'), element by element) B'      U = G g G' (winograd_weights.cl), the matrices: winograd_points.clh
//
// Patches overlap, so their gradients are added. Its patches are as many as dz has pieces of M x M, which are fewer than the pieces
// of dx where images are small: 4x4 pixels of dz are one patch, the 6x6 pixels of dx under them would be four.
//
// dz (n, OH, OW, OC), dx (n, H, W, IC), u (N N, OC, IC). A work-item is a whole work-group and takes IMAGES images and one of PARTS
// parts of the input channels (a multiple of VECTORS * VW); the buffers hold a multiple of IMAGES, whatever the batch.
#include "vector.clh"
#include "epilogue.clh"
#include "winograd_points.clh"

#ifndef IMAGES
#define IMAGES 8 // images in a register tile
#endif
#ifndef VECTORS
#define VECTORS 2 // vectors of input channels in a register tile
#endif
#include "multiply_add.clh"
#ifndef PARTS
#define PARTS 1
#endif
// The first channel of a part.
#define PART_START(part) ((part) * (IC / (VECTORS * VW)) / PARTS * (VECTORS * VW))

#define ROWS ((OH + M - 1) / M)
#define COLUMNS ((OW + M - 1) / M)
#define ALONE (ROWS == 1 && COLUMNS == 1)
// Floats from one position to the next: not a power of two, which would make all positions meet in the same set of the cache.
#define Z_STEP (IMAGES * OC + 16)

// out = A d and out = B s for a column or row.
#if M == 2
#define TRANSFORM_PIECE(out, d)                                                                                        \
    {                                                                                                                  \
        out[0] = d[0];                                                                                                 \
        out[1] = d[0] + d[1];                                                                                          \
        out[2] = d[0] - d[1];                                                                                          \
        out[3] = -d[1];                                                                                                \
    }
#define TRANSFORM_PATCH(out, s)                                                                                        \
    {                                                                                                                  \
        out[0] = s[0];                                                                                                 \
        out[1] = s[1] - s[2] + s[3];                                                                                   \
        out[2] = s[1] + s[2] - s[0];                                                                                   \
        out[3] = -s[3];                                                                                                \
    }
#else
#define TRANSFORM_PIECE(out, d)                                                                                        \
    {                                                                                                                  \
        IFV even = d[0] + AA * d[2], odd = PA * d[1] + PA * AA * d[3];                                                 \
        IFV even2 = d[0] + BB * d[2], odd2 = PB * d[1] + PB * BB * d[3];                                               \
        out[0] = d[0];                                                                                                 \
        out[1] = even + odd;                                                                                           \
        out[2] = even - odd;                                                                                           \
        out[3] = even2 + odd2;                                                                                         \
        out[4] = even2 - odd2;                                                                                         \
        out[5] = d[3];                                                                                                 \
    }
#define TRANSFORM_PATCH(out, s)                                                                                        \
    {                                                                                                                  \
        FV plus = s[1] + s[2], minus = s[1] - s[2], plus2 = s[3] + s[4], minus2 = s[3] - s[4];                         \
        out[0] = F0 * s[0];                                                                                            \
        out[1] = F0 * s[5] - PA * BB * minus - PB * AA * minus2;                                                       \
        out[2] = -(AA + BB) * s[0] - BB * plus - AA * plus2;                                                           \
        out[3] = PA * minus + PB * minus2 - (AA + BB) * s[5];                                                          \
        out[4] = s[0] + plus + plus2;                                                                                  \
        out[5] = s[5];                                                                                                 \
    }
#endif

// to[position * Z_STEP + channel] = A dz A' of the piece at (oy, ox), all channels; outside of the image dz is 0.
inline void transform_piece(global const float *dz, int oy, int ox, private float *to)
{
    for (int c = 0; c < OC; c += IVW) {
        IFV t[M][N]; // t[j] = A times column j
        int channel = min(c, OC - IVW);
        PATCH_LOOP for (int j = 0; j < M; j++)
        {
            IFV d[M];
            UNROLLED for (int i = 0; i < M; i++)
                d[i] = oy + i < OH && ox + j < OW ? IVLOAD(dz + ((oy + i) * OW + ox + j) * OC + channel) : (IFV)0.0f;
            TRANSFORM_PIECE(t[j], d)
        }
        PATCH_LOOP for (int i = 0; i < N; i++)
        {
            IFV row[M], out[N];
            UNROLLED for (int j = 0; j < M; j++) row[j] = t[j][i];
            TRANSFORM_PIECE(out, row)
            UNROLLED for (int j = 0; j < N; j++) IVSTORE(out[j], to + (i * N + j) * Z_STEP + channel);
        }
    }
}

// The patch at (iy, ix) of dx, from index `first` on: stored when it is the only one, else added.
inline void put_patch(private const float *from, int step, int iy, int ix, int first, global float *dx EPILOGUE_ARGS)
{
    FV t[N][N]; // t[j] = B times column j
    PATCH_LOOP for (int j = 0; j < N; j++)
    {
        FV s[N];
        UNROLLED for (int i = 0; i < N; i++) s[i] = VLOAD(from + (i * N + j) * step);
        TRANSFORM_PATCH(t[j], s)
    }
    PATCH_LOOP for (int i = 0; i < N; i++)
    {
        FV row[N], out[N];
        UNROLLED for (int j = 0; j < N; j++) row[j] = t[j][i];
        TRANSFORM_PATCH(out, row)
        UNROLLED for (int j = 0; j < N; j++)
        {
            if (iy + i < 0 || iy + i >= H || ix + j < 0 || ix + j >= W)
                continue;
            int at = first + ((iy + i) * W + ix + j) * IC;
            VSTORE(ALONE ? FINISH(out[j], at) : out[j] + VLOAD(dx + at), dx + at);
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_adjoint(global const float *restrict dz, global const float *restrict u,
                             global float *restrict dx, int batch EPILOGUE_ARGS)
{
    private float z[NN * Z_STEP];                   // position, image, channel
    private float s[NN * IMAGES * VECTORS * VW];    // position, image, channel
    int first = get_global_id(0) * IMAGES, part = PARTS == 1 ? 0 : (int)get_global_id(1);
    int begin = PART_START(part), end = PART_START(part + 1);
    if (first >= batch)
        return;
    dz += first * (OH * OW * OC);
    int start = first * (H * W * IC);
#if !ALONE
    for (int at = start; at < start + IMAGES * H * W * IC; at += IC)
        for (int c = begin; c < end; c += VW) VSTORE(FINISH_SUM((FV)0.0f, at + c), dx + at + c);
#endif
    for (int tile = 0; tile < ROWS * COLUMNS; tile++) {
        int oy = tile / COLUMNS * M, ox = tile % COLUMNS * M;
        for (int j = 0; j < IMAGES; j++) transform_piece(dz + j * (OH * OW * OC), oy, ox, z + j * OC);
        for (int c = begin; c < end; c += VECTORS * VW) {
            for (int p = 0; p < NN; p++) {
                private const float *from = z + p * Z_STEP;
                global const float *weights = u + p * U_STEP(OC, IC) + c;
                FV acc[IMAGES][VECTORS];
                UNROLLED for (int j = 0; j < IMAGES; j++)
                    UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = (FV)0.0f;
                MULTIPLY_ADD(from, OC, weights, IC, OC)
                UNROLLED for (int j = 0; j < IMAGES; j++)
                    UNROLLED for (int v = 0; v < VECTORS; v++) VSTORE(acc[j][v], s + ((p * IMAGES + j) * VECTORS + v) * VW);
            }
            for (int j = 0; j < IMAGES; j++)
                for (int v = 0; v < VECTORS; v++)
                    put_patch(s + (j * VECTORS + v) * VW, IMAGES * VECTORS * VW, oy - PT, ox - PL,
                              start + j * (H * W * IC) + c + v * VW, dx EPILOGUE_PASS);
        }
    }
#if !ALONE && ENDS
    for (int at = start; at < start + IMAGES * H * W * IC; at += IC)
        for (int c = begin; c < end; c += VW) VSTORE(FINISH_END(VLOAD(dx + at + c), at + c), dx + at + c);
#endif
}
