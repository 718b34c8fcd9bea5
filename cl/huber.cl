// Huber loss (keras/src/losses/losses.py) of the error e = v - y, the mean over a row's values:
//   |e| <= DELTA:  e^2 / 2, slope e;   beyond:  DELTA * |e| - DELTA^2 / 2, slope DELTA or -DELTA
#include "loss.clh"

inline float element_loss(float v, float y)
{
    float e = fabs(v - y);
    return e <= DELTA ? 0.5f * e * e : DELTA * e - 0.5f * DELTA * DELTA;
}

inline float element_slope(float v, float y)
{
    float e = v - y;
    return fabs(e) <= DELTA ? e : DELTA * sign(e);
}

#include "loss_elements.clh"
