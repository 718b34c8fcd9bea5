/* Which classes are taken for which: the matrix, and the accuracy of each class. */
#include <stdio.h>
#include <stdlib.h>

#include "report/html.h"
#include "report/sections.h"

enum {
    MOST_CELLS = 20,    /* classes, up to which cells have numbers and classes names */
    MOST_CLASSES = 1000,
    CELL = 34,
    LABEL = 102,        /* for names, to the left and above */
};

/* (true class, guessed class), row by row; the caller frees it. NULL: out of memory. */
static unsigned *count_pairs(const evaluation *l)
{
    size_t n = (size_t)l->classes;
    const int32_t *labels = convoy_dataset_labels(l->images);
    unsigned *pairs = calloc(n * n, sizeof *pairs);
    for (size_t i = 0; pairs != NULL && i < convoy_dataset_count(l->images); i++)
        pairs[(size_t)labels[i] * n + (size_t)l->guess[i]]++;
    return pairs;
}

static unsigned sum(const unsigned *values, size_t count, size_t stride)
{
    unsigned total = 0;
    for (size_t i = 0; i < count; i++)
        total += values[i * stride];
    return total;
}

/* ---- the matrix with numbers ---- */

static void draw_names(drawing *d, const section_run *s, int n)
{
    char number[16];
    label across = {.x = LABEL - 6, .size = 12, .most = LABEL - 26, .align = ALIGN_RIGHT};
    drawing_ink(d, INK_TEXT, 1);
    for (int i = 0; i < n; i++) {
        const char *name = evaluation_class_name(s->evaluation, s->run, i, number);
        across.y = LABEL + CELL * i + CELL / 2 + 4;
        drawing_text(d, &across, name);
        drawing_text(d, &(label){.x = across.y, .y = LABEL - 6, .size = 12, .most = LABEL - 26, .upwards = true}, name);
    }
    drawing_ink(d, INK_FAINT, 1);
    drawing_text(d, &(label){.x = LABEL + CELL * n / 2.0, .y = 11, .size = 12, .align = ALIGN_CENTRE}, "taken for");
    drawing_text(d, &(label){.x = 11, .y = LABEL + CELL * n / 2.0, .size = 12, .align = ALIGN_CENTRE, .upwards = true}, "true class");
}

static void draw_cells(drawing *d, const unsigned *pairs, int n)
{
    for (int row = 0; row < n; row++) {
        unsigned total = sum(pairs + (size_t)row * (size_t)n, (size_t)n, 1);
        for (int column = 0; column < n; column++) {
            unsigned count = pairs[row * n + column];
            double x = LABEL + CELL * column, y = LABEL + CELL * row;
            char number[16];
            if (count == 0)
                continue;
            /* Text stands out on at most eight tenths of the ink, in both themes. */
            drawing_ink(d, INK_HEAT, 0.8 * count / total);
            drawing_rectangle(d, x, y, CELL, CELL);
            snprintf(number, sizeof number, "%u", count);
            drawing_ink(d, INK_TEXT, 1);
            drawing_text(d, &(label){.x = x + CELL / 2.0, .y = y + CELL / 2.0 + 4, .size = count > 9999 ? 9 : 12,
                                     .align = ALIGN_CENTRE, .bold = row == column}, number);
        }
    }
    drawing_ink(d, INK_GRID, 1);
    for (int i = 0; i <= n; i++) {
        drawing_line(d, LABEL + CELL * i, LABEL, LABEL + CELL * i, LABEL + CELL * n, 1);
        drawing_line(d, LABEL, LABEL + CELL * i, LABEL + CELL * n, LABEL + CELL * i, 1);
    }
}

static convoy_status add_numbers(const section_run *s, const unsigned *pairs, convoy_error *err)
{
    int n = s->evaluation->classes, size = LABEL + CELL * n + 2;
    drawing d;
    picture made;
    char alt[256];
    TRY(drawing_begin(&d, true, size, size, err));
    draw_cells(&d, pairs, n);
    draw_names(&d, s, n);
    TRY(drawing_end(&d, &made, err));
    snprintf(alt, sizeof alt, "Confusion matrix of %d classes; the table below has the accuracy of each", n);
    return page_picture(s->page, "confusion.svg", alt, "A row for each class: how many of its test images were taken for which "
                        "class. The stronger the colour, the greater the share of the row.", &made, err);
}

/* ---- the matrix of many classes: a pixel a cell ---- */

static convoy_status add_pixels(const section_run *s, const unsigned *pairs, convoy_error *err)
{
    size_t n = (size_t)s->evaluation->classes;
    uint8_t *pixels = malloc(n * n);
    picture made;
    char alt[256];
    if (pixels == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t row = 0; row < n; row++) {
        unsigned total = sum(pairs + row * n, n, 1);
        for (size_t column = 0; column < n; column++)
            pixels[row * n + column] = total ? (uint8_t)(255.0 * pairs[row * n + column] / total + 0.5) : 0;
    }
    int enlarge = n < 500 ? 500 / (int)n : 1;
    convoy_status status = picture_of_pixels(pixels, (int)n, (int)n, 1, enlarge, &made, err);
    free(pixels);
    TRY(status);
    snprintf(alt, sizeof alt, "Confusion matrix of %zu classes; the table below has the accuracy of each", n);
    return page_picture(s->page, "confusion.png", alt, "A row for each class, a column for each class that its test images were "
                        "taken for, from class 0 at the top left. The brighter, the greater the share of the row.", &made, err);
}

/* ---- the table ---- */

static void add_percent(text *html, unsigned part, unsigned of)
{
    if (of == 0)
        text_add(html, "<td>&ndash;</td>");
    else
        text_add(html, "<td>%.1f %%</td>", 100.0 * part / of);
}

static void add_row(const section_run *s, const unsigned *pairs, size_t n, size_t c)
{
    text *html = &s->page->body;
    const unsigned *row = pairs + c * n;
    char number[16];
    size_t worst = c == 0 && n > 1 ? 1 : 0;
    for (size_t i = 0; i < n; i++)
        if (i != c && row[i] > row[worst])
            worst = i;
    unsigned total = sum(row, n, 1);
    text_add(html, "<tr><th scope=\"row\">");
    html_name(html, evaluation_class_name(s->evaluation, s->run, (int)c, number));
    text_add(html, "</th><td>%u</td><td>%u</td>", total, row[c]);
    add_percent(html, row[c], total);
    add_percent(html, row[c], sum(pairs + c, n, n));
    text_add(html, "<td class=\"words\">");
    if (worst != c && row[worst] > 0) {
        html_name(html, evaluation_class_name(s->evaluation, s->run, (int)worst, number));
        text_add(html, " (%u)", row[worst]);
    }
    text_add(html, "</td></tr>\n");
}

static void add_table(const section_run *s, const unsigned *pairs)
{
    text *html = &s->page->body;
    size_t n = (size_t)s->evaluation->classes;
    page_table(s->page, "Accuracy of each class", "");
    text_add(html, "<caption><span>Accuracy of each class: the share of its images that are right. Precision: the share of "
             "the images taken for it that are right.</span></caption>\n<thead><tr><th scope=\"col\">class</th>"
             "<th scope=\"col\">images</th>"
             "<th scope=\"col\">right</th><th scope=\"col\">accuracy</th><th scope=\"col\">precision</th>"
             "<th scope=\"col\" class=\"words\">most often taken for</th></tr></thead>\n<tbody>\n");
    for (size_t c = 0; c < n; c++)
        add_row(s, pairs, n, c);
    page_end_table(s->page);
}

convoy_status section_confusion(const section_run *s, convoy_error *err)
{
    page_section(s->page, "Confusion matrix");
    if (s->evaluation->probabilities == NULL || s->evaluation->classes > MOST_CLASSES) {
        if (s->evaluation->probabilities == NULL)
            page_paragraph(s->page, "note", "No predictions: %s", s->evaluation->why_no_predictions);
        else
            page_paragraph(s->page, "note", "%d classes are too many for a matrix; at most %d are drawn.", s->evaluation->classes,
                           MOST_CLASSES);
        page_end_section(s->page);
        return CONVOY_OK;
    }
    unsigned *pairs = count_pairs(s->evaluation);
    if (pairs == NULL)
        return OUT_OF_MEMORY(err);
    text_add(&s->page->body, "<div class=\"beside\">\n");
    convoy_status status = s->evaluation->classes <= MOST_CELLS ? add_numbers(s, pairs, err) : add_pixels(s, pairs, err);
    add_table(s, pairs);
    text_add(&s->page->body, "</div>\n");
    free(pairs);
    page_end_section(s->page);
    return status;
}

/* ---- several runs: the accuracies side by side ---- */

/* Every run has predictions, and of as many classes. */
static bool are_alike(const report *r)
{
    for (size_t i = 0; i < r->run_count; i++)
        if (r->evaluations[i].probabilities == NULL || r->evaluations[i].classes != r->evaluations[0].classes)
            return false;
    return true;
}

static void add_accuracy(text *html, const evaluation *l, int c)
{
    const int32_t *labels = convoy_dataset_labels(l->images);
    unsigned total = 0, right = 0;
    for (size_t i = 0; i < convoy_dataset_count(l->images); i++) {
        total += labels[i] == c;
        right += labels[i] == c && l->guess[i] == c;
    }
    add_percent(html, right, total);
}

convoy_status section_classes(report *r, convoy_error *err)
{
    text *html = &r->page.body;
    char number[16];
    (void)err;
    if (r->run_count < 2 || !are_alike(r) || r->evaluations[0].classes > MOST_CLASSES)
        return CONVOY_OK;
    page_section(&r->page, "Accuracy of each class");
    page_table(&r->page, "Accuracy of each class", "");
    text_add(html, "<caption><span>The share of each class's test images that are right.</span></caption>\n<thead><tr>"
             "<th scope=\"col\">class</th>");
    for (size_t i = 0; i < r->run_count; i++) {
        text_add(html, "<th scope=\"col\">");
        html_name(html, r->runs[i].name);
        text_add(html, "</th>");
    }
    text_add(html, "</tr></thead>\n<tbody>\n");
    for (int c = 0; c < r->evaluations[0].classes; c++) {
        text_add(html, "<tr><th scope=\"row\">");
        html_name(html, evaluation_class_name(&r->evaluations[0], &r->runs[0], c, number));
        text_add(html, "</th>");
        for (size_t i = 0; i < r->run_count; i++)
            add_accuracy(html, &r->evaluations[i], c);
        text_add(html, "</tr>\n");
    }
    page_end_table(&r->page);
    page_end_section(&r->page);
    return CONVOY_OK;
}
