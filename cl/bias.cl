// y[row][c] = act(z[row][c] + bias[c]): the end of a dense layer whose product came from a GEMM. y may be z.
// A work-item takes one value: CHANNELS need not fill a vector.
#define VW 1
#include "vector.clh"
#include "activation.clh"

kernel void bias_activation(global const float *z, global const float *bias, global float *y, int count)
{
    int i = get_global_id(0);
    if (i < count)
        y[i] = ACTIVATE(z[i] + bias[i % CHANNELS]);
}
