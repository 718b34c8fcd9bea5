// Stochastic gradient descent as Keras computes it (keras/src/optimizers/sgd.py), over one flat buffer:
//   without momentum:  w -= rate * g          with:  v = MOMENTUM * v - rate * g;  w += v
//   NESTEROV:          w += MOMENTUM * v - rate * g, with the new v
// Nothing happens once `bad` is set.
#include "optimizer.clh"

kernel void sgd(global float *w, global const float *g, global const int *bad CLIP_PARAMETERS, float rate DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i < COUNT && !bad[0])
        keep(DECAYED(VLOAD(w + i)) - rate * take_gradient(g, i CLIP_ARGUMENTS), w + i);
}

kernel void sgd_momentum(global float *w, global const float *g, global float *v, global const int *bad CLIP_PARAMETERS,
                         float rate DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV push = rate * take_gradient(g, i CLIP_ARGUMENTS);
    FV velocity = MOMENTUM * VLOAD(v + i) - push;
    keep(velocity, v + i);
#if NESTEROV
    velocity = MOMENTUM * velocity - push;
#endif
    keep(DECAYED(VLOAD(w + i)) + velocity, w + i);
}
