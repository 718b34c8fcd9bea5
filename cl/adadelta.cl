// Adadelta as Keras computes it (keras/src/optimizers/adadelta.py), over one flat buffer; rms(x) = sqrt(x + EPSILON):
//   a = RHO * a + (1 - RHO) * g*g;  delta = -rms(d) * g / rms(a);  d = RHO * d + (1 - RHO) * delta*delta;  w += rate * delta
// Nothing happens once `bad` is set.
#include "optimizer.clh"

kernel void adadelta(global float *w, global const float *g, global float *a, global float *d,
                     global const int *bad CLIP_PARAMETERS, float rate DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = take_gradient(g, i CLIP_ARGUMENTS);
    FV sum = RHO * VLOAD(a + i) + ONE_MINUS_RHO * (gradient * gradient);
    FV steps = VLOAD(d + i);
    FV delta = -(sqrt(steps + EPSILON) * gradient / sqrt(sum + EPSILON));
    keep(sum, a + i);
    keep(RHO * steps + ONE_MINUS_RHO * (delta * delta), d + i);
    keep(DECAYED(VLOAD(w + i)) + rate * delta, w + i);
}
