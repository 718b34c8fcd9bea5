/* What bench measures of a training step's launches, one by one. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "train/bench.h"

/* A launch list's times: values[launch * steps + step] in seconds. */
typedef struct profile {
    bench *b;
    trainer *trainer;
    rt_list *list;
    size_t launches, steps;
    bool by_clock;          /* each launch alone, by the host's clock: for drivers whose events do not tell the time */
    double *values;
    double *flops, *bytes;  /* of one step, a launch each */
    rt_profile_row *before; /* sums of all steps until now, a launch each */
} profile;

static convoy_status create(profile *p, convoy_error *err)
{
    p->list = plan_list(trainer_plan(p->trainer));
    p->launches = rt_list_length(p->list);
    p->steps = (size_t)p->b->options.steps;
    p->values = calloc(p->launches, p->steps * sizeof *p->values);
    p->flops = calloc(p->launches, sizeof *p->flops);
    p->bytes = calloc(p->launches, sizeof *p->bytes);
    p->before = calloc(p->launches, sizeof *p->before);
    bool all = p->values != NULL && p->flops != NULL && p->bytes != NULL && p->before != NULL;
    return all ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static void destroy(profile *p)
{
    free(p->values);
    free(p->flops);
    free(p->bytes);
    free(p->before);
}

/* ---- steps ---- */

/* Plays the step's launches and waits for them; by the clock, one after another. */
static convoy_status play_step(profile *p, size_t step, convoy_error *err)
{
    size_t batch = (size_t)p->b->options.batch_size, batches = convoy_dataset_count(p->b->data) / batch;
    TRY(trainer_begin_step(p->trainer, step % batches * batch, (int)batch, err));
    TRY(rt_finish(p->b->ctx, err));
    if (!p->by_clock)
        TRY(rt_list_play(p->list, 0, p->launches, err));
    for (size_t i = 0; p->by_clock && i < p->launches; i++) {
        double start = clock_seconds();
        TRY(rt_list_play(p->list, i, i + 1, err));
        TRY(rt_finish(p->b->ctx, err));
        p->values[i * p->steps + step] = clock_seconds() - start;
    }
    TRY(rt_finish(p->b->ctx, err));
    return trainer_end_step(p->trainer, err);
}

/* Sums of a row before the step and after it differ by what the step took. */
static convoy_status collect_step(profile *p, size_t step, convoy_error *err)
{
    for (size_t i = 0; i < p->launches; i++) {
        rt_profile_row now, *before = &p->before[i];
        TRY(rt_list_profile(p->list, i, &now, err));
        if (!p->by_clock)
            p->values[i * p->steps + step] = now.seconds - before->seconds;
        p->flops[i] = now.flops - before->flops;
        p->bytes[i] = now.bytes - before->bytes;
        *before = now;
    }
    return CONVOY_OK;
}

static convoy_status run_steps(profile *p, convoy_error *err)
{
    for (size_t step = 0; step < BENCH_WARM; step++) {
        TRY(play_step(p, step % p->steps, err));
        TRY(collect_step(p, step % p->steps, err));
    }
    for (size_t step = 0; step < p->steps; step++) {
        if (step % 8 == 0)
            TRY(bench_progress(p->b, "the launches of a training step", (int)step, (int)p->steps, err));
        TRY(play_step(p, step, err));
        TRY(collect_step(p, step, err));
    }
    return CONVOY_OK;
}

/* ---- the result ---- */

static void fill_launch(convoy_bench_launch *out, const profile *p, size_t i)
{
    const rt_profile_row *row = &p->before[i];
    double seconds = bench_median(p->values + i * p->steps, p->steps);
    text_copy(out->label, sizeof out->label, row->label);
    text_copy(out->kernel, sizeof out->kernel, row->kernel);
    text_copy(out->variant, sizeof out->variant, row->variant);
    out->microseconds = seconds * 1e6;
    /* A clock coarser than the launch may see no time at all. */
    out->gflops = seconds > 0 ? p->flops[i] / seconds * 1e-9 : 0;
    out->gbytes_per_second = seconds > 0 ? p->bytes[i] / seconds * 1e-9 : 0;
}

static void fill_launches(convoy_bench_result *r, const profile *p)
{
    double flops = 0;
    r->launch_microseconds = 0;
    for (size_t i = 0; i < p->launches; i++) {
        fill_launch(&r->launches[i], p, i);
        r->launch_microseconds += r->launches[i].microseconds;
        flops += p->flops[i];
    }
    for (size_t i = 0; i < p->launches && r->launch_microseconds > 0; i++)
        r->launches[i].share = r->launches[i].microseconds / r->launch_microseconds;
    r->step_gflops = flops / r->step_microseconds * 1e-3;
}

static convoy_status measure(profile *p, convoy_error *err)
{
    convoy_bench_result *r = p->b->result;
    TRY(create(p, err));
    r->launches = calloc(p->launches, sizeof *r->launches);
    if (r->launches == NULL)
        return OUT_OF_MEMORY(err);
    r->launch_count = p->launches;
    TRY(run_steps(p, err));
    fill_launches(r, p);
    if (r->launch_microseconds > 0.01 * r->step_microseconds)
        return CONVOY_OK;
    /* Seen with Mesa's Rusticl 22.3: every launch ends a nanosecond after it starts. */
    rt_message(p->b->ctx, "the driver of %s does not tell how long launches take: each is timed alone by the host's clock, "
               "which adds the cost of a launch", convoy_context_device(p->b->ctx)->name);
    p->by_clock = true;
    TRY(run_steps(p, err));
    fill_launches(r, p);
    return CONVOY_OK;
}

convoy_status bench_launches(bench *b, trainer *t, convoy_error *err)
{
    profile p = {.b = b, .trainer = t};
    TRY(rt_set_profile(b->ctx, true, err));
    convoy_status status = measure(&p, err);
    destroy(&p);
    TRY(status);
    return rt_set_profile(b->ctx, false, err);
}
