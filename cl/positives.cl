// What precision and recall are made of (keras/src/utils/metrics_utils.py). Of the values FIRST to LAST - 1 of a row those count as
// positive that are above THRESHOLD and, where TOP_K is not 0, among the TOP_K largest of the row, the first ones on ties.
//   counts[row * COLUMNS + COLUMN]      true positives: positive, and at the label
//   counts[row * COLUMNS + COLUMN + 1]  FALSE_POSITIVES: positive elsewhere; else false negatives: not positive, at the label
// Of a single value, C = 1, the label itself says whether it should be positive. z (rows, C).
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

kernel void positives(global const float *z, global const int *labels, global int *counts, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    int hits = 0;
    int others = 0;
    for (int i = FIRST; i < LAST; i++) {
        bool wanted = C == 1 ? label != 0 : i == label;
        bool positive = is_positive(z, i);
        hits += wanted && positive;
        others += FALSE_POSITIVES ? !wanted && positive : wanted && !positive;
    }
    counts[row * COLUMNS + COLUMN] = hits;
    counts[row * COLUMNS + COLUMN + 1] = others;
}
