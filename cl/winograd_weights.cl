// The weights' transformation in Winograd's minimal filtering F(2x2, 3x3): u[i][j] = (G g G')[i][j] for each pair of channels.
//   w (3, 3, IC, OC), u (16, IC, OC) at `u_at` in the scratch.   G = 1 0 0, 1/2 1/2 1/2, 1/2 -1/2 1/2, 0 0 1
// FLIP (1): of the kernel turned around by 180 degrees. w may be the beginning of the scratch.
#include "vector.clh"

// Dimension 0 counts vectors of output channels (the last one moved back, OC >= VW), 1 input channels.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void winograd_weights(global const float *w, global float *scratch, int u_at)
{
    global float *u = scratch + u_at;
    int oc = min((int)get_global_id(0) * VW, OC - VW);
    int at = (int)get_global_id(1) * OC + oc;
    FV column[4][3]; // G g
    for (int kw = 0; kw < 3; kw++) {
        FV g[3];
        UNROLLED for (int kh = 0; kh < 3; kh++)
            g[kh] = VLOAD(w + (FLIP ? 8 - kh * 3 - kw : kh * 3 + kw) * (IC * OC) + at);
        column[0][kw] = g[0];
        column[1][kw] = 0.5f * (g[0] + g[1] + g[2]);
        column[2][kw] = 0.5f * (g[0] - g[1] + g[2]);
        column[3][kw] = g[2];
    }
    UNROLLED for (int i = 0; i < 4; i++)
    {
        FV a = column[i][0], b = column[i][1], c = column[i][2];
        VSTORE(a, u + i * 4 * (IC * OC) + at);
        VSTORE(0.5f * (a + b + c), u + (i * 4 + 1) * (IC * OC) + at);
        VSTORE(0.5f * (a - b + c), u + (i * 4 + 2) * (IC * OC) + at);
        VSTORE(c, u + (i * 4 + 3) * (IC * OC) + at);
    }
}
