/* A growable string. A failed allocation is remembered and reported once, by text_take. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct text {
    char *data;
    size_t length, capacity;
    bool failed;
} text;

void text_add(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(text *t, const void *bytes, size_t count);

/* Hands the NUL-terminated string to the caller, who frees it; the text is empty afterwards. */
convoy_status text_take(text *t, char **out, convoy_error *err);
void text_free(text *t);

/* Copies at most size-1 bytes and always terminates. */
void text_copy(char *out, size_t size, const char *from);

bool text_ends_with(const char *text, const char *ending);

#endif
