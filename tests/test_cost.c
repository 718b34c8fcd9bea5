/* What a step and an epoch of the tutorial network cost, by the runtime's own counters: launches, allocations, builds, copies and
 * waits are pinned, and none grows but the launches with the steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "convoy/convoy.h"
#include "runtime/internal.h"
#include "train/evaluator.h"
#include "train/trainer.h"

enum { SEED = 3, BATCH = 8 };

/* Of a step on a device that wants vectors, untuned and without CLBlast: gather; 3 convolutions, 2 of which pool, 2 dense layers; loss
 * and metrics; backwards 5 filter gradients, 2 of them with a reduction, 2 dense data gradients, 2 of convolutions, each with a
 * transposition, 2 poolings; the optimizer. */
enum { VEC_LAUNCHES = 1 + 5 + 2 + 5 + 2 + 2 + 4 + 2 + 1 };

static convoy_context *ctx;

static void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s: %s", convoy_status_name(status), err->message);
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
    convoy_context_destroy(ctx);
    return 0;
}

/* Images of one value each; what they show does not matter here. */
static convoy_dataset *images(size_t count)
{
    convoy_error err = {0};
    size_t row = 32 * 32 * 3;
    convoy_dataset *data = NULL;
    uint8_t *pixels = malloc(count * row);
    int32_t *labels = malloc(count * sizeof *labels);
    assert_non_null(pixels);
    assert_non_null(labels);
    for (size_t i = 0; i < count; i++) {
        memset(pixels + i * row, (int)(i * 37 % 256), row);
        labels[i] = (int32_t)(i % 10);
    }
    must(convoy_dataset_create(pixels, labels, count, (convoy_shape){3, {32, 32, 3}}, 10, NULL, &data, &err), &err);
    free(pixels);
    free(labels);
    return data;
}

static convoy_model *tutorial(void)
{
    convoy_error err = {0};
    convoy_model *m = NULL;
    must(convoy_model_load("cifar10", &m, &err), &err);
    must(convoy_model_initialize(m, SEED, &err), &err);
    return m;
}

/* What happened in between. */
static convoy_counters difference(convoy_counters from, convoy_counters to)
{
    return (convoy_counters){.launches = to.launches - from.launches, .commands = to.commands - from.commands, .allocations = to.allocations - from.allocations,
                             .builds = to.builds - from.builds, .reads = to.reads - from.reads,
                             .writes = to.writes - from.writes, .waits = to.waits - from.waits,
                             .live_objects = to.live_objects - from.live_objects, .bytes = to.bytes - from.bytes};
}

/* Of `steps` steps, which are a command each where launches are fused. */
static void assert_only_launches(convoy_counters c, size_t steps, size_t launches)
{
    assert_int_equal(c.launches, steps * launches);
    assert_int_equal(c.commands, ctx->persistent_groups ? steps : steps * launches);
    assert_int_equal(c.allocations, 0);
    assert_int_equal(c.builds, 0);
    assert_int_equal(c.reads, 0);
    assert_int_equal(c.writes, 0);
    assert_int_equal(c.waits, 0);
    assert_int_equal(c.live_objects, 0);
    assert_int_equal(c.bytes, 0);
}

static void test_a_step_is_launches_only(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = tutorial();
    convoy_dataset *data = images(5 * BATCH - 3);
    trainer *t = NULL;
    convoy_fit_options options = {.batch_size = BATCH};
    must(trainer_create(ctx, m, data, &options, &t, &err), &err);
    must(trainer_begin_epoch(t, SEED, true, &err), &err);
    must(trainer_step(t, 0, BATCH, NULL, &err), &err); /* drivers finish compiling in the first one */
    size_t launches = rt_list_length(plan_list(trainer_plan(t)));
    print_message("%zu launches a step\n", launches);
    if (rt_wants_vectors(ctx) && strcmp(rt_gemm(ctx), "builtin") == 0)
        assert_int_equal(launches, VEC_LAUNCHES);
    for (size_t step = 1; step < 5; step++) {
        convoy_counters before = convoy_context_counters(ctx);
        must(trainer_step(t, step * BATCH, step == 4 ? BATCH - 3 : BATCH, NULL, &err), &err);
        assert_only_launches(difference(before, convoy_context_counters(ctx)), 1, launches);
    }
    trainer_destroy(t);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

/* An epoch of so many steps: the order of the rows goes to the device, the metrics come back. */
static convoy_counters cost_of_an_epoch(size_t steps)
{
    convoy_error err = {0};
    convoy_model *m = tutorial();
    convoy_dataset *data = images(steps * BATCH);
    trainer *t = NULL;
    convoy_metrics metrics;
    convoy_fit_options options = {.batch_size = BATCH};
    must(trainer_create(ctx, m, data, &options, &t, &err), &err);
    must(trainer_step(t, 0, BATCH, NULL, &err), &err);
    convoy_counters before = convoy_context_counters(ctx);
    must(trainer_begin_epoch(t, SEED, true, &err), &err);
    for (size_t step = 0; step < steps; step++)
        must(trainer_step(t, step * BATCH, BATCH, NULL, &err), &err);
    must(trainer_metrics(t, 1, steps, steps * BATCH, &metrics, &err), &err);
    convoy_counters cost = difference(before, convoy_context_counters(ctx));
    assert_int_equal(cost.launches, steps * rt_list_length(plan_list(trainer_plan(t))));
    trainer_destroy(t);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
    return cost;
}

static void test_an_epoch_costs_the_same_however_long(void **state)
{
    (void)state;
    static const size_t steps[] = {2, 4, 16};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        convoy_counters c = cost_of_an_epoch(steps[i]);
        print_message("%zu steps: %d writes, %d reads, %d waits\n", steps[i], (int)c.writes, (int)c.reads, (int)c.waits);
        assert_int_equal(c.allocations, 0);
        assert_int_equal(c.builds, 0);
        assert_int_equal(c.live_objects, 0);
        assert_int_equal(c.writes, 1); /* the order */
        assert_int_equal(c.reads, 2);  /* losses and hits of all steps */
        assert_true(c.waits <= c.reads + c.writes);
    }
}

/* Other losses, weights and metrics: a launch more for each metric that is no accuracy, and one for their sums; in an epoch a copy more
 * for the weights of images, and one back for the counts. */
static void test_losses_and_metrics_are_launches_only(void **state)
{
    (void)state;
    enum { STEPS = 4 };
    convoy_error err = {0};
    static const char *const metrics[] = {"accuracy", "TopKCategoricalAccuracy(k=3)", "Precision()", "Recall(class_id=2)", NULL};
    float weights[STEPS * BATCH];
    for (size_t i = 0; i < STEPS * BATCH; i++)
        weights[i] = (float)i;
    const convoy_fit_options options[2] = {
        {.batch_size = BATCH},
        {.batch_size = BATCH, .loss = "BinaryCrossentropy(from_logits=True)", .metrics = metrics, .sample_weight = weights}};
    size_t launches[2];
    for (int i = 0; i < 2; i++) {
        convoy_model *m = tutorial();
        convoy_dataset *data = images(STEPS * BATCH);
        trainer *t = NULL;
        convoy_metrics found;
        must(trainer_create(ctx, m, data, &options[i], &t, &err), &err);
        must(trainer_step(t, 0, BATCH, NULL, &err), &err);
        launches[i] = rt_list_length(plan_list(trainer_plan(t)));
        convoy_counters start = convoy_context_counters(ctx);
        must(trainer_begin_epoch(t, SEED, true, &err), &err);
        convoy_counters begun = convoy_context_counters(ctx);
        for (size_t step = 0; step < STEPS; step++)
            must(trainer_step(t, step * BATCH, BATCH, NULL, &err), &err);
        assert_only_launches(difference(begun, convoy_context_counters(ctx)), STEPS, launches[i]);
        must(trainer_metrics(t, 1, STEPS, STEPS * BATCH, &found, &err), &err);
        convoy_counters all = difference(start, convoy_context_counters(ctx));
        assert_int_equal(all.writes, 1 + i);
        assert_int_equal(all.reads, 2 + i);
        trainer_destroy(t);
        convoy_model_destroy(m);
        convoy_dataset_destroy(data);
    }
    assert_int_equal(launches[1], launches[0] + 3 + 1);
}

/* Weights that were transformed once serve the whole evaluation, and no longer: training changes them, and uses their memory. */
static void test_evaluations_transform_weights_once(void **state)
{
    (void)state;
    /* In a batch: gather; 3 convolutions, that pool, and 2 dense layers; loss and metrics. */
    enum { STEPS = 3, TRANSFORMATIONS = 3, LAUNCHES = 1 + 5 + 2 };
    convoy_error err = {0};
    convoy_context *own = NULL;
    convoy_model *m = tutorial();
    convoy_dataset *data = images(STEPS * BATCH);
    trainer *t = NULL;
    evaluator *shared = NULL;
    convoy_fit_options fit = {.batch_size = BATCH};
    convoy_evaluate_options options = {.batch_size = BATCH};
    convoy_metrics first, second, alone;
    must(convoy_context_create(&(convoy_context_options){.variant = "vec", .tuning = "off"}, &own, &err), &err);
    must(rt_record_set(own, "conv2d forward", "vec_winograd VW=4 VECTORS=2 IMAGES=4 TILES=1 M=4", &err), &err);
    must(trainer_create(own, m, data, &fit, &t, &err), &err);
    must(evaluator_create(own, m, data, &options, trainer_plan(t), &shared, &err), &err);
    must(evaluator_run(shared, &first, &err), &err);
    must(trainer_begin_epoch(t, SEED, true, &err), &err);
    for (size_t step = 0; step < STEPS; step++)
        must(trainer_step(t, step * BATCH, BATCH, NULL, &err), &err);
    convoy_counters before = convoy_context_counters(own);
    must(evaluator_run(shared, &second, &err), &err);
    assert_int_equal(difference(before, convoy_context_counters(own)).launches, STEPS * LAUNCHES + TRANSFORMATIONS);
    must(trainer_download(t, &err), &err);
    must(convoy_evaluate(own, m, data, &options, &alone, &err), &err);
    assert_true(second.loss != first.loss);
    assert_true(second.loss == alone.loss);
    evaluator_destroy(shared);
    trainer_destroy(t);
    convoy_context_destroy(own);
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

/* Setting up does not depend on the data's size either: the same buffers, however large. */
static void test_setting_up_costs_the_same_however_much_data(void **state)
{
    (void)state;
    convoy_counters cost[2];
    for (size_t i = 0; i < 2; i++) {
        convoy_error err = {0};
        convoy_model *m = tutorial();
        convoy_dataset *data = images((i ? 16 : 2) * BATCH);
        trainer *t = NULL;
        convoy_fit_options options = {.batch_size = BATCH};
        convoy_counters before = convoy_context_counters(ctx);
        must(trainer_create(ctx, m, data, &options, &t, &err), &err);
        cost[i] = difference(before, convoy_context_counters(ctx));
        trainer_destroy(t);
        convoy_model_destroy(m);
        convoy_dataset_destroy(data);
    }
    assert_int_equal(cost[0].allocations, cost[1].allocations);
    assert_int_equal(cost[0].writes, cost[1].writes);
    assert_int_equal(cost[0].reads, cost[1].reads);
    assert_int_equal(cost[1].bytes - cost[0].bytes, 14 * BATCH * (32 * 32 * 3 + 4 + 4) + 14 * 8); /* data; metrics of steps */
}

int main(void)
{
    if (setenv("CONVOY_FUSE", "on", 1) != 0) /* whatever else runs: commands are counted */
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_is_launches_only),
        cmocka_unit_test(test_an_epoch_costs_the_same_however_long),
        cmocka_unit_test(test_losses_and_metrics_are_launches_only),
        cmocka_unit_test(test_evaluations_transform_weights_once),
        cmocka_unit_test(test_setting_up_costs_the_same_however_much_data),
    };
    return cmocka_run_group_tests_name("cost", tests, make_context, drop_context);
}
