/* Tunes a model: collects its problems from a plan, shares the time out among them, keeps what is found. */
#include "convoy/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/options.h"
#include "base/text.h"
#include "ops/conv2d/tune.h"
#include "ops/gemm_tune.h"
#include "plan/plan.h"

/* The part of the time that is kept for CLBlast's parameters, where CLBlast multiplies. */
#define GEMM_PART 0.2

typedef struct problem {
    conv_job job;          /* points to the shape; has no buffers */
    conv_shape shape;
    convoy_tune_row row;
    double untuned;        /* seconds; 0: not measured yet */
    bool done;
} problem;

typedef struct tuning {
    convoy_context *ctx;
    const convoy_tune_options *options;
    problem *problems;
    size_t count;
    bool no_memory;        /* while collecting */
    double start, seconds, gemm_seconds; /* of which for CLBlast's parameters */
    problem *current;
    size_t position;       /* of the current one, from 1 */
    bool stopped;
    convoy_tune_result result;
} tuning;

/* ---- which problems there are ---- */

static void note(void *user, const void *what)
{
    tuning *t = user;
    const conv_job *job = what;
    char key[192];
    conv_problem_key(&job->problem, key, sizeof key);
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->problems[i].row.problem, key) == 0) {
            t->problems[i].row.layers++;
            return;
        }
    problem *problems = realloc(t->problems, (t->count + 1) * sizeof *problems);
    t->no_memory |= problems == NULL;
    if (problems == NULL)
        return;
    t->problems = problems;
    problem *p = &problems[t->count];
    *p = (problem){.job = *job, .shape = *job->problem.shape, .row = {.layers = 1, .index = t->count++}};
    const char *pass = strchr(conv_pass_key(job->problem.pass), ' ') + 1;
    text_copy(p->row.pass, sizeof p->row.pass, job->role ? job->role : pass);
    text_copy(p->row.problem, sizeof p->row.problem, key);
    text_copy(p->row.layer, sizeof p->row.layer, job->layer);
}

static convoy_status write_plan(void *user, rt_list *list, convoy_error *err)
{
    plan *p = user;
    (void)list;
    TRY(plan_add_forward(p, err));
    return plan_d_output(p) ? plan_add_backward(p, err) : CONVOY_OK;
}

/* A plan is made for its launches alone: as it collects what to build it tells what it asks of the kernels. */
static convoy_status collect(tuning *t, const convoy_model *model, int batch, convoy_error *err)
{
    plan *p = NULL;
    plan_options options = {.batch = batch, .training = true};
    TRY(plan_create(t->ctx, model, &options, &p, err));
    rt_list_watch(plan_list(p), note, t);
    convoy_status status = rt_list_collect(plan_list(p), write_plan, p, err);
    plan_destroy(p);
    for (size_t i = 0; i < t->count; i++) {
        t->problems[i].job.problem.shape = &t->problems[i].shape;
        t->problems[i].job.buffers = NULL;
    }
    if (status == CONVOY_OK && t->no_memory)
        return OUT_OF_MEMORY(err);
    return status;
}

/* ---- time ---- */

static double gone(const tuning *t) { return clock_seconds() - t->start; }

static bool report(tuning *t)
{
    convoy_tune_progress now = {.seconds = gone(t), .total_seconds = t->seconds, .problem = t->position,
                                .problems = t->count, .row = &t->current->row};
    if (t->options->on_progress && t->options->on_progress(t->options->user, &now) != 0)
        t->stopped = true;
    return !t->stopped;
}

static void set_times(problem *p, double untuned, double tuned)
{
    p->row.untuned_microseconds = 1e6 * untuned;
    p->row.tuned_microseconds = 1e6 * tuned;
}

static convoy_status write_untuned(void *user, rt_list *list, convoy_error *err)
{
    const tuning *t = user;
    for (size_t i = 0; i < t->count; i++)
        TRY(conv_collect_untuned(list, t->ctx, &t->problems[i].job, err));
    return CONVOY_OK;
}

static convoy_status build_untuned(tuning *t, convoy_error *err)
{
    rt_list *list = NULL;
    TRY(rt_list_create(t->ctx, 1, &list, err));
    convoy_status status = rt_list_collect(list, write_untuned, t, err);
    if (status == CONVOY_OK)
        status = rt_list_build(list, err);
    rt_list_destroy(list);
    return status;
}

static convoy_status measure_untuned(tuning *t, convoy_error *err)
{
    TRY(build_untuned(t, err));
    for (size_t i = 0; i < t->count && gone(t) < t->seconds; i++) {
        problem *p = t->current = &t->problems[i];
        conv_choice choice;
        if (!report(t))
            return CONVOY_OK;
        conv_choose_untuned(t->ctx, &p->job.problem, &choice);
        conv_choice_text(&choice, p->row.untuned, sizeof p->row.untuned);
        text_copy(p->row.tuned_to, sizeof p->row.tuned_to, p->row.untuned);
        TRY(conv_time_untuned(t->ctx, &p->job, &p->untuned, err));
        set_times(p, p->untuned, p->untuned);
    }
    return CONVOY_OK;
}

static double weight(const problem *p) { return p->done ? 0.0 : p->untuned * p->row.layers; }

/* The problem that takes the most of a step, of those that are left. */
static problem *heaviest(tuning *t)
{
    problem *most = NULL;
    for (size_t i = 0; i < t->count; i++)
        if (weight(&t->problems[i]) > (most ? weight(most) : 0.0))
            most = &t->problems[i];
    return most;
}

/* Its share of what is left of the time. */
static double share(const tuning *t, const problem *p)
{
    double all = 0.0;
    for (size_t i = 0; i < t->count; i++)
        all += weight(&t->problems[i]);
    return (t->seconds - t->gemm_seconds - gone(t)) * weight(p) / all;
}

/* ---- one after another ---- */

static void take_result(problem *p, const conv_tune_result *r)
{
    set_times(p, r->untuned, r->tuned);
    text_copy(p->row.untuned, sizeof p->row.untuned, r->untuned_text);
    text_copy(p->row.tuned_to, sizeof p->row.tuned_to, r->tuned_text);
    text_copy(p->row.wrong_text, sizeof p->row.wrong_text, r->wrong_text);
    p->row.tried = r->tried;
    p->row.wrong = r->wrong;
    p->row.tuned = r->tried > 0;
}

static bool on_trial(void *user, const conv_tune_result *so_far)
{
    tuning *t = user;
    take_result(t->current, so_far);
    return report(t);
}

static convoy_status keep(tuning *t, const problem *p, convoy_error *err)
{
    if (!p->row.tuned)
        return CONVOY_OK;
    TRY(rt_record_learn(t->ctx, p->row.problem, p->row.tuned_to, p->row.tuned_microseconds, err));
    return rt_records_save(t->ctx, t->result.saved, sizeof t->result.saved, err);
}

static convoy_status tune_problem(tuning *t, problem *p, convoy_error *err)
{
    conv_tune_result r;
    conv_tune_options o = {.until = clock_seconds() + share(t, p), .on_trial = on_trial, .user = t};
    t->current = p;
    t->position++;
    p->done = true;
    if (!report(t))
        return CONVOY_OK;
    TRY(conv_tune(t->ctx, &p->job, &o, &r, err));
    take_result(p, &r);
    TRY(keep(t, p, err));
    if (t->options->on_row && t->options->on_row(t->options->user, &p->row) != 0)
        t->stopped = true;
    return CONVOY_OK;
}

/* ---- CLBlast ---- */

/* The problems that CLBlast computes, by what the records say now. Returns how many. */
static size_t gemm_jobs(const tuning *t, conv_job *out)
{
    size_t count = 0;
    for (size_t i = 0; rt_family_preferred(t->ctx, "gemm") && i < t->count; i++) {
        conv_choice choice;
        conv_choose(t->ctx, &t->problems[i].job.problem, &choice);
        if (strcmp(choice.variant->family, "gemm") != 0)
            continue;
        if (out)
            out[count] = t->problems[i].job;
        count++;
    }
    return count;
}

static convoy_status keep_gemm(tuning *t, const gemm_tune_result *r, convoy_error *err)
{
    char key[64];
    convoy_tune_result *all = &t->result;
    all->clblast_untuned_microseconds = 1e6 * r->own;
    all->clblast_tuned_microseconds = 1e6 * r->tuned;
    for (size_t i = 0; i < r->count; i++) {
        size_t used = strlen(all->clblast);
        rt_gemm_key(r->best[i]->kernel, key, sizeof key);
        TRY(rt_record_learn(t->ctx, key, r->best[i]->values, 1e6 * r->tuned, err));
        snprintf(all->clblast + used, sizeof all->clblast - used, "%s%s %s", used ? "; " : "", r->best[i]->kernel,
                 r->best[i]->values);
    }
    return r->count > 0 ? rt_records_save(t->ctx, all->saved, sizeof all->saved, err) : CONVOY_OK;
}

static bool goes_on(void *user) { return report(user); }

/* Last, because CLBlast keeps in this process what is tried (rt_gemm_set). */
static convoy_status tune_gemm(tuning *t, convoy_error *err)
{
    gemm_tune_result r;
    conv_job *jobs = calloc(t->count + 1, sizeof *jobs);
    if (jobs == NULL)
        return OUT_OF_MEMORY(err);
    size_t count = gemm_jobs(t, jobs);
    convoy_status status = CONVOY_OK;
    if (count > 0 && !t->stopped && gone(t) < t->seconds) {
        status = gemm_tune(t->ctx, jobs, count, t->start + t->seconds, goes_on, t, &r, err);
        if (status == CONVOY_OK)
            status = keep_gemm(t, &r, err);
    }
    free(jobs);
    return status;
}

static convoy_status tune_all(tuning *t, convoy_error *err)
{
    problem *p;
    TRY(measure_untuned(t, err));
    t->gemm_seconds = gemm_jobs(t, NULL) > 0 ? GEMM_PART * t->seconds : 0.0;
    while (!t->stopped && gone(t) < t->seconds - t->gemm_seconds && (p = heaviest(t)) != NULL)
        TRY(tune_problem(t, p, err));
    return tune_gemm(t, err);
}

/* ---- results ---- */

static bool improved(const problem *p) { return strcmp(p->row.untuned, p->row.tuned_to) != 0; }

/* Only what is better than untuned: other devices of the class have untuned choices of their own. */
static convoy_status export_records(tuning *t, convoy_error *err)
{
    size_t count = 0;
    rt_record *items = calloc(t->count + 1, sizeof *items);
    if (items == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < t->count; i++)
        if (improved(&t->problems[i]))
            items[count++] = (rt_record){t->problems[i].row.problem, t->problems[i].row.tuned_to,
                                         t->problems[i].row.tuned_microseconds};
    convoy_status status = rt_records_export(t->ctx, t->options->export_file,
                                             t->options->how ? t->options->how : "convoy_tune", items, count, err);
    free(items);
    return status;
}

static void sum_up(tuning *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const problem *p = &t->problems[i];
        t->result.improved += improved(p);
        t->result.untuned_microseconds += p->row.untuned_microseconds * p->row.layers;
        t->result.tuned_microseconds += p->row.tuned_microseconds * p->row.layers;
    }
    t->result.problems = t->count;
    t->result.seconds = gone(t);
}

static convoy_status run(tuning *t, const convoy_model *model, int batch, convoy_error *err)
{
    char path[sizeof t->result.saved];
    TRY(collect(t, model, batch, err));
    TRY(rt_records_save(t->ctx, path, sizeof path, err)); /* if that can't be done, better now than after all the work */
    const void *mark = rt_try_mark(t->ctx);
    rt_try_begin(t->ctx);
    convoy_status status = tune_all(t, err);
    rt_try_end(t->ctx);
    rt_try_forget(t->ctx, mark);
    TRY(status);
    /* Those that the time did not suffice for; tuned ones had theirs. */
    for (size_t i = 0; !t->stopped && i < t->count; i++)
        if (!t->problems[i].done && t->options->on_row && t->options->on_row(t->options->user, &t->problems[i].row) != 0)
            t->stopped = true;
    if (t->options->export_file)
        TRY(export_records(t, err));
    return t->stopped ? base_fail(err, CONVOY_ERROR_INTERRUPTED, "interrupted") : CONVOY_OK;
}

convoy_status convoy_tune_sized(convoy_context *ctx, const convoy_model *model, const convoy_tune_options *options,
                                size_t options_size, convoy_tune_result *result, convoy_error *err)
{
    TAKE_OPTIONS(convoy_tune_options, own, options, options_size, err);
    tuning t = {.ctx = ctx, .options = &own, .start = clock_seconds(), .seconds = own.seconds > 0.0 ? own.seconds : 30.0};
    if (own.batch_size < 0 || own.seconds < 0.0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "a batch of %d images, %g seconds; neither can be negative",
                         own.batch_size, own.seconds);
    if (rt_kernels_forced(ctx))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "the context forces which kernels run (variant, gemm): tuning could try "
                         "only a part of them, and would remember it as the best; leave the choice open");
    convoy_status status = run(&t, model, own.batch_size ? own.batch_size : 64, err);
    sum_up(&t);
    if (result)
        *result = t.result;
    free(t.problems);
    return status;
}
