/* Every layer's kernels against its double reference, in every kernel family; tolerances follow the reduction's length. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "convoy/convoy.h"
#include "layers/check.h"
#include "ops/conv2d/variant.h"
#include "runtime/internal.h"

#include "check_help.h"

enum { SEED = 20 };

/* Opens the default device. */
static convoy_context *open_context(const char *variant, const char *gemm, unsigned width)
{
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    convoy_context_options how = {.variant = variant, .gemm = gemm, .vector_width = width};
    if (convoy_context_create(&how, &ctx, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    return ctx;
}

/* The pass of `user`, a conv_variant, if that is what the dispatcher takes for the layer in one of the check's batches. */
static unsigned pass_of_variant(void *user, convoy_context *ctx, const layer *l, size_t sample)
{
    (void)sample;
    static const unsigned passes[CONV_PASSES] = {[CONV_FORWARD] = CHECK_FORWARD, [CONV_BACKWARD_DATA] = CHECK_D_INPUT,
                                                 [CONV_BACKWARD_FILTER] = CHECK_D_PARAMS};
    const conv_variant *v = user;
    for (int batch = 2; batch <= 5; batch++)
        if (layer_find_needs(l, ctx, batch, NULL).kernels[0].choice[v->pass].variant == v)
            return passes[v->pass];
    return 0;
}

/* Runs the check, of what the filter wants, and ends the context. CONVOY_CHECK_MOST: skip larger inputs (for
 * simulated devices). */
static void check_layer(convoy_context *ctx, const char *layer, check_filter *wanted, const conv_variant *v)
{
    convoy_error err = {0};
    size_t rows = 0, failed = 0;
    const char *most = getenv("CONVOY_CHECK_MOST");
    convoy_check_options options = {.seed = SEED, .layer = layer, .on_row = on_row, .user = &rows,
                                    .most_values = most ? (size_t)atol(most) : 0};
    convoy_status status = check_layers(ctx, &options, wanted, (void *)(uintptr_t)v, &failed, &err);
    print_message("%zu checked\n", rows);
    rt_programs_destroy(ctx);
    uint64_t live = convoy_context_counters(ctx).live_objects;
    convoy_context_destroy(ctx);
    if (status != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_true(rows > 0);
    assert_int_equal(failed, 0);
    assert_int_equal(live, 0);
}

static void check_family(const char *variant, const char *gemm, unsigned width, const char *layer, check_filter *wanted)
{
    print_message("variant %s, gemm %s, vectors of %u, seed %d\n", variant, gemm, width, SEED);
    check_layer(open_context(variant, gemm, width), layer, wanted, NULL);
}

/* A 3x3 convolution of stride 1, which every variant that is not for dense layers alone computes. */
static bool fits_common_shape(const convoy_context *ctx, const conv_variant *v)
{
    conv_shape s = {.height = 5, .width = 6, .in = 16, .out_height = 3, .out_width = 4, .out = 16, .kernel = {3, 3},
                    .stride = {1, 1}, .dilation = {1, 1}, .bias = true};
    conv_problem p = {v->pass, &s, 5};
    conv_choice choice;
    return conv_choice_parse(ctx, &p, v->name, &choice) && choice.variant == v;
}

/* Rows that no family runs by itself: each is put in front of the others, with its defaults and with small tiles. */
static void check_variant(const conv_variant *v, unsigned width, const char *setting)
{
    convoy_error err = {0};
    char text[96];
    convoy_context *ctx = open_context(NULL, NULL, width);
    assert_true(fits_common_shape(ctx, v));
    snprintf(text, sizeof text, "%s%s", v->name, setting);
    print_message("%s: %s, vectors of %u\n", conv_pass_key(v->pass), text, width);
    assert_int_equal(rt_record_set(ctx, conv_pass_key(v->pass), text, &err), CONVOY_OK);
    check_layer(ctx, "Conv2D", pass_of_variant, v);
}

static void test_winograd(void **state)
{
    (void)state;
    const conv_variant *v;
    size_t found = 0;
    for (size_t i = 0; (v = conv_variant_at(i)) != NULL; i++) {
        bool adjoint = strcmp(v->name, "vec_winograd_adjoint") == 0, filter = v->pass == CONV_BACKWARD_FILTER;
        if (!adjoint && strcmp(v->name, "vec_winograd") != 0)
            continue;
        found++;
        check_variant(v, 0, "");
        for (int m = 2; m <= 4; m += 2) {
            char setting[96];
            snprintf(setting, sizeof setting, " VW=4 VECTORS=1 IMAGES=%d%s M=%d", adjoint ? 1 : 2,
                     adjoint ? "" : filter ? " ROWS=1 CHUNK=2" : m == 2 ? " TILES=2" : " TILES=1", m);
            check_variant(v, 4, setting);
        }
    }
    assert_int_equal(found, CONV_PASSES + 1);
}

/* Batches in check are smaller than the usual tile of images, so defaults give vec there. */
static void test_images(void **state)
{
    const conv_variant *v;
    size_t found = 0;
    (void)state;
    for (size_t i = 0; (v = conv_variant_at(i)) != NULL; i++)
        if (strcmp(v->name, "vec_images") == 0 && ++found)
            check_variant(v, 4, " VW=4 VECTORS=1 IMAGES=2");
    assert_int_equal(found, 2);
}

static void test_plain(void **state)
{
    (void)state;
    check_family("plain", "builtin", 0, NULL, NULL);
}

static void test_vec(void **state)
{
    (void)state;
    check_family("vec", "builtin", 0, NULL, NULL);
}

/* Other widths than the device's: of each sample one pass. */
static void test_vec_4(void **state)
{
    (void)state;
    check_family("vec", "builtin", 4, "Conv2D", pass_in_turn);
}

static void test_vec_16(void **state)
{
    (void)state;
    check_family("vec", "builtin", 16, "MaxPooling2D", NULL);
    check_family("vec", "builtin", 16, "Dense", pass_in_turn);
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
    check_family("vec", "clblast", 0, "Dense", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain), cmocka_unit_test(test_vec),
                                       cmocka_unit_test(test_vec_4), cmocka_unit_test(test_vec_16),
                                       cmocka_unit_test(test_clblast), cmocka_unit_test(test_images),
                                       cmocka_unit_test(test_winograd)};
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
