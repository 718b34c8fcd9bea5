/* Fused launches: whatever the list, the values are those of one launch after another, and a step is as few commands as can be. Lists
 * are random, over windows of one buffer that overlap. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/philox.h"
#include "runtime/fuse.h"
#include "runtime_fixture.h"

enum { SEED = 7, LISTS = 8, LAUNCHES = 40, PLAYS = 25, WINDOWS = 12, STEPS = 40, WINDOW_STEPS = 8, STEP = 1024, BATCH = 4 };
enum { FLOATS = STEPS * STEP, BYTES = FLOATS * sizeof(float), WINDOW = WINDOW_STEPS * STEP, IMAGE = WINDOW / BATCH };

typedef enum launch_kind { ITEMS, LINES, FOREIGN, COPY } launch_kind; /* FOREIGN: its file has no item form */

/* Windows begin at multiples of STEP floats; an image has IMAGE of a window's floats. */
typedef struct launch_case {
    launch_kind kind;
    int from, other, to, shift; /* windows; to[i] = shift - from[i], or when switched shift - other[i] */
    bool switched, varies;      /* varies: the variable is the shift */
} launch_case;

typedef struct fixture {
    rt_buffer *all, *windows[WINDOWS];
    const rt_buffer *pairs[LAUNCHES][2];
    rt_list *list;
    launch_case cases[LAUNCHES];
    size_t starts[WINDOWS];
    float *found, *expected;
    int batch, which, variable;
} fixture;

static uint32_t draw(int list, int i, int what, uint32_t below)
{
    return (uint32_t)(philox_uniform(SEED, PHILOX_TEST, (uint32_t)(list * 16 + what), (size_t)i) * (float)below) % below;
}

static size_t start_of(int list, int window) { return draw(list, window, 0, STEPS - WINDOW_STEPS) * (size_t)STEP; }

static bool apart(int list, int a, int b)
{
    size_t x = start_of(list, a), y = start_of(list, b);
    return (x > y ? x - y : y - x) >= WINDOW;
}

/* A kernel's own input and output do not overlap. */
static launch_case launch_of(int list, int i)
{
    static const launch_kind kinds[] = {ITEMS, ITEMS, ITEMS, LINES, LINES, LINES, LINES, FOREIGN, COPY};
    launch_case c = {.kind = kinds[draw(list, i, 2, 9)], .shift = (int)draw(list, i, 1, 5) - 2};
    c.switched = c.kind != COPY && draw(list, i, 7, 4) == 0;
    c.varies = c.kind != COPY && draw(list, i, 8, 4) == 0;
    for (int attempt = 0;; attempt++) {
        c.from = (int)draw(list, i * 1000 + attempt, 3, WINDOWS);
        c.other = (int)draw(list, i * 1000 + attempt, 9, WINDOWS);
        c.to = (int)draw(list, i * 1000 + attempt, 4, WINDOWS);
        if (apart(list, c.from, c.to) && apart(list, c.other, c.to))
            return c;
    }
}

static void add(fixture *f, int i)
{
    const launch_case *c = &f->cases[i];
    f->pairs[i][0] = f->windows[c->from];
    f->pairs[i][1] = f->windows[c->other];
    if (c->kind == COPY) {
        OK(rt_list_add_copy(f->list, "copying", f->windows[c->from], f->windows[c->to], IMAGE * sizeof(float), err));
        return;
    }
    rt_launch l = {.label = "negating", .source = c->kind == FOREIGN ? "selftest" : "selftest_items",
                   .kernel = c->kind == FOREIGN ? "scale_shift" : c->kind == LINES ? "negate_lines" : "negate",
                   .global = {RT_PER_IMAGE(IMAGE, 1)}};
    if (c->kind == LINES) {
        l.global[0] = RT_FIXED(8);
        l.global[1] = RT_FIXED(4);
        l.global[2] = RT_PER_IMAGE(IMAGE, 8 * 4 * 16);
        l.local[0] = l.local[1] = l.local[2] = 1;
    }
    rt_push(&l, c->switched ? RT_SWITCHED(f->pairs[i]) : RT_BUFFER(f->windows[c->from]));
    rt_push(&l, RT_BUFFER(f->windows[c->to]));
    if (c->kind == FOREIGN)
        rt_push(&l, RT_FLOAT(-1.0f));
    rt_push(&l, c->varies ? RT_VARIABLE(RT_VAR_RATE) : RT_FLOAT((float)c->shift));
    rt_push(&l, RT_BATCH(IMAGE));
    OK(rt_list_add(f->list, &l, err));
}

static void begin(fixture *f, int list)
{
    *f = (fixture){.all = make(BYTES), .list = make_list(BATCH), .batch = BATCH};
    f->found = malloc(BYTES);
    f->expected = malloc(BYTES);
    assert_true(f->found != NULL && f->expected != NULL);
    for (int w = 0; w < WINDOWS; w++) {
        f->starts[w] = start_of(list, w);
        OK(rt_buffer_slice(f->all, f->starts[w] * sizeof(float), WINDOW * sizeof(float), &f->windows[w], err));
    }
    for (int i = 0; i < LAUNCHES; i++) {
        f->cases[i] = launch_of(list, i);
        add(f, i);
    }
    for (size_t i = 0; i < FLOATS; i++)
        f->expected[i] = (float)(i % 101);
    OK(rt_buffer_write(f->all, 0, f->expected, BYTES, err));
}

static void end(fixture *f)
{
    rt_list_destroy(f->list);
    for (int w = 0; w < WINDOWS; w++)
        rt_buffer_destroy(f->windows[w]);
    rt_buffer_destroy(f->all);
    free(f->found);
    free(f->expected);
}

/* What changes between plays. */
static void set(fixture *f, int batch, int which, int variable)
{
    f->batch = batch;
    f->which = which;
    f->variable = variable;
    OK(rt_list_set_batch(f->list, batch, err));
    OK(rt_list_switch(f->list, which, err));
    OK(rt_list_set_float(f->list, RT_VAR_RATE, (float)variable, err));
}

/* What the launches [first, last) do, one after another. All values stay whole numbers, and small. */
static void play_on_host(fixture *f, size_t first, size_t last)
{
    for (size_t k = first; k < last; k++) {
        const launch_case *c = &f->cases[k];
        const float *from = f->expected + f->starts[c->switched && f->which ? c->other : c->from];
        float *to = f->expected + f->starts[c->to], shift = (float)(c->varies ? f->variable : c->shift);
        for (size_t i = 0; i < (size_t)f->batch * IMAGE; i++)
            to[i] = c->kind == COPY ? from[i] : shift - from[i];
    }
}

static void play(fixture *f, size_t first, size_t last)
{
    OK(rt_list_play(f->list, first, last, err));
    play_on_host(f, first, last);
}

static void compare(fixture *f)
{
    OK(rt_buffer_read(f->all, 0, f->found, BYTES, err));
    for (size_t i = 0; i < FLOATS; i++)
        if (f->found[i] != f->expected[i])
            fail_msg("value %zu is %g; one launch after another makes it %g", i, (double)f->found[i], (double)f->expected[i]);
}

/* Whole plays without a wait between them, then parts of a play, of which one is fused as well. */
static void test_values(void **state)
{
    (void)state;
    print_message("seed %d\n", SEED);
    for (int list = 0; list < LISTS; list++) {
        fixture f;
        begin(&f, list);
        OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
        OK(rt_list_fuse(f.list, 5, LAUNCHES - 5, err));
        for (int i = 0; i < PLAYS; i++) {
            set(&f, 1 + (int)draw(list, i, 10, BATCH), (int)draw(list, i, 11, 2), (int)draw(list, i, 12, 5) - 2);
            play(&f, 0, LAUNCHES);
        }
        compare(&f);
        for (int i = 0; i < PLAYS; i++) {
            size_t first = draw(list, i, 5, LAUNCHES), last = first + 1 + draw(list, i, 6, (uint32_t)(LAUNCHES - first));
            play(&f, i % 3 ? first : 5, i % 3 ? last : LAUNCHES - 5);
        }
        compare(&f);
        end(&f);
    }
}

/* Fewer work-groups than threads, and more: then some begin when others have done all. */
static void test_groups(void **state)
{
    unsigned usual = ctx->persistent_groups, units = ctx->info.compute_units;
    (void)state;
    if (!usual)
        skip();
    for (int list = 0; list < 2; list++) {
        fixture f;
        ctx->persistent_groups = list ? 1 : 3 * units + 1;
        begin(&f, list);
        OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
        for (int i = 0; i < PLAYS; i++) {
            set(&f, 1 + (int)draw(list, i, 10, BATCH), 0, 1);
            play(&f, 0, LAUNCHES);
        }
        compare(&f);
        end(&f);
    }
    ctx->persistent_groups = usual;
}

/* Commands of the launches [first, last): each copy and each launch without an item form, and each stretch of others. */
static size_t commands_of(const fixture *f, size_t first, size_t last)
{
    size_t count = 0;
    bool inside = false;
    for (size_t i = first; i < last; i++) {
        bool fits = f->cases[i].kind == ITEMS || f->cases[i].kind == LINES;
        count += !(fits && inside);
        inside = fits;
    }
    return count;
}

/* Each way of playing a range, one after the other: all give what the launches give one by one. */
static void test_ways(void **state)
{
    enum { ROUNDS = 3, WAYS = 3 };
    fixture f;
    unsigned usual = ctx->persistent_groups;
    (void)state;
    if (!usual)
        skip();
    ctx->persistent_groups = 4; /* so that one may be left out, though there may be fewer threads */
    begin(&f, 0);
    OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
    ctx->fused = FUSED_IN_TURNS;
    uint64_t before = convoy_context_counters(ctx).commands;
    for (int i = 0; i < ROUNDS * WAYS; i++) {
        set(&f, 1 + (int)draw(0, i, 10, BATCH), 0, 1);
        play(&f, 0, LAUNCHES);
    }
    assert_int_equal(convoy_context_counters(ctx).commands - before, ROUNDS * (LAUNCHES + 2 * commands_of(&f, 0, LAUNCHES)));
    ctx->fused = FUSED_ALWAYS;
    compare(&f);
    end(&f);
    ctx->persistent_groups = usual;
}

/* Long enough for trials of other ways, in turns with another list too, which is not timed. */
static void test_trials(void **state)
{
    fixture f[2];
    (void)state;
    if (!ctx->persistent_groups)
        skip();
    ctx->fused = FUSED_IF_FASTER;
    double usual = rt_fuse_after(ctx, -1);
    for (int k = 0; k < 2; k++) {
        begin(&f[k], k);
        OK(rt_list_fuse(f[k].list, 0, LAUNCHES, err));
        set(&f[k], BATCH, 0, 1);
    }
    double start = clock_seconds();
    for (int i = 0; clock_seconds() - start < 3; i++)
        play(&f[i % 1000 < 900 ? 0 : i % 2], 0, LAUNCHES);
    rt_fuse_after(ctx, usual);
    ctx->fused = FUSED_ALWAYS;
    for (int k = 0; k < 2; k++) {
        compare(&f[k]);
        end(&f[k]);
    }
}

/* Two contexts have one pool of PoCL's threads between them: kernels of both that wait in it, and take turns on its threads, both end. */
static void test_two_contexts(void **state)
{
    convoy_context *first = ctx, *second = NULL;
    fixture f[2];
    (void)state;
    OK(rt_context_again(first, &second, err));
    for (int k = 0; k < 2; k++) {
        ctx = k ? second : first;
        begin(&f[k], k);
        OK(rt_list_fuse(f[k].list, 0, LAUNCHES, err));
        set(&f[k], BATCH, 0, 1);
    }
    ctx = first;
    for (int i = 0; i < 2 * PLAYS; i++)
        play(&f[i % 2], 0, LAUNCHES);
    for (int k = 0; k < 2; k++) {
        compare(&f[k]);
        end(&f[k]);
    }
    convoy_context_destroy(second);
}

static void test_commands(void **state)
{
    (void)state;
    if (!ctx->persistent_groups)
        skip();
    for (int list = 0; list < LISTS; list++) {
        fixture f;
        begin(&f, list);
        OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
        convoy_counters before = convoy_context_counters(ctx);
        play(&f, 0, LAUNCHES);
        convoy_counters after = convoy_context_counters(ctx);
        assert_int_equal(after.launches - before.launches, LAUNCHES);
        assert_int_equal(after.commands - before.commands, commands_of(&f, 0, LAUNCHES));
        play(&f, 0, LAUNCHES - 1); /* not the range that was fused */
        assert_int_equal(convoy_context_counters(ctx).commands - after.commands, LAUNCHES - 1);
        compare(&f);
        end(&f);
    }
}

static bool overlap(const fixture *f, int a, int b)
{
    return f->starts[a] < f->starts[b] + WINDOW && f->starts[b] < f->starts[a] + WINDOW;
}

static bool shares(const fixture *f, const launch_case *a, const launch_case *b)
{
    return overlap(f, a->to, b->to) || overlap(f, a->to, b->from) || overlap(f, b->to, a->from) ||
           (b->switched && overlap(f, a->to, b->other)) || (a->switched && overlap(f, b->to, a->other));
}

/* Every two launches that share memory which one of them writes are in order; some that share none are not. */
static void test_waits(void **state)
{
    int free_pairs = 0;
    (void)state;
    for (int list = 0; list < LISTS; list++) {
        uint64_t waits[64], before[LAUNCHES] = {0};
        fixture f;
        begin(&f, list);
        assert_int_equal(order_waits(f.list, 0, LAUNCHES, waits), LAUNCHES);
        for (int i = 0; i < LAUNCHES; i++)
            for (int j = 0; j < i; j++)
                if (waits[i] >> j & 1)
                    before[i] |= before[j] | UINT64_C(1) << j;
        for (int i = 0; i < LAUNCHES; i++)
            for (int j = 0; j < i; j++) {
                bool waited = before[i] >> j & 1;
                free_pairs += !waited;
                if (!waited && shares(&f, &f.cases[i], &f.cases[j]))
                    fail_msg("list %d: launch %d does not wait for launch %d", list, i, j);
            }
        end(&f);
    }
    print_message("%d of %d pairs may run beside each other\n", free_pairs, LISTS * LAUNCHES * (LAUNCHES - 1) / 2);
    assert_true(free_pairs > 0);
}

enum { CHAIN = 3 };

/* b[1] = 1 - b[0], b[2] = 2 - b[1], b[3] = 3 - b[2], all of 64 floats; `once` and `options`: of the first. */
static rt_list *chain(rt_buffer *const b[CHAIN + 1], bool once, const char *options)
{
    rt_list *list = make_list(1);
    for (int i = 0; i < CHAIN; i++) {
        rt_launch l = {.label = "negating", .source = "selftest_items", .kernel = "negate", .options = i ? "" : options,
                       .global = {RT_FIXED(64)}, .once = once && i == 0};
        rt_push(&l, RT_BUFFER(b[i]));
        rt_push(&l, RT_BUFFER(b[i + 1]));
        rt_push(&l, RT_FLOAT((float)i + 1));
        rt_push(&l, RT_INT(64));
        OK(rt_list_add(list, &l, err));
    }
    return list;
}

static void make_buffers(rt_buffer *b[CHAIN + 1])
{
    for (int i = 0; i <= CHAIN; i++) {
        b[i] = make(64 * sizeof(float));
        OK(rt_buffer_fill(b[i], 5.0f, err));
    }
}

static void expect_last(rt_buffer *const b[CHAIN + 1], float value)
{
    float found[64];
    OK(rt_buffer_read(b[CHAIN], 0, found, sizeof found, err));
    for (int i = 0; i < 64; i++)
        assert_true(found[i] == value);
}

static void drop(rt_list *list, rt_buffer *const b[CHAIN + 1])
{
    rt_list_destroy(list);
    for (int i = 0; i <= CHAIN; i++)
        rt_buffer_destroy(b[i]);
}

/* A launch that runs once comes first, and then not any more until it is renewed. */
static void test_once(void **state)
{
    (void)state;
    rt_buffer *b[CHAIN + 1];
    make_buffers(b);
    rt_list *list = chain(b, true, "");
    OK(rt_list_fuse(list, 0, CHAIN, err));
    for (int i = 0; i < 3; i++) {
        convoy_counters before = convoy_context_counters(ctx);
        OK(rt_list_play(list, 0, CHAIN, err));
        assert_int_equal(convoy_context_counters(ctx).launches - before.launches, i == 0 ? CHAIN : CHAIN - 1);
        expect_last(b, -3.0f);
        OK(rt_buffer_fill(b[0], 9.0f, err));
    }
    rt_list_renew(list);
    OK(rt_list_play(list, 0, CHAIN, err));
    expect_last(b, -7.0f);
    drop(list, b);
}

/* Launches that are timed are not fused, and fused ones are not lost by it. */
static void test_profile(void **state)
{
    (void)state;
    rt_buffer *b[CHAIN + 1];
    rt_profile_row row;
    make_buffers(b);
    rt_list *list = chain(b, false, "");
    OK(rt_list_fuse(list, 0, CHAIN, err));
    OK(rt_list_play(list, 0, CHAIN, err));
    OK(rt_set_profile(ctx, true, err));
    OK(rt_list_play(list, 0, CHAIN, err));
    OK(rt_set_profile(ctx, false, err));
    OK(rt_list_play(list, 0, CHAIN, err));
    expect_last(b, -3.0f);
    for (size_t i = 0; i < CHAIN; i++) {
        OK(rt_list_profile(list, i, &row, err));
        assert_int_equal(row.count, 1);
    }
    drop(list, b);
}

static void note(void *user, const char *text) { snprintf(user, 1024, "%s", text); }

/* Launches whose item form does not build are played as they are, and the user is told. */
static void test_fallback(void **state)
{
    char message[1024] = "";
    rt_buffer *b[CHAIN + 1];
    (void)state;
    if (!ctx->persistent_groups)
        skip();
    make_buffers(b);
    rt_list *list = chain(b, false, "-Dint3=undeclared");
    convoy_context_on_message(ctx, note, message);
    OK(rt_list_fuse(list, 0, CHAIN, err));
    convoy_context_on_message(ctx, NULL, NULL);
    assert_non_null(strstr(message, "one by one"));
    OK(rt_list_play(list, 0, CHAIN, err));
    expect_last(b, -3.0f);
    drop(list, b);
}

/* ---- compiled by another process ---- */

/* A list whose fused range is tried against single launches, in a context whose cache knows nothing of it. */
static void begin_apart(fixture *f, const char *cache, double after)
{
    assert_int_equal(convoy_context_create(&(convoy_context_options){.cache_dir = cache}, &ctx, NULL), CONVOY_OK);
    ctx->fused = FUSED_IF_FASTER;
    ctx->fuse_after = after;
    begin(f, 1);
    set(f, BATCH, 0, 1);
}

static void end_apart(fixture *f)
{
    compare(f);
    end(f);
    assert_int_equal(expect_none_live(NULL), 0);
    convoy_context_destroy(ctx);
    expect_no_process();
}

/* Plays until the range is no longer in that state. */
static fuse_state play_while(fixture *f, fuse_state state)
{
    double start = clock_seconds();
    while (f->list->fused->state == state && clock_seconds() - start < 60)
        play(f, 0, LAUNCHES);
    return f->list->fused->state;
}

/* Single launches, the other process meanwhile, then both ways in turns; the next list finds what was compiled. */
static void test_compiled_apart(void **state)
{
    fixture f;
    char cache[] = "/tmp/convoy-test-XXXXXX", command[64];
    convoy_context *usual = ctx;
    (void)state;
    if (!ctx->persistent_groups)
        skip();
    assert_non_null(mkdtemp(cache));
    begin_apart(&f, cache, 0.05);
    OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
    assert_int_equal(f.list->fused->state, FUSE_WAITS);
    assert_int_equal(play_while(&f, FUSE_WAITS), FUSE_COMPILES);
    uint64_t builds = convoy_context_counters(ctx).builds;
    assert_int_equal(play_while(&f, FUSE_COMPILES), FUSE_READY);
    assert_true(convoy_context_counters(ctx).builds > builds);
    play(&f, 0, LAUNCHES);
    end_apart(&f);

    begin_apart(&f, cache, 0.05);
    OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
    assert_int_equal(f.list->fused->state, FUSE_READY);
    play(&f, 0, LAUNCHES);
    end_apart(&f);
    snprintf(command, sizeof command, "rm -r %s", cache);
    assert_int_equal(system(command), 0);
    ctx = usual;
}

/* It ends with the list; and where it fails, this process compiles. */
static void test_process_ends(void **state)
{
    fixture f;
    convoy_context *usual = ctx;
    (void)state;
    if (!ctx->persistent_groups)
        skip();
    begin_apart(&f, "", 0);
    OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
    assert_int_equal(play_while(&f, FUSE_WAITS), FUSE_COMPILES);
    end_apart(&f);

    begin_apart(&f, "", 0);
    ctx->info.platform = 99; /* as the other process is told */
    OK(rt_list_fuse(f.list, 0, LAUNCHES, err));
    assert_int_equal(play_while(&f, FUSE_WAITS), FUSE_COMPILES);
    assert_int_equal(play_while(&f, FUSE_COMPILES), FUSE_READY);
    end_apart(&f);
    ctx = usual;
}

/* On PoCL's CPUs launches are fused, unless the environment says no. */
static void test_switch(void **state)
{
    convoy_context *other = NULL;
    (void)state;
    bool pocl = strcmp(ctx->info.platform_name, "Portable Computing Language") == 0;
    assert_int_equal(ctx->persistent_groups > 0, pocl && ctx->info.type == CONVOY_DEVICE_CPU);
    assert_int_equal(setenv("CONVOY_FUSE", "off", 1), 0);
    OK(rt_context_again(ctx, &other, err));
    assert_int_equal(other->persistent_groups, 0);
    convoy_context_destroy(other);
    assert_int_equal(setenv("CONVOY_FUSE", "on", 1), 0);
    OK(rt_context_again(ctx, &other, err));
    assert_int_equal(other->fused, FUSED_ALWAYS);
    convoy_context_destroy(other);
    unsetenv("CONVOY_FUSE");
    OK(rt_context_again(ctx, &other, err));
    assert_int_equal(other->fused, FUSED_IF_FASTER);
    convoy_context_destroy(other);
    assert_int_equal(setenv("CONVOY_FUSE", "perhaps", 1), 0);
    REFUSED(rt_context_again(ctx, &other, err), CONVOY_ERROR_ARGUMENT, "perhaps");
    unsetenv("CONVOY_FUSE");
}

/* Fused ranges are played as such, whatever the load, but where a test says otherwise. */
static int open_fused(void **state)
{
    int code = open_device(state);
    if (code == 0)
        ctx->fused = FUSED_ALWAYS;
    return code;
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_values), TEST(test_groups), TEST(test_ways), TEST(test_trials), TEST(test_two_contexts), TEST(test_commands), TEST(test_waits),
                                       TEST(test_once), TEST(test_profile), TEST(test_fallback), TEST(test_switch), TEST(test_compiled_apart),
                                       TEST(test_process_ends)};
    return cmocka_run_group_tests(tests, open_fused, close_device);
}
