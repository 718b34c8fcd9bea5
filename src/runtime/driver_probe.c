#include "runtime/driver_probe.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/program.h"

#define KEY "driver"
#define RUN_SECONDS 0.001 /* of one run, at least */
#define WORTH 1.15        /* times faster: runs of the same kernel differ by less */
#define HOPELESS 8.0      /* times slower than the first way: not run again */

enum { FORMS = 3, MOST_WAYS = FORMS + 2, RUNS = 6, ITEMS_PER_UNIT = 16 };
enum { CHAINS = 8, TURNS = 2 }; /* of cl/driver_probe.cl */

static const struct { const char *name, *options; } forms[FORMS] = {
    {"fma", ""}, {"mad", "-DFMA_BY_MAD"}, {"elementwise", "-DFMA_BY_ELEMENTWISE"}};

typedef struct probe {
    convoy_context *ctx;
    driver_way way[MOST_WAYS];
    size_t count, items;
    rt_buffer *out;
    rt_list *list;
} probe;

const char *driver_form_options(const char *form)
{
    for (int i = 0; i < FORMS; i++)
        if (strcmp(forms[i].name, form) == 0)
            return forms[i].options;
    return NULL;
}

const driver_way *driver_pick(const driver_way *ways, size_t count)
{
    const driver_way *best = &ways[0];
    for (size_t i = 1; i < count; i++)
        if (ways[i].gflops > (best == &ways[0] ? WORTH : 1.0) * best->gflops)
            best = &ways[i];
    return best;
}

/* ---- measuring ---- */

/* Every form with vectors of the native width; other widths with the first form. */
static void list_ways(probe *p)
{
    unsigned native = p->ctx->vector_width;
    for (int i = 0; i < FORMS; i++)
        p->way[p->count++] = (driver_way){.form = forms[i].name, .width = native};
    for (unsigned width = 4; width <= 16; width *= 2)
        if (width != native)
            p->way[p->count++] = (driver_way){.form = forms[0].name, .width = width};
}

/* The number that the kernel has for a way. */
static int number_of(const driver_way *way)
{
    int form = 0;
    while (strcmp(forms[form].name, way->form) != 0)
        form++;
    return (int)way->width * 10 + form;
}

static convoy_status add_ways(void *user, rt_list *list, convoy_error *err)
{
    const probe *p = user;
    char options[32];
    snprintf(options, sizeof options, "-DNATIVE=%u", p->ctx->vector_width);
    for (size_t i = 0; i < p->count; i++) {
        rt_launch launch = {.label = "probe of the driver", .source = "driver_probe", .kernel = "driver_probe", .options = options};
        rt_push(&launch, RT_BUFFER(p->out));
        rt_push(&launch, RT_FLOAT(0.5f)); /* towards 1: neither overflow nor denormals */
        rt_push(&launch, RT_FLOAT(0.5f));
        rt_push(&launch, RT_VARIABLE(RT_VAR_STEP)); /* the rounds */
        rt_push(&launch, RT_INT(number_of(&p->way[i])));
        launch.global[0] = RT_FIXED(p->items);
        launch.local[0] = 1;
        TRY(rt_list_add(list, &launch, err));
    }
    return CONVOY_OK;
}

static convoy_status run(probe *p, size_t i, double *seconds, convoy_error *err)
{
    double start = clock_seconds();
    TRY(rt_list_play(p->list, i, i + 1, err));
    TRY(rt_finish(p->ctx, err));
    *seconds = clock_seconds() - start;
    return CONVOY_OK;
}

/* So many rounds of the first way that a run takes RUN_SECONDS; its first run may compile. */
static convoy_status choose_rounds(probe *p, int *rounds, convoy_error *err)
{
    double seconds = 0;
    TRY(rt_list_set_int(p->list, RT_VAR_STEP, *rounds = 1, err));
    TRY(run(p, 0, &seconds, err));
    for (seconds = 0; seconds < RUN_SECONDS && *rounds < 1 << 24;) {
        TRY(rt_list_set_int(p->list, RT_VAR_STEP, *rounds *= 2, err));
        TRY(run(p, 0, &seconds, err));
    }
    return CONVOY_OK;
}

/* The shortest run of each way. They take turns, so that what else the machine does meets all of them. */
static convoy_status time_ways(probe *p, convoy_error *err)
{
    int rounds;
    double least[MOST_WAYS] = {0}, seconds;
    TRY(choose_rounds(p, &rounds, err));
    for (int k = 0; k <= RUNS; k++) /* the first, which may compile, does not count */
        for (size_t i = 0; i < p->count; i++) {
            if (k > 1 && least[i] / p->way[i].width > HOPELESS * least[0] / p->way[0].width)
                continue;
            TRY(run(p, i, &seconds, err));
            if (k == 1 || seconds < least[i])
                least[i] = seconds;
        }
    for (size_t i = 0; i < p->count; i++)
        p->way[i].gflops = 1e-9 * 2.0 * p->way[i].width * CHAINS * TURNS * rounds * (double)p->items / least[i];
    return CONVOY_OK;
}

static convoy_status measure(probe *p, convoy_error *err)
{
    list_ways(p);
    p->items = (size_t)p->ctx->info.compute_units * ITEMS_PER_UNIT;
    TRY(rt_buffer_create(p->ctx, p->items * 16 * sizeof(float), "sums", &p->out, err));
    TRY(rt_list_create(p->ctx, 1, &p->list, err));
    TRY(rt_list_compile(p->list, add_ways, p, err));
    return time_ways(p, err);
}

/* "fma VW=8; GFLOP/s: fma 78.1, mad 77.9, elementwise 78.0, VW=4 39.5, VW=16 77.0" */
static void describe(const probe *p, char *out, size_t size)
{
    const driver_way *best = driver_pick(p->way, p->count);
    snprintf(out, size, "%s VW=%u; GFLOP/s:", best->form, best->width);
    for (size_t i = 0; i < p->count; i++) {
        size_t used = strlen(out);
        if (i < FORMS)
            snprintf(out + used, size - used, "%s %s %.1f", i ? "," : "", p->way[i].form, p->way[i].gflops);
        else
            snprintf(out + used, size - used, ", VW=%u %.1f", p->way[i].width, p->way[i].gflops);
    }
}

static convoy_status measure_and_describe(convoy_context *ctx, char *out, size_t size, convoy_error *err)
{
    probe p = {.ctx = ctx};
    const void *mark = rt_try_mark(ctx);
    rt_try_begin(ctx);
    convoy_status status = measure(&p, err);
    rt_try_end(ctx);
    rt_settle(ctx);
    rt_list_destroy(p.list);
    rt_buffer_destroy(p.out);
    rt_try_forget(ctx, mark);
    if (status == CONVOY_OK)
        describe(&p, out, size);
    return status;
}

/* ---- keeping and choosing ---- */

/* Takes what describe wrote; false: it is not that. */
static bool take(convoy_context *ctx, const char *text)
{
    char form[16];
    unsigned width;
    if (sscanf(text, "%15s VW=%u", form, &width) != 2 || driver_form_options(form) == NULL || (width != 4 && width != 8 && width != 16))
        return false;
    const char *options = driver_form_options(form);
    snprintf(ctx->build_options, sizeof ctx->build_options, FIXED_OPTIONS "%s%s", options[0] ? " " : "", options);
    ctx->vector_width = width;
    text_copy(ctx->driver_ways, sizeof ctx->driver_ways, text);
    return true;
}

convoy_status driver_choose(convoy_context *ctx, convoy_error *err)
{
    char text[RECORD_VALUE], path[PATH_MAX];
    convoy_error why = {0};
    const char *known = rt_record_find(ctx, KEY);
    if (!ctx->tuning || ctx->described || !rt_wants_vectors(ctx) || (known && take(ctx, known)))
        return CONVOY_OK;
    /* What can't be kept would be measured at every start. */
    if (ctx->cache_dir[0] == '\0' || file_make_folder(ctx->cache_dir, NULL) != CONVOY_OK)
        return CONVOY_OK;
    convoy_status status = measure_and_describe(ctx, text, sizeof text, &why);
    if (status == CONVOY_ERROR_BUILD) {
        snprintf(ctx->driver_ways, sizeof ctx->driver_ways, "not measured: %.100s", why.message);
        return CONVOY_OK;
    }
    if (status != CONVOY_OK) {
        if (err)
            *err = why;
        return status;
    }
    (void)take(ctx, text);
    unsigned chosen = ctx->vector_width;
    ctx->vector_width = rt_native_width(ctx); /* whose file it is kept in */
    status = rt_record_learn(ctx, KEY, text, 0.0, err);
    if (status == CONVOY_OK && rt_records_save(ctx, path, sizeof path, &why) != CONVOY_OK)
        text_copy(ctx->driver_ways, sizeof ctx->driver_ways, why.message);
    ctx->vector_width = chosen;
    return status;
}
