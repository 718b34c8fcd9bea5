// Mean absolute error (keras/src/losses/losses.py): |v - y|, slope 1, -1 or 0, the mean over a row's values.
#include "loss.clh"

inline float element_loss(float v, float y)
{
    return fabs(v - y);
}

inline float element_slope(float v, float y)
{
    return sign(v - y);
}

#include "loss_elements.clh"
