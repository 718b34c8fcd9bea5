// Binary cross-entropy (keras/src/losses/losses.py), the mean over a row's values, with y * (1 - SMOOTHING) + SMOOTHING / 2 for y:
//   logits:         max(v, 0) - v * y + log(1 + exp(-|v|)),                   slope  1 / (1 + exp(-v)) - y
//   probabilities:  q = clamp(v, 1e-7, 1 - 1e-7),  -y * log q - (1 - y) * log(1 - q),
//                   slope  (1 - y) / (1 - q) - y / q where v was not clamped, else 0
#include "loss.clh"

inline float smoothed(float y)
{
    return y * (1.0f - SMOOTHING) + 0.5f * SMOOTHING;
}

inline float element_loss(float v, float y)
{
    float t = smoothed(y);
#if FROM_LOGITS
    return fmax(v, 0.0f) - v * t + log1p(exp(-fabs(v)));
#else
    float q = clipped(v);
    return -(t * log(q) + (1.0f - t) * log(1.0f - q));
#endif
}

inline float element_slope(float v, float y)
{
    float t = smoothed(y);
#if FROM_LOGITS
    return 1.0f / (1.0f + exp(-v)) - t;
#else
    return is_clipped(v) ? 0.0f : (1.0f - t) / (1.0f - v) - t / v;
#endif
}

#include "loss_elements.clh"
