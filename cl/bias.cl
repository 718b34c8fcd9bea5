// y[row][c] += bias[c]: the end of a dense layer whose product came from a GEMM.
// A work-item takes one value: CHANNELS need not fill a vector.
#define VW 1
#include "vector.clh"
#include "epilogue.clh"

kernel void add_bias(global const float *bias, global float *y, int count EPILOGUE_ARGS)
{
    int i = get_global_id(0);
    if (i < count)
        y[i] = FINISH(y[i] + bias[i % CHANNELS], i);
}
