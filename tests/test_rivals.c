/* Which of several ways is used, in worlds whose loads come and go: against the best way of each world, over its whole length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/rivals.h"

enum { SEED = 7 };

/* Seconds of a piece of each way from `from` on, until the next row; 0 ends them. */
typedef struct weather {
    double from, piece[RIVALS_MOST];
} weather;

typedef struct world {
    const char *name;
    double end, noise; /* seconds; a piece takes up to so much more, as a share of it */
    double compile;    /* seconds of a way's first piece, besides */
    bool quiet;        /* nothing speaks for another way */
    double least;      /* of the work that the best way would have done */
    weather rows[4];
} world;

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

static const weather *weather_at(const world *w, double now)
{
    const weather *row = w->rows;
    while (row[1].piece[0] > 0 && now >= row[1].from)
        row++;
    return row;
}

/* Pieces that the best way of each weather does in the world's time. */
static double best_pieces(const world *w)
{
    double pieces = 0;
    for (const weather *row = w->rows; row->piece[0] > 0; row++) {
        double until = row[1].piece[0] > 0 ? row[1].from : w->end, best = row->piece[0];
        for (int i = 1; i < RIVALS_MOST; i++)
            best = row->piece[i] < best ? row->piece[i] : best;
        pieces += (until - row->from) / (best * (1 + w->noise / 2));
    }
    return pieces;
}

static double live(const world *w, size_t pieces_of[RIVALS_MOST])
{
    rivals r;
    uint64_t state = SEED;
    double now = 0, pieces = 0;
    rivals_begin(&r, RIVALS_MOST, 0, now);
    while (now < w->end) {
        if (rivals_due(&r, now))
            rivals_next(&r, now, w->quiet && r.way == 0);
        now += weather_at(w, now)->piece[r.way] * (1 + w->noise * uniform(&state)) + (pieces_of[r.way] == 0 ? w->compile : 0);
        pieces_of[r.way]++;
        r.pieces++;
        pieces++;
    }
    return pieces / best_pieces(w);
}

static void test_worlds(void **state)
{
    static const world worlds[] = {
        {"idle", 60, 0.1, 0, true, 0.99, {{0, {0.010, 0.012, 0.019}}}},
        {"idle, very unequal", 60, 0.1, 0, true, 0.97, {{0, {0.010, 0.050, 0.019}}}},
        {"busy, single is faster", 60, 0.3, 0, false, 0.97, {{0, {0.020, 0.012, 0.019}}}},
        {"busy, fewer are fastest", 60, 0.3, 0, false, 0.97, {{0, {0.030, 0.024, 0.019}}}},
        {"busy, fused is faster", 60, 0.3, 0, false, 0.97, {{0, {0.012, 0.015, 0.019}}}},
        {"alike", 60, 0.2, 0, false, 0.95, {{0, {0.0120, 0.0121, 0.0122}}}},
        {"a load comes and goes", 60, 0.2, 0, false, 0.92,
         {{0, {0.010, 0.012, 0.019}}, {20, {0.030, 0.018, 0.020}}, {40, {0.010, 0.012, 0.019}}}},
        {"long pieces", 120, 0.2, 0, false, 0.90, {{0, {0.9, 0.6, 0.8}}}},
        {"short pieces", 20, 0.2, 0, false, 0.93, {{0, {0.00006, 0.00004, 0.00005}}}},
        {"ways that are compiled first", 60, 0.1, 2, false, 0.88, {{0, {0.020, 0.012, 0.019}}}},
    };
    (void)state;
    print_message("seed %d\n", SEED);
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        size_t pieces[RIVALS_MOST] = {0};
        double share = live(&worlds[i], pieces);
        print_message("%-30s %.3f of the best way's work (%zu, %zu, %zu pieces)\n", worlds[i].name, share, pieces[0], pieces[1], pieces[2]);
        assert_true(share >= worlds[i].least);
    }
}

/* Nothing is tried before there is reason to, and never by who has one way only. */
static void test_short(void **state)
{
    rivals r;
    (void)state;
    for (int count = 1; count <= RIVALS_MOST; count++) {
        rivals_begin(&r, count, 0, 100);
        for (double now = 100; now < (count == 1 ? 300 : 100.4); now += 0.01, r.pieces++) {
            if (rivals_due(&r, now))
                rivals_next(&r, now, false);
            assert_int_equal(r.way, 0);
        }
    }
}

/* What is interrupted again and again goes on with the best way. */
static void test_drop(void **state)
{
    rivals r;
    (void)state;
    rivals_begin(&r, RIVALS_MOST, 0, 0);
    for (double now = 0; now < 20; now += 0.01, r.pieces++) {
        if ((int)(now * 100) % 5 == 0)
            rivals_drop(&r, now);
        else if (rivals_due(&r, now))
            rivals_next(&r, now, false);
        assert_int_equal(r.way, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds), cmocka_unit_test(test_short), cmocka_unit_test(test_drop)};
    return cmocka_run_group_tests_name("rivals", tests, NULL, NULL);
}
