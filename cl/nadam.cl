// Nadam as Keras computes it (keras/src/optimizers/nadam.py), over one flat buffer:
//   m += (g - m) * (1 - BETA_1);  v += (g*g - v) * (1 - BETA_2)
//   w -= rate * (next * m / next_rest + now * g / now_rest) / (sqrt(v / correction) + EPSILON)
// The host computes the factors from the momenta u(t) = BETA_1 * (1 - 0.96^t / 2) and their product U(t):
//   next = u(t+1), next_rest = 1 - U(t+1), now = 1 - u(t), now_rest = 1 - U(t), correction = 1 - BETA_2^t
// Nothing happens once `bad` is set.
#include "optimizer.clh"

kernel void nadam(global float *w, global const float *g, global float *m, global float *v,
                  global const int *bad CLIP_PARAMETERS, float rate, float next, float next_rest, float now, float now_rest,
                  float correction DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = take_gradient(g, i CLIP_ARGUMENTS);
    FV first = VLOAD(m + i);
    FV second = VLOAD(v + i);
    first += (gradient - first) * (1.0f - BETA_1);
    second += (gradient * gradient - second) * (1.0f - BETA_2);
    keep(first, m + i);
    keep(second, v + i);
    FV ahead = next * first / next_rest + now * gradient / now_rest;
    keep(DECAYED(VLOAD(w + i)) - ahead * rate / (sqrt(second / correction) + EPSILON), w + i);
}
