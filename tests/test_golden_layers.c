/* The layers' references against Keras: tests/golden/layers.json holds its answers (tools/make_golden_layers.py), and
 * tests/golden/training_layers.json those of layers that have more than trained weights (tools/make_golden_training.py). */
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

static json_t *golden, *golden_training;

/* ---- tensors ---- */

/* The integer formula that the golden values were made with: `pattern` in tools/make_golden_layers.py. */
static double *pattern(size_t count, long seed, long levels, double shift)
{
    double *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        long k = (long)((i * 7919 + (size_t)seed * 104729) % 2003) % levels;
        float value = (float)(k - levels / 2) / (float)(levels / 2);
        values[i] = value + (float)shift;
    }
    return values;
}

static double *zeros(size_t count)
{
    double *values = calloc(count, sizeof *values);
    assert_non_null(values);
    return values;
}

/* A variance is positive. */
static double *start_value(const layer_param *param, long seed)
{
    double *values = pattern(param->count, seed, 2003, 0);
    for (size_t i = 0; param->positive && i < param->count; i++)
        values[i] = fabs(values[i]) + 0.125;
    return values;
}

static double *copy(const double *values, size_t count)
{
    double *same = zeros(count);
    memcpy(same, values, count * sizeof *same);
    return same;
}

static convoy_shape read_shape(const json_t *list)
{
    convoy_shape shape = {.rank = (int)json_array_size(list)};
    assert_true(shape.rank > 0 && shape.rank <= CONVOY_MAX_RANK);
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

/* ---- one case ---- */

static layer *make_layer(const json_t *c, const char *label, convoy_shape input)
{
    convoy_error err = {0};
    const layer_class *class = layer_class_find(json_string_value(json_object_get(c, "class")));
    json_t *config = NULL;
    layer *l = NULL;
    if (class == NULL)
        fail_msg("%s: no such layer", label);
    if (option_parse_text(json_string_value(json_object_get(c, "options")), &config, &err) != CONVOY_OK ||
        layer_create(class, config, &l, &err) != CONVOY_OK || layer_connect(l, &input, 1, &err) != CONVOY_OK)
        fail_msg("%s: %s", label, err.message);
    json_decref(config);
    return l;
}

static void run_case(const json_t *c, const char *label)
{
    int batch = (int)json_integer_value(json_object_get(c, "batch"));
    long seed = (long)json_integer_value(json_object_get(c, "seed"));
    convoy_shape input = read_shape(json_object_get(c, "input"));
    convoy_shape output = read_shape(json_object_get(c, "output_shape"));
    const json_t *d_params = json_object_get(c, "d_params"), *updated = json_object_get(c, "updated");
    layer *l = make_layer(c, label, input);

    assert_int_equal(l->output.rank, output.rank);
    assert_memory_equal(l->output.dim, output.dim, (size_t)output.rank * sizeof output.dim[0]);
    assert_int_equal(l->param_count, json_array_size(d_params));

    size_t in = (size_t)batch * shape_count(&input), out = (size_t)batch * shape_count(&output);
    double *x = pattern(in, seed, (long)json_integer_value(json_object_get(c, "levels")),
                        json_number_value(json_object_get(c, "shift")));
    double *y = zeros(out), *d_x = zeros(in), *upstream = pattern(out, seed + 9, 2003, 0), *scratch = zeros(3 * out);
    double *params[LAYER_MAX_PARAMS] = {NULL};
    layer_reference r = {
        .batch = batch, .training = json_is_true(json_object_get(c, "training")), .input = {x},
        .output = y, .d_input = {d_x}, .d_output = upstream, .scratch = scratch};
    for (int p = 0; p < l->param_count; p++) {
        r.param[p] = params[p] = start_value(&l->param[p], seed + 1 + p);
        r.d_param[p] = zeros(l->param[p].count);
        r.updated[p] = copy(params[p], l->param[p].count);
    }

    l->class->reference_forward(l, &r);
    l->class->reference_backward(l, &r);
    compare(label, "output", y, out, json_object_get(c, "output"));
    if (!json_is_null(json_object_get(c, "d_input"))) /* TensorFlow's gradient of a map is not the adjoint: cl/affine.cl */
        compare(label, "input gradient", d_x, in, json_object_get(c, "d_input"));
    for (int p = 0; p < l->param_count; p++) {
        char what[80];
        snprintf(what, sizeof what, "%s gradient", l->param[p].name);
        if (l->trainable && l->param[p].trainable)
            compare(label, what, r.d_param[p], l->param[p].count, json_array_get(d_params, (size_t)p));
        else if (l->param[p].shape.rank > 0) /* Normalization's count is no tensor */
            compare(label, l->param[p].name, r.updated[p], l->param[p].count, json_array_get(updated, (size_t)p));
        free(params[p]);
        free(r.d_param[p]);
        free(r.updated[p]);
    }
    free(x);
    free(y);
    free(d_x);
    free(upstream);
    free(scratch);
    layer_destroy(l);
}

/* ---- one test for each class ---- */

/* A class and the least number of its cases. */
typedef struct class_row {
    const char *name;
    size_t least;
} class_row;

static const class_row rows[] = {
    {"Conv2D", 26},          {"MaxPooling2D", 10},         {"Dense", 10},
    {"Activation", 50},      {"ReLU", 11},                 {"Softmax", 2},
    {"AveragePooling2D", 5}, {"GlobalAveragePooling2D", 2}, {"GlobalMaxPooling2D", 2},
    {"ZeroPadding2D", 3},    {"Cropping2D", 3},            {"UpSampling2D", 5},
    {"Reshape", 2},          {"Permute", 2},               {"Rescaling", 2},           {"Resizing", 9},
    {"LeakyReLU", 2},        {"ELU", 3},                   {"PReLU", 3},
    {"DepthwiseConv2D", 5},  {"SeparableConv2D", 3},       {"Conv2DTranspose", 7},
    {"BatchNormalization", 11}, {"LayerNormalization", 10}, {"GroupNormalization", 7},
    {"Normalization", 6},
    {"RandomTranslation", 12}, {"RandomRotation", 12},      {"RandomZoom", 12},
    {"RandomCrop", 8},       {"RandomContrast", 3},        {"RandomBrightness", 4},
    {"RandomErasing", 3},    {"RandomFlip", 1},
};

#define ROWS (sizeof rows / sizeof *rows)

static size_t run_cases(const json_t *file, const char *class_name)
{
    size_t index, done = 0;
    const json_t *c;
    json_array_foreach(json_object_get(file, "cases"), index, c) {
        char label[256];
        if (strcmp(json_string_value(json_object_get(c, "class")), class_name) != 0)
            continue;
        snprintf(label, sizeof label, "case %zu, %s(%s)", index, class_name,
                 json_string_value(json_object_get(c, "options")));
        run_case(c, label);
        done++;
    }
    return done;
}

static void test_class(void **state)
{
    const class_row *row = *state;
    assert_true(run_cases(golden, row->name) + run_cases(golden_training, row->name) >= row->least);
}

static void expect_rows(const json_t *file)
{
    size_t index;
    const json_t *c;
    json_array_foreach(json_object_get(file, "cases"), index, c) {
        const char *name = json_string_value(json_object_get(c, "class"));
        bool known = false;
        for (size_t i = 0; i < ROWS; i++)
            known = known || strcmp(rows[i].name, name) == 0;
        if (!known)
            fail_msg("no row for %s", name);
    }
}

/* No case without a row. */
static void test_all_cases_are_run(void **state)
{
    (void)state;
    expect_rows(golden);
    expect_rows(golden_training);
}

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error);
    if (file == NULL)
        fprintf(stderr, "%s:%d: %s\n", error.source, error.line, error.text);
    return file;
}

static int load_golden(void **state)
{
    (void)state;
    golden = load(TEST_GOLDEN_DIR "/layers.json");
    golden_training = load(TEST_GOLDEN_DIR "/training_layers.json");
    return golden == NULL || golden_training == NULL;
}

static int free_golden(void **state)
{
    (void)state;
    json_decref(golden);
    json_decref(golden_training);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[ROWS + 1] = {cmocka_unit_test(test_all_cases_are_run)};
    for (size_t i = 0; i < ROWS; i++)
        tests[i + 1] = (struct CMUnitTest){.name = rows[i].name, .test_func = test_class, .initial_state = (void *)&rows[i]};
    return cmocka_run_group_tests(tests, load_golden, free_golden);
}
