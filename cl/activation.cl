// Elementwise activations. A tensor's memory is padded to whole vectors, so the last one may run over its end.
//   forward:  y = act(z)            backward: dz = dy * act'(z, y)
// Only `count` vectors hold data; the range is rounded up to whole work-groups.
#include "vector.clh"
#include "activation.clh"

kernel void activation_forward(global const float *z, global float *y, int count)
{
    int i = get_global_id(0) * VW;
    if (i < count)
        VSTORE(ACTIVATE(VLOAD(z + i)), y + i);
}

// `z` may be the same buffer as `y` where the slope follows from the output alone. dz may be dy.
kernel void activation_backward(global const float *z, global const float *y, global const float *dy, global float *dz,
                                int count)
{
    int i = get_global_id(0) * VW;
    if (i < count)
        VSTORE(VLOAD(dy + i) * SLOPE(VLOAD(z + i), VLOAD(y + i)), dz + i);
}
