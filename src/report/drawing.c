#include "report/drawing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/utf8.h"

/* As they are, and in a page. */
static const struct {
    uint8_t red, green, blue;
    const char *css;
} inks[INK_COUNT] = {
    [INK_TEXT] = {0x00, 0x00, 0x00, "currentColor"},
    [INK_FAINT] = {0x59, 0x59, 0x59, "var(--faint)"},
    [INK_GRID] = {0xD9, 0xD9, 0xD9, "var(--grid)"},
    [INK_BOX] = {0xF1, 0xF4, 0xF6, "var(--box)"},
    [INK_HEAT] = {0x01, 0x72, 0xB2, "var(--heat)"},
    [INK_RIGHT] = {0x00, 0x7A, 0x58, "var(--right)"},
    [INK_WRONG] = {0xB3, 0x4A, 0x00, "var(--wrong)"},
    [INK_BLUE] = {0x00, 0x72, 0xB2, "var(--line-0)"},
    [INK_VERMILLION] = {0xD5, 0x5E, 0x00, "var(--line-1)"},
    [INK_GREEN] = {0x00, 0x9E, 0x73, "var(--line-2)"},
    [INK_PURPLE] = {0xCC, 0x79, 0xA7, "var(--line-3)"},
    [INK_ORANGE] = {0xE6, 0x9F, 0x00, "var(--line-4)"},
    [INK_SKY] = {0x56, 0xB4, 0xE9, "var(--line-5)"},
};

void picture_free(picture *p)
{
    free(p->data);
    *p = (picture){0};
}

/* ---- life ---- */

static convoy_status check(cairo_status_t found, convoy_error *err)
{
    if (found == CAIRO_STATUS_SUCCESS)
        return CONVOY_OK;
    if (found == CAIRO_STATUS_NO_MEMORY || found == CAIRO_STATUS_WRITE_ERROR) /* written to memory only */
        return OUT_OF_MEMORY(err);
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "cairo can't draw a picture of the report: %s", cairo_status_to_string(found));
}

static cairo_status_t on_bytes(void *closure, const unsigned char *data, unsigned length)
{
    text *bytes = closure;
    text_add_bytes(bytes, data, length);
    return bytes->failed ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

/* Elements have the class of their ink. */
#define SVG_STYLE "text{white-space:pre}"
#define SVG_SIZE " viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" fill=\"currentColor\" font-family=\"sans-serif\" stroke-linejoin=\"round\""

static void begin_svg(drawing *d)
{
    text_add(&d->bytes, "<svg xmlns=\"http://www.w3.org/2000/svg\"" SVG_SIZE "><style>" SVG_STYLE, d->width, d->height, d->width, d->height);
    for (int i = 0; i < INK_COUNT; i++)
        text_add(&d->bytes, ".i%d{color:#%02x%02x%02x}", i, inks[i].red, inks[i].green, inks[i].blue);
    text_add(&d->bytes, "</style>\n");
    d->body = d->bytes.length;
}

void picture_inline(const picture *p, const char *alt, text *html)
{
    text_add(html, "<svg" SVG_SIZE " role=\"img\" aria-label=\"", p->width, p->height, p->width, p->height);
    html_text(html, alt);
    text_add(html, "\">\n");
    text_add_bytes(html, p->data + p->body, p->size - p->body);
}

void drawing_page_style(text *css)
{
    text_add(css, "%s\n", SVG_STYLE);
    for (int i = 0; i < INK_COUNT; i++) text_add(css, ".i%d{color:%s}\n", i, inks[i].css);
}

convoy_status drawing_begin(drawing *d, bool svg, int width, int height, convoy_error *err)
{
    *d = (drawing){.width = width, .height = height, .svg = svg};
    d->surface = svg ? cairo_recording_surface_create(CAIRO_CONTENT_ALPHA, NULL)
                     : cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    d->cr = cairo_create(d->surface);
    if (svg) {
        begin_svg(d);
    } else {
        cairo_set_source_rgb(d->cr, 1, 1, 1);
        cairo_paint(d->cr);
    }
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(d->cr, options);
    cairo_font_options_destroy(options);
    convoy_status status = check(cairo_status(d->cr), err);
    if (status != CONVOY_OK)
        drawing_drop(d);
    return status;
}

convoy_status drawing_end(drawing *d, picture *out, convoy_error *err)
{
    convoy_status status;
    *out = (picture){.width = d->width, .height = d->height, .svg = d->svg, .body = d->body};
    TRY_GOTO(check(cairo_status(d->cr), err));
    if (d->svg)
        text_add(&d->bytes, "</svg>\n");
    else
        TRY_GOTO(check(cairo_surface_write_to_png_stream(d->surface, on_bytes, &d->bytes), err));
    cairo_surface_finish(d->surface);
    TRY_GOTO(check(cairo_surface_status(d->surface), err));
    out->size = d->bytes.length;
    TRY_GOTO(text_take(&d->bytes, &out->data, err));
done:
    drawing_drop(d);
    return status;
}

void drawing_drop(drawing *d)
{
    cairo_destroy(d->cr);
    cairo_surface_destroy(d->surface);
    text_free(&d->bytes);
    *d = (drawing){0};
}

/* ---- elements of an SVG ---- */

static double hundredths(double pixels) { return round(pixels * 100) / 100; } /* which is fine enough */

static void begin_element(drawing *d, const char *name)
{
    text_add(&d->bytes, "<%s class=\"i%d\"", name, (int)d->ink);
    if (d->opacity < 1)
        text_add(&d->bytes, " opacity=\"%.3g\"", d->opacity);
}

static void end_path(drawing *d)
{
    cairo_path_t *path = cairo_copy_path(d->cr);
    text_add(&d->bytes, " d=\"");
    for (int i = 0; i < path->num_data; i += path->data[i].header.length) {
        const cairo_path_data_t *at = &path->data[i];
        text_add(&d->bytes, "%c", "MLCZ"[at->header.type]); /* as cairo_path_data_type_t counts */
        for (int k = 1; k < at->header.length; k++)
            text_add(&d->bytes, "%s%.7g %.7g", k > 1 ? " " : "", hundredths(at[k].point.x), hundredths(at[k].point.y));
    }
    text_add(&d->bytes, "\"/>\n");
    cairo_path_destroy(path);
}

/* As wide as cairo measured it, whatever fonts there are. */
static void add_text(drawing *d, const label *where, double width, const char *clean)
{
    static const char *const anchors[] = {[ALIGN_LEFT] = "start", [ALIGN_CENTRE] = "middle", [ALIGN_RIGHT] = "end"};
    double x = hundredths(where->x), y = hundredths(where->y);
    begin_element(d, "text");
    text_add(&d->bytes, " x=\"%.7g\" y=\"%.7g\" font-size=\"%g\" text-anchor=\"%s\" textLength=\"%.4g\"%s", x, y, where->size,
             anchors[where->align], width, where->bold ? " font-weight=\"bold\"" : "");
    if (where->upwards)
        text_add(&d->bytes, " transform=\"rotate(-90 %.7g %.7g)\"", x, y);
    text_add(&d->bytes, ">");
    html_text(&d->bytes, clean);
    text_add(&d->bytes, "</text>\n");
}

/* ---- strokes ---- */

void drawing_fill(drawing *d, bool keep)
{
    if (d->svg) {
        begin_element(d, "path");
        end_path(d);
    } else {
        cairo_fill_preserve(d->cr);
    }
    if (!keep)
        cairo_new_path(d->cr);
}

void drawing_stroke(drawing *d)
{
    if (!d->svg) {
        cairo_stroke(d->cr);
        return;
    }
    begin_element(d, "path");
    text_add(&d->bytes, " fill=\"none\" stroke=\"currentColor\" stroke-width=\"%g\"", cairo_get_line_width(d->cr));
    if (d->dashed)
        text_add(&d->bytes, " stroke-dasharray=\"6 4\"");
    end_path(d);
    cairo_new_path(d->cr);
}

void drawing_ink(drawing *d, ink i, double opacity)
{
    d->ink = i;
    d->opacity = opacity;
    cairo_set_source_rgba(d->cr, inks[i].red / 255.0, inks[i].green / 255.0, inks[i].blue / 255.0, opacity);
}

void drawing_line(drawing *d, double x0, double y0, double x1, double y1, double width)
{
    cairo_set_line_width(d->cr, width);
    cairo_move_to(d->cr, x0, y0);
    cairo_line_to(d->cr, x1, y1);
    drawing_stroke(d);
}

void drawing_rectangle(drawing *d, double x, double y, double width, double height)
{
    cairo_rectangle(d->cr, x, y, width, height);
    drawing_fill(d, false);
}

void drawing_round_box(drawing *d, double x, double y, double width, double height, double radius)
{
    const double quarter = 1.57079632679489662;
    cairo_new_sub_path(d->cr);
    cairo_arc(d->cr, x + width - radius, y + radius, radius, -quarter, 0);
    cairo_arc(d->cr, x + width - radius, y + height - radius, radius, 0, quarter);
    cairo_arc(d->cr, x + radius, y + height - radius, radius, quarter, 2 * quarter);
    cairo_arc(d->cr, x + radius, y + radius, radius, 2 * quarter, 3 * quarter);
    cairo_close_path(d->cr);
}

/* ---- text ---- */

#define LABEL_SIZE 512

static double advance(drawing *d, const char *clean)
{
    cairo_text_extents_t extents;
    cairo_text_extents(d->cr, clean, &extents);
    return extents.x_advance;
}

static void choose_font(drawing *d, const label *where)
{
    cairo_select_font_face(d->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           where->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(d->cr, where->size);
}

double drawing_text_width(drawing *d, const label *where, const char *text)
{
    char clean[LABEL_SIZE];
    utf8_clean(text, clean, sizeof clean);
    choose_font(d, where);
    return advance(d, clean);
}

/* Takes characters off the end until the rest and an ellipsis are narrow enough. */
static void cut(drawing *d, char *clean, double most)
{
    static const char ellipsis[] = "\xE2\x80\xA6";
    size_t length = strlen(clean);
    while (length > 0) {
        do
            length--;
        while (length > 0 && ((unsigned char)clean[length] & 0xC0) == 0x80);
        strcpy(clean + length, ellipsis);
        if (advance(d, clean) <= most)
            return;
    }
}

void drawing_text(drawing *d, const label *where, const char *text)
{
    char clean[LABEL_SIZE + 4];
    utf8_clean(text, clean, LABEL_SIZE);
    choose_font(d, where);
    if (where->most > 0 && advance(d, clean) > where->most)
        cut(d, clean, where->most);
    double width = advance(d, clean), shift = where->align == ALIGN_LEFT ? 0 : width * (where->align == ALIGN_CENTRE ? 0.5 : 1);
    if (d->svg) {
        add_text(d, where, width, clean);
        return;
    }
    cairo_move_to(d->cr, where->x - shift, where->y);
    cairo_show_text(d->cr, clean);
    cairo_new_path(d->cr);
}

/* ---- pixels ---- */

static void fill_row(uint8_t *row, const uint8_t *pixels, int width, int channels, int enlarge)
{
    for (int x = 0; x < width * enlarge; x++) {
        const uint8_t *from = pixels + (size_t)(x / enlarge) * (size_t)channels;
        if (channels == 1)
            row[x] = from[0];
        else
            ((uint32_t *)(void *)row)[x] = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
    }
}

convoy_status picture_of_pixels(const uint8_t *pixels, int width, int height, int channels, int enlarge, picture *out,
                                convoy_error *err)
{
    drawing d = {.width = width * enlarge, .height = height * enlarge};
    /* What is written of an A8 surface is a grey PNG. */
    d.surface = cairo_image_surface_create(channels == 1 ? CAIRO_FORMAT_A8 : CAIRO_FORMAT_RGB24, d.width, d.height);
    d.cr = cairo_create(d.surface);
    convoy_status status = check(cairo_status(d.cr), err);
    if (status != CONVOY_OK) {
        drawing_drop(&d);
        return status;
    }
    cairo_surface_flush(d.surface);
    uint8_t *data = cairo_image_surface_get_data(d.surface);
    int stride = cairo_image_surface_get_stride(d.surface);
    for (int y = 0; y < d.height; y++) {
        uint8_t *row = data + (size_t)y * (size_t)stride;
        if (y % enlarge != 0)
            memcpy(row, row - stride, (size_t)stride);
        else
            fill_row(row, pixels + (size_t)(y / enlarge) * (size_t)width * (size_t)channels, width, channels, enlarge);
    }
    cairo_surface_mark_dirty(d.surface);
    return drawing_end(&d, out, err);
}
