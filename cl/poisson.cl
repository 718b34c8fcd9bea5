// Poisson loss (keras/src/losses/losses.py): v - y * log(v + 1e-7), slope 1 - y / (v + 1e-7), the mean over a row's values.
#include "loss.clh"

inline float element_loss(float v, float y)
{
    return v - y * log(v + TINY);
}

inline float element_slope(float v, float y)
{
    return 1.0f - y / (v + TINY);
}

#include "loss_elements.clh"
