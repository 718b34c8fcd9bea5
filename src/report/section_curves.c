/* Accuracy and loss, epoch by epoch, of all runs in one pair of axes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/html.h"
#include "report/plot.h"
#include "report/sections.h"

enum { MOST_CURVES = 2 * CONVOY_REPORT_MOST_RUNS, MOST_ENTRIES = CONVOY_REPORT_MOST_RUNS + 2 };

/* Which column of history.csv. */
typedef double column_of(const history_row *row);

static double accuracy(const history_row *row) { return row->accuracy; }
static double loss(const history_row *row) { return row->loss; }
static double val_accuracy(const history_row *row) { return row->val_accuracy; }
static double val_loss(const history_row *row) { return row->val_loss; }

/* ---- the plots ---- */

typedef struct curves {
    plot_curve curve[MOST_CURVES];
    size_t count;
    plot_entry entry[MOST_ENTRIES];
    size_t entry_count;
    bool validated; /* any run has such a curve */
} curves;

static void free_curves(curves *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->curve[i].x);
        free(c->curve[i].y);
    }
}

static bool has_values(const history *h, column_of *column)
{
    for (size_t i = 0; i < h->count; i++)
        if (isfinite(column(&h->rows[i])))
            return true;
    return false;
}

static convoy_status add_curve(curves *c, const history *h, column_of *column, ink i, bool dashed, convoy_error *err)
{
    plot_curve *curve = &c->curve[c->count];
    if (!has_values(h, column))
        return CONVOY_OK;
    *curve = (plot_curve){.x = malloc(h->count * sizeof *curve->x), .y = malloc(h->count * sizeof *curve->y),
                          .count = h->count, .ink = i, .dashed = dashed};
    c->count++;
    if (curve->x == NULL || curve->y == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t k = 0; k < h->count; k++) {
        curve->x[k] = h->rows[k].epoch + 1;
        curve->y[k] = column(&h->rows[k]);
    }
    c->validated |= dashed;
    return CONVOY_OK;
}

/* Several runs: one ink each. One run: one for training, one for validation. The seventh and eighth run have the text's ink and a
 * faint one. */
static ink ink_of(const report *r, size_t run, bool validation)
{
    static const ink more[] = {INK_TEXT, INK_FAINT};
    size_t line = r->run_count == 1 ? validation : run;
    return line < INK_LINES ? (ink)(INK_BLUE + line) : more[line - INK_LINES];
}

static void add_legend(const report *r, curves *c)
{
    bool one = r->run_count == 1;
    for (size_t i = 0; !one && i < r->run_count; i++)
        c->entry[c->entry_count++] = (plot_entry){.ink = ink_of(r, i, false), .text = r->runs[i].name};
    c->entry[c->entry_count++] = (plot_entry){.ink = one ? INK_BLUE : INK_TEXT, .marked = true, .text = "training"};
    if (c->validated)
        c->entry[c->entry_count++] = (plot_entry){.ink = one ? INK_VERMILLION : INK_TEXT, .dashed = true, .marked = true,
                                                  .text = "validation"};
}

static convoy_status add_plot(report *r, const char *what, column_of *training, column_of *validation, bool percent,
                              convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    curves c = {0};
    picture made;
    char alt[256], file[64], caption[64];
    for (size_t i = 0; i < r->run_count; i++) {
        TRY_GOTO(add_curve(&c, &r->runs[i].history, training, ink_of(r, i, false), false, err));
        TRY_GOTO(add_curve(&c, &r->runs[i].history, validation, ink_of(r, i, true), true, err));
    }
    if (c.count == 0)
        goto done;
    add_legend(r, &c);
    const plot p = {.curves = c.curve, .curve_count = c.count, .legend = c.entry, .legend_count = c.entry_count,
                    .x_title = "epoch", .percent = percent};
    TRY_GOTO(plot_draw(&p, &made, err));
    snprintf(alt, sizeof alt, "%s by epoch, training%s; the table below has the numbers", what,
             c.validated ? " and validation" : "");
    snprintf(file, sizeof file, "curves-%s.svg", percent ? "accuracy" : "loss");
    snprintf(caption, sizeof caption, "%s", what);
    TRY_GOTO(page_picture(&r->page, file, alt, caption, &made, err));
done:
    free_curves(&c);
    return status;
}

/* ---- the numbers ---- */

static void add_value(text *html, double value, bool percent)
{
    if (isnan(value))
        text_add(html, "<td>&ndash;</td>");
    else
        text_add(html, percent ? "<td>%.2f %%</td>" : "<td>%.4f</td>", percent ? 100 * value : value);
}

/* The value after the last epoch. */
static double last_of(const history *h, column_of *column)
{
    return h->count > 0 ? column(&h->rows[h->count - 1]) : NAN;
}

/* The row with the greatest (sign 1) or least (-1) value; NULL: there is none. */
static const history_row *best_of(const history *h, column_of *column, int sign)
{
    const history_row *best = NULL;
    for (size_t i = 0; i < h->count; i++)
        if (isfinite(column(&h->rows[i])) && (best == NULL || sign * column(&h->rows[i]) > sign * column(best)))
            best = &h->rows[i];
    return best;
}

static void add_last_row(report *r, const char *name, column_of *column, bool percent)
{
    text_add(&r->page.body, "<tr><th scope=\"row\">%s, last epoch</th>", name);
    for (size_t i = 0; i < r->run_count; i++)
        add_value(&r->page.body, last_of(&r->runs[i].history, column), percent);
    text_add(&r->page.body, "</tr>\n");
}

static void add_best_row(report *r, const char *name, column_of *column, bool percent)
{
    text *html = &r->page.body;
    text_add(html, "<tr><th scope=\"row\">%s, best epoch</th>", name);
    for (size_t i = 0; i < r->run_count; i++) {
        const history_row *best = best_of(&r->runs[i].history, column, percent ? 1 : -1);
        if (best == NULL)
            add_value(html, NAN, percent);
        else
            text_add(html, percent ? "<td>%.2f %% (%.0f)</td>" : "<td>%.4f (%.0f)</td>",
                     percent ? 100 * column(best) : column(best), best->epoch + 1);
    }
    text_add(html, "</tr>\n");
}

static void add_table(report *r)
{
    text *html = &r->page.body;
    page_table(&r->page, "Accuracy and loss", "");
    text_add(html, "<caption><span>Accuracy and loss; in brackets the epoch</span></caption>\n<thead><tr><td></td>");
    for (size_t i = 0; i < r->run_count; i++) {
        text_add(html, "<th scope=\"col\">");
        html_name(html, r->runs[i].name);
        text_add(html, "</th>");
    }
    text_add(html, "</tr></thead>\n<tbody>\n<tr><th scope=\"row\">epochs</th>");
    for (size_t i = 0; i < r->run_count; i++)
        text_add(html, "<td>%zu</td>", r->runs[i].history.count);
    text_add(html, "</tr>\n");
    add_last_row(r, "training accuracy", accuracy, true);
    add_last_row(r, "validation accuracy", val_accuracy, true);
    add_best_row(r, "validation accuracy", val_accuracy, true);
    add_last_row(r, "training loss", loss, false);
    add_last_row(r, "validation loss", val_loss, false);
    add_best_row(r, "validation loss", val_loss, false);
    page_end_table(&r->page);
}

convoy_status section_curves(report *r, convoy_error *err)
{
    size_t known = 0;
    page_section(&r->page, "Learning curves");
    for (size_t i = 0; i < r->run_count; i++) {
        known += r->runs[i].history.count > 0;
        if (r->runs[i].history.count == 0)
            page_paragraph(&r->page, "note", "No curves of %s: there is no epoch in its history.csv, or no such file.",
                           r->runs[i].name);
    }
    if (known > 0) {
        text_add(&r->page.body, "<div class=\"pair\">\n");
        TRY(add_plot(r, "Accuracy", accuracy, val_accuracy, true, err));
        TRY(add_plot(r, "Loss", loss, val_loss, false, err));
        text_add(&r->page.body, "</div>\n");
        add_table(r);
    }
    page_end_section(&r->page);
    return CONVOY_OK;
}
