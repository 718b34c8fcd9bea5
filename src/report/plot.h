/* Curves in one pair of axes. */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include "report/drawing.h"

typedef struct plot_curve {
    double *x, *y; /* y: NAN where nothing is known; owned by the caller */
    size_t count;
    ink ink;
    bool dashed;
} plot_curve;

/* A line of the legend. */
typedef struct plot_entry {
    ink ink;
    bool dashed, marked;
    const char *text;
} plot_entry;

typedef struct plot {
    const plot_curve *curves;
    size_t curve_count;
    const plot_entry *legend;
    size_t legend_count;
    const char *x_title;
    bool percent; /* y is a share: ticks in percent */
} plot;

convoy_status plot_draw(const plot *p, picture *out, convoy_error *err);

#endif
