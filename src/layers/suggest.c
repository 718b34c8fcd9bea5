/* "did you mean": the nearest of a list of names. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "layers/option.h"

#define LONGEST 64

/* Levenshtein's distance, case ignored; only for words shorter than LONGEST. */
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

const char *option_suggest(const char *name, const char *list, char *out, size_t size)
{
    size_t length = strlen(name);
    size_t best = length / 3 + 2; /* this far away is no longer a slip of the pen */
    if (size > 0)
        out[0] = '\0';
    if (length == 0 || length >= LONGEST)
        return out;
    for (const char *word = list; *word != '\0';) {
        size_t n = strcspn(word, ",");
        if (n > 0 && n < LONGEST) {
            size_t d = distance(name, length, word, n);
            if (length >= 3 && n > length && strncasecmp(name, word, length) == 0)
                d = 1; /* the beginning of a longer name */
            if (d < best) {
                best = d;
                snprintf(out, size, "did you mean '%.*s'? ", (int)n, word);
            }
        }
        word += n;
        word += strspn(word, ", ");
    }
    return out;
}
