/* cairo's SVG as a part of an HTML page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/drawing.h"
#include "report/html.h"

/* Behind the number and the % sign at *at; false: there is none. */
static bool read_part(const char **at, char end, double *out)
{
    char *behind;
    *out = strtod(*at, &behind) / 100;
    if (behind == *at || *behind != '%')
        return false;
    behind += 1 + strspn(behind + 1, " ");
    if (*behind != end)
        return false;
    *at = behind + 1;
    return true;
}

/* "rgb(0%,44.7%,69.8%)" is an ink; anything else that begins so stays as it is. */
static size_t add_colour(const char *at, text *html)
{
    static const char start[] = "rgb(";
    double red, green, blue;
    const char *rest = at + sizeof start - 1, *css = NULL;
    if (strncmp(at, start, sizeof start - 1) != 0)
        return 0;
    if (read_part(&rest, ',', &red) && read_part(&rest, ',', &green) && read_part(&rest, ')', &blue))
        css = ink_css(red, green, blue);
    if (css == NULL)
        return 0;
    text_add(html, "%s", css);
    return (size_t)(rest - at);
}

/* "114.826172" is 114.83: a hundredth of a pixel is fine enough, and the page half as large. */
static size_t add_number(const char *at, text *html)
{
    char digits[64];
    size_t whole = strspn(at, "0123456789"), part = at[whole] == '.' ? strspn(at + whole + 1, "0123456789") : 0;
    if (whole == 0 || part < 3 || whole > 20)
        return 0;
    size_t length = (size_t)snprintf(digits, sizeof digits, "%.2f", strtod(at, NULL));
    while (digits[length - 1] == '0')
        length--;
    text_add_bytes(html, digits, length - (digits[length - 1] == '.'));
    return whole + 1 + part;
}

/* What says what is so anyway. */
static size_t skip_default(const char *at)
{
    static const char *const defaults[] = {"fill-opacity:1;", "stroke-opacity:1;", "fill-rule:nonzero;", "\n  "};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (strncmp(at, defaults[i], strlen(defaults[i])) == 0)
            return strlen(defaults[i]);
    return 0;
}

/* The beginnings of ids and of references to them get the picture's own prefix. */
static size_t add_id(const char *at, int number, text *html)
{
    static const char *const starts[] = {" id=\"", "href=\"#", "url(#"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t length = strlen(starts[i]);
        if (strncmp(at, starts[i], length) == 0) {
            text_add(html, "%sp%d-", starts[i], number);
            return length;
        }
    }
    return 0;
}

convoy_status picture_inline(const picture *p, int number, const char *alt, text *html, convoy_error *err)
{
    const char *at = strstr(p->data, "<svg"); /* behind the XML declaration, which has no place in HTML */
    at = at ? strchr(at, '>') : NULL;
    if (at == NULL)
        return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "cairo wrote an SVG picture without <svg>");
    text_add(html, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"", p->width, p->height,
             p->width, p->height);
    html_text(html, alt);
    text_add(html, "\">");
    for (at++; *at != '\0';) {
        size_t used = *at == 'r' ? add_colour(at, html) : *at >= '0' && *at <= '9' ? add_number(at, html) : skip_default(at);
        if (used == 0)
            used = add_id(at, number, html);
        if (used == 0)
            text_add_bytes(html, at, used = 1);
        at += used;
    }
    return html->failed ? OUT_OF_MEMORY(err) : CONVOY_OK;
}
