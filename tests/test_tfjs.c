/* Layers models of TensorFlow.js: names as its converter and itself write them, every kind of number, shards cut anywhere, and files
 * that lie. */
#include "weights_help.h"

/* An inner layer is called like an outer one. */
#define LAYERS                                                                                                         \
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"net\", \"layers\": ["                                   \
    "{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"c\", \"filters\": 2, \"kernel_size\": [2, 2],"              \
    " \"batch_input_shape\": [null, 4, 4, 1]}},"                                                                       \
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"bn\"}},"                                        \
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"in\", \"layers\": ["                                    \
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 3, 3, 2]}},"                                \
    "{\"class_name\": \"DepthwiseConv2D\", \"config\": {\"name\": \"c\", \"kernel_size\": [2, 2]}}]}},"                \
    "{\"class_name\": \"Flatten\", \"config\": {\"name\": \"f\"}},"                                                    \
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 1}}]}}"
#define TOPOLOGY "{\"keras_version\": \"2.15.0\", \"backend\": \"tensorflow\", \"model_config\": " LAYERS "}"
#define COUNT 37 /* values of all weights */
#define BYTES (4 * COUNT)

#define W(name, shape, ...) "{\"name\": \"" name "\", \"shape\": [" shape "], \"dtype\": \"float32\"" __VA_ARGS__ "}"
#define CONV(p) W(p "c/kernel", "2, 2, 1, 2") ", " W(p "c/bias", "2")
#define NORM(p)                                                                                                        \
    W(p "bn/gamma", "2") ", " W(p "bn/beta", "2") ", " W(p "bn/moving_mean", "2") ", " W(p "bn/moving_variance", "2")
#define INNER(p, kernel) W(p "c/" kernel, "2, 2, 2, 1") ", " W(p "c/bias", "2")
#define DENSE(p) W(p "d/kernel", "8, 1") ", " W(p "d/bias", "1")
#define GOOD CONV("") ", " NORM("") ", " INNER("in/", "depthwise_kernel") ", " DENSE("")
#define GROUP(paths, weights) "{\"paths\": [" paths "], \"weights\": [" weights "]}"
#define FILE_OF(topology, groups)                                                                                      \
    "{\"format\": \"layers-model\", \"modelTopology\": " topology ", \"weightsManifest\": [" groups "]}"
#define ONE(weights) FILE_OF(TOPOLOGY, GROUP("\"w.bin\"", weights))

static const char *write_json(const char *json)
{
    ASSERT_OK(file_write(path_of("model.json"), json, strlen(json), &err));
    return path_of("model.json");
}

static void write_bytes(const char *name, const void *bytes, size_t size)
{
    ASSERT_OK(file_write(path_of(name), bytes, size, &err));
}

static float value(size_t k)
{
    return 0.25f * (float)k - 2.0f + 1.0f / (float)(k + 3);
}

/* The values 0, 1, 2, ... of all weights: as many bytes of them. */
static void write_values(const char *name, size_t first, size_t size)
{
    float values[COUNT + 1];
    for (size_t k = 0; k <= COUNT; k++)
        values[k] = value(k);
    assert_true(first + size <= sizeof values);
    write_bytes(name, (char *)values + first, size);
}

static void assert_values(convoy_model *model)
{
    size_t count;
    float *found = weights_of(model, &count);
    assert_int_equal(count, COUNT);
    assert_true(convoy_model_has_weights(model));
    for (size_t k = 0; k < COUNT; k++)
        if (found[k] != value(k))
            fail_msg("value %zu is %.9g, not %.9g", k, (double)found[k], (double)value(k));
    free(found);
}

/* ---- what is read ---- */

static void test_names(void **state)
{
    (void)state;
    static const char *const files[] = {
        ONE(GOOD),
        ONE(CONV("net/") ", " NORM("net/") ", " INNER("net/in/", "kernel") ", " DENSE("net/")),
        ONE(CONV("") ", " NORM("once/built/by/") ", " INNER("once/in/", "depthwise_kernel") ", " DENSE("sequential_3/")),
        ONE(W("c/kernel:0", "2, 2, 1, 2") ", " W("c/bias:0", "2") ", " NORM("") ", " INNER("in/", "depthwise_kernel:0") ", " DENSE("")),
        ONE(W("c/0", "2, 2, 1, 2") ", " W("c/1", "2") ", " W("bn/0", "2") ", " W("bn/1", "2") ", " W("bn/2", "2") ", "
            W("bn/3", "2") ", " W("in/c/0", "2, 2, 2, 1") ", " W("in/c/1", "2") ", " W("d/0", "8, 1") ", " W("d/1", "1")),
        FILE_OF(LAYERS, GROUP("\"./w.bin\"", GOOD)),
        "{\"modelTopology\": " LAYERS ", \"weightsManifest\": [" GROUP("\"w.bin\"", GOOD) "]}",
    };
    write_values("w.bin", 0, BYTES);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        convoy_model *model = load_model(write_json(files[i]));
        assert_values(model);
        convoy_model_destroy(model);
    }
}

/* The converter sorts layers by their names; the model is the same as its config, and as one whose weights were set. */
static void test_order(void **state)
{
    (void)state;
    convoy_model *plain = NULL;
    char *wanted = NULL, *found = NULL;
    write_values("w.bin", 0, BYTES);
    write_values("first.bin", 0, 4 * 18);
    write_values("second.bin", 4 * 18, BYTES - 4 * 18);
    convoy_model *model = load_model(write_json(FILE_OF(TOPOLOGY, GROUP("\"second.bin\"", INNER("in/", "kernel") ", " DENSE("")) ", "
                                                        GROUP("\"first.bin\"", CONV("") ", " NORM("")))));
    assert_values(model);
    ASSERT_OK(convoy_model_from_json(LAYERS, strlen(LAYERS), &plain, &err));
    assert_false(convoy_model_has_weights(plain));
    ASSERT_OK(convoy_model_to_json(plain, &wanted, &err));
    ASSERT_OK(convoy_model_to_json(model, &found, &err));
    assert_string_equal(found, wanted);
    free(wanted);
    free(found);
    convoy_model_destroy(plain);
    convoy_model_destroy(model);
}

/* The shards are one stream: cut in the middle of a weight, and of a number. */
static void test_shards(void **state)
{
    (void)state;
    static const char json[] = FILE_OF(TOPOLOGY, GROUP("\"a.bin\", \"b.bin\", \"c.bin\"", GOOD));
    static const size_t cuts[][2] = {{16, 96}, {5, 6}, {0, 147}, {BYTES, BYTES}, {37, 37}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        write_values("a.bin", 0, cuts[i][0]);
        write_values("b.bin", cuts[i][0], cuts[i][1] - cuts[i][0]);
        write_values("c.bin", cuts[i][1], BYTES - cuts[i][1]);
        convoy_model *model = load_model(write_json(json));
        assert_values(model);
        convoy_model_destroy(model);
    }
}

#define VECTOR                                                                                                         \
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"net\", \"layers\": ["                                   \
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 3, \"use_bias\": false,"                     \
    " \"batch_input_shape\": [null, 1]}}]}}"
#define THREE(rest) FILE_OF(VECTOR, GROUP("\"w.bin\"", "{\"name\": \"d/kernel\", \"shape\": [1, 3], " rest "}"))

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *json, *bytes;
        size_t size;
        float expected[3];
    } cases[] = {
        {THREE("\"dtype\": \"float32\""), "\0\0\x80\x3f\0\0\0\xc0\xcd\xcc\xcc\x3d", 12, {1, -2, 0.1f}},
        {THREE("\"dtype\": \"float32\", \"quantization\": null"), "\0\0\x80\x3f\0\0\0\xc0\xcd\xcc\xcc\x3d", 12, {1, -2, 0.1f}},
        {THREE("\"dtype\": \"int32\""), "\1\0\0\0\xfe\xff\xff\xff\0\1\0\0", 12, {1, -2, 256}},
        {THREE("\"dtype\": \"uint8\""), "\1\xff\0", 3, {1, 255, 0}},
        {THREE("\"dtype\": \"bool\""), "\1\0\1", 3, {1, 0, 1}},
        {THREE("\"dtype\": \"float16\""), "\0\x3c\0\xc0\1\0", 6, {1, -2, 0x1p-24f}},
        {THREE("\"dtype\": \"float32\", \"quantization\": {\"dtype\": \"float16\", \"original_dtype\": \"float32\"}"),
         "\0\x3c\0\xc0\1\0", 6, {1, -2, 0x1p-24f}},
        {THREE("\"dtype\": \"float32\", \"quantization\": {\"dtype\": \"uint8\", \"min\": -1.5, \"scale\": 0.1}"), "\0\x0a\xff", 3,
         {-1.5f, (float)(10 * 0.1 - 1.5), (float)(255 * 0.1 - 1.5)}},
        {THREE("\"dtype\": \"float32\", \"quantization\": {\"dtype\": \"uint16\", \"min\": -2, \"scale\": 0.001,"
               " \"original_dtype\": \"float32\"}"),
         "\0\0\x0a\1\xff\xff", 6, {-2, (float)(266 * 0.001 - 2), (float)(65535 * 0.001 - 2)}},
        {THREE("\"dtype\": \"int32\", \"quantization\": {\"dtype\": \"uint8\", \"min\": -3, \"scale\": 0.4}"), "\0\1\xff", 3,
         {-3, -3, 99}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t count;
        write_bytes("w.bin", cases[i].bytes, cases[i].size);
        convoy_model *model = load_model(write_json(cases[i].json));
        float *found = weights_of(model, &count);
        assert_int_equal(count, 3);
        for (size_t k = 0; k < 3; k++)
            if (found[k] != cases[i].expected[k])
                fail_msg("case %zu: %.9g, not %.9g", i, (double)found[k], (double)cases[i].expected[k]);
        free(found);
        convoy_model_destroy(model);
    }
}

/* ---- how it was compiled ---- */

#define KERNEL "{\"name\": \"d/kernel\", \"shape\": [1, 3], \"dtype\": \"uint8\"}"
#define TRAINED(optimizer, more)                                                                                       \
    "{\"format\": \"layers-model\", \"modelTopology\": " VECTOR ", \"trainingConfig\": {\"optimizer_config\": " optimizer   \
    ", \"loss\": \"mean_squared_error\", \"metrics\": [\"acc\"]}, \"weightsManifest\": ["                              \
    GROUP("\"w.bin\"", KERNEL more) "]}"

static convoy_model *load_trained(const char *json, size_t size)
{
    write_bytes("w.bin", "\1\2\3\4\5\6\7", size);
    return load_model(write_json(json));
}

static void test_converted_optimizer(void **state)
{
    (void)state;
    convoy_model *model = load_trained(FILE_OF("{\"model_config\": " VECTOR ", \"training_config\": {\"loss\": \"binary_crossentropy\", "
                                               "\"optimizer_config\": {\"class_name\": \"Adam\", \"config\": {\"lr\": 0.25}}}}",
                                               GROUP("\"w.bin\"", KERNEL)), 3);
    assert_string_equal(model->optimizer, "adam");
    assert_true(model->optimizer_settings.learning_rate == 0.25);
    assert_non_null(model->loss.class);
    convoy_model_destroy(model);
}

/* What TensorFlow.js itself calls otherwise. RMSProp's decay is not the rate's. */
static void test_own_optimizers(void **state)
{
    (void)state;
    convoy_model *model = load_trained(TRAINED("{\"class_name\": \"Adam\", \"config\": {\"learning_rate\": 0.5, \"beta1\": 0.75, "
                                               "\"beta2\": 0.875, \"epsilon\": 1e-7}}", ""), 3);
    assert_string_equal(model->optimizer_refused, "");
    assert_true(model->optimizer_settings.beta_1 == 0.75 && model->optimizer_settings.beta_2 == 0.875);
    convoy_model_destroy(model);
    model = load_trained(TRAINED("{\"class_name\": \"RMSProp\", \"config\": {\"learning_rate\": 0.5, \"decay\": 0.75, \"momentum\": 0, "
                                 "\"epsilon\": 1e-7, \"centered\": false}}", ""), 3);
    assert_string_equal(model->optimizer, "rmsprop");
    assert_true(model->optimizer_settings.rho == 0.75 && model->optimizer_settings.schedule == NULL);
    convoy_model_destroy(model);
    model = load_trained(TRAINED("{\"class_name\": \"Momentum\", \"config\": {\"learning_rate\": 0.5, \"momentum\": 0.75, "
                                 "\"use_nesterov\": true}}", ""), 3);
    assert_string_equal(model->optimizer, "sgd");
    assert_true(model->optimizer_settings.momentum == 0.75 && model->optimizer_settings.nesterov);
    convoy_model_destroy(model);
}

/* Its bytes are there and stepped over, and whoever trains is told. */
static void test_optimizer_state(void **state)
{
    (void)state;
    convoy_model *model = load_trained(TRAINED("{\"class_name\": \"Adam\", \"config\": {}}",
                                               ", {\"name\": \"d/kernel\", \"shape\": [4], \"dtype\": \"uint8\", "
                                               "\"group\": \"optimizer\"}"), 7);
    assert_non_null(strstr(model->optimizer_left_out, "not read"));
    assert_true(model->nodes[1].weights[0][2] == 3);
    convoy_model_destroy(model);
}

/* ---- weights alone, and a config alone ---- */

static void test_weights_alone(void **state)
{
    (void)state;
    convoy_model *model = NULL;
    write_values("w.bin", 0, BYTES);
    ASSERT_OK(convoy_model_from_json(LAYERS, strlen(LAYERS), &model, &err));
    ASSERT_OK(convoy_model_load_weights(model, write_json(ONE(GOOD)), &err));
    assert_values(model);
    scramble(model);
    assert_no_weights(model, write_json(LAYERS), "holds no weights", NULL);
    assert_no_weights(model, write_json("{\"modelTopology\": " LAYERS "}"), "no weightsManifest", NULL);
    assert_no_weights(model, write_json(ONE(CONV(""))), "'bn/gamma'", NULL);
    convoy_model_destroy(model);
}

static void test_config_alone(void **state)
{
    (void)state;
    convoy_model *model = load_model(write_json("{\"format\": \"layers-model\", \"modelTopology\": " LAYERS "}"));
    assert_int_equal(convoy_model_parameter_count(model), COUNT);
    assert_false(convoy_model_has_weights(model));
    convoy_model_destroy(model);
}

/* ---- what is refused ---- */

static void test_other_files(void **state)
{
    (void)state;
    static const struct {
        const char *json, *first, *second;
    } cases[] = {
        {"{\"format\": \"graph-model\", \"modelTopology\": {\"node\": []}, \"weightsManifest\": []}", "graph-model", ".keras or .h5"},
        {"{\"modelTopology\": {\"node\": []}, \"weightsManifest\": []}", "graph-model", "Keras model itself"},
        {"{\"format\": \"tensors\", \"modelTopology\": " LAYERS "}", "format is \"tensors\"", "layers-model"},
        {"{\"format\": 3, \"modelTopology\": " LAYERS "}", "format is 3", "layers-model"},
        {"{\"format\": \"layers-model\"}", "modelTopology is nothing", "config"},
        {"{\"weightsManifest\": []}", "modelTopology is nothing", "config"},
        {"{\"modelTopology\": \"{}\"}", "modelTopology is \"{}\"", "config"},
        {"{\"modelTopology\": {\"model_config\": 7}}", "modelTopology", "not a Keras model"},
        {"{\"modelTopology\": " LAYERS ", \"weightSpecs\": []}", "weightSpecs", "weightsManifest"},
        {FILE_OF("{\"class_name\": \"Sequential\", \"config\": []}", ""), "modelTopology", "no layers"},
        {"{\"modelTopology\": " LAYERS ", \"weightsManifest\": {}}", "weightsManifest", "found {}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_no_model(write_json(cases[i].json), cases[i].first, cases[i].second, NULL);
}

#define REST CONV("") ", " NORM("") ", " INNER("in/", "kernel") ", " W("d/kernel", "8, 1")

static void test_bad_manifests(void **state)
{
    (void)state;
    static const struct {
        const char *json, *first, *second;
    } cases[] = {
        {FILE_OF(TOPOLOGY, "7"), "group 1", "found 7"},
        {FILE_OF(TOPOLOGY, "{\"paths\": []}"), "group 1", "paths and weights"},
        {FILE_OF(TOPOLOGY, "{\"paths\": \"w.bin\", \"weights\": []}"), "group 1", "paths and weights"},
        {ONE(REST), "'d/bias', which the model has", ""},
        {ONE(REST ", " W("e/bias", "1")), "'d/bias', which the model has", "'e/bias' is none"},
        {ONE(GOOD ", " W("e/bias", "1")), "no weight for 'e/bias'", ""},
        {ONE(GOOD ", " W("d/bias", "1")), "no weight for 'd/bias'", ""},
        {ONE(CONV("") ", " NORM("") ", " DENSE("")), "'in/c/kernel', which", ""},
        {ONE(CONV("in/") ", " NORM("") ", " INNER("", "depthwise_kernel") ", " DENSE("")), "which the model has", "is none"},
        {ONE(REST ", " W("bias", "1")), "'d/bias', which the model has", "'bias' is none"},
        {ONE(REST ", " W("d/2", "1")), "'d/bias', which the model has", "'d/2' is none"},
        {ONE(REST ", " W("xd/bias", "1")), "'d/bias', which the model has", "'xd/bias' is none"},
        {ONE(REST ", " W("d/bias", "2")), "'d/bias' has the shape [2]", "needs [1]"},
        {ONE(REST ", " W("d/bias", "")), "'d/bias' has the shape []", "needs [1]"},
        {ONE(REST ", " W("d/bias", "-1")), "'d/bias'", "shape is [-1]"},
        {ONE(REST ", " W("d/bias", "4611686018427387904, 4611686018427387904")), "'d/bias'", "more values than can be counted"},
        {ONE(REST ", " W("d/bias", "9223372036854775807")), "'d/bias'", "more bytes than can be counted"},
        {ONE(W("a", "4000000000000000000") ", " W("b", "4000000000000000000")), "'b'", "more bytes than can be counted"},
        {ONE(REST ", {\"shape\": [1], \"dtype\": \"float32\"}"), "group 1", "name, shape and dtype"},
        {ONE(REST ", {\"name\": \"d/bias\", \"dtype\": \"float32\"}"), "'d/bias'", "shape is nothing"},
        {ONE(REST ", {\"name\": \"d/bias\", \"shape\": [1]}"), "'d/bias'", "dtype is nothing"},
        {ONE(REST ", {\"name\": \"d/bias\", \"shape\": [1], \"dtype\": \"string\"}"), "dtype is \"string\"", "float32"},
        {ONE(REST ", {\"name\": \"d/bias\", \"shape\": [1], \"dtype\": \"complex64\"}"), "dtype is \"complex64\"", "float32"},
        {ONE(REST ", " W("d/bias", "1", ", \"quantization\": 3")), "quantization is 3", "'d/bias'"},
        {ONE(REST ", " W("d/bias", "1", ", \"quantization\": {\"dtype\": \"uint8\", \"min\": 1}")), "min and scale", "'d/bias'"},
        {ONE(REST ", " W("d/bias", "1", ", \"quantization\": {\"dtype\": \"uint16\", \"min\": \"1\", \"scale\": 1}")), "min and scale",
         "uint16"},
        {ONE(REST ", " W("d/bias", "1", ", \"quantization\": {\"dtype\": \"int4\"}")), "dtype is \"int4\"", "uint16"},
        {ONE(REST ", " W("d/bias", "1", ", \"quantization\": {\"dtype\": \"uint8\", \"original_dtype\": \"bool\"}")), "\"bool\"", "int32"},
    };
    write_values("w.bin", 0, BYTES);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_no_model(write_json(cases[i].json), cases[i].first, cases[i].second, NULL);
}

static void test_bad_shards(void **state)
{
    (void)state;
    static const char one[] = ONE(GOOD), two[] = FILE_OF(TOPOLOGY, GROUP("\"w.bin\", \"v.bin\"", GOOD));
    for (size_t size = 0; size < BYTES; size += 21) {
        char found[64];
        write_values("w.bin", 0, size);
        snprintf(found, sizeof found, "w.bin: %zu bytes", size);
        assert_no_model(write_json(one), found, "need 148", NULL);
    }
    write_values("w.bin", 0, BYTES + 1);
    assert_no_model(write_json(one), "w.bin: 149 bytes", "need 148", NULL);
    write_values("w.bin", 0, 100);
    write_values("v.bin", 100, 47);
    assert_no_model(write_json(two), "w.bin, v.bin: 147 bytes", "in them need 148", NULL);
    assert_no_model(write_json(FILE_OF(TOPOLOGY, GROUP("", GOOD))), "without shards: 0 bytes", "need 148", NULL);
    unlink(path_of("v.bin"));
    convoy_model *model = NULL;
    convoy_error err = {0};
    assert_int_equal(convoy_model_load(write_json(two), &model, &err), CONVOY_ERROR_FILE);
    assert_non_null(strstr(err.message, "model.json: shard: "));
    assert_non_null(strstr(err.message, "/v.bin: can't open: No such file"));
}

/* No shard is looked for outside of the file's folder. */
static void test_ways_out(void **state)
{
    (void)state;
    static const char *const paths[] = {"/etc/passwd", "../w.bin", "a/../../w.bin", "a/..", "..", "", "./../w.bin"};
    char json[8192];
    write_values("w.bin", 0, BYTES);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(json, sizeof json, FILE_OF(TOPOLOGY, GROUP("\"%s\"", GOOD)), paths[i]);
        assert_no_model(write_json(json), paths[i], "inside the folder", NULL);
    }
    assert_no_model(write_json(FILE_OF(TOPOLOGY, GROUP("7", GOOD))), "path is 7", "inside the folder", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),          cmocka_unit_test(test_order),
        cmocka_unit_test(test_shards),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_converted_optimizer), cmocka_unit_test(test_own_optimizers),
        cmocka_unit_test(test_optimizer_state), cmocka_unit_test(test_weights_alone),
        cmocka_unit_test(test_config_alone),   cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_bad_manifests),  cmocka_unit_test(test_bad_shards),
        cmocka_unit_test(test_ways_out),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
