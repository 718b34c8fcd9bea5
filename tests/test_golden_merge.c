/* The merging layers' references against Keras: tests/golden/merge.json holds its answers (tools/make_golden_merge.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "layers/layer.h"

#define TOLERANCE 1e-5

/* The integer formula that the golden values were made with: `pattern` in tools/make_golden_layers.py. */
static double *pattern(size_t count, long seed, long levels)
{
    double *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        long k = (long)((i * 7919 + (size_t)seed * 104729) % 2003) % levels;
        values[i] = (double)((float)(k - levels / 2) / (float)(levels / 2));
    }
    return values;
}

static convoy_shape read_shape(const json_t *list)
{
    convoy_shape shape = {.rank = (int)json_array_size(list)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = (int)json_integer_value(json_array_get(list, (size_t)i));
    return shape;
}

static void compare(const char *label, const char *what, const double *found, size_t count, const json_t *expected)
{
    if (json_array_size(expected) != count)
        fail_msg("%s: %s has %zu values; Keras has %zu", label, what, count, json_array_size(expected));
    for (size_t i = 0; i < count; i++) {
        double e = json_number_value(json_array_get(expected, i));
        if (!(fabs(found[i] - e) <= TOLERANCE * fmax(1, fabs(e))))
            fail_msg("%s: %s[%zu] is %.9g; Keras has %.9g", label, what, i, found[i], e);
    }
}

static layer *make_layer(const json_t *c, const char *label, const convoy_shape *inputs, int count)
{
    convoy_error err = {0};
    const layer_class *class = layer_class_find(json_string_value(json_object_get(c, "class")));
    json_t *config = NULL;
    layer *l = NULL;
    assert_non_null(class);
    if (option_parse_text(json_string_value(json_object_get(c, "options")), &config, &err) != CONVOY_OK ||
        layer_create(class, config, &l, &err) != CONVOY_OK || layer_connect(l, inputs, count, &err) != CONVOY_OK)
        fail_msg("%s: %s", label, err.message);
    json_decref(config);
    return l;
}

static void run_case(const json_t *c, const char *label)
{
    int batch = (int)json_integer_value(json_object_get(c, "batch"));
    int count = (int)json_array_size(json_object_get(c, "inputs"));
    long seed = (long)json_integer_value(json_object_get(c, "seed"));
    convoy_shape inputs[LAYER_MAX_INPUTS], output = read_shape(json_object_get(c, "output_shape"));
    double *x[LAYER_MAX_INPUTS], *d_x[LAYER_MAX_INPUTS];
    layer_reference r = {.batch = batch};
    for (int k = 0; k < count; k++) {
        inputs[k] = read_shape(json_array_get(json_object_get(c, "inputs"), (size_t)k));
        size_t values = (size_t)batch * shape_count(&inputs[k]);
        r.input[k] = x[k] = pattern(values, seed + k, (long)json_integer_value(json_object_get(c, "levels")));
        r.d_input[k] = d_x[k] = calloc(values, sizeof(double));
    }
    layer *l = make_layer(c, label, inputs, count);
    assert_int_equal(l->output.rank, output.rank);
    assert_memory_equal(l->output.dim, output.dim, (size_t)output.rank * sizeof output.dim[0]);
    size_t out = (size_t)batch * shape_count(&output);
    double *y = calloc(out, sizeof *y), *upstream = pattern(out, seed + 9, 2003);
    r.output = y;
    r.d_output = upstream;
    l->class->reference_forward(l, &r);
    l->class->reference_backward(l, &r);
    compare(label, "output", y, out, json_object_get(c, "output"));
    for (int k = 0; k < count; k++) {
        compare(label, "input gradient", d_x[k], (size_t)batch * shape_count(&inputs[k]),
                json_array_get(json_object_get(c, "d_inputs"), (size_t)k));
        free(x[k]);
        free(d_x[k]);
    }
    free(y);
    free(upstream);
    layer_destroy(l);
}

static void test_merging_layers(void **state)
{
    (void)state;
    json_error_t error;
    json_t *golden = json_load_file(TEST_GOLDEN_DIR "/merge.json", 0, &error), *c;
    size_t index;
    assert_non_null(golden);
    assert_true(json_array_size(json_object_get(golden, "cases")) >= 50);
    json_array_foreach(json_object_get(golden, "cases"), index, c) {
        char label[128];
        snprintf(label, sizeof label, "case %zu, %s(%s)", index, json_string_value(json_object_get(c, "class")),
                 json_string_value(json_object_get(c, "options")));
        run_case(c, label);
    }
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merging_layers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
