/* What is read as JSON is Jansson's; this is what Convoy's own writers need besides. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

/* A text that may hold any bytes as JSON, which is UTF-8 only: other bytes become '?'. NULL: out of memory. */
json_t *json_text(const char *text);

#endif
