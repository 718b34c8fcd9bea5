// Mean squared logarithmic error (keras/src/losses/losses.py): (a - b)^2 with a = log(1 + max(v, 1e-7)), b = log(1 + max(y, 1e-7));
// slope 2 * (a - b) / (1 + v) where v is not below 1e-7, else 0; the mean over a row's values.
#include "loss.clh"

inline float difference(float v, float y)
{
    return log((v < TINY ? TINY : v) + 1.0f) - log(fmax(y, TINY) + 1.0f);
}

inline float element_loss(float v, float y)
{
    float d = difference(v, y);
    return d * d;
}

inline float element_slope(float v, float y)
{
    return v < TINY ? 0.0f : 2.0f * difference(v, y) / (v + 1.0f);
}

#include "loss_elements.clh"
