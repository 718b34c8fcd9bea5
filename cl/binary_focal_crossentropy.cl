// Binary focal cross-entropy (keras/src/losses/losses.py), the mean over a row's values of a * f * b, with
// y * (1 - SMOOTHING) + SMOOTHING / 2 for y, p = v, or FROM_LOGITS 1 / (1 + exp(-v)), and
//   b: the binary cross-entropy, see binary_crossentropy.cl
//   f = (1 - t)^GAMMA,  t = y * p + (1 - y) * (1 - p)
//   a = 1, or BALANCING: y * ALPHA + (1 - y) * (1 - ALPHA)
// slope of p:  a * (f * b' + b * GAMMA * (1 - t)^(GAMMA - 1) * (1 - 2 * y)),   of logits: the second part times p * (1 - p)
#include "loss.clh"

inline float smoothed(float y)
{
    return y * (1.0f - SMOOTHING) + 0.5f * SMOOTHING;
}

inline float balance(float y)
{
    return BALANCING ? y * ALPHA + (1.0f - y) * (1.0f - ALPHA) : 1.0f;
}

inline float focus(float base, float power)
{
    return power == 0.0f ? 1.0f : pow(base, power);
}

#if FROM_LOGITS
inline float probability(float v)
{
    return 1.0f / (1.0f + exp(-v));
}

inline float opposite(float v)
{
    return 1.0f / (1.0f + exp(v));
}

inline float entropy(float v, float y)
{
    return fmax(v, 0.0f) - v * y + log1p(exp(-fabs(v)));
}

inline float entropy_slope(float v, float y)
{
    return probability(v) - y;
}
#define INNER(v) (probability(v) * opposite(v))
#else
inline float probability(float v)
{
    return v;
}

inline float opposite(float v)
{
    return 1.0f - v;
}

inline float entropy(float v, float y)
{
    float q = clipped(v);
    return -(y * log(q) + (1.0f - y) * log(1.0f - q));
}

inline float entropy_slope(float v, float y)
{
    return is_clipped(v) ? 0.0f : (1.0f - y) / (1.0f - v) - y / v;
}
#define INNER(v) 1.0f
#endif

// 1 - t, without the loss of digits near 0.
inline float missed(float v, float y)
{
    return y * opposite(v) + (1.0f - y) * probability(v);
}

inline float element_loss(float v, float y)
{
    float t = smoothed(y);
    return balance(t) * focus(missed(v, t), GAMMA) * entropy(v, t);
}

inline float element_slope(float v, float y)
{
    float t = smoothed(y);
    float m = missed(v, t);
    float turn = GAMMA == 0.0f ? 0.0f : GAMMA * focus(m, GAMMA - 1.0f) * (1.0f - 2.0f * t) * INNER(v);
    return balance(t) * (focus(m, GAMMA) * entropy_slope(v, t) + turn * entropy(v, t));
}

#include "loss_elements.clh"
