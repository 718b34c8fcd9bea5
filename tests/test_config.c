/* The model room: Keras's JSON configs, as Keras 2 and 3 write them and as they arrive broken. */
#include <stdio.h>

#include "base/text.h"
#include "model_help.h"

static convoy_status refuse_json(const char *json, convoy_error *err)
{
    convoy_model *model = NULL;
    *err = (convoy_error){0};
    convoy_status status = convoy_model_from_json(json, strlen(json), &model, err);
    assert_null(model);
    return status;
}

/* As keras 3.15's to_json writes it, shortened to one layer of each spelling. */
static void keras_3_form(void **state)
{
    (void)state;
    static const char dtype[] = "{\"module\": \"keras\", \"class_name\": \"DTypePolicy\", \"config\": {\"name\": "
                                "\"float32\"}, \"registered_name\": null}";
    static const char form[] =
        "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"seq\", \"trainable\": true, "
        "\"dtype\": %s, \"layers\": [{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\", \"config\": "
        "{\"batch_shape\": [null, 8, 8, 3], \"dtype\": \"float32\", \"sparse\": false, \"ragged\": false, \"name\": "
        "\"in\", \"optional\": false}, \"registered_name\": null}, {\"module\": \"keras.layers\", \"class_name\": "
        "\"Conv2D\", \"config\": {\"name\": \"c\", \"trainable\": true, \"dtype\": %s, \"filters\": 2, "
        "\"kernel_size\": "
        "[3, 3], \"strides\": [1, 1], \"padding\": \"valid\", \"data_format\": \"channels_last\", \"dilation_rate\": "
        "[1, 1], \"groups\": 1, \"activation\": {\"module\": \"builtins\", \"class_name\": \"function\", \"config\": "
        "\"relu\", \"registered_name\": \"function\"}, \"use_bias\": true, \"kernel_initializer\": {\"module\": "
        "\"keras.initializers\", \"class_name\": \"GlorotUniform\", \"config\": {\"seed\": null, \"input_axes\": null, "
        "\"output_axes\": null}, \"registered_name\": null}, \"bias_initializer\": {\"module\": "
        "\"keras.initializers\", "
        "\"class_name\": \"Zeros\", \"config\": {}, \"registered_name\": null}, \"kernel_regularizer\": null, "
        "\"bias_regularizer\": null, \"activity_regularizer\": null, \"kernel_constraint\": null, \"bias_constraint\": "
        "null}, \"registered_name\": null, \"build_config\": {\"input_shape\": [null, 8, 8, 3]}}, {\"module\": "
        "\"keras.layers\", \"class_name\": \"Flatten\", \"config\": {\"name\": \"f\", \"trainable\": true, \"dtype\": "
        "\"float32\", \"data_format\": \"channels_last\"}}, {\"module\": \"keras.layers\", \"class_name\": \"Dense\", "
        "\"config\": {\"name\": \"d\", \"units\": 3, \"activation\": null, \"quantization_config\": null}}], "
        "\"build_input_shape\": [null, 8, 8, 3]}, \"registered_name\": null, \"build_config\": {\"input_shape\": "
        "[null, "
        "8, 8, 3]}, \"compile_config\": {}}";
    char json[sizeof form + 2 * sizeof dtype];
    snprintf(json, sizeof json, form, dtype, dtype);
    convoy_model *model = from_json(json);
    assert_string_equal(convoy_model_name(model), "seq");
    assert_int_equal(convoy_model_parameter_count(model), 56 + 219);
    assert_round_trip(model);
    convoy_model_destroy(model);
}

/* Where the input's shape may be when there is no InputLayer, or beside one. */
static void input_shapes(void **state)
{
    (void)state;
    static const char *const forms[] = {
        MODEL(LAYER("Conv2D", "\"filters\": 2, \"kernel_size\": 3, \"batch_input_shape\": [null, 8, 8, 3]")),
        MODEL(LAYER("Conv2D", "\"filters\": 2, \"kernel_size\": 3, \"batch_shape\": [32, 8, 8, 3]")),
        MODEL("{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, 8, 8, 3], \"dtype\": "
              "\"float32\", \"sparse\": false, \"ragged\": false, \"name\": \"conv2d_input\"}}, "
              LAYER("Conv2D", "\"filters\": 2, \"kernel_size\": 3, \"batch_input_shape\": [null, 8, 8, 3]")),
        "{\"class_name\": \"Sequential\", \"config\": {\"build_input_shape\": [null, 8, 8, 3], \"layers\": ["
        LAYER("Conv2D", "\"filters\": 2, \"kernel_size\": 3") "]}}",
        "\xEF\xBB\xBF{\"class_name\": \"Sequential\", \"config\": [" INPUT ", "
        LAYER("Conv2D", "\"filters\": 2, \"kernel_size\": 3") "]}",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        convoy_model *model = from_json(forms[i]);
        assert_int_equal(convoy_model_layer_count(model), 2);
        assert_shape(convoy_model_input(model), 3, 8, 8, 3);
        assert_shape(convoy_model_output(model), 3, 6, 6, 2);
        assert_round_trip(model);
        convoy_model_destroy(model);
    }
}

static void refused_json(void **state)
{
    (void)state;
    convoy_error err;
    static const struct {
        const char *json;
        convoy_status status;
        const char *first, *second;
    } cases[] = {
        {"", CONVOY_ERROR_FORMAT, "line 1", NULL},
        {"{\n \"class_name\": \"Sequential\",\n \"config\": {,}}", CONVOY_ERROR_FORMAT, "line 3, column 13", NULL},
        {"{\"class_name\": \"A\", \"class_name\": \"B\"}", CONVOY_ERROR_FORMAT, "duplicate", "class_name"},
        {"{\"class_name\": \"\xff\"}", CONVOY_ERROR_FORMAT, "unable to decode", "column 16"},
        {"[1, 2]", CONVOY_ERROR_MODEL, "[1,2]", "class_name"},
        {"{\"class_name\": 5}", CONVOY_ERROR_MODEL, "class_name", "Sequential"},
        {"{\"class_name\": \"MyModel\", \"config\": {}}", CONVOY_ERROR_MODEL, "'MyModel'", "Sequential and Functional"},
        {"{\"class_name\": \"Functional\", \"config\": {}}", CONVOY_ERROR_MODEL, "Functional", "no list of layers"},
        {"{\"class_name\": \"Sequential\"}", CONVOY_ERROR_MODEL, "layers", "nothing"},
        {"{\"class_name\": \"Sequential\", \"config\": {\"layers\": 3}}", CONVOY_ERROR_MODEL, "\"layers\" is 3", NULL},
        {"{\"class_name\": \"Sequential\", \"config\": {\"name\": 4, \"layers\": [" INPUT "]}}", CONVOY_ERROR_MODEL,
         "name is 4", NULL},
        {MODEL(""), CONVOY_ERROR_MODEL, "no layers", NULL},
        {MODEL(INPUT ", 7"), CONVOY_ERROR_MODEL, "layers[1]: found 7", "class_name"},
        {MODEL(INPUT ", {\"class_name\": \"Dense\"}"), CONVOY_ERROR_MODEL, "layers[1]", "config"},
        {MODEL(INPUT ", {\"class_name\": \"Dense\", \"config\": []}"), CONVOY_ERROR_MODEL, "layers[1]", "config"},
        {MODEL(INPUT ", " INPUT), CONVOY_ERROR_MODEL, "layers[1]", "second InputLayer"},
        {MODEL(INPUT ", " LAYER("Conv3D", "")), CONVOY_ERROR_MODEL, "'Conv3D'", "known: InputLayer"},
        {MODEL(INPUT ", {\"class_name\": \"Dense\", \"config\": {}, \"registered_name\": \"my>Dense\"}"),
         CONVOY_ERROR_MODEL, "custom layer", "my>Dense"},
        {MODEL(INPUT ", {\"class_name\": \"Add\", \"config\": {}, \"module\": \"keras.src.ops.numpy\"}"),
         CONVOY_ERROR_MODEL, "is no layer", "Add()([x, y])"},
        {MODEL(LAYER("Dense", "\"units\": 3")), CONVOY_ERROR_MODEL, "layers[0]", "InputLayer"},
        {MODEL(LAYER("InputLayer", "")), CONVOY_ERROR_MODEL, "layers[0]", "InputLayer"},
        {MODEL(LAYER("InputLayer", "\"batch_shape\": [null, null, null, 3]")), CONVOY_ERROR_MODEL, "batch_shape",
         "[null,null,null,3]"},
        {MODEL(LAYER("InputLayer", "\"batch_shape\": [null, 2, 2, 2, 2, 2]")), CONVOY_ERROR_MODEL, "batch_shape", "4"},
        {MODEL(LAYER("InputLayer", "\"batch_shape\": [null, 2000000000, 2000000000, 3]")), CONVOY_ERROR_MODEL,
         "2000000000", "at most"},
        {MODEL(INPUT
               ", " LAYER("Dense", "\"units\": 3, \"activation\": {\"class_name\": \"LeakySomething\", \"config\": {}}")),
         CONVOY_ERROR_MODEL, "'activation'", "LeakySomething"},
        {MODEL(INPUT ", " LAYER("Dense", "\"units\": 3, \"kernel_regularizer\": {\"class_name\": \"L3\"}")),
         CONVOY_ERROR_MODEL, "'kernel_regularizer'", "L3"},
        {MODEL(INPUT ", " LAYER("Dense", "\"units\": 99999999999")), CONVOY_ERROR_MODEL, "'units'", "99999999999"},
        {MODEL(INPUT ", " LAYER("Dense", "\"units\": 3, \"dtype\": {\"class_name\": \"DTypePolicy\", \"config\": "
                                         "{\"name\": \"mixed_float16\"}}")),
         CONVOY_ERROR_MODEL, "dtype", "mixed_float16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_failed(refuse_json(cases[i].json, &err), cases[i].status, &err, cases[i].first, cases[i].second, NULL);
}

static void deep_and_huge_json(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *model = NULL;
    size_t size = (size_t)65 << 20, deep = 100000;
    char *json = malloc(size + 1);
    assert_non_null(json);
    memset(json, '[', deep);
    json[deep] = '\0';
    assert_failed(refuse_json(json, &err), CONVOY_ERROR_FORMAT, &err, "depth", "line 1", NULL);
    memset(json, ' ', size);
    assert_failed(convoy_model_from_json(json, size, &model, &err), CONVOY_ERROR_FORMAT, &err, "68157440", "67108864",
                  NULL);
    free(json);

    text t = {0};
    text_add(&t, "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [" INPUT);
    for (int i = 0; i < 5000; i++)
        text_add(&t, ", " LAYER("ReLU", ""));
    text_add(&t, "]}}");
    assert_failed(refuse_json(t.data, &err), CONVOY_ERROR_MODEL, &err, "4096", NULL);
    text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keras_3_form),
        cmocka_unit_test(input_shapes),
        cmocka_unit_test(refused_json),
        cmocka_unit_test(deep_and_huge_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
