/* Output sizes, worked: the texts, and that what they compute is what the layers give. */
#include <ctype.h>
#include <math.h>

#include "convoy/convoy.h"
#include "model_help.h"

static void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s", err->message);
}

/* ---- the texts ---- */

static void test_tutorial(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = NULL;
    char *text = NULL;
    must(convoy_model_load("cifar10", &m, &err), &err);
    must(convoy_model_formulas(m, &text, &err), &err);
    assert_string_equal(text, "Output sizes: (input - kernel) / stride + 1, rounded down;\n"
                              "with padding='same': input / stride, rounded up.\n"
                              "  conv2d: (32 - 3) / 1 + 1 = 30 rows, (32 - 3) / 1 + 1 = 30 columns\n"
                              "  max_pooling2d: (30 - 2) / 2 + 1 = 15 rows, (30 - 2) / 2 + 1 = 15 columns\n"
                              "  conv2d_1: (15 - 3) / 1 + 1 = 13 rows, (15 - 3) / 1 + 1 = 13 columns\n"
                              "  max_pooling2d_1: floor((13 - 2) / 2) + 1 = 6 rows, floor((13 - 2) / 2) + 1 = 6 columns\n"
                              "  conv2d_2: (6 - 3) / 1 + 1 = 4 rows, (6 - 3) / 1 + 1 = 4 columns\n"
                              "  flatten: 4 * 4 * 128 = 2048 values\n");
    free(text);
    must(convoy_model_layer_formula(m, 1, &text, &err), &err);
    assert_string_equal(text, "(32 - 3) / 1 + 1 = 30 rows, (32 - 3) / 1 + 1 = 30 columns");
    free(text);
    must(convoy_model_layer_formula(m, 0, &text, &err), &err);
    assert_string_equal(text, ""); /* the InputLayer's size is given */
    free(text);
    assert_failed(convoy_model_layer_formula(m, 9, &text, &err), CONVOY_ERROR_ARGUMENT, &err, "layer 9", "has 9", NULL);
    convoy_model_destroy(m);
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *input, *layer, *options, *expected;
    } rows[] = {
        {"shape=(32, 9, 3)", "Conv2D", "filters=4, kernel_size=(3, 2), strides=(3, 1)",
         "floor((32 - 3) / 3) + 1 = 10 rows, (9 - 2) / 1 + 1 = 8 columns"},
        {"shape=(9, 8, 3)", "Conv2D", "filters=4, kernel_size=3, strides=2, padding=same",
         "ceil(9 / 2) = 5 rows, ceil(8 / 2) = 4 columns"},
        {"shape=(32, 31, 3)", "Conv2D", "filters=4, kernel_size=(3, 1), dilation_rate=2",
         "(32 - (2 * (3 - 1) + 1)) / 1 + 1 = 28 rows, (31 - 1) / 1 + 1 = 31 columns"},
        {"shape=(3, 3, 3)", "Conv2D", "filters=4, kernel_size=3",
         "(3 - 3) / 1 + 1 = 1 row, (3 - 3) / 1 + 1 = 1 column"},
        {"shape=(8, 7, 3)", "DepthwiseConv2D", "kernel_size=3, depth_multiplier=2",
         "(8 - 3) / 1 + 1 = 6 rows, (7 - 3) / 1 + 1 = 5 columns, 3 * 2 = 6 channels"},
        {"shape=(8, 7, 3)", "SeparableConv2D", "filters=5, kernel_size=3, strides=2",
         "floor((8 - 3) / 2) + 1 = 3 rows, (7 - 3) / 2 + 1 = 3 columns"},
        {"shape=(8, 7, 3)", "AveragePooling2D", "pool_size=3",
         "floor((8 - 3) / 3) + 1 = 2 rows, floor((7 - 3) / 3) + 1 = 2 columns"},
        {"shape=(8, 7, 3)", "MaxPooling2D", "padding=same", "ceil(8 / 2) = 4 rows, ceil(7 / 2) = 4 columns"},
        {"shape=(7, 8, 3)", "Conv2DTranspose", "filters=4, kernel_size=3, strides=2, padding=same",
         "7 * 2 = 14 rows, 8 * 2 = 16 columns"},
        {"shape=(7, 8, 3)", "Conv2DTranspose", "filters=4, kernel_size=(3, 2), strides=(2, 3)",
         "(7 - 1) * 2 + 3 = 15 rows, (8 - 1) * 3 + max(2, 3) = 24 columns"},
        {"shape=(3, 4, 5)", "Conv2DTranspose", "filters=7, kernel_size=3, strides=3, output_padding=(1, 2), padding=same",
         "(3 - 1) * 3 + 3 - 2 * 1 + 1 = 8 rows, (4 - 1) * 3 + 3 - 2 * 1 + 2 = 12 columns"},
        {"shape=(4, 3, 6)", "Conv2DTranspose", "filters=8, kernel_size=3, dilation_rate=2, output_padding=0",
         "(4 - 1) * 1 + (2 * (3 - 1) + 1) + 0 = 8 rows, (3 - 1) * 1 + (2 * (3 - 1) + 1) + 0 = 7 columns"},
        {"shape=(4, 5, 2)", "ZeroPadding2D", "padding=((1, 0), (2, 3))", "1 + 4 + 0 = 5 rows, 2 + 5 + 3 = 10 columns"},
        {"shape=(4, 6, 2)", "Cropping2D", "cropping=((1, 0), (2, 3))", "4 - 1 - 0 = 3 rows, 6 - 2 - 3 = 1 column"},
        {"shape=(4, 6, 2)", "UpSampling2D", "size=(3, 1)", "4 * 3 = 12 rows, 6 * 1 = 6 columns"},
        {"shape=(4, 6, 2)", "GlobalAveragePooling2D", NULL, ""},
        {"shape=(4, 6, 2)", "ReLU", NULL, ""},
        {"shape=(7,)", "Flatten", NULL, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        convoy_error err = {0};
        convoy_model *m = NULL;
        char *text = NULL;
        must(convoy_model_create(NULL, &m, &err), &err);
        must(convoy_model_add(m, "InputLayer", rows[i].input, &err), &err);
        must(convoy_model_add(m, rows[i].layer, rows[i].options, &err), &err);
        must(convoy_model_layer_formula(m, 1, &text, &err), &err);
        assert_string_equal(text, rows[i].expected);
        free(text);
        convoy_model_destroy(m);
    }
}

static void test_graph(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = NULL;
    char *text = NULL;
    must(convoy_model_create(NULL, &m, &err), &err);
    must(convoy_model_connect(m, "InputLayer", "shape=(6, 6, 2), name='a'", NULL, &err), &err);
    must(convoy_model_connect(m, "Conv2D", "filters=3, kernel_size=3, padding=same, name='b'", "a", &err), &err);
    must(convoy_model_reuse(m, "b", "a", &err), &err);
    must(convoy_model_connect(m, "Concatenate", "name='c'", "a, b, b[1]", &err), &err);
    must(convoy_model_formulas(m, &text, &err), &err);
    if (strstr(text, "\n  b: ceil(6 / 1) = 6 rows, ceil(6 / 1) = 6 columns\n  c: 2 + 3 + 3 = 8 channels\n") == NULL)
        fail_msg("%s", text);
    free(text);
    convoy_model_destroy(m);

    must(convoy_model_create(NULL, &m, &err), &err);
    must(convoy_model_add(m, "InputLayer", "shape=(6,)", &err), &err);
    must(convoy_model_formulas(m, &text, &err), &err);
    assert_non_null(strstr(text, "  (no layer computes one)\n"));
    free(text);
    convoy_model_destroy(m);
}

/* ---- what they compute ---- */

static double sum(const char **at);

static void skip_spaces(const char **at)
{
    while (**at == ' ')
        ++*at;
}

static bool take(const char **at, const char *word)
{
    skip_spaces(at);
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

static double in_brackets(const char **at)
{
    double value = sum(at);
    assert_true(take(at, ")"));
    return value;
}

static double factor(const char **at)
{
    char *end;
    if (take(at, "("))
        return in_brackets(at);
    if (take(at, "floor("))
        return floor(in_brackets(at));
    if (take(at, "ceil("))
        return ceil(in_brackets(at));
    if (take(at, "max(")) {
        double first = sum(at);
        assert_true(take(at, ","));
        return fmax(first, in_brackets(at));
    }
    skip_spaces(at);
    assert_true(isdigit((unsigned char)**at));
    double value = strtod(*at, &end);
    *at = end;
    return value;
}

static double product(const char **at)
{
    double value = factor(at);
    for (;;)
        if (take(at, "*"))
            value *= factor(at);
        else if (take(at, "/"))
            value /= factor(at);
        else
            return value;
}

static double sum(const char **at)
{
    double value = product(at);
    for (;;)
        if (take(at, "+"))
            value += product(at);
        else if (take(at, "-"))
            value -= product(at);
        else
            return value;
}

static layer *sample_layer(const layer_class *class, const layer_sample *sample)
{
    convoy_error err = {0};
    convoy_shape inputs[LAYER_MAX_INPUTS];
    json_t *config = NULL;
    layer *l = NULL;
    must(option_parse_text(sample->options, &config, &err), &err);
    must(layer_create(class, config, &l, &err), &err);
    json_decref(config);
    must(layer_connect(l, inputs, layer_sample_inputs(class, sample, inputs), &err), &err);
    return l;
}

/* Of these the rows and columns go away, or are given, or change places. */
static bool computes_none(const layer_class *class)
{
    static const char *const names[] = {"GlobalAveragePooling2D", "GlobalMaxPooling2D", "Reshape", "Permute", "RandomCrop",
                                        "Resizing"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(class->name, names[i]) == 0)
            return true;
    return class->merges; /* Add and its like stretch the smaller one */
}

/* Returns how many axes have a formula. */
static int check_sample(const layer_class *class, const layer_sample *sample)
{
    layer *l = sample_layer(class, sample);
    int found = 0;
    for (int axis = 0; axis < l->output.rank; axis++) {
        text t = {0};
        if (class->formula != NULL)
            class->formula(l, axis, &t);
        bool changed = l->input[0].rank != l->output.rank || l->input[0].dim[axis] != l->output.dim[axis];
        if (t.length == 0 && changed && axis < 2 && l->output.rank == 3 && !computes_none(class))
            fail_msg("%s(%s) changes axis %d without a formula", class->name, sample->options, axis);
        if (t.length > 0) {
            const char *at = t.data;
            double value = sum(&at);
            if (*at != '\0' || value != l->output.dim[axis])
                fail_msg("%s(%s): %s is %g, not %d", class->name, sample->options, t.data, value, l->output.dim[axis]);
            found++;
        }
        text_free(&t);
    }
    layer_destroy(l);
    return found;
}

static void test_samples(void **state)
{
    (void)state;
    int classes = 0;
    const layer_class *class;
    for (size_t i = 0; (class = layer_class_at(i)) != NULL; i++) {
        int found = 0;
        for (const layer_sample *s = class->samples; s != NULL && s->options != NULL; s++)
            found += check_sample(class, s);
        assert_true(class->formula == NULL || found > 0);
        classes += found > 0;
    }
    assert_int_equal(classes, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tutorial),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_samples),
    };
    return cmocka_run_group_tests_name("formulas", tests, NULL, NULL);
}
