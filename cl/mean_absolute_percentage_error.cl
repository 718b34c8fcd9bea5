// Mean absolute percentage error (keras/src/losses/losses.py): 100 * |y - v| / max(|y|, 1e-7), slope 100, -100 or 0 over the same, the
// mean over a row's values.
#include "loss.clh"

inline float element_loss(float v, float y)
{
    return 100.0f * fabs((y - v) / fmax(fabs(y), TINY));
}

inline float element_slope(float v, float y)
{
    return 100.0f * sign(v - y) / fmax(fabs(y), TINY);
}

#include "loss_elements.clh"
