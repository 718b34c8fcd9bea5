#include "report/html.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "report/utf8.h"

void html_text(text *html, const char *from)
{
    for (unsigned c; (c = utf8_next(&from)) != 0;) {
        char bytes[UTF8_MOST_BYTES];
        switch (c) {
        case '&': text_add(html, "&amp;"); break;
        case '<': text_add(html, "&lt;"); break;
        case '>': text_add(html, "&gt;"); break;
        case '"': text_add(html, "&quot;"); break;
        case '\'': text_add(html, "&#39;"); break;
        default: text_add_bytes(html, bytes, (size_t)utf8_put(c, bytes));
        }
    }
}

void html_name(text *html, const char *name)
{
    text_add(html, "<bdi>");
    html_text(html, name);
    text_add(html, "</bdi>");
}

void html_base64(text *html, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0) | (left > 2 ? at[i + 2] : 0u);
        char four[4];
        for (int k = 0; k < 4; k++)
            four[k] = digits[three >> (18 - 6 * k) & 63];
        if (left < 3)
            four[3] = '=';
        if (left < 2)
            four[2] = '=';
        text_add_bytes(html, four, 4);
    }
}

void html_number(text *html, double whole)
{
    char digits[64];
    int length = snprintf(digits, sizeof digits, "%.0f", whole);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            text_add(html, ",");
        text_add_bytes(html, digits + i, 1);
    }
}
