/* Many small maps of numbers, one beside another in one picture. */
#ifndef REPORT_MAP_GRID_H
#define REPORT_MAP_GRID_H

#include "report/drawing.h"

/* Map k's value at (y, x), of colour c, is values[k * next_map + (y * width + x) * next + c * next_colour]: so a layer's output
 * (next = maps, next_map = 1) and a kernel (the same, next_colour = maps) need no copy. */
typedef struct map_grid {
    const float *values;
    int count, height, width;
    int colours;             /* 1: grey; 3: RGB */
    size_t next, next_map, next_colour;
    int step;                /* every so manieth pixel of a row and of a column is shown; 1: all */
    int most_enlarge;        /* each value becomes a block of at most so many pixels a side */
    int gap;                 /* pixels between maps */
    int columns;             /* 0: about twice as wide as high */
    bool one_range;          /* of all maps together, not of each */
} map_grid;

/* Each map, or all of them, from the least value (black) to the greatest (white, or the full colour); what is the same everywhere
 * is black. */
convoy_status map_grid_draw(const map_grid *s, picture *out, convoy_error *err);

#endif
