// The images' weights as a column among a metric's; 0 for images of the class IGNORED.
#include "metric.clh"

kernel void metric_weights(METRIC_PARAMETERS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int label = labels[row];
#ifdef IGNORED
    bool there = label != IGNORED;
#else
    (void)label;
    bool there = true;
#endif
    NOTE(0, there);
}
