/* Models as ONNX files, read back without ONNX. What they compute: tests/test_onnx_runtime.c. */
#include "onnx_help.h"

#include <sys/stat.h>

#include "convoy/version.h"
#include "ops/activation.h"
#include "sample_model.h"

static void add(convoy_model *m, const char *class_name, const char *options)
{
    ASSERT_OK(convoy_model_add(m, class_name, options, &err));
}

static void connect(convoy_model *m, const char *class_name, const char *options, const char *inputs)
{
    ASSERT_OK(convoy_model_connect(m, class_name, options, inputs, &err));
}

/* A model that begins with an input of this shape. */
static convoy_model *begin(const char *name, const char *shape)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create(name, &m, &err));
    add(m, "InputLayer", shape);
    return m;
}

static void end(convoy_model *m, exported *e)
{
    free(e->bytes);
    convoy_model_destroy(m);
}

/* ---- what is in a file ---- */

static convoy_model *small(void)
{
    convoy_model *m = begin("small", "shape=(8, 9, 3), name=image");
    add(m, "Conv2D", "filters=5, kernel_size=(3, 2), padding=same, strides=2, activation=relu");
    add(m, "MaxPooling2D", NULL);
    add(m, "Dropout", "rate=0.5");
    add(m, "Flatten", NULL);
    add(m, "Dense", "units=4");
    ASSERT_OK(convoy_model_initialize(m, 1, &err));
    return m;
}

static void test_header(void **state)
{
    (void)state;
    convoy_model *m = small();
    exported e = export(m);
    assert_int_equal(field_of(e.model, 1, 0).value, 8);
    assert_text(field_of(e.model, 2, 0).bytes, "convoy");
    assert_text(field_of(e.model, 3, 0).bytes, CONVOY_VERSION);
    message opset = field_of(e.model, 8, 0).bytes;
    assert_text(field_of(opset, 1, 0).bytes, "");
    assert_int_equal(field_of(opset, 2, 0).value, 17);
    assert_text(field_of(e.graph, 2, 0).bytes, "small");
    assert_int_equal(count_fields(e.graph, 11), 1);
    assert_int_equal(count_fields(e.graph, 12), 1);
    assert_value(&e, 11, 0, "image: N 8 9 3");
    assert_value(&e, 12, 0, "dense: N 4");
    assert_value(&e, 13, 0, "image/nchw: N 3 8 9");
    assert_value(&e, 13, 1, "conv2d/nchw: N 5 4 5");
    assert_int_equal(count_fields(e.model, 14), 0);
    end(m, &e);
}

static void test_nodes(void **state)
{
    (void)state;
    convoy_model *m = small();
    exported e = export(m);
    assert_int_equal(count_fields(e.graph, 1), 7);
    assert_node(&e, "image/nchw", "Transpose(image)");
    assert_ints(&e, "image/nchw", "perm", "0 3 1 2");
    assert_node(&e, "conv2d/Conv", "Conv(image/nchw, conv2d/kernel, conv2d/bias)");
    assert_ints(&e, "conv2d/Conv", "kernel_shape", "3 2");
    assert_ints(&e, "conv2d/Conv", "strides", "2 2");
    assert_ints(&e, "conv2d/Conv", "pads", "0 0 1 1"); /* one row and one column too few, and those go behind */
    assert_node(&e, "conv2d/nchw", "Relu(conv2d/Conv)");
    assert_node(&e, "max_pooling2d/nchw", "MaxPool(conv2d/nchw)");
    assert_ints(&e, "max_pooling2d/nchw", "pads", "0 0 0 0"); /* the fifth column is left out */
    assert_node(&e, "max_pooling2d", "Transpose(max_pooling2d/nchw)");
    assert_node(&e, "flatten", "Reshape(max_pooling2d, flatten/shape)"); /* no dropout */
    assert_node(&e, "dense", "Gemm(flatten, dense/kernel, dense/bias)");
    end(m, &e);
}

static void test_initializers(void **state)
{
    (void)state;
    convoy_model *m = small();
    exported e = export(m);
    float kernel[5 * 3 * 3 * 2], dense[20 * 4], *w;
    int64_t shape[2];
    assert_int_equal(count_fields(e.graph, 5), 5);
    memcpy(kernel, initializer_values(&e, "conv2d/kernel", "5 3 3 2", sizeof *kernel), sizeof kernel);
    assert_int_equal(convoy_model_weights(m, 1, 0, &w, NULL), 5 * 3 * 3 * 2);
    for (int o = 0; o < 5; o++)
        for (int i = 0; i < 3; i++)
            for (int tap = 0; tap < 6; tap++)
                assert_true(kernel[(o * 3 + i) * 6 + tap] == w[(tap * 3 + i) * 5 + o]);
    memcpy(dense, initializer_values(&e, "dense/kernel", "20 4", sizeof *dense), sizeof dense);
    convoy_model_weights(m, 5, 0, &w, NULL);
    assert_memory_equal(dense, w, sizeof dense);
    initializer_values(&e, "conv2d/bias", "5", sizeof(float));
    memcpy(shape, initializer_values(&e, "flatten/shape", "2", sizeof *shape), sizeof shape);
    assert_int_equal(shape[0], 0); /* as many as come in */
    assert_int_equal(shape[1], 20);
    end(m, &e);
}

static void test_class_names(void **state)
{
    static const char *const names[] = {"cat", "dog \"x\"", "gr\xe9y", "b"};
    (void)state;
    convoy_model *m = small();
    ASSERT_OK(convoy_model_set_class_names(m, names, 4, &err));
    exported e = export(m);
    message pair = field_of(e.model, 14, 0).bytes;
    assert_int_equal(count_fields(e.model, 14), 1);
    assert_text(field_of(pair, 1, 0).bytes, "class_names");
    assert_text(field_of(pair, 2, 0).bytes, "[\"cat\",\"dog \\\"x\\\"\",\"gr?y\",\"b\"]");
    end(m, &e);
}

/* ---- where Transposes stand ---- */

static void test_images_are_turned_once(void **state)
{
    (void)state;
    convoy_model *m = begin("residual", "shape=(8, 8, 4), name=x");
    add(m, "Rescaling", "scale=0.5");
    add(m, "Conv2D", "filters=4, kernel_size=3, padding=same, name=a");
    add(m, "BatchNormalization", NULL);
    add(m, "ReLU", NULL);
    add(m, "Conv2D", "filters=4, kernel_size=3, padding=same, name=b");
    connect(m, "Add", NULL, "a, b");
    connect(m, "Concatenate", NULL, "add, re_lu");
    add(m, "UpSampling2D", NULL);
    add(m, "ZeroPadding2D", NULL);
    add(m, "Cropping2D", "cropping=1");
    add(m, "PReLU", "shared_axes=(1, 2)");
    add(m, "Activation", "activation=softmax");
    add(m, "GlobalAveragePooling2D", NULL);
    add(m, "Dense", "units=2");
    exported e = export(m);
    assert_int_equal(count_ops(&e, "Transpose"), 1);
    assert_node(&e, "rescaling", "Mul(x, rescaling/constant)"); /* as it comes in, for that costs nothing */
    assert_node(&e, "rescaling/nchw", "Transpose(rescaling)");
    assert_node(&e, "add/nchw", "Add(a/nchw, b/nchw)");
    assert_node(&e, "concatenate/nchw", "Concat(add/nchw, re_lu/nchw)");
    end(m, &e);
}

/* An output is the tensor that Keras has, whatever its readers want. */
static void test_image_outputs(void **state)
{
    (void)state;
    convoy_model *m = begin(NULL, "shape=(4, 5, 2), name=x");
    add(m, "Conv2D", "filters=3, kernel_size=1, name=y");
    exported e = export(m);
    assert_value(&e, 12, 0, "y: N 4 5 3");
    assert_node(&e, "y/nchw", "Conv(x/nchw, y/kernel, y/bias)");
    assert_node(&e, "y", "Transpose(y/nchw)");
    assert_ints(&e, "y", "perm", "0 2 3 1");
    end(m, &e);
}

/* ---- names ---- */

static void test_layers_used_twice(void **state)
{
    (void)state;
    convoy_model *m = begin(NULL, "shape=(4,), name=x");
    connect(m, "Dense", "units=4, activation=tanh, name=twice", "x");
    ASSERT_OK(convoy_model_reuse(m, "twice", "twice", &err));
    ASSERT_OK(convoy_model_reuse(m, "twice", "twice[1]", &err));
    exported e = export(m);
    assert_int_equal(count_fields(e.graph, 5), 2);
    assert_node(&e, "twice", "Tanh(twice/Gemm)");
    assert_node(&e, "twice//1/Gemm", "Gemm(twice, twice/kernel, twice/bias)");
    assert_node(&e, "twice//2", "Tanh(twice//2/Gemm)");
    assert_value(&e, 12, 0, "twice//2: N 4");
    end(m, &e);
}

static void test_models_inside(void **state)
{
    (void)state;
    convoy_model *inner = begin("block", "shape=(4,), name=x"), *m = begin(NULL, "shape=(4,), name=x");
    add(inner, "Dense", "units=4, name=dense");
    connect(m, "Activation", "activation=relu", "x");
    ASSERT_OK(convoy_model_connect_model(m, inner, "activation", &err));
    ASSERT_OK(convoy_model_reuse(m, "block", "block", &err));
    connect(m, "Dense", "units=1", "block[1]");
    exported e = export(m);
    assert_node(&e, "block/dense", "Gemm(activation, block/dense/kernel, block/dense/bias)");
    assert_node(&e, "block//1/dense", "Gemm(block/dense, block/dense/kernel, block/dense/bias)");
    assert_node(&e, "dense", "Gemm(block//1/dense, dense/kernel, dense/bias)");
    convoy_model_destroy(inner);
    end(m, &e);
}

/* An output must have a name of its own: one that is an input, a tensor that has another layer's name, one given twice. */
static void test_outputs_that_are_no_nodes(void **state)
{
    (void)state;
    convoy_model *m = begin(NULL, "shape=(4,), name=x");
    connect(m, "Dense", "units=4", "x");
    connect(m, "Dropout", "rate=0.5", "dense");
    ASSERT_OK(convoy_model_set_outputs(m, "x, dropout, dropout, dense", &err));
    exported e = export(m);
    assert_value(&e, 11, 0, "x: N 4");
    assert_value(&e, 12, 0, "x//output: N 4");
    assert_value(&e, 12, 1, "dropout: N 4");
    assert_value(&e, 12, 2, "dropout//output_2: N 4");
    assert_value(&e, 12, 3, "dense: N 4");
    assert_node(&e, "x//output", "Identity(x)");
    assert_node(&e, "dropout", "Identity(dense)");
    assert_node(&e, "dropout//output_2", "Identity(dense)");
    end(m, &e);
}

/* ---- windows ---- */

static void test_transposed_convolutions(void **state)
{
    static const struct row {
        const char *options, *pads, *more;
    } rows[] = {
        {"filters=2, kernel_size=3, strides=2, padding=same, name=y", "0 0 1 1", "0 0"},
        {"filters=2, kernel_size=4, strides=2, padding=same, name=y", "1 1 1 1", "0 0"},
        {"filters=2, kernel_size=2, strides=3, name=y", "0 0 0 0", "1 1"},
        {"filters=2, kernel_size=1, strides=2, padding=same, name=y", "0 0 0 0", "1 1"},
        {"filters=2, kernel_size=3, strides=3, padding=same, output_padding=(1, 2), name=y", "0 0 1 0", "0 0"},
        {"filters=2, kernel_size=3, dilation_rate=2, padding=same, name=y", "2 2 2 2", "0 0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        convoy_model *m = begin(NULL, "shape=(5, 6, 3)");
        add(m, "Conv2DTranspose", rows[i].options);
        exported e = export(m);
        assert_ints(&e, "y/nchw", "pads", rows[i].pads);
        assert_ints(&e, "y/nchw", "output_padding", rows[i].more);
        initializer_values(&e, "y/kernel", strstr(rows[i].options, "size=4")   ? "3 2 4 4"
                                           : strstr(rows[i].options, "size=3") ? "3 2 3 3"
                                           : strstr(rows[i].options, "size=2") ? "3 2 2 2"
                                                                               : "3 2 1 1", sizeof(float));
        end(m, &e);
    }
}

/* ---- all that is known ---- */

static void test_every_layer(void **state)
{
    const layer_class *class;
    (void)state;
    for (size_t i = 0; (class = layer_class_at(i)) != NULL; i++)
        for (const layer_sample *s = class->samples; s != NULL && s->options != NULL; s++) {
            convoy_model *m = sample_model(class, s, false);
            convoy_shape out = convoy_model_output(m);
            char expected[192];
            if (class->onnx == NULL && !class->alias && !class->alias_in_inference) {
                convoy_error err = {0};
                assert_failed(convoy_model_export_onnx(m, onnx_path, &err), CONVOY_ERROR_MODEL, &err, class->name, NULL);
                convoy_model_destroy(m);
                continue;
            }
            exported e = export(m);
            snprintf(expected, sizeof expected, "%s: N", m->nodes[m->node_count - 1].layer->name);
            for (int d = 0; d < out.rank; d++)
                snprintf(expected + strlen(expected), sizeof expected - strlen(expected), " %d", out.dim[d]);
            assert_value(&e, 12, 0, expected);
            end(m, &e);
        }
}

static void test_every_activation(void **state)
{
    char list[1024], options[128];
    (void)state;
    activation_names(list, sizeof list);
    for (char *name = strtok(list, ", "); name != NULL; name = strtok(NULL, ", ")) {
        convoy_model *m = begin(NULL, "shape=(3, 3, 2)");
        snprintf(options, sizeof options, "filters=2, kernel_size=1, activation=%s, name=y", name);
        add(m, "Conv2D", options);
        exported e = export(m);
        assert_value(&e, 12, 0, "y: N 3 3 2");
        end(m, &e);
    }
}

/* ---- what can't be written ---- */

static void test_unknown_layers(void **state)
{
    convoy_error err = {0};
    (void)state;
    convoy_model *m = small();
    const layer_class *dense = layer_class_find("Dense");
    layer_class strange = *dense;
    strange.onnx = NULL;
    strange.name = "Strange";
    m->nodes[m->node_count - 1].layer->class = &strange;
    unlink(onnx_path);
    assert_failed(convoy_model_export_onnx(m, onnx_path, &err), CONVOY_ERROR_MODEL, &err, "layer 'dense' (Strange)",
                  "no form in ONNX", NULL);
    assert_int_equal(access(onnx_path, F_OK), -1);
    m->nodes[m->node_count - 1].layer->class = dense;
    exported e = export(m);
    m->nodes[m->node_count - 1].layer->class = &strange; /* a failure leaves the file that is there */
    struct stat before, after;
    assert_int_equal(stat(onnx_path, &before), 0);
    assert_int_equal(convoy_model_export_onnx(m, onnx_path, NULL), CONVOY_ERROR_MODEL);
    assert_int_equal(stat(onnx_path, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
    m->nodes[m->node_count - 1].layer->class = dense;
    end(m, &e);
}

static void test_paths(void **state)
{
    convoy_error err = {0};
    (void)state;
    convoy_model *m = small(), *none = NULL;
    assert_failed(convoy_model_export_onnx(m, "/nowhere/at/all.onnx", &err), CONVOY_ERROR_FILE, &err, "/nowhere/at/all.onnx",
                  NULL);
    assert_failed(convoy_model_export_onnx(m, "/tmp", &err), CONVOY_ERROR_FILE, &err, "is a folder", NULL);
    ASSERT_OK(convoy_model_create("none", &none, &err));
    assert_failed(convoy_model_export_onnx(none, onnx_path, &err), CONVOY_ERROR_MODEL, &err, "'none' has no layers", NULL);
    convoy_model_destroy(none);
    convoy_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_initializers),
        cmocka_unit_test(test_class_names),
        cmocka_unit_test(test_images_are_turned_once),
        cmocka_unit_test(test_image_outputs),
        cmocka_unit_test(test_layers_used_twice),
        cmocka_unit_test(test_models_inside),
        cmocka_unit_test(test_outputs_that_are_no_nodes),
        cmocka_unit_test(test_transposed_convolutions),
        cmocka_unit_test(test_every_layer),
        cmocka_unit_test(test_every_activation),
        cmocka_unit_test(test_unknown_layers),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, make_onnx_folder, remove_onnx_folder);
}
