// Cosine similarity as a loss (keras/src/losses/losses.py): -sum t[i] * v[i] * s, with s = min(1 / |v|, 1e7) and t likewise y / |y|:
//   slope -s * (t[i] - c * s^2 * v[i]), c = sum t[j] * v[j];   -s * t[i] where |v| is below 1e-7
// As a metric it is that without the minus, SIGN 1.
#include "loss.clh"
#ifndef SIGN
#define SIGN -1.0f
#endif

inline float target(int i, int label)
{
    return C == 1 ? (label > 0 ? 1.0f : 0.0f) : i == label ? 1.0f : 0.0f;
}

kernel void loss_rows(LOSS_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    float weight = WEIGHT;
    float squares = 0.0f;
    float product = 0.0f;
    for (int i = 0; i < C; i++) {
        squares += z[i] * z[i];
        product += target(i, label) * z[i];
    }
    float scale = fmin(1.0f / sqrt(squares), 1e7f);
    ROW_LOSS = weight * (SIGN * (product * scale));
    row_correct[row] = predicted(given + row * C) == label;
#if GRADIENT
    dz += row * C;
    float back = scale < 1e7f ? product * scale * scale : 0.0f;
    for (int i = 0; i < C; i++)
        dz[i] = SIGN * scale * (target(i, label) - back * z[i]) * (weight * SCALE);
#endif
}
