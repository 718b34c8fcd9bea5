#include "ops/conv2d/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"

/* Neighbours are tried of candidates that are at most so many times slower than the fastest. */
#define NEAR 1.3

enum { DRAWS = 256 }; /* random draws before the space counts as used up */

void conv_search_begin(conv_search *s, const convoy_context *ctx, const conv_problem *problem)
{
    *s = (conv_search){.ctx = ctx, .problem = problem, .row_at = conv_variant_at, .seed = 1};
}

void conv_search_end(conv_search *s)
{
    free(s->trials);
    *s = (conv_search){0};
}

/* ---- what may be tried ---- */

static int param_count(const conv_variant *v)
{
    int n = 0;
    while (n < CONV_MAX_PARAMS && v->params[n].name)
        n++;
    return n;
}

static bool same(const conv_choice *a, const conv_choice *b)
{
    return a->variant == b->variant &&
           memcmp(a->params, b->params, (size_t)param_count(a->variant) * sizeof a->params[0]) == 0;
}

/* As large as one that did not work, in every parameter. */
static bool beyond(const conv_choice *c, const conv_choice *hopeless)
{
    if (c->variant != hopeless->variant)
        return false;
    for (int k = 0; k < param_count(c->variant); k++)
        if (c->params[k] < hopeless->params[k])
            return false;
    return true;
}

static bool is_bad(const conv_search *s, const conv_choice *c)
{
    char key[192], text[192];
    conv_problem_key(s->problem, key, sizeof key);
    conv_choice_text(c, text, sizeof text);
    return rt_record_is_bad(s->ctx, key, text);
}

static bool give_out(conv_search *s, const conv_choice *c, conv_choice *out)
{
    if (!conv_choice_fits(s->ctx, s->problem, c))
        return false;
    for (size_t i = 0; i < s->count; i++)
        if (same(&s->trials[i].choice, c) || (isinf(s->trials[i].seconds) && beyond(c, &s->trials[i].choice)))
            return false;
    if (s->count > 0 && is_bad(s, c)) /* the untuned choice is tried in any case */
        return false;
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        conv_trial *trials = realloc(s->trials, capacity * sizeof *trials);
        s->failed |= trials == NULL;
        if (trials == NULL)
            return false;
        s->trials = trials;
        s->capacity = capacity;
    }
    s->trials[s->count++] = (conv_trial){*c, NAN};
    *out = *c;
    return true;
}

/* ---- where to begin ---- */

/* A variant whose kernels are made for this kind of device. */
static bool is_native(const conv_search *s, const conv_variant *v)
{
    bool last_resort = strcmp(v->family, "plain") == 0 && s->trials[0].choice.variant != v;
    return rt_family_preferred(s->ctx, v->family) && !last_resort;
}

static bool next_start(conv_search *s, conv_choice *out)
{
    conv_choice c;
    const conv_variant *v;
    if (s->count == 0) {
        conv_choose_untuned(s->ctx, s->problem, &c);
        return give_out(s, &c, out);
    }
    conv_choose(s->ctx, s->problem, &c);
    if (give_out(s, &c, out))
        return true;
    for (int foreign = 0; foreign <= s->foreign; foreign++)
        for (size_t i = 0; (v = s->row_at(i)) != NULL; i++)
            if (is_native(s, v) != foreign && conv_choice_defaults(s->ctx, s->problem, v, &c) && give_out(s, &c, out))
                return true;
    return false;
}

/* ---- where to go on ---- */

/* Moves parameter k to the next listed value up (+1) or down (-1). */
static bool step(conv_choice *c, int k, int direction)
{
    const int *values = c->variant->params[k].values;
    int found = 0;
    for (int i = 0; i < CONV_MAX_VALUES && values[i] != 0; i++) {
        bool ahead = direction > 0 ? values[i] > c->params[k] : values[i] < c->params[k];
        bool nearer = found == 0 || (direction > 0 ? values[i] < found : values[i] > found);
        if (ahead && nearer)
            found = values[i];
    }
    if (found != 0)
        c->params[k] = found;
    return found != 0;
}

static bool next_single(conv_search *s, const conv_choice *from, conv_choice *out)
{
    for (int k = 0; k < param_count(from->variant); k++)
        for (int direction = 1; direction >= -1; direction -= 2) {
            conv_choice c = *from;
            if (step(&c, k, direction) && give_out(s, &c, out))
                return true;
        }
    return false;
}

/* One parameter up, another one down: what a tile gains in one direction it gives in the other. */
static bool next_pair(conv_search *s, const conv_choice *from, conv_choice *out)
{
    for (int up = 0; up < param_count(from->variant); up++)
        for (int down = 0; down < param_count(from->variant); down++) {
            conv_choice c = *from;
            if (up != down && step(&c, up, 1) && step(&c, down, -1) && give_out(s, &c, out))
                return true;
        }
    return false;
}

/* The fastest trial slower than `than`, ties by order. */
static const conv_trial *next_fastest(const conv_search *s, const conv_trial *than)
{
    const conv_trial *best = NULL;
    for (const conv_trial *t = s->trials; t < s->trials + s->count; t++) {
        bool after = than == NULL || t->seconds > than->seconds || (t->seconds == than->seconds && t > than);
        if (after && isfinite(t->seconds) && (best == NULL || t->seconds < best->seconds))
            best = t;
    }
    return best;
}

static bool next_neighbour(conv_search *s, bool (*move)(conv_search *, const conv_choice *, conv_choice *),
                           conv_choice *out)
{
    const conv_trial *fastest = next_fastest(s, NULL);
    for (const conv_trial *t = fastest; t != NULL && t->seconds <= NEAR * fastest->seconds; t = next_fastest(s, t))
        if (move(s, &t->choice, out)) /* which may move the trials */
            return true;
    return false;
}

static uint32_t draw(conv_search *s, uint32_t below) { return philox_word(s->seed, PHILOX_TEST, 23, s->draws++) % below; }

static bool next_random(conv_search *s, conv_choice *out)
{
    const conv_variant *v, *rows[64];
    uint32_t count = 0;
    for (size_t i = 0; (v = s->row_at(i)) != NULL && count < 64; i++)
        if (v->pass == s->problem->pass && param_count(v) > 0 && is_native(s, v))
            rows[count++] = v;
    for (int tries = 0; count > 0 && tries < DRAWS; tries++) {
        conv_choice c = {.variant = rows[draw(s, count)]};
        for (int k = 0; k < param_count(c.variant); k++) {
            uint32_t values = 0;
            while (values < CONV_MAX_VALUES && c.variant->params[k].values[values] != 0)
                values++;
            c.params[k] = c.variant->params[k].values[draw(s, values)];
        }
        if (give_out(s, &c, out))
            return true;
    }
    return false;
}

bool conv_search_next(conv_search *s, conv_choice *out)
{
    return next_start(s, out) || next_neighbour(s, next_single, out) || next_neighbour(s, next_pair, out) ||
           next_random(s, out);
}

void conv_search_result(conv_search *s, double seconds) { s->trials[s->count - 1].seconds = seconds; }
void conv_search_hopeless(conv_search *s) { conv_search_result(s, INFINITY); }
