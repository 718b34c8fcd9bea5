// How many of a row's C values are on the right side of THRESHOLD: above it at the label, not above it elsewhere. Of a single value,
// C = 1, the label itself, 1 or 0, says on which side it belongs. counts[row * COLUMNS + COLUMN]; z (rows, C).
kernel void binary_accuracy(global const float *z, global const int *labels, global int *counts, int rows)
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
    counts[row * COLUMNS + COLUMN] = right;
}
