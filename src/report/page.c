#include "report/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "report/html.h"

/* page.css, embedded at build time. */
const char *report_style(const char *name);

/* ---- sections ---- */

static void add_contents(page *p, const char *title)
{
    text_add(&p->contents, "<li><a href=\"#s%d\">", p->sections);
    html_name(&p->contents, title);
    text_add(&p->contents, "</a></li>\n");
}

static void open_section(page *p, const char *kind, const char *title)
{
    p->sections++;
    text_add(&p->body, "<section class=\"%s\" aria-labelledby=\"s%d\">\n<h%d id=\"s%d\">", kind, p->sections, p->level,
             p->sections);
    html_name(&p->body, title);
    text_add(&p->body, "</h%d>\n", p->level);
}

void page_section(page *p, const char *title)
{
    open_section(p, "part", title);
    if (p->level == 2) /* of several runs, the runs alone stand in the contents */
        add_contents(p, title);
}

void page_end_section(page *p) { text_add(&p->body, "</section>\n"); }

void page_run(page *p, const char *name)
{
    open_section(p, "run", name);
    add_contents(p, name);
    p->level = 3;
}

void page_end_run(page *p)
{
    page_end_section(p);
    p->level = 2;
}

void page_paragraph(page *p, const char *kind, const char *format, ...)
{
    char words[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    text_add(&p->body, "<p class=\"%s\">", kind);
    html_text(&p->body, words);
    text_add(&p->body, "</p>\n");
}

void page_table(page *p, const char *label, const char *kind)
{
    text_add(&p->body, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n"
             "<table class=\"%s\">\n", label, kind);
}

void page_end_table(page *p) { text_add(&p->body, "</tbody>\n</table>\n</div>\n"); }

/* ---- pictures ---- */

convoy_status page_file(page *p, const char *name, const picture *made, convoy_error *err)
{
    char path[sizeof p->folder + 128];
    snprintf(path, sizeof path, "%s/%s%s", p->folder, p->prefix, name);
    return file_write(path, made->data, made->size, err);
}

void page_image(page *p, const picture *made, int width, int height, const char *alt)
{
    text_add(&p->body, "<img width=\"%d\" height=\"%d\" alt=\"", width, height);
    html_text(&p->body, alt);
    text_add(&p->body, "\" src=\"data:image/png;base64,");
    html_base64(&p->body, made->data, made->size);
    text_add(&p->body, "\">");
}

/* A wide drawing does not shrink until nobody can read it: it can be scrolled. */
static void add_drawing(page *p, const char *alt, const picture *made)
{
    bool wide = made->width > 460;
    if (wide) {
        text_add(&p->body, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"");
        html_text(&p->body, alt);
        text_add(&p->body, "\">");
    }
    picture_inline(made, alt, &p->body);
    text_add(&p->body, wide ? "</div>" : "");
}

static convoy_status add_picture(page *p, const char *name, const char *alt, const char *caption, const picture *made,
                                 convoy_error *err)
{
    TRY(page_file(p, name, made, err));
    text_add(&p->body, "<figure class=\"%s\">", made->svg ? "drawn" : "pixels");
    if (made->svg)
        add_drawing(p, alt, made);
    else
        page_image(p, made, made->width, made->height, alt);
    text_add(&p->body, "<figcaption>");
    html_text(&p->body, caption ? caption : "");
    text_add(&p->body, "%s<span class=\"file\">%s%s</span></figcaption></figure>\n", caption ? " " : "", p->prefix, name);
    return CONVOY_OK;
}

convoy_status page_picture(page *p, const char *name, const char *alt, const char *caption, picture *made, convoy_error *err)
{
    convoy_status status = add_picture(p, name, alt, caption, made, err);
    picture_free(made);
    return status;
}

/* ---- the file ---- */

static void add_head(text *html, const char *title)
{
    text_add(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
             "style-src 'unsafe-inline'\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
    html_text(html, title);
    text_add(html, "</title>\n<style>\n%s", report_style("page"));
    drawing_page_style(html);
    text_add(html, "</style>\n</head>\n<body>\n<main>\n<h1>");
    html_name(html, title);
    text_add(html, "</h1>\n");
}

convoy_status page_write(page *p, const char *title, convoy_error *err)
{
    text html = {0};
    char *data = NULL;
    char path[sizeof p->folder + 16];
    if (p->contents.failed || p->body.failed)
        return OUT_OF_MEMORY(err);
    add_head(&html, title);
    text_add(&html, "<nav aria-label=\"Contents\"><ul>\n");
    text_add_bytes(&html, p->contents.data ? p->contents.data : "", p->contents.length);
    text_add(&html, "</ul></nav>\n");
    text_add_bytes(&html, p->body.data ? p->body.data : "", p->body.length);
    text_add(&html, "</main>\n</body>\n</html>\n");
    size_t size = html.length;
    TRY(text_take(&html, &data, err));
    snprintf(path, sizeof path, "%s/report.html", p->folder);
    convoy_status status = file_write(path, data, size, err);
    free(data);
    return status;
}

void page_free(page *p)
{
    text_free(&p->body);
    text_free(&p->contents);
}
