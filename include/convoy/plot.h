/* Curves as plain text, for terminals. */
#ifndef CONVOY_PLOT_H
#define CONVOY_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "convoy/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_PLOT_MOST_CURVES 4

typedef struct convoy_plot_curve {
    const char *name;     /* for the legend */
    const double *values; /* at 1, 2, ..., count; a value that is not finite leaves a gap */
    size_t count;
} convoy_plot_curve;

typedef struct convoy_plot_options {
    const char *title; /* the first line; NULL: none */
    int columns;       /* of the terminal; 0: 80; below 24 it is 24, above 1000 it is 1000 */
    int rows;          /* of lines between the top and the lower axis; 0: 10; within 2 and 200 */
    bool utf8;         /* dots of braille characters, 2 x 4 in each, and lines of box characters; else ASCII */
    bool colour;       /* a colour for each curve, by ANSI escapes */
} convoy_plot_options;

convoy_status convoy_plot_text_sized(const convoy_plot_curve *curves, size_t count, const convoy_plot_options *options,
                                     size_t options_size, char **out, convoy_error *err);
/* Draws the curves into one picture, axes with numbers and a legend below. The height is that of the finite values; curves are
 * told apart by dots left out (UTF-8) or by marks (ASCII), besides the colours. Values that are not finite are counted below.
 * The text is lines, each with its newline, without spaces at their ends; the caller frees it with free(). `options` may be NULL.
 * Errors: CONVOY_ERROR_ARGUMENT (no curves, or more than CONVOY_PLOT_MOST_CURVES). */
static inline convoy_status convoy_plot_text(const convoy_plot_curve *curves, size_t count, const convoy_plot_options *options,
                                             char **out, convoy_error *err)
{
    return convoy_plot_text_sized(curves, count, options, sizeof *options, out, err);
}

#ifdef __cplusplus
}
#endif
#endif
