#include "base/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LONGEST 64

/* Levenshtein's; only for words shorter than LONGEST. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            size_t edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < edit ? change : edit;
        }
    }
    return row[b_length];
}

size_t suggest_distance(const char *name, const char *word, size_t length)
{
    size_t own = strlen(name);
    if (own == 0 || own >= LONGEST || length == 0 || length >= LONGEST)
        return SIZE_MAX;
    if (own >= 3 && length > own && strncasecmp(name, word, own) == 0)
        return 1;
    size_t d = distance(name, own, word, length);
    return d < own / 3 + 2 ? d : SIZE_MAX;
}

const char *suggest_word(const char *name, const char *list, char *out, size_t size)
{
    size_t best = SIZE_MAX;
    if (size > 0)
        out[0] = '\0';
    for (const char *word = list; *word != '\0';) {
        size_t length = strcspn(word, ","), d = suggest_distance(name, word, length);
        if (d < best) {
            best = d;
            snprintf(out, size, "did you mean '%.*s'? ", (int)length, word);
        }
        word += length;
        word += strspn(word, ", ");
    }
    return out;
}
