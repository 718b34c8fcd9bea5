// Does a row predict its label? 1 or 0.
#include "metric.clh"

kernel void accuracy(METRIC_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int label = labels[row];
    NOTE(0, predicted(z + row * C) == label);
}
