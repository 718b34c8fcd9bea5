/* Curves as text: cells that hold dots, a frame with numbers around them, a legend below. */
#include "convoy/plot.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"

enum { COLUMNS = 80, LEAST_COLUMNS = 24, MOST_COLUMNS = 1000, ROWS = 10, LEAST_ROWS = 2, MOST_ROWS = 200, LEAST_WIDTH = 8 };

/* How a curve looks: of each `period` dots along it, the first `on` are there. */
typedef struct style {
    char mark; /* in ASCII */
    int on, period;
    const char *colour;
} style;

static const style styles[CONVOY_PLOT_MOST_CURVES] = {
    {'*', 1, 1, "\033[36m"}, {'o', 1, 2, "\033[33m"}, {'+', 2, 4, "\033[35m"}, {'x', 1, 4, "\033[32m"}};

typedef struct plot {
    const convoy_plot_curve *curves;
    size_t count;
    size_t length;         /* of the longest curve */
    bool utf8, colour;
    double low, high;      /* values at the lower and the upper end */
    int width, height;     /* cells */
    int across, down;      /* dots of a cell */
    int divisions, margin; /* of the left axis; columns of its numbers */
    char labels[4][32];    /* divisions + 1, from the top */
    unsigned char *dots;   /* of each cell; ASCII: 1 where there is a mark */
    unsigned char *owner;  /* the curve that was there last */
} plot;

static int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

/* ---- the left axis ---- */

static size_t count_finite(const convoy_plot_curve *curve)
{
    size_t n = 0;
    for (size_t i = 0; i < curve->count; i++)
        n += isfinite(curve->values[i]) != 0;
    return n;
}

/* False: there is no finite value. */
static bool find_range(plot *p)
{
    p->low = INFINITY;
    p->high = -INFINITY;
    for (size_t c = 0; c < p->count; c++)
        for (size_t i = 0; i < p->curves[c].count; i++)
            if (isfinite(p->curves[c].values[i])) {
                p->low = fmin(p->low, p->curves[c].values[i]);
                p->high = fmax(p->high, p->curves[c].values[i]);
            }
    if (p->low > p->high)
        return false;
    double largest = fmax(fabs(p->low), fabs(p->high));
    if (p->high / 2 - p->low / 2 <= largest * 1e-12) { /* all the same: put them into the middle */
        double apart = largest > 1e-300 ? largest / 10 : 1;
        p->low = fmax(p->low - apart, -DBL_MAX);
        p->high = fmin(p->high + apart, DBL_MAX);
    }
    return true;
}

/* Numbers with as many digits as tell the divisions apart: three of the range. */
static void write_labels(plot *p)
{
    int range = (int)floor(log10(p->high / 2 - p->low / 2) + log10(2));
    int largest = (int)floor(log10(fmax(fabs(p->low), fabs(p->high))));
    bool scientific = largest >= 6 || range < -4;
    int digits = scientific ? clamp(largest - range + 2, 2, 15) : clamp(2 - range, 0, 15);
    p->margin = 0;
    for (int k = 0; k <= p->divisions; k++) {
        double part = (double)k / p->divisions, value = p->high * (1 - part) + p->low * part;
        if (fabs(value) < (p->high / 2 - p->low / 2) * 1e-9)
            value = 0; /* and not -0 */
        int n = snprintf(p->labels[k], sizeof p->labels[k], scientific ? "%.*e" : "%.*f", digits, value);
        p->margin = n > p->margin ? n : p->margin;
    }
}

/* ---- dots ---- */

/* In which column of dots the i-th value lies, i from 0. */
static int column_of(const plot *p, size_t i)
{
    if (p->length < 2)
        return 0;
    return (int)lround((double)i / (double)(p->length - 1) * (p->width * p->across - 1));
}

static int row_of(const plot *p, double value)
{
    double part = (p->high / 2 - value / 2) / (p->high / 2 - p->low / 2); /* halves: the range may be more than a double holds */
    return (int)lround(part * (p->height * p->down - 1));
}

static unsigned char bit_of(const plot *p, int x, int y)
{
    static const unsigned char braille[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    return p->utf8 ? braille[y][x] : 1;
}

static void put_dot(plot *p, size_t curve, int x, int y)
{
    if (x >= p->width * p->across || y >= p->height * p->down)
        return;
    size_t cell = (size_t)(y / p->down) * (size_t)p->width + (size_t)(x / p->across);
    p->dots[cell] |= bit_of(p, x % p->across, y % p->down);
    p->owner[cell] = (unsigned char)curve;
}

/* Which dots are left out follows from where they are, so that it is the same for long and for short pieces. */
static void draw_line(plot *p, size_t curve, int x0, int y0, int x1, int y1)
{
    const style *s = &styles[curve];
    int dx = x1 - x0, dy = y1 - y0, steps = abs(dx) > abs(dy) ? abs(dx) : abs(dy);
    for (int k = 0; k <= steps; k++) {
        double part = steps > 0 ? (double)k / steps : 0;
        int x = x0 + (int)lround(part * dx), y = y0 + (int)lround(part * dy);
        if ((abs(dx) >= abs(dy) ? x : y) % s->period < s->on)
            put_dot(p, curve, x, y);
    }
}

/* One value alone would be easy to overlook as a dot. */
static void draw_point(plot *p, size_t curve, int x, int y)
{
    for (int i = 0; i < p->across; i++)
        for (int k = 0; k < (p->down > 1 ? 2 : 1); k++)
            put_dot(p, curve, x + i, y + k);
}

static void draw_curve(plot *p, size_t curve)
{
    const convoy_plot_curve *c = &p->curves[curve];
    for (size_t i = 0; i < c->count; i++) {
        bool before = i > 0 && isfinite(c->values[i - 1]), behind = i + 1 < c->count && isfinite(c->values[i + 1]);
        if (!isfinite(c->values[i]))
            continue;
        int x = column_of(p, i), y = row_of(p, c->values[i]);
        if (before)
            draw_line(p, curve, column_of(p, i - 1), row_of(p, c->values[i - 1]), x, y);
        else if (!behind)
            draw_point(p, curve, x, y);
    }
}

/* ---- lines of text ---- */

static void add_braille(text *out, unsigned char bits)
{
    char bytes[3] = {(char)0xE2, (char)(0xA0 | bits >> 6), (char)(0x80 | (bits & 0x3F))};
    text_add_bytes(out, bytes, sizeof bytes);
}

/* `curve` is what has the colour now, -1 for none. */
static void set_colour(const plot *p, int *current, int curve, text *out)
{
    if (p->colour && *current != curve)
        text_add(out, "%s", curve < 0 ? "\033[0m" : styles[curve].colour);
    *current = curve;
}

static void add_cells(const plot *p, int row, text *out)
{
    const unsigned char *dots = p->dots + (size_t)row * (size_t)p->width, *owner = p->owner + (size_t)row * (size_t)p->width;
    int last = p->width, colour = -1;
    while (last > 0 && dots[last - 1] == 0)
        last--;
    for (int x = 0; x < last; x++) {
        if (dots[x] != 0)
            set_colour(p, &colour, owner[x], out);
        if (dots[x] == 0)
            text_add(out, " ");
        else if (p->utf8)
            add_braille(out, dots[x]);
        else
            text_add_bytes(out, &styles[owner[x]].mark, 1);
    }
    set_colour(p, &colour, -1, out);
    text_add(out, "\n");
}

static void add_rows(const plot *p, text *out)
{
    for (int row = 0; row < p->height; row++) {
        int every = (p->height - 1) / p->divisions;
        bool labelled = row % every == 0;
        const char *axis = p->utf8 ? (labelled ? "┤" : "│") : labelled ? "+" : "|";
        text_add(out, "%*s %s", p->margin, labelled ? p->labels[row / every] : "", axis);
        add_cells(p, row, out);
    }
}

/* ---- the lower axis ---- */

/* 1, 2, 5, 10, ...: the least distance between numbers that leaves `gap` columns from one to the next. */
static size_t choose_step(const plot *p, int gap)
{
    static const size_t factors[] = {1, 2, 5};
    for (size_t ten = 1; ten < p->length; ten *= 10)
        for (size_t k = 0; k < 3; k++)
            if ((double)(factors[k] * ten) * p->width / (double)p->length >= gap)
                return factors[k] * ten;
    return p->length;
}

/* A number under its mark; the last one ends there. */
static void put_number(const plot *p, size_t number, char *marks, char *numbers)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%zu", number), at = column_of(p, number - 1) / p->across;
    marks[at] = '+';
    if (number == p->length && at >= n)
        at -= n - 1;
    memcpy(numbers + at, digits, (size_t)n);
}

static void add_lower_axis(const plot *p, text *out)
{
    char marks[MOST_COLUMNS + 32], numbers[MOST_COLUMNS + 32];
    int gap = snprintf(NULL, 0, "%zu", p->length) + 2, end = p->width - gap;
    size_t step = choose_step(p, gap);
    memset(marks, '-', sizeof marks);
    memset(numbers, ' ', sizeof numbers);
    put_number(p, 1, marks, numbers);
    for (size_t i = step; i < p->length; i += step) {
        int at = column_of(p, i - 1) / p->across;
        if (at >= 3 && at <= end - gap + 3)
            put_number(p, i, marks, numbers);
    }
    put_number(p, p->length, marks, numbers);
    text_add(out, "%*s %s", p->margin, "", p->utf8 ? "└" : "+");
    for (int x = 0; x < p->width; x++)
        text_add(out, "%s", marks[x] == '+' ? (p->utf8 ? "┬" : "+") : p->utf8 ? "─" : "-");
    int last = (int)sizeof numbers;
    while (last > 0 && numbers[last - 1] == ' ')
        last--;
    text_add(out, "\n%*s%.*s\n", p->margin + 2, "", last, numbers);
}

/* ---- what is below ---- */

static void add_legend(const plot *p, text *out)
{
    text_add(out, "%*s", p->margin + 2, "");
    for (size_t c = 0; c < p->count; c++) {
        int colour = -1;
        unsigned char bits[2] = {0, 0};
        for (int x = 0; x < 4; x++)
            if (x % styles[c].period < styles[c].on)
                bits[x / 2] |= x % 2 ? 0x20 : 0x04;
        text_add(out, c > 0 ? "  " : "");
        set_colour(p, &colour, (int)c, out);
        if (p->utf8) {
            add_braille(out, bits[0]);
            add_braille(out, bits[1]);
        } else {
            text_add_bytes(out, &styles[c].mark, 1);
        }
        set_colour(p, &colour, -1, out);
        text_add(out, " %s", p->curves[c].name);
    }
    text_add(out, "\n");
}

static void add_gaps(const plot *p, text *out)
{
    for (size_t c = 0; c < p->count; c++) {
        size_t gaps = p->curves[c].count - count_finite(&p->curves[c]);
        if (gaps > 0)
            text_add(out, "  %s: %zu of %zu value%s not finite\n", p->curves[c].name, gaps, p->curves[c].count,
                     gaps == 1 ? " is" : "s are");
    }
}

/* ---- the whole ---- */

static bool allocate(plot *p)
{
    size_t cells = (size_t)p->width * (size_t)p->height;
    p->dots = calloc(cells, 1);
    p->owner = calloc(cells, 1);
    return p->dots != NULL && p->owner != NULL;
}

/* Thirds of the height, or halves, where rows lie there. */
static int divisions_of(int rows)
{
    return (rows - 1) % 3 == 0 ? 3 : (rows - 1) % 2 == 0 ? 2 : 1;
}

static convoy_status draw(plot *p, int columns, text *out, convoy_error *err)
{
    write_labels(p);
    p->width = columns - p->margin - 2;
    p->width = p->width < LEAST_WIDTH ? LEAST_WIDTH : p->width;
    if (!allocate(p))
        return OUT_OF_MEMORY(err);
    for (size_t c = 0; c < p->count; c++)
        draw_curve(p, c);
    add_rows(p, out);
    add_lower_axis(p, out);
    add_legend(p, out);
    return CONVOY_OK;
}

convoy_status convoy_plot_text_sized(const convoy_plot_curve *curves, size_t count, const convoy_plot_options *options,
                                     size_t options_size, char **out, convoy_error *err)
{
    TAKE_OPTIONS(convoy_plot_options, own, options, options_size, err);
    const convoy_plot_options *o = &own;
    plot p = {.curves = curves, .count = count, .utf8 = o->utf8, .colour = o->colour, .across = o->utf8 ? 2 : 1,
              .down = o->utf8 ? 4 : 1, .height = clamp(o->rows ? o->rows : ROWS, LEAST_ROWS, MOST_ROWS)};
    int columns = clamp(o->columns ? o->columns : COLUMNS, LEAST_COLUMNS, MOST_COLUMNS);
    convoy_status status = CONVOY_OK;
    text t = {0};
    if (count == 0 || count > CONVOY_PLOT_MOST_CURVES)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%zu curves; 1 to %d are expected", count, CONVOY_PLOT_MOST_CURVES);
    for (size_t c = 0; c < count; c++)
        p.length = curves[c].count > p.length ? curves[c].count : p.length;
    p.divisions = divisions_of(p.height);
    if (o->title != NULL)
        text_add(&t, "%s\n", o->title);
    if (find_range(&p))
        status = draw(&p, columns, &t, err);
    else if (p.length == 0)
        text_add(&t, "  no values\n");
    add_gaps(&p, &t);
    free(p.dots);
    free(p.owner);
    if (status == CONVOY_OK)
        return text_take(&t, out, err);
    text_free(&t);
    return status;
}
