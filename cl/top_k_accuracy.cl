// Is the label of a row among its K largest values? It is 1 where fewer than K values are larger than
// the one at the label and all are finite (TensorFlow's in_top_k), else 0. z (rows, C).
#include "metric.clh"

kernel void top_k_accuracy(METRIC_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    int label = labels[row];
    float at_label = z[label];
    int larger = 0;
    bool finite = true;
    for (int i = 0; i < C; i++) {
        larger += z[i] > at_label;
        finite = finite && isfinite(z[i]);
    }
    NOTE(0, finite && larger < K);
}
