/* Texts that others wrote (names of classes, of layers, of files), character by character, whatever bytes they hold. */
#ifndef REPORT_UTF8_H
#define REPORT_UTF8_H

#include <stddef.h>

#define UTF8_REPLACEMENT 0xFFFDu
#define UTF8_MOST_BYTES 4

/* The character at *at, which moves behind it; 0 at the end. Bytes that are not UTF-8 and characters that control something or are
 * none are UTF8_REPLACEMENT; tabs and line ends are spaces. */
unsigned utf8_next(const char **at);

/* Its bytes at `out`; returns how many. */
int utf8_put(unsigned character, char out[UTF8_MOST_BYTES]);

/* The whole text so; cut off at a character's end where `out` is too small. */
void utf8_clean(const char *from, char *out, size_t size);

#endif
