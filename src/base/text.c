#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->length + more + 1 <= t->capacity)
        return true;
    size_t capacity = t->capacity ? t->capacity : 256;
    while (capacity < t->length + more + 1)
        capacity *= 2;
    char *data = realloc(t->data, capacity);
    if (data == NULL) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->capacity = capacity;
    return true;
}

void text_add(text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && text_reserve(t, (size_t)n)) {
        vsnprintf(t->data + t->length, (size_t)n + 1, format, again);
        t->length += (size_t)n;
    }
    va_end(again);
}

void text_add_bytes(text *t, const void *bytes, size_t count)
{
    if (!text_reserve(t, count))
        return;
    memcpy(t->data + t->length, bytes, count);
    t->length += count;
    t->data[t->length] = '\0';
}

convoy_status text_take(text *t, char **out, convoy_error *err)
{
    text_add_bytes(t, "", 0);
    if (t->failed) {
        text_free(t);
        return OUT_OF_MEMORY(err);
    }
    *out = t->data;
    *t = (text){0};
    return CONVOY_OK;
}

void text_free(text *t)
{
    free(t->data);
    *t = (text){0};
}

void text_copy(char *out, size_t size, const char *from)
{
    snprintf(out, size, "%s", from);
}

bool text_ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}
