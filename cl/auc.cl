// What curves over THRESHOLDS evenly spaced thresholds are made of (keras/src/utils/metrics_utils.py): how many values that should be
// positive, and how many that should not, lie in each bucket: above threshold t and not above the next one. A value is clipped to 0 .. 1,
// LOGITS: after a sigmoid. FROM_BELOW: bucket 0 has what is not above the first threshold too; without it that is the last bucket.
//   table[(label * (THRESHOLDS + 1) + bucket) * 2 + {0: should be positive, 1: should not}]
// BY_LABEL: a table for each of the values FIRST to LAST - 1; else they share one. A work-item a bucket. z (rows, C).
#include "metric_table.clh"

inline int bucket_of(float v)
{
#if LOGITS
    v = 1.0f / (1.0f + exp(-v));
#endif
    int bucket = THRESHOLDS == 1 ? (v > 0.5f ? 0 : -1) : (int)ceil(clamp(v, 0.0f, 1.0f) * (float)(THRESHOLDS - 1)) - 1;
    return bucket >= 0 ? bucket : FROM_BELOW ? 0 : THRESHOLDS;
}

kernel void auc(TABLE_PARAMETERS)
{
    int cell = get_global_id(0);
    int bucket = cell % (THRESHOLDS + 1);
    int group = cell / (THRESHOLDS + 1);
    NUMBER positive = 0;
    NUMBER negative = 0;
    if (group >= (BY_LABEL ? LAST - FIRST : 1))
        return;
    int from = BY_LABEL ? FIRST + group : FIRST;
    int to = BY_LABEL ? from + 1 : LAST;
    for (int row = 0; row < rows; row++) {
        int label = labels[row];
        for (int i = from; i < to; i++)
            if (bucket_of(z[row * C + i]) == bucket) {
                positive += TARGET(i) != 0 ? WEIGHT : 0;
                negative += TARGET(i) != 0 ? 0 : WEIGHT;
            }
    }
    ADD(cell * 2, positive);
    ADD(cell * 2 + 1, negative);
}
