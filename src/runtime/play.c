/* Plays launch lists: enqueues, and nothing else. */
#include "runtime/fuse.h"

static convoy_status enqueue(rt_list *list, list_item *item, cl_event *event, convoy_error *err)
{
    convoy_context *ctx = list->ctx;
    switch (item->kind) {
    case ITEM_KERNEL:
        CL_TRY(ctx, clEnqueueNDRangeKernel, ctx->queue, item->kernel, item->dims, NULL, item->global,
               item->local[0] ? item->local : NULL, 0, NULL, event);
        break;
    case ITEM_GEMM: return gemm_play(list, item, event, err);
    case ITEM_COPY:
        CL_TRY(ctx, clEnqueueCopyBuffer, ctx->queue, item->from->mem, item->to->mem, 0, 0,
               item->bytes_each * (size_t)list->batch, 0, NULL, event);
        break;
    }
    return CONVOY_OK;
}

static void note_work(rt_list *list, size_t first, size_t last, size_t launches)
{
    rt_work *w = &list->ctx->work;
    if (w->launches == 0)
        w->first = list->items[first].label;
    w->last = list->items[last].label;
    w->launches += launches;
}

static convoy_status play_item(rt_list *list, list_item *item, convoy_error *err)
{
    convoy_context *ctx = list->ctx;
    if (item->done)
        return CONVOY_OK;
    item->done = item->once;
    if (ctx->profile)
        TRY(profile_collect(list, item, err));
    convoy_status status = enqueue(list, item, ctx->profile ? &item->event : NULL, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s (kernel %s)", item->label, item->kernel_name);
    ctx->counters.launches++;
    ctx->counters.commands++;
    note_work(list, (size_t)(item - list->items), (size_t)(item - list->items), 1);
    if (ctx->profile) {
        item->pending_flops = item->flops + item->flops_per_image * list->batch;
        item->pending_bytes = item->bytes + item->bytes_per_image * list->batch;
    }
    return CONVOY_OK;
}

static convoy_status play_segment(rt_list *list, const segment *s, convoy_error *err)
{
    convoy_context *ctx = list->ctx;
    size_t groups = ctx->persistent_groups, one = 1;
    if (s->kernel == NULL)
        return play_item(list, &list->items[s->first], err);
    CL_TRY(ctx, clEnqueueNDRangeKernel, ctx->queue, s->kernel, 1, NULL, &groups, &one, 0, NULL, NULL);
    ctx->counters.launches += s->launches;
    ctx->counters.commands++;
    note_work(list, s->first, s->last - 1, s->launches);
    return CONVOY_OK;
}

/* Launches that run once come first. */
static convoy_status play_fused(rt_list *list, const fused_range *r, convoy_error *err)
{
    for (size_t i = r->first; i < r->last; i++)
        if (list->items[i].once)
            TRY(play_item(list, &list->items[i], err));
    for (size_t i = 0; i < r->count; i++) TRY(play_segment(list, &r->segments[i], err));
    return CONVOY_OK;
}

void rt_list_renew(rt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->items[i].done = false;
}

convoy_status rt_list_play(rt_list *list, size_t first, size_t last, convoy_error *err)
{
    if (list->ctx->described)
        return base_fail(err, CONVOY_ERROR_DEVICE, "%s is only described here: nothing can run on it", list->ctx->info.name);
    const fused_range *r = list->ctx->profile ? NULL : fuse_find(list, first, last);
    if (r)
        return play_fused(list, r, err);
    for (size_t i = first; i < last; i++) TRY(play_item(list, &list->items[i], err));
    return CONVOY_OK;
}
