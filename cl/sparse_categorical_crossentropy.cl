// Sparse categorical cross-entropy (keras/src/losses/losses.py), FROM_LOGITS or from probabilities p; 0 for the class IGNORED:
//   logits:         l = log sum exp(z[j] - max) - (z[label] - max),   l'[i] = softmax(z)[i] - [i == label]
//   probabilities:  q = clamp(p, 1e-7, 1 - 1e-7),  l = log sum q[j] - log q[label],
//                   l'[i] = 1 / sum q - [i == label] / q[label] where p was not clamped, else 0   (as TensorFlow does)
#include "loss.clh"

kernel void loss_rows(LOSS_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    float weight = COUNTS(label) ? WEIGHT : 0.0f;
    int at = COUNTS(label) ? label : 0; // of an ignored class there may be no value
    float sum = 0.0f;
#if FROM_LOGITS
    float top = z[largest(z)];
    for (int i = 0; i < C; i++)
        sum += exp(z[i] - top);
    ROW_LOSS = weight * (log(sum) - (z[at] - top));
#else
    for (int i = 0; i < C; i++)
        sum += clamp(z[i], TINY, 1.0f - TINY);
    float at_label = clipped(z[at]);
    ROW_LOSS = weight * (log(sum) - log(at_label));
#endif
    row_correct[row] = predicted(given + row * C) == label;
#if GRADIENT
    dz += row * C;
    for (int i = 0; i < C; i++) {
        float hit = i == at ? 1.0f : 0.0f;
#if FROM_LOGITS
        dz[i] = flushed((exp(z[i] - top) / sum - hit) * (weight * SCALE));
#else
        dz[i] = is_clipped(z[i]) ? 0.0f : (1.0f / sum - hit / at_label) * (weight * SCALE);
#endif
    }
#endif
}
