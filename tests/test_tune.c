/* Tuning: the order of the search, that only what is right and faster wins, and that later runs make use of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "convoy/convoy.h"
#include "ops/conv2d/search.h"
#include "ops/conv2d/tune.h"
#include "runtime/internal.h"
#include "train/trainer.h"

#include "assert_ok.h"

static char folder[] = "/tmp/convoy-tune-XXXXXX";

static convoy_context *open_context(const char *variant, const char *tuning)
{
    convoy_context *ctx = NULL;
    convoy_context_options o = {.variant = variant, .tuning = tuning, .cache_dir = folder};
    OK(convoy_context_create(&o, &ctx, err));
    return ctx;
}

static const conv_shape race_shape = {.height = 12, .width = 12, .in = 16, .out_height = 10, .out_width = 10, .out = 32,
                                      .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}, .bias = true};

/* ---- the order of the search ---- */

/* Two parameters; the fastest is A=8 B=3, the farther the slower. */
static bool even_fits(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    (void)p;
    return params[0] * params[1] <= 64;
}

static void small_defaults(const convoy_context *ctx, const conv_problem *p, int *params)
{
    (void)ctx;
    (void)p;
    params[0] = 1;
    params[1] = 5; /* not among the listed */
}

static const conv_variant valley[] = {
    {.name = "valley", .family = "plain", .pass = CONV_FORWARD, .fits = even_fits, .defaults = small_defaults,
     .params = {{"A", {1, 2, 4, 8, 16, 32}}, {"B", {1, 2, 3, 4, 6, 8, 12}}}},
    {.name = "other pass", .family = "plain", .pass = CONV_BACKWARD_DATA},
};

static const conv_variant *valley_at(size_t i) { return i < 2 ? &valley[i] : NULL; }

static double valley_seconds(const conv_choice *c)
{
    if (c->variant != valley)
        return 100.0; /* the untuned one */
    return 1.0 + fabs(log2(c->params[0] / 8.0)) + 0.3 * abs(c->params[1] - 3);
}

static conv_search begin_valley(const convoy_context *ctx, conv_problem *p)
{
    conv_search s;
    *p = (conv_problem){CONV_FORWARD, &race_shape, 16};
    conv_search_begin(&s, ctx, p);
    s.row_at = valley_at;
    s.foreign = true; /* the rows are not those of the untuned choice */
    return s;
}

static void test_search_goes_downhill(void **state)
{
    (void)state;
    conv_problem p;
    conv_choice c;
    convoy_context *ctx = open_context("plain", "off");
    conv_search s = begin_valley(ctx, &p);
    size_t tries = 0, best_at = 0;
    assert_true(conv_search_next(&s, &c));
    assert_true(c.variant != valley);
    conv_search_result(&s, valley_seconds(&c));
    assert_true(conv_search_next(&s, &c));
    assert_true(c.variant == valley && c.params[0] == 1 && c.params[1] == 5);
    do {
        conv_search_result(&s, valley_seconds(&c));
        tries++;
        assert_true(c.variant == valley && c.params[0] * c.params[1] <= 64);
        if (c.params[0] == 8 && c.params[1] == 3)
            best_at = tries;
        for (size_t i = 0; i + 1 < s.count; i++)
            assert_false(s.trials[i].choice.variant == valley && s.trials[i].choice.params[0] == c.params[0] &&
                         s.trials[i].choice.params[1] == c.params[1]);
    } while (conv_search_next(&s, &c));
    assert_uint_in_range(best_at, 1, 20);
    assert_true(tries >= 12); /* it ends all the same */
    conv_search_end(&s);
    convoy_context_destroy(ctx);
}

static void test_search_leaves_out(void **state)
{
    (void)state;
    conv_problem p;
    conv_choice c;
    char key[192];
    convoy_context *ctx = open_context("plain", "on");
    conv_search s = begin_valley(ctx, &p);
    conv_problem_key(&p, key, sizeof key);
    OK(rt_record_mark_bad(ctx, key, "valley A=2 B=5", err));
    while (conv_search_next(&s, &c)) {
        assert_false(c.variant == valley && c.params[0] == 2 && c.params[1] == 5);
        for (size_t i = 0; i + 1 < s.count; i++)
            assert_false(isinf(s.trials[i].seconds) && c.variant == valley && c.params[0] >= 4 && c.params[1] >= 4);
        if (c.variant == valley && c.params[0] == 4 && c.params[1] == 4)
            conv_search_hopeless(&s);
        else
            conv_search_result(&s, valley_seconds(&c));
    }
    assert_true(s.count > 10);
    conv_search_end(&s);
    convoy_context_destroy(ctx);
}

/* ---- races ----
 * The untuned choice is the plain kernel; the rows that compete are made here, of a vec kernel, which is many times faster. */

static convoy_status add_vec(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_job vec = *job;
    vec.params = (const int[]){4, 2, 6, 2};
    return conv_vec_variants[0].add(list, ctx, &vec, err);
}

/* As fast, and right but for the bias. */
static convoy_status add_wrong(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_job wrong = *job;
    conv_buffers buffers = *job->buffers;
    buffers.bias = buffers.zeros;
    wrong.buffers = &buffers;
    return add_vec(list, ctx, &wrong, err);
}

static convoy_status add_unbuildable(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    conv_job wrong = *job;
    wrong.params = (const int[]){5, 1, 6, 2}; /* there is no float5 */
    return conv_vec_variants[0].add(list, ctx, &wrong, err);
}

static size_t huge(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    (void)p;
    (void)params;
    return (size_t)1 << 40;
}

static convoy_status add_never(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    (void)list;
    (void)ctx;
    (void)job;
    return base_fail(err, CONVOY_ERROR_DEVICE, "was run");
}

#define ROW(row_name, function) {.name = row_name, .family = "plain", .pass = CONV_FORWARD, .add = function}
static const conv_variant wrong_row = ROW("wrong", add_wrong), fast_row = ROW("fast", add_vec),
                          unbuildable_row = ROW("unbuildable", add_unbuildable),
                          greedy_row = {.name = "greedy", .family = "plain", .pass = CONV_FORWARD, .add = add_never,
                                        .scratch = huge};

static const conv_variant *const *racing; /* ends with NULL */

static const conv_variant *racing_at(size_t i)
{
    size_t count = 0;
    while (racing[count])
        count++;
    return i < count ? racing[i] : NULL;
}

static bool stop_at_once(void *user, const conv_tune_result *so_far)
{
    (void)so_far;
    ++*(int *)user;
    return false;
}

static conv_tune_result race(convoy_context *ctx, const conv_variant *const *rows, double seconds)
{
    conv_tune_result result;
    conv_job job = {.problem = {CONV_FORWARD, &race_shape, 16}, .layer = "race", .end = {.act = activation_find("relu")}};
    conv_tune_options o = {.until = clock_seconds() + seconds, .row_at = racing_at};
    racing = rows;
    rt_try_begin(ctx);
    OK(conv_tune(ctx, &job, &o, &result, err));
    rt_try_end(ctx);
    assert_string_equal(result.untuned_text, "plain");
    return result;
}

static bool is_bad(const convoy_context *ctx, const char *value)
{
    char key[192];
    conv_problem_key(&(conv_problem){CONV_FORWARD, &race_shape, 16}, key, sizeof key);
    return rt_record_is_bad(ctx, key, value);
}

static void test_only_right_ones_win(void **state)
{
    (void)state;
    convoy_context *ctx = open_context("plain", "on");
    if (convoy_context_device(ctx)->type != CONVOY_DEVICE_CPU) {
        convoy_context_destroy(ctx);
        skip(); /* the vec kernel need not be the faster one */
    }
    /* On a machine that does much else a race may stay undecided: it is run again. What is wrong never wins. */
    const conv_variant *alone[] = {&wrong_row, NULL}, *all[] = {&greedy_row, &unbuildable_row, &wrong_row, &fast_row, NULL};
    conv_tune_result r = {0};
    for (int i = 0; i < 20 && r.wrong == 0; i++) {
        r = race(ctx, alone, 60);
        assert_string_equal(r.tuned_text, "plain");
        assert_true(r.tuned == r.untuned && r.tried == 1);
    }
    assert_int_equal(r.wrong, 1);
    assert_int_equal(strncmp(r.wrong_text, "wrong: value ", 13), 0);
    assert_true(is_bad(ctx, "wrong"));
    for (int i = 0; i < 20 && strcmp(r.tuned_text, "fast") != 0; i++) {
        r = race(ctx, all, 60);
        assert_true(r.wrong == 0 && strcmp(r.tuned_text, "wrong") != 0); /* it is known by now */
    }
    assert_string_equal(r.tuned_text, "fast");
    assert_true(r.tuned < 0.98 * r.untuned);
    assert_true(is_bad(ctx, "unbuildable"));
    assert_false(is_bad(ctx, "fast") || is_bad(ctx, "greedy") || is_bad(ctx, "plain"));
    rt_finish(ctx, NULL);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
}

static void test_time_is_kept(void **state)
{
    (void)state;
    convoy_context *ctx = open_context(NULL, "off");
    conv_job job = {.problem = {CONV_FORWARD, &race_shape, 16}, .layer = "race", .end = {.act = activation_find("relu")}};
    int calls = 0;
    conv_tune_result r;
    conv_tune_options o = {.until = clock_seconds() - 1.0, .on_trial = stop_at_once, .user = &calls};
    rt_try_begin(ctx);
    OK(conv_tune(ctx, &job, &o, &r, err));
    assert_true(r.tried == 0 && calls == 0 && r.untuned > 0.0 && r.tuned == r.untuned);
    assert_string_equal(r.tuned_text, r.untuned_text);
    o.until = clock_seconds() + 600.0;
    OK(conv_tune(ctx, &job, &o, &r, err));
    assert_true(r.tried == 1 && calls == 1);
    rt_try_end(ctx);
    convoy_context_destroy(ctx);
}

/* ---- whole models ---- */

#define ADD(class, options) OK(convoy_model_add(model, class, options, err))

static convoy_model *small_model(int dense)
{
    convoy_model *model = NULL;
    OK(convoy_model_create("small", &model, err));
    ADD("InputLayer", "shape=(8, 8, 3)");
    ADD("Conv2D", "filters=8, kernel_size=3, activation=relu");
    ADD("Flatten", NULL);
    for (int i = 0; i < dense; i++)
        ADD("Dense", "units=12, activation=relu");
    OK(convoy_model_initialize(model, 1, err));
    return model;
}

typedef struct rows {
    convoy_tune_row row[16];
    size_t count, most_calls;
} rows;

static int on_row(void *user, const convoy_tune_row *row)
{
    rows *r = user;
    assert_true(row->index < 16 && r->row[row->index].layers == 0);
    r->row[row->index] = *row;
    r->count++;
    return 0;
}

static int stop_after_two(void *user, const convoy_tune_progress *now)
{
    (void)user;
    return now->problem == 1 && now->row->tried == 2;
}

static void test_model(void **state)
{
    (void)state;
    static const struct { const char *layer, *pass; int layers; } expected[] = {
        {"conv2d", "forward", 1}, {"dense", "forward", 1}, {"dense_1", "forward", 2}, {"dense_2", "backward data", 2},
        {"dense_2", "backward filter", 2}, {"dense", "backward data", 1}, {"dense", "backward filter", 1},
        {"conv2d", "backward filter", 1}};
    convoy_context *ctx = open_context(NULL, "on"), *next;
    convoy_model *model = small_model(3);
    rows r = {0};
    convoy_tune_result result;
    double untuned = 0.0;
    size_t tuned = 0;
    convoy_tune_options o = {.batch_size = 8, .seconds = 4, .on_row = on_row, .user = &r};
    OK(convoy_tune(ctx, model, &o, &result, err));
    assert_int_equal(result.problems, 8);
    assert_int_equal(r.count, 8);
    next = open_context(NULL, "on");
    for (size_t i = 0; i < 8; i++) {
        const convoy_tune_row *row = &r.row[i];
        assert_string_equal(row->layer, expected[i].layer);
        assert_string_equal(row->pass, expected[i].pass);
        assert_int_equal(row->layers, expected[i].layers);
        assert_int_equal(row->wrong, 0);
        assert_true(row->tuned || strcmp(row->untuned, row->tuned_to) == 0);
        assert_true(row->tuned_microseconds <= row->untuned_microseconds);
        untuned += row->untuned_microseconds * row->layers;
        tuned += row->tuned;
        /* What was found is used: here, and by a later context. */
        const convoy_context *both[] = {ctx, next};
        for (int k = 0; k < 2; k++) {
            const char *record = rt_record_find(both[k], row->problem);
            if (row->tuned)
                assert_string_equal(record, row->tuned_to);
            else
                assert_null(record);
        }
    }
    assert_true(fabs(result.untuned_microseconds - untuned) <= 1e-6 * untuned); /* both 0 where others left no time */
    assert_true(result.tuned_microseconds <= result.untuned_microseconds);
    assert_int_equal(file_exists(result.saved), tuned > 0);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    convoy_context_destroy(next);
    convoy_context_destroy(ctx);
    convoy_model_destroy(model);
}

/* A transposed convolution runs the passes of an ordinary one in other roles: each is a problem as any, without time to try it. */
static void test_transposed(void **state)
{
    static const char *const passes[] = {"forward", "backward filter", "backward data"};
    convoy_context *ctx = open_context(NULL, "on");
    convoy_model *model = NULL;
    rows r = {0};
    size_t found = 0;
    convoy_tune_options o = {.batch_size = 4, .seconds = 1e-3, .on_row = on_row, .user = &r};
    (void)state;
    OK(convoy_model_create("up", &model, err));
    ADD("InputLayer", "shape=(8, 8, 3)");
    ADD("Conv2D", "filters=8, kernel_size=3");
    ADD("Conv2DTranspose", "filters=4, kernel_size=3, strides=2, padding=same");
    OK(convoy_model_initialize(model, 1, err));
    OK(convoy_tune(ctx, model, &o, NULL, err));
    for (size_t i = 0; i < r.count; i++)
        if (strcmp(r.row[i].layer, "conv2d_transpose") == 0)
            assert_string_equal(r.row[i].pass, passes[found++]);
    assert_int_equal(found, 3);
    convoy_model_destroy(model);
    convoy_context_destroy(ctx);
}

static void test_model_stops(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_context *ctx = open_context(NULL, "on");
    convoy_model *model = small_model(1);
    convoy_tune_result result;
    convoy_tune_options o = {.batch_size = 8, .seconds = 600, .on_progress = stop_after_two};
    double before = clock_seconds();
    assert_int_equal(convoy_tune(ctx, model, &o, &result, &err), CONVOY_ERROR_INTERRUPTED);
    assert_true(clock_seconds() - before < 590.0);
    assert_true(file_exists(result.saved));
    convoy_context_destroy(ctx);
    ctx = open_context("plain", "on");
    assert_int_equal(convoy_tune(ctx, model, NULL, &result, &err), CONVOY_ERROR_ARGUMENT);
    convoy_context_destroy(ctx);
    convoy_model_destroy(model);
}

/* As on a GPU, where CLBlast multiplies: its parameters are tried, and what it computes with them is right. */
static void test_clblast_parameters(void **state)
{
    (void)state;
    convoy_context *ctx = open_context(NULL, "on");
    if (!rt_family_allowed(ctx, "gemm")) {
        convoy_context_destroy(ctx);
        skip();
    }
    strcpy(ctx->gemm, "clblast");
    OK(rt_record_set(ctx, "conv2d forward", "clblast", err)); /* whatever is found to be faster here */
    convoy_model *model = NULL;
    convoy_tune_result result;
    OK(convoy_model_create("dense", &model, err));
    ADD("InputLayer", "shape=(5,)");
    ADD("Dense", "units=3");
    convoy_tune_options o = {.batch_size = 4, .seconds = 20}; /* most of it is building, on a busy machine */
    OK(convoy_tune(ctx, model, &o, &result, err));
    assert_true(result.clblast_untuned_microseconds > 0.0);
    assert_true(result.clblast_tuned_microseconds <= result.clblast_untuned_microseconds);
    assert_int_equal(result.clblast[0] != '\0', result.clblast_tuned_microseconds < result.clblast_untuned_microseconds);
    convoy_context_destroy(ctx);
    convoy_model_destroy(model);
}

/* A record for CLBlast is applied before the first product; one that CLBlast does not take is told and left out. */
static void hear(void *user, const char *text) { snprintf(user, 512, "%s", text); }

static void multiply(const char *value, const char *message)
{
    char heard[512] = "";
    float in[15] = {1, 2, 3, 4, 5, 0, 1, 0, 1, 0, 2, 2, 2, 2, 2}, out[9] = {0};
    convoy_context *ctx = NULL;
    OK(convoy_context_create(&(convoy_context_options){.gemm = "clblast", .tuning = "on", .cache_dir = folder}, &ctx, err));
    convoy_context_on_message(ctx, hear, heard);
    OK(rt_record_set(ctx, "clblast XgemmDirect", value, err));
    convoy_model *model = NULL;
    float *weights;
    OK(convoy_model_create("dense", &model, err));
    ADD("InputLayer", "shape=(5,)");
    ADD("Dense", "units=3, use_bias=False");
    assert_int_equal(convoy_model_weights(model, 1, 0, &weights, NULL), 15);
    for (int i = 0; i < 15; i++)
        weights[i] = (float)(i % 3 + 1);
    OK(convoy_predict(ctx, model, in, 3, 3, out, err));
    for (int i = 0; i < 9; i++)
        assert_true(out[i] == (float)(i % 3 + 1) * (i < 3 ? 15.0f : i < 6 ? 2.0f : 10.0f));
    if (strstr(heard, message) == NULL)
        fail_msg("'%s' is not in '%s'", message, heard);
    convoy_model_destroy(model);
    convoy_context_destroy(ctx);
}

static void test_clblast_records(void **state)
{
    (void)state;
    convoy_context *ctx = open_context(NULL, "on");
    bool there = rt_family_allowed(ctx, "gemm");
    convoy_context_destroy(ctx);
    if (!there)
        skip();
    multiply("WGD=8", "CLBlast's kernel XgemmDirect does not take the parameters 'WGD=8'");
    multiply("WGD", "does not take the parameters 'WGD'");
    multiply("WGD=x", "does not take the parameters 'WGD=x'");
    multiply(rt_gemm_setting_at(0)->values, "");
}

/* Do the launches of a training step have this variant? */
static bool step_has(convoy_context *ctx, convoy_model *model, const char *label, const char *variant)
{
    uint8_t images[16 * 8 * 8 * 3] = {1};
    int32_t labels[16] = {0};
    convoy_dataset *data = NULL;
    trainer *t = NULL;
    bool found = false;
    convoy_fit_options o = {.batch_size = 16};
    OK(convoy_dataset_create(images, labels, 16, (convoy_shape){3, {8, 8, 3}}, 12, NULL, &data, err));
    OK(trainer_create(ctx, model, data, &o, &t, err));
    rt_list *list = plan_list(trainer_plan(t));
    for (size_t i = 0; i < rt_list_length(list); i++) {
        rt_profile_row row;
        OK(rt_list_profile(list, i, &row, err));
        found |= strcmp(row.label, label) == 0 && strcmp(row.variant, variant) == 0;
    }
    trainer_destroy(t);
    convoy_dataset_destroy(data);
    return found;
}

static void test_training_uses_records(void **state)
{
    (void)state;
    static const char key[] = "conv2d forward 8x8x3 3x3x8 stride 1x1 dilation 1x1 pad 0x0 out 6x6 batch 16";
    char path[PATH_MAX];
    convoy_model *model = small_model(1);
    convoy_context *ctx = open_context(NULL, "on");
    OK(rt_record_learn(ctx, key, "plain", 1.0, err));
    OK(rt_records_save(ctx, path, sizeof path, err));
    convoy_context_destroy(ctx);
    ctx = open_context(NULL, "on");
    assert_true(step_has(ctx, model, "conv2d forward", "plain"));
    assert_false(step_has(ctx, model, "conv2d backward filter", "plain"));
    convoy_context_destroy(ctx);
    convoy_model_destroy(model);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int empty_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    return system(command);
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

#define TEST(f) cmocka_unit_test_setup(f, empty_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_search_goes_downhill),
        TEST(test_search_leaves_out),
        TEST(test_only_right_ones_win),
        TEST(test_time_is_kept),
        TEST(test_model),
        TEST(test_transposed),
        TEST(test_model_stops),
        TEST(test_clblast_parameters),
        TEST(test_clblast_records),
        TEST(test_training_uses_records),
    };
    return cmocka_run_group_tests_name("tune", tests, make_folder, remove_folder);
}
