/* Fused ranges: launches that are always played together become one, a persistent kernel (fuse_text.c has its form). What a launch
 * costs besides its work is then paid once: on a CPU that is the waking of all threads, some 20 microseconds each time.
 *
 * To compile it takes seconds, so it is left to another process, and only for a range that has been played for a while: single launches
 * begin. A mark in the cache says that the driver keeps the program; then it is taken from the beginning. */
#include "runtime/fuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/program.h"

static bool same_arg(const rt_arg *a, const rt_arg *b)
{
    return a->kind == b->kind && a->buffer == b->buffer && a->switched == b->switched && a->i == b->i &&
           memcmp(&a->f, &b->f, sizeof a->f) == 0;
}

int fuse_find_arg(const segment *s, const rt_arg *arg)
{
    for (int i = 1; i < s->arg_count; i++)
        if (same_arg(&s->args[i], arg))
            return i;
    return -1;
}

/* ---- from launches to segments ---- */

/* Makes the launch's arguments the segment's, if they are no more than `most` then. */
static bool take_args(segment *s, const list_item *item, size_t most)
{
    int before = s->arg_count;
    for (int a = 0; a < item->arg_count; a++) {
        if (fuse_find_arg(s, &item->args[a]) >= 0)
            continue;
        if ((size_t)s->arg_count == most) {
            s->arg_count = before;
            return false;
        }
        s->args[s->arg_count++] = item->args[a];
    }
    return true;
}

static convoy_status new_segment(fused_range *r, size_t first, size_t most, segment **out, convoy_error *err)
{
    segment *segments = realloc(r->segments, (r->count + 1) * sizeof *segments);
    if (segments == NULL)
        return OUT_OF_MEMORY(err);
    r->segments = segments;
    *out = &segments[r->count++];
    **out = (segment){.first = first, .last = first + 1, .args = calloc(most, sizeof *segments->args), .arg_count = FUSE_OWN_ARGS};
    if ((*out)->args == NULL)
        return OUT_OF_MEMORY(err);
    (*out)->args[1] = RT_BATCH(1);
    return CONVOY_OK;
}

/* An argument takes at most eight bytes. */
static convoy_status most_args(const convoy_context *ctx, size_t *out, convoy_error *err)
{
    size_t bytes = 0;
    CL_TRY(ctx, clGetDeviceInfo, ctx->device, CL_DEVICE_MAX_PARAMETER_SIZE, sizeof bytes, &bytes, NULL);
    *out = bytes / 8;
    return CONVOY_OK;
}

static convoy_status cut(const rt_list *list, fused_range *r, convoy_error *err)
{
    segment *s = NULL; /* that may grow */
    size_t most = 0;
    TRY(most_args(list->ctx, &most, err));
    for (size_t i = r->first; i < r->last; i++) {
        const list_item *item = &list->items[i];
        if (item->once)
            continue;
        bool fits = item->kind == ITEM_KERNEL && rt_kernel_fuses(item->source);
        if (!fits || s == NULL || s->launches == ORDER_LAUNCHES || !take_args(s, item, most)) {
            TRY(new_segment(r, i, most, &s, err));
            fits = fits && take_args(s, item, most);
        }
        s->last = i + 1;
        s->launches++;
        if (!fits)
            s = NULL;
    }
    return CONVOY_OK;
}

/* Launches that run once come first. May they? */
static bool once_may_lead(const rt_list *list, const fused_range *r)
{
    for (size_t i = r->first; i < r->last; i++)
        for (size_t j = r->first; list->items[i].once && j < i; j++)
            if (!list->items[j].once && order_conflict(&list->items[i], &list->items[j]))
                return false;
    return true;
}

/* ---- kernels ---- */

/* Work-groups that left; of each launch: chunks done, and chunks claimed of each work-group's share. */
static convoy_status make_counters(rt_list *list, segment *s, convoy_error *err)
{
    size_t counters = 1 + s->launches * (1 + list->ctx->persistent_groups);
    TRY(rt_buffer_create(list->ctx, counters * FUSE_COUNTER_INTS * sizeof(cl_int), "counters of fused launches", &s->counters, err));
    s->args[0] = RT_BUFFER(s->counters);
    return rt_buffer_fill(s->counters, 0.0f, err);
}

static convoy_status make_kernel(rt_list *list, segment *s, convoy_error *err)
{
    char *text = s->text;
    cl_int code;
    s->text = NULL;
    TRY(bundle_program(list->ctx, "a program of fused launches", text, &s->program, err));
    list->ctx->counters.live_objects++;
    s->kernel = clCreateKernel(s->program, "fused", &code);
    if (code != CL_SUCCESS) {
        s->kernel = NULL;
        return base_fail_in(err, rt_fail(list->ctx, "clCreateKernel", code, err), "fused launches");
    }
    list->ctx->counters.live_objects++;
    return list_set_args(list, s->kernel, s->args, s->arg_count, ARGS_ALL, err);
}

static convoy_status write_texts(rt_list *list, fused_range *r, convoy_error *err)
{
    for (size_t i = 0; i < r->count; i++) {
        segment *s = &r->segments[i];
        if (s->launches < 2)
            continue;
        TRY(make_counters(list, s, err));
        TRY(fuse_write(list, s, &s->text, err));
    }
    return CONVOY_OK;
}

static convoy_status make_kernels(rt_list *list, fused_range *r, convoy_error *err)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->segments[i].text)
            TRY(make_kernel(list, &r->segments[i], err));
    r->state = FUSE_READY;
    return CONVOY_OK;
}

/* A range that does not build is told and given up. */
static convoy_status build(rt_list *list, fused_range *r, convoy_error *err)
{
    convoy_error why = {0};
    convoy_status status = make_kernels(list, r, &why);
    if (status == CONVOY_ERROR_BUILD) {
        rt_message(list->ctx, "launches are played one by one, which is slower: %s", why.message);
        r->state = FUSE_GIVEN_UP;
        return CONVOY_OK;
    }
    if (status != CONVOY_OK && err)
        *err = why;
    return status;
}

/* ---- compiled by another process ---- */

static bool is_marked(const convoy_context *ctx, const fused_range *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->segments[i].text && !rt_bundle_marked(ctx, r->segments[i].text))
            return false;
    return true;
}

static void mark(const convoy_context *ctx, const fused_range *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->segments[i].text)
            rt_bundle_mark(ctx, r->segments[i].text);
}

/* Filled counters say that all chunks are claimed: the kernel runs, and does nothing. */
static convoy_status start(rt_list *list, fused_range *r, convoy_error *err)
{
    static const size_t one = 1;
    TRY(compile_job_create(list->ctx, &r->job, err));
    for (size_t i = 0; i < r->count; i++) {
        segment *s = &r->segments[i];
        if (s->text == NULL)
            continue;
        compile_job_add(r->job, s->text, 1);
        compile_job_add_launch(r->job, list, &(compile_launch){"fused", 1, &one, &one, s->args, s->arg_count, s->counters});
    }
    if (!compile_job_start(r->job))
        return build(list, r, err); /* which takes its time */
    r->state = FUSE_COMPILES;
    return CONVOY_OK;
}

/* What the other process has compiled is found at once; what it has not is compiled here, while all waits. */
static convoy_status finish(rt_list *list, fused_range *r, compile_state state, convoy_error *err)
{
    compile_job_destroy(r->job);
    r->job = NULL;
    if (state == COMPILE_DONE)
        mark(list->ctx, r);
    return build(list, r, err);
}

convoy_status fuse_advance(rt_list *list, fused_range *r, convoy_error *err)
{
    double now = clock_seconds();
    if (r->since == 0)
        r->since = now;
    if (r->state == FUSE_WAITS && now - r->since >= list->ctx->fuse_after)
        return start(list, r, err);
    compile_state state = r->state == FUSE_COMPILES ? compile_job_poll(r->job) : COMPILE_RUNS;
    return state == COMPILE_RUNS ? CONVOY_OK : finish(list, r, state, err);
}

/* ---- the list's ranges ---- */

static void release_segment(rt_list *list, segment *s)
{
    CL_RELEASE(list->ctx, clReleaseKernel, s->kernel);
    CL_RELEASE(list->ctx, clReleaseProgram, s->program);
    list->ctx->counters.live_objects -= (s->kernel != NULL) + (s->program != NULL);
    rt_buffer_destroy(s->counters);
    free(s->text);
    free(s->args);
}

static void release(rt_list *list, fused_range *r)
{
    if (list->ctx->played == r)
        list->ctx->played = NULL;
    compile_job_destroy(r->job);
    for (size_t i = 0; i < r->count; i++) release_segment(list, &r->segments[i]);
    free(r->segments);
    free(r);
}

void fuse_forget(rt_list *list)
{
    while (list->fused) {
        fused_range *r = list->fused;
        list->fused = r->next;
        release(list, r);
    }
}

static bool any_fused(const fused_range *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->segments[i].launches > 1)
            return true;
    return false;
}

/* Now, unless they are to be tried against single launches and the driver would have to compile them first. */
static bool builds_now(const convoy_context *ctx, const fused_range *r)
{
    return ctx->fused != FUSED_IF_FASTER || ctx->fuse_after < 0 || !program_kept_by_driver(ctx) || is_marked(ctx, r);
}

convoy_status rt_list_fuse(rt_list *list, size_t first, size_t last, convoy_error *err)
{
    if (!list->ctx->persistent_groups || list->collecting || fuse_find(list, first, last))
        return CONVOY_OK;
    fused_range *r = calloc(1, sizeof *r);
    if (r == NULL)
        return OUT_OF_MEMORY(err);
    *r = (fused_range){.first = first, .last = last};
    convoy_status status = CONVOY_OK;
    TRY_GOTO(cut(list, r, err));
    if (!any_fused(r) || !once_may_lead(list, r))
        goto done;
    TRY_GOTO(write_texts(list, r, err));
    if (builds_now(list->ctx, r))
        TRY_GOTO(build(list, r, err));
    if (r->state == FUSE_GIVEN_UP)
        goto done;
    r->late = r->state == FUSE_WAITS;
    r->next = list->fused;
    list->fused = r;
    return CONVOY_OK;
done:
    release(list, r);
    return status;
}

fused_range *fuse_find(const rt_list *list, size_t first, size_t last)
{
    for (fused_range *r = list->fused; r != NULL; r = r->next)
        if (r->first == first && r->last == last)
            return r;
    return NULL;
}

convoy_status fuse_set_args(const rt_list *list, arg_set which, convoy_error *err)
{
    for (const fused_range *r = list->fused; r != NULL; r = r->next)
        for (size_t i = 0; i < r->count; i++)
            if (r->segments[i].kernel)
                TRY(list_set_args(list, r->segments[i].kernel, r->segments[i].args, r->segments[i].arg_count, which, err));
    return CONVOY_OK;
}
