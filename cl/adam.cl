// Adam and AdamW as Keras computes them (keras/src/optimizers/adam.py), over one flat buffer:
//   m += (g - m) * (1 - BETA_1);  v += (g*g - v) * (1 - BETA_2);  w -= m * rate / (sqrt(v) + EPSILON)
// rate = learning_rate * sqrt(1 - BETA_2^t) / (1 - BETA_1^t), by the host. With AMSGRAD the largest v so far takes v's place.
// Nothing happens once `bad` is set.
#include "optimizer.clh"

#if AMSGRAD
#define AMSGRAD_PARAMETERS , global float *largest
#else
#define AMSGRAD_PARAMETERS
#endif

kernel void adam(global float *w, global const float *g, global float *m, global float *v AMSGRAD_PARAMETERS,
                 global const int *bad CLIP_PARAMETERS, float rate DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = take_gradient(g, i CLIP_ARGUMENTS);
    FV weight = DECAYED(VLOAD(w + i));
    FV first = VLOAD(m + i);
    FV second = VLOAD(v + i);
    first += (gradient - first) * ONE_MINUS_BETA_1;
    second += (gradient * gradient - second) * ONE_MINUS_BETA_2;
    keep(first, m + i);
    keep(second, v + i);
#if AMSGRAD
    second = fmax(VLOAD(largest + i), second);
    keep(second, largest + i);
#endif
    keep(weight - first * rate / (sqrt(second) + EPSILON), w + i);
}
