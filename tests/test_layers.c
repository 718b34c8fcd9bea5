/* Every layer's kernels against its double reference, in every kernel family; tolerances follow the reduction's length. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "convoy/convoy.h"
#include "runtime/internal.h"

enum { SEED = 20 };

static void on_row(void *user, const convoy_check_row *row)
{
    ++*(size_t *)user;
    if (!row->passed)
        print_error("%s (%s) on %s: %s\n", row->layer, row->options, row->input, row->message);
}

/* CONVOY_CHECK_MOST: skip larger inputs (for simulated devices). */
static void check_family(const char *variant, const char *gemm, unsigned width, const char *layer)
{
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    size_t rows = 0, failed = 0;
    const char *most = getenv("CONVOY_CHECK_MOST");
    convoy_context_options how = {.variant = variant, .gemm = gemm, .vector_width = width};
    if (convoy_context_create(&how, &ctx, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    convoy_check_options options = {.seed = SEED, .layer = layer, .on_row = on_row, .user = &rows,
                                    .most_values = most ? (size_t)atol(most) : 0};
    print_message("variant %s, gemm %s, vectors of %u, seed %d\n", variant, gemm, width, SEED);
    convoy_status status = convoy_check(ctx, &options, &failed, &err);
    rt_programs_destroy(ctx);
    uint64_t live = convoy_context_counters(ctx).live_objects;
    convoy_context_destroy(ctx);
    if (status != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_true(rows > 0);
    assert_int_equal(failed, 0);
    assert_int_equal(live, 0);
}

static void test_plain(void **state)
{
    (void)state;
    check_family("plain", "builtin", 0, NULL);
}

static void test_vec(void **state)
{
    (void)state;
    check_family("vec", "builtin", 0, NULL);
}

static void test_vec_4(void **state)
{
    (void)state;
    check_family("vec", "builtin", 4, "Conv2D");
}

static void test_vec_16(void **state)
{
    (void)state;
    check_family("vec", "builtin", 16, "MaxPooling2D");
    check_family("vec", "builtin", 16, "Dense");
}

static void test_clblast(void **state)
{
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    (void)state;
    convoy_context_options how = {.gemm = "clblast"};
    convoy_status status = convoy_context_create(&how, &ctx, &err);
    convoy_context_destroy(ctx);
    if (status == CONVOY_ERROR_UNSUPPORTED) {
        print_message("skipped: %s\n", err.message);
        skip();
    }
    check_family("vec", "clblast", 0, "Dense");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain), cmocka_unit_test(test_vec),
                                       cmocka_unit_test(test_vec_4), cmocka_unit_test(test_vec_16),
                                       cmocka_unit_test(test_clblast)};
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
