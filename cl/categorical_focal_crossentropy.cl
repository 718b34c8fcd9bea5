// Categorical focal cross-entropy (keras/src/losses/losses.py) with the target y[i] = [i == label] * (1 - SMOOTHING) + SMOOTHING / C,
// of probabilities p, which FROM_LOGITS are softmax(z), with o = p / sum p[j], q = clamp(o, 1e-7, 1 - 1e-7) and weights a[i] = ALPHAS:
//   l = -sum a[i] * (1 - q[i])^GAMMA * y[i] * log q[i]
//   g[i] = a[i] * y[i] * (GAMMA * (1 - q[i])^(GAMMA - 1) * log q[i] - (1 - q[i])^GAMMA / q[i]) where o was not clamped, else 0
//   slope of p:  h[i] = (g[i] - sum g[j] * o[j]) / sum p[j],   of logits:  p[i] * (h[i] - sum h[j] * p[j])
// Of a softmax sum p[j] is 1, and sum h[j] * p[j] 0 but for rounding.
#include "loss.clh"

inline float target(int i, int label)
{
    return (i == label ? 1.0f : 0.0f) * (1.0f - SMOOTHING) + SMOOTHING / (float)C;
}

inline float alpha_of(int i)
{
    const float alphas[] = {ALPHAS};
    return alphas[i % (int)(sizeof alphas / sizeof alphas[0])];
}

inline float focus(float q, float power)
{
    return power == 0.0f ? 1.0f : pow(1.0f - q, power);
}

inline float slope_of_clipped(float o, int i, int label)
{
    float slope = focus(o, GAMMA) / o - GAMMA * focus(o, GAMMA - 1.0f) * log(o);
    return is_clipped(o) ? 0.0f : -alpha_of(i) * target(i, label) * slope;
}

#if FROM_LOGITS
#define P(i) (exp(z[i] - top) / all)
#else
#define P(i) z[i]
#endif

kernel void loss_rows(LOSS_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    float weight = WEIGHT;
    float sum = 0.0f;
    float loss = 0.0f;
    float mean_slope = 0.0f;
#if FROM_LOGITS
    float top = z[largest(z)];
    float all = 0.0f;
    for (int i = 0; i < C; i++)
        all += exp(z[i] - top);
#endif
    for (int i = 0; i < C; i++)
        sum += P(i);
    for (int i = 0; i < C; i++) {
        float o = P(i) / sum;
        float q = clipped(o);
        loss -= alpha_of(i) * focus(q, GAMMA) * target(i, label) * log(q);
        mean_slope += slope_of_clipped(o, i, label) * o;
    }
    ROW_LOSS = weight * loss;
    row_correct[row] = largest(given + row * C) == label;
#if GRADIENT
    dz += row * C;
    for (int i = 0; i < C; i++) {
        float h = (slope_of_clipped(P(i) / sum, i, label) - mean_slope) / sum;
#if FROM_LOGITS
        h *= P(i);
#endif
        dz[i] = h * (weight * SCALE);
    }
#endif
}
