// Picks the rows of a batch and makes them float: x[n][k] = images[order[first + n]][k] / SCALE, and their labels.
// images (rows, ROW) PIXEL, order (rows) int; a work-item takes CHUNK values of one row.
#define VW 16
#include "vector.clh"
#ifndef CHUNK
#define CHUNK 16 // values a work-item converts
#endif
#ifndef PIXEL
#define PIXEL uchar // or float
#endif
#define CHUNKS ((ROW + CHUNK - 1) / CHUNK)

kernel void gather(global const PIXEL *images, global const int *labels, global const int *order, int first,
                   global float *x, global int *batch_labels, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int n = i / CHUNKS;
    int k = i % CHUNKS * CHUNK;
    int row = order[first + n];
    global const PIXEL *from = images + (ulong)row * ROW;
    if (k == 0)
        batch_labels[n] = labels[row];
    if (k + CHUNK <= ROW) {
        for (int j = 0; j < CHUNK; j += 16)
            VSTORE(convert_float16(vload16(0, from + k + j)) / SCALE, x + n * ROW + k + j);
    } else {
        for (; k < ROW; k++)
            x[n * ROW + k] = convert_float(from[k]) / SCALE;
    }
}
