// Lion as Keras computes it (keras/src/optimizers/lion.py), over one flat buffer:
//   w -= rate * sign(BETA_1 * m + (1 - BETA_1) * g);  m = BETA_2 * m + (1 - BETA_2) * g
// Nothing happens once `bad` is set.
#include "optimizer.clh"

kernel void lion(global float *w, global const float *g, global float *m, global const int *bad CLIP_PARAMETERS,
                 float rate DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = take_gradient(g, i CLIP_ARGUMENTS);
    FV first = VLOAD(m + i);
    keep(DECAYED(VLOAD(w + i)) - rate * sign(first * BETA_1 + gradient * (1.0f - BETA_1)), w + i);
    keep(first * BETA_2 + gradient * (1.0f - BETA_2), m + i);
}
