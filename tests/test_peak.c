/* The kernels that measure a device do the work that they are counted for. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>

#include "runtime/peak.h"
#include "runtime_fixture.h"

/* ---- a driver whose clock is what a test says: this stands before OpenCL's own function ---- */

static cl_uint clock_mhz; /* 0: the driver's own answer */

cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t size, void *out, size_t *size_out)
{
    typedef cl_int(CL_API_CALL * function)(cl_device_id, cl_device_info, size_t, void *, size_t *);
    function real;
    *(void **)&real = dlsym(RTLD_NEXT, "clGetDeviceInfo");
    cl_int code = real(device, what, size, out, size_out);
    if (clock_mhz && what == CL_DEVICE_MAX_CLOCK_FREQUENCY && code == CL_SUCCESS && out)
        *(cl_uint *)out = clock_mhz;
    return code;
}

/* With a = b = 1 a chain counts its own steps, so the sums tell how many there were: nothing was left out, and the flops that
 * the peak is reckoned from are two a step. */
static void check_fma(int width, int chains, const char *multiply_add)
{
    enum { ITEMS = 6, ROUNDS = 5 };
    float sums[ITEMS * 16];
    char options[128];
    int steps = 0;
    rt_buffer *out = make(sizeof sums);
    rt_list *list = make_list(1);
    snprintf(options, sizeof options, "-DVW=%d -DACCUMULATORS=%d -DTURNS=%d -DMULTIPLY_ADD=%s", width, chains,
             RT_PEAK_TURNS, multiply_add);
    rt_launch launch = {.label = "fma", .source = "peak_fma", .kernel = "peak_fma", .options = options,
                        .global = {RT_FIXED(ITEMS)}, .local = {1}};
    rt_push(&launch, RT_BUFFER(out));
    rt_push(&launch, RT_FLOAT(1.0f));
    rt_push(&launch, RT_FLOAT(1.0f));
    rt_push(&launch, RT_INT(ROUNDS));
    OK(rt_list_add(list, &launch, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_buffer_read(out, 0, sums, sizeof(float) * ITEMS * (size_t)width, err));
    for (int i = 0; i < ITEMS * width; i++) {
        int starts = 0; /* chain k of a work-item starts from its number + k */
        for (int k = 0; k < chains; k++)
            starts += i / width + k;
        steps += (int)sums[i] - starts;
    }
    assert_true(rt_peak_fma_flops((unsigned)width, chains, ROUNDS) * ITEMS == 2.0 * steps);
    rt_list_destroy(list);
    rt_buffer_destroy(out);
}

static void test_fma_does_all_its_work(void **state)
{
    (void)state;
    check_fma(16, 8, "fma");
    check_fma(8, 12, "mad");
    check_fma(4, 16, "fma");
    check_fma(4, 4, "fma");
    check_fma(1, 8, "fma");
    check_fma(1, 16, "mad");
}

/* Every element is written, from the elements in its place. */
static void check_triad(int width, int block)
{
    enum { FLOATS = 768 };
    float x[FLOATS], y[FLOATS], z[FLOATS];
    char options[64];
    rt_buffer *buffers[3] = {make(sizeof x), make(sizeof y), make(sizeof z)};
    rt_list *list = make_list(1);
    for (int i = 0; i < FLOATS; i++) {
        x[i] = (float)i;
        y[i] = (float)(2 * (FLOATS - i));
    }
    snprintf(options, sizeof options, "-DVW=%d -DBLOCK=%d", width, block);
    rt_launch launch = {.label = "triad", .source = "peak_triad", .kernel = "peak_triad", .options = options,
                        .global = {RT_FIXED((size_t)(FLOATS / width / block))}};
    for (int i = 0; i < 3; i++)
        rt_push(&launch, RT_BUFFER(buffers[i]));
    rt_push(&launch, RT_FLOAT(0.5f));
    OK(rt_buffer_write(buffers[0], 0, x, sizeof x, err));
    OK(rt_buffer_write(buffers[1], 0, y, sizeof y, err));
    OK(rt_buffer_fill(buffers[2], -1.0f, err));
    OK(rt_list_add(list, &launch, err));
    OK(rt_list_play(list, 0, 1, err));
    OK(rt_buffer_read(buffers[2], 0, z, sizeof z, err));
    for (int i = 0; i < FLOATS; i++)
        assert_true(z[i] == FLOATS);
    rt_list_destroy(list);
    for (int i = 0; i < 3; i++)
        rt_buffer_destroy(buffers[i]);
}

static void test_triad_covers_its_arrays(void **state)
{
    (void)state;
    check_triad(16, 3);
    check_triad(8, 32);
    check_triad(4, 1);
}

static int low_peaks;

static void on_message(void *user, const char *text)
{
    (void)user;
    low_peaks += strstr(text, "far below") != NULL && strstr(text, " MHz allow") != NULL;
}

/* Told where the clock promises more than twice what was measured, and only there. */
static void test_low_peak_is_told(void **state)
{
    (void)state;
    rt_peak peak = {0};
    if (ctx->info.native_vector_width_float < 4)
        skip(); /* vectors are made of work-items: nobody tells how many */
    convoy_context_on_message(ctx, on_message, NULL);
    for (int low = 0; low < 2; low++) {
        clock_mhz = low ? 1000000 : 1;
        low_peaks = 0;
        OK(rt_peak_measure(ctx, &peak, err));
        assert_int_equal(low_peaks, low);
    }
    clock_mhz = 0;
    convoy_context_on_message(ctx, NULL, NULL);
}

/* Bounds that any device keeps: what the figures are worth, test_bench holds launches against. */
static void test_measure(void **state)
{
    (void)state;
    rt_peak peak = {0};
    OK(rt_peak_measure(ctx, &peak, err));
    assert_true(isfinite(peak.flops) && peak.flops > 1e7);
    assert_true(isfinite(peak.bytes) && peak.bytes > 1e7);
    assert_true(peak.launch > 0 && peak.launch < 0.01);
}

/* Switching keeps lists and buffers, and counts only what is played while it is on. */
static void test_profile_switch(void **state)
{
    (void)state;
    rt_buffer *x = make(64 * sizeof(int32_t));
    rt_list *list = make_list(1);
    rt_profile_row row;
    rt_launch launch = {.label = "count", .source = "selftest", .kernel = "count_up", .global = {RT_FIXED(64)},
                        .flops = 10};
    rt_push(&launch, RT_BUFFER(x));
    rt_push(&launch, RT_INT(5));
    rt_push(&launch, RT_INT(64));
    OK(rt_list_add(list, &launch, err));
    for (int round = 0; round < 2; round++) {
        OK(rt_list_play(list, 0, 1, err));
        OK(rt_set_profile(ctx, true, err));
        assert_true(rt_profiles(ctx));
        OK(rt_list_play(list, 0, 1, err));
        OK(rt_list_play(list, 0, 1, err));
        OK(rt_set_profile(ctx, false, err));
        assert_false(rt_profiles(ctx));
    }
    OK(rt_list_profile(list, 0, &row, err));
    assert_int_equal(row.count, 4);
    assert_true(row.flops == 40 && row.seconds > 0);
    rt_list_destroy(list);
    rt_buffer_destroy(x);
}

static void test_peak_bytes(void **state)
{
    (void)state;
    rt_buffer *kept = make(1000);
    rt_buffer_destroy(make(5000));
    assert_true(convoy_context_counters(ctx).peak_bytes >= 6000);
    rt_set_peak_bytes(ctx, 0);
    assert_int_equal(convoy_context_counters(ctx).peak_bytes, 1000);
    rt_buffer_destroy(make(500));
    assert_int_equal(convoy_context_counters(ctx).peak_bytes, 1500);
    rt_set_peak_bytes(ctx, 7000);
    assert_int_equal(convoy_context_counters(ctx).peak_bytes, 7000);
    rt_buffer_destroy(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fma_does_all_its_work), TEST(test_triad_covers_its_arrays), TEST(test_measure),
        TEST(test_low_peak_is_told),
        TEST(test_profile_switch),        TEST(test_peak_bytes),
    };
    return cmocka_run_group_tests_name("peak", tests, open_device, close_device);
}
