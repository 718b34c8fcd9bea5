#include "train/confusion.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/elementwise.h"

struct confusion {
    convoy_context *ctx;
    int outputs, size;
    double threshold;
    size_t count;
    rt_buffer *counts;
    int32_t *host;
};

convoy_status confusion_create(convoy_context *ctx, int outputs, int size, double threshold, confusion **out, convoy_error *err)
{
    convoy_status status;
    confusion *c = calloc(1, sizeof *c);
    if (c == NULL)
        return OUT_OF_MEMORY(err);
    *c = (confusion){.ctx = ctx, .outputs = outputs, .size = size, .threshold = threshold, .count = (size_t)size * (size_t)size};
    c->host = malloc(c->count * sizeof *c->host);
    if (c->host == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(rt_buffer_create(ctx, c->count * sizeof(int32_t), "confusion matrix", &c->counts, err));
    *out = c;
    return CONVOY_OK;
done:
    confusion_destroy(c);
    return status;
}

void confusion_destroy(confusion *c)
{
    if (c == NULL)
        return;
    rt_buffer_destroy(c->counts);
    free(c->host);
    free(c);
}

convoy_status confusion_add(confusion *c, rt_list *list, const rt_buffer *z, const rt_buffer *labels, convoy_error *err)
{
    char options[96];
    snprintf(options, sizeof options, "-DC=%d -DN=%d -DONE_ABOVE=%.9ef", c->outputs, c->size, c->threshold);
    rt_launch launch = {.label = "confusion", .source = "confusion", .kernel = "confusion", .options = options};
    rt_push(&launch, RT_BUFFER(z));
    rt_push(&launch, RT_BUFFER(labels));
    rt_push(&launch, RT_BUFFER(c->counts));
    rt_push(&launch, RT_BATCH(1));
    ops_range(&launch, c->ctx, 1, 0, 1);
    launch.bytes_per_image = 4.0 * c->outputs;
    return rt_list_add(list, &launch, err);
}

convoy_status confusion_clear(confusion *c, convoy_error *err)
{
    return rt_buffer_fill(c->counts, 0.0f, err); /* also the integer 0 */
}

convoy_status confusion_read(confusion *c, size_t *counts, convoy_error *err)
{
    TRY(rt_buffer_read(c->counts, 0, c->host, c->count * sizeof *c->host, err));
    for (size_t i = 0; i < c->count; i++)
        counts[i] = (size_t)c->host[i];
    return CONVOY_OK;
}
