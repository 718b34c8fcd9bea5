// How many of a row's C values are on the right side of THRESHOLD: above it at the label, not above it elsewhere. Of a single value,
// C = 1, the label itself, 1 or 0, says on which side it belongs. z (rows, C).
#include "metric.clh"

kernel void binary_accuracy(METRIC_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    int right = 0;
    for (int i = 0; i < C; i++) {
        int y = C == 1 ? label : i == label;
        right += (z[i] > THRESHOLD ? 1 : 0) == y;
    }
    NOTE(0, right);
}
