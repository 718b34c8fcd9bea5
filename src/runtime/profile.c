/* Per-launch times, by the events that a profiling queue fills. */
#include "runtime/list.h"

convoy_status profile_collect(const rt_list *list, list_item *item, convoy_error *err)
{
    cl_ulong start = 0, end = 0;
    if (item->event == NULL)
        return CONVOY_OK;
    TRY(rt_wait_limited(list->ctx, item->event, "timing", item->label, err));
    rt_wait_begin(list->ctx, "timing", item->label, true);
    cl_int code = clWaitForEvents(1, &item->event);
    rt_wait_end(list->ctx);
    if (code != CL_SUCCESS)
        return rt_wait_failed(list->ctx, item->event, item->label, code, err);
    CL_TRY(list->ctx, clGetEventProfilingInfo, item->event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
    CL_TRY(list->ctx, clGetEventProfilingInfo, item->event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    CL_RELEASE(list->ctx, clReleaseEvent, item->event);
    item->event = NULL;
    item->profile.count++;
    item->profile.seconds += (double)(end - start) * 1e-9;
    item->profile.flops += item->pending_flops;
    item->profile.bytes += item->pending_bytes;
    return CONVOY_OK;
}

bool rt_profiles(const convoy_context *ctx) { return ctx->profile; }

convoy_status rt_set_profile(convoy_context *ctx, bool profile, convoy_error *err)
{
    cl_int code;
    if (ctx->profile == profile)
        return CONVOY_OK;
    TRY(rt_finish(ctx, err));
    /* A queue's properties can't be changed: another one takes its place. */
    cl_command_queue queue =
        clCreateCommandQueue(ctx->context, ctx->device, profile ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
    if (code != CL_SUCCESS)
        return rt_fail(ctx, "clCreateCommandQueue", code, err);
    CL_RELEASE(ctx, clReleaseCommandQueue, ctx->queue);
    ctx->queue = queue;
    ctx->profile = profile;
    return CONVOY_OK;
}

convoy_status rt_list_profile(rt_list *list, size_t i, rt_profile_row *out, convoy_error *err)
{
    list_item *item = &list->items[i];
    TRY(profile_collect(list, item, err));
    *out = item->profile;
    out->label = item->label;
    out->source = item->source;
    out->kernel = item->kernel_name;
    out->variant = item->variant;
    return CONVOY_OK;
}
