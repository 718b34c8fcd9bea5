// Mean squared error (keras/src/losses/losses.py): (v - y)^2, slope 2 * (v - y), the mean over a row's values.
#include "loss.clh"

inline float element_loss(float v, float y)
{
    return (v - y) * (v - y);
}

inline float element_slope(float v, float y)
{
    return 2.0f * (v - y);
}

#include "loss_elements.clh"
