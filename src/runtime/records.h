/* Tables of tuning records and their files. */
#ifndef RUNTIME_RECORDS_H
#define RUNTIME_RECORDS_H

#include "runtime/runtime.h"

/* Longest key and value, with their NUL. */
enum { RECORD_KEY = 224, RECORD_VALUE = 192 };

typedef struct record_entry {
    char *key, *value;   /* a key that begins with ! has one entry for each bad value, any other has one entry */
    double microseconds; /* 0: not measured */
    bool fresh;          /* learned in this context: what saving adds to the file */
} record_entry;

/* Sorted by key, then value. */
typedef struct rt_records {
    record_entry *items;
    size_t count, capacity;
} rt_records;

/* Where a context's records come from, in the order in which they are asked. */
enum { RECORDS_OWN, RECORDS_USER, RECORDS_SHIPPED, RECORDS_SOURCES };

const char *records_find(const rt_records *r, const char *key);
bool records_has(const rt_records *r, const char *key, const char *value);
convoy_status records_put(rt_records *r, const char *key, const char *value, double microseconds, bool fresh,
                          convoy_error *err);
void records_remove(rt_records *r, const char *key);
void records_clear(rt_records *r);

/* ---- files (records_file.c) ---- */

/* Fills RECORDS_USER and RECORDS_SHIPPED. Files that are missing, for something else or of another format count as empty;
 * lines that are no record are skipped. */
void records_load(convoy_context *ctx);

#endif
