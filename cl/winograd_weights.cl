// The weights' transformation in Winograd's minimal filtering F(M x M, 3x3): u[i][j] = (G g G')[i][j] for each pair of channels.
//   w (3, 3, ic, oc), u (N N, ic, oc); G: winograd_points.clh
// The sizes are arguments, so that all layers share one kernel.
// FLIP (1): of the kernel turned around by 180 degrees. SWAP (1): of w with its channels' axes swapped, for data gradients.
#include "vector.clh"
#include "transpose_4x4.clh"
#include "winograd_points.clh"

// out = G g for a column or row of three.
#if M == 2
#define TRANSFORM(out, g)                                                                                              \
    {                                                                                                                  \
        FV outer = 0.5f * (g[0] + g[2]), middle = 0.5f * g[1];                                                         \
        out[0] = g[0];                                                                                                 \
        out[1] = outer + middle;                                                                                       \
        out[2] = outer - middle;                                                                                       \
        out[3] = g[2];                                                                                                 \
    }
#else
#define TRANSFORM(out, g)                                                                                              \
    {                                                                                                                  \
        FV outer = 1.0f / FA * g[0] + AA / FA * g[2], middle = PA / FA * g[1];                                         \
        FV outer2 = 1.0f / FB * g[0] + BB / FB * g[2], middle2 = PB / FB * g[1];                                       \
        out[0] = 1.0f / F0 * g[0];                                                                                     \
        out[1] = outer + middle;                                                                                       \
        out[2] = outer - middle;                                                                                       \
        out[3] = outer2 + middle2;                                                                                     \
        out[4] = outer2 - middle2;                                                                                     \
        out[5] = g[2];                                                                                                 \
    }
#endif

// u (positions `step` apart) from the nine weights of a vector of pairs, tap by tap.
inline void put_weights(private const FV *g, global float *u, int step)
{
    FV column[3][N]; // column[kw] = G times column kw of g
    PATCH_LOOP for (int kw = 0; kw < 3; kw++)
    {
        FV three[3];
        UNROLLED for (int kh = 0; kh < 3; kh++) three[kh] = g[FLIP ? 8 - kh * 3 - kw : kh * 3 + kw];
        TRANSFORM(column[kw], three)
    }
    PATCH_LOOP for (int i = 0; i < N; i++)
    {
        FV row[3] = {column[0][i], column[1][i], column[2][i]}, out[N];
        TRANSFORM(out, row)
        UNROLLED for (int j = 0; j < N; j++) VSTORE(out[j], u + (i * N + j) * step);
    }
}

#if !SWAP
// Dimension 0 counts vectors of output channels (the last one moved back, outputs >= VW), 1 input channels.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_weights(global const float *restrict w, global float *restrict u, int inputs, int outputs)
{
    FV g[9];
    int oc = min((int)get_global_id(0) * VW, outputs - VW);
    int at = (int)get_global_id(1) * outputs + oc;
    int step = inputs * outputs;
    UNROLLED for (int k = 0; k < 9; k++) g[k] = VLOAD(w + k * step + at);
    put_weights(g, u + at, U_STEP(inputs, outputs));
}
#else
// Of w (3, 3, oc, ic), whose channels change places. Dimension 0 as above, 1 counts COLUMNS input channels, which are taken four at a
// time (the last four moved back, inputs >= 4, VW >= 4).
#define COLUMNS 16
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_weights(global const float *restrict w, global float *restrict u, int inputs, int outputs)
{
    FV g[4][9]; // of four input channels
    int oc = min((int)get_global_id(0) * VW, outputs - VW);
    int first = get_global_id(1) * COLUMNS;
    int end = min(first + COLUMNS, inputs);
    for (int start = first; start < end; start += 4) {
        int ic = min(start, inputs - 4);
        for (int k = 0; k < 9; k++)
            for (int a = 0; a < VW; a += 4) {
                global const float *from = w + (k * outputs + oc + a) * inputs + ic;
                TRANSPOSE_4X4(from, inputs, (private float *)&g[0][k] + a, (private float *)&g[1][k] + a,
                         (private float *)&g[2][k] + a, (private float *)&g[3][k] + a)
            }
        for (int c = 0; c < 4; c++) put_weights(g[c], u + (ic + c) * outputs + oc, U_STEP(inputs, outputs));
    }
}
#endif
