// Counts what was predicted for each class: counts[label * N + predicted] += 1 for each row of z (rows, C). Whole numbers: their sum
// does not depend on the order in which work-items come.
#include "predicted.clh"

kernel void confusion(global const float *z, global const int *labels, volatile global int *counts, int rows)
{
    int row = get_global_id(0);
    if (row < rows)
        atomic_inc(&counts[labels[row] * N + predicted(z + row * C)]);
}
