// RMSprop as Keras computes it (keras/src/optimizers/rmsprop.py), over one flat buffer:
//   v = RHO * v + (1 - RHO) * g*g;  d = v + EPSILON, with CENTERED less a*a, a = RHO * a + (1 - RHO) * g
//   step = rate * g / sqrt(d);  with HAS_MOMENTUM  m = MOMENTUM * m + step;  w -= m;  without  w -= step
// Nothing happens once `bad` is set.
#include "optimizer.clh"

#if HAS_MOMENTUM
#define MOMENTUM_PARAMETERS , global float *m
#else
#define MOMENTUM_PARAMETERS
#endif
#if CENTERED
#define CENTERED_PARAMETERS , global float *a
#else
#define CENTERED_PARAMETERS
#endif

kernel void rmsprop(global float *w, global const float *g, global float *v MOMENTUM_PARAMETERS CENTERED_PARAMETERS,
                    global const int *bad CLIP_PARAMETERS, float rate DECAY_PARAMETERS)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV gradient = take_gradient(g, i CLIP_ARGUMENTS);
    FV second = RHO * VLOAD(v + i) + ONE_MINUS_RHO * (gradient * gradient);
    keep(second, v + i);
#if CENTERED
    FV average = RHO * VLOAD(a + i) + ONE_MINUS_RHO * gradient;
    keep(average, a + i);
    second -= average * average;
#endif
    FV step = rate * gradient / sqrt(second + EPSILON);
#if HAS_MOMENTUM
    step += MOMENTUM * VLOAD(m + i);
    keep(step, m + i);
#endif
    keep(DECAYED(VLOAD(w + i)) - step, w + i);
}
