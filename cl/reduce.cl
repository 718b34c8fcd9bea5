// Sums partial results in a fixed order, so that the same run gives the same bits:
//   sum[i] = sum over c < chunks of partial[c * stride + i]
// The first `count` sums go to out, the next `rest_count` to rest; neither shares a vector with the other.
#include "vector.clh"

kernel void reduce_chunks(global const float *partial, global float *out, global float *rest, int chunks, int stride, int count,
                          int rest_count)
{
    int vectors = (count + VW - 1) / VW;
    int v = get_global_id(0);
    if (v >= vectors) {
        v -= vectors;
        partial += count;
        out = rest;
        count = rest_count;
    }
    int i = v * VW;
    if (i >= count)
        return;
    FV sum = load_part(partial + i, count - i);
    for (int c = 1; c < chunks; c++)
        sum += load_part(partial + c * stride + i, count - i);
    store_part(sum, out + i, count - i);
}

// Few values and many chunks would leave a GPU idle: sums blocks of chunks, each into its first one. Dimension 1 counts blocks.
kernel void fold_chunks(global float *partial, int chunks, int block, int stride, int count)
{
    int i = get_global_id(0) * VW;
    int first = get_global_id(1) * block;
    if (i >= count)
        return;
    FV sum = load_part(partial + first * stride + i, count - i);
    for (int c = first + 1; c < min(first + block, chunks); c++)
        sum += load_part(partial + c * stride + i, count - i);
    store_part(sum, partial + first * stride + i, count - i);
}
