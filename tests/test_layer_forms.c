/* The layers room: what Keras 3.15 writes for each layer is read and written back; activations in all their forms; what options may
 * not be; and NaN goes through every activation. */
#include <math.h>
#include <stdio.h>

#include "convoy/convoy.h"
#include "model_help.h"
#include "ops/activation.h"

#define CHANNELS_LAST "\"data_format\": \"channels_last\", "
#define POLICY                                                                                                         \
    "\"trainable\": true, \"dtype\": {\"module\": \"keras\", \"class_name\": \"DTypePolicy\", \"config\": {\"name\": "  \
    "\"float32\"}, \"registered_name\": null}, "
#define GLOROT                                                                                                         \
    "{\"module\": \"keras.initializers\", \"class_name\": \"GlorotUniform\", \"config\": {\"seed\": null, "             \
    "\"input_axes\": null, \"output_axes\": null}, \"registered_name\": null}"
#define ZEROS                                                                                                          \
    "{\"module\": \"keras.initializers\", \"class_name\": \"Zeros\", \"config\": {}, \"registered_name\": null}"

#define SAMPLING                                                                                                       \
    ", \"fill_mode\": \"reflect\", \"interpolation\": \"bilinear\", \"seed\": null, \"fill_value\": 0.0"

/* ---- configs ---- */

/* A layer on 8 x 8 x 3 images as Keras writes it, but for its name, and what follows. */
static const struct {
    const char *class, *config;
    int rank, dim[3];
    size_t parameters;
} forms[] = {
    {"AveragePooling2D",
     POLICY CHANNELS_LAST "\"pool_size\": [2, 3], \"padding\": \"same\", \"strides\": [2, 3]", 3, {4, 3, 3}, 0},
    {"GlobalAveragePooling2D", POLICY CHANNELS_LAST "\"keepdims\": true", 3, {1, 1, 3}, 0},
    {"GlobalMaxPooling2D", POLICY CHANNELS_LAST "\"keepdims\": false", 1, {3, 0, 0}, 0},
    {"ZeroPadding2D", POLICY CHANNELS_LAST "\"padding\": [[1, 0], [2, 3]]", 3, {9, 13, 3}, 0},
    {"Cropping2D", POLICY CHANNELS_LAST "\"cropping\": [[1, 1], [2, 3]]", 3, {6, 3, 3}, 0},
    {"UpSampling2D", POLICY CHANNELS_LAST "\"size\": [3, 1], \"interpolation\": \"bilinear\"", 3, {24, 8, 3}, 0},
    {"Reshape", POLICY "\"target_shape\": [4, -1]", 2, {4, 48, 0}, 0},
    {"Permute", POLICY "\"dims\": [3, 1, 2]", 3, {3, 8, 8}, 0},
    {"Rescaling", POLICY "\"scale\": 0.00392156862745098, \"offset\": 0.0", 3, {8, 8, 3}, 0},
    {"LeakyReLU", POLICY "\"negative_slope\": 0.3", 3, {8, 8, 3}, 0},
    {"LeakyReLU", "\"alpha\": 0.5", 3, {8, 8, 3}, 0}, /* Keras 2 */
    {"ELU", POLICY "\"alpha\": 0.5", 3, {8, 8, 3}, 0},
    {"PReLU",
     POLICY "\"alpha_initializer\": " ZEROS ", \"alpha_regularizer\": null, \"alpha_constraint\": null, "
            "\"shared_axes\": [1, 2]", 3, {8, 8, 3}, 3},
    {"PReLU", "\"shared_axes\": null", 3, {8, 8, 3}, 192},
    {"DepthwiseConv2D",
     POLICY CHANNELS_LAST "\"depth_multiplier\": 2, \"kernel_size\": [3, 3], \"strides\": [1, 1], \"padding\": \"valid\", "
     "\"dilation_rate\": [1, 1], \"activation\": \"linear\", \"use_bias\": true, \"depthwise_initializer\": " GLOROT
     ", \"bias_initializer\": " ZEROS ", \"depthwise_regularizer\": null, \"bias_regularizer\": null, "
     "\"activity_regularizer\": null, \"depthwise_constraint\": null, \"bias_constraint\": null", 3, {6, 6, 6}, 60},
    {"SeparableConv2D",
     POLICY CHANNELS_LAST "\"depth_multiplier\": 1, \"filters\": 2, \"kernel_size\": [3, 3], \"strides\": [1, 1], "
     "\"padding\": \"valid\", \"dilation_rate\": [1, 1], \"activation\": \"linear\", \"use_bias\": true, "
     "\"depthwise_initializer\": " GLOROT ", \"pointwise_initializer\": " GLOROT ", \"bias_initializer\": " ZEROS
     ", \"depthwise_regularizer\": null, \"pointwise_regularizer\": null, \"bias_regularizer\": null, "
     "\"activity_regularizer\": null, \"depthwise_constraint\": null, \"pointwise_constraint\": null, "
     "\"bias_constraint\": null", 3, {6, 6, 2}, 27 + 6 + 2},
    {"Conv2DTranspose",
     POLICY CHANNELS_LAST "\"filters\": 2, \"kernel_size\": [3, 3], \"strides\": [2, 2], \"padding\": \"same\", "
     "\"output_padding\": null, \"dilation_rate\": [1, 1], \"activation\": \"linear\", \"use_bias\": true, "
     "\"kernel_initializer\": " GLOROT ", \"bias_initializer\": " ZEROS ", \"kernel_regularizer\": null, "
     "\"bias_regularizer\": null, \"activity_regularizer\": null, \"kernel_constraint\": null, \"bias_constraint\": null",
     3, {16, 16, 2}, 56},
    {"Conv2DTranspose",
     "\"filters\": 2, \"kernel_size\": 3, \"strides\": 2, \"padding\": \"same\", \"output_padding\": [0, 0]", 3,
     {15, 15, 2}, 56},
    {"Conv2D", "\"filters\": 6, \"kernel_size\": 3, \"groups\": 3", 3, {6, 6, 6}, 60},
    {"RandomFlip", POLICY CHANNELS_LAST "\"seed\": null, \"mode\": \"horizontal_and_vertical\"", 3, {8, 8, 3}, 0},
    {"RandomTranslation",
     POLICY CHANNELS_LAST "\"height_factor\": 0.2, \"width_factor\": [-0.3, 0.1]" SAMPLING, 3, {8, 8, 3}, 0},
    {"RandomRotation", POLICY CHANNELS_LAST "\"bounding_box_format\": \"xyxy\", \"factor\": [-0.1, 0.1]" SAMPLING, 3,
     {8, 8, 3}, 0},
    {"RandomZoom", POLICY CHANNELS_LAST "\"height_factor\": 0.2, \"width_factor\": null" SAMPLING, 3, {8, 8, 3}, 0},
    {"RandomCrop", POLICY CHANNELS_LAST "\"height\": 5, \"width\": 9, \"seed\": 167191261", 3, {5, 9, 3}, 0},
    {"RandomContrast",
     POLICY CHANNELS_LAST "\"factor\": [0, 0.2], \"value_range\": [0, 255], \"seed\": null", 3, {8, 8, 3}, 0},
    {"RandomBrightness",
     POLICY CHANNELS_LAST "\"factor\": [-0.2, 0.2], \"value_range\": [0, 1], \"seed\": 5", 3, {8, 8, 3}, 0},
    {"RandomErasing",
     POLICY CHANNELS_LAST "\"factor\": [0, 1.0], \"scale\": [0.02, 0.33], \"fill_value\": null, \"value_range\": [0, 255], "
                          "\"seed\": null", 3, {8, 8, 3}, 0},
    {"RandomErasing",
     POLICY CHANNELS_LAST "\"factor\": [0, 0.5], \"scale\": [0.1, 0.2], \"fill_value\": [0.1, 0.2, 0.3], \"value_range\": "
                          "[0, 1], \"seed\": null", 3, {8, 8, 3}, 0},
};

static void what_keras_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char json[4096];
        snprintf(json, sizeof json, MODEL(INPUT ", {\"module\": \"keras.layers\", \"class_name\": \"%s\", \"config\": "
                                                "{\"name\": \"l\", %s}}"), forms[i].class, forms[i].config);
        convoy_model *model = from_json(json);
        convoy_shape found = convoy_model_output(model);
        if (found.rank != forms[i].rank || memcmp(found.dim, forms[i].dim, sizeof(int) * (size_t)found.rank) != 0)
            fail_msg("%s, row %zu: another output shape", forms[i].class, i);
        assert_int_equal(convoy_model_parameter_count(model), forms[i].parameters);
        assert_round_trip(model);
        convoy_model_destroy(model);
    }
}

/* ---- refused options ---- */

static void refused_options(void **state)
{
    static const struct {
        const char *class, *options, *first, *second;
    } rows[] = {
        {"AveragePooling2D", NULL, "'pool_size'", "missing"},
        {"AveragePooling2D", "pool_size=9", "windows of 9 x 9", "8 x 8"},
        {"ZeroPadding2D", "padding=-1", "'padding' is -1", "((top, bottom), (left, right))"},
        {"ZeroPadding2D", "padding=(1, 2, 3)", "'padding' is [1,2,3]", "(vertical, horizontal)"},
        {"Cropping2D", "cropping=((4, 4), (0, 0))", "((4, 4), (0, 0))", "8 x 8"},
        {"UpSampling2D", "interpolation=bicubic", "\"bicubic\"", "\"nearest\", \"bilinear\""},
        {"UpSampling2D", "size=0", "'size' is 0", "from 1"},
        {"Reshape", NULL, "'target_shape'", "missing"},
        {"Reshape", "target_shape=(5, -1)", "192 values", "5 values times a whole number"},
        {"Reshape", "target_shape=(-1, -1)", "-1 twice", "follow from the rest"},
        {"Reshape", "target_shape=(64, 4)", "192 values", "256 values"},
        {"Reshape", "target_shape=(0, -1)", "192 values", "0 values"},
        {"Reshape", "target_shape=(2, 2, 2, 2, 12)", "'target_shape'", "a list of 1 to 4"},
        {"Permute", "dims=(1, 1, 2)", "each axis from 1 to 3", "once"},
        {"Permute", "dims=(2, 1)", "dims has 2 axes", "(None, 8, 8, 3)"},
        {"Rescaling", "scale=(1, 2, 3)", "'scale' is [1,2,3]", "a number"},
        {"LeakyReLU", "negative_slope=-0.1", "'negative_slope' is -0.1", "at least 0"},
        {"PReLU", "shared_axes=4", "axis 4", "(None, 8, 8, 3)"},
        {"PReLU", "shared_axes=[0]", "'shared_axes' is [0]", "from 1 to 4"},
        {"DepthwiseConv2D", "kernel_size=3, depth_multiplier=0", "'depth_multiplier' is 0", "from 1"},
        {"DepthwiseConv2D", "kernel_size=9", "9 x 9 kernel", "8 x 8"},
        {"SeparableConv2D", "kernel_size=3", "'filters'", "missing"},
        {"Conv2DTranspose", "filters=2, kernel_size=3, strides=2, output_padding=2", "(2, 2)", "less than strides"},
        {"Conv2DTranspose", "filters=2, kernel_size=3, strides=2, dilation_rate=2", "dilation_rate (2, 2)", "must be 1"},
        {"Conv2DTranspose", "filters=2, kernel_size=2, strides=2, padding=same, output_padding=0", "output_padding 0",
         "another output_padding"},
        {"Conv2D", "filters=4, kernel_size=3, groups=3", "3 groups", "4 filters"},
        {"Conv2D", "filters=4, kernel_size=3, groups=2", "2 groups", "3 channels"},
        {"RandomFlip", "mode=diagonal", "\"diagonal\"", "\"horizontal\""},
        {"RandomTranslation", "height_factor=0.1", "'width_factor'", "missing"},
        {"RandomTranslation", "height_factor=0.1, width_factor=(0.2, 1.5)", "'width_factor' is [0.2, 1.5]", "from -1 to 1"},
        {"RandomTranslation", "height_factor=(0.1, 0.2, 0.3), width_factor=0", "'height_factor' is [0.1, 0.2, 0.3]", "a pair"},
        {"RandomTranslation", "height_factor=0, width_factor=0, fill_mode=mirror", "\"mirror\"", "\"reflect\""},
        {"RandomRotation", "factor=1.5", "'factor' is 1.5", "from -1 to 1"},
        {"RandomRotation", "factor=None", "'factor' is null", "from -1 to 1"},
        {"RandomRotation", "factor=0.1, interpolation=bicubic", "\"bicubic\"", "\"bilinear\""},
        {"RandomRotation", "factor=0.1, data_format=channels_first", "\"channels_first\"", "\"channels_last\""},
        {"RandomZoom", "height_factor=-1", "'height_factor' is -1", "from -1 (not itself) to 1"},
        {"RandomZoom", "height_factor=0.1, width_factor=(-1, 0)", "'width_factor' is [-1, 0]", "(not itself)"},
        {"RandomCrop", "height=4", "'width'", "missing"},
        {"RandomCrop", "height=0, width=4", "'height' is 0", "from 1"},
        {"RandomContrast", "factor=-0.1", "'factor' is -0.1", "from 0 to 1"},
        {"RandomContrast", "factor=(1.5, 2)", "'factor' is [1.5, 2]", "from 0 to 1"},
        {"RandomContrast", "factor=0.1, value_range=(1, 0)", "'value_range' is [1, 0]", "the lower one first"},
        {"RandomBrightness", "factor=0.1, value_range=1", "'value_range' is 1", "a pair of numbers"},
        {"RandomErasing", "scale=2", "'scale' is 2", "from 0 to 1"},
        {"RandomErasing", "fill_value=(1, 2)", "'fill_value' has 2 numbers", "3 channels"},
        {"Cutout", "size=0", "'size' is 0", "from 1"},
        /* what Keras has and Convoy has not: the option, and what there is */
        {"Conv2D", "filters=4, kernel_size=3, activity_regularizer=l2", "'activity_regularizer' is \"l2\"",
         "kernel_regularizer and bias_regularizer"},
        {"DepthwiseConv2D", "kernel_size=3, activity_regularizer=l1", "'activity_regularizer'", "depthwise_regularizer"},
        {"SeparableConv2D", "filters=2, kernel_size=3, activity_regularizer=l1", "'activity_regularizer'", "pointwise_regularizer"},
        {"Conv2DTranspose", "filters=2, kernel_size=3, activity_regularizer=l1", "'activity_regularizer'", "kernel_regularizer"},
        {"Dense", "units=2, activity_regularizer=l1", "'activity_regularizer'", "kernel_regularizer"},
        {"Dense", "units=2, kernel_regularizer=OrthogonalRegularizer(factor=0.01)", "'OrthogonalRegularizer'", "known: l1, l2, l1l2"},
        {"Dense", "units=2, activation=sparsemax", "'sparsemax'", "softmax"},
        {"Dense", "units=2, lora_rank=2", "'lora_rank'", "kernel_initializer"},
        {"Conv2D", "filters=4, kernel_size=3, data_format=channels_first", "'data_format'", "\"channels_last\""},
        {"MaxPooling2D", "data_format=channels_first", "'data_format'", "\"channels_last\""},
        {"Conv2D", "filters=4, kernel_size=3, strides=2, dilation_rate=2", "dilation_rate (2, 2)", "must be 1"},
        {"UpSampling2D", "interpolation=lanczos3", "\"lanczos3\"", "\"nearest\", \"bilinear\""},
        {"Softmax", "axis=1", "'axis' is 1", "the last axis, -1"},
        {"Softmax", "axis=(2, 3)", "'axis' has 2 axes", "the last one, -1"},
        {"BatchNormalization", "axis=1", "'axis' is 1", "the last axis, -1"},
        {"BatchNormalization", "renorm=True", "'renorm' is true", "only false"},
        {"LayerNormalization", "axis=[1, 2]", "'axis' is 1, 2", "up to the last"},
        {"GroupNormalization", "groups=3, axis=1", "'axis' is 1", "the last axis, -1"},
        {"Normalization", "axis=None", "'axis' is null", "an axis, or a list"},
        {"Dropout", "rate=0.5, noise_shape=(1, 1, 3)", "'noise_shape'", "SpatialDropout2D"},
    };
    (void)state;
    convoy_model *model = from_json(MODEL(INPUT));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        convoy_error err = {0};
        assert_failed(convoy_model_add(model, rows[i].class, rows[i].options, &err), CONVOY_ERROR_MODEL, &err, rows[i].class,
                      rows[i].first, rows[i].second, NULL);
    }
    convoy_model_destroy(model);
}

/* ---- activations as objects ---- */

#define OBJECT(class, config) "{\"module\": \"keras.layers\", \"class_name\": \"" class "\", \"config\": {" config "}}"

/* The activation that a Dense layer has written, as JSON. */
static char *written_activation(const char *activation)
{
    char json[1024], *text = NULL;
    convoy_error err = {0};
    snprintf(json, sizeof json, MODEL(INPUT ", {\"class_name\": \"Dense\", \"config\": {\"units\": 2, \"activation\": %s}}"),
             activation);
    convoy_model *model = from_json(json);
    assert_round_trip(model);
    assert_int_equal(convoy_model_to_json(model, &text, &err), CONVOY_OK);
    json_t *root = json_loads(text, 0, NULL);
    const json_t *layers = json_object_get(json_object_get(root, "config"), "layers");
    const json_t *config = json_object_get(json_array_get(layers, json_array_size(layers) - 1), "config");
    char *dump = json_dumps(json_object_get(config, "activation"), JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(root);
    free(text);
    convoy_model_destroy(model);
    return dump;
}

static void activation_objects(void **state)
{
    static const char *const pairs[][2] = {
        {"null", "\"linear\""},
        {"\"hard_swish\"", "\"hard_silu\""},
        {"{\"class_name\": \"function\", \"config\": \"relu6\"}", "\"relu6\""},
        {OBJECT("ReLU", "\"max_value\": null, \"negative_slope\": 0.0, \"threshold\": 0.0"), "\"relu\""},
        {OBJECT("ReLU", "\"max_value\": 6, \"negative_slope\": 0.0, \"threshold\": 0.0"), "\"relu6\""},
        {OBJECT("Softmax", "\"axis\": -1"), "\"softmax\""},
        {OBJECT("ELU", POLICY "\"alpha\": 1.0"), "\"elu\""},
        {OBJECT("LeakyReLU", POLICY "\"negative_slope\": 0.2"), "\"leaky_relu\""},
        {OBJECT("LeakyReLU", POLICY "\"name\": \"leaky_re_lu\", \"negative_slope\": 0.125"),
         "{\"class_name\":\"LeakyReLU\",\"config\":{\"negative_slope\":0.125},\"module\":\"keras.layers\","
         "\"registered_name\":null}"},
        {OBJECT("ReLU", "\"negative_slope\": 0.5"),
         "{\"class_name\":\"LeakyReLU\",\"config\":{\"negative_slope\":0.5},\"module\":\"keras.layers\","
         "\"registered_name\":null}"},
        {OBJECT("ELU", "\"alpha\": 0.5"),
         "{\"class_name\":\"ELU\",\"config\":{\"alpha\":0.5},\"module\":\"keras.layers\",\"registered_name\":null}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *found = written_activation(pairs[i][0]);
        assert_string_equal(found, pairs[i][1]);
        free(found);
    }
}

static void refused_activations(void **state)
{
    static const char *const rows[][3] = {
        {OBJECT("PReLU", ""), "PReLU", "LeakyReLU, ELU, ReLU and Softmax"},
        {OBJECT("ReLU", "\"max_value\": 5"), "max_value", "a ReLU layer of its own"},
        {OBJECT("ReLU", "\"threshold\": 1.0"), "threshold", "a ReLU layer of its own"},
        {OBJECT("LeakyReLU", "\"negative_slope\": -1"), "negative_slope", "at least 0"},
        {OBJECT("LeakyReLU", "\"negative_slope\": \"steep\""), "steep", "a number"},
        {OBJECT("Softmax", "\"axis\": 1"), "axis", "Softmax (axis -1)"},
        {"{\"class_name\": \"function\", \"config\": \"rellu\"}", "'rellu'", "did you mean 'relu'?"},
        {"7", "is 7", "the name of an activation"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[1024];
        convoy_error err = {0};
        convoy_model *model = NULL;
        snprintf(json, sizeof json,
                 MODEL(INPUT ", {\"class_name\": \"Dense\", \"config\": {\"units\": 2, \"activation\": %s}}"), rows[i][0]);
        assert_failed(convoy_model_from_json(json, strlen(json), &model, &err), CONVOY_ERROR_MODEL, &err, "'activation'",
                      rows[i][1], rows[i][2], NULL);
    }
}

/* ---- NaN ---- */

/* Every activation gives NaN for NaN and a number for the numbers beside it, in vectors and alone. */
static void assert_nan_goes_through(convoy_context *ctx, const char *layer, const char *options)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    float x[2 * 19], y[2 * 19];
    assert_int_equal(convoy_model_create("m", &model, &err), CONVOY_OK);
    assert_int_equal(convoy_model_add(model, "InputLayer", "shape=(19, 1)", &err), CONVOY_OK);
    if (convoy_model_add(model, layer, options, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_int_equal(convoy_model_initialize(model, 1, &err), CONVOY_OK);
    for (int i = 0; i < 38; i++)
        x[i] = i % 3 == 0 ? NAN : (float)i / 4.0f - 4.0f;
    if (convoy_predict(ctx, model, x, 2, 2, y, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < 38; i++)
        if (isnan(x[i]) != isnan(y[i]))
            fail_msg("%s(%s) of %g is %g", layer, options, (double)x[i], (double)y[i]);
    convoy_model_destroy(model);
}

static void nan_goes_through(void **state)
{
    static const char *const variants[] = {"plain", "vec"};
    char names[1024];
    (void)state;
    activation_names(names, sizeof names);
    for (size_t v = 0; v < 2; v++) {
        convoy_context *ctx = NULL;
        convoy_error err = {0};
        assert_int_equal(convoy_context_create(&(convoy_context_options){.variant = variants[v]}, &ctx, &err), CONVOY_OK);
        for (const char *name = names; *name != '\0';) {
            char options[96];
            size_t length = strcspn(name, ",");
            snprintf(options, sizeof options, "activation=%.*s", (int)length, name);
            assert_nan_goes_through(ctx, "Activation", options);
            name += length + strspn(name + length, ", ");
        }
        assert_nan_goes_through(ctx, "ReLU", "max_value=1, negative_slope=0.5");
        assert_nan_goes_through(ctx, "ReLU", "threshold=0.5");
        assert_nan_goes_through(ctx, "LeakyReLU", NULL);
        assert_nan_goes_through(ctx, "ELU", "alpha=0.5");
        assert_nan_goes_through(ctx, "PReLU", NULL);
        convoy_context_destroy(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_keras_writes),   cmocka_unit_test(refused_options), cmocka_unit_test(activation_objects),
        cmocka_unit_test(refused_activations), cmocka_unit_test(nan_goes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
