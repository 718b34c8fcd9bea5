// Categorical hinge loss (keras/src/losses/losses.py): max(n - p + 1, 0), p = sum y[i] * v[i], n = max (1 - y[i]) * v[i]. Where that is
// at least 0 the slopes are -y[i], and (1 - y[i]) / ties besides for each of the values that are n (as TensorFlow does).
#include "loss.clh"

inline float target(int i, int label)
{
    return C == 1 ? (float)label : i == label ? 1.0f : 0.0f;
}

kernel void loss_rows(LOSS_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    float weight = WEIGHT;
    float positive = 0.0f;
    float negative = -INFINITY;
    int ties = 0;
    for (int i = 0; i < C; i++) {
        float other = (1.0f - target(i, label)) * z[i];
        positive += target(i, label) * z[i];
        ties = other > negative ? 1 : ties + (other == negative);
        negative = other > negative || isnan(other) ? other : negative;
    }
    float above = negative - positive + 1.0f;
    ROW_LOSS = weight * (above < 0.0f ? 0.0f : above);
    row_correct[row] = predicted(given + row * C) == label;
#if GRADIENT
    dz += row * C;
    for (int i = 0; i < C; i++) {
        float rest = 1.0f - target(i, label);
        float slope = (rest * z[i] == negative ? rest / (float)ties : 0.0f) - target(i, label);
        dz[i] = above >= 0.0f ? slope * (weight * SCALE) : 0.0f;
    }
#endif
}
