/* Plays launch lists: enqueues, and now and then looks which way of playing a fused range is the fastest. */
#include "base/clock.h"
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

/* ---- fused ranges ---- */

/* The ways of playing one: by all work-groups, each launch by itself, or, where there are some, by one work-group less. All give the same
 * bits. */
enum { WAY_FUSED, WAY_SINGLE, WAY_FEWER, SOME_GROUPS = 4 };

static convoy_status play_segment(rt_list *list, const segment *s, size_t groups, convoy_error *err)
{
    convoy_context *ctx = list->ctx;
    size_t one = 1;
    if (s->kernel == NULL)
        return play_item(list, &list->items[s->first], err);
    CL_TRY(ctx, clEnqueueNDRangeKernel, ctx->queue, s->kernel, 1, NULL, &groups, &one, 0, NULL, NULL);
    ctx->counters.launches += s->launches;
    ctx->counters.commands++;
    note_work(list, s->first, s->last - 1, s->launches);
    return CONVOY_OK;
}

/* Launches that run once come first. */
static convoy_status play_fused(rt_list *list, const fused_range *r, size_t groups, convoy_error *err)
{
    for (size_t i = r->first; i < r->last; i++)
        if (list->items[i].once)
            TRY(play_item(list, &list->items[i], err));
    for (size_t i = 0; i < r->count; i++) TRY(play_segment(list, &r->segments[i], groups, err));
    return CONVOY_OK;
}

static convoy_status play_single(rt_list *list, size_t first, size_t last, convoy_error *err)
{
    for (size_t i = first; i < last; i++) TRY(play_item(list, &list->items[i], err));
    return CONVOY_OK;
}

/* The threads of a fused range are never idle: if they had nearly all of the time, no other program wants it. Of two threads one that
 * never sleeps takes a third, of 16 a seventeenth. */
static bool had_all_cores(const convoy_context *ctx, const fused_range *r, double now)
{
    double groups = ctx->persistent_groups, most = groups - 0.3 < 0.97 * groups ? groups - 0.3 : 0.97 * groups;
    return r->ways.way == WAY_FUSED && clock_cpu_seconds() - r->cpu >= most * (now - r->ways.start);
}

/* Between blocks: once all is done, so that the clock counts nothing else. */
static convoy_status end_block(convoy_context *ctx, fused_range *r, convoy_error *err)
{
    TRY(rt_wait_queue(ctx, ctx->queue, "waiting for", "all launches", err));
    CL_WAIT(ctx, "waiting for", "all launches", clFinish, ctx->queue);
    double now = clock_seconds();
    if (r->timed)
        rivals_next(&r->ways, now, had_all_cores(ctx, r, now));
    else
        rivals_drop(&r->ways, now);
    r->timed = true;
    r->cpu = clock_cpu_seconds();
    return CONVOY_OK;
}

/* Which way to play it now. What is played in turns with something else is not timed. */
static convoy_status choose_way(rt_list *list, fused_range *r, int *way, convoy_error *err)
{
    convoy_context *ctx = list->ctx;
    int ways = ctx->persistent_groups >= SOME_GROUPS ? WAY_FEWER + 1 : WAY_SINGLE + 1;
    if (r->state != FUSE_READY)
        TRY(fuse_advance(list, r, err));
    if (r->state != FUSE_READY) {
        *way = WAY_SINGLE;
        ctx->played = r;
        return CONVOY_OK;
    }
    *way = WAY_FUSED;
    if (ctx->fused == FUSED_IN_TURNS)
        *way = r->ways.pieces++ % ways;
    if (ctx->fused != FUSED_IF_FASTER)
        return CONVOY_OK;
    if (r->ways.count == 0)
        rivals_begin(&r->ways, ways, r->late ? WAY_SINGLE : WAY_FUSED, clock_seconds());
    if (ctx->played != r)
        r->timed = false;
    else if (!r->timed || rivals_due(&r->ways, clock_seconds()))
        TRY(end_block(ctx, r, err));
    ctx->played = r;
    r->ways.pieces++;
    *way = r->timed ? r->ways.way : r->ways.best;
    return CONVOY_OK;
}

void rt_list_renew(rt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->items[i].done = false;
}

convoy_status rt_list_play(rt_list *list, size_t first, size_t last, convoy_error *err)
{
    convoy_context *ctx = list->ctx;
    if (ctx->described)
        return base_fail(err, CONVOY_ERROR_DEVICE, "%s is only described here: nothing can run on it", ctx->info.name);
    fused_range *r = ctx->profile ? NULL : fuse_find(list, first, last);
    int way = WAY_SINGLE;
    if (r)
        TRY(choose_way(list, r, &way, err));
    if (way == WAY_SINGLE)
        return play_single(list, first, last, err);
    return play_fused(list, r, ctx->persistent_groups - (way == WAY_FEWER), err);
}
