/* Tuning records of a context: text keys, text values. */
#include "runtime/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"

/* A record for another batch size answers while neither is more than so many times the other. */
#define FARTHEST 4.0

/* ---- one table ---- */

/* A key that begins with ! may have several values. */
static int compare(const record_entry *e, const char *key, const char *value)
{
    int order = strcmp(e->key, key);
    return order != 0 || key[0] != '!' ? order : strcmp(e->value, value);
}

/* The first entry that is not before (key, value). */
static size_t place_of(const rt_records *r, const char *key, const char *value)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&r->items[middle], key, value) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static record_entry *entry_of(const rt_records *r, const char *key, const char *value)
{
    size_t i = place_of(r, key, value);
    return i < r->count && compare(&r->items[i], key, value) == 0 ? &r->items[i] : NULL;
}

const char *records_find(const rt_records *r, const char *key)
{
    const record_entry *e = entry_of(r, key, "");
    return e ? e->value : NULL;
}

bool records_has(const rt_records *r, const char *key, const char *value)
{
    const record_entry *e = entry_of(r, key, value);
    return e != NULL && strcmp(e->value, value) == 0;
}

static convoy_status insert(rt_records *r, size_t at, record_entry entry, convoy_error *err)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 32;
        record_entry *items = realloc(r->items, capacity * sizeof *items);
        if (items == NULL)
            return OUT_OF_MEMORY(err);
        r->items = items;
        r->capacity = capacity;
    }
    memmove(&r->items[at + 1], &r->items[at], (r->count - at) * sizeof *r->items);
    r->items[at] = entry;
    r->count++;
    return CONVOY_OK;
}

convoy_status records_put(rt_records *r, const char *key, const char *value, double microseconds, bool fresh,
                          convoy_error *err)
{
    record_entry *known = entry_of(r, key, value);
    record_entry entry = {.key = known ? known->key : strdup(key), .value = strdup(value), .microseconds = microseconds,
                          .fresh = fresh};
    if (entry.key != NULL && entry.value != NULL && known != NULL) {
        free(known->value);
        *known = entry;
        return CONVOY_OK;
    }
    convoy_status status = entry.key != NULL && entry.value != NULL ? insert(r, place_of(r, key, value), entry, err)
                                                                    : OUT_OF_MEMORY(err);
    if (status != CONVOY_OK) {
        if (known == NULL)
            free(entry.key);
        free(entry.value);
    }
    return status;
}

static void free_entry(record_entry *e)
{
    free(e->key);
    free(e->value);
}

void records_remove(rt_records *r, const char *key)
{
    record_entry *e = entry_of(r, key, "");
    if (e == NULL)
        return;
    free_entry(e);
    r->count--;
    memmove(e, e + 1, (size_t)(r->items + r->count - e) * sizeof *e);
}

void records_clear(rt_records *r)
{
    for (size_t i = 0; i < r->count; i++)
        free_entry(&r->items[i]);
    free(r->items);
    *r = (rt_records){0};
}

/* ---- the number at a key's end ---- */

/* Splits "... batch 64" into the length of what stands before the number, and the number; 0 where there is none. */
static int split_key(const char *key, size_t *stem)
{
    const char *space = strrchr(key, ' ');
    char *end;
    if (space == NULL || space[1] < '0' || space[1] > '9')
        return 0;
    long number = strtol(space + 1, &end, 10);
    *stem = (size_t)(space + 1 - key);
    return *end == '\0' && number > 0 && number < 1 << 30 ? (int)number : 0;
}

/* How many times the one is the other; of two that are equally far the smaller, which surely fits, is a bit nearer. */
static double distance(int number, int wanted)
{
    return number <= wanted ? (double)wanted / number : (double)number / wanted + 1e-6;
}

/* The record that differs from the key in its last number alone and is the nearest of those farther than *beyond, which is then
 * set to its distance. */
static const char *next_nearest(const rt_records *r, const char *key, int wanted, size_t stem, double *beyond)
{
    const record_entry *nearest = NULL;
    char prefix[RECORD_KEY];
    double least = FARTHEST + 1e-3;
    size_t its_stem;
    snprintf(prefix, sizeof prefix, "%.*s", (int)stem, key);
    for (size_t i = place_of(r, prefix, ""); i < r->count && strncmp(r->items[i].key, prefix, stem) == 0; i++) {
        int number = split_key(r->items[i].key, &its_stem);
        double far = number > 0 && its_stem == stem ? distance(number, wanted) : least;
        if (far > *beyond && far < least) {
            least = far;
            nearest = &r->items[i];
        }
    }
    *beyond = least;
    return nearest ? nearest->value : NULL;
}

static bool choose_from(const rt_records *r, const char *key, const char *general, rt_record_taker *take, void *user)
{
    size_t stem = 0;
    const char *value = records_find(r, key);
    if (value != NULL && take(user, value))
        return true;
    int wanted = r->count > 0 ? split_key(key, &stem) : 0;
    double beyond = 1.0; /* the key itself */
    while (wanted > 0 && (value = next_nearest(r, key, wanted, stem, &beyond)) != NULL)
        if (take(user, value))
            return true;
    value = general ? records_find(r, general) : NULL;
    return value != NULL && take(user, value);
}

/* ---- a context's ---- */

static int sources_of(const convoy_context *ctx) { return ctx->tuning ? RECORDS_SOURCES : RECORDS_OWN + 1; }

const char *rt_record_find(const convoy_context *ctx, const char *key)
{
    const char *value = NULL;
    for (int s = 0; s < sources_of(ctx) && value == NULL; s++)
        value = records_find(&ctx->records[s], key);
    return value;
}

bool rt_record_choose(const convoy_context *ctx, const char *key, const char *general, rt_record_taker *take, void *user)
{
    for (int s = 0; s < sources_of(ctx); s++)
        if (choose_from(&ctx->records[s], key, general, take, user))
            return true;
    return false;
}

convoy_status rt_record_set(convoy_context *ctx, const char *key, const char *value, convoy_error *err)
{
    ctx->record_changes++;
    if (value != NULL)
        return records_put(&ctx->records[RECORDS_OWN], key, value, 0.0, false, err);
    records_remove(&ctx->records[RECORDS_OWN], key);
    return CONVOY_OK;
}

unsigned long rt_record_changes(const convoy_context *ctx) { return ctx->record_changes; }

convoy_status rt_record_learn(convoy_context *ctx, const char *key, const char *value, double microseconds,
                              convoy_error *err)
{
    return records_put(&ctx->records[RECORDS_USER], key, value, microseconds, true, err);
}

convoy_status rt_record_mark_bad(convoy_context *ctx, const char *key, const char *value, convoy_error *err)
{
    char bad[RECORD_KEY];
    snprintf(bad, sizeof bad, "!%s", key);
    return records_put(&ctx->records[RECORDS_USER], bad, value, 0.0, true, err);
}

bool rt_record_is_bad(const convoy_context *ctx, const char *key, const char *value)
{
    char bad[RECORD_KEY];
    snprintf(bad, sizeof bad, "!%s", key);
    return ctx->tuning && records_has(&ctx->records[RECORDS_USER], bad, value);
}

void rt_records_destroy(convoy_context *ctx)
{
    for (int s = 0; s < RECORDS_SOURCES; s++)
        records_clear(&ctx->records[s]);
}
