/* The ready models: each has the parameters that its definition gives, counted here from the definition, and those that its source
 * is known for; options in brackets; what is said when data and model do not fit. */
#include "model/build.h"
#include "model_help.h"
#include "train/check_fit.h"

static convoy_model *load(const char *name)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    if (convoy_model_load(name, &model, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    return model;
}

/* ---- parameters from the definitions ---- */

static size_t conv(size_t side, size_t in, size_t out) { return side * side * in * out + out; }
static size_t dense(size_t in, size_t out) { return in * out + out; }
static size_t norm(size_t channels) { return 4 * channels; } /* half of them are trained */

static void assert_counts(const char *name, size_t all, size_t not_trained)
{
    convoy_model *model = load(name);
    assert_int_equal(convoy_model_parameter_count(model), all);
    assert_int_equal(model_trainable_count(model), all - not_trained);
    assert_round_trip(model);
    convoy_model_destroy(model);
}

static void test_lenet5(void **state)
{
    (void)state;
    size_t all = conv(5, 1, 6) + conv(5, 6, 16) + dense(16 * 5 * 5, 120) + dense(120, 84) + dense(84, 10);
    assert_int_equal(all, 61706);
    assert_counts("lenet5", all, 0);
    assert_counts("lenet5(input_shape=(28, 28, 1))", all, 0); /* padded to 32 x 32 */
    convoy_model *model = load("lenet5(input_shape=(28, 27, 1))");
    assert_string_equal(convoy_model_layer_class(model, 1), "ZeroPadding2D");
    assert_shape(convoy_model_layer_output(model, 1), 3, 32, 32, 1);
    assert_shape(convoy_model_layer_output(model, 3), 3, 14, 14, 6);
    convoy_model_destroy(model);
}

/* 6 n + 2 layers with weights, n = 3, and two shortcuts. */
static void test_resnet20(void **state)
{
    (void)state;
    size_t all = conv(3, 3, 16) + norm(16), norms = 16;
    for (size_t stack = 0, in = 16; stack < 3; stack++) {
        size_t out = 16u << stack;
        for (int block = 0; block < 3; block++, in = out) {
            all += conv(3, in, out) + conv(3, out, out) + 2 * norm(out) + (in != out ? conv(1, in, out) : 0);
            norms += 2 * out;
        }
    }
    all += dense(64, 10);
    assert_int_equal(all, 274442); /* Keras's example */
    assert_counts("resnet20", all, 2 * norms);
    assert_counts("resnet20(classes=100)", all - dense(64, 10) + dense(64, 100), 2 * norms);
    convoy_model *model = load("resnet20");
    size_t convolutions = 0, sums = 0;
    for (size_t l = 0; l < convoy_model_layer_count(model); l++) {
        convolutions += strcmp(convoy_model_layer_class(model, l), "Conv2D") == 0;
        sums += strcmp(convoy_model_layer_class(model, l), "Add") == 0;
    }
    assert_int_equal(convolutions, 19 + 2);
    assert_int_equal(sums, 9);
    assert_shape(convoy_model_output(model), 1, 10, 0, 0);
    convoy_model_destroy(model);
    model = load("resnet20(input_shape=(28, 28, 1))"); /* the last pooling follows the size */
    assert_shape(convoy_model_layer_output(model, convoy_model_layer_count(model) - 3), 3, 1, 1, 64);
    convoy_model_destroy(model);
}

static void test_vgg_small(void **state)
{
    (void)state;
    size_t all = 0, norms = 0;
    for (size_t block = 0, in = 3; block < 3; block++, in = 16u << block) {
        size_t out = 32u << block;
        all += conv(3, in, out) + conv(3, out, out) + 2 * norm(out);
        norms += 2 * out;
    }
    all += dense(4 * 4 * 128, 128) + norm(128) + dense(128, 10);
    assert_int_equal(all, 552874);
    assert_counts("vgg-small", all, 2 * (norms + 128));
}

static void test_mobilenet_small(void **state)
{
    (void)state;
    static const size_t filters[] = {64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024};
    size_t in = 32 / 4, all = 9 * 3 * in + norm(in), norms = in;
    for (size_t i = 0; i < 13; i++) {
        size_t out = filters[i] / 4;
        all += 9 * in + norm(in) + in * out + norm(out);
        norms += in + out;
        in = out;
    }
    assert_int_equal(all + dense(256, 1000), 475544); /* as it is published, for ImageNet */
    assert_int_equal(all + dense(256, 10), 221114);
    assert_counts("mobilenet-small", all + dense(256, 10), 2 * norms);
    assert_counts("mobilenet-small(classes=1000)", all + dense(256, 1000), 2 * norms);
    convoy_model *model = load("mobilenet-small");
    assert_shape(convoy_model_layer_output(model, 1), 3, 32, 32, 8);
    for (size_t l = 0; l < convoy_model_layer_count(model); l++)
        if (strcmp(convoy_model_layer_name(model, l), "conv_pw_13_relu") == 0)
            assert_shape(convoy_model_layer_output(model, l), 3, 2, 2, 256);
    convoy_model_destroy(model);
}

/* ---- options ---- */

static void test_options(void **state)
{
    (void)state;
    convoy_model *model = load("cifar10(classes=7, input_shape=(24, 20, 1))");
    assert_shape(convoy_model_input(model), 3, 24, 20, 1);
    assert_shape(convoy_model_output(model), 1, 7, 0, 0);
    convoy_model_destroy(model);
    model = load("cifar10()");
    assert_int_equal(convoy_model_parameter_count(model), 225034);
    convoy_model_destroy(model);
}

static void test_augment(void **state)
{
    (void)state;
    convoy_model *model = load("resnet20(augment=True)");
    assert_string_equal(convoy_model_layer_class(model, 1), "RandomTranslation");
    assert_shape(convoy_model_layer_output(model, 1), 3, 32, 32, 3);
    assert_string_equal(convoy_model_layer_class(model, 2), "RandomFlip");
    assert_int_equal(convoy_model_parameter_count(model), 274442);
    assert_round_trip(model);
    convoy_model_destroy(model);
    model = load("lenet5(augment=True)");
    assert_string_not_equal(convoy_model_layer_class(model, 2), "RandomFlip"); /* a mirrored digit is none */
    convoy_model_destroy(model);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        convoy_status status;
        const char *first, *second;
    } rows[] = {
        {"resnet21", CONVOY_ERROR_FILE, "did you mean 'resnet20'?", "built in: cifar10, lenet5, resnet20, vgg-small, mobilenet"},
        {"resnet(classes=3)", CONVOY_ERROR_FILE, "'resnet(classes=3)'", "built in"},
        {"resnet20(clases=3)", CONVOY_ERROR_ARGUMENT, "'clases'", "did you mean 'classes'?"},
        {"resnet20(classes=3", CONVOY_ERROR_ARGUMENT, "resnet20", "NAME(keyword=value, ...)"},
        {"resnet20(classes=0)", CONVOY_ERROR_ARGUMENT, "'classes' is 0", "from 1"},
        {"resnet20(input_shape=(32, 32))", CONVOY_ERROR_ARGUMENT, "'input_shape' has 2", "(height, width, channels)"},
        {"vgg-small(input_shape=(7, 9, 3))", CONVOY_ERROR_MODEL, "vgg-small", "'max_pooling2d_2'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        convoy_model *model = NULL;
        convoy_error err = {0};
        assert_failed(convoy_model_load(rows[i].name, &model, &err), rows[i].status, &err, rows[i].first, rows[i].second, NULL);
        assert_null(model);
    }
}

/* ---- data that does not fit ---- */

static void assert_hint(const char *name, convoy_shape shape, int classes, const char *hint)
{
    uint8_t *images = calloc(1, (size_t)shape.dim[0] * shape.dim[1] * shape.dim[2]);
    int32_t label = 0;
    convoy_model *model = load(name);
    convoy_dataset *data = NULL;
    convoy_error err = {0};
    assert_non_null(images);
    assert_int_equal(convoy_dataset_create(images, &label, 1, shape, classes, NULL, &data, &err), CONVOY_OK);
    if (hint == NULL)
        assert_int_equal(check_fit(model, data, &err), CONVOY_OK);
    else
        assert_failed(check_fit(model, data, &err), CONVOY_ERROR_MODEL, &err, hint, NULL);
    if (hint != NULL) { /* and what it says is true */
        char fits[160];
        assert_non_null(builtin_that_fits(model, &shape, classes, fits, sizeof fits));
        convoy_model_destroy(model);
        model = load(fits);
        assert_int_equal(check_fit(model, data, &err), CONVOY_OK);
    }
    convoy_dataset_destroy(data);
    convoy_model_destroy(model);
    free(images);
}

static void test_hints(void **state)
{
    (void)state;
    assert_hint("lenet5", (convoy_shape){3, {28, 28, 1}}, 10, "'lenet5(input_shape=(28, 28, 1), classes=10)' fits");
    assert_hint("resnet20", (convoy_shape){3, {32, 32, 3}}, 100, "'resnet20(input_shape=(32, 32, 3), classes=100)' fits");
    assert_hint("vgg-small", (convoy_shape){3, {28, 28, 1}}, 12, "'vgg-small(input_shape=(28, 28, 1), classes=12)' fits");
    assert_hint("mobilenet-small", (convoy_shape){3, {64, 48, 3}}, 2, "'mobilenet-small(input_shape=(64, 48, 3), classes=2)'");
    assert_hint("cifar10", (convoy_shape){3, {32, 32, 3}}, 10, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lenet5),  cmocka_unit_test(test_resnet20), cmocka_unit_test(test_vgg_small),
        cmocka_unit_test(test_mobilenet_small), cmocka_unit_test(test_options), cmocka_unit_test(test_augment),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
