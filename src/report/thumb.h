/* Small pictures of a data set's images, and grids of them. */
#ifndef REPORT_THUMB_H
#define REPORT_THUMB_H

#include "report/sections.h"

typedef struct thumb {
    uint8_t *pixels; /* owned */
    int width, height, channels; /* 1 grey, 3 RGB */
} thumb;

/* Image `index`, reduced where a side is longer than `most`. Of channels that are neither grey nor RGB the first is shown. */
convoy_status thumb_make(const convoy_dataset *data, size_t index, int most, thumb *out, convoy_error *err);
void thumb_free(thumb *t);

typedef enum verdict { VERDICT_NONE, VERDICT_RIGHT, VERDICT_WRONG } verdict;

/* A line below an image: a name, which is cut off where there is no room, and a number behind it, which is not. */
typedef struct grid_line {
    char name[192], number[16]; /* either may be empty */
} grid_line;

/* A cell of a grid: an image and what stands below it. */
typedef struct grid_cell {
    size_t image;
    verdict verdict;
    grid_line first, second; /* second: may be empty */
} grid_cell;

/* Puts the images into the page, each with its texts, and writes all of them as one picture, FILE. */
convoy_status grid_add(const section_run *s, const char *file, const grid_cell *cells, size_t count, convoy_error *err);

#endif
