// The weights' transformation in Winograd's minimal filtering F(M x M, 3x3): u[i][j] = (G g G')[i][j] for each pair of channels.
//   w (3, 3, ic, oc), u (N N, ic, oc) at `u_at` in the scratch; G: winograd_points.clh
// The sizes are arguments, so that all layers share one kernel.
// FLIP (1): of the kernel turned around by 180 degrees. w may be the beginning of the scratch.
#include "vector.clh"
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

// Dimension 0 counts vectors of output channels (the last one moved back, outputs >= VW), 1 input channels.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_weights(global const float *w, global float *scratch, int u_at, int inputs, int outputs)
{
    global float *u = scratch + u_at;
    int oc = min((int)get_global_id(0) * VW, outputs - VW);
    int at = (int)get_global_id(1) * outputs + oc;
    int step = inputs * outputs;
    FV column[3][N]; // column[kw] = G times column kw of g
    PATCH_LOOP for (int kw = 0; kw < 3; kw++)
    {
        FV g[3];
        UNROLLED for (int kh = 0; kh < 3; kh++)
            g[kh] = VLOAD(w + (FLIP ? 8 - kh * 3 - kw : kh * 3 + kw) * step + at);
        TRANSFORM(column[kw], g)
    }
    PATCH_LOOP for (int i = 0; i < N; i++)
    {
        FV row[3] = {column[0][i], column[1][i], column[2][i]}, out[N];
        TRANSFORM(out, row)
        UNROLLED for (int j = 0; j < N; j++) VSTORE(out[j], u + (i * N + j) * step + at);
    }
}
