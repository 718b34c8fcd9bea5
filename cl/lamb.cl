// Lamb as Keras computes it (keras/src/optimizers/lamb.py), over one flat buffer, in two parts because a variable's step
// depends on its norms:
//   lamb_direction:  m += (g - m) * (1 - BETA_1);  v += (g*g - v) * (1 - BETA_2)
//                    g := (m / first_correction) / (sqrt(v / second_correction) + EPSILON); corrections 1 - BETA^t, by the host
//   lamb_move:       w -= (|w| / |g|) * rate * g, the ratio 1 where one of the norms is 0; norms of each variable
// Nothing happens once `bad` is set.
#include "optimizer.clh"

kernel void lamb_direction(global float *w, global float *g, global float *m, global float *v,
                           global const int *bad CLIP_PARAMETERS, float first_correction,
                           float second_correction DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = take_gradient(g, i CLIP_ARGUMENTS);
    FV first = VLOAD(m + i);
    FV second = VLOAD(v + i);
    first += (gradient - first) * ONE_MINUS_BETA_1;
    second += (gradient * gradient - second) * ONE_MINUS_BETA_2;
    keep(first, m + i);
    keep(second, v + i);
    keep(DECAYED(VLOAD(w + i)), w + i);
    VSTORE((first / first_correction) / (sqrt(second / second_correction) + EPSILON), g + i);
}

kernel void lamb_move(global float *w, global const float *g, global const float *w_norm, global const float *g_norm,
                      global const int *owner, global const int *bad, float rate)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    float of_w = w_norm[owner[i / BLOCK]], of_g = g_norm[owner[i / BLOCK]];
    float ratio = of_w > 0.0f && of_g > 0.0f ? of_w / of_g : 1.0f;
    keep(VLOAD(w + i) - ratio * rate * VLOAD(g + i), w + i);
}
