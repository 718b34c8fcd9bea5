/* Pictures, as PNG by cairo, or as SVG, for which cairo measures texts and keeps paths. They are drawn in inks, not in colours: in a page
 * each ink follows the page's theme. */
#ifndef REPORT_DRAWING_H
#define REPORT_DRAWING_H

#include <cairo.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Okabe and Ito's colours, which the colour-blind tell apart (https://jfly.uni-koeln.de/color/), and what the rest is drawn in. */
typedef enum ink {
    INK_TEXT,
    INK_FAINT,  /* text of axes */
    INK_GRID,
    INK_BOX,    /* the inside of boxes */
    INK_HEAT,   /* the cells of a matrix */
    INK_RIGHT,
    INK_WRONG,
    INK_BLUE,   /* from here on: lines, one after another */
    INK_VERMILLION,
    INK_GREEN,
    INK_PURPLE,
    INK_ORANGE,
    INK_SKY,
    INK_COUNT
} ink;

#define INK_LINES (INK_COUNT - INK_BLUE)

/* A finished picture. */
typedef struct picture {
    char *data; /* owned */
    size_t size, body; /* body: where in an SVG its elements begin */
    int width, height; /* pixels */
    bool svg;
} picture;

void picture_free(picture *p);

typedef struct drawing {
    cairo_surface_t *surface;
    cairo_t *cr;
    text bytes;
    ink ink; /* as drawing_ink said, and how opaque it is */
    double opacity;
    bool dashed; /* lines, of an SVG only */
    size_t body;
    int width, height;
    bool svg;
} drawing;

typedef enum align { ALIGN_LEFT, ALIGN_CENTRE, ALIGN_RIGHT } align;

/* An SVG drawing is transparent, a PNG one white. `d` must stay where it is until drawing_end. */
convoy_status drawing_begin(drawing *d, bool svg, int width, int height, convoy_error *err);
/* The picture; drawing_drop when it is not wanted any more. */
convoy_status drawing_end(drawing *d, picture *out, convoy_error *err);
void drawing_drop(drawing *d);

void drawing_ink(drawing *d, ink i, double opacity);
void drawing_line(drawing *d, double x0, double y0, double x1, double y1, double width);
void drawing_rectangle(drawing *d, double x, double y, double width, double height); /* filled */
void drawing_round_box(drawing *d, double x, double y, double width, double height, double radius); /* the path only */
/* cairo's path: inside and outline. Filling may keep it. */
void drawing_fill(drawing *d, bool keep);
void drawing_stroke(drawing *d); /* in an SVG with round corners */

/* One line of any text on the baseline y; cut off with an ellipsis where it is wider than `most` (0: as wide as it is). */
typedef struct label {
    double x, y, size, most;
    align align;
    bool bold, upwards; /* upwards: of an SVG only */
} label;
void drawing_text(drawing *d, const label *where, const char *text);
double drawing_text_width(drawing *d, const label *where, const char *text);

/* Pixels as a PNG file: 1 (grey) or 3 (RGB) bytes each, every one a block of `enlarge` x `enlarge`. */
convoy_status picture_of_pixels(const uint8_t *pixels, int width, int height, int channels, int enlarge, picture *out,
                                convoy_error *err);

/* An SVG picture as an element for an HTML page. `alt` tells what it shows. */
void picture_inline(const picture *p, const char *alt, text *html);

/* What such a page's style sheet needs besides: inks are its colours (custom properties --faint, --line-0 and so on). */
void drawing_page_style(text *css);

#endif
