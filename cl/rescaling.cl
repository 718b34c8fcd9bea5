// y = x * SCALE + OFFSET over `count` floats, a vector a work-item; backward is the same without OFFSET.
#include "vector.clh"

kernel void rescaling(global const float *x, global float *y, int count)
{
    int i = get_global_id(0) * VW;
    if (i < count)
        store_part(load_part(x + i, count - i) * SCALE + OFFSET, y + i, count - i);
}
