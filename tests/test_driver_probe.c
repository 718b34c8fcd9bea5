/* What is measured of a driver: once, kept, and taken by later contexts; and each way's kernels against the double reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/convoy.h"
#include "runtime/driver_probe.h"
#include "runtime/program.h"

#include "assert_ok.h"
#include "check_help.h"

static char folder[] = "/tmp/convoy-probe-XXXXXX";

static convoy_context *open_context(const char *tuning, unsigned width)
{
    convoy_context *ctx = NULL;
    convoy_context_options o = {.tuning = tuning, .cache_dir = folder, .vector_width = width};
    OK(convoy_context_create(&o, &ctx, err));
    return ctx;
}

static void skip_without_vectors(void)
{
    convoy_context *ctx = open_context("off", 0);
    bool vectors = rt_wants_vectors(ctx);
    convoy_context_destroy(ctx);
    if (!vectors)
        skip();
}

/* As if that had been measured. */
static void keep(const char *text)
{
    char path[PATH_MAX];
    convoy_context *ctx = open_context("on", 0);
    ctx->vector_width = rt_native_width(ctx);
    OK(rt_record_learn(ctx, "driver", text, 0.0, err));
    OK(rt_records_save(ctx, path, sizeof path, err));
    convoy_context_destroy(ctx);
}

static void expect_choice(const char *tuning, unsigned forced, unsigned width, const char *options)
{
    convoy_context *ctx = open_context(tuning, forced);
    char all[128];
    snprintf(all, sizeof all, FIXED_OPTIONS "%s%s", options[0] ? " " : "", options);
    assert_int_equal(rt_vector_width(ctx), width);
    assert_string_equal(ctx->build_options, all);
    assert_int_equal(convoy_context_counters(ctx).builds, 0);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    convoy_context_destroy(ctx);
}

static void test_pick(void **state)
{
    (void)state;
    driver_way ways[] = {{"fma", 8, 100}, {"mad", 8, 114}, {"elementwise", 8, 90}, {"fma", 4, 50}, {"fma", 16, 114}};
    assert_ptr_equal(driver_pick(ways, 5), &ways[0]); /* none is that much faster */
    ways[1].gflops = 116;
    assert_ptr_equal(driver_pick(ways, 5), &ways[1]);
    ways[4].gflops = 117; /* among others the fastest counts */
    assert_ptr_equal(driver_pick(ways, 5), &ways[4]);
    assert_ptr_equal(driver_pick(ways, 1), &ways[0]);
}

static void test_measured_once(void **state)
{
    (void)state;
    char text[RECORD_VALUE];
    skip_without_vectors();
    convoy_context *ctx = open_context("on", 0);
    snprintf(text, sizeof text, "%s", convoy_context_measured(ctx));
    print_message("%s\n", text);
    assert_non_null(strstr(text, "; GFLOP/s: fma "));
    assert_non_null(strstr(text, ", mad "));
    assert_non_null(strstr(text, ", elementwise "));
    assert_null(strstr(text, " 0.0"));
    assert_true(convoy_context_counters(ctx).builds > 0);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
    ctx = open_context("on", 0);
    assert_string_equal(convoy_context_measured(ctx), text);
    assert_int_equal(convoy_context_counters(ctx).builds, 0);
    convoy_context_destroy(ctx);
    ctx = open_context("off", 0);
    assert_string_equal(convoy_context_measured(ctx), "");
    convoy_context_destroy(ctx);
}

static void test_choice_is_taken(void **state)
{
    (void)state;
    skip_without_vectors();
    convoy_context *ctx = open_context("off", 0);
    unsigned native = rt_native_width(ctx), other = native == 4 ? 8 : 4;
    convoy_context_destroy(ctx);
    char text[64];
    snprintf(text, sizeof text, "mad VW=%u; GFLOP/s: by hand", other);
    keep(text);
    expect_choice("on", 0, other, "-DFMA_BY_MAD");
    expect_choice("on", 16, 16, "-DFMA_BY_MAD"); /* the caller's width comes first */
    expect_choice("off", 0, native, "");
    static const char *const damaged[] = {"nonsense", "sum VW=8; x", "mad VW=7; x", "mad VW=8"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        keep(damaged[i]);
        ctx = open_context("on", 0);
        if (i < 3)
            assert_true(convoy_context_counters(ctx).builds > 0); /* measured anew */
        convoy_context_destroy(ctx);
    }
}

static void test_nowhere_to_keep_it(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    static const char *const places[] = {"", "/proc/no-such-place"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(convoy_context_create(&(convoy_context_options){.tuning = "on", .cache_dir = places[i]}, &ctx, &err), CONVOY_OK);
        assert_string_equal(convoy_context_measured(ctx), "");
        assert_int_equal(convoy_context_counters(ctx).builds, 0);
        convoy_context_destroy(ctx);
    }
}

/* Each form, as a context has it that found it to be the fastest. */
static void test_forms_are_right(void **state)
{
    (void)state;
    static const char *const formed[] = {"mad", "elementwise"};
    skip_without_vectors();
    for (int i = 0; i < 2; i++) {
        char text[64];
        size_t rows = 0, failed = 0;
        convoy_context *ctx = open_context("off", 0);
        snprintf(text, sizeof text, "%s VW=%u; GFLOP/s: by hand", formed[i], rt_native_width(ctx));
        convoy_context_destroy(ctx);
        keep(text);
        ctx = open_context("on", 0);
        assert_non_null(strstr(ctx->build_options, driver_form_options(formed[i])));
        convoy_check_options options = {.seed = 20, .layer = "Conv2D", .on_row = on_row, .user = &rows, .most_values = 60};
        OK(convoy_check(ctx, &options, &failed, err));
        assert_true(rows > 0);
        assert_int_equal(failed, 0);
        convoy_context_destroy(ctx);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pick), cmocka_unit_test(test_measured_once),
                                       cmocka_unit_test(test_choice_is_taken), cmocka_unit_test(test_nowhere_to_keep_it),
                                       cmocka_unit_test(test_forms_are_right)};
    return cmocka_run_group_tests_name("driver_probe", tests, make_folder, remove_folder);
}
