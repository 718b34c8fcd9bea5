// Squared hinge loss (keras/src/losses/losses.py): m^2 with m = max(1 - t * v, 0), t = 2 * y - 1; slope -2 * t * m; the mean over a
// row's values.
#include "loss.clh"

// Labels of 0 and 1 become -1 and 1.
inline float margin(float v, float y)
{
    return 1.0f - (2.0f * y - 1.0f) * v;
}

inline float element_loss(float v, float y)
{
    float m = margin(v, y);
    return m < 0.0f ? 0.0f : m * m;
}

inline float element_slope(float v, float y)
{
    return 2.0f * (1.0f - 2.0f * y) * fmax(margin(v, y), 0.0f);
}

#include "loss_elements.clh"
