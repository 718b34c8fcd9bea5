// Is the label of a row among its K largest values? counts[row * COLUMNS + COLUMN] is 1 where fewer than K values are larger than
// the one at the label and all are finite (TensorFlow's in_top_k), else 0. z (rows, C).
kernel void top_k_accuracy(global const float *z, global const int *labels, global int *counts, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    z += row * C;
    float at_label = z[labels[row]];
    int larger = 0;
    bool finite = true;
    for (int i = 0; i < C; i++) {
        larger += z[i] > at_label;
        finite = finite && isfinite(z[i]);
    }
    counts[row * COLUMNS + COLUMN] = finite && larger < K;
}
