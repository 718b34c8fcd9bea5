// What F scores are made of (keras/src/metrics/f_score_metrics.py), for each of a row's C values: how often it was positive and should
// be, was and should not, should and was not: table[i * 3 + k]; a work-item a value. Positive is what is above THRESHOLD, or without
// one what is the row's largest (all of them on ties) and not 0. z (rows, C).
#include "metric_table.clh"

inline bool is_positive(global const float *z, int i)
{
#ifdef THRESHOLD
    return z[i] > THRESHOLD;
#else
    for (int j = 0; j < C; j++)
        if (z[j] > z[i])
            return false;
    return fabs(z[i]) > 1e-9f;
#endif
}

kernel void f_score(TABLE_PARAMETERS)
{
    int i = get_global_id(0);
    NUMBER found[3] = {0, 0, 0};
    if (i >= C)
        return;
    for (int row = 0; row < rows; row++) {
        int label = labels[row];
        bool wanted = TARGET(i) != 0;
        bool positive = is_positive(z + row * C, i);
        if (wanted || positive)
            found[wanted && positive ? 0 : positive ? 1 : 2] += WEIGHT;
    }
    for (int k = 0; k < 3; k++)
        ADD(i * 3 + k, found[k]);
}
