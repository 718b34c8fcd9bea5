#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/internal.h"

static rt_buffer *wrap(convoy_context *ctx, cl_mem mem, size_t bytes, const char *what, bool slice)
{
    rt_buffer *buffer = calloc(1, sizeof *buffer);
    if (buffer == NULL) {
        CL_RELEASE(ctx, clReleaseMemObject, mem);
        return NULL;
    }
    buffer->ctx = ctx;
    buffer->mem = buffer->root = mem;
    buffer->bytes = bytes;
    buffer->slice = slice;
    text_copy(buffer->what, sizeof buffer->what, what);
    ctx->counters.live_objects++;
    return buffer;
}

convoy_status rt_buffer_create(convoy_context *ctx, size_t bytes, const char *what, rt_buffer **out, convoy_error *err)
{
    if (bytes == 0)
        bytes = 4; /* OpenCL has no empty buffers */
    if (bytes > ctx->info.max_allocation)
        return base_fail(err, CONVOY_ERROR_DEVICE_MEMORY,
                         "%s: %zu bytes are needed, but %s allows %llu in one piece; use a smaller batch size", what,
                         bytes, ctx->info.name, (unsigned long long)ctx->info.max_allocation);
    if (ctx->counters.bytes + bytes > ctx->info.global_memory)
        return base_fail(err, CONVOY_ERROR_DEVICE_MEMORY,
                         "%s: %zu bytes are needed, but %llu of %s's %llu are taken; use a smaller batch size", what,
                         bytes, (unsigned long long)ctx->counters.bytes, ctx->info.name,
                         (unsigned long long)ctx->info.global_memory);
    cl_int code;
    cl_mem mem = clCreateBuffer(ctx->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code != CL_SUCCESS)
        return base_fail_in(err, rt_fail(ctx, "clCreateBuffer", code, err), "%s (%zu bytes)", what, bytes);
    rt_buffer *buffer = wrap(ctx, mem, bytes, what, false);
    if (buffer == NULL)
        return OUT_OF_MEMORY(err);
    ctx->counters.allocations++;
    ctx->counters.bytes += bytes;
    if (ctx->counters.bytes > ctx->counters.peak_bytes)
        ctx->counters.peak_bytes = ctx->counters.bytes;
    *out = buffer;
    return CONVOY_OK;
}

static convoy_status cut(const rt_buffer *buffer, size_t offset, size_t bytes, cl_mem *out, convoy_error *err)
{
    cl_buffer_region region = {.origin = offset, .size = bytes};
    cl_int code;
    cl_mem mem = clCreateSubBuffer(buffer->root, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (code != CL_SUCCESS)
        return rt_fail(buffer->ctx, "clCreateSubBuffer", code, err);
    *out = mem;
    return CONVOY_OK;
}

/* A buffer that has slices is itself handed out as one, of the whole. To a command that is given such a buffer PoCL 6 and 7 add
 * sub-buffers of their own, for what ours leave out, and nothing counts who uses those: its worker thread released one after the
 * program had released the buffer, and aborted ("PTHREAD ERROR in POclReleaseMemObject()"). */
convoy_status rt_buffer_slice(rt_buffer *parent, size_t offset, size_t bytes, rt_buffer **out, convoy_error *err)
{
    if (parent->slice || offset % parent->ctx->alignment != 0 || bytes == 0 || offset > parent->bytes ||
        bytes > parent->bytes - offset)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: no slice of %zu bytes at %zu in %zu bytes", parent->what,
                         bytes, offset, parent->bytes);
    if (parent->mem == parent->root)
        TRY(cut(parent, 0, parent->bytes, &parent->mem, err));
    cl_mem mem = NULL;
    TRY(cut(parent, offset, bytes, &mem, err));
    *out = wrap(parent->ctx, mem, bytes, parent->what, true);
    if (*out == NULL)
        return OUT_OF_MEMORY(err);
    (*out)->root = parent->root;
    (*out)->offset = offset;
    return CONVOY_OK;
}

void rt_buffer_destroy(rt_buffer *buffer)
{
    if (buffer == NULL)
        return;
    CL_RELEASE(buffer->ctx, clReleaseMemObject, buffer->mem);
    if (!buffer->slice && buffer->mem != buffer->root)
        CL_RELEASE(buffer->ctx, clReleaseMemObject, buffer->root);
    buffer->ctx->counters.live_objects--;
    if (!buffer->slice)
        buffer->ctx->counters.bytes -= buffer->bytes;
    free(buffer);
}

size_t rt_buffer_bytes(const rt_buffer *buffer) { return buffer->bytes; }

void rt_set_peak_bytes(convoy_context *ctx, uint64_t bytes)
{
    ctx->counters.peak_bytes = bytes > ctx->counters.bytes ? bytes : ctx->counters.bytes;
}

static convoy_status check_range(const rt_buffer *buffer, size_t offset, size_t bytes, convoy_error *err)
{
    if (offset > buffer->bytes || bytes > buffer->bytes - offset)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: a copy of %zu bytes at %zu, but it has %zu bytes",
                         buffer->what, bytes, offset, buffer->bytes);
    return CONVOY_OK;
}

convoy_status rt_buffer_write(rt_buffer *buffer, size_t offset, const void *data, size_t bytes, convoy_error *err)
{
    convoy_context *ctx = buffer->ctx;
    TRY(check_range(buffer, offset, bytes, err));
    ctx->counters.writes++;
    ctx->counters.waits++;
    if (bytes == 0)
        return CONVOY_OK;
    TRY(rt_wait_queue(ctx, ctx->queue, "waiting to write", buffer->what, err));
    CL_WAIT(ctx, "writing", buffer->what, clEnqueueWriteBuffer, ctx->queue, buffer->mem, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
    ctx->work = (rt_work){0};
    return CONVOY_OK;
}

convoy_status rt_buffer_read(rt_buffer *buffer, size_t offset, void *data, size_t bytes, convoy_error *err)
{
    convoy_context *ctx = buffer->ctx;
    TRY(check_range(buffer, offset, bytes, err));
    ctx->counters.reads++;
    ctx->counters.waits++;
    if (bytes == 0)
        return CONVOY_OK;
    TRY(rt_wait_queue(ctx, ctx->queue, "waiting to read", buffer->what, err));
    CL_WAIT(ctx, "reading", buffer->what, clEnqueueReadBuffer, ctx->queue, buffer->mem, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
    ctx->work = (rt_work){0};
    return CONVOY_OK;
}

convoy_status rt_buffer_fill(rt_buffer *buffer, float value, convoy_error *err)
{
    /* From the host, not by clEnqueueFillBuffer: that is for set-up only, and oclgrind does not see that a fill initialises. */
    enum { PIECE = 16384 };
    float *values = malloc(PIECE * sizeof *values);
    if (values == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < PIECE; i++)
        values[i] = value;
    convoy_status status = CONVOY_OK;
    size_t bytes = buffer->bytes / sizeof value * sizeof value;
    for (size_t at = 0; at < bytes && status == CONVOY_OK; at += PIECE * sizeof value)
        status = rt_buffer_write(buffer, at, values, bytes - at < PIECE * sizeof value ? bytes - at : PIECE * sizeof value,
                                 err);
    free(values);
    return status;
}

static rt_event *wrap_event(convoy_context *ctx, cl_event event)
{
    rt_event *wrapped = calloc(1, sizeof *wrapped);
    if (wrapped == NULL) {
        CL_RELEASE(ctx, clReleaseEvent, event);
        return NULL;
    }
    wrapped->ctx = ctx;
    wrapped->event = event;
    ctx->counters.live_objects++;
    return wrapped;
}

convoy_status rt_buffer_write_async(rt_buffer *buffer, const void *data, size_t bytes, const rt_event *after,
                                    rt_event **done, convoy_error *err)
{
    convoy_context *ctx = buffer->ctx;
    cl_event event;
    TRY(check_range(buffer, 0, bytes, err));
    ctx->counters.writes++;
    CL_TRY(ctx, clEnqueueWriteBuffer, ctx->transfer, buffer->mem, CL_FALSE, 0, bytes, data, after ? 1 : 0,
           after ? &after->event : NULL, &event);
    *done = wrap_event(ctx, event);
    if (*done == NULL)
        return OUT_OF_MEMORY(err);
    CL_TRY(ctx, clFlush, ctx->transfer);
    return CONVOY_OK;
}

convoy_status rt_marker(convoy_context *ctx, rt_event **out, convoy_error *err)
{
    cl_event event;
    CL_TRY(ctx, clEnqueueMarkerWithWaitList, ctx->queue, 0, NULL, &event);
    *out = wrap_event(ctx, event);
    if (*out == NULL)
        return OUT_OF_MEMORY(err);
    CL_TRY(ctx, clFlush, ctx->queue);
    return CONVOY_OK;
}

convoy_status rt_barrier(convoy_context *ctx, const rt_event *event, convoy_error *err)
{
    CL_TRY(ctx, clEnqueueBarrierWithWaitList, ctx->queue, 1, &event->event, NULL);
    return CONVOY_OK;
}

convoy_status rt_event_wait(convoy_context *ctx, rt_event *event, convoy_error *err)
{
    static const char name[] = "what was enqueued up to an event";
    ctx->counters.waits++;
    TRY(rt_wait_limited(ctx, event->event, "waiting for", name, err));
    rt_wait_begin(ctx, "waiting for", name, true);
    cl_int code = clWaitForEvents(1, &event->event);
    rt_wait_end(ctx);
    return code == CL_SUCCESS ? CONVOY_OK : rt_wait_failed(ctx, event->event, name, code, err);
}

void rt_event_destroy(rt_event *event)
{
    if (event == NULL)
        return;
    CL_RELEASE(event->ctx, clReleaseEvent, event->event);
    event->ctx->counters.live_objects--;
    free(event);
}

void rt_settle(convoy_context *ctx)
{
    convoy_error err = {0};
    if (!ctx->lost && rt_finish(ctx, &err) != CONVOY_OK)
        rt_message(ctx, "%s", err.message);
}

convoy_status rt_finish(convoy_context *ctx, convoy_error *err)
{
    ctx->counters.waits++;
    TRY(rt_wait_queue(ctx, ctx->queue, "waiting for", "all launches", err));
    CL_WAIT(ctx, "waiting for", "all launches", clFinish, ctx->queue);
    ctx->work = (rt_work){0};
    TRY(rt_wait_queue(ctx, ctx->transfer, "waiting for", "all copies", err));
    CL_WAIT(ctx, "waiting for", "all copies", clFinish, ctx->transfer);
    return CONVOY_OK;
}
