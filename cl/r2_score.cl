// What the R2 score is made of (keras/src/metrics/regression_metrics.py), for each of a row's C values v with its target y: sums of y,
// of y^2, of (y - v)^2 and of ones, each times the image's weight: table[i * 4 + k]; a work-item a value. z (rows, C).
#define FLOATS
#include "metric_table.clh"

kernel void r2_score(TABLE_PARAMETERS)
{
    int i = get_global_id(0);
    float found[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (i >= C)
        return;
    for (int row = 0; row < rows; row++) {
        int label = labels[row];
        float y = (float)TARGET(i);
        float e = y - z[row * C + i];
        float weight = (float)WEIGHT;
        found[0] += weight * y;
        found[1] += weight * y * y;
        found[2] += weight * e * e;
        found[3] += weight;
    }
    for (int k = 0; k < 4; k++)
        ADD(i * 4 + k, found[k]);
}
