/* The model room: building, default names, shapes, what is written as JSON, loading by name. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "model_help.h"

static convoy_model *small_model(void)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    assert_int_equal(convoy_model_create(NULL, &model, &err), CONVOY_OK);
    assert_int_equal(convoy_model_add(model, "InputLayer", "shape=(8, 8, 3)", &err), CONVOY_OK);
    return model;
}

static void add(convoy_model *model, const char *class_name, const char *options)
{
    convoy_error err = {0};
    if (convoy_model_add(model, class_name, options, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
}

/* ---- building ---- */

static void default_names(void **state)
{
    (void)state;
    static const char *const names[] = {"input_layer", "conv2d", "conv2d_1", "mine", "conv2d_2", "flatten", "dense"};
    convoy_model *model = small_model();
    add(model, "Conv2D", "filters=2, kernel_size=3");
    add(model, "Conv2D", "filters=2, kernel_size=3, name=conv2d_1");
    add(model, "Conv2D", "filters=2, kernel_size=1, name='mine'");
    add(model, "Conv2D", "filters=2, kernel_size=1");
    add(model, "Flatten", NULL);
    add(model, "Dense", "units=4");
    assert_string_equal(convoy_model_name(model), "sequential");
    assert_int_equal(convoy_model_layer_count(model), 7);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(convoy_model_layer_name(model, i), names[i]);
    assert_string_equal(convoy_model_layer_class(model, 6), "Dense");
    assert_null(convoy_model_layer_name(model, 7));
    assert_shape(convoy_model_input(model), 3, 8, 8, 3);
    assert_shape(convoy_model_layer_output(model, 2), 3, 4, 4, 2);
    assert_shape(convoy_model_output(model), 1, 4, 0, 0);
    convoy_model_destroy(model);
    convoy_model_destroy(NULL);
}

static void refused_layers(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *model = NULL;
    assert_failed(convoy_model_create("", &model, &err), CONVOY_ERROR_MODEL, &err, "name", NULL);
    model = small_model();
    assert_failed(convoy_model_add(model, "Conv2d", "filters=2", &err), CONVOY_ERROR_MODEL, &err, "'Conv2d'",
                  "did you mean 'Conv2D'?", "known: InputLayer, Conv2D", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2, kernel_sise=3, name=c", &err), CONVOY_ERROR_MODEL, &err,
                  "'c' (Conv2D)", "'kernel_sise'", "did you mean 'kernel_size'?", "padding", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters='many', kernel_size=3", &err), CONVOY_ERROR_MODEL, &err,
                  "Conv2D", "'filters'", "\"many\"", "whole number", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2", &err), CONVOY_ERROR_MODEL, &err, "'kernel_size'",
                  "missing", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2, kernel_size=(3, 3, 3)", &err), CONVOY_ERROR_MODEL, &err,
                  "'kernel_size'", "[3,3,3]", "pair", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2, kernel_size=0", &err), CONVOY_ERROR_MODEL, &err,
                  "'kernel_size'", "is 0", "from 1", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2, kernel_size=3, padding=some", &err), CONVOY_ERROR_MODEL,
                  &err, "'padding'", "\"some\"", "\"valid\"", "\"same\"", NULL);
    assert_failed(convoy_model_add(model, "Dense", "units=2, activation=rellu", &err), CONVOY_ERROR_MODEL, &err,
                  "Dense", "'rellu'", "did you mean 'relu'?", "softmax", NULL);
    assert_failed(convoy_model_add(model, "Dense", "units=2, kernel_initializer=glorot", &err), CONVOY_ERROR_MODEL,
                  &err, "'kernel_initializer'", "'glorot'", "glorot_uniform", NULL);
    assert_failed(convoy_model_add(model, "Dense", "units=2, dtype=float16", &err), CONVOY_ERROR_MODEL, &err, "'dtype'",
                  "float16", "float32", NULL);
    assert_failed(convoy_model_add(model, "Dense", "units=2, use_bias=3", &err), CONVOY_ERROR_MODEL, &err, "'use_bias'",
                  "true or false", NULL);
    assert_failed(convoy_model_add(model, "Dense", "units=2, name=input_layer", &err), CONVOY_ERROR_MODEL, &err,
                  "'input_layer'", "unique", NULL);
    assert_failed(convoy_model_add(model, "Dense", "units=2, name=''", &err), CONVOY_ERROR_MODEL, &err, "'name'", NULL);
    assert_failed(convoy_model_add(model, "InputLayer", "shape=(8, 8, 3)", &err), CONVOY_ERROR_MODEL, &err,
                  "second InputLayer", NULL);
    assert_int_equal(convoy_model_layer_count(model), 1); /* nothing was half added */
    convoy_model_destroy(model);
}

static void first_layer(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *model = NULL;
    assert_int_equal(convoy_model_create("m", &model, &err), CONVOY_OK);
    assert_int_equal(convoy_model_output(model).rank, 0);
    assert_failed(convoy_model_add(model, "Dense", "units=2", &err), CONVOY_ERROR_MODEL, &err, "first layer", "Dense",
                  "InputLayer", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2, kernel_size=9, input_shape=(8, 8, 3)", &err),
                  CONVOY_ERROR_MODEL, &err, "Conv2D", NULL);
    assert_int_equal(convoy_model_layer_count(model), 0);
    add(model, "Conv2D", "filters=2, kernel_size=3, input_shape=(8, 8, 3)");
    assert_string_equal(convoy_model_layer_class(model, 0), "InputLayer");
    assert_shape(convoy_model_output(model), 3, 6, 6, 2);
    convoy_model_destroy(model);
}

static void shapes_that_do_not_fit(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *model = small_model();
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2, kernel_size=(9, 5), name=wide", &err),
                  CONVOY_ERROR_MODEL, &err, "'wide'", "(None, 8, 8, 3)", "9", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=1000000, kernel_size=30, padding=same", &err),
                  CONVOY_ERROR_MODEL, &err, "'conv2d' (Conv2D)", "'kernel'", "1000000", NULL);
    add(model, "Flatten", NULL);
    assert_failed(convoy_model_add(model, "Conv2D", "filters=2, kernel_size=3", &err), CONVOY_ERROR_MODEL, &err,
                  "'conv2d' (Conv2D)", "(None, 192)", NULL);
    assert_failed(convoy_model_add(model, "MaxPooling2D", NULL, &err), CONVOY_ERROR_MODEL, &err,
                  "'max_pooling2d' (MaxPooling2D)", "(None, 192)", NULL);
    convoy_model_destroy(model);
}

static void weights(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_shape shape;
    float *kernel, *bias, *again;
    convoy_model *model = small_model(), *other = small_model();
    add(model, "Conv2D", "filters=4, kernel_size=(3, 5)");
    add(other, "Conv2D", "filters=4, kernel_size=(3, 5)");
    assert_int_equal(convoy_model_weights(model, 0, 0, &kernel, &shape), 0);
    assert_int_equal(convoy_model_weights(model, 1, 0, &kernel, &shape), 180);
    assert_int_equal(shape.rank, 4);
    assert_int_equal(shape.dim[1], 5);
    assert_int_equal(shape.dim[2], 3);
    assert_int_equal(convoy_model_weights(model, 1, 1, &bias, NULL), 4);
    assert_int_equal(convoy_model_weights(model, 1, 2, &bias, NULL), 0);
    assert_int_equal(convoy_model_parameter_count(model), 184);
    assert_int_equal(model_trainable_count(model), 184);
    convoy_model_weights(other, 1, 0, &again, NULL);
    assert_true(kernel[0] == 0 && kernel[179] == 0);
    assert_int_equal(convoy_model_initialize(model, 7, &err), CONVOY_OK);
    assert_int_equal(convoy_model_initialize(other, 7, &err), CONVOY_OK);
    assert_memory_equal(kernel, again, 180 * sizeof *kernel);
    assert_true(kernel[0] != kernel[1] && bias[0] == 0);
    assert_int_equal(convoy_model_initialize(other, 8, &err), CONVOY_OK);
    assert_memory_not_equal(kernel, again, 180 * sizeof *kernel);
    convoy_model_destroy(model);
    convoy_model_destroy(other);
}

static void round_trips(void **state)
{
    (void)state;
    convoy_error err = {0};
    char *json = NULL;
    convoy_model *model = small_model();
    add(model, "Conv2D", "filters=4, kernel_size=3, strides=(2, 1), padding='same', use_bias=False, activation=relu, "
                         "kernel_initializer=RandomNormal(stddev=0.125, seed=3), name='first conv'");
    add(model, "MaxPooling2D", "pool_size=2, trainable=False");
    add(model, "ReLU", "max_value=6");
    add(model, "ReLU", NULL);
    add(model, "Activation", "activation=tanh");
    add(model, "Flatten", NULL);
    add(model, "Dense", "units=5, trainable=False");
    add(model, "Softmax", NULL);
    assert_int_equal(model_trainable_count(model), 108);
    assert_round_trip(model);
    assert_int_equal(convoy_model_to_json(model, &json, &err), CONVOY_OK);
    assert_non_null(strstr(json, "\"batch_shape\": [null, 8, 8, 3]"));
    assert_non_null(strstr(json, "\"strides\": [2, 1]"));
    assert_non_null(strstr(json, "\"stddev\": 0.125"));
    assert_non_null(strstr(json, "\"max_value\": null"));
    assert_non_null(strstr(json, "\"trainable\": false"));
    assert_non_null(strstr(json, "{\"module\": \"keras.initializers\", \"class_name\": \"GlorotUniform\", \"config\": "
                                 "{\"seed\": null}, \"registered_name\": null}"));
    free(json);
    convoy_model_destroy(model);
}

/* ---- loading by name ---- */

static void builtin_cifar10(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *model = NULL;
    assert_int_equal(convoy_model_load("cifar10", &model, &err), CONVOY_OK);
    assert_int_equal(convoy_model_parameter_count(model), 225034);
    assert_int_equal(model_trainable_count(model), 225034);
    assert_string_equal(convoy_model_name(model), "sequential");
    assert_int_equal(convoy_model_layer_count(model), 9);
    assert_string_equal(convoy_model_layer_name(model, 5), "conv2d_2");
    assert_shape(convoy_model_layer_output(model, 5), 3, 4, 4, 128);
    assert_shape(convoy_model_output(model), 1, 10, 0, 0);
    assert_round_trip(model);
    convoy_model_destroy(model);
}

static void write_bytes(const char *path, const char *data, size_t size)
{
    convoy_error err = {0};
    assert_int_equal(file_write(path, data, size, &err), CONVOY_OK);
}

static void loading(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *model = NULL;
    char folder[] = "/tmp/convoy_test_XXXXXX", path[64];
    static const char good[] = "\n {\"class_name\": \"Sequential\", \"config\": {\"layers\": [" INPUT "]}}";
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model.json", folder);
    assert_failed(convoy_model_load("cifar", &model, &err), CONVOY_ERROR_FILE, &err, "'cifar'",
                  "did you mean 'cifar10'?", "built in: cifar10", NULL);
    assert_failed(convoy_model_load(path, &model, &err), CONVOY_ERROR_FILE, &err, path, "no such file", NULL);
    assert_failed(convoy_model_load(folder, &model, &err), CONVOY_ERROR_FILE, &err, folder, "folder", NULL);
    write_bytes(path, good, strlen(good));
    assert_int_equal(convoy_model_load(path, &model, &err), CONVOY_OK);
    convoy_model_destroy(model);
    model = NULL;
    write_bytes(path, good, strlen(good) - 1);
    assert_failed(convoy_model_load(path, &model, &err), CONVOY_ERROR_FORMAT, &err, path, "broken JSON at line 2",
                  NULL);
    write_bytes(path, "", 0);
    assert_failed(convoy_model_load(path, &model, &err), CONVOY_ERROR_FORMAT, &err, path, "empty", NULL);
    write_bytes(path, "\x89HDF\r\n\x1a\n", 8);
    assert_failed(convoy_model_load(path, &model, &err), CONVOY_ERROR_FORMAT, &err, path, ".h5", NULL);
    unlink(path);
    snprintf(path, sizeof path, "%s/model.txt", folder);
    write_bytes(path, "hello", 5);
    assert_failed(convoy_model_load(path, &model, &err), CONVOY_ERROR_FORMAT, &err, path, "neither", NULL);
    write_bytes(path, "PK\3\4 no archive", 15);
    assert_int_not_equal(convoy_model_load(path, &model, &err), CONVOY_OK);
    assert_null(model);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_names),          cmocka_unit_test(refused_layers), cmocka_unit_test(first_layer),
        cmocka_unit_test(shapes_that_do_not_fit), cmocka_unit_test(weights),        cmocka_unit_test(round_trips),
        cmocka_unit_test(builtin_cifar10),        cmocka_unit_test(loading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
