// The data gradient of a 1x1 convolution of stride 1, or of a dense layer, for devices that want explicit vectors:
//   dx[row][ic] = sum over oc of dz[row][oc] w[ic][oc]      rows: all pixels of all images
//
// A work-item is a whole work-group. It turns the weights of its tile of VECTORS vectors of input channels in private memory, once for
// IMAGES * BLOCKS rows, and then takes IMAGES rows at a time. So no launch before it has to turn all of them in global memory.
//
// Nothing is masked: the last tile of channels and the last rows are moved back to end with the last one (IC >= VECTORS * VW, OC >= 4).
// A batch of less than IMAGES rows computes on what lies behind it: tensors have room for so many.
#include "vector.clh"
#include "epilogue.clh"
#include "transpose_4x4.clh"

#ifndef IMAGES
#define IMAGES 8 // rows in a register tile
#endif
#ifndef VECTORS
#define VECTORS 2 // vectors of input channels in a register tile
#endif
#ifndef BLOCKS
#define BLOCKS 8 // register tiles, one after another
#endif
#include "multiply_add.clh"
#define TILE (VECTORS * VW)

// to[oc][0 ... TILE] = w[ic ...][oc], four by four.
inline void transpose(global const float *w, private float *to)
{
    for (int a = 0; a < TILE; a += 4)
        for (int start = 0; start < OC; start += 4) {
            int b = min(start, OC - 4);
            private float *at = to + b * TILE + a;
            TRANSPOSE_4X4(w + a * OC + b, OC, at, at + TILE, at + 2 * TILE, at + 3 * TILE)
        }
}

// Dimension 0 counts tiles of channels, 1 IMAGES * BLOCKS rows.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_backward_data_vec_pointwise(global const float *restrict dz, global const float *restrict w,
                                            global float *restrict dx, int rows EPILOGUE_ARGS)
{
    private float transposed[OC * TILE];
    int ic = min((int)get_global_id(0) * TILE, IC - TILE);
    int first = get_global_id(1) * (IMAGES * BLOCKS);
    int end = min(first + IMAGES * BLOCKS, rows);
    transpose(w + ic * OC, transposed);
    for (int start = first; start < end; start += IMAGES) {
        int row = max(min(start, rows - IMAGES), 0);
        global const float *from = dz + row * OC;
        int at = row * IC + ic;
        FV acc[IMAGES][VECTORS];
        UNROLLED for (int j = 0; j < IMAGES; j++)
            UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = (FV)0.0f;
        MULTIPLY_ADD(from, OC, transposed, TILE, OC)
        UNROLLED for (int j = 0; j < IMAGES; j++)
            UNROLLED for (int v = 0; v < VECTORS; v++)
                VSTORE(FINISH(acc[j][v], at + j * IC + v * VW), dx + at + j * IC + v * VW);
    }
}
