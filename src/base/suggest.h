/* "Did you mean": the nearest of the words that are known. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/* How many letters of `name` must change, come or go to make it the word of so many letters (Levenshtein's distance, case ignored);
 * 1 where it is the beginning of it. SIZE_MAX: too many for a slip of the pen. */
size_t suggest_distance(const char *name, const char *word, size_t length);

/* "did you mean 'x'? " when a word of the comma-separated list is close to `name`, else ""; returns out. */
const char *suggest_word(const char *name, const char *list, char *out, size_t size);

#endif
