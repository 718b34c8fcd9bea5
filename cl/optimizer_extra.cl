// What some optimizers do around a step, over one flat buffer (keras/src/optimizers/base_optimizer.py). Nothing happens once
// `bad` is set.
#include "vector.clh"

// Gradient accumulation, a step without an update: sum += g.
kernel void accumulate(global const float *g, global float *sum, global const int *bad)
{
    int i = get_global_id(0) * VW;
    if (i < COUNT && !bad[0])
        VSTORE(VLOAD(g + i) + VLOAD(sum + i), sum + i);
}

// A step with one: g becomes the mean of STEPS gradients, the sum begins anew.
kernel void accumulated(global float *g, global float *sum, global const int *bad)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    VSTORE((VLOAD(g + i) + VLOAD(sum + i)) / STEPS, g + i);
    VSTORE((FV)(0.0f), sum + i);
}

// Moving average of the weights: average = momentum * average + (1 - momentum) * w.
kernel void ema(global const float *w, global float *average, global const int *bad, float momentum)
{
    int i = get_global_id(0) * VW;
    if (i >= COUNT || bad[0])
        return;
    FV next = momentum * VLOAD(average + i) + (1.0f - momentum) * VLOAD(w + i);
    VSTORE(FLUSHED(next), average + i);
}

kernel void ema_overwrite(global float *w, global const float *average, global const int *bad)
{
    int i = get_global_id(0) * VW;
    if (i < COUNT && !bad[0])
        VSTORE(VLOAD(average + i), w + i);
}
