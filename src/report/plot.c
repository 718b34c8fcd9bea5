#include "report/plot.h"

#include <math.h>
#include <stdio.h>

enum {
    WIDTH = 440,
    HEIGHT = 260, /* of the axes, margins included; the legend stands below */
    LEFT = 52,
    RIGHT = 14,
    TOP = 12,
    BOTTOM = 42,
    LEGEND_LINE = 20,
    LEGEND_COLUMNS = 2,
    MOST_MARKS = 40, /* points of a curve, up to which each is marked */
};

/* The range shown, and the ticks in it: `tick`, and each `step` further on. */
typedef struct axis {
    double first, last, tick, step;
} axis;

static double round_step(double range, int wanted)
{
    double raw = range / wanted, power = pow(10, floor(log10(raw))), ratio = raw / power;
    return (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10) * power;
}

/* Epochs: whole numbers, nothing in front of the first or behind the last. */
static axis axis_of_epochs(double least, double most)
{
    if (!(most > least))
        return (axis){least - 0.5, least + 0.5, least, 1};
    double step = round_step(most - least, 6);
    step = step < 1 ? 1 : step;
    return (axis){least, most, ceil(least / step - 1e-9) * step, step};
}

/* Values: from tick to tick. */
static axis axis_of_values(double least, double most)
{
    if (!(most > least)) {
        double around = fabs(most) > 0 ? fabs(most) / 2 : 0.5;
        least -= around;
        most += around;
    }
    double step = round_step(most - least, 5), first = floor(least / step + 1e-9) * step;
    return (axis){first, ceil(most / step - 1e-9) * step, first, step};
}

/* The range of what is known; false: nothing is. */
static bool find_range(const plot *p, bool of_y, double *least, double *most)
{
    *least = INFINITY;
    *most = -INFINITY;
    for (size_t c = 0; c < p->curve_count; c++)
        for (size_t i = 0; i < p->curves[c].count; i++) {
            double value = of_y ? p->curves[c].y[i] : p->curves[c].x[i];
            if (!isfinite(p->curves[c].y[i]))
                continue;
            *least = value < *least ? value : *least;
            *most = value > *most ? value : *most;
        }
    return *most >= *least;
}

typedef struct canvas {
    drawing *d;
    axis x, y;
} canvas;

static double to_x(const canvas *c, double value)
{
    return LEFT + (value - c->x.first) / (c->x.last - c->x.first) * (WIDTH - LEFT - RIGHT);
}

static double to_y(const canvas *c, double value)
{
    return HEIGHT - BOTTOM - (value - c->y.first) / (c->y.last - c->y.first) * (HEIGHT - TOP - BOTTOM);
}

static void draw_y_axis(const canvas *c, bool percent)
{
    int digits = c->y.step >= 1 ? 0 : (int)ceil(-log10(c->y.step) - 1e-9);
    if (percent)
        digits = digits > 2 ? digits - 2 : 0;
    for (int i = 0; c->y.tick + i * c->y.step <= c->y.last + c->y.step * 1e-6; i++) {
        double value = c->y.tick + i * c->y.step, y = to_y(c, value);
        char number[32];
        snprintf(number, sizeof number, percent ? "%.*f %%" : "%.*f", digits, percent ? 100 * value : value);
        drawing_ink(c->d, INK_GRID, 1);
        drawing_line(c->d, LEFT, y, WIDTH - RIGHT, y, 1);
        drawing_ink(c->d, INK_FAINT, 1);
        drawing_text(c->d, &(label){.x = LEFT - 6, .y = y + 4, .size = 12, .align = ALIGN_RIGHT}, number);
    }
}

static void draw_x_axis(const canvas *c, const char *title)
{
    drawing_ink(c->d, INK_FAINT, 1);
    drawing_line(c->d, LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, 1);
    for (int i = 0; c->x.tick + i * c->x.step <= c->x.last + c->x.step * 1e-6; i++) {
        double value = c->x.tick + i * c->x.step, x = to_x(c, value);
        char number[32];
        snprintf(number, sizeof number, "%.0f", value);
        drawing_line(c->d, x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4, 1);
        drawing_text(c->d, &(label){.x = x, .y = HEIGHT - BOTTOM + 17, .size = 12, .align = ALIGN_CENTRE}, number);
    }
    drawing_text(c->d, &(label){.x = (LEFT + WIDTH - RIGHT) / 2.0, .y = HEIGHT - BOTTOM + 34, .size = 12, .align = ALIGN_CENTRE},
                 title);
}

/* ---- curves ---- */

/* A disc, or the outline of a square for dashed curves. */
static void draw_mark(drawing *d, bool dashed, double x, double y)
{
    cairo_new_path(d->cr);
    if (dashed) {
        cairo_rectangle(d->cr, x - 3, y - 3, 6, 6);
        cairo_set_line_width(d->cr, 1.5);
        drawing_stroke(d);
    } else {
        cairo_arc(d->cr, x, y, 3, 0, 6.28318530717958648);
        drawing_fill(d, false);
    }
}

static void draw_curve(const canvas *c, const plot_curve *curve)
{
    cairo_t *cr = c->d->cr;
    bool drawing = false;
    drawing_ink(c->d, curve->ink, 1);
    cairo_set_line_width(cr, 2);
    c->d->dashed = curve->dashed;
    for (size_t i = 0; i < curve->count; i++) {
        if (!isfinite(curve->y[i])) {
            drawing = false;
            continue;
        }
        (drawing ? cairo_line_to : cairo_move_to)(cr, to_x(c, curve->x[i]), to_y(c, curve->y[i]));
        drawing = true;
    }
    drawing_stroke(c->d);
    c->d->dashed = false;
    for (size_t i = 0; curve->count <= MOST_MARKS && i < curve->count; i++)
        if (isfinite(curve->y[i]))
            draw_mark(c->d, curve->dashed, to_x(c, curve->x[i]), to_y(c, curve->y[i]));
}

static void draw_legend(const plot *p, drawing *d)
{
    double column = (WIDTH - LEFT) / (double)LEGEND_COLUMNS;
    for (size_t i = 0; i < p->legend_count; i++) {
        const plot_entry *e = &p->legend[i];
        double x = LEFT + column * (double)(i % LEGEND_COLUMNS), y = HEIGHT + LEGEND_LINE * (double)(i / LEGEND_COLUMNS) + 8;
        drawing_ink(d, e->ink, 1);
        d->dashed = e->dashed;
        drawing_line(d, x, y, x + 28, y, 2);
        d->dashed = false;
        if (e->marked)
            draw_mark(d, e->dashed, x + 14, y);
        drawing_ink(d, INK_TEXT, 1);
        drawing_text(d, &(label){.x = x + 36, .y = y + 4, .size = 12, .most = column - 42}, e->text);
    }
}

convoy_status plot_draw(const plot *p, picture *out, convoy_error *err)
{
    drawing d;
    canvas c = {.d = &d};
    double least, most;
    int lines = (int)((p->legend_count + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS);
    TRY(drawing_begin(&d, true, WIDTH, HEIGHT + LEGEND_LINE * lines, err));
    if (find_range(p, false, &least, &most)) {
        c.x = axis_of_epochs(least, most);
        find_range(p, true, &least, &most);
        c.y = axis_of_values(least, most);
        draw_y_axis(&c, p->percent);
        draw_x_axis(&c, p->x_title);
        for (size_t i = 0; i < p->curve_count; i++)
            draw_curve(&c, &p->curves[i]);
    }
    draw_legend(p, &d);
    return drawing_end(&d, out, err);
}
