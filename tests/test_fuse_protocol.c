/* A model of the protocol by which the work-groups of a persistent kernel share its launches (src/runtime/fuse_text.c), explored through
 * all its interleavings. Each step is one access to a shared counter, or the run of one chunk. A step may come at any time or never, so
 * there are work-groups that are late, held up, or dealt to a thread that runs another one first, as where there are more of them than
 * threads. What must hold in every state that can be reached:
 *
 *   progress   of the work-groups that have begun, one can make a step, even if no other ever begins. Then all end, since no step
 *              leads back to where a work-group was before;
 *   order      a chunk runs when all chunks that its launch waits for are done and seen. A processor may keep to itself what it wrote:
 *              seen is only what was written before a release that was acquired, on the same counter;
 *   once       every chunk runs, and once a play;
 *   renewal    the counters are 0 again for the next play, which may be of another batch.
 *
 * The same exploration finds the fault in each of the protocols below that are wrong on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GROUPS = 3, LAUNCHES = 4, CHUNKS = 3, PLAYS = 2, TABLE = 1 << 20 }; /* at most; TABLE: states */

typedef enum protocol {
    RIGHT,
    OWN_SHARE_ONLY,    /* nobody takes over the chunks of a work-group that has not begun */
    CLAIMS_AHEAD,       /* goes on to the next launch before all chunks of this one are claimed */
    AWAITS_CLAIMED,      /* goes on when the chunks waited for are claimed, done or not */
    ACQUIRES_ELSEWHERE, /* by an atomic operation on another counter than the one that was waited for */
    NEVER_RELEASES,    /* counts a chunk as done without publishing what it wrote */
    FIRST_RENEWS,      /* the first to leave sets the counters to 0 */
    NOBODY_RENEWS,
    TAKES_UNASKED,     /* looks whether a chunk is left, and does not claim it by an atomic operation */
} protocol;

/* What is played. */
typedef struct setting {
    int groups, launches;
    uint8_t waits[LAUNCHES], before[LAUNCHES]; /* launches, a bit each: that it waits for; that are done when it runs */
    uint8_t chunks[PLAYS][LAUNCHES];           /* of each launch: not always one for each work-group */
} setting;

/* A chain, whose end sees its beginning only through the middle; two launches beside each other and one that waits for both; many. */
static const setting settings[] = {
    {.groups = 3, .launches = 3, .waits = {0, 1, 2}, .before = {0, 1, 1 | 2}, .chunks = {{2, 1, 2}, {1, 2, 1}}},
    {.groups = 3, .launches = 3, .waits = {0, 0, 1 | 2}, .before = {0, 0, 1 | 2}, .chunks = {{1, 1, 3}, {2, 1, 1}}},
    {.groups = 2, .launches = 4, .waits = {0, 0, 1 | 2, 4}, .before = {0, 0, 1 | 2, 1 | 2 | 4}, .chunks = {{3, 2, 3, 2}, {1, 3, 1, 3}}},
};

typedef enum place { OUTSIDE, LOOKING, CLAIMING, WAITING, RUNNING, COUNTING, LEAVING, RENEWING, GONE } place;

typedef struct group {
    uint8_t at, launch, k, chunk, waited; /* k: shares that it is through with */
    uint16_t seen;                        /* chunks, a bit each */
} group;

typedef struct system_state {
    uint8_t play, left, done[LAUNCHES], claimed[LAUNCHES][GROUPS];
    uint16_t ran, released[LAUNCHES]; /* released: what who acquires the launch's counter of done chunks sees */
    group groups[GROUPS];
} system_state;

typedef struct exploration {
    protocol protocol;
    const setting *setting;
    system_state *states; /* an open hash table, and a stack of places in it that were not looked at */
    uint32_t *stack;
    bool *used;
    size_t count, waiting;
    const char *fault;
} exploration;

static uint16_t bits_of(const setting *t, int play, unsigned launches)
{
    uint16_t bits = 0;
    for (int l = 0; l < t->launches; l++)
        if (launches >> l & 1)
            bits |= (uint16_t)(((1u << t->chunks[play][l]) - 1) << (l * CHUNKS));
    return bits;
}

static int share_of(const setting *t, int play, int launch) { return (t->chunks[play][launch] + t->groups - 1) / t->groups; }

/* Chunks of a launch that are a work-group's own. */
static int own(const setting *t, int play, int launch, int owner)
{
    int share = share_of(t, play, launch), count = t->chunks[play][launch] - owner * share;
    return count < 0 ? 0 : count < share ? count : share;
}

static void next_launch(const exploration *e, group *g)
{
    g->launch++;
    g->k = g->waited = 0;
    g->at = g->launch < e->setting->launches ? LOOKING : LEAVING;
    if (g->at == LEAVING)
        g->seen = 0; /* it makes no difference any more: fewer states */
}

static void next_share(const exploration *e, group *g)
{
    g->k++;
    g->at = LOOKING;
    if (g->k == (e->protocol == OWN_SHARE_ONLY || (e->protocol == CLAIMS_AHEAD && g->launch < 1) ? 1 : e->setting->groups))
        next_launch(e, g);
}

static void begin_chunk(const exploration *e, group *g, int start, int claimed)
{
    g->chunk = (uint8_t)(start + claimed);
    g->at = g->waited == e->setting->waits[g->launch] ? RUNNING : WAITING;
}

static void look(exploration *e, system_state *s, group *g, int owner)
{
    int claimed = s->claimed[g->launch][owner];
    if (claimed >= own(e->setting, s->play, g->launch, owner)) {
        next_share(e, g);
        return;
    }
    g->at = CLAIMING;
    g->chunk = e->protocol == TAKES_UNASKED ? (uint8_t)(owner * share_of(e->setting, s->play, g->launch) + claimed) : 0;
}

static void claim(exploration *e, system_state *s, group *g, int owner)
{
    int claimed = s->claimed[g->launch][owner]++, start = owner * share_of(e->setting, s->play, g->launch);
    if (e->protocol == TAKES_UNASKED)
        begin_chunk(e, g, 0, g->chunk);
    else if (claimed >= own(e->setting, s->play, g->launch, owner))
        next_share(e, g);
    else
        begin_chunk(e, g, start, claimed);
}

static int claimed_of(const system_state *s, int launch)
{
    int sum = 0;
    for (int i = 0; i < GROUPS; i++)
        sum += s->claimed[launch][i];
    return sum;
}

/* False: it goes on waiting. */
static bool await(exploration *e, system_state *s, group *g)
{
    int k = LAUNCHES - 1;
    while (!((e->setting->waits[g->launch] & ~g->waited) >> k & 1))
        k--;
    int there = e->protocol == AWAITS_CLAIMED ? claimed_of(s, k) : s->done[k];
    if (there < e->setting->chunks[s->play][k])
        return false;
    g->seen |= s->released[e->protocol == ACQUIRES_ELSEWHERE ? g->launch : k];
    g->waited |= (uint8_t)(1u << k);
    if (g->waited == e->setting->waits[g->launch])
        g->at = RUNNING;
    return true;
}

static void run_chunk(exploration *e, system_state *s, group *g)
{
    uint16_t bit = (uint16_t)(1u << (g->launch * CHUNKS + g->chunk)), needed = bits_of(e->setting, s->play, e->setting->before[g->launch]);
    if (s->ran & bit)
        e->fault = "once";
    if ((s->ran & needed) != needed || (g->seen & needed) != needed)
        e->fault = "order";
    s->ran |= bit;
    g->seen |= bit;
    g->at = COUNTING;
}

static void count_chunk(exploration *e, system_state *s, group *g)
{
    s->done[g->launch]++;
    if (e->protocol != NEVER_RELEASES)
        s->released[g->launch] |= g->seen;
    g->seen |= s->released[g->launch];
    g->at = LOOKING;
    g->chunk = 0;
}

static void leave(exploration *e, system_state *s, group *g)
{
    int place = s->left++;
    g->at = e->protocol != NOBODY_RENEWS && place == (e->protocol == FIRST_RENEWS ? 0 : e->setting->groups - 1) ? RENEWING : GONE;
}

static void renew(system_state *s, group *g)
{
    s->left = 0;
    memset(s->done, 0, sizeof s->done);
    memset(s->claimed, 0, sizeof s->claimed);
    g->at = GONE;
}

static bool clean(const system_state *s)
{
    static const system_state zero;
    return s->left == 0 && memcmp(s->done, zero.done, sizeof s->done) == 0 && memcmp(s->claimed, zero.claimed, sizeof s->claimed) == 0;
}

/* The kernel is over when all have gone: what it wrote is seen by all that begin the next. */
static void next_play(exploration *e, system_state *s)
{
    if (s->ran != bits_of(e->setting, s->play, ~0u))
        e->fault = "once";
    else if (!clean(s))
        e->fault = "renewal";
    if (e->fault || s->play + 1 == PLAYS)
        return;
    *s = (system_state){.play = (uint8_t)(s->play + 1)};
}

/* One step of a work-group; false: it can make none. */
static bool step(exploration *e, system_state *s, int me)
{
    group *g = &s->groups[me];
    int owner = (me + g->k) % e->setting->groups;
    switch ((place)g->at) {
    case OUTSIDE: g->at = LOOKING; break;
    case LOOKING: look(e, s, g, owner); break;
    case CLAIMING: claim(e, s, g, owner); break;
    case WAITING: return await(e, s, g);
    case RUNNING: run_chunk(e, s, g); break;
    case COUNTING: count_chunk(e, s, g); break;
    case LEAVING: leave(e, s, g); break;
    case RENEWING: renew(s, g); break;
    case GONE: return false;
    }
    return true;
}

/* A share that has nothing left stays so: to look past it at once leaves out no fault, and many states. */
static void look_on(exploration *e, system_state *s)
{
    for (int i = 0; i < e->setting->groups; i++)
        while (s->groups[i].at == LOOKING) {
            group *g = &s->groups[i];
            int owner = (i + g->k) % e->setting->groups;
            if (s->claimed[g->launch][owner] < own(e->setting, s->play, g->launch, owner))
                break;
            next_share(e, g);
        }
}

static void note(exploration *e, system_state *s)
{
    look_on(e, s);
    const unsigned char *bytes = (const unsigned char *)s;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof *s; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    size_t at = (hash ^ hash >> 32) % TABLE;
    for (; e->used[at]; at = (at + 1) % TABLE)
        if (memcmp(&e->states[at], s, sizeof *s) == 0)
            return;
    assert_true(++e->count < TABLE / 2);
    e->used[at] = true;
    e->states[at] = *s;
    e->stack[e->waiting++] = (uint32_t)at;
}

/* All that may come next; the first fault that shows. */
static void expand(exploration *e, const system_state *s)
{
    int begun = 0, moved = 0, gone = 0;
    for (int i = 0; i < e->setting->groups && !e->fault; i++) {
        system_state next;
        memcpy(&next, s, sizeof next);
        bool moves = step(e, &next, i);
        gone += s->groups[i].at == GONE;
        begun += s->groups[i].at != OUTSIDE && s->groups[i].at != GONE;
        moved += moves && s->groups[i].at != OUTSIDE;
        if (moves && !e->fault)
            note(e, &next);
    }
    if (!e->fault && begun > 0 && moved == 0)
        e->fault = "progress";
    if (gone == e->setting->groups && !e->fault) {
        system_state next;
        memcpy(&next, s, sizeof next);
        next_play(e, &next);
        if (!e->fault && next.play != s->play)
            note(e, &next);
    }
}

static const char *explore(protocol p, const setting *t)
{
    exploration e = {.protocol = p, .setting = t, .states = calloc(TABLE, sizeof *e.states), .stack = calloc(TABLE, sizeof *e.stack),
                     .used = calloc(TABLE, sizeof *e.used)};
    system_state first;
    assert_true(e.states && e.stack && e.used);
    memset(&first, 0, sizeof first);
    note(&e, &first);
    while (e.waiting > 0 && !e.fault) {
        system_state s;
        memcpy(&s, &e.states[e.stack[--e.waiting]], sizeof s);
        expand(&e, &s);
    }
    print_message("protocol %d, setting %d: %zu states, %s\n", (int)p, (int)(t - settings), e.count, e.fault ? e.fault : "no fault");
    free(e.states);
    free(e.stack);
    free(e.used);
    return e.fault;
}

static void test_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_null(explore(RIGHT, &settings[i]));
}

/* The exploration is one that finds faults: each in some setting, and where it finds one it is that. */
static void test_wrong(void **state)
{
    static const struct { protocol protocol; const char *fault; } wrong[] = {
        {OWN_SHARE_ONLY, "progress"}, {CLAIMS_AHEAD, "progress"}, {AWAITS_CLAIMED, "order"}, {ACQUIRES_ELSEWHERE, "order"},
        {NEVER_RELEASES, "order"}, {FIRST_RENEWS, "once"}, {NOBODY_RENEWS, "renewal"}, {TAKES_UNASKED, "once"}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bool found = false;
        for (size_t t = 0; t < sizeof settings / sizeof *settings; t++) {
            const char *fault = explore(wrong[i].protocol, &settings[t]);
            found = found || fault;
            if (fault && strcmp(fault, wrong[i].fault) != 0)
                fail_msg("protocol %d: %s, not %s", (int)wrong[i].protocol, fault, wrong[i].fault);
        }
        if (!found)
            fail_msg("protocol %d: no fault, not %s", (int)wrong[i].protocol, wrong[i].fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_right), cmocka_unit_test(test_wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
