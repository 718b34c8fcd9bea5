/* Tuning records of a context: text keys, text values. */
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"

typedef struct rt_record {
    char *key, *value;
    struct rt_record *next;
} rt_record;

static rt_record *find(const convoy_context *ctx, const char *key)
{
    for (rt_record *r = ctx->records; r != NULL; r = r->next)
        if (strcmp(r->key, key) == 0)
            return r;
    return NULL;
}

const char *rt_record_find(const convoy_context *ctx, const char *key)
{
    const rt_record *r = find(ctx, key);
    return r ? r->value : NULL;
}

convoy_status rt_record_set(convoy_context *ctx, const char *key, const char *value, convoy_error *err)
{
    rt_record *r = find(ctx, key);
    char *copy = value ? strdup(value) : NULL;
    if (value && copy == NULL)
        return OUT_OF_MEMORY(err);
    if (r == NULL) {
        r = calloc(1, sizeof *r);
        char *name = strdup(key);
        if (r == NULL || name == NULL) {
            free(r);
            free(name);
            free(copy);
            return OUT_OF_MEMORY(err);
        }
        r->key = name;
        r->next = ctx->records;
        ctx->records = r;
    }
    free(r->value);
    r->value = copy;
    return CONVOY_OK;
}

void rt_records_destroy(convoy_context *ctx)
{
    while (ctx->records) {
        rt_record *r = ctx->records;
        ctx->records = r->next;
        free(r->key);
        free(r->value);
        free(r);
    }
}
