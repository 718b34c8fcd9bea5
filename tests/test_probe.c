/* Convolutions one value at a time, and what is noticed by them: the sampled reference, and the probe that candidates run on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/conv2d/probe.h"
#include "ops/conv2d/sample.h"

#include "assert_ok.h"

/* Untuned kernels; vectors of 0 floats: the device's. */
static convoy_context *open_context(unsigned width)
{
    convoy_context *ctx = NULL;
    convoy_context_options o = {.vector_width = width, .tuning = "off"};
    OK(convoy_context_create(&o, &ctx, err));
    return ctx;
}

static const conv_shape shapes[] = {
    {.height = 7, .width = 6, .in = 5, .out_height = 5, .out_width = 4, .out = 9, .kernel = {3, 3}, .stride = {1, 1},
     .dilation = {1, 1}, .bias = true},
    {.height = 8, .width = 7, .in = 3, .out_height = 4, .out_width = 3, .out = 4, .kernel = {3, 2}, .stride = {2, 3},
     .dilation = {1, 1}, .pad = {1, 0}, .bias = true},
    {.height = 9, .width = 9, .in = 2, .out_height = 9, .out_width = 5, .out = 3, .kernel = {3, 3}, .stride = {1, 1},
     .dilation = {2, 2}, .pad = {2, 0}},
    {.height = 5, .width = 6, .in = 6, .out_height = 3, .out_width = 6, .out = 9, .kernel = {3, 1}, .stride = {1, 1},
     .dilation = {1, 1}, .bias = true, .groups = 3},
    {.height = 7, .width = 5, .in = 8, .out_height = 4, .out_width = 3, .out = 8, .kernel = {3, 3}, .stride = {2, 2},
     .dilation = {1, 1}, .pad = {1, 1}, .bias = true, .groups = 8},
    {.height = 1, .width = 1, .in = 17, .out_height = 1, .out_width = 1, .out = 6, .kernel = {1, 1}, .stride = {1, 1},
     .dilation = {1, 1}, .bias = true},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, BATCH = 3 };

/* ---- the sampled reference is the reference ---- */

typedef struct tensor {
    float *f;
    double *d;
} tensor;

static tensor make(size_t count, int which)
{
    tensor t = {malloc(count * sizeof *t.f), calloc(count, sizeof *t.d)};
    assert_non_null(t.f);
    assert_non_null(t.d);
    for (size_t i = 0; i < count; i++)
        t.d[i] = t.f[i] = (float)((int)((i * 7919 + (size_t)which * 31) % 17) - 8) / 8.0f;
    return t;
}

static void drop(tensor t)
{
    free(t.f);
    free(t.d);
}

static void expect_samples(const conv_problem *p, const activation *act, const conv_tensors *t, const double *expected)
{
    for (size_t i = 0; i < conv_result_count(p); i++) {
        double found = conv_sample_value(p, act, t, i);
        if (!(fabs(found - expected[i]) < 1e-12))
            fail_msg("pass %d, value %zu is %.17g; %.17g is expected", p->pass, i, found, expected[i]);
    }
}

static void check_shape(const conv_shape *s)
{
    size_t inputs = conv_inputs(s) * BATCH, outputs = conv_outputs(s) * BATCH, weights = conv_weights(s);
    tensor x = make(inputs, 1), w = make(weights, 2), bias = make((size_t)s->out, 3), dz = make(outputs, 4);
    double *z = calloc(outputs, sizeof *z), *dx = calloc(inputs, sizeof *dx), *dw = calloc(weights + (size_t)s->out, sizeof *dw);
    conv_tensors t = {.x = x.f, .w = w.f, .bias = s->bias ? bias.f : NULL, .dz = dz.f};
    const activation *tanh_row = activation_find("tanh");
    ops_conv2d_reference(s, BATCH, x.d, w.d, s->bias ? bias.d : NULL, z);
    ops_conv2d_reference_backward(s, BATCH, x.d, w.d, dz.d, dx, dw, s->bias ? dw + weights : NULL);
    expect_samples(&(conv_problem){CONV_FORWARD, s, BATCH}, activation_find("linear"), &t, z);
    expect_samples(&(conv_problem){CONV_BACKWARD_DATA, s, BATCH}, NULL, &t, dx);
    expect_samples(&(conv_problem){CONV_BACKWARD_FILTER, s, BATCH}, NULL, &t, dw);
    for (size_t i = 0; i < outputs; i++)
        z[i] = tanh(z[i]);
    for (size_t i = 0; i < inputs; i++)
        dx[i] *= 1.0 - x.d[i] * x.d[i];
    expect_samples(&(conv_problem){CONV_FORWARD, s, BATCH}, tanh_row, &t, z);
    expect_samples(&(conv_problem){CONV_BACKWARD_DATA, s, BATCH}, tanh_row, &t, dx);
    free(z);
    free(dx);
    free(dw);
    drop(x);
    drop(w);
    drop(bias);
    drop(dz);
}

static void test_samples_are_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < SHAPES; i++)
        check_shape(&shapes[i]);
}

static void test_places(void **state)
{
    (void)state;
    for (int i = 0; i < SHAPES; i++)
        for (int pass = 0; pass < CONV_PASSES; pass++) {
            size_t at[400];
            conv_problem p = {(conv_pass)pass, &shapes[i], BATCH};
            size_t end = conv_result_count(&p);
            assert_int_equal(conv_sample_places(&p, 1, at, 400), 400);
            assert_int_equal(at[0], 0);
            assert_int_equal(at[1], end - 1);
            for (int k = 0; k < 400; k++)
                assert_true(at[k] < end);
        }
}

/* ---- what a probe notices ---- */

static double compare(conv_probe *probe, const char *part)
{
    double error = -1.0;
    char message[192] = "";
    OK(conv_probe_compare(probe, &error, message, sizeof message, err));
    if (part && strstr(message, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, message);
    return error;
}

/* A value that is wrong anywhere is noticed: at the sampled ends, and elsewhere by comparison with what was right. */
static void damage(conv_probe *probe, size_t at, float by)
{
    float value;
    char part[64];
    OK(rt_buffer_read(conv_probe_result(probe), at * sizeof value, &value, sizeof value, err));
    float wrong = value + by;
    OK(rt_buffer_write(conv_probe_result(probe), at * sizeof value, &wrong, sizeof wrong, err));
    snprintf(part, sizeof part, "value %zu of ", at);
    assert_true(compare(probe, part) > 1.0);
    OK(rt_buffer_write(conv_probe_result(probe), at * sizeof value, &value, sizeof value, err));
    assert_true(compare(probe, NULL) <= 1.0);
}

static void probe_pass(convoy_context *ctx, const conv_shape *s, conv_pass pass, const activation *act)
{
    conv_job job = {.problem = {pass, s, BATCH}, .layer = "test", .end = {.act = act}};
    conv_probe *probe = NULL;
    conv_candidate c;
    conv_choice choice;
    size_t values = pass == CONV_FORWARD ? conv_outputs(s) * BATCH : pass == CONV_BACKWARD_DATA ? conv_inputs(s) * BATCH
                                                                                               : conv_weights(s);
    conv_choose_untuned(ctx, &job.problem, &choice);
    OK(conv_probe_create(ctx, &job, &probe, err));
    OK(conv_candidate_build(probe, &choice, &c, err));
    OK(rt_buffer_fill(conv_probe_result(probe), 0.0f, err));
    assert_true(compare(probe, NULL) > 1.0); /* nothing has run yet */
    OK(conv_candidate_run(probe, &c, err));
    assert_true(compare(probe, NULL) <= 1.0);
    damage(probe, 0, 0.25f);
    damage(probe, values - 1, -0.01f);
    for (size_t at = 1; at < values; at += values / 7 + 1)
        damage(probe, at, 0.1f);
    damage(probe, values / 2, NAN);
    conv_candidate_clear(&c);
    conv_probe_destroy(probe);
}

static void test_probe_notices(void **state)
{
    (void)state;
    convoy_context *ctx = open_context(0);
    probe_pass(ctx, &shapes[0], CONV_FORWARD, activation_find("relu"));
    probe_pass(ctx, &shapes[0], CONV_BACKWARD_DATA, activation_find("relu"));
    probe_pass(ctx, &shapes[0], CONV_BACKWARD_FILTER, NULL);
    probe_pass(ctx, &shapes[1], CONV_BACKWARD_DATA, NULL);
    probe_pass(ctx, &shapes[2], CONV_BACKWARD_FILTER, NULL);
    rt_finish(ctx, NULL);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
}

/* ---- what ships ---- */

static void check_record(convoy_context *ctx, char *line, const char *file)
{
    conv_shape s;
    conv_problem p;
    conv_choice choice;
    conv_probe *probe = NULL;
    conv_candidate c;
    char *value = strchr(line, '\t');
    assert_non_null(value);
    *value++ = '\0';
    value[strcspn(value, "\t")] = '\0';
    if (!conv_problem_parse(line, &s, &p) || !conv_choice_parse(ctx, &p, value, &choice))
        fail_msg("%s: '%s' is no choice for '%s'", file, value, line);
    s.bias = true;
    conv_job job = {.problem = p, .layer = "shipped", .end = {.act = p.pass == CONV_BACKWARD_FILTER ? NULL : activation_find("relu")}};
    OK(conv_probe_create(ctx, &job, &probe, err));
    OK(conv_candidate_build(probe, &choice, &c, err));
    OK(conv_candidate_run(probe, &c, err));
    assert_true(compare(probe, NULL) <= 1.0);
    conv_candidate_clear(&c);
    conv_probe_destroy(probe);
}

static void check_shipped(const char *file, unsigned width)
{
    char path[PATH_MAX], line[1024];
    int records = 0;
    convoy_context *ctx = open_context(width);
    snprintf(path, sizeof path, TEST_DATA_DIR "/tune/%s", file);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (; fgets(line, sizeof line, f); records += line[0] != '#')
        if (line[0] != '#')
            check_record(ctx, line, file);
    fclose(f);
    assert_true(records > 0);
    convoy_context_destroy(ctx);
}

/* Every shipped record that this device can run computes what the reference computes. */
static void test_shipped_records(void **state)
{
    (void)state;
    unsigned width;
    int files = 0;
    convoy_context *ctx = open_context(0);
    bool cpu = convoy_context_device(ctx)->type == CONVOY_DEVICE_CPU;
    convoy_context_destroy(ctx);
    DIR *dir = cpu ? opendir(TEST_DATA_DIR "/tune") : NULL;
    if (dir == NULL)
        skip();
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (sscanf(e->d_name, "cpu-%u.txt", &width) == 1) {
            check_shipped(e->d_name, width);
            files++;
        }
    closedir(dir);
    assert_true(files > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_are_the_reference),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_probe_notices),
        cmocka_unit_test(test_shipped_records),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
