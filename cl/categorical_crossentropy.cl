// Categorical cross-entropy (keras/src/losses/losses.py) with the target y[i] = [i == label] * (1 - SMOOTHING) + SMOOTHING / C:
//   logits:         l = sum y[i] * (log sum exp(z[j] - max) - (z[i] - max)),   l'[i] = softmax(z)[i] - y[i]
//   probabilities:  o = p / sum p[j],  q = clamp(o, 1e-7, 1 - 1e-7),  l = -sum y[i] * log q[i],
//                   l'[i] = (g[i] - sum g[j] * o[j]) / sum p[j],  g[i] = -y[i] / q[i] where o was not clamped, else 0
#include "loss.clh"

inline float target(int i, int label)
{
    return (i == label ? 1.0f : 0.0f) * (1.0f - SMOOTHING) + SMOOTHING / (float)C;
}

inline float slope_of_clipped(float o, float y)
{
    return is_clipped(o) ? 0.0f : -y / o;
}

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
#if FROM_LOGITS
    float top = z[largest(z)];
    for (int i = 0; i < C; i++)
        sum += exp(z[i] - top);
    float log_sum = log(sum);
    for (int i = 0; i < C; i++)
        loss += target(i, label) * (log_sum - (z[i] - top));
#else
    float mean_slope = 0.0f;
    for (int i = 0; i < C; i++)
        sum += z[i];
    for (int i = 0; i < C; i++) {
        float o = z[i] / sum;
        loss -= target(i, label) * log(clipped(o));
        mean_slope += slope_of_clipped(o, target(i, label)) * o;
    }
#endif
    ROW_LOSS = weight * loss;
    row_correct[row] = largest(given + row * C) == label;
#if GRADIENT
    dz += row * C;
    for (int i = 0; i < C; i++) {
#if FROM_LOGITS
        dz[i] = flushed((exp(z[i] - top) / sum - target(i, label)) * (weight * SCALE));
#else
        dz[i] = (slope_of_clipped(z[i] / sum, target(i, label)) - mean_slope) / sum * (weight * SCALE);
#endif
    }
#endif
}
