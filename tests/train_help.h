/* What the tests of layers in training share. Each is a program of its own, so all is static. */
#ifndef TRAIN_HELP_H
#define TRAIN_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "convoy/convoy.h"
#include "runtime/internal.h"

enum { SEED = 7, ROWS = 75, SIDE = 9 };

static convoy_context *ctx;

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        convoy_error err = {0};                                                                                        \
        if ((call) != CONVOY_OK)                                                                                       \
            fail_msg("%s: %s", #call, err.message);                                                                    \
    } while (0)

/* Pairs of class and options, NULL-terminated, behind an InputLayer for small_data. */
static inline convoy_model *make_model(const char *const *layers)
{
    convoy_model *m = NULL;
    CHECK(convoy_model_create(NULL, &m, &err));
    CHECK(convoy_model_add(m, "InputLayer", "shape=(9, 9, 3)", &err));
    for (size_t i = 0; layers[i] != NULL; i += 2)
        CHECK(convoy_model_add(m, layers[i], layers[i + 1], &err));
    CHECK(convoy_model_initialize(m, SEED, &err));
    return m;
}

/* Rows whose class can be learned: one of the three channels is bright. */
static inline convoy_dataset *small_data(void)
{
    size_t row = SIDE * SIDE * 3;
    uint8_t *images = malloc(ROWS * row);
    int32_t labels[ROWS];
    assert_non_null(images);
    for (size_t n = 0; n < ROWS; n++) {
        labels[n] = (int32_t)(n * 7 % 3);
        for (size_t i = 0; i < row; i++)
            images[n * row + i] = (uint8_t)((n * 31 + i * 17) % 97 + (i % 3 == (size_t)labels[n] ? 90 : 0));
    }
    convoy_dataset *data = NULL;
    convoy_shape shape = {3, {SIDE, SIDE, 3}};
    CHECK(convoy_dataset_create(images, labels, ROWS, shape, 3, NULL, &data, &err));
    free(images);
    return data;
}

/* Trains in place. */
static inline void train(convoy_model *m, const convoy_fit_options *options)
{
    convoy_dataset *data = small_data();
    CHECK(convoy_fit(ctx, m, data, options, NULL, &err));
    convoy_dataset_destroy(data);
}

/* The first weight, in the models' order, that differs in any bit; NULL when there is none. */
static inline const char *first_difference(convoy_model *a, convoy_model *b)
{
    for (size_t l = 0; l < convoy_model_layer_count(a); l++) {
        float *x, *y;
        convoy_shape shape;
        size_t n;
        for (size_t i = 0; (n = convoy_model_weights(a, l, i, &x, &shape)) > 0; i++) {
            assert_int_equal(convoy_model_weights(b, l, i, &y, &shape), n);
            if (memcmp(x, y, n * sizeof *x) != 0)
                return convoy_model_layer_name(a, l);
        }
    }
    return NULL;
}

static inline void assert_same_weights(convoy_model *a, convoy_model *b)
{
    const char *name = first_difference(a, b);
    if (name != NULL)
        fail_msg("the weights of '%s' differ", name);
}

/* Four epochs at once and two times two: the same bits. */
static inline void assert_resumes(const char *const *layers, convoy_fit_options options)
{
    convoy_model *whole = make_model(layers), *parts = make_model(layers);
    options.epochs = 4;
    train(whole, &options);
    options.epochs = 2;
    train(parts, &options);
    train(parts, &options);
    assert_same_weights(whole, parts);
    convoy_model_destroy(whole);
    convoy_model_destroy(parts);
}

/* CONVOY_TEST_GEMM: clblast or builtin (for simulated devices, which find faults in CLBlast's own kernels). */
static inline int make_context(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_context_options how = {.gemm = getenv("CONVOY_TEST_GEMM")};
    if (convoy_context_create(&how, &ctx, &err) == CONVOY_OK)
        return 0;
    print_error("%s\n", err.message);
    return -1;
}

static inline int drop_context(void **state)
{
    (void)state;
    rt_programs_destroy(ctx);
    bool clean = convoy_context_counters(ctx).live_objects == 0 && convoy_context_counters(ctx).bytes == 0;
    convoy_context_destroy(ctx);
    return clean ? 0 : -1;
}

#endif
