// What intersections over unions are made of (keras/src/metrics/iou_metrics.py), for each of CLASSES classes: how often it was predicted
// where it is the label, is the label, was predicted: table[c * 3 + k]; a work-item a class. A row predicts the place of its largest
// value; IDS: its value is the class itself; BINARY: each value is a prediction of its own, of class 1 where it is at least THRESHOLD.
// What is not one of the classes, and the label IGNORED, does not count. z (rows, C).
#include "predicted.clh"
#include "metric_table.clh"

inline bool counts(int label)
{
#ifdef IGNORED
    return label >= 0 && label < CLASSES && label != IGNORED;
#else
    return label >= 0 && label < CLASSES;
#endif
}

kernel void iou(TABLE_PARAMETERS)
{
    int class = get_global_id(0);
    NUMBER found[3] = {0, 0, 0};
    if (class >= CLASSES)
        return;
    for (int row = 0; row < rows; row++) {
        int label = labels[row];
        for (int i = 0; i < (BINARY ? C : 1); i++) {
            int wanted = BINARY ? TARGET(i) : label;
            int given = BINARY ? z[row * C + i] >= THRESHOLD : IDS ? (int)z[row * C] : largest(z + row * C);
            if (!counts(wanted) || given < 0 || given >= CLASSES)
                continue;
            found[0] += wanted == class && given == class;
            found[1] += wanted == class;
            found[2] += given == class;
        }
    }
    for (int k = 0; k < 3; k++)
        ADD(class * 3 + k, found[k]);
}
