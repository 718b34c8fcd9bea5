// Hinge loss (keras/src/losses/losses.py): max(1 - t * v, 0) with t = 2 * y - 1, slope -t where 1 - t * v is at least 0 (as TensorFlow
// does), else 0; the mean over a row's values.
#include "loss.clh"

// Labels of 0 and 1 become -1 and 1.
inline float margin(float v, float y)
{
    return 1.0f - (2.0f * y - 1.0f) * v;
}

inline float element_loss(float v, float y)
{
    float m = margin(v, y);
    return m < 0.0f ? 0.0f : m;
}

inline float element_slope(float v, float y)
{
    return margin(v, y) >= 0.0f ? 1.0f - 2.0f * y : 0.0f;
}

#include "loss_elements.clh"
