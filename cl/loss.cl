// Sparse categorical cross-entropy, its gradient and the accuracy. z (n, C): logits, or with FROM_PROBABILITIES probabilities.
//   logits:         loss = log sum exp(z[j] - max) - (z[label] - max),   dz[i] = (softmax(z)[i] - [i == label]) / n
//   probabilities:  q = clamp(p, 1e-7, 1 - 1e-7),  loss = log sum q[j] - log q[label],
//                   dp[i] = (1 / sum q - [i == label] / q[label]) / n where p was not clamped, else 0   (as TensorFlow does)
// The accuracy counts rows whose largest value, the first on ties, is at the label.
#ifndef GRADIENT
#define GRADIENT 1
#endif
#define TINY 1e-7f

// A work-item takes one row.
kernel void loss_rows(global const float *z, global const int *labels, global float *dz, global float *row_loss,
                      global int *row_correct, float inverse, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    int best = 0;
    for (int i = 1; i < C; i++)
        best = z[i] > z[best] ? i : best;
    float sum = 0.0f;
#if FROM_PROBABILITIES
    for (int i = 0; i < C; i++)
        sum += clamp(z[i], TINY, 1.0f - TINY);
    float at_label = clamp(z[label], TINY, 1.0f - TINY);
    row_loss[row] = isnan(z[label]) ? z[label] : log(sum) - log(at_label);
#else
    float top = z[best];
    for (int i = 0; i < C; i++)
        sum += exp(z[i] - top);
    row_loss[row] = log(sum) - (z[label] - top);
#endif
    row_correct[row] = best == label;
#if GRADIENT
    dz += row * C;
    for (int i = 0; i < C; i++) {
        float hit = i == label ? 1.0f : 0.0f;
#if FROM_PROBABILITIES
        bool clamped = z[i] < TINY || z[i] > 1.0f - TINY;
        dz[i] = clamped ? 0.0f : (1.0f / sum - hit / at_label) * inverse;
#else
        dz[i] = (exp(z[i] - top) / sum - hit) * inverse;
#endif
    }
#endif
}

// One work-item sums the rows in order and notes the step's sums. A loss that is not finite raises the flag `bad`, which stops
// the optimizer, so that the weights stay as they were in front of the bad step. With PENALTY each row's loss has it besides.
kernel void loss_sum(global const float *row_loss, global const int *row_correct, global float *step_loss,
                     global int *step_correct, global int *bad, global const float *penalty, int step, int rows)
{
    if (get_global_id(0) != 0)
        return;
    float loss = 0.0f;
    int correct = 0;
    for (int i = 0; i < rows; i++) {
        loss += row_loss[i];
        correct += row_correct[i];
    }
#if PENALTY
    loss += penalty[0] * (float)rows;
#endif
    step_loss[step] = loss;
    step_correct[step] = correct;
    if (!isfinite(loss))
        bad[0] = 1;
}
