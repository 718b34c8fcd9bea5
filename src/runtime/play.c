/* Plays launch lists: enqueues, and nothing else. Two queues, if some of the launches may run aside (order.c says what waits for
 * what); one, if launches are timed. What is enqueued on the first queue after a play waits for both. */
#include "runtime/list.h"

typedef struct play {
    rt_list *list;
    long first;         /* the item that was played first, or -1 */
    bool parallel;      /* two queues */
    bool began_aside;
    cl_event last;      /* of the queue aside, not waited for yet; the item's */
} play;

convoy_status rt_join(convoy_context *ctx, convoy_error *err)
{
    if (ctx->joined_by == NULL)
        return CONVOY_OK;
    CL_TRY(ctx, clEnqueueBarrierWithWaitList, ctx->queue, 1, &ctx->joined_by, NULL);
    clReleaseEvent(ctx->joined_by);
    ctx->joined_by = NULL;
    return CONVOY_OK;
}

static void forget(cl_event *event)
{
    if (*event)
        clReleaseEvent(*event);
    *event = NULL;
}

/* What item i waits for. What lies before the range is done with where its first item starts; the queue aside starts after that. */
static cl_event awaited_by(play *p, size_t i)
{
    const list_item *item = &p->list->items[i];
    long after = p->parallel ? item->after : -1;
    if (p->first >= 0 && after >= p->first)
        return p->list->items[after].ended;
    return p->parallel && item->aside && p->first >= 0 && !p->began_aside ? p->list->items[p->first].ended : NULL;
}

static convoy_status enqueue(play *p, size_t i, cl_event *event, convoy_error *err)
{
    list_item *item = &p->list->items[i];
    convoy_context *ctx = p->list->ctx;
    bool aside = p->parallel && item->aside && p->first >= 0;
    cl_event before = awaited_by(p, i);
    if (item->kind != ITEM_KERNEL && before)
        CL_TRY(ctx, clEnqueueBarrierWithWaitList, ctx->queue, 1, &before, NULL);
    switch (item->kind) {
    case ITEM_KERNEL:
        CL_TRY(ctx, clEnqueueNDRangeKernel, aside ? ctx->aside : ctx->queue, item->kernel, item->dims, NULL, item->global,
               item->local[0] ? item->local : NULL, before ? 1 : 0, before ? &before : NULL, event);
        break;
    case ITEM_GEMM: TRY(gemm_play(p->list, item, event, err)); break;
    case ITEM_COPY:
        CL_TRY(ctx, clEnqueueCopyBuffer, ctx->queue, item->from->mem, item->to->mem, 0, 0,
               item->bytes_each * (size_t)p->list->batch, 0, NULL, event);
        break;
    }
    if (aside) {
        p->began_aside = true;
        p->last = item->ended;
    } else if (before == p->last)
        p->last = NULL;
    return CONVOY_OK;
}

static convoy_status play_item(play *p, size_t i, convoy_error *err)
{
    list_item *item = &p->list->items[i];
    cl_event *event = NULL;
    forget(&item->ended);
    if (p->list->ctx->profile) {
        TRY(profile_collect(p->list, item, err));
        event = &item->event;
    } else if (p->parallel && (item->is_awaited || item->aside || p->first < 0)) {
        event = &item->ended;
    }
    convoy_status status = enqueue(p, i, event, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s (kernel %s)", item->label, item->kernel_name);
    p->first = p->first < 0 ? (long)i : p->first;
    p->list->ctx->counters.launches++;
    if (p->list->ctx->profile) {
        item->pending_flops = item->flops + item->flops_per_image * p->list->batch;
        item->pending_bytes = item->bytes + item->bytes_per_image * p->list->batch;
    }
    return CONVOY_OK;
}

/* Either queue may wait for the other: both must have begun. */
static convoy_status end_play(play *p, convoy_error *err)
{
    convoy_context *ctx = p->list->ctx;
    if (!p->began_aside)
        return CONVOY_OK;
    if (p->last) {
        clRetainEvent(p->last);
        ctx->joined_by = p->last;
    }
    CL_TRY(ctx, clFlush, ctx->queue);
    CL_TRY(ctx, clFlush, ctx->aside);
    return CONVOY_OK;
}

void rt_list_renew(rt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->items[i].done = false;
}

convoy_status rt_list_play(rt_list *list, size_t first, size_t last, convoy_error *err)
{
    play p = {.list = list, .first = -1, .parallel = list->ctx->aside && !list->ctx->profile};
    if (p.parallel) {
        order_items(list);
        p.parallel = list->has_aside;
    }
    TRY(rt_join(list->ctx, err));
    for (size_t i = first; i < last; i++) {
        if (list->items[i].done)
            continue;
        list->items[i].done = list->items[i].once;
        TRY(play_item(&p, i, err));
    }
    return end_play(&p, err);
}
