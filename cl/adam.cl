// Adam as Keras computes it (keras/src/optimizers/adam.py), over one flat buffer:
//   m += (g - m) * (1 - BETA_1);  v += (g*g - v) * (1 - BETA_2);  w -= m * rate / (sqrt(v) + EPSILON)
// rate = learning_rate * sqrt(1 - BETA_2^t) / (1 - BETA_1^t), by the host. Nothing happens once `bad` is set.
#include "vector.clh"

kernel void adam(global float *w, global const float *g, global float *m, global float *v, global const int *bad,
                 float rate)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = VLOAD(g + i);
    FV first = VLOAD(m + i);
    FV second = VLOAD(v + i);
    first += (gradient - first) * ONE_MINUS_BETA_1;
    second += (gradient * gradient - second) * ONE_MINUS_BETA_2;
    VSTORE(first, m + i);
    VSTORE(second, v + i);
    VSTORE(VLOAD(w + i) - first * rate / (sqrt(second) + EPSILON), w + i);
}
