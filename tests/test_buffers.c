/* Device memory and events. */
#include <stdlib.h>

#include "runtime_fixture.h"

/* ---- buffers ---- */

static void test_buffer_write_read(void **state)
{
    (void)state;
    int in[64], out[64];
    for (int i = 0; i < 64; i++)
        in[i] = i * i - 7;
    rt_buffer *b = make(sizeof in);
    assert_int_equal(rt_buffer_bytes(b), sizeof in);
    OK(rt_buffer_write(b, 0, in, sizeof in, err));
    OK(rt_buffer_read(b, 0, out, sizeof out, err));
    assert_memory_equal(in, out, sizeof in);
    int patch[2] = {1000, 2000};
    OK(rt_buffer_write(b, 12 * sizeof(int), patch, sizeof patch, err));
    OK(rt_buffer_read(b, 11 * sizeof(int), out, 4 * sizeof(int), err));
    assert_int_equal(out[0], in[11]);
    assert_int_equal(out[1], 1000);
    assert_int_equal(out[2], 2000);
    assert_int_equal(out[3], in[14]);
    OK(rt_buffer_write(b, sizeof in, in, 0, err)); /* nothing, at the end: fine */
    rt_buffer_destroy(b);
    rt_buffer_destroy(NULL);
}

static void test_buffer_range_checked(void **state)
{
    (void)state;
    char data[64] = {0};
    rt_buffer *b = make(32);
    REFUSED(rt_buffer_write(b, 0, data, 33, err), CONVOY_ERROR_ARGUMENT, "test");
    REFUSED(rt_buffer_read(b, 31, data, 2, err), CONVOY_ERROR_ARGUMENT, "test");
    REFUSED(rt_buffer_read(b, SIZE_MAX, data, 2, err), CONVOY_ERROR_ARGUMENT, "test");
    rt_event *done = NULL;
    REFUSED(rt_buffer_write_async(b, data, 33, NULL, &done, err), CONVOY_ERROR_ARGUMENT, "test");
    rt_buffer_destroy(b);
}

static void test_buffer_fill(void **state)
{
    (void)state;
    float out[33];
    rt_buffer *b = make(sizeof out);
    OK(rt_buffer_fill(b, -2.5f, err));
    OK(rt_buffer_read(b, 0, out, sizeof out, err));
    for (int i = 0; i < 33; i++)
        assert_true(out[i] == -2.5f);
    rt_buffer_destroy(b);
}

static void test_slices(void **state)
{
    (void)state;
    size_t a = rt_alignment(ctx), n = 4 * a;
    unsigned char *bytes = malloc(n), *out = malloc(n);
    assert_non_null(bytes);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i * 7);
    rt_buffer *whole = make(n), *part = NULL, *none = NULL;
    OK(rt_buffer_write(whole, 0, bytes, n, err));
    OK(rt_buffer_slice(whole, a, 2 * a, &part, err));
    assert_int_equal(rt_buffer_bytes(part), 2 * a);
    OK(rt_buffer_read(part, 0, out, 2 * a, err));
    assert_memory_equal(out, bytes + a, 2 * a);
    /* What is written through the slice is seen in the whole, there and nowhere else. */
    float one = 1.0f;
    OK(rt_buffer_write(part, 4, &one, sizeof one, err));
    memcpy(bytes + a + 4, &one, sizeof one);
    OK(rt_buffer_read(whole, 0, out, n, err));
    assert_memory_equal(out, bytes, n);
    REFUSED(rt_buffer_read(part, a, out, a + 1, err), CONVOY_ERROR_ARGUMENT, "test");
    REFUSED(rt_buffer_slice(whole, a + 1, a, &none, err), CONVOY_ERROR_ARGUMENT, "slice");
    REFUSED(rt_buffer_slice(whole, 3 * a, a + 1, &none, err), CONVOY_ERROR_ARGUMENT, "slice");
    REFUSED(rt_buffer_slice(whole, 0, SIZE_MAX, &none, err), CONVOY_ERROR_ARGUMENT, "slice");
    REFUSED(rt_buffer_slice(part, 0, a, &none, err), CONVOY_ERROR_ARGUMENT, "slice");
    rt_buffer_destroy(part);
    rt_buffer_destroy(whole);
    free(bytes);
    free(out);
}

static void test_too_large(void **state)
{
    (void)state;
    const convoy_device_info *info = convoy_context_device(ctx);
    convoy_counters before = convoy_context_counters(ctx);
    rt_buffer *b = NULL;
    REFUSED(rt_buffer_create(ctx, (size_t)info->max_allocation + 4, "activations", &b, err),
            CONVOY_ERROR_DEVICE_MEMORY, "activations");
    assert_int_equal(convoy_context_counters(ctx).bytes, before.bytes);
    assert_int_equal(convoy_context_counters(ctx).allocations, before.allocations);
}

static void test_bytes_are_counted(void **state)
{
    (void)state;
    convoy_counters before = convoy_context_counters(ctx);
    rt_buffer *a = make(1 << 20), *b = make(1 << 21);
    convoy_counters c = convoy_context_counters(ctx);
    assert_int_equal(c.bytes - before.bytes, 3 << 20);
    assert_int_equal(c.allocations - before.allocations, 2);
    assert_int_equal(c.live_objects - before.live_objects, 2);
    assert_true(c.peak_bytes >= c.bytes);
    rt_buffer_destroy(a);
    rt_buffer_destroy(b);
    c = convoy_context_counters(ctx);
    assert_int_equal(c.bytes, before.bytes);
    assert_true(c.peak_bytes >= before.bytes + (3 << 20));
}

/* ---- events ---- */

static void test_async_write(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16 };
    static float data[2][COUNT], out[COUNT];
    rt_buffer *in = make(sizeof out), *result = make(sizeof out);
    rt_list *list = make_list(1);
    rt_launch l = {.label = "scaling", .source = "selftest", .kernel = "scale_shift",
                   .args = {RT_BUFFER(in), RT_BUFFER(result), RT_FLOAT(2.0f), RT_FLOAT(1.0f), RT_INT(COUNT)},
                   .arg_count = 5, .global = {RT_FIXED(COUNT)}};
    OK(rt_list_add(list, &l, err));
    rt_event *used = NULL;
    for (int round = 0; round < 6; round++) {
        float *batch = data[round % 2];
        rt_event *there = NULL;
        for (int i = 0; i < COUNT; i++)
            batch[i] = (float)(i % 1000 + round);
        OK(rt_buffer_write_async(in, batch, sizeof data[0], used, &there, err));
        rt_event_destroy(used);
        OK(rt_barrier(ctx, there, err));
        OK(rt_list_play(list, 0, 1, err));
        OK(rt_marker(ctx, &used, err));
        OK(rt_event_wait(ctx, there, err));
        rt_event_destroy(there);
        OK(rt_buffer_read(result, 0, out, sizeof out, err));
        for (int i = 0; i < COUNT; i++)
            assert_true(out[i] == 2.0f * (float)(i % 1000 + round) + 1.0f);
    }
    rt_event_destroy(used);
    rt_event_destroy(NULL);
    OK(rt_finish(ctx, err));
    rt_list_destroy(list);
    rt_buffer_destroy(in);
    rt_buffer_destroy(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_buffer_write_read), TEST(test_buffer_range_checked), TEST(test_buffer_fill), TEST(test_slices),
        TEST(test_too_large), TEST(test_bytes_are_counted), TEST(test_async_write),
    };
    return cmocka_run_group_tests_name("buffers", tests, open_device, close_device);
}
