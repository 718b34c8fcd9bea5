#include "ops/gemm_tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ops/conv2d/probe.h"

/* Settings can't take turns, because each has to be built anew: a winner must be faster by more than where they do. */
#define MARGIN 0.05

enum { PLAYS = 4, ROUNDS = 6 };

typedef struct product {
    conv_probe *probe;
    conv_candidate candidate;
} product;

typedef struct bench {
    convoy_context *ctx;
    product *products;
    size_t count;
    double until;
    bool (*go_on)(void *user);
    void *user;
    gemm_tune_result *result;
} bench;

/* One is tried in any case. */
static bool goes_on(const bench *b)
{
    return b->result->tried == 0 || (clock_seconds() < b->until && b->go_on(b->user));
}

static const conv_variant *gemm_row(conv_pass pass)
{
    const conv_variant *v;
    for (size_t i = 0; (v = conv_variant_at(i)) != NULL; i++)
        if (v->pass == pass && strcmp(v->family, "gemm") == 0)
            return v;
    return NULL;
}

static convoy_status open_products(bench *b, const conv_job *jobs, convoy_error *err)
{
    for (size_t i = 0; i < b->count; i++) {
        product *p = &b->products[i];
        conv_choice choice = {.variant = gemm_row(jobs[i].problem.pass)};
        TRY(conv_probe_create(b->ctx, &jobs[i], &p->probe, err));
        TRY(conv_candidate_build(p->probe, &choice, &p->candidate, err));
    }
    return CONVOY_OK;
}

static void close_products(bench *b)
{
    rt_settle(b->ctx);
    for (size_t i = 0; i < b->count; i++) {
        conv_candidate_clear(&b->products[i].candidate);
        conv_probe_destroy(b->products[i].probe);
    }
    free(b->products);
}

/* Builds, too. */
static convoy_status check(bench *b, bool *right, convoy_error *err)
{
    *right = true;
    for (size_t i = 0; i < b->count && *right; i++) {
        product *p = &b->products[i];
        double error;
        TRY(conv_candidate_run(p->probe, &p->candidate, err));
        TRY(conv_probe_compare(p->probe, &error, NULL, 0, err));
        *right = error <= 1.0;
    }
    return CONVOY_OK;
}

/* Seconds of all products, each at its shortest. */
static convoy_status measure(bench *b, double *seconds, convoy_error *err)
{
    *seconds = 0.0;
    for (size_t i = 0; i < b->count; i++) {
        double shortest = INFINITY, one;
        for (int round = 0; round < ROUNDS; round++) {
            TRY(conv_candidate_time(b->products[i].probe, &b->products[i].candidate, PLAYS, &one, err));
            shortest = fmin(shortest, one);
        }
        *seconds += shortest;
    }
    return CONVOY_OK;
}

/* *seconds INFINITY: it does not work. */
static convoy_status try_setting(bench *b, const rt_gemm_setting *setting, double *seconds, convoy_error *err)
{
    char key[64];
    bool right = false;
    convoy_error its_error;
    *seconds = INFINITY;
    rt_gemm_key(setting->kernel, key, sizeof key);
    if (rt_record_is_bad(b->ctx, key, setting->values))
        return CONVOY_OK;
    if (rt_gemm_set(b->ctx, setting->kernel, setting->values, &its_error) != CONVOY_OK ||
        check(b, &right, &its_error) != CONVOY_OK || !right)
        return rt_record_mark_bad(b->ctx, key, setting->values, err);
    return measure(b, seconds, err);
}

/* The settings of one kernel, which begin at *i; afterwards *i is past them. *now is what all products take before and after. */
static convoy_status tune_kernel(bench *b, size_t *i, double *now, convoy_error *err)
{
    gemm_tune_result *r = b->result;
    const rt_gemm_setting *setting, *best = NULL, *fastest = NULL;
    const char *kernel = rt_gemm_setting_at(*i)->kernel;
    double least = INFINITY, winner = *now, seconds, again;
    for (; (setting = rt_gemm_setting_at(*i)) != NULL && strcmp(setting->kernel, kernel) == 0; ++*i) {
        if (!goes_on(b))
            continue;
        TRY(try_setting(b, setting, &seconds, err));
        r->tried++;
        if (seconds < least) {
            least = seconds;
            fastest = setting;
        }
        if (!(seconds < (1.0 - MARGIN) * winner))
            continue;
        TRY(measure(b, &again, err));
        if (again < (1.0 - MARGIN) * winner) {
            best = setting;
            winner = fmax(seconds, again);
        }
    }
    if (best) {
        r->best[r->count++] = best;
        r->tuned *= winner / *now;
    }
    if (fastest == NULL)
        return CONVOY_OK;
    *now = best ? winner : least;
    return rt_gemm_set(b->ctx, kernel, (best ? best : fastest)->values, err);
}

static convoy_status tune_kernels(bench *b, convoy_error *err)
{
    bool right;
    double now;
    TRY(check(b, &right, err));
    if (!right)
        return base_fail(err, CONVOY_ERROR_DEVICE, "CLBlast's products are wrong on %s; builtin as option 'gemm' does without it",
                         convoy_context_device(b->ctx)->name);
    TRY(measure(b, &now, err));
    b->result->own = b->result->tuned = now;
    for (size_t i = 0; rt_gemm_setting_at(i) != NULL && goes_on(b);)
        TRY(tune_kernel(b, &i, &now, err));
    return CONVOY_OK;
}

convoy_status gemm_tune(convoy_context *ctx, const conv_job *jobs, size_t count, double until, bool (*go_on)(void *user), void *user,
                        gemm_tune_result *result, convoy_error *err)
{
    bench b = {.ctx = ctx, .count = count, .products = calloc(count + 1, sizeof *b.products), .until = until,
               .go_on = go_on, .user = user, .result = result};
    *result = (gemm_tune_result){0};
    if (b.products == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = open_products(&b, jobs, err);
    if (status == CONVOY_OK)
        status = tune_kernels(&b, err);
    close_products(&b);
    return status;
}
