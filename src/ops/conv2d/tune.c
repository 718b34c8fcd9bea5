#include "ops/conv2d/tune.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "ops/conv2d/probe.h"
#include "ops/conv2d/search.h"

#define MARGIN 0.02         /* a winner is faster by this part, and by twice the noise */
#define LOST 0.05           /* slower by more than this part: no more rounds */
#define SPARE (8u << 20)    /* bytes */
#define LONGEST_BUILD 10.0  /* seconds */
#define FOREIGN_TIME 5.0    /* seconds that must be left to try kernels made for other devices, or CLBlast's, which builds for long */
#define SHORTEST 1e-3       /* seconds that are measured at once: shorter plays are repeated */
#define LONG_PLAY 0.05      /* seconds of a play for which fewer rounds must do */
#define TRUSTED 2e-3        /* seconds: a candidate for a problem that takes longer is tried on a part of the batch first */
#define FAR_TOO_SLOW 6.0    /* times the best: it is not even run on the whole batch ... */
#define HURTS 0.05          /* ... if the part took so many seconds */

enum { KEPT = 64 }; /* programs at most, because some candidates share theirs */
enum { ROUNDS = 5, FINAL_ROUNDS = 9, PART = 8 };

typedef struct race {
    convoy_context *ctx;
    const conv_tune_options *options;
    conv_probe *probe;
    conv_search search;
    conv_candidate untuned, best; /* best.list NULL: the untuned one is */
    double best_seconds;          /* relative to the first measurement of the untuned one, so that drift does not count */
    const void *mark;             /* programs built since are candidates' */
    char key[192];
    conv_tune_result *result;
} race;

static conv_candidate *best_of(race *r) { return r->best.list ? &r->best : &r->untuned; }

/* ---- two take turns ---- */

/* The two shortest times of a play. Noise only adds to a time: how far the two are apart tells how much of it is left in them. */
typedef struct shortest {
    double first, second;
} shortest;

static void note(shortest *s, double seconds)
{
    s->second = fmin(s->second, fmax(s->first, seconds));
    s->first = fmin(s->first, seconds);
}

static double noise(const shortest *s) { return s->second / s->first - 1.0; }

/* By which part b is faster than a, if that is certain; 0: it may as well not be. */
static double certain_gain(const shortest *a, const shortest *b)
{
    double gain = 1.0 - b->first / a->first, doubt = 2.0 * fmax(noise(a), noise(b));
    return gain > doubt ? gain : 0.0;
}

typedef struct outcome {
    double a, b; /* least seconds of a play */
    bool faster; /* b, beyond noise */
} outcome;

static int plays_of(double seconds)
{
    double plays = ceil(SHORTEST / seconds);
    return plays > 200.0 ? 200 : plays > 1.0 ? (int)plays : 1;
}

static convoy_status one_round(race *r, conv_candidate *a, conv_candidate *b, shortest *a_time, shortest *b_time,
                               convoy_error *err)
{
    double seconds;
    int plays = plays_of(r->best_seconds);
    TRY(conv_candidate_time(r->probe, a, plays, &seconds, err));
    note(a_time, seconds);
    TRY(conv_candidate_time(r->probe, b, plays, &seconds, err));
    note(b_time, seconds);
    return CONVOY_OK;
}

/* So many rounds, and up to three times as many while noise is in the way. Unless it goes `to_the_end`, b is given up as soon as
 * it is certain to be slower. */
static convoy_status duel(race *r, conv_candidate *a, conv_candidate *b, int rounds, bool to_the_end, outcome *out,
                          convoy_error *err)
{
    shortest a_time = {INFINITY, INFINITY}, b_time = a_time;
    bool unsure = true, lost = false;
    if (r->best_seconds > LONG_PLAY)
        rounds = rounds / 2 + 1;
    for (int i = 0; i < rounds || (unsure && i < 3 * rounds); i++) {
        /* Who comes first may find the caches cold, or the clock high. */
        if (i % 2 == 0)
            TRY(one_round(r, a, b, &a_time, &b_time, err));
        else
            TRY(one_round(r, b, a, &b_time, &a_time, err));
        if (i == 0)
            continue;
        unsure = fmax(noise(&a_time), noise(&b_time)) > MARGIN && certain_gain(&a_time, &b_time) == 0.0;
        lost = !to_the_end && certain_gain(&b_time, &a_time) > LOST;
        if (lost)
            break;
    }
    *out = (outcome){a_time.first, b_time.first, !lost && certain_gain(&a_time, &b_time) > MARGIN};
    return CONVOY_OK;
}

/* ---- one candidate ---- */

/* TOO_SLOW, WRONG and HOPELESS (it does not build, or for ever) make bad records. */
typedef enum verdict { SLOWER, FASTER, UNUSABLE, TOO_SLOW, WRONG, HOPELESS } verdict;

/* A batch's part first, where the whole might take for ever. The first play compiles. */
static convoy_status first_plays(race *r, conv_candidate *c, verdict *out, convoy_error *err)
{
    int batch = conv_probe_problem(r->probe)->batch;
    double seconds;
    if (r->best_seconds > TRUSTED && batch >= PART) {
        TRY(rt_list_set_batch(c->list, batch / PART, err));
        double slow = fmax(FAR_TOO_SLOW * r->best_seconds / PART, HURTS);
        TRY(conv_candidate_time(r->probe, c, 1, &seconds, err));
        for (int i = 0; seconds > slow && i < 2; i++) /* not for the noise of one play */
            TRY(conv_candidate_time(r->probe, c, 1, &seconds, err));
        if (seconds > slow) {
            *out = TOO_SLOW;
            return CONVOY_OK;
        }
    }
    TRY(rt_list_set_batch(c->list, batch, err));
    return conv_candidate_time(r->probe, c, 1, &seconds, err);
}

static convoy_status check(race *r, conv_candidate *c, verdict *out, convoy_error *err)
{
    double error;
    char message[192] = "";
    TRY(conv_candidate_run(r->probe, c, err));
    TRY(conv_probe_compare(r->probe, &error, message, sizeof message, err));
    if (error <= 1.0)
        return CONVOY_OK;
    *out = WRONG;
    if (r->result->wrong++ == 0)
        snprintf(r->result->wrong_text, sizeof r->result->wrong_text, "%.120s: %s", c->text, message);
    return CONVOY_OK;
}

/* Its scratch must not take much more of the device's memory than the problem itself, or than any device can spare. */
static bool wants_too_much(race *r, const conv_choice *choice)
{
    const conv_problem *problem = conv_probe_problem(r->probe);
    const conv_variant *v = choice->variant, *first = r->untuned.choice.variant;
    size_t scratch = v->scratch ? v->scratch(r->ctx, problem, choice->params) : 0;
    size_t untuned = first->scratch ? first->scratch(r->ctx, problem, r->untuned.choice.params) : 0;
    return scratch > untuned && scratch * sizeof(float) > conv_probe_bytes(r->probe) + untuned * sizeof(float) + SPARE;
}

/* Builds and races; *seconds as best_seconds. */
static convoy_status try_candidate(race *r, const conv_choice *choice, conv_candidate *c, verdict *out, double *seconds,
                                   convoy_error *err)
{
    outcome first, again;
    double start = clock_seconds();
    TRY(conv_candidate_build(r->probe, choice, c, err));
    TRY(first_plays(r, c, out, err));
    if (clock_seconds() - start > LONGEST_BUILD)
        *out = HOPELESS;
    if (*out != SLOWER)
        return CONVOY_OK;
    TRY(duel(r, best_of(r), c, ROUNDS, false, &first, err));
    *seconds = r->best_seconds * first.b / first.a;
    if (!first.faster)
        return CONVOY_OK;
    TRY(check(r, c, out, err));
    if (*out == WRONG)
        return CONVOY_OK;
    TRY(duel(r, best_of(r), c, ROUNDS, false, &again, err));
    *out = again.faster ? FASTER : SLOWER;
    return CONVOY_OK;
}

/* A candidate's failure is not the tuner's, unless the device is no longer good for anything. */
static convoy_status after_failure(race *r, convoy_status status, verdict *out, convoy_error *err)
{
    double seconds;
    if (status == CONVOY_ERROR_MEMORY)
        return OUT_OF_MEMORY(err);
    *out = status == CONVOY_ERROR_DEVICE_MEMORY ? UNUSABLE : HOPELESS;
    return conv_candidate_time(r->probe, best_of(r), 1, &seconds, err);
}

static convoy_status take_turn(race *r, const conv_choice *choice, convoy_error *err)
{
    conv_candidate c = {0};
    verdict v = SLOWER;
    double seconds = NAN;
    convoy_error its_error = {0};
    convoy_status status = CONVOY_OK;
    if (wants_too_much(r, choice))
        v = UNUSABLE;
    else
        status = try_candidate(r, choice, &c, &v, &seconds, &its_error);
    if (status != CONVOY_OK)
        status = after_failure(r, status, &v, err);
    if (status == CONVOY_OK && v >= TOO_SLOW)
        status = rt_record_mark_bad(r->ctx, r->key, c.text, err);
    if (v == HOPELESS)
        conv_search_hopeless(&r->search);
    else
        conv_search_result(&r->search, v == WRONG ? NAN : seconds);
    if (++r->result->tried % KEPT == 0)
        rt_try_forget(r->ctx, r->mark);
    if (v == FASTER) {
        conv_candidate_clear(&r->best);
        r->best = c;
        r->best_seconds = seconds;
        r->result->tuned = seconds;
        snprintf(r->result->tuned_text, sizeof r->result->tuned_text, "%s", c.text);
    } else
        conv_candidate_clear(&c);
    return status;
}

/* ---- all ---- */

static convoy_status time_untuned(race *r, convoy_error *err)
{
    conv_choice choice;
    double seconds;
    conv_choose_untuned(r->ctx, conv_probe_problem(r->probe), &choice);
    TRY(conv_candidate_build(r->probe, &choice, &r->untuned, err));
    TRY(conv_candidate_run(r->probe, &r->untuned, err));
    TRY(conv_candidate_time(r->probe, &r->untuned, 1, &r->best_seconds, err));
    for (int i = 0; i < 3; i++) {
        TRY(conv_candidate_time(r->probe, &r->untuned, plays_of(r->best_seconds), &seconds, err));
        r->best_seconds = fmin(r->best_seconds, seconds);
    }
    return CONVOY_OK;
}

static convoy_status check_untuned(race *r, convoy_error *err)
{
    double error;
    char message[192] = "";
    TRY(conv_candidate_run(r->probe, &r->untuned, err));
    TRY(conv_probe_compare(r->probe, &error, message, sizeof message, err));
    if (error <= 1.0)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_DEVICE, "%s: the untuned kernels (%s) compute wrong values on %s: %s; compare all "
                     "kernels with `convoy check`", r->key, r->untuned.text, convoy_context_device(r->ctx)->name, message);
}

/* What the last race will take. */
static double reserve(const race *r)
{
    double at_once = r->best_seconds * plays_of(r->best_seconds);
    return 2.0 * FINAL_ROUNDS * at_once;
}

static convoy_status run(race *r, convoy_error *err)
{
    conv_choice choice;
    conv_tune_result *result = r->result;
    const conv_tune_options *o = r->options;
    TRY(time_untuned(r, err));
    result->untuned = result->tuned = r->best_seconds;
    snprintf(result->untuned_text, sizeof result->untuned_text, "%s", r->untuned.text);
    snprintf(result->tuned_text, sizeof result->tuned_text, "%s", r->untuned.text);
    if (clock_seconds() > o->until)
        return CONVOY_OK;
    TRY(check_untuned(r, err));
    r->mark = rt_try_mark(r->ctx);
    for (bool first = true; first || clock_seconds() + reserve(r) < o->until; first = false) {
        r->search.foreign = o->until - clock_seconds() > FOREIGN_TIME;
        if (!conv_search_next(&r->search, &choice))
            break;
        if (first) { /* the untuned one */
            conv_search_result(&r->search, r->best_seconds);
            continue;
        }
        TRY(take_turn(r, &choice, err));
        if (o->on_trial && !o->on_trial(o->user, result))
            break;
    }
    return r->search.failed ? OUT_OF_MEMORY(err) : CONVOY_OK;
}

/* A tuned result is never slower than untuned: the winner beats the untuned choice once more, or is none. */
static convoy_status confirm(race *r, convoy_error *err)
{
    outcome last;
    conv_tune_result *result = r->result;
    if (r->best.list == NULL)
        return CONVOY_OK;
    TRY(duel(r, &r->untuned, &r->best, FINAL_ROUNDS, true, &last, err));
    result->untuned = result->tuned = last.a;
    if (last.faster)
        result->tuned = last.b;
    else
        snprintf(result->tuned_text, sizeof result->tuned_text, "%s", result->untuned_text);
    return CONVOY_OK;
}

static void end(race *r)
{
    rt_settle(r->ctx);
    conv_candidate_clear(&r->best);
    conv_candidate_clear(&r->untuned);
    conv_search_end(&r->search);
    conv_probe_destroy(r->probe);
}

convoy_status conv_tune(convoy_context *ctx, const conv_job *job, const conv_tune_options *options, conv_tune_result *result,
                        convoy_error *err)
{
    race r = {.ctx = ctx, .options = options, .result = result};
    *result = (conv_tune_result){0};
    conv_problem_key(&job->problem, r.key, sizeof r.key);
    convoy_status status = conv_probe_create(ctx, job, &r.probe, err);
    if (status == CONVOY_OK) {
        conv_search_begin(&r.search, ctx, conv_probe_problem(r.probe));
        if (options->row_at)
            r.search.row_at = options->row_at;
        status = run(&r, err);
    }
    if (status == CONVOY_OK)
        status = confirm(&r, err);
    if (r.mark)
        rt_try_forget(ctx, r.mark);
    end(&r);
    return status;
}

convoy_status conv_collect_untuned(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    static const conv_buffers none; /* nothing is looked at while collecting */
    conv_choice choice;
    conv_job untuned = *job;
    conv_choose_untuned(ctx, &job->problem, &choice);
    untuned.buffers = &none;
    untuned.params = choice.params;
    return choice.variant->add(list, ctx, &untuned, err);
}

convoy_status conv_time_untuned(convoy_context *ctx, const conv_job *job, double *seconds, convoy_error *err)
{
    race r = {.ctx = ctx};
    convoy_status status = conv_probe_create(ctx, job, &r.probe, err);
    if (status == CONVOY_OK)
        status = time_untuned(&r, err);
    *seconds = r.best_seconds;
    end(&r);
    return status;
}
