/* The tile kernels against the double reference with blocks of their own choice and with odd ones, which blocks are chosen, and
 * what happens where the device runs fewer work-items of a kernel than it promised. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "convoy/convoy.h"
#include "layers/check.h"
#include "ops/conv2d/tile.h"
#include "runtime_fixture.h"
#include "check_help.h"

/* ---- a driver that allows fewer work-items than it says: this stands before OpenCL's own function ---- */

static const char *capped; /* a part of the kernel's name; NULL: nothing is capped */
static size_t cap;

cl_int CL_API_CALL clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t size,
                                            void *out, size_t *size_out)
{
    typedef cl_int(CL_API_CALL * function)(cl_kernel, cl_device_id, cl_kernel_work_group_info, size_t, void *, size_t *);
    function real;
    char name[160] = "";
    *(void **)&real = dlsym(RTLD_NEXT, "clGetKernelWorkGroupInfo");
    cl_int code = real(kernel, device, what, size, out, size_out);
    if (capped == NULL || what != CL_KERNEL_WORK_GROUP_SIZE || out == NULL || code != CL_SUCCESS)
        return code;
    code = clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    if (code == CL_SUCCESS && strstr(name, capped) != NULL)
        *(size_t *)out = cap;
    return code;
}

/* ---- results ---- */

enum { MANY_PARTS = 100 };

static int messages;
static char last_message[1024];

static void on_message(void *user, const char *message)
{
    (void)user;
    if (strstr(message, "does not run here") == NULL)
        return;
    messages++;
    snprintf(last_message, sizeof last_message, "%s", message);
}

static void open_tile(void)
{
    convoy_error err = {0};
    convoy_context_options how = {.variant = "tile", .gemm = "builtin"};
    if (convoy_context_create(&how, &ctx, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    messages = 0;
    convoy_context_on_message(ctx, on_message, NULL);
}

static void close_tile(void)
{
    rt_programs_destroy(ctx);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
}

/* The filter gradient, if it has so many parts that they are summed in two steps. */
static unsigned many_parts(void *user, convoy_context *context, const layer *l, size_t sample)
{
    (void)user;
    (void)sample;
    return layer_find_needs(l, context, 2, NULL).kernels[0].choice[CONV_BACKWARD_FILTER].params[SPLITS] == MANY_PARTS ? CHECK_D_PARAMS : 0;
}

/* Inputs of at most so many values, or CONVOY_CHECK_MOST of them; samples that pass the filter. */
static void check_samples(const char *layer, size_t most_values, check_filter *wanted)
{
    convoy_error err = {0};
    size_t rows = 0, failed = 0;
    const char *most = getenv("CONVOY_CHECK_MOST");
    convoy_check_options options = {.seed = 20, .layer = layer, .on_row = on_row, .user = &rows,
                                    .most_values = most ? (size_t)atol(most) : most_values};
    if (check_layers(ctx, &options, wanted, NULL, &failed, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_true(rows > 0);
    assert_int_equal(failed, 0);
    assert_int_equal(messages, 0); /* none of it fell back */
}


static void test_defaults(void **state)
{
    (void)state;
    open_tile();
    check_samples("Conv2D", 300, pass_in_turn);
    check_samples("Dense", 0, pass_in_turn);
    close_tile();
}

/* `wanted`: of the convolutions. Small blocks, so that small images have several, and sizes that nothing divides. Where more parts
 * than turns are asked for, a record does not fit, and the defaults run. */
static void check_blocks(const char *forward, const char *data, const char *filter, size_t most_values, check_filter *wanted)
{
    open_tile();
    OK(rt_record_set(ctx, conv_pass_key(CONV_FORWARD), forward, err));
    OK(rt_record_set(ctx, conv_pass_key(CONV_BACKWARD_DATA), data, err));
    OK(rt_record_set(ctx, conv_pass_key(CONV_BACKWARD_FILTER), filter, err));
    check_samples("Conv2D", most_values, wanted);
    check_samples("Dense", 100, pass_in_turn);
    close_tile();
}

static void test_small_blocks(void **state)
{
    (void)state;
    check_blocks("tile TILE_M=16 TILE_N=16 TILE_K=8 WORK_M=4 WORK_N=4 SPLITS=1",
                 "tile_images TILE_M=8 TILE_N=16 TILE_K=4 WORK_M=4 WORK_N=4 SPLITS=2",
                 "tile TILE_M=16 TILE_N=16 TILE_K=8 WORK_M=4 WORK_N=4 SPLITS=1", 700, NULL);
}

static void test_odd_blocks(void **state)
{
    (void)state;
    check_blocks("tile_images TILE_M=12 TILE_N=20 TILE_K=12 WORK_M=4 WORK_N=4 SPLITS=2",
                 "tile TILE_M=36 TILE_N=8 TILE_K=4 WORK_M=4 WORK_N=8 SPLITS=1",
                 "tile TILE_M=20 TILE_N=12 TILE_K=4 WORK_M=4 WORK_N=4 SPLITS=3", 300, pass_in_turn);
}

/* Enough parts that they are summed in two steps: only the tutorial's first layer has as many. */
static void test_many_parts(void **state)
{
    (void)state;
    conv_choice choice;
    conv_shape s = {.height = 32, .width = 32, .in = 3, .out_height = 30, .out_width = 30, .out = 32, .kernel = {3, 3},
                    .stride = {1, 1}, .dilation = {1, 1}, .bias = true};
    conv_problem p = {CONV_BACKWARD_FILTER, &s, 2};
    char text[96];
    snprintf(text, sizeof text, "tile TILE_M=32 TILE_N=32 TILE_K=8 WORK_M=4 WORK_N=4 SPLITS=%d", MANY_PARTS);
    open_tile();
    assert_true(conv_choice_parse(ctx, &p, text, &choice));
    OK(rt_record_set(ctx, conv_pass_key(CONV_BACKWARD_FILTER), text, err));
    if (getenv("CONVOY_CHECK_MOST") == NULL)
        check_samples("Conv2D", 0, many_parts);
    close_tile();
}

/* ---- choice ---- */

/* Pretends that the context's device is another one. */
static void pretend(unsigned units, uint64_t local_memory, size_t max_local)
{
    ctx->info.compute_units = units;
    ctx->info.local_memory = local_memory;
    ctx->max_local = max_local;
}

static conv_shape shape(int size, int in, int out, int kernel, int stride, bool same)
{
    conv_shape s = {.height = size, .width = size, .in = in, .out = out, .kernel = {kernel, kernel}, .stride = {stride, stride},
                    .dilation = {1, 1}, .bias = true};
    ops_window(size, kernel, stride, same, &s.out_height, &s.pad[0]);
    ops_window(size, kernel, stride, same, &s.out_width, &s.pad[1]);
    return s;
}

static const char *chosen(conv_pass pass, const conv_shape *s, int batch, conv_choice *out)
{
    conv_problem p = {pass, s, batch};
    conv_choose(ctx, &p, out);
    return out->variant->name;
}

/* What is chosen never asks for more than the device has; _plain runs where no block is small enough. */
static void test_choice_keeps_limits(void **state)
{
    (void)state;
    static const struct { unsigned units; uint64_t local_memory; size_t max_local; } devices[] = {
        {132, 49152, 1024}, {8, 65536, 256}, {2, 16384, 64}, {1, 8192, 16}, {400, 32768, 512}};
    static const int batches[] = {1, 3, 32, 256};
    conv_shape shapes[] = {shape(32, 3, 32, 3, 1, false), shape(15, 32, 64, 3, 1, false), shape(6, 64, 128, 3, 1, false),
                           shape(1, 2048, 64, 1, 1, false), shape(1, 64, 10, 1, 1, false), shape(56, 7, 5, 7, 2, true)};
    open_tile();
    for (size_t d = 0; d < sizeof devices / sizeof *devices; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int i = 0; i < 4 * CONV_PASSES; i++) {
                conv_choice c;
                pretend(devices[d].units, devices[d].local_memory, devices[d].max_local);
                const char *name = chosen((conv_pass)(i / 4), &shapes[s], batches[i % 4], &c);
                assert_true(strncmp(name, "tile", 4) == 0);
                assert_true((size_t)tile_items(c.params) <= devices[d].max_local);
                assert_true(tile_local_bytes(c.params) <= devices[d].local_memory);
            }
    conv_choice c;
    pretend(4, 32768, 4);
    assert_string_equal(chosen(CONV_FORWARD, &shapes[1], 64, &c), "plain");
    pretend(4, 1024, 256);
    assert_string_equal(chosen(CONV_BACKWARD_FILTER, &shapes[1], 64, &c), "plain");
    close_tile();
}

/* On each GPU that is known what is chosen fits its registers, and larger shares are taken where there are more. */
static void test_choice_fits_registers(void **state)
{
    (void)state;
    convoy_error err = {0};
    static const int batches[] = {1, 64, 256};
    conv_shape shapes[] = {shape(32, 3, 32, 3, 1, false), shape(15, 32, 64, 3, 1, false), shape(6, 64, 128, 3, 1, false),
                           shape(32, 16, 16, 3, 1, true), shape(1, 2048, 64, 1, 1, false), shape(64, 256, 256, 3, 1, true)};
    for (size_t g = 0; convoy_described_gpu(g) != NULL; g++) {
        const char *name = convoy_described_gpu(g);
        int largest = 0, most = 0;
        if (convoy_context_create(&(convoy_context_options){.as = name, .gemm = "builtin", .tuning = "off"}, &ctx, &err) != CONVOY_OK)
            fail_msg("%s", err.message);
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int i = 0; i < 3 * CONV_PASSES; i++) {
                conv_choice c;
                conv_problem p = {(conv_pass)(i / 3), &shapes[s], batches[i % 3]};
                conv_choose(ctx, &p, &c);
                assert_true(strncmp(c.variant->name, "tile", 4) == 0);
                int registers = tile_registers(&p, c.params), share = c.params[WORK_M] * c.params[WORK_N];
                most = registers > most ? registers : most;
                largest = share > largest ? share : largest;
            }
        assert_true(most <= (int)rt_gpu_of(ctx)->registers);
        assert_int_equal(largest, rt_gpu_of(ctx)->registers > 200 ? 64 : 32);
        convoy_context_destroy(ctx);
    }
}

/* A work-group of less than a sub-group leaves lanes idle, and a larger one may cost no more. */
static void test_choice_fills_sub_groups(void **state)
{
    (void)state;
    conv_choice c;
    conv_shape few = shape(1, 32, 8, 3, 1, true);
    open_tile();
    pretend(1, 65536, 256);
    ctx->gpu.lanes = 1;
    chosen(CONV_FORWARD, &few, 1, &c);
    assert_true(tile_items(c.params) < 64);
    ctx->gpu.lanes = 64;
    chosen(CONV_FORWARD, &few, 1, &c);
    assert_int_equal(tile_items(c.params), 64);
    close_tile();
}

/* On a large GPU: rows by images where that leaves out taps, split sums where blocks are few, whole ones where they are many. */
static void test_choice_on_a_gpu(void **state)
{
    (void)state;
    conv_choice c;
    conv_shape middle = shape(15, 32, 64, 3, 1, false), last = shape(6, 64, 128, 3, 1, false);
    conv_shape dense = shape(1, 2048, 64, 1, 1, false), both = shape(9, 8, 8, 3, 1, false);
    open_tile();
    pretend(132, 49152, 1024);
    assert_string_equal(chosen(CONV_BACKWARD_DATA, &last, 256, &c), "tile_images");
    assert_string_equal(chosen(CONV_BACKWARD_DATA, &last, 4, &c), "tile");
    assert_string_equal(chosen(CONV_FORWARD, &middle, 256, &c), "tile");
    assert_int_equal(c.params[SPLITS], 1);
    assert_true(c.params[TILE_M] * c.params[TILE_N] >= 64 * 64);
    chosen(CONV_FORWARD, &dense, 256, &c);
    assert_true(c.params[SPLITS] > 1);
    chosen(CONV_BACKWARD_FILTER, &middle, 256, &c);
    assert_true(c.params[SPLITS] >= 16);
    both.stride[0] = both.dilation[0] = 2;
    assert_string_equal(chosen(CONV_BACKWARD_DATA, &both, 64, &c), "plain");
    assert_string_equal(chosen(CONV_FORWARD, &both, 64, &c), "tile");
    close_tile();
}

/* ---- falling back ---- */

enum { IMAGES = 3 };

typedef struct tensors {
    conv_shape s;
    rt_buffer *x, *w, *bias, *y, *dz, *dw, *dbias, *scratch;
    rt_list *list;
} tensors;

static rt_buffer *filled(size_t count)
{
    rt_buffer *b = make(count * sizeof(float));
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)((int)(i * 7 % 17) - 8) / 8.0f;
    OK(rt_buffer_write(b, 0, values, count * sizeof *values, err));
    free(values);
    return b;
}

static void make_tensors(tensors *t)
{
    *t = (tensors){.s = shape(6, 4, 16, 3, 1, true), .list = make_list(IMAGES)};
    t->x = filled(IMAGES * conv_inputs(&t->s));
    t->w = filled(conv_weights(&t->s));
    t->bias = filled((size_t)t->s.out);
    t->y = make(IMAGES * conv_outputs(&t->s) * sizeof(float));
    t->dz = filled(IMAGES * conv_outputs(&t->s));
    t->dw = make(conv_weights(&t->s) * sizeof(float));
    t->dbias = make((size_t)t->s.out * sizeof(float));
    t->scratch = make(65536 * sizeof(float));
}

static void free_tensors(tensors *t)
{
    rt_list_destroy(t->list);
    rt_buffer *all[] = {t->x, t->w, t->bias, t->y, t->dz, t->dw, t->dbias, t->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        rt_buffer_destroy(all[i]);
}

static convoy_status add(tensors *t, conv_pass pass, convoy_error *err)
{
    conv_buffers b = {.x = t->x, .w = t->w, .bias = t->bias, .y = t->y, .dz = t->dz, .dw = t->dw, .dbias = t->dbias,
                      .scratch = t->scratch};
    conv_job job = {.problem = {pass, &t->s, IMAGES}, .layer = "L", .buffers = &b};
    return conv_add(t->list, ctx, job, err);
}

/* The list gives y = conv(x, w) + bias: in eighths and small, so exact. */
static void expect_forward(const tensors *t)
{
    size_t count = IMAGES * conv_outputs(&t->s), inputs = IMAGES * conv_inputs(&t->s), weights = conv_weights(&t->s);
    float *y = malloc(count * sizeof *y), *x = malloc(inputs * sizeof *x), *w = malloc(weights * sizeof *w), bias[16];
    double *dx = malloc(inputs * sizeof *dx), *dw = malloc(weights * sizeof *dw), *expected = malloc(count * sizeof *expected);
    double dbias[16];
    OK(rt_list_play(t->list, 0, rt_list_length(t->list), err));
    OK(rt_buffer_read(t->y, 0, y, count * sizeof *y, err));
    OK(rt_buffer_read(t->x, 0, x, inputs * sizeof *x, err));
    OK(rt_buffer_read(t->w, 0, w, weights * sizeof *w, err));
    OK(rt_buffer_read(t->bias, 0, bias, sizeof bias, err));
    for (size_t i = 0; i < inputs; i++)
        dx[i] = x[i];
    for (size_t i = 0; i < weights; i++)
        dw[i] = w[i];
    for (size_t i = 0; i < 16; i++)
        dbias[i] = bias[i];
    ops_conv2d_reference(&t->s, IMAGES, dx, dw, dbias, expected);
    for (size_t i = 0; i < count; i++)
        assert_true((double)y[i] == expected[i]);
    free(y);
    free(x);
    free(w);
    free(dx);
    free(dw);
    free(expected);
}

/* A smaller block is found, said once, kept, and right. */
static void test_falls_back_to_smaller(void **state)
{
    (void)state;
    tensors t;
    conv_choice c;
    open_tile();
    make_tensors(&t);
    OK(rt_record_set(ctx, conv_pass_key(CONV_FORWARD), "tile TILE_M=32 TILE_N=32 TILE_K=8 WORK_M=4 WORK_N=4 SPLITS=2", err));
    capped = "conv2d_forward_tile";
    cap = 20;
    OK(add(&t, CONV_FORWARD, err));
    assert_int_equal(messages, 2); /* 64 work-items, 32, then 16 */
    assert_non_null(strstr(last_message, "L, conv2d forward: tile TILE_M=16 TILE_N=32"));
    assert_non_null(strstr(last_message, "does not run here, tile TILE_M=16 TILE_N=16"));
    assert_non_null(strstr(last_message, "needs work-groups of 32"));
    assert_int_equal(rt_list_length(t.list), 2);
    expect_forward(&t);
    assert_string_equal(chosen(CONV_FORWARD, &t.s, IMAGES, &c), "tile");
    assert_int_equal(tile_items(c.params), 16);
    assert_int_equal(c.params[SPLITS], 2);
    OK(add(&t, CONV_FORWARD, err));
    assert_int_equal(messages, 2);
    assert_int_equal(rt_list_length(t.list), 4);
    capped = NULL;
    free_tensors(&t);
    close_tile();
}

/* What comes instead must do with the scratch that there is. */
static void test_keeps_to_its_scratch(void **state)
{
    (void)state;
    tensors t;
    open_tile();
    make_tensors(&t);
    rt_buffer *whole = t.scratch;
    t.scratch = make(sizeof(float));
    OK(rt_record_set(ctx, conv_pass_key(CONV_FORWARD), "tile TILE_M=32 TILE_N=32 TILE_K=8 WORK_M=4 WORK_N=4 SPLITS=2", err));
    capped = "conv2d_forward_tile";
    cap = 20;
    REFUSED(add(&t, CONV_FORWARD, err), CONVOY_ERROR_DEVICE, "conv2d_forward_tile");
    assert_int_equal(messages, 0);
    assert_int_equal(rt_list_length(t.list), 0);
    capped = NULL;
    rt_buffer_destroy(t.scratch);
    t.scratch = whole;
    free_tensors(&t);
    close_tile();
}

static void test_falls_back_to_plain(void **state)
{
    (void)state;
    tensors t;
    conv_choice c;
    convoy_error none = {0};
    open_tile();
    make_tensors(&t);
    capped = "tile";
    cap = 4;
    assert_int_equal(add(&t, CONV_FORWARD, &none), CONVOY_OK);
    assert_int_equal(none.status, CONVOY_OK); /* the attempts' failures are not the caller's */
    assert_true(messages > 0);
    assert_non_null(strstr(last_message, "does not run here, plain instead"));
    assert_int_equal(rt_list_length(t.list), 1);
    assert_string_equal(chosen(CONV_FORWARD, &t.s, IMAGES, &c), "plain");
    expect_forward(&t);
    capped = NULL;
    free_tensors(&t);
    close_tile();
}

/* The first of several launches was added already when the second one fails. */
static void test_leaves_nothing_half_added(void **state)
{
    (void)state;
    tensors t;
    open_tile();
    make_tensors(&t);
    OK(rt_record_set(ctx, conv_pass_key(CONV_BACKWARD_FILTER), "tile TILE_M=16 TILE_N=16 TILE_K=4 WORK_M=4 WORK_N=4 SPLITS=3",
                     err));
    capped = "reduce_chunks";
    cap = 0;
    OK(add(&t, CONV_BACKWARD_FILTER, err));
    assert_int_equal(rt_list_length(t.list), 1);
    assert_string_equal(rt_list_label(t.list, 0), "L backward filter");
    capped = ""; /* everything: no way is left */
    REFUSED(add(&t, CONV_FORWARD, err), CONVOY_ERROR_DEVICE, "conv2d_forward_plain");
    assert_int_equal(rt_list_length(t.list), 1);
    capped = NULL;
    OK(rt_list_play(t.list, 0, 1, err));
    free_tensors(&t);
    close_tile();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_small_blocks), cmocka_unit_test(test_odd_blocks),
        cmocka_unit_test(test_many_parts), cmocka_unit_test(test_choice_keeps_limits),
        cmocka_unit_test(test_choice_fits_registers), cmocka_unit_test(test_choice_fills_sub_groups),
        cmocka_unit_test(test_choice_on_a_gpu), cmocka_unit_test(test_falls_back_to_smaller), cmocka_unit_test(test_keeps_to_its_scratch),
        cmocka_unit_test(test_falls_back_to_plain),
        cmocka_unit_test(test_leaves_nothing_half_added),
    };
    return cmocka_run_group_tests_name("tile", tests, NULL, NULL);
}
