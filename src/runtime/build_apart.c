/* What a list wants, built by several processes at once. PoCL compiles under one lock in a process, and a kernel when it is first run, which
 * would be the first step. So the programs are dealt out, each process compiles its share and runs each of its kernels once, and here all
 * is found in PoCL's folder. A mark in the cache says that it is there already. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "runtime/compile_job.h"
#include "runtime/program.h"

/* A process costs some tenth of a second, and its program as much as two kernels: it must have some of them to do. */
enum { LEAST_UNITS = 4, MOST_PARTS = 8 };

typedef struct part {
    rt_units units; /* the list's: not to be cleared */
    char *text;
    compile_job *job; /* NULL: it was compiled before */
    bool ended;
} part;

/* ---- launches ---- */

static bool is_noted(const rt_list *list, size_t unit, const rt_launch *launch)
{
    for (size_t i = 0; i < list->noted_count; i++) {
        const noted_launch *n = &list->noted[i];
        if (n->unit == unit && strcmp(n->kernel, launch->kernel) == 0 && memcmp(n->local, launch->local, sizeof n->local) == 0)
            return true;
    }
    return false;
}

/* What some writers know only in earnest. */
static bool has_buffers(const rt_launch *launch)
{
    for (int a = 0; a < launch->arg_count; a++) {
        const rt_arg *arg = &launch->args[a];
        if ((arg->kind == RT_ARG_BUFFER && arg->buffer == NULL) ||
            (arg->kind == RT_ARG_SWITCHED && (arg->switched[0] == NULL || arg->switched[1] == NULL)))
            return false;
    }
    return true;
}

convoy_status list_note(rt_list *list, const rt_launch *launch, convoy_error *err)
{
    const char *options = launch->options ? launch->options : "";
    TRY(rt_units_add(list->ctx, &list->wanted, launch->source, options, err));
    size_t unit = rt_units_find(&list->wanted, launch->source, options);
    if (unit == list->wanted.count || is_noted(list, unit, launch) || !has_buffers(launch))
        return CONVOY_OK;
    noted_launch *noted = realloc(list->noted, (list->noted_count + 1) * sizeof *noted);
    if (noted == NULL)
        return OUT_OF_MEMORY(err);
    list->noted = noted;
    noted_launch *n = &noted[list->noted_count++];
    *n = (noted_launch){.unit = unit, .arg_count = launch->arg_count};
    text_copy(n->kernel, sizeof n->kernel, launch->kernel);
    memcpy(n->args, launch->args, sizeof n->args);
    memcpy(n->extent, launch->global, sizeof n->extent);
    memcpy(n->local, launch->local, sizeof n->local);
    return CONVOY_OK;
}

void list_forget_noted(rt_list *list)
{
    rt_units_clear(&list->wanted);
    free(list->noted);
    list->noted = NULL;
    list->noted_count = 0;
}

/* ---- parts ---- */

static size_t count_parts(const rt_list *list)
{
    const convoy_context *ctx = list->ctx;
    size_t parts = list->wanted.count / LEAST_UNITS, most = ctx->compilers;
    if (!program_kept_by_driver(ctx) || ctx->trying || ctx->cache_dir[0] == '\0')
        return 1;
    if (parts > most)
        parts = most;
    return parts < 1 ? 1 : parts < MOST_PARTS ? parts : MOST_PARTS;
}

/* Every `parts`-th unit: neighbours are alike, so each part gets some of each kind. */
static convoy_status make_part(const rt_list *list, part *p, size_t i, size_t parts, convoy_error *err)
{
    p->units.items = malloc((list->wanted.count / parts + 1) * sizeof *p->units.items);
    if (p->units.items == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t u = i; u < list->wanted.count; u += parts)
        p->units.items[p->units.count++] = list->wanted.items[u];
    return rt_bundle_text(&p->units, &p->text, err);
}

/* One work-group is enough, where that is compiled as the whole is: PoCL tells grids apart by this width. */
enum { WIDE_GRID = 65536 };

static void add_launch(compile_job *job, const rt_list *list, const noted_launch *n, size_t unit)
{
    char name[RT_PREFIX + sizeof n->kernel];
    size_t global[3] = {0};
    compile_launch l = {.kernel = name, .global = global, .local = n->local, .args = n->args, .arg_count = n->arg_count};
    rt_bundle_prefix(unit, name);
    strcat(name, n->kernel);
    bool whole = n->local[0] == 0;
    for (; l.dims < 3 && (n->extent[l.dims].fixed || n->extent[l.dims].per_image); l.dims++) {
        global[l.dims] = list_range(list, &n->extent[l.dims], n->local[l.dims]);
        whole = whole || global[l.dims] >= WIDE_GRID;
    }
    for (cl_uint d = 0; !whole && d < l.dims; d++)
        global[d] = n->local[d];
    compile_job_add_launch(job, list, &l);
}

/* Its units are every `parts`-th of the list's. */
static convoy_status start_part(const rt_list *list, part *p, size_t i, size_t parts, convoy_error *err)
{
    size_t count = 0;
    if (rt_bundle_marked(list->ctx, p->text))
        return CONVOY_OK;
    for (size_t k = 0; k < list->noted_count; k++)
        count += list->noted[k].unit % parts == i;
    TRY(compile_job_create(list->ctx, &p->job, err));
    compile_job_add(p->job, p->text, count);
    for (size_t k = 0; k < list->noted_count; k++)
        if (list->noted[k].unit % parts == i)
            add_launch(p->job, list, &list->noted[k], list->noted[k].unit / parts);
    compile_job_start(p->job); /* if it does not, it has failed when it is waited for */
    return CONVOY_OK;
}

/* ---- waiting ---- */

#define TOLD_EVERY 10.0 /* seconds */

static size_t sum_parts(const part *p, size_t parts, size_t (*of)(const compile_job *job))
{
    size_t sum = 0;
    for (size_t i = 0; i < parts; i++)
        sum += p[i].job ? of(p[i].job) : 0;
    return sum;
}

/* Does one of them still run? What is done gets its mark. */
static bool poll_parts(const convoy_context *ctx, part *p, size_t parts)
{
    bool runs = false;
    for (size_t i = 0; i < parts; i++) {
        if (p[i].job == NULL || p[i].ended)
            continue;
        compile_state state = compile_job_poll(p[i].job);
        p[i].ended = state != COMPILE_RUNS;
        runs = runs || !p[i].ended;
        if (state == COMPILE_DONE)
            rt_bundle_mark(ctx, p[i].text);
    }
    return runs;
}

static void wait_for_parts(convoy_context *ctx, part *p, size_t parts)
{
    static const struct timespec pause = {.tv_nsec = 2000000};
    double start = clock_seconds(), told = start;
    size_t kernels = sum_parts(p, parts, compile_job_kernels);
    if (kernels == 0)
        return;
    program_building(ctx, kernels);
    rt_wait_begin(ctx, "compiling", "kernels in several processes", false);
    while (poll_parts(ctx, p, parts)) {
        (void)nanosleep(&pause, NULL); /* shorter does no harm */
        if (clock_seconds() - told < TOLD_EVERY)
            continue;
        told = clock_seconds();
        rt_note(ctx, "%zu of %zu kernels are built", sum_parts(p, parts, compile_job_built), kernels);
    }
    rt_wait_end(ctx);
    ctx->build_seconds += clock_seconds() - start;
}

static convoy_status build_parts(rt_list *list, part *p, size_t parts, convoy_error *err)
{
    for (size_t i = 0; i < parts; i++)
        TRY(make_part(list, &p[i], i, parts, err));
    for (size_t i = 0; i < parts; i++)
        TRY(start_part(list, &p[i], i, parts, err));
    wait_for_parts(list->ctx, p, parts);
    for (size_t i = 0; i < parts; i++)
        TRY(rt_bundle_build(list->ctx, &p[i].units, err));
    return CONVOY_OK;
}

convoy_status list_build(rt_list *list, convoy_error *err)
{
    size_t parts = count_parts(list);
    if (parts < 2)
        return rt_bundle_build(list->ctx, &list->wanted, err);
    part *p = calloc(parts, sizeof *p);
    if (p == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = build_parts(list, p, parts, err);
    for (size_t i = 0; i < parts; i++) {
        compile_job_destroy(p[i].job);
        free(p[i].text);
        free(p[i].units.items);
    }
    free(p);
    return status;
}
