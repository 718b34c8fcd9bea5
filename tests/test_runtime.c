/* Launch lists, profiles and the matrix product. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/philox.h"
#include "runtime_fixture.h"

/* ---- launches ---- */

/* A launch of count_up over an extent; args: x, first, count. */
static rt_launch count_up(const rt_buffer *x, rt_arg first, rt_arg count, rt_extent extent)
{
    return (rt_launch){.label = "counting", .source = "selftest", .kernel = "count_up",
                       .args = {RT_BUFFER(x), first, count}, .arg_count = 3, .global = {extent}};
}

static void test_arguments_checked(void **state)
{
    (void)state;
    rt_buffer *b = make(64);
    rt_list *list = make_list(4);
    rt_launch l = count_up(b, RT_INT(0), RT_INT(4), RT_FIXED(4));
    l.arg_count = 2;
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "counting");
    l.arg_count = 4;
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "takes 3 arguments, 4 were given");
    l = count_up(b, RT_FLOAT(0), RT_INT(4), RT_FIXED(4));
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "argument 1");
    l = count_up(b, RT_BUFFER(b), RT_INT(4), RT_FIXED(4));
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "argument 1");
    l = count_up(b, RT_INT(0), RT_VARIABLE(RT_VAR_RATE), RT_FIXED(4));
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "argument 2");
    l = count_up(b, RT_INT(0), RT_INVERSE_BATCH, RT_FIXED(4));
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "argument 2");
    l = count_up(b, RT_INT(0), RT_INT(4), RT_FIXED(4));
    l.args[0] = RT_INT(3);
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "argument 0");
    l = count_up(b, RT_INT(0), RT_INT(4), RT_FIXED(4));
    l.kernel = "no_such_kernel";
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_DEVICE, "no_such_kernel");
    l.source = "no_such_file";
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_ARGUMENT, "no_such_file");
    rt_list_destroy(list);
    rt_buffer_destroy(b);
    rt_list_destroy(NULL);
    REFUSED(rt_list_create(ctx, 0, &list, err), CONVOY_ERROR_ARGUMENT, "batch");
}

/* Plays the whole list over a buffer of -1 and returns how many ints from the start were written with 0, 1, 2, ... */
static int play_and_count(rt_list *list, rt_buffer *b, int first)
{
    int data[64];
    memset(data, 0xff, sizeof data);
    OK(rt_buffer_write(b, 0, data, sizeof data, err));
    OK(rt_list_play(list, 0, rt_list_length(list), err));
    OK(rt_buffer_read(b, 0, data, sizeof data, err));
    int n = 0;
    while (n < 64 && data[n] == first + n)
        n++;
    for (int i = n; i < 64; i++)
        assert_int_equal(data[i], -1);
    return n;
}

static void test_batch(void **state)
{
    (void)state;
    rt_buffer *b = make(64 * sizeof(int));
    rt_list *list = make_list(5);
    rt_launch l = count_up(b, RT_INT(100), RT_BATCH(3), RT_PER_IMAGE(3, 1));
    OK(rt_list_add(list, &l, err));
    assert_int_equal(rt_list_length(list), 1);
    assert_string_equal(rt_list_label(list, 0), "counting");
    assert_int_equal(play_and_count(list, b, 100), 15);
    OK(rt_list_set_batch(list, 2, err));
    assert_int_equal(play_and_count(list, b, 100), 6);
    OK(rt_list_set_batch(list, 5, err));
    assert_int_equal(play_and_count(list, b, 100), 15);
    REFUSED(rt_list_set_batch(list, 6, err), CONVOY_ERROR_ARGUMENT, "6 images");
    REFUSED(rt_list_set_batch(list, 0, err), CONVOY_ERROR_ARGUMENT, "0 images");
    rt_list_destroy(list);
    rt_buffer_destroy(b);
}

static void expect_range(rt_extent x, rt_extent y, size_t local_x, size_t local_y, int batch, const int *expected)
{
    int out[4] = {0};
    rt_buffer *b = make(sizeof out);
    rt_list *list = make_list(7);
    rt_launch l = {.label = "ranges", .source = "selftest", .kernel = "ranges", .args = {RT_BUFFER(b)},
                   .arg_count = 1, .global = {x, y}, .local = {local_x, local_y}};
    OK(rt_list_add(list, &l, err));
    OK(rt_list_set_batch(list, batch, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_buffer_read(b, 0, out, sizeof out, err));
    for (int i = 0; i < 3; i++)
        assert_int_equal(out[i], expected[i]);
    if (local_x != 0)
        assert_int_equal(out[3], local_x);
    rt_list_destroy(list);
    rt_buffer_destroy(b);
}

static void test_extents(void **state)
{
    (void)state;
    const rt_extent none = {0};
    expect_range(RT_FIXED(10), none, 0, 0, 7, (int[]){10, 1, 1});
    expect_range(RT_FIXED(10), none, 4, 0, 7, (int[]){12, 1, 1});            /* rounded up to the work-group */
    expect_range(RT_PER_IMAGE(10, 4), none, 0, 0, 3, (int[]){8, 1, 1});      /* ceil(30 / 4) */
    expect_range(RT_PER_IMAGE(10, 4), none, 3, 0, 3, (int[]){9, 1, 1});
    expect_range(RT_PER_IMAGE(1, 64), none, 0, 0, 7, (int[]){1, 1, 1});
    expect_range(RT_FIXED(5), RT_PER_IMAGE(2, 1), 2, 4, 3, (int[]){6, 8, 1});
    expect_range(RT_FIXED(1), RT_PER_IMAGE(2, 1), 1, 1, 1, (int[]){1, 2, 1});
}

static void test_variables(void **state)
{
    (void)state;
    float x[4] = {1, 2, 3, 4}, y[4];
    rt_buffer *counted = make(64 * sizeof(int)), *in = make(sizeof x), *out = make(sizeof y);
    OK(rt_buffer_write(in, 0, x, sizeof x, err));
    rt_list *list = make_list(8);
    rt_launch l = count_up(counted, RT_VARIABLE(RT_VAR_FIRST), RT_VARIABLE(RT_VAR_STEP), RT_FIXED(64));
    OK(rt_list_add(list, &l, err));
    l = (rt_launch){.label = "scaling", .source = "selftest", .kernel = "scale_shift",
                    .args = {RT_BUFFER(in), RT_BUFFER(out), RT_VARIABLE(RT_VAR_RATE), RT_INVERSE_BATCH, RT_INT(4)},
                    .arg_count = 5, .global = {RT_FIXED(4)}};
    OK(rt_list_add(list, &l, err));
    for (int round = 1; round < 4; round++) {
        OK(rt_list_set_int(list, RT_VAR_FIRST, 1000 * round, err));
        OK(rt_list_set_int(list, RT_VAR_STEP, 10 + round, err));
        OK(rt_list_set_float(list, RT_VAR_RATE, 0.5f * (float)round, err));
        OK(rt_list_set_batch(list, 1 << round, err));
        assert_int_equal(play_and_count(list, counted, 1000 * round), 10 + round);
        OK(rt_buffer_read(out, 0, y, sizeof y, err));
        for (int i = 0; i < 4; i++)
            assert_true(y[i] == 0.5f * (float)round * x[i] + 1.0f / (float)(1 << round));
    }
    rt_list_destroy(list);
    rt_buffer_destroy(counted);
    rt_buffer_destroy(in);
    rt_buffer_destroy(out);
}

static void test_switched_buffers(void **state)
{
    (void)state;
    rt_buffer *two[2] = {make(64 * sizeof(int)), make(64 * sizeof(int))};
    const rt_buffer *const switched[2] = {two[0], two[1]};
    rt_list *list = make_list(1);
    rt_launch l = count_up(NULL, RT_INT(5), RT_INT(9), RT_FIXED(9));
    l.args[0] = RT_SWITCHED(switched);
    OK(rt_list_add(list, &l, err));
    OK(rt_buffer_fill(two[1], 0.0f, err));
    assert_int_equal(play_and_count(list, two[0], 5), 9);
    OK(rt_list_switch(list, 1, err));
    assert_int_equal(play_and_count(list, two[1], 5), 9);
    assert_int_equal(play_and_count(list, two[0], 0), 0); /* the other one stays untouched */
    OK(rt_list_switch(list, 0, err));
    assert_int_equal(play_and_count(list, two[0], 5), 9);
    rt_list_destroy(list);
    rt_buffer_destroy(two[0]);
    rt_buffer_destroy(two[1]);
}

static void test_local_memory(void **state)
{
    (void)state;
    enum { COUNT = 50, GROUP = 16, GROUPS = 4 };
    float x[COUNT], sums[GROUPS];
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i % 11);
    rt_buffer *in = make(sizeof x), *out = make(sizeof sums);
    rt_list *list = make_list(1);
    OK(rt_buffer_write(in, 0, x, sizeof x, err));
    rt_launch l = {.label = "sums", .source = "selftest", .kernel = "group_sum",
                   .args = {RT_BUFFER(in), RT_BUFFER(out), {.kind = RT_ARG_LOCAL, .i = GROUP * sizeof(float)},
                            RT_INT(COUNT)},
                   .arg_count = 4, .global = {RT_FIXED(COUNT)}, .local = {GROUP}};
    OK(rt_list_add(list, &l, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_buffer_read(out, 0, sums, sizeof sums, err));
    for (int g = 0; g < GROUPS; g++) {
        float expected = 0;
        for (int i = g * GROUP; i < (g + 1) * GROUP && i < COUNT; i++)
            expected += x[i];
        assert_true(sums[g] == expected); /* small integers: exact in any order */
    }
    rt_list_destroy(list);
    rt_buffer_destroy(in);
    rt_buffer_destroy(out);
}

/* A required size is not halved: another one is refused. And a refused launch, or one that is cut off, leaves nothing. */
static void test_required_local_size(void **state)
{
    (void)state;
    int groups[20];
    rt_buffer *b = make(sizeof groups);
    rt_list *list = make_list(1);
    rt_launch l = {.label = "eights", .source = "selftest", .kernel = "groups_of_eight", .args = {RT_BUFFER(b), RT_INT(20)},
                   .arg_count = 2, .global = {RT_FIXED(20)}, .local = {16}};
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_DEVICE, "compiled for work-groups of 8 x 1 x 1, 16 were given");
    l.local[0] = 4;
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_DEVICE, "eights");
    l.local[0] = 8;
    l.global[1] = RT_FIXED(1);
    l.local[1] = 2;
    REFUSED(rt_list_add(list, &l, err), CONVOY_ERROR_DEVICE, "in dimension 1");
    l.local[1] = 1;
    assert_int_equal(rt_list_length(list), 0);
    for (int i = 0; i < 40; i++)
        OK(rt_list_add(list, &l, err));
    rt_list_cut(list, 40);
    assert_int_equal(rt_list_length(list), 40);
    rt_list_cut(list, 1);
    assert_int_equal(rt_list_length(list), 1);
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_buffer_read(b, 0, groups, sizeof groups, err));
    for (int i = 0; i < 20; i++)
        assert_int_equal(groups[i], i / 8);
    rt_list_destroy(list);
    rt_buffer_destroy(b);
}

static void test_copy(void **state)
{
    (void)state;
    int in[12], out[12];
    for (int i = 0; i < 12; i++)
        in[i] = i;
    rt_buffer *from = make(sizeof in), *to = make(sizeof out);
    rt_list *list = make_list(4);
    OK(rt_buffer_write(from, 0, in, sizeof in, err));
    OK(rt_buffer_fill(to, 0.0f, err));
    OK(rt_list_add_copy(list, "copying", from, to, 3 * sizeof(int), err));
    OK(rt_list_set_batch(list, 2, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_buffer_read(to, 0, out, sizeof out, err));
    for (int i = 0; i < 12; i++)
        assert_int_equal(out[i], i < 6 ? i : 0);
    rt_list_destroy(list);
    rt_buffer_destroy(from);
    rt_buffer_destroy(to);
}

/* ---- what a step may not do ---- */

static void test_play_only_enqueues(void **state)
{
    (void)state;
    rt_buffer *b = make(64 * sizeof(int)), *c = make(64 * sizeof(int));
    rt_buffer *m = make(16 * sizeof(float)), *n = make(16 * sizeof(float)), *p = make(16 * sizeof(float));
    rt_list *list = make_list(4);
    rt_launch l = count_up(b, RT_VARIABLE(RT_VAR_FIRST), RT_BATCH(3), RT_PER_IMAGE(3, 1));
    OK(rt_list_add(list, &l, err));
    OK(rt_list_add_copy(list, "copying", b, c, 4, err));
    static const float ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    OK(rt_buffer_write(m, 0, ones, sizeof ones, err)); /* oclgrind takes what a fill wrote for uninitialised */
    OK(rt_buffer_write(n, 0, ones, sizeof ones, err));
    if (strcmp(rt_gemm(ctx), "clblast") == 0)
        OK(rt_list_add_gemm(list, &(rt_gemm_launch){.label = "gemm", .a = m, .b = n, .c = p, .m = -1, .n = 4, .k = 4},
                            err));
    OK(rt_list_set_batch(list, 3, err));
    OK(rt_list_set_batch(list, 4, err));
    OK(rt_finish(ctx, err));
    convoy_counters before = convoy_context_counters(ctx);
    for (int i = 0; i < 10; i++) {
        OK(rt_list_set_int(list, RT_VAR_FIRST, i, err));
        OK(rt_list_set_batch(list, i == 9 ? 3 : 4, err));
        OK(rt_list_play(list, 0, rt_list_length(list), err));
    }
    convoy_counters after = convoy_context_counters(ctx);
    assert_int_equal(after.launches - before.launches, 10 * rt_list_length(list));
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.builds, before.builds);
    assert_int_equal(after.cache_hits, before.cache_hits);
    assert_int_equal(after.reads, before.reads);
    assert_int_equal(after.writes, before.writes);
    assert_int_equal(after.waits, before.waits);
    assert_int_equal(after.live_objects, before.live_objects);
    assert_int_equal(after.bytes, before.bytes);
    OK(rt_finish(ctx, err));
    rt_list_destroy(list);
    rt_buffer *all[] = {b, c, m, n, p};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        rt_buffer_destroy(all[i]);
}

static void test_profile(void **state)
{
    (void)state;
    convoy_context *shared = ctx;
    OK(convoy_context_create(&(convoy_context_options){.profile = true, .cache_dir = ""}, &ctx, err));
    rt_buffer *b = make(64 * sizeof(int));
    rt_list *list = make_list(4);
    rt_launch l = count_up(b, RT_INT(0), RT_INT(64), RT_FIXED(64));
    l.flops = 10;
    l.flops_per_image = 100;
    l.bytes_per_image = 7;
    OK(rt_list_add(list, &l, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_list_set_batch(list, 3, err));
    OK(rt_list_play(list, 0, 1, err));
    rt_profile_row row;
    OK(rt_list_profile(list, 0, &row, err));
    assert_string_equal(row.label, "counting");
    assert_string_equal(row.kernel, "count_up");
    assert_int_equal(row.count, 3);
    assert_true(row.seconds > 0 && row.seconds < 60);
    assert_true(row.flops == 2 * 410 + 310);
    assert_true(row.bytes == 2 * 28 + 21);
    OK(rt_list_profile(list, 0, &row, err));
    assert_int_equal(row.count, 3);
    rt_list_destroy(list);
    rt_buffer_destroy(b);
    rt_programs_destroy(ctx);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    convoy_context_destroy(ctx);
    ctx = shared;
}

/* ---- the matrix product ---- */

typedef struct gemm_case {
    int m, n, k;
} gemm_case;

static rt_buffer *random_matrix(size_t count, uint32_t stream, float **host)
{
    *host = malloc(count * sizeof **host);
    assert_non_null(*host);
    for (size_t i = 0; i < count; i++)
        (*host)[i] = 2.0f * philox_uniform(5, PHILOX_TEST, stream, i) - 1.0f;
    rt_buffer *b = make(count * sizeof **host);
    OK(rt_buffer_write(b, 0, *host, count * sizeof **host, err));
    return b;
}

static void expect_product(const gemm_case *s, bool ta, bool tb, int batch)
{
    size_t m = (size_t)(s->m < 0 ? batch : s->m), n = (size_t)(s->n < 0 ? batch : s->n);
    size_t k = (size_t)(s->k < 0 ? batch : s->k);
    float *a, *b, *c = malloc(m * n * sizeof *c);
    assert_non_null(c);
    rt_buffer *da = random_matrix(m * k, 1, &a), *db = random_matrix(k * n, 2, &b), *dc = make(m * n * sizeof *c);
    OK(rt_buffer_fill(dc, NAN, err)); /* C is written, not added to */
    rt_list *list = make_list(batch + 3);
    OK(rt_list_add_gemm(list, &(rt_gemm_launch){.label = "product", .a = da, .b = db, .c = dc, .transpose_a = ta,
                                                .transpose_b = tb, .m = s->m, .n = s->n, .k = s->k}, err));
    OK(rt_list_set_batch(list, batch, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_buffer_read(dc, 0, c, m * n * sizeof *c, err));
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0, size = 0;
            for (size_t p = 0; p < k; p++) {
                double product = (double)a[ta ? p * m + i : i * k + p] * (double)b[tb ? j * k + p : p * n + j];
                sum += product;
                size += fabs(product);
            }
            if (!(fabs(c[i * n + j] - sum) <= 1e-6 * (2.0 + (double)k / 16.0) * (size + 1e-6)))
                fail_msg("%zu x %zu x %zu%s%s: C[%zu][%zu] is %g, not %g", m, n, k, ta ? ", A transposed" : "",
                         tb ? ", B transposed" : "", i, j, (double)c[i * n + j], sum);
        }
    }
    rt_list_destroy(list);
    rt_buffer_destroy(da);
    rt_buffer_destroy(db);
    rt_buffer_destroy(dc);
    free(a);
    free(b);
    free(c);
}

static void test_gemm(void **state)
{
    (void)state;
    if (strcmp(rt_gemm(ctx), "clblast") != 0)
        skip();
    static const gemm_case cases[] = {{1, 1, 1}, {2, 3, 5}, {-1, 10, 64}, {64, -1, 17}, {33, 65, -1},
                                      {1, 10, 2304}, {100, 1, 31}, {128, 96, 130}};
    const char *preload = getenv("LD_PRELOAD");
    size_t count = sizeof cases / sizeof *cases;
    if (preload != NULL && strstr(preload, "oclgrind") != NULL)
        count = 2; /* the others take it many minutes */
    for (size_t i = 0; i < count; i++)
        for (int t = 0; t < 4; t++)
            expect_product(&cases[i], t & 1, t & 2, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_arguments_checked), TEST(test_batch), TEST(test_extents), TEST(test_variables),
        TEST(test_switched_buffers), TEST(test_local_memory), TEST(test_required_local_size), TEST(test_copy),
        TEST(test_play_only_enqueues), TEST(test_profile), TEST(test_gemm),
    };
    return cmocka_run_group_tests_name("runtime", tests, open_device, close_device);
}
