// Elementwise activations over `count` floats, a vector a work-item.
//   forward:  y = act(z)            backward: dz = dy * act'(z, y)
#include "vector.clh"
#include "activation.clh"

kernel void activation_forward(global const float *z, global float *y, int count)
{
    int i = get_global_id(0) * VW;
    if (i < count)
        store_part(ACTIVATE(load_part(z + i, count - i)), y + i, count - i);
}

// `z` may be the same buffer as `y` where the slope follows from the output alone. dz may be dy.
kernel void activation_backward(global const float *z, global const float *y, global const float *dy, global float *dz,
                                int count)
{
    int i = get_global_id(0) * VW;
    int n = count - i;
    if (n > 0)
        store_part(load_part(dy + i, n) * SLOPE(load_part(z + i, n), load_part(y + i, n)), dz + i, n);
}

// For a layer that keeps z in a buffer of other things, from index `first`: y holds z before, act(z) after.
kernel void activation_forward_keep(global float *y, global float *kept, int first, int count)
{
    int i = get_global_id(0) * VW;
    int n = count - i;
    if (n <= 0)
        return;
    FV z = load_part(y + i, n);
    store_part(z, kept + first + i, n);
    store_part(ACTIVATE(z), y + i, n);
}

// dy *= the slope, of an activation whose slope follows from z.
kernel void activation_backward_kept(global const float *kept, global float *dy, int first, int count)
{
    int i = get_global_id(0) * VW;
    int n = count - i;
    if (n <= 0)
        return;
    FV z = load_part(kept + first + i, n);
    store_part(load_part(dy + i, n) * SLOPE(z, z), dy + i, n);
}
