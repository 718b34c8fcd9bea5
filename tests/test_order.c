/* Launches that run aside: whatever the list, each waits for those that it shares memory with, and the values are those of one
 * launch after another. Lists are random, over windows of one buffer that overlap. */
#include <stdio.h>
#include <stdlib.h>

#include "base/philox.h"
#include "runtime_fixture.h"
#include "runtime/list.h"

enum { SEED = 7, LISTS = 12, LAUNCHES = 40, PLAYS = 25, WINDOWS = 12, STEPS = 40, WINDOW_STEPS = 8, STEP = 4096 };

/* Windows begin at multiples of STEP floats and are WINDOW_STEPS of them long. */
typedef struct launch_case {
    int from, to, shift; /* windows; to[i] = shift - from[i] */
    bool aside;
} launch_case;

static uint32_t draw(int list, int i, int what, uint32_t below)
{
    return (uint32_t)(philox_uniform(SEED, PHILOX_TEST, (uint32_t)(list * 8 + what), (size_t)i) * (float)below) % below;
}

static size_t start_of(int list, int window) { return draw(list, window, 0, STEPS - WINDOW_STEPS) * (size_t)STEP; }

static bool apart(int list, int a, int b)
{
    size_t x = start_of(list, a), y = start_of(list, b);
    return (x > y ? x - y : y - x) >= (size_t)WINDOW_STEPS * STEP;
}

/* A kernel's own input and output do not overlap. */
static launch_case launch_of(int list, int i)
{
    launch_case c = {.shift = (int)draw(list, i, 1, 5) - 2, .aside = draw(list, i, 2, 2) == 1};
    for (int attempt = 0;; attempt++) {
        c.from = (int)draw(list, i * 1000 + attempt, 3, WINDOWS);
        c.to = (int)draw(list, i * 1000 + attempt, 4, WINDOWS);
        if (apart(list, c.from, c.to))
            return c;
    }
}

typedef struct fixture {
    rt_buffer *all, *windows[WINDOWS];
    rt_list *list;
    launch_case cases[LAUNCHES];
    size_t starts[WINDOWS];
    float *found, *expected;
} fixture;

enum { FLOATS = STEPS * STEP, BYTES = FLOATS * sizeof(float) };

static void add(fixture *f, const launch_case *c)
{
    rt_launch l = {.label = "negating", .source = "selftest", .kernel = "scale_shift", .arg_count = 5,
                   .args = {RT_BUFFER(f->windows[c->from]), RT_BUFFER(f->windows[c->to]), RT_FLOAT(-1.0f),
                            RT_FLOAT((float)c->shift), RT_INT(WINDOW_STEPS * STEP)},
                   .global = {RT_FIXED(WINDOW_STEPS * STEP)}};
    rt_list_aside(f->list, c->aside);
    OK(rt_list_add(f->list, &l, err));
    rt_list_aside(f->list, false);
}

static void begin(fixture *f, int list)
{
    f->all = make(BYTES);
    f->list = make_list(1);
    f->found = malloc(BYTES);
    f->expected = malloc(BYTES);
    assert_true(f->found != NULL && f->expected != NULL);
    for (int w = 0; w < WINDOWS; w++) {
        f->starts[w] = start_of(list, w);
        OK(rt_buffer_slice(f->all, f->starts[w] * sizeof(float), WINDOW_STEPS * STEP * sizeof(float), &f->windows[w], err));
    }
    for (int i = 0; i < LAUNCHES; i++) {
        f->cases[i] = launch_of(list, i);
        add(f, &f->cases[i]);
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

/* What the launches [first, last) do, one after another. All values stay whole numbers, and small. */
static void play_on_host(fixture *f, size_t first, size_t last)
{
    for (size_t k = first; k < last; k++) {
        const launch_case *c = &f->cases[k];
        for (size_t i = 0; i < (size_t)WINDOW_STEPS * STEP; i++)
            f->expected[f->starts[c->to] + i] = (float)c->shift - f->expected[f->starts[c->from] + i];
    }
}

static void compare(fixture *f)
{
    OK(rt_buffer_read(f->all, 0, f->found, BYTES, err));
    for (size_t i = 0; i < FLOATS; i++)
        if (f->found[i] != f->expected[i])
            fail_msg("value %zu is %g; one launch after another makes it %g", i, (double)f->found[i], (double)f->expected[i]);
}

/* Whole plays without a wait between them, then parts of a play. */
static void test_values(void **state)
{
    (void)state;
    print_message("seed %d\n", SEED);
    for (int list = 0; list < LISTS; list++) {
        fixture f = {0};
        begin(&f, list);
        for (int i = 0; i < PLAYS; i++) {
            OK(rt_list_play(f.list, 0, LAUNCHES, err));
            play_on_host(&f, 0, LAUNCHES);
        }
        compare(&f);
        for (int i = 0; i < PLAYS; i++) {
            size_t first = draw(list, i, 5, LAUNCHES), last = first + 1 + draw(list, i, 6, (uint32_t)(LAUNCHES - first));
            OK(rt_list_play(f.list, first, last, err));
            play_on_host(&f, first, last);
        }
        compare(&f);
        end(&f);
    }
}

static bool shares(const fixture *f, const launch_case *a, const launch_case *b)
{
    const size_t size = (size_t)WINDOW_STEPS * STEP;
    const int pairs[3][2] = {{a->to, b->from}, {a->to, b->to}, {a->from, b->to}};
    for (int k = 0; k < 3; k++) {
        size_t x = f->starts[pairs[k][0]], y = f->starts[pairs[k][1]];
        if (x < y + size && y < x + size)
            return true;
    }
    return false;
}

/* before[i][j]: i is enqueued on the same queue as j or after what waits for it, so j is done when i starts. */
static void close_order(const fixture *f, bool before[LAUNCHES][LAUNCHES])
{
    memset(before, 0, sizeof(bool) * LAUNCHES * LAUNCHES);
    for (int i = 0; i < LAUNCHES; i++) {
        int direct[2] = {-1, (int)f->list->items[i].after};
        for (int j = 0; j < i; j++)
            direct[0] = f->cases[j].aside == f->cases[i].aside ? j : direct[0];
        for (int k = 0; k < 2; k++) {
            if (direct[k] < 0)
                continue;
            before[i][direct[k]] = true;
            for (int j = 0; j < i; j++)
                before[i][j] |= before[direct[k]][j];
        }
    }
}

/* Every two launches that share memory which one of them writes are in order; some that share none are not. */
static void test_order(void **state)
{
    static bool before[LAUNCHES][LAUNCHES];
    int free_pairs = 0;
    (void)state;
    for (int list = 0; list < LISTS; list++) {
        fixture f = {0};
        begin(&f, list);
        order_items(f.list);
        close_order(&f, before);
        for (int i = 0; i < LAUNCHES; i++)
            for (int j = 0; j < i; j++) {
                free_pairs += !before[i][j];
                if (shares(&f, &f.cases[i], &f.cases[j]) && !before[i][j])
                    fail_msg("list %d: launch %d does not wait for launch %d", list, i, j);
            }
        end(&f);
    }
    print_message("%d of %d pairs may run beside each other\n", free_pairs, LISTS * LAUNCHES * (LAUNCHES - 1) / 2);
    assert_true(free_pairs > 0);
}

/* What runs aside is done when something is read, written or marked, and when the next list plays. */
static void test_joins(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        fixture f = {0};
        rt_event *marker = NULL;
        begin(&f, 0);
        rt_list_cut(f.list, 0);
        for (int i = 0; i < 2; i++) { /* the last one runs aside, and nothing waits for it */
            f.cases[i].aside = i == 1;
            add(&f, &f.cases[i]);
        }
        OK(rt_list_play(f.list, 0, 2, err));
        play_on_host(&f, 0, 2);
        if (round % 2) {
            OK(rt_marker(ctx, &marker, err));
            OK(rt_event_wait(ctx, marker, err));
            rt_event_destroy(marker);
        }
        compare(&f);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_values), TEST(test_order), TEST(test_joins)};
    return cmocka_run_group_tests_name("order", tests, open_device, close_device);
}
