/* Optimizers against Keras: numbers of each kind and option on given gradients, states in .keras files, and resumed runs. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <unistd.h>
#include <cmocka.h>

#include "convoy/convoy.h"
#include "files/keras_file.h"
#include "golden_json.h"
#include "train/optimizer_state.h"
#include "train/trainer.h"

enum { MOST = 512, BATCH = 8, ROWS = 24 };

static convoy_context *ctx;

static void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s: %s", convoy_status_name(status), err->message);
}

/* ---- one optimizer on gradients of the test's own ---- */

typedef struct bench {
    convoy_model *model;
    plan *plan;
    optimizer *optimizer;
    rt_buffer *bad;
    size_t count; /* trainable floats */
} bench;

static convoy_status write_update(void *user, rt_list *list, convoy_error *err)
{
    const bench *b = user;
    (void)list;
    return optimizer_add(b->optimizer, b->plan, b->bad, err);
}

static bench bench_of(const char *layers, const optimizer_options *options)
{
    convoy_error err = {0};
    bench b = {0};
    must(convoy_model_create(NULL, &b.model, &err), &err);
    must(convoy_model_add(b.model, "InputLayer", "shape=(3,)", &err), &err);
    must(convoy_model_add(b.model, "Dense", layers, &err), &err);
    plan_options how = {.batch = 1, .training = true};
    must(plan_create(ctx, b.model, &how, &b.plan, &err), &err);
    must(optimizer_create(ctx, b.model, b.plan, options, &b.optimizer, &err), &err);
    must(rt_buffer_create(ctx, sizeof(float), "flag", &b.bad, &err), &err);
    must(rt_buffer_fill(b.bad, 0.0f, &err), &err);
    must(rt_list_compile(plan_list(b.plan), write_update, &b, &err), &err);
    b.count = model_trainable_count(b.model);
    return b;
}

static void bench_end(bench *b)
{
    optimizer_destroy(b->optimizer);
    plan_destroy(b->plan);
    rt_buffer_destroy(b->bad);
    convoy_model_destroy(b->model);
}

static void bench_step(bench *b, const float *gradient)
{
    convoy_error err = {0};
    must(plan_write_packed(b->plan, plan_gradients(b->plan), gradient, &err), &err);
    must(optimizer_begin(b->optimizer, plan_list(b->plan), &err), &err);
    must(optimizer_play(b->optimizer, plan_list(b->plan), &err), &err);
}

static void expect_weights(bench *b, const json_t *list, const char *text, const char *when)
{
    convoy_error err = {0};
    float found[MOST], expected[MOST];
    if (list == NULL)
        return;
    assert_int_equal(golden_floats(list, expected, MOST), b->count);
    must(plan_read_packed(b->plan, plan_parameters(b->plan), found, &err), &err);
    for (size_t i = 0; i < b->count; i++)
        if (!golden_near(found[i], expected[i], 1e-5, 0.1))
            fail_msg("%s, %s, weight %zu: %.9g, Keras has %.9g", text, when, i, found[i], expected[i]);
}

typedef struct state_check {
    const json_t *state;
    const char *name;
    size_t seen;
} state_check;

static convoy_status check_state(void *user, const char *path, const convoy_shape *shape, float *values, convoy_error *err)
{
    (void)err;
    state_check *c = user;
    float expected[MOST];
    size_t count = golden_floats(json_array_get(c->state, c->seen++), expected, MOST);
    assert_int_equal(count, shape_count(shape));
    for (size_t i = 0; i < count; i++)
        if (!golden_near(values[i], expected[i], 1e-5, 1e-2))
            fail_msg("%s, %s, value %zu: %.9g, Keras has %.9g", c->name, path, i, values[i], expected[i]);
    return CONVOY_OK;
}

static void expect_state(bench *b, const json_t *row)
{
    convoy_error err = {0};
    state_check c = {json_object_get(row, "state"), golden_text(row, "optimizer"), 0};
    must(optimizer_download(b->optimizer, b->plan, b->model, &err), &err);
    must(keras_slots_visit(b->model, check_state, &c, &err), &err);
    assert_int_equal(c.seen, json_array_size(c.state));
}

static void run_case(const json_t *root, const json_t *row)
{
    convoy_error err = {0};
    float start[MOST], gradient[MOST];
    optimizer_options options = {.name = golden_text(row, "optimizer")};
    bench b = bench_of("units=2", &options);
    assert_int_equal(golden_floats(json_object_get(root, "start"), start, MOST), b.count);
    must(plan_write_packed(b.plan, plan_parameters(b.plan), start, &err), &err);
    const json_t *gradients = json_object_get(root, "gradients"), *weights = json_object_get(row, "weights");
    for (size_t step = 0; step < json_array_size(gradients); step++) {
        char key[24];
        assert_int_equal(golden_floats(json_array_get(gradients, step), gradient, MOST), b.count);
        bench_step(&b, gradient);
        snprintf(key, sizeof key, "%zu", step + 1);
        expect_weights(&b, json_object_get(weights, key), options.name, key);
    }
    expect_state(&b, row);
    must(optimizer_finish(b.optimizer, plan_list(b.plan), &err), &err);
    expect_weights(&b, json_object_get(row, "final"), options.name, "at the end");
    bench_end(&b);
}

static void test_numbers_are_those_of_keras(void **state)
{
    (void)state;
    json_t *root = golden("optimizers/optimizers.json"), *row;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, row)
        run_case(root, row);
    print_message("%zu optimizers and sets of options\n", i);
    assert_true(i >= 30);
    json_decref(root);
}

/* Variables longer than a piece of the norms: the same as sums in double. */
static void test_norms_of_long_variables(void **state)
{
    (void)state;
    convoy_error err = {0};
    const char *const names[] = {"sgd(clipnorm=1.0, learning_rate=1.0)", "sgd(global_clipnorm=1.0, learning_rate=1.0)"};
    for (int all = 0; all < 2; all++) {
        optimizer_options options = {.name = names[all]};
        bench b = bench_of("units=1111", &options);
        size_t kernel = 3 * 1111;
        float *g = malloc(b.count * sizeof *g), *w = malloc(b.count * sizeof *w);
        double sums[2] = {0};
        for (size_t i = 0; i < b.count; i++) {
            g[i] = (float)((i * 37 % 101) - 50.0) / 10.0f;
            sums[i >= kernel] += (double)g[i] * g[i];
        }
        bench_step(&b, g);
        must(plan_read_packed(b.plan, plan_parameters(b.plan), w, &err), &err);
        for (size_t i = 0; i < b.count; i++) {
            double norm = sqrt(all ? sums[0] + sums[1] : sums[i >= kernel]);
            assert_true(golden_near(w[i], -g[i] / norm, 1e-5, 1e-4));
        }
        free(g);
        free(w);
        bench_end(&b);
    }
}

static void test_launches_of_a_step(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t launches;
    } rows[] = {{"adam", 1}, {"sgd", 1}, {"sgd(momentum=0.9)", 1}, {"adamw", 1}, {"rmsprop(centered=True)", 1},
                {"nadam", 1}, {"lion", 1}, {"adadelta", 1}, {"adagrad", 1}, {"adam(clipvalue=1.0)", 1},
                {"adam(clipnorm=1.0)", 3}, {"adam(global_clipnorm=1.0)", 4}, {"lamb", 6}, {"adam(use_ema=True)", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        optimizer_options options = {.name = rows[i].name};
        bench b = bench_of("units=2", &options);
        float gradient[8] = {0.5f, -1.0f};
        bench_step(&b, gradient);
        convoy_counters before = convoy_context_counters(ctx);
        convoy_error err = {0};
        must(optimizer_begin(b.optimizer, plan_list(b.plan), &err), &err);
        must(optimizer_play(b.optimizer, plan_list(b.plan), &err), &err);
        convoy_counters after = convoy_context_counters(ctx);
        assert_int_equal(after.launches - before.launches, rows[i].launches);
        assert_int_equal(after.reads + after.writes + after.waits + after.allocations + after.builds,
                         before.reads + before.writes + before.waits + before.allocations + before.builds);
        bench_end(&b);
    }
}

static convoy_status check_zero(void *user, const char *path, const convoy_shape *shape, float *values, convoy_error *err)
{
    (void)err;
    size_t *seen = user;
    for (size_t i = 0; i < shape_count(shape); i++, ++*seen)
        if (values[i] != 0.0f)
            fail_msg("%s, value %zu: %.9g", path, i, values[i]);
    return CONVOY_OK;
}

/* A unit that died gets no gradient any more, and what the optimizer keeps of it shrinks for ever: as subnormal numbers it would
 * slow down a CPU's steps several times. TensorFlow flushes it to zero, too. */
static void test_what_shrinks_becomes_zero(void **state)
{
    (void)state;
    static const char *const names[] = {
        "adam(beta_1=0.5, beta_2=0.5)", "adamw(beta_1=0.5, beta_2=0.5)", "nadam(beta_1=0.5, beta_2=0.5)",
        "lamb(beta_1=0.5, beta_2=0.5)", "lion(beta_2=0.5)", "adadelta(rho=0.5)", "sgd(momentum=0.5)",
        "sgd(momentum=0.5, nesterov=True)", "rmsprop(rho=0.5)", "rmsprop(rho=0.5, momentum=0.5, centered=True)",
        "sgd(learning_rate=0.5, weight_decay=1.0, use_ema=True, ema_momentum=0.5)"};
    convoy_error err = {0};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        optimizer_options options = {.name = names[k]};
        float values[MOST] = {0};
        size_t seen = 0;
        bench b = bench_of("units=2", &options);
        for (size_t i = 0; i < b.count; i++)
            values[i] = 1.0f;
        must(plan_write_packed(b.plan, plan_parameters(b.plan), values, &err), &err);
        bench_step(&b, values);
        memset(values, 0, sizeof values);
        for (int step = 0; step < 140; step++) /* 2^-141, of which float32 has only subnormal ones */
            bench_step(&b, values);
        must(optimizer_download(b.optimizer, b.plan, b.model, &err), &err);
        must(keras_slots_visit(b.model, check_zero, &seen, &err), &err);
        if (seen < b.count)
            fail_msg("%s: %zu values of slots, %zu weights", names[k], seen, b.count);
        must(plan_read_packed(b.plan, plan_parameters(b.plan), values, &err), &err);
        for (size_t i = 0; i < b.count; i++)
            if (fpclassify(values[i]) == FP_SUBNORMAL)
                fail_msg("%s, weight %zu is subnormal: %.9g", names[k], i, values[i]);
        bench_end(&b);
    }
}

static void test_a_raised_flag_stops_everything(void **state)
{
    (void)state;
    convoy_error err = {0};
    const char *const names[] = {"adam(use_ema=True)", "lamb", "sgd(gradient_accumulation_steps=2, momentum=0.5)", "lion"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        optimizer_options options = {.name = names[i]};
        bench b = bench_of("units=2", &options);
        const int32_t raised = 1;
        float start[8] = {1, 2, 3, 4, 5, 6, 7, 8}, found[8], gradient[8] = {NAN, 1, 1, 1, 1, 1, 1, 1};
        must(plan_write_packed(b.plan, plan_parameters(b.plan), start, &err), &err);
        must(rt_buffer_write(b.bad, 0, &raised, sizeof raised, &err), &err);
        for (int step = 0; step < 4; step++)
            bench_step(&b, gradient);
        must(optimizer_finish(b.optimizer, plan_list(b.plan), &err), &err);
        must(plan_read_packed(b.plan, plan_parameters(b.plan), found, &err), &err);
        assert_memory_equal(found, start, sizeof start);
        bench_end(&b);
    }
}

static void test_bad_texts(void **state)
{
    (void)state;
    static const struct {
        optimizer_options options;
        const char *expected;
    } rows[] = {
        {{.name = "adamm"}, "did you mean 'adam'"},
        {{.name = "adam(beta_3=0.1)"}, "unknown option 'beta_3'; did you mean 'beta_1'"},
        {{.name = "adam(beta_1=2)"}, "option 'beta_1' is 2; expected a number from 0 to 1"},
        {{.name = "sgd(momentum)"}, "expected '='"},
        {{.name = "sgd(clipnorm=1, clipvalue=1)"}, "exclude each other"},
        {{.name = "adamw(weight_decay=None)"}, "AdamW needs a number"},
        {{.name = "adam(gradient_accumulation_steps=1)"}, "of at least 2, or null"},
        {{.name = "adam(learning_rate=fast)"}, "option 'learning_rate' is \"fast\""},
        {{.name = "adam(learning_rate=StepDecay(x=1))"}, "schedule 'StepDecay' is not known"},
        {{.schedule = "CosineDecay(decay_steps=5)"}, "'initial_learning_rate' is missing"},
        {{.schedule = "CosineDecay(initial_learning_rate=1.0, decay_steps=5)", .learning_rate = 1}, "exclude each other"},
        {{.learning_rate = -1}, "a positive rate"},
        {{.name = "adam, sgd"}, "expected"},
    };
    convoy_error err = {0};
    convoy_model *model = NULL;
    plan *p = NULL;
    plan_options how = {.batch = 1, .training = true};
    must(convoy_model_create(NULL, &model, &err), &err);
    must(convoy_model_add(model, "InputLayer", "shape=(3,)", &err), &err);
    must(convoy_model_add(model, "Dense", "units=2", &err), &err);
    must(plan_create(ctx, model, &how, &p, &err), &err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        optimizer *o = NULL;
        err.message[0] = '\0';
        assert_int_equal(optimizer_create(ctx, model, p, &rows[i].options, &o, &err), CONVOY_ERROR_ARGUMENT);
        assert_int_equal(err.status, CONVOY_ERROR_ARGUMENT);
        if (strstr(err.message, rows[i].expected) == NULL)
            fail_msg("row %zu: \"%s\" lacks \"%s\"", i, err.message, rows[i].expected);
    }
    plan_destroy(p);
    convoy_model_destroy(model);
}

/* ---- states in files ---- */

/* The same as images() in tools/make_golden_optimizers.py. */
static convoy_dataset *images(void)
{
    convoy_error err = {0};
    uint8_t pixels[ROWS * 9];
    int32_t labels[ROWS];
    convoy_dataset *data = NULL;
    for (int n = 0; n < ROWS; n++) {
        labels[n] = n * 7 % 3;
        for (int i = 0; i < 9; i++)
            pixels[n * 9 + i] = (uint8_t)((n * 31 + i * 17) % 97 + (i % 3 == labels[n] ? 90 : 0));
    }
    must(convoy_dataset_create(pixels, labels, ROWS, (convoy_shape){3, {3, 3, 1}}, 3, NULL, &data, &err), &err);
    return data;
}

static convoy_model *load(const char *path)
{
    convoy_error err = {0};
    convoy_model *model = NULL;
    must(convoy_model_load(path, &model, &err), &err);
    return model;
}

/* What a file's slots are compared with. */
typedef struct slot_check {
    const json_t *slots;
    const char *name;
    size_t seen;
} slot_check;

static convoy_status check_slot(void *user, const char *path, const convoy_shape *shape, float *values, convoy_error *err)
{
    (void)err;
    slot_check *c = user;
    float expected[MOST];
    size_t count = golden_floats(json_array_get(c->slots, c->seen++), expected, MOST);
    assert_int_equal(count, shape_count(shape));
    if (memcmp(values, expected, count * sizeof *values) != 0)
        fail_msg("%s: %s is not what Keras wrote", c->name, path);
    return CONVOY_OK;
}

static void check_slots(convoy_model *model, const json_t *row)
{
    convoy_error err = {0};
    slot_check c = {json_object_get(row, "slots"), golden_text(row, "name"), 0};
    must(keras_slots_visit(model, check_slot, &c, &err), &err);
    assert_int_equal(c.seen, json_array_size(c.slots));
    assert_int_equal(model->optimizer_steps, 6);
}

/* Three steps on: the losses and the weights that Keras has. */
static void go_on(convoy_model *model, const json_t *row)
{
    convoy_error err = {0};
    trainer *t = NULL;
    convoy_dataset *data = images();
    convoy_fit_options options = {.batch_size = BATCH};
    const json_t *losses = json_object_get(row, "losses");
    must(trainer_create(ctx, model, data, &options, &t, &err), &err);
    must(trainer_begin_epoch(t, 0, false, &err), &err);
    for (size_t step = 0; step < json_array_size(losses); step++) {
        double found, expected = json_number_value(json_array_get(losses, step));
        must(trainer_step(t, step * BATCH, BATCH, &found, &err), &err);
        if (!golden_near(found, expected, 1e-5, 1e-3))
            fail_msg("%s, step %zu: loss %.9g, Keras has %.9g", golden_text(row, "name"), step + 1, found, expected);
    }
    must(trainer_download(t, &err), &err);
    float expected[MOST];
    size_t count = golden_floats(json_object_get(row, "weights"), expected, MOST);
    assert_int_equal(count, 30);
    for (size_t i = 0; i < count; i++) {
        float found = i < 27 ? model->nodes[2].weights[0][i] : model->nodes[2].weights[1][i - 27];
        if (!golden_near(found, expected[i], 1e-5, 0.1))
            fail_msg("%s, weight %zu: %.9g, Keras has %.9g", golden_text(row, "name"), i, found, expected[i]);
    }
    trainer_destroy(t);
    convoy_dataset_destroy(data);
}

static void test_files_of_keras_go_on(void **state)
{
    (void)state;
    json_t *root = golden("optimizers/files.json"), *row;
    size_t i;
    json_array_foreach(json_object_get(root, "files"), i, row) {
        char path[512];
        snprintf(path, sizeof path, "%s/optimizers/%s.keras", TEST_GOLDEN_DIR, golden_text(row, "name"));
        convoy_model *model = load(path);
        check_slots(model, row);
        go_on(model, row);
        convoy_model_destroy(model);
    }
    assert_int_equal(i, 11);
    json_decref(root);
}

/* Saved and loaded again, every variable and option is the same. */
static void test_files_keep_every_state(void **state)
{
    (void)state;
    convoy_error err = {0};
    json_t *root = golden("optimizers/files.json"), *row;
    char path[512], copy[64] = "/tmp/convoy_optimizers_XXXXXX";
    size_t i;
    int fd = mkstemp(copy);
    assert_true(fd >= 0);
    close(fd);
    json_array_foreach(json_object_get(root, "files"), i, row) {
        snprintf(path, sizeof path, "%s/optimizers/%s.keras", TEST_GOLDEN_DIR, golden_text(row, "name"));
        convoy_model *model = load(path);
        must(convoy_model_save(model, copy, &err), &err);
        convoy_model *again = load(copy);
        const optimizer_class *class = optimizer_class_find(model->optimizer);
        json_t *one = optimizer_settings_write(class, &model->optimizer_settings);
        json_t *other = optimizer_settings_write(class, &again->optimizer_settings);
        assert_string_equal(model->optimizer, again->optimizer);
        assert_true(json_equal(one, other));
        check_slots(again, row);
        json_decref(one);
        json_decref(other);
        convoy_model_destroy(again);
        convoy_model_destroy(model);
    }
    unlink(copy);
    json_decref(root);
}

/* ---- runs in two parts ---- */

static convoy_model *fresh(void)
{
    convoy_error err = {0};
    convoy_model *m = NULL;
    must(convoy_model_create(NULL, &m, &err), &err);
    must(convoy_model_add(m, "InputLayer", "shape=(3, 3, 1)", &err), &err);
    must(convoy_model_add(m, "Flatten", NULL, &err), &err);
    must(convoy_model_add(m, "Dense", "units=7, activation=relu", &err), &err);
    must(convoy_model_add(m, "Dense", "units=3", &err), &err);
    must(convoy_model_initialize(m, 5, &err), &err);
    return m;
}

static void fit(convoy_model *m, const convoy_dataset *data, int epochs, const char *optimizer)
{
    convoy_error err = {0};
    convoy_fit_options options = {.epochs = epochs, .batch_size = 5, .seed = 9, .optimizer = optimizer};
    must(convoy_fit(ctx, m, data, &options, NULL, &err), &err);
}

/* The second part says nothing of an optimizer: the model's own goes on, through a file. */
static void test_two_parts_give_the_bits_of_one_run(void **state)
{
    (void)state;
    static const char *const names[] = {
        "sgd(momentum=0.9, nesterov=True)", "adam(amsgrad=True)", "adamw", "rmsprop(momentum=0.9, centered=True)", "adagrad",
        "adadelta(learning_rate=1.0)", "nadam", "lamb(clipnorm=0.5)", "lion", "adam(global_clipnorm=0.5)",
        "adam(gradient_accumulation_steps=3)",
        "sgd(momentum=0.5, learning_rate=CosineDecay(initial_learning_rate=0.1, decay_steps=15))",
        "sgd(learning_rate=OneCycle(max_learning_rate=0.2, total_steps=20))"};
    convoy_error err = {0};
    char path[64] = "/tmp/convoy_parts_XXXXXX";
    convoy_dataset *data = images();
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        convoy_model *whole = fresh(), *part = fresh();
        fit(whole, data, 4, names[i]);
        fit(part, data, 2, names[i]);
        must(convoy_model_save(part, path, &err), &err);
        convoy_model *rest = load(path);
        fit(rest, data, 2, NULL);
        assert_int_equal(rest->optimizer_steps, 20);
        for (int node = 2; node < 4; node++)
            for (int k = 0; k < 2; k++)
                if (memcmp(whole->nodes[node].weights[k], rest->nodes[node].weights[k],
                           whole->nodes[node].layer->param[k].count * sizeof(float)) != 0)
                    fail_msg("%s: two parts differ from one run", names[i]);
        convoy_model_destroy(whole);
        convoy_model_destroy(part);
        convoy_model_destroy(rest);
    }
    unlink(path);
    convoy_dataset_destroy(data);
}

/* Another optimizer, or the same with other slots, starts anew. */
static void test_another_kind_starts_anew(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"adam", "adamw"}, {"rmsprop(momentum=0.9)", "rmsprop(centered=True)"}, {"adam(use_ema=True)", "adam(amsgrad=True)"}};
    convoy_dataset *data = images();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        convoy_model *m = fresh();
        fit(m, data, 1, pairs[i][0]);
        fit(m, data, 1, pairs[i][1]);
        assert_int_equal(m->optimizer_steps, 5);
        fit(m, data, 1, pairs[i][1]);
        assert_int_equal(m->optimizer_steps, 10);
        convoy_model_destroy(m);
    }
    convoy_dataset_destroy(data);
}

static int make_context(void **state)
{
    convoy_error err = {0};
    (void)state;
    must(convoy_context_create(NULL, &ctx, &err), &err);
    return 0;
}

static int drop_context(void **state)
{
    (void)state;
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_those_of_keras),
        cmocka_unit_test(test_norms_of_long_variables),
        cmocka_unit_test(test_launches_of_a_step),
        cmocka_unit_test(test_what_shrinks_becomes_zero),
        cmocka_unit_test(test_a_raised_flag_stops_everything),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_files_of_keras_go_on),
        cmocka_unit_test(test_files_keep_every_state),
        cmocka_unit_test(test_two_parts_give_the_bits_of_one_run),
        cmocka_unit_test(test_another_kind_starts_anew),
    };
    return cmocka_run_group_tests_name("optimizers", tests, make_context, drop_context);
}
