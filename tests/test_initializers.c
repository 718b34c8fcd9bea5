/* The initializers that make matrices: Identity and Orthogonal. What the others draw is in test_options.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "convoy/convoy.h"

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        convoy_error err = {0};                                                                                        \
        if ((call) != CONVOY_OK)                                                                                       \
            fail_msg("%s: %s", #call, err.message);                                                                    \
    } while (0)

/* A model of one layer behind an input; its first weight is *values. */
static convoy_model *make(const char *input, const char *class_name, const char *options, uint64_t seed, float **values,
                          convoy_shape *shape)
{
    convoy_model *m = NULL;
    CHECK(convoy_model_create(NULL, &m, &err));
    CHECK(convoy_model_add(m, "InputLayer", input, &err));
    CHECK(convoy_model_add(m, class_name, options, &err));
    CHECK(convoy_model_initialize(m, seed, &err));
    assert_true(convoy_model_weights(m, 1, 0, values, shape) > 0);
    return m;
}

/* The rows, or the columns, whichever are fewer, are orthogonal and as long as `gain`. */
static void assert_orthogonal(const float *w, size_t rows, size_t columns, double gain)
{
    size_t fewer = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    size_t along = rows < columns ? 1 : columns, across = rows < columns ? columns : 1;
    for (size_t a = 0; a < fewer; a++)
        for (size_t b = 0; b <= a; b++) {
            double dot = 0;
            for (size_t i = 0; i < length; i++)
                dot += (double)w[a * across + i * along] * w[b * across + i * along];
            if (!(fabs(dot - (a == b ? gain * gain : 0)) <= 1e-6 * gain * gain))
                fail_msg("%zu x %zu: the product of %zu and %zu is %.9g", rows, columns, a, b, dot);
        }
}

static void test_orthogonal(void **state)
{
    (void)state;
    static const struct { const char *input, *class_name, *options; size_t rows, columns; double gain; } cases[] = {
        {"shape=(64,)", "Dense", "units=64, kernel_initializer=orthogonal", 64, 64, 1},
        {"shape=(20,)", "Dense", "units=50, kernel_initializer=Orthogonal(gain=2)", 20, 50, 2},
        {"shape=(50,)", "Dense", "units=20, kernel_initializer=OrthogonalInitializer", 50, 20, 1},
        {"shape=(1,)", "Dense", "units=9, kernel_initializer=orthogonal", 1, 9, 1},
        {"shape=(8, 8, 5)", "Conv2D", "filters=16, kernel_size=3, kernel_initializer=Orthogonal(gain=0.5, seed=4)", 45, 16,
         0.5},
        {"shape=(8, 8, 2)", "Conv2D", "filters=33, kernel_size=2, kernel_initializer=orthogonal", 8, 33, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float *w;
        convoy_shape shape;
        convoy_model *m = make(cases[i].input, cases[i].class_name, cases[i].options, 7, &w, &shape);
        assert_int_equal(shape.dim[shape.rank - 1], cases[i].columns);
        assert_orthogonal(w, cases[i].rows, cases[i].columns, cases[i].gain);
        convoy_model_destroy(m);
    }
}

/* With a seed of its own the same matrix, else the model's; no direction is preferred: Q is uniform, its trace near 0. */
static void test_orthogonal_is_drawn(void **state)
{
    (void)state;
    float *a, *b, *c;
    convoy_shape shape;
    convoy_model *x = make("shape=(64,)", "Dense", "units=64, kernel_initializer=orthogonal", 1, &a, &shape);
    convoy_model *y = make("shape=(64,)", "Dense", "units=64, kernel_initializer=orthogonal", 1, &b, &shape);
    convoy_model *z = make("shape=(64,)", "Dense", "units=64, kernel_initializer=orthogonal", 2, &c, &shape);
    assert_memory_equal(a, b, 64 * 64 * sizeof *a);
    assert_memory_not_equal(a, c, 64 * 64 * sizeof *a);
    double trace = 0, sum = 0;
    for (size_t i = 0; i < 64; i++)
        trace += a[i * 65];
    for (size_t i = 0; i < 64 * 64; i++)
        sum += a[i];
    assert_true(fabs(trace) < 5); /* its standard deviation is 1 */
    assert_true(fabs(sum) < 5 * 8);
    convoy_model_destroy(x);
    convoy_model_destroy(y);
    convoy_model_destroy(z);
}

static void test_identity(void **state)
{
    (void)state;
    static const struct { const char *options; size_t columns; float gain; } cases[] = {
        {"units=4, kernel_initializer=identity", 4, 1},
        {"units=7, kernel_initializer=Identity(gain=3)", 7, 3},
        {"units=2, kernel_initializer=IdentityInitializer", 2, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float *w;
        convoy_shape shape;
        convoy_model *m = make("shape=(4,)", "Dense", cases[i].options, 7, &w, &shape);
        for (size_t r = 0; r < 4; r++)
            for (size_t c = 0; c < cases[i].columns; c++)
                assert_true(w[r * cases[i].columns + c] == (r == c ? cases[i].gain : 0.0f));
        convoy_model_destroy(m);
    }
}

static void test_shapes_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"Conv2D", "filters=3, kernel_size=3, kernel_initializer=identity", "'kernel' has the shape"},
        {"Dense", "units=3, bias_initializer=identity", "'bias' has the shape"},
        {"Dense", "units=3, bias_initializer=orthogonal", "two dimensions at least"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        convoy_error err = {0};
        convoy_model *m = NULL;
        CHECK(convoy_model_create(NULL, &m, &err));
        CHECK(convoy_model_add(m, "InputLayer", "shape=(8, 8, 5)", &err));
        assert_int_equal(convoy_model_add(m, cases[i][0], cases[i][1], &err), CONVOY_ERROR_MODEL);
        if (strstr(err.message, cases[i][2]) == NULL)
            fail_msg("\"%s\" is not in: %s", cases[i][2], err.message);
        convoy_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orthogonal),
        cmocka_unit_test(test_orthogonal_is_drawn),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_shapes_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("initializers", tests, NULL, NULL);
}
