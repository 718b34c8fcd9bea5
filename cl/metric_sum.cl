// Sums the rows' counts: totals[step * COLUMNS + column] = sum over rows of counts[row * COLUMNS + column]; a work-item a column.
kernel void metric_sum(global const int *counts, global int *totals, int step, int rows)
{
    int column = get_global_id(0);
    int total = 0;
    if (column >= COLUMNS)
        return;
    for (int row = 0; row < rows; row++)
        total += counts[row * COLUMNS + column];
    totals[step * COLUMNS + column] = total;
}
