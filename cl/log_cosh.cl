// Logarithm of the hyperbolic cosine (keras/src/losses/losses.py) of the error e = v - y, the mean over a row's values:
//   log cosh e = |e| + log(1 + exp(-2 |e|)) - log 2,   slope tanh e
#include "loss.clh"

inline float element_loss(float v, float y)
{
    float e = fabs(v - y);
    return e + log1p(exp(-2.0f * e)) - M_LN2_F;
}

inline float element_slope(float v, float y)
{
    return tanh(v - y);
}

#include "loss_elements.clh"
