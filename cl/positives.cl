// What precision, recall and their kin are made of (keras/src/utils/metrics_utils.py). Of the values FIRST to LAST - 1 of a row those
// count as positive that are above THRESHOLD and, where TOP_K is not 0, among the TOP_K largest of the row, the first ones on ties.
// Noted are those of true positives, false positives, true negatives and false negatives, in this order, whose WANTED is not 0.
// Of a single value, C = 1, the label itself says whether it should be positive. z (rows, C).
#include "metric.clh"

inline int rank_of(global const float *z, int i)
{
    int before = 0;
    for (int j = 0; j < C; j++)
        before += z[j] > z[i] || (z[j] == z[i] && j < i);
    return before;
}

inline bool is_positive(global const float *z, int i)
{
    return z[i] > THRESHOLD && (TOP_K == 0 || rank_of(z, i) < TOP_K);
}

kernel void positives(METRIC_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int label = labels[row];
    int found[4] = {0, 0, 0, 0};
    int column = 0;
    for (int i = FIRST; i < LAST; i++) {
        bool wanted = C == 1 ? label != 0 : i == label;
        bool positive = is_positive(z + row * C, i);
        found[0] += wanted && positive;
        found[1] += !wanted && positive;
        found[2] += !wanted && !positive;
        found[3] += wanted && !positive;
    }
    for (int k = 0; k < 4; k++)
        if (WANTED >> k & 1)
            NOTE(column++, found[k]);
}
