/* A convolution's kernel may take the maximum of the pooling behind it: the same values and gradients with fewer launches, and
 * neither where somebody else reads the convolution nor where windows reach outside or overlap. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "assert_ok.h"
#include "base/philox.h"
#include "convoy/convoy.h"
#include "runtime/runtime.h"
#include "train/trainer.h"

#define SEED 41
#define BATCH 8
#define IMAGES 21 /* the last batch is not a whole one */

typedef struct pooled_case {
    const char *conv, *pool, *record; /* record: what computes the convolution; NULL: what does so untuned */
    convoy_shape input;
    bool fused;
} pooled_case;

#define IMAGES_KERNEL "vec_images VW=4 VECTORS=2 IMAGES=4"
#define WINOGRAD(m) "vec_winograd VW=4 VECTORS=2 IMAGES=4 TILES=1 M=" #m

static const pooled_case cases[] = {
    {"filters=32, kernel_size=3, activation=relu", "", NULL, {3, {32, 32, 3}}, true},
    {"filters=8, kernel_size=3, activation=relu", "", IMAGES_KERNEL, {3, {11, 8, 3}}, true},
    {"filters=9, kernel_size=(3, 2), padding=same, activation=tanh", "pool_size=(3, 2)", IMAGES_KERNEL, {3, {10, 7, 5}}, true},
    {"filters=8, kernel_size=2, strides=2, activation=relu6", "pool_size=2, strides=3", IMAGES_KERNEL, {3, {17, 16, 4}}, true},
    {"filters=11, kernel_size=3, dilation_rate=2, use_bias=False, activation=sigmoid", "pool_size=(1, 2)", IMAGES_KERNEL,
     {3, {9, 10, 3}}, true},
    {"filters=8, kernel_size=3, activation=relu", "", WINOGRAD(2), {3, {9, 7, 6}}, true},
    {"filters=8, kernel_size=3, activation=relu", "", WINOGRAD(4), {3, {15, 15, 8}}, true},
    {"filters=19, kernel_size=3, padding=same, use_bias=False, activation=elu", "", WINOGRAD(4), {3, {7, 11, 5}}, true},
    {"filters=8, kernel_size=3, padding=same", "", WINOGRAD(4), {3, {2, 3, 4}}, true},
    /* windows that the kernel does not take, that overlap, that reach outside; another activation than a kernel's */
    {"filters=8, kernel_size=3", "pool_size=3", WINOGRAD(4), {3, {12, 12, 4}}, false},
    {"filters=8, kernel_size=3", "pool_size=2, strides=1", IMAGES_KERNEL, {3, {8, 9, 4}}, false},
    {"filters=8, kernel_size=3", "padding=same", IMAGES_KERNEL, {3, {9, 9, 4}}, false},
    {"filters=8, kernel_size=3, activation=softmax", "", IMAGES_KERNEL, {3, {8, 8, 4}}, false},
};

static convoy_context *open_context(const char *variant, const char *record)
{
    convoy_context *ctx = NULL;
    ASSERT_OK(convoy_context_create(&(convoy_context_options){.variant = variant}, &ctx, &err));
    if (record != NULL)
        ASSERT_OK(rt_record_set(ctx, "conv2d forward", record, &err));
    return ctx;
}

/* With `split` something else reads the convolution too. */
static convoy_model *make_model(const pooled_case *c, bool split)
{
    convoy_model *model = NULL;
    char input[64];
    snprintf(input, sizeof input, "shape=(%d, %d, %d), name=x", c->input.dim[0], c->input.dim[1], c->input.dim[2]);
    ASSERT_OK(convoy_model_create(NULL, &model, &err));
    ASSERT_OK(convoy_model_add(model, "InputLayer", input, &err));
    ASSERT_OK(convoy_model_add(model, "Conv2D", c->conv, &err));
    ASSERT_OK(convoy_model_add(model, "MaxPooling2D", c->pool, &err));
    if (split) {
        ASSERT_OK(convoy_model_add(model, "GlobalMaxPooling2D", "name=a", &err));
        ASSERT_OK(convoy_model_connect(model, "GlobalMaxPooling2D", "name=b", convoy_model_layer_name(model, 1), &err));
        ASSERT_OK(convoy_model_connect(model, "Concatenate", NULL, "a, b", &err));
    }
    ASSERT_OK(convoy_model_initialize(model, SEED, &err));
    return model;
}

/* The predictions of all images, and the launches of one batch. */
static float *predict(convoy_context *ctx, convoy_model *model, const pooled_case *c, size_t *count, uint64_t *launches)
{
    convoy_shape out = convoy_model_output(model);
    convoy_predictor *p = NULL;
    size_t in = (size_t)c->input.dim[0] * (size_t)c->input.dim[1] * (size_t)c->input.dim[2];
    *count = IMAGES;
    for (int i = 0; i < out.rank; i++)
        *count *= (size_t)out.dim[i];
    float *x = malloc(IMAGES * in * sizeof *x), *y = malloc(*count * sizeof *y);
    assert_true(x != NULL && y != NULL);
    for (size_t i = 0; i < IMAGES * in; i++)
        x[i] = 2.0f * philox_uniform(SEED, PHILOX_TEST, 1, i) - 1.0f;
    ASSERT_OK(convoy_predictor_create(ctx, model, BATCH, &p, &err));
    uint64_t before = convoy_context_counters(ctx).launches;
    ASSERT_OK(convoy_predictor_run(p, x, BATCH, y, &err));
    *launches = convoy_context_counters(ctx).launches - before;
    ASSERT_OK(convoy_predictor_run(p, x, IMAGES, y, &err));
    convoy_predictor_destroy(p);
    free(x);
    return y;
}

static void check(const pooled_case *c, bool split)
{
    size_t count, plain_count;
    uint64_t launches, plain_launches;
    convoy_context *ctx = open_context("vec", c->record), *plain = open_context("plain", NULL);
    convoy_model *model = make_model(c, split);
    float *found = predict(ctx, model, c, &count, &launches);
    float *expected = predict(plain, model, c, &plain_count, &plain_launches);
    bool winograd = c->record && strncmp(c->record, "vec_winograd", 12) == 0; /* a launch for the weights */
    print_message("%s; %s: %s, %d launches\n", c->conv, c->pool, c->record ? c->record : "untuned", (int)launches);
    assert_int_equal(launches, plain_launches + winograd - (c->fused && !split));
    assert_int_equal(count, plain_count);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(found[i] - expected[i]) <= 2e-5f))
            fail_msg("value %zu of %zu is %.9g; the plain kernels say %.9g", i, count, (double)found[i], (double)expected[i]);
    free(found);
    free(expected);
    convoy_model_destroy(model);
    convoy_context_destroy(ctx);
    convoy_context_destroy(plain);
}

static void test_the_same_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i], false);
}

static void test_not_when_others_read(void **state)
{
    (void)state;
    check(&cases[1], true);
    check(&cases[6], true);
}

/* ---- training ---- */

static convoy_dataset *make_data(const pooled_case *c)
{
    convoy_dataset *data = NULL;
    size_t count = IMAGES * (size_t)c->input.dim[0] * (size_t)c->input.dim[1] * (size_t)c->input.dim[2];
    uint8_t *pixels = malloc(count);
    int32_t labels[IMAGES];
    assert_non_null(pixels);
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)(255.0f * philox_uniform(SEED, PHILOX_TEST, 2, i));
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % 3;
    ASSERT_OK(convoy_dataset_create(pixels, labels, IMAGES, c->input, 3, NULL, &data, &err));
    free(pixels);
    return data;
}

/* The convolution's parameters after an epoch. */
static float *train(convoy_context *ctx, convoy_model *model, const convoy_dataset *data, int param, size_t *count, bool *fused)
{
    trainer *t = NULL;
    float *values = NULL;
    convoy_shape shape;
    convoy_fit_options options = {.batch_size = BATCH, .optimizer = "sgd(learning_rate=0.5)", .seed = SEED, .no_shuffle = true};
    ASSERT_OK(convoy_model_initialize(model, SEED, &err));
    ASSERT_OK(trainer_create(ctx, model, data, &options, &t, &err));
    rt_list *list = plan_list(trainer_plan(t));
    *fused = false;
    for (size_t i = 0; i < rt_list_length(list); i++)
        *fused |= strstr(rt_list_label(list, i), " and pooling") != NULL;
    ASSERT_OK(trainer_begin_epoch(t, SEED, false, &err));
    for (size_t first = 0; first < IMAGES; first += BATCH)
        ASSERT_OK(trainer_step(t, first, IMAGES - first < BATCH ? (int)(IMAGES - first) : BATCH, NULL, &err));
    ASSERT_OK(trainer_download(t, &err));
    trainer_destroy(t);
    *count = convoy_model_weights(model, 1, (size_t)param, &values, &shape);
    assert_true(*count > 0);
    float *copy = malloc(*count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, *count * sizeof *copy);
    return copy;
}

/* By the change that training made, because the gradients are of interest. */
static void compare_training(const pooled_case *c, convoy_model *model, int param)
{
    size_t count;
    bool fused, never;
    convoy_context *ctx = open_context("vec", c->record), *plain = open_context("plain", NULL);
    convoy_dataset *data = make_data(c);
    float *found = train(ctx, model, data, param, &count, &fused), *expected = train(plain, model, data, param, &count, &never);
    float *start = NULL, largest = 0;
    convoy_shape shape;
    ASSERT_OK(convoy_model_initialize(model, SEED, &err));
    convoy_model_weights(model, 1, (size_t)param, &start, &shape);
    assert_int_equal(fused, c->fused);
    assert_false(never);
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(expected[i] - start[i]));
    assert_true(largest > 1e-4f);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(found[i] - expected[i]) <= 1e-4f * largest + 1e-7f))
            fail_msg("%s, parameter %d, value %zu: %.9g; the plain kernels make it %.9g; the largest change is %.3g", c->conv, param, i,
                     (double)found[i], (double)expected[i], (double)largest);
    free(found);
    free(expected);
    convoy_dataset_destroy(data);
    convoy_context_destroy(ctx);
    convoy_context_destroy(plain);
}

static void test_the_same_training(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pooled_case *c = &cases[i];
        convoy_model *model = make_model(c, false);
        ASSERT_OK(convoy_model_add(model, "Flatten", NULL, &err));
        ASSERT_OK(convoy_model_add(model, "Dense", "units=3", &err));
        compare_training(c, model, 0);
        if (strstr(c->conv, "use_bias=False") == NULL)
            compare_training(c, model, 1);
        convoy_model_destroy(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_same_values), cmocka_unit_test(test_not_when_others_read),
                                       cmocka_unit_test(test_the_same_training)};
    return cmocka_run_group_tests_name("pooled", tests, NULL, NULL);
}
