// Adagrad as Keras computes it (keras/src/optimizers/adagrad.py), over one flat buffer:
//   a += g*g;  w -= rate * g / sqrt(a + EPSILON)
// Nothing happens once `bad` is set.
#include "optimizer.clh"

kernel void adagrad(global float *w, global const float *g, global float *a, global const int *bad CLIP_PARAMETERS,
                    float rate DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = take_gradient(g, i CLIP_ARGUMENTS);
    FV sum = VLOAD(a + i) + gradient * gradient;
    keep(sum, a + i);
    keep(DECAYED(VLOAD(w + i)) - rate * gradient / sqrt(sum + EPSILON), w + i);
}
