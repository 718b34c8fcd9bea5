/* What pixels are divided by: the rule, and that training, evaluation and reports follow it. */
#include <math.h>

#include "train_help.h"

#define CONV "Conv2D", "filters=4, kernel_size=3"
#define BYTES "Rescaling", "scale=0.00392156862745098"

static void expect_scale(const convoy_model *m, double scale, const char *text)
{
    convoy_pixels p = convoy_pixels_for(m, NULL, 0);
    if (p.scale != scale || strcmp(p.text, text) != 0)
        fail_msg("%g, \"%s\"; %g, \"%s\" is expected", p.scale, p.text, scale, text);
}

#define ITSELF(name) 1, "0 to 255, the model rescales them itself (" name ")"

static void test_chains(void **state)
{
    (void)state;
    static const struct {
        const char *layers[12];
        double scale;
        const char *text;
    } cases[] = {
        {{CONV, NULL}, 255, "divided by 255"},
        {{BYTES, CONV, NULL}, ITSELF("rescaling")},
        {{"Rescaling", "scale=0.00784313725490196, offset=-1", CONV, NULL}, ITSELF("rescaling")},
        {{"RandomFlip", "", "ZeroPadding2D", "padding=1", "Dropout", "rate=0.5", BYTES, CONV, NULL}, ITSELF("rescaling")},
        {{"Resizing", "height=6, width=5", BYTES, CONV, NULL}, ITSELF("rescaling")},
        {{CONV, BYTES, NULL}, 255, "divided by 255"},
        {{"Rescaling", "scale=255", BYTES, CONV, NULL}, 255, "divided by 255"}, /* it was made for 0 to 1 */
        {{"Rescaling", "scale=2, offset=-1", CONV, NULL}, 255, "divided by 255"},
        {{"Normalization", "mean=[123.7, 116.3, 103.5], variance=[3409, 3266, 3292]", CONV, NULL}, ITSELF("normalization")},
        {{"Normalization", "mean=[0.485, 0.456, 0.406], variance=[0.0524, 0.0502, 0.0506]", CONV, NULL}, 255, "divided by 255"},
        {{"Normalization", "", CONV, NULL}, ITSELF("normalization")}, /* moments are weights: 0 and 1 before adapt() */
        {{"BatchNormalization", "", NULL}, 255, "divided by 255"},
        {{"RandomFlip", "", NULL}, 255, "divided by 255"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        convoy_model *m = make_model(cases[i].layers);
        expect_scale(m, cases[i].scale, cases[i].text);
        convoy_model_destroy(m);
    }
}

static void test_adapted(void **state)
{
    (void)state;
    float *values;
    convoy_shape shape;
    convoy_model *m = make_model((const char *const[]){"Normalization", "", CONV, NULL});
    assert_int_equal(convoy_model_weights(m, 1, 0, &values, &shape), 3);
    values[0] = values[1] = values[2] = 0.5f;
    assert_int_equal(convoy_model_weights(m, 1, 1, &values, &shape), 3);
    values[0] = values[1] = values[2] = 0.08f;
    expect_scale(m, 255, "divided by 255");
    values[1] = 0.3f; /* more than values within 0 and 1 can have */
    expect_scale(m, ITSELF("normalization"));
    convoy_model_destroy(m);
}

/* ---- graphs ---- */

#define TENSOR(name) "{\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": [\"" name "\", 0, 0]}}"
#define NODE(class, name, config, args)                                                                                \
    "{\"class_name\": \"" class "\", \"name\": \"" name "\", \"config\": {\"name\": \"" name "\"" config "}, "         \
    "\"inbound_nodes\": [{\"args\": [" args "], \"kwargs\": {}}]}"
#define IN "{\"class_name\": \"InputLayer\", \"name\": \"in\", \"config\": {\"name\": \"in\", \"batch_shape\": [null, 8, 8, 3]}, " \
    "\"inbound_nodes\": []}"
#define GRAPH(layers, output)                                                                                          \
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": [" IN "," layers "], "                  \
    "\"input_layers\": [[\"in\", 0, 0]], \"output_layers\": [[\"" output ", 0]]}}"
#define RESCALING(name, of) NODE("Rescaling", name, ", \"scale\": 0.0039", TENSOR(of))
#define CONV2D(name, of) NODE("Conv2D", name, ", \"filters\": 3, \"kernel_size\": 3, \"padding\": \"same\"", TENSOR(of))
#define TWO(class, a, b) NODE(class, "end", "", "[" TENSOR(a) ", " TENSOR(b) "]")
#define INNER_IN "{\"class_name\": \"InputLayer\", \"name\": \"i\", \"config\": {\"name\": \"i\", \"batch_shape\": [null, 8, 8, 3]}, " \
    "\"inbound_nodes\": []}"
#define INNER(layers, output, of)                                                                                      \
    "{\"class_name\": \"Functional\", \"name\": \"base\", \"config\": {\"name\": \"base\", \"layers\": [" INNER_IN "," layers  \
    "], \"input_layers\": [[\"i\", 0, 0]], \"output_layers\": [[\"" output "\", 0, 0]]}, "                               \
    "\"inbound_nodes\": [{\"args\": [" TENSOR(of) "], \"kwargs\": {}}]}"

static void test_graphs(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        double scale;
        const char *text;
    } cases[] = {
        /* One of two readers only. */
        {GRAPH(RESCALING("r", "in") "," CONV2D("c", "in") "," TWO("Add", "r", "c"), "end\", 0"), 255, "divided by 255"},
        /* Each has one of its own. */
        {GRAPH(RESCALING("r", "in") "," RESCALING("s", "in") "," TWO("Add", "r", "s"), "end\", 0"), ITSELF("r")},
        /* Grey in three channels, say. */
        {GRAPH(TWO("Concatenate", "in", "in") "," RESCALING("r", "end") "," CONV2D("c", "r"), "c\", 0"), ITSELF("r")},
        {GRAPH(NODE("RandomFlip", "f", "", TENSOR("in")) "," INNER(RESCALING("r", "i") "," CONV2D("c", "r"), "c", "f"), "base\", 1"),
         ITSELF("r")},
        {GRAPH(CONV2D("first", "in") "," INNER(RESCALING("r", "i") "," CONV2D("c", "r"), "c", "first"), "base\", 1"), 255,
         "divided by 255"},
        {GRAPH(INNER(CONV2D("c", "i"), "c", "in"), "base\", 1"), 255, "divided by 255"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        convoy_model *m = NULL;
        CHECK(convoy_model_from_json(cases[i].json, strlen(cases[i].json), &m, &err));
        expect_scale(m, cases[i].scale, cases[i].text);
        convoy_model_destroy(m);
    }
}

static void test_given(void **state)
{
    (void)state;
    convoy_model *m = make_model((const char *const[]){BYTES, CONV, NULL}), *plain = make_model((const char *const[]){CONV, NULL});
    assert_true(convoy_pixels_for(m, NULL, 225).scale == 225);
    assert_string_equal(convoy_pixels_for(m, NULL, 225).text, "divided by 225, and the model rescales them again (rescaling)");
    assert_string_equal(convoy_pixels_for(plain, NULL, 1).text, "divided by 1");
    convoy_model_destroy(m);
    convoy_model_destroy(plain);
}

/* ---- what becomes of a model ---- */

#define REST "Flatten", "", "Dense", "units=3"

/* Dividing by 256 is exact, so that a model that does it and one that is fed so have the same bits. */
static void test_feeding(void **state)
{
    (void)state;
    convoy_model *inside = make_model((const char *const[]){"Rescaling", "scale=0.00390625", REST, NULL});
    convoy_model *outside = make_model((const char *const[]){"Rescaling", "scale=1", REST, NULL});
    convoy_dataset *data = small_data();
    convoy_metrics a, b;
    convoy_fit_options how = {.epochs = 2, .batch_size = 16, .validation_split = 0.2};
    CHECK(convoy_fit(ctx, inside, data, &how, NULL, &err));
    how.train_scale = how.validation_scale = 256;
    CHECK(convoy_fit(ctx, outside, data, &how, NULL, &err));
    assert_same_weights(inside, outside);
    CHECK(convoy_evaluate(ctx, inside, data, NULL, &a, &err));
    CHECK(convoy_evaluate(ctx, outside, data, &(convoy_evaluate_options){.scale = 256}, &b, &err));
    assert_true(a.loss == b.loss && a.accuracy == b.accuracy);
    CHECK(convoy_evaluate(ctx, outside, data, NULL, &b, &err));
    assert_true(a.loss != b.loss);
    convoy_dataset_destroy(data);
    convoy_model_destroy(inside);
    convoy_model_destroy(outside);
}

/* The images of small_data as floats, each divided by `divisor`. */
static convoy_dataset *float_data(float divisor)
{
    enum { VALUES = SIDE * SIDE * 3 };
    convoy_dataset *bytes = small_data(), *data = NULL;
    float *values = malloc((size_t)ROWS * VALUES * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < (size_t)ROWS * VALUES; i++)
        values[i] = (float)convoy_dataset_images(bytes)[i] / divisor;
    CHECK(convoy_dataset_create_floats(values, convoy_dataset_labels(bytes), ROWS, convoy_dataset_shape(bytes), 3, NULL, &data, &err));
    convoy_dataset_destroy(bytes);
    free(values);
    return data;
}

/* Bytes that are divided by 256 and floats that were: the same bits, resident and streamed, and of slices. */
static void test_floats(void **state)
{
    (void)state;
    convoy_dataset *bytes = small_data(), *floats = float_data(256), *part = NULL;
    convoy_fit_options how = {.epochs = 2, .batch_size = 16, .validation_split = 0.2, .train_scale = 256, .validation_scale = 256};
    convoy_model *m = make_model((const char *const[]){REST, NULL});
    convoy_metrics a, b;
    CHECK(convoy_fit(ctx, m, bytes, &how, NULL, &err));
    CHECK(convoy_evaluate(ctx, m, bytes, &(convoy_evaluate_options){.scale = 256}, &a, &err));
    how.train_scale = how.validation_scale = 0;
    for (int i = 0; i < 2; i++) {
        convoy_model *other = make_model((const char *const[]){REST, NULL});
        how.stream = i == 1;
        CHECK(convoy_fit(ctx, other, floats, &how, NULL, &err));
        assert_same_weights(m, other);
        CHECK(convoy_evaluate(ctx, other, floats, &(convoy_evaluate_options){.stream = i == 1}, &b, &err));
        assert_true(a.loss == b.loss && a.accuracy == b.accuracy);
        convoy_model_destroy(other);
    }
    assert_null(convoy_dataset_images(floats));
    CHECK(convoy_dataset_slice(floats, 3, 2, &part, &err));
    assert_ptr_equal(convoy_dataset_values(part), convoy_dataset_values(floats) + 3 * SIDE * SIDE * 3);
    assert_true(convoy_dataset_prepared(part));
    assert_false(convoy_dataset_same_images(bytes, floats));
    assert_true(convoy_dataset_same_images(floats, floats));
    convoy_dataset_destroy(part);
    convoy_dataset_destroy(floats);
    convoy_dataset_destroy(bytes);
    convoy_model_destroy(m);
}

static void expect_floats(const char *const *layers, const convoy_dataset *data, double scale, double expected, const char *text)
{
    convoy_model *m = make_model(layers);
    convoy_pixels p = convoy_pixels_for(m, data, scale);
    assert_true(p.scale == expected);
    assert_string_equal(p.text, text);
    convoy_model_destroy(m);
}

static void test_float_scales(void **state)
{
    (void)state;
    static const char *const plain[] = {CONV, NULL}, *const rescales[] = {BYTES, CONV, NULL};
    convoy_dataset *data = float_data(256), *none = NULL;
    convoy_error err = {0};
    expect_floats(plain, data, 0, 1, "floats from 0 to 0.726562, as they are");
    expect_floats(plain, data, 2, 2, "divided by 2");
    expect_floats(rescales, data, 0, 1,
                  "floats from 0 to 0.726562, as they are; the model rescales them as if they were 0 to 255 (rescaling)");
    convoy_dataset_destroy(data);
    float bad[SIDE * SIDE * 3] = {0, NAN};
    assert_int_equal(convoy_dataset_create_floats(bad, (int32_t[]){0}, 1, (convoy_shape){3, {SIDE, SIDE, 3}}, 1, NULL, &none, &err),
                     CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "value 1 of the images is nan"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains), cmocka_unit_test(test_adapted), cmocka_unit_test(test_graphs),
        cmocka_unit_test(test_given),  cmocka_unit_test(test_feeding),
        cmocka_unit_test(test_floats), cmocka_unit_test(test_float_scales),
    };
    return cmocka_run_group_tests_name("scale", tests, make_context, drop_context);
}
