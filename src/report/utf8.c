#include "report/utf8.h"

#include <stdbool.h>
#include <string.h>

/* Length of a sequence by its first byte; 0: none begins so. */
static int length_of(unsigned char first)
{
    return first < 0x80 ? 1 : first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3
         : first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

/* Neither controls nor surrogates, direction marks, or what is no character. */
static bool is_shown(unsigned c)
{
    bool control = c < 0x20 || (c >= 0x7F && c < 0xA0), direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    bool none = (c >= 0xD800 && c <= 0xDFFF) || (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF) || c > 0x10FFFF;
    return !control && !direction && !none && c != 0x2028 && c != 0x2029;
}

unsigned utf8_next(const char **at)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)*at;
    if (bytes[0] == '\0')
        return 0;
    int length = length_of(bytes[0]);
    unsigned c = length < 2 ? bytes[0] : bytes[0] & (0xFFu >> (length + 1));
    for (int i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            length = 0;
            break;
        }
        c = c << 6 | (bytes[i] & 0x3Fu);
    }
    *at += length ? length : 1;
    if (length == 0 || c < least[length])
        return UTF8_REPLACEMENT;
    if (c == '\t' || c == '\n' || c == '\r')
        return ' ';
    return is_shown(c) ? c : UTF8_REPLACEMENT;
}

int utf8_put(unsigned c, char out[UTF8_MOST_BYTES])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00u >> length & 0xFF) | c);
    return length;
}

void utf8_clean(const char *from, char *out, size_t size)
{
    size_t used = 0;
    for (unsigned c; (c = utf8_next(&from)) != 0;) {
        char bytes[UTF8_MOST_BYTES];
        size_t length = (size_t)utf8_put(c, bytes);
        if (used + length >= size)
            break;
        memcpy(out + used, bytes, length);
        used += length;
    }
    out[used] = '\0';
}
