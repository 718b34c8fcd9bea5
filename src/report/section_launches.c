/* Where the time of a training step goes, kernel by kernel. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/html.h"
#include "report/sections.h"

enum {
    MOST_BARS = 30,
    WIDTH = 440,
    LABEL = 190,  /* for names, on the left */
    NUMBER = 112, /* for numbers, on the right */
    BAR = 22,     /* from a bar to the next */
};

typedef struct launch {
    const char *label, *kernel, *variant;
    double seconds, share, gflops, gbps;
} launch;

static const char *text_of(const json_t *row, const char *key)
{
    const char *found = json_string_value(json_object_get(row, key));
    return found ? found : "";
}

static double number_of(const json_t *row, const char *key)
{
    const json_t *found = json_object_get(row, key);
    return json_is_number(found) ? json_number_value(found) : 0;
}

static launch launch_at(const json_t *rows, size_t i)
{
    const json_t *row = json_array_get(rows, i);
    launch l = {text_of(row, "label"), text_of(row, "kernel"), text_of(row, "variant"), number_of(row, "seconds"),
                number_of(row, "share"), number_of(row, "gflops"), number_of(row, "gbps")};
    if (!(l.seconds >= 0 && isfinite(l.seconds)))
        l.seconds = 0;
    return l;
}

static int by_time(const void *a, const void *b)
{
    const launch *x = a, *y = b;
    return x->seconds < y->seconds ? 1 : x->seconds > y->seconds ? -1 : 0;
}

/* ---- the bars ---- */

static void draw_bar(drawing *d, int i, const char *name, double seconds, double longest, double all)
{
    double y = BAR * i, room = WIDTH - LABEL - NUMBER;
    char number[48];
    drawing_ink(d, INK_TEXT, 1);
    drawing_text(d, &(label){.x = LABEL - 8, .y = y + 15, .size = 12, .most = LABEL - 8, .align = ALIGN_RIGHT}, name);
    snprintf(number, sizeof number, "%.3f ms  %.1f %%", 1e3 * seconds, all > 0 ? 100 * seconds / all : 0);
    drawing_text(d, &(label){.x = WIDTH, .y = y + 15, .size = 12, .align = ALIGN_RIGHT}, number);
    drawing_ink(d, INK_BLUE, 1);
    drawing_rectangle(d, LABEL, y + 4, longest > 0 ? room * seconds / longest : 0, BAR - 8);
}

static convoy_status add_bars(const section_run *s, const launch *rows, size_t count, double all, convoy_error *err)
{
    size_t shown = count <= MOST_BARS ? count : MOST_BARS - 1;
    drawing d;
    picture made;
    char alt[256], rest[64];
    double others = 0, longest = rows[0].seconds;
    for (size_t i = shown; i < count; i++)
        others += rows[i].seconds;
    longest = others > longest ? others : longest;
    TRY(drawing_begin(&d, true, WIDTH, BAR * (int)(shown + (shown < count)), err));
    for (size_t i = 0; i < shown; i++)
        draw_bar(&d, (int)i, rows[i].label, rows[i].seconds, longest, all);
    snprintf(rest, sizeof rest, "%zu others", count - shown);
    if (shown < count)
        draw_bar(&d, (int)shown, rest, others, longest, all);
    TRY(drawing_end(&d, &made, err));
    snprintf(alt, sizeof alt, "Bars of the time of each of %zu launches; the table below has the numbers", count);
    return page_picture(s->page, "launches.svg", alt, "The launches of one training step, the longest first.", &made, err);
}

/* ---- the table ---- */

static void add_rate(text *html, double value)
{
    if (value > 0 && isfinite(value))
        text_add(html, "<td>%.1f</td>", value);
    else
        text_add(html, "<td>&ndash;</td>");
}

static void add_row(text *html, const launch *l, double all)
{
    text_add(html, "<tr><th scope=\"row\">");
    html_name(html, l->label);
    text_add(html, "</th><td class=\"words\">");
    html_name(html, l->kernel);
    if (l->variant[0] != '\0') {
        text_add(html, "<small>");
        html_name(html, l->variant);
        text_add(html, "</small>");
    }
    text_add(html, "</td><td>%.3f</td><td>%.1f %%</td>", 1e3 * l->seconds, all > 0 ? 100 * l->seconds / all : 0);
    add_rate(html, l->gflops);
    add_rate(html, l->gbps);
    text_add(html, "</tr>\n");
}

static void add_table(const section_run *s, const launch *rows, size_t count, double all)
{
    text *html = &s->page->body;
    page_table(s->page, "Launches", "");
    text_add(html, "<caption><span>%zu launches, %.3f ms in all</span></caption>\n<thead><tr><th scope=\"col\">launch</th>"
             "<th scope=\"col\" class=\"words\">kernel</th><th scope=\"col\">ms</th><th scope=\"col\">share</th>"
             "<th scope=\"col\">GFLOP/s</th><th scope=\"col\">GB/s</th>"
             "</tr></thead>\n<tbody>\n", count, 1e3 * all);
    for (size_t i = 0; i < count; i++)
        add_row(html, &rows[i], all);
    page_end_table(s->page);
}

convoy_status section_launches(const section_run *s, convoy_error *err)
{
    size_t count = json_array_size(s->run->launches);
    double all = 0;
    page_section(s->page, "Time per kernel");
    if (count == 0) {
        page_paragraph(s->page, "note", "No times: there is no launches.json in the run's folder (training with --no-profile "
                       "leaves it out), or no launch in it.");
        page_end_section(s->page);
        return CONVOY_OK;
    }
    launch *rows = malloc(count * sizeof *rows);
    if (rows == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < count; i++) {
        rows[i] = launch_at(s->run->launches, i);
        all += rows[i].seconds;
    }
    qsort(rows, count, sizeof *rows, by_time);
    convoy_status status = add_bars(s, rows, count, all, err);
    if (status == CONVOY_OK)
        add_table(s, rows, count, all);
    free(rows);
    page_end_section(s->page);
    return status;
}
