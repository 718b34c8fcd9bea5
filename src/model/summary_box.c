/* Keras 3's table. Keras draws it with Python's rich, so the widths and the word wrap follow rich's table and its
 * divide_line: then the text is the same for every width of terminal and every length of name. */
#include "model/summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS SUMMARY_MOST_COLUMNS
#define RIGHT_COLUMN 2  /* it holds numbers */
#define MAX_LINES 2048 /* a name has at most 127 characters, and a column at least one; many connections fit, too */

typedef struct span {
    const char *from, *to;
    bool cut; /* an ellipsis follows */
} span;

typedef struct lines {
    span at[MAX_LINES];
    int count;
} lines;

static int span_columns(span s)
{
    return summary_columns(s.from, s.to) + s.cut;
}

static void start_line(lines *l, const char *at, const char *end)
{
    if (l->count > 0)
        l->at[l->count - 1].to = at;
    if (l->count < MAX_LINES)
        l->at[l->count++] = (span){at, end, false};
}

/* Breaks a word that no line can hold; returns the columns used of the last line. */
static int fold_word(lines *l, const char *string, const char *word, const char *next, int width)
{
    int used = 0;
    for (const char *at = word; at < next;) {
        const char *cut = summary_advance(at, next, width);
        if (at != string)
            start_line(l, at, string + strlen(string));
        used = summary_columns(at, cut);
        at = cut;
    }
    return used;
}

static void strip_excess(span *s, int width)
{
    while (s->to > s->from && s->to[-1] == ' ' && span_columns(*s) > width)
        s->to--;
    if (span_columns(*s) > width) {
        s->to = summary_advance(s->from, s->to, width - 1);
        s->cut = true;
    }
}

/* Word wrap: a word carries the blanks after it, which do not count when it is fitted. A word that no line can hold is
 * folded, or else cut with an ellipsis. */
static void wrap(const char *string, int width, bool fold, lines *out)
{
    const char *end = string + strlen(string);
    int used = 0;
    out->count = 0;
    start_line(out, string, width > 0 ? end : string); /* a column may have no room at all */
    for (const char *word = string; width > 0 && *word != '\0';) {
        const char *body = word + strspn(word, " ");
        body += strcspn(body, " ");
        const char *next = body + strspn(body, " ");
        int length = summary_columns(word, body), full = summary_columns(word, next);
        if (length <= width - used) {
            used += full;
        } else if (length > width && fold) {
            used = fold_word(out, string, word, next, width);
        } else if (length > width || used > 0) {
            if (word != string)
                start_line(out, word, end);
            used = full;
        }
        word = next;
    }
    for (int i = 0; i < out->count; i++)
        strip_excess(&out->at[i], width);
}

/* Columns between the borders, blanks at their sides included. Keras gives each column its share of the whole width;
 * rich then adds the blanks and takes the excess away evenly (rounding halves to even, as Python does). */
static void column_widths(int columns, int count, int widths[COLUMNS])
{
    static const double chain[COLUMNS] = {0.45, 0.80, 1.0}, graph[COLUMNS] = {0.3, 0.56, 0.74, 1.0};
    const double *positions = count == 3 ? chain : graph;
    int widest = count == 3 ? 88 : 108, length = columns - 4 < widest ? columns - 4 : widest;
    int excess = 2 * count + count + 1; /* blanks and borders */
    for (int c = 0, sum = 0; c < count; c++) {
        widths[c] = (int)(positions[c] * length) - sum + 2;
        sum += widths[c] - 2;
    }
    for (int c = 0; c < count; c++) {
        int cut = (int)nearbyint((double)excess / (count - c));
        cut = cut < widths[c] ? cut : widths[c];
        widths[c] -= cut;
        excess -= cut;
    }
}

static void add_border(text *out, int count, const int widths[COLUMNS], const char *const parts[4])
{
    for (int c = 0; c < count; c++) {
        text_add(out, "%s", parts[c == 0 ? 0 : 2]);
        for (int i = 0; i < widths[c]; i++)
            text_add(out, "%s", parts[1]);
    }
    text_add(out, "%s\n", parts[3]);
}

static void add_cell(text *out, span s, int width, bool right, bool bold)
{
    if (right)
        while (s.to > s.from && s.to[-1] == ' ')
            s.to--;
    int pad = width - span_columns(s);
    text_add(out, "%s%*s%.*s%s%*s%s", bold ? "\033[1m" : "", right ? pad : 0, "", (int)(s.to - s.from), s.from,
             s.cut ? "…" : "", right ? 0 : pad, "", bold ? "\033[0m" : "");
}

/* A header's cells stand at the bottom of the row, all others at the top. */
static void add_row(text *out, int count, const int widths[COLUMNS], char *const cells[COLUMNS], const char *border,
                    bool header, bool bold)
{
    lines wrapped[COLUMNS];
    int height = 0;
    for (int c = 0; c < count; c++) {
        wrap(cells[c], widths[c] - 2, false, &wrapped[c]);
        height = wrapped[c].count > height ? wrapped[c].count : height;
    }
    for (int y = 0; y < height; y++) {
        for (int c = 0; c < count; c++) {
            int line = header ? y - (height - wrapped[c].count) : y;
            bool there = line >= 0 && line < wrapped[c].count;
            text_add(out, "%s ", border);
            add_cell(out, there ? wrapped[c].at[line] : (span){"", "", false}, widths[c] - 2, c == RIGHT_COLUMN, bold);
            text_add(out, " ");
        }
        text_add(out, "%s\n", border);
    }
}

/* A line outside the table, wrapped at the terminal's width; its first `bold_columns` characters may be bold. */
static void add_text(text *out, const char *string, int bold_columns, int columns)
{
    lines wrapped;
    wrap(string, columns, true, &wrapped);
    for (int i = 0; i < wrapped.count; i++) {
        span s = wrapped.at[i];
        const char *cut = summary_advance(s.from, s.to, bold_columns);
        bold_columns -= summary_columns(s.from, cut);
        if (cut > s.from)
            text_add(out, "\033[1m%.*s\033[0m", (int)(cut - s.from), s.from);
        text_add(out, "%.*s\n", (int)(s.to - cut), cut);
    }
}

static void add_total(text *out, const char *label, uint64_t count, uint64_t bytes, int columns, bool bold)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    char number[32], line[256];
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024 && unit < 5; unit++)
        size /= 1024;
    snprintf(line, sizeof line, "%s%s (%.2f %s)", label, summary_number(count, true, number, sizeof number), size,
             units[unit]);
    add_text(out, line, bold ? (int)strlen(label) : 0, columns);
}

static void add_totals(text *out, const summary_totals *t, int columns, bool bold)
{
    uint64_t weights = t->trainable + t->frozen;
    uint64_t optimizer_bytes = t->has_optimizer ? 4 * t->optimizer + 4 : 0; /* the step has eight bytes */
    add_total(out, " Total params: ", weights + t->optimizer, 4 * weights + optimizer_bytes, columns, bold);
    add_total(out, " Trainable params: ", t->trainable, 4 * t->trainable, columns, bold);
    add_total(out, " Non-trainable params: ", t->frozen, 4 * t->frozen, columns, bold);
    if (t->has_optimizer)
        add_total(out, " Optimizer params: ", t->optimizer, optimizer_bytes, columns, bold);
}

void summary_box(const summary_table *table, int columns, bool bold, text *out)
{
    static const char *const top[] = {"┏", "━", "┳", "┓"}, *const head[] = {"┡", "━", "╇", "┩"};
    static const char *const middle[] = {"├", "─", "┼", "┤"}, *const bottom[] = {"└", "─", "┴", "┘"};
    static char *const titles[COLUMNS] = {"Layer (type)", "Output Shape", "Param #", "Connected to"};
    char title[256];
    int widths[COLUMNS], count = table->columns;
    column_widths(columns, count, widths);
    snprintf(title, sizeof title, "Model: \"%s\"", table->model->name);
    add_text(out, title, bold ? (int)strlen(title) : 0, columns);
    add_border(out, count, widths, top);
    add_row(out, count, widths, titles, "┃", true, bold);
    add_border(out, count, widths, head);
    for (size_t i = 0; i < table->count; i++) {
        if (i > 0)
            add_border(out, count, widths, middle);
        add_row(out, count, widths, table->rows[i].cells, "│", false, false);
    }
    add_border(out, count, widths, bottom);
    add_totals(out, &table->totals, columns, bold);
}
