/* Grids of images: a list in the page, whose texts are texts, and one picture of all, which can be shown elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/thumb.h"

enum {
    SHOWN = 96,    /* pixels of an image's longer side in the page ... */
    PICTURE = 128, /* ... and in the picture of all */
    COLUMNS = 5,
    GAP = 16,
    LINE = 16,
    MARK = 9,
};

/* Pixels of an image's longer side that are kept: several runs share the room that a page has. */
static int most_side(const section_run *s) { return s->run_count <= 2 ? 64 : 32; }

/* ---- in the page ---- */

static void add_line(text *html, const grid_line *line)
{
    html_name(html, line->name);
    if (line->number[0] != '\0') {
        text_add(html, " ");
        html_text(html, line->number);
    }
}

static void add_caption(text *html, const grid_cell *cell)
{
    static const char *const signs[] = {"", "<b aria-hidden=\"true\">\u2713</b> ", "<b aria-hidden=\"true\">\u2717</b> "};
    text_add(html, "<figcaption>%s", signs[cell->verdict]);
    add_line(html, &cell->first);
    if (cell->second.name[0] != '\0') {
        text_add(html, "<small>");
        add_line(html, &cell->second);
        text_add(html, "</small>");
    }
    text_add(html, "</figcaption>");
}

static convoy_status add_cell(const section_run *s, const grid_cell *cell, const thumb *t, convoy_error *err)
{
    static const char *const classes[] = {"", " class=\"right\"", " class=\"wrong\""};
    static const char *const words[] = {"", "right: ", "wrong: "};
    text *html = &s->page->body;
    char alt[512];
    picture made;
    TRY(picture_of_pixels(t->pixels, t->width, t->height, t->channels, 1, &made, err));
    snprintf(alt, sizeof alt, "Test image %zu, %s%s %s%s%s %s", cell->image, words[cell->verdict], cell->first.name,
             cell->first.number, cell->second.name[0] ? ", " : "", cell->second.name, cell->second.number);
    text_add(html, "<li%s><figure>", classes[cell->verdict]);
    int longest = t->width > t->height ? t->width : t->height;
    page_image(s->page, &made, SHOWN * t->width / longest, SHOWN * t->height / longest, alt);
    add_caption(html, cell);
    text_add(html, "</figure></li>\n");
    picture_free(&made);
    return CONVOY_OK;
}

/* ---- the picture of all ---- */

static void draw_image(drawing *d, const thumb *t, double x, double y)
{
    cairo_surface_t *pixels = cairo_image_surface_create(CAIRO_FORMAT_RGB24, t->width, t->height);
    if (cairo_surface_status(pixels) == CAIRO_STATUS_SUCCESS) {
        cairo_surface_flush(pixels);
        for (int row = 0; row < t->height; row++) {
            uint32_t *to = (uint32_t *)(void *)(cairo_image_surface_get_data(pixels) +
                                                (ptrdiff_t)row * cairo_image_surface_get_stride(pixels));
            for (int column = 0; column < t->width; column++) {
                const uint8_t *from = t->pixels + (size_t)(row * t->width + column) * (size_t)t->channels;
                int g = t->channels == 3 ? 1 : 0;
                to[column] = (uint32_t)from[0] << 16 | (uint32_t)from[g] << 8 | from[2 * g];
            }
        }
        cairo_surface_mark_dirty(pixels);
    }
    int longest = t->width > t->height ? t->width : t->height;
    double scale = (double)PICTURE / longest;
    cairo_save(d->cr);
    cairo_translate(d->cr, x + (PICTURE - scale * t->width) / 2, y + (PICTURE - scale * t->height) / 2);
    cairo_scale(d->cr, scale, scale);
    cairo_set_source_surface(d->cr, pixels, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(d->cr), CAIRO_FILTER_NEAREST);
    cairo_rectangle(d->cr, 0, 0, t->width, t->height);
    cairo_fill(d->cr);
    cairo_restore(d->cr);
    cairo_surface_destroy(pixels);
}

/* A tick or a cross, in strokes: fonts may lack them. */
static void draw_mark(drawing *d, verdict v, double x, double y)
{
    cairo_set_line_width(d->cr, 2);
    if (v == VERDICT_RIGHT) {
        cairo_move_to(d->cr, x, y - 4);
        cairo_line_to(d->cr, x + 3, y - 1);
        cairo_line_to(d->cr, x + MARK - 1, y - MARK);
    } else {
        cairo_move_to(d->cr, x, y - MARK);
        cairo_line_to(d->cr, x + MARK - 1, y - 1);
        cairo_move_to(d->cr, x, y - 1);
        cairo_line_to(d->cr, x + MARK - 1, y - MARK);
    }
    cairo_stroke(d->cr);
}

static void draw_line(drawing *d, label where, const grid_line *line)
{
    double room = where.most, number = line->number[0] ? drawing_text_width(d, &where, line->number) + 4 : 0;
    where.most = room - number;
    double name = drawing_text_width(d, &where, line->name);
    drawing_text(d, &where, line->name);
    where.x += (name < where.most ? name : where.most) + 4;
    where.most = 0;
    drawing_text(d, &where, line->number);
}

static void draw_cell(drawing *d, const grid_cell *cell, const thumb *t, double x, double y)
{
    static const ink of[] = {INK_TEXT, INK_RIGHT, INK_WRONG};
    double indent = cell->verdict == VERDICT_NONE ? 0 : MARK + 4;
    label where = {.x = x + indent, .y = y + PICTURE + LINE, .size = 12, .most = PICTURE + GAP - 4 - indent};
    draw_image(d, t, x, y);
    drawing_ink(d, of[cell->verdict], 1);
    if (cell->verdict != VERDICT_NONE) {
        draw_mark(d, cell->verdict, x, where.y);
        cairo_set_line_width(d->cr, 2);
        cairo_rectangle(d->cr, x - 1, y - 1, PICTURE + 2, PICTURE + 2);
        cairo_stroke(d->cr);
    }
    draw_line(d, where, &cell->first);
    drawing_ink(d, INK_FAINT, 1);
    where.y += LINE;
    draw_line(d, where, &cell->second);
}

static convoy_status add_all(const section_run *s, drawing *d, const grid_cell *cells, size_t count, convoy_error *err)
{
    bool two = false;
    for (size_t i = 0; i < count; i++)
        two |= cells[i].second.name[0] != '\0';
    int row_height = PICTURE + LINE * (two ? 2 : 1) + GAP;
    int columns = count < COLUMNS ? (int)count : COLUMNS, rows = ((int)count + COLUMNS - 1) / COLUMNS;
    TRY(drawing_begin(d, false, columns * (PICTURE + GAP) + GAP, rows * row_height + GAP, err));
    for (size_t i = 0; i < count; i++) {
        thumb t;
        TRY(thumb_make(s->evaluation->images, cells[i].image, most_side(s), &t, err));
        convoy_status status = add_cell(s, &cells[i], &t, err);
        draw_cell(d, &cells[i], &t, GAP + (int)(i % COLUMNS) * (PICTURE + GAP), GAP + (int)(i / COLUMNS) * row_height);
        thumb_free(&t);
        TRY(status);
    }
    return CONVOY_OK;
}

convoy_status grid_add(const section_run *s, const char *file, const grid_cell *cells, size_t count, convoy_error *err)
{
    drawing d = {0};
    picture all;
    text_add(&s->page->body, "<ul class=\"grid\">\n");
    convoy_status status = add_all(s, &d, cells, count, err);
    if (status != CONVOY_OK) {
        drawing_drop(&d);
        return status;
    }
    TRY(drawing_end(&d, &all, err));
    status = page_file(s->page, file, &all, err);
    picture_free(&all);
    text_add(&s->page->body, "</ul>\n<p class=\"about\">All in one picture: <span class=\"file\">%s%s</span></p>\n",
             s->page->prefix, file);
    return status;
}
