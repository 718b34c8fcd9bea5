// sum[i] += part[i], i < count: the gradient of a tensor that is read more than once, one launch a reader, in a fixed order.
#include "vector.clh"

kernel void accumulate(global const float *part, global float *sum, int count)
{
    int i = get_global_id(0) * VW;
    if (i >= count)
        return;
    store_part(load_part(sum + i, count - i) + load_part(part + i, count - i), sum + i, count - i);
}
