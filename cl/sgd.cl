// Stochastic gradient descent as Keras computes it, over one flat buffer:
//   without momentum:  w -= rate * g          with:  v = MOMENTUM * v - rate * g;  w += v
// Nothing happens once `bad` is set.
#include "vector.clh"

kernel void sgd(global float *w, global const float *g, global const int *bad, float rate)
{
    int i = get_global_id(0) * VW;
    if (i < COUNT && !bad[0])
        VSTORE(VLOAD(w + i) - rate * VLOAD(g + i), w + i);
}

kernel void sgd_momentum(global float *w, global const float *g, global float *v, global const int *bad, float rate)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV velocity = MOMENTUM * VLOAD(v + i) - rate * VLOAD(g + i);
    VSTORE(velocity, v + i);
    VSTORE(VLOAD(w + i) + velocity, w + i);
}
