/* Waits on the device and its compiler. One that is long is told, by a thread that looks after them from time to time; what is long on
 * a slow device is no error, so a wait fails only where the caller set a limit. Then it is looked at in turns instead of left to the
 * driver, which never comes back where the device does not. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/internal.h"

#define LONG_WAIT 30.0 /* seconds until a wait is told; then after twice as many, and so on */

typedef struct rt_watch {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below, and held while it tells: so the hook is never called beside the library's caller */
    pthread_cond_t wake;
    bool quit, device;
    const char *doing, *name; /* doing: NULL between waits */
    double since, tell_at, first; /* first: seconds until a wait is told */
} rt_watch;

/* "for the end of 38 launches, the first for conv2d, the last for dense", or "". */
static void describe_work(const convoy_context *ctx, bool device, char *out, size_t size)
{
    const rt_work *w = &ctx->work;
    if (!device || w->launches == 0)
        out[0] = '\0';
    else if (w->launches == 1)
        snprintf(out, size, "; one launch was enqueued before, for %s", w->last);
    else
        snprintf(out, size, "; %zu launches were enqueued before, from that for %s to that for %s", w->launches, w->first, w->last);
}

static void tell(convoy_context *ctx, double seconds)
{
    rt_watch *w = ctx->watch;
    char work[256];
    describe_work(ctx, w->device, work, sizeof work);
    rt_message(ctx, "%s (%d:%d): still %s %s after %.3g seconds%s", ctx->info.name, ctx->info.platform, ctx->info.device, w->doing,
               w->name, seconds, work);
}

static void pause_until(rt_watch *w, double seconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    long long nanoseconds = at.tv_nsec + (long long)(seconds * 1e9);
    at.tv_sec += nanoseconds / 1000000000;
    at.tv_nsec = nanoseconds % 1000000000;
    pthread_cond_timedwait(&w->wake, &w->lock, &at);
}

static void *look_after(void *user)
{
    convoy_context *ctx = user;
    rt_watch *w = ctx->watch;
    pthread_mutex_lock(&w->lock);
    while (!w->quit) {
        double now = clock_seconds();
        if (w->doing && now >= w->tell_at) {
            tell(ctx, now - w->since);
            w->tell_at = w->since + 2 * (now - w->since);
        }
        pause_until(w, w->first / 4);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void start(convoy_context *ctx)
{
    pthread_condattr_t clock;
    rt_watch *w = calloc(1, sizeof *w);
    ctx->watch_tried = true;
    if (w == NULL)
        return;
    w->first = ctx->timeout > 0 && ctx->timeout / 4 < LONG_WAIT ? ctx->timeout / 4 : LONG_WAIT;
    ctx->watch = w;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &clock);
    pthread_condattr_destroy(&clock);
    int code = pthread_create(&w->thread, NULL, look_after, ctx);
    if (code == 0)
        return;
    rt_message(ctx, "no thread can be started (%d), so a long wait for the device will not be told", code);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
    ctx->watch = NULL;
}

void rt_wait_begin(convoy_context *ctx, const char *doing, const char *name, bool device)
{
    if (!ctx->watch_tried)
        start(ctx);
    rt_watch *w = ctx->watch;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->doing = doing;
    w->name = name;
    w->device = device;
    w->since = clock_seconds();
    w->tell_at = w->since + w->first;
    pthread_mutex_unlock(&w->lock);
}

void rt_wait_end(convoy_context *ctx)
{
    rt_watch *w = ctx->watch;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->doing = NULL;
    pthread_mutex_unlock(&w->lock);
}

void rt_wait_destroy(convoy_context *ctx)
{
    rt_watch *w = ctx->watch;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->quit = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
    ctx->watch = NULL;
}

/* ---- with a limit ---- */

static convoy_status fail_lost(convoy_context *ctx, const char *doing, const char *name, convoy_error *err)
{
    char work[256];
    describe_work(ctx, true, work, sizeof work);
    return base_fail(err, CONVOY_ERROR_DEVICE, "%s (%d:%d): gave up %s %s after %.3g seconds, the context's timeout%s. The device may "
                     "hang, or need longer", ctx->info.name, ctx->info.platform, ctx->info.device, doing, name, ctx->timeout, work);
}

static void sleep_a_little(double waited)
{
    double seconds = waited / 16 < 1e-5 ? 1e-5 : waited / 16 > 0.01 ? 0.01 : waited / 16;
    struct timespec pause = {.tv_nsec = (long)(seconds * 1e9)};
    nanosleep(&pause, NULL);
}

static convoy_status look_in_turns(convoy_context *ctx, cl_event event, const char *doing, const char *name, convoy_error *err)
{
    double start = clock_seconds();
    for (;;) {
        cl_int status = CL_QUEUED;
        CL_TRY(ctx, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
        if (status < 0)
            return base_fail_in(err, rt_fail(ctx, "CL_EVENT_COMMAND_EXECUTION_STATUS", status, err), "%s %s", doing, name);
        if (status == CL_COMPLETE)
            return CONVOY_OK;
        double waited = clock_seconds() - start;
        if (waited >= ctx->timeout) {
            ctx->lost = true;
            return fail_lost(ctx, doing, name, err);
        }
        sleep_a_little(waited);
    }
}

convoy_status rt_wait_limited(convoy_context *ctx, cl_event event, const char *doing, const char *name, convoy_error *err)
{
    if (ctx->lost)
        return fail_lost(ctx, doing, name, err);
    if (ctx->timeout <= 0)
        return CONVOY_OK;
    rt_wait_begin(ctx, doing, name, true);
    convoy_status status = look_in_turns(ctx, event, doing, name, err);
    rt_wait_end(ctx);
    return status;
}

convoy_status rt_wait_queue(convoy_context *ctx, cl_command_queue queue, const char *doing, const char *name, convoy_error *err)
{
    cl_event event;
    if (ctx->lost)
        return fail_lost(ctx, doing, name, err);
    if (ctx->timeout <= 0)
        return CONVOY_OK;
    CL_TRY(ctx, clEnqueueMarkerWithWaitList, queue, 0, NULL, &event);
    cl_int code = clFlush(queue);
    convoy_status status = code == CL_SUCCESS ? rt_wait_limited(ctx, event, doing, name, err) : rt_fail(ctx, "clFlush", code, err);
    CL_RELEASE(ctx, clReleaseEvent, event);
    return status;
}

/* The status of the command behind an event whose wait failed, which says more than that it did. */
convoy_status rt_wait_failed(convoy_context *ctx, cl_event event, const char *name, cl_int code, convoy_error *err)
{
    cl_int status = CL_COMPLETE;
    if (clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL) == CL_SUCCESS && status < 0)
        code = status;
    return base_fail_in(err, rt_fail(ctx, "clWaitForEvents", code, err), "waiting for %s", name);
}
