// Sums the rows' numbers: totals[step * COLUMNS + column] = sum over rows of counts[row * COLUMNS + column]; a work-item a column.
#if FLOATS
#define NUMBER float
#else
#define NUMBER int
#endif

kernel void metric_sum(global const NUMBER *counts, global NUMBER *totals, int step, int rows)
{
    int column = get_global_id(0);
    NUMBER total = 0;
    if (column >= COLUMNS)
        return;
    for (int row = 0; row < rows; row++)
        total += counts[row * COLUMNS + column];
    totals[step * COLUMNS + column] = total;
}
