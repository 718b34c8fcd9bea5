/* Texts and bytes in an HTML page. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <stddef.h>

#include "base/text.h"

/* Any text, escaped for elements and for attributes in double quotes. */
void html_text(text *html, const char *from);

/* The same between <bdi> tags: a name in a script that is written from the right does not turn what stands beside it. */
void html_name(text *html, const char *name);

/* RFC 4648, without line ends. */
void html_base64(text *html, const void *bytes, size_t size);

/* "1,234,567" */
void html_number(text *html, double whole);

#endif
