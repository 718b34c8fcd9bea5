// Kullback-Leibler divergence (keras/src/losses/losses.py), the sum over a row's values of
//   t * log(t / q),  t = clamp(y, 1e-7, 1), q = clamp(v, 1e-7, 1);   slope -t / v where v was not clamped, else 0
#include "loss.clh"

inline float element_loss(float v, float y)
{
    float t = clamp(y, TINY, 1.0f);
    return t * log(t / (isnan(v) ? v : clamp(v, TINY, 1.0f)));
}

inline float element_slope(float v, float y)
{
    return v < TINY || v > 1.0f ? 0.0f : -clamp(y, TINY, 1.0f) / v;
}

#define VALUES 1.0f
#include "loss_elements.clh"
