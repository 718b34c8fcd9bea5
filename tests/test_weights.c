/* Keras's older .h5 models and files of weights alone: what Keras 2 and 3 wrote (tools/make_golden_weights.py) is read bit for bit,
 * computes what Keras computes, and trains on as Keras does; what Convoy writes is read back. */
#include "weights_help.h"

#include "convoy/convoy.h"
#include "golden_json.h"

#ifdef HAVE_KERAS_FILES
#include "files/keras_hdf5.h"
#include "hdf5_help.h"

enum { IMAGES = 3, TRAINED = 24, BATCH = 8, CLASSES = 3, EPOCHS = 3 };

static convoy_context *ctx;

static int begin(void **state)
{
    convoy_error err = {0};
    if (make_folder(state) != 0)
        return -1;
    if (convoy_context_create(NULL, &ctx, &err) == CONVOY_OK)
        return 0;
    print_error("%s\n", err.message);
    return -1;
}

static int end(void **state)
{
    convoy_context_destroy(ctx);
    return remove_folder(state);
}

/* ---- whole models ---- */

static const char *const trained[] = {"sequential_2", "sequential_3", "graph_2", "graph_3", "old_2", "nadam_3"};
enum { MODELS = sizeof trained / sizeof *trained };

static convoy_model *load_h5(const char *name)
{
    char file[128];
    snprintf(file, sizeof file, "%s.h5", name);
    return load_golden(file);
}

/* Every layer that Convoy has, its weights and what it computes. */
static void test_all_layers(void **state)
{
    (void)state;
    static const char *const names[] = {"layers_2", "layers_3"};
    for (size_t i = 0; i < 2; i++) {
        size_t count, expected_count;
        convoy_model *model = load_h5(names[i]);
        assert_string_equal(convoy_model_name(model), "layers");
        assert_string_equal(model->optimizer, "");
        assert_weights(model, names[i]);
        float *inputs = read_floats(names[i], "inputs", &count), *expected = read_floats(names[i], "outputs", &expected_count);
        float *found = malloc(expected_count * sizeof *found);
        assert_non_null(found);
        ASSERT_OK(convoy_predict(ctx, model, inputs, IMAGES, 2, found, &err));
        for (size_t k = 0; k < expected_count; k++)
            if (!golden_near(found[k], expected[k], 1e-5, 1))
                fail_msg("%s: output %zu is %.9g; Keras says %.9g", names[i], k, (double)found[k], (double)expected[k]);
        free(inputs);
        free(expected);
        free(found);
        convoy_model_destroy(model);
    }
}

static void test_weights_of_trained_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++) {
        convoy_model *model = load_h5(trained[i]);
        assert_weights(model, trained[i]);
        assert_int_equal(model->optimizer_steps, TRAINED / BATCH);
        assert_true(model->compiled);
        assert_true(model->loss.from_logits);
        convoy_model_destroy(model);
    }
}

/* ---- words of the first Kerases ---- */

/* The network of sequential_2.h5 as Keras 2.0 to 2.3 would have written it: no InputLayer, a list instead of an object with a name,
 * initializers by their formula or with a dtype, L1L2 for L2. */
static const char old_config[] =
    "{\"class_name\": \"Sequential\", \"config\": ["
    "{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"conv2d\", \"trainable\": true, \"batch_input_shape\": [null, 8, 7, 2],"
    " \"dtype\": \"float32\", \"filters\": 4, \"kernel_size\": [3, 3], \"strides\": [1, 1], \"padding\": \"valid\","
    " \"data_format\": \"channels_last\", \"dilation_rate\": [1, 1], \"activation\": \"relu\", \"use_bias\": true,"
    " \"kernel_initializer\": {\"class_name\": \"VarianceScaling\", \"config\": {\"scale\": 1.0, \"mode\": \"fan_avg\","
    " \"distribution\": \"normal\", \"seed\": null}}, \"bias_initializer\": {\"class_name\": \"Zeros\", \"config\": {\"dtype\":"
    " \"float32\"}}, \"kernel_regularizer\": {\"class_name\": \"L1L2\", \"config\": {\"l1\": 0.0, \"l2\": 0.001}},"
    " \"bias_regularizer\": null, \"activity_regularizer\": null, \"kernel_constraint\": null, \"bias_constraint\": null}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"batch_normalization\", \"trainable\": true, \"axis\": [3],"
    " \"momentum\": 0.8, \"epsilon\": 0.001, \"center\": true, \"scale\": true, \"beta_initializer\": {\"class_name\": \"Zeros\","
    " \"config\": {}}, \"gamma_initializer\": {\"class_name\": \"Ones\", \"config\": {}}, \"moving_mean_initializer\":"
    " {\"class_name\": \"Zeros\", \"config\": {}}, \"moving_variance_initializer\": {\"class_name\": \"Ones\", \"config\": {}},"
    " \"beta_regularizer\": null, \"gamma_regularizer\": null, \"beta_constraint\": null, \"gamma_constraint\": null}},"
    "{\"class_name\": \"MaxPooling2D\", \"config\": {\"name\": \"max_pooling2d\", \"trainable\": true, \"pool_size\": [2, 2],"
    " \"padding\": \"valid\", \"strides\": [2, 2], \"data_format\": \"channels_last\"}},"
    "{\"class_name\": \"LeakyReLU\", \"config\": {\"name\": \"leaky\", \"trainable\": true, \"alpha\": 0.25}},"
    "{\"class_name\": \"Flatten\", \"config\": {\"name\": \"flatten\", \"trainable\": true}},"
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"trainable\": true, \"units\": 3, \"activation\": \"linear\","
    " \"use_bias\": true, \"kernel_initializer\": \"glorot_uniform\", \"bias_initializer\": \"zero\"}}]}";

static const char old_training[] =
    "{\"optimizer_config\": {\"class_name\": \"SGD\", \"config\": {\"lr\": 0.05, \"momentum\": 0.75, \"decay\": 0.5, \"nesterov\": false}},"
    " \"loss\": \"sparse_categorical_crossentropy\", \"metrics\": [\"acc\"], \"sample_weight_mode\": null, \"loss_weights\": null}";

static void test_old_spellings(void **state)
{
    (void)state;
    hid_t file = open_copy("sequential_2.h5", "old.h5");
    set_text(file, "/", "model_config", old_config, 0, 0);
    set_text(file, "/", "training_config", old_training, 0, 0);
    H5Fclose(file);
    convoy_model *model = load_model(path_of("old.h5"));
    assert_weights(model, "sequential_2");
    assert_string_equal(model->optimizer, "sgd");
    assert_true(model->loss.class != NULL && !model->loss.from_logits);
    assert_true(model->optimizer_settings.momentum == 0.75);
    /* A rate that decays with the steps is a schedule today: rate / (1 + decay * steps). */
    const json_t *schedule = model->optimizer_settings.schedule, *config = json_object_get(schedule, "config");
    assert_string_equal(golden_text(schedule, "class_name"), "InverseTimeDecay");
    assert_true(json_number_value(json_object_get(config, "initial_learning_rate")) == 0.05);
    assert_true(json_number_value(json_object_get(config, "decay_rate")) == 0.5);
    assert_true(json_number_value(json_object_get(config, "decay_steps")) == 1);
    char *json = NULL;
    ASSERT_OK(convoy_model_to_json(model, &json, &err));
    assert_non_null(strstr(json, "\"truncated_normal\""));
    assert_non_null(strstr(json, "\"negative_slope\": 0.25"));
    free(json);
    convoy_model_destroy(model);
}

/* ---- training goes on ---- */

static convoy_dataset *images(void)
{
    size_t size;
    uint8_t *pixels = (uint8_t *)read_golden("images.u8", &size);
    int32_t labels[TRAINED];
    convoy_dataset *data = NULL;
    convoy_shape shape = {3, {8, 7, 2}};
    assert_int_equal(size, TRAINED * 8 * 7 * 2);
    for (int i = 0; i < TRAINED; i++)
        labels[i] = i % CLASSES;
    ASSERT_OK(convoy_dataset_create(pixels, labels, TRAINED, shape, CLASSES, NULL, &data, &err));
    free(pixels);
    return data;
}

typedef struct losses {
    double loss[EPOCHS];
    int count;
} losses;

static int on_epoch(void *user, const convoy_epoch *epoch)
{
    losses *l = user;
    l->loss[l->count++] = epoch->train.loss;
    return 0;
}

/* With the optimizer that the model has. */
static losses train_on(convoy_model *model)
{
    losses l = {0};
    convoy_dataset *data = images();
    convoy_fit_options how = {.epochs = EPOCHS, .batch_size = BATCH, .no_shuffle = true, .on_epoch = on_epoch, .user = &l};
    ASSERT_OK(convoy_fit(ctx, model, data, &how, NULL, &err));
    convoy_dataset_destroy(data);
    assert_int_equal(l.count, EPOCHS);
    return l;
}

static void test_training_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++) {
        char file[128];
        snprintf(file, sizeof file, "weights/%s.losses.json", trained[i]);
        json_t *expected = golden(file);
        convoy_model *model = load_h5(trained[i]);
        losses found = train_on(model);
        for (size_t e = 0; e < EPOCHS; e++) {
            double loss = json_number_value(json_array_get(expected, e));
            if (!golden_near(found.loss[e], loss, 1e-4, 1e-9))
                fail_msg("%s: the loss of epoch %zu is %.9g; Keras has %.9g", trained[i], e + 1, found.loss[e], loss);
        }
        json_decref(expected);
        convoy_model_destroy(model);
    }
}

/* Keras 2 does not save the product of Nadam's momenta: it is found again. */
static void test_product_of_nadam(void **state)
{
    (void)state;
    enum { LENGTH = 100 };
    hdf5_names names;
    hid_t file = open_copy("nadam_3.h5", "nadam.h5");
    ASSERT_OK(hdf5_read_names(file, "optimizer_weights", "weight_names", &names, &err));
    char *list = calloc(names.count, LENGTH);
    assert_non_null(list);
    for (size_t i = 0; i < names.count; i++)
        snprintf(list + i * LENGTH, LENGTH, "%s", names.name[i]);
    set_text(file, "optimizer_weights", "weight_names", list, LENGTH, names.count - 1); /* the last is the product */
    H5Fclose(file);
    convoy_model *model = load_model(path_of("nadam.h5")), *whole = load_h5("nadam_3");
    assert_int_equal(model->optimizer_steps, TRAINED / BATCH);
    assert_true(fabsf(whole->optimizer_scalar - 1) > 0.1f);
    assert_true(golden_near(model->optimizer_scalar, whole->optimizer_scalar, 1e-6, 1));
    convoy_model_destroy(model);
    convoy_model_destroy(whole);
    hdf5_names_free(&names);
    free(list);
}

/* The same without the optimizer's state is another training: the state is no decoration. */
static void test_training_anew_is_another(void **state)
{
    (void)state;
    convoy_model *model = load_h5("sequential_2"), *anew = load_h5("sequential_2");
    ASSERT_OK(model_begin_optimizer(anew, &err));
    losses on = train_on(model), other = train_on(anew);
    assert_true(fabs(on.loss[0] - other.loss[0]) > 1e-4);
    convoy_model_destroy(model);
    convoy_model_destroy(anew);
}

/* As a .keras file, which has all that the .h5 file had. */
static void test_saved_as_keras(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++) {
        convoy_model *model = load_h5(trained[i]);
        ASSERT_OK(convoy_model_save(model, path_of("again.keras"), &err));
        convoy_model *again = load_model(path_of("again.keras"));
        assert_weights(again, trained[i]);
        losses one = train_on(model), other = train_on(again);
        assert_memory_equal(one.loss, other.loss, sizeof one.loss);
        convoy_model_destroy(again);
        convoy_model_destroy(model);
    }
}

/* ---- weights alone ---- */

static void assert_same_optimizer(const convoy_model *a, const convoy_model *b)
{
    assert_string_equal(a->optimizer, b->optimizer);
    assert_int_equal(a->optimizer_steps, b->optimizer_steps);
    assert_int_equal(a->optimizer_slot_count, b->optimizer_slot_count);
    for (int s = 0; s < a->optimizer_slot_count; s++)
        assert_memory_equal(a->optimizer_slots[s], b->optimizer_slots[s], model_trainable_count(a) * sizeof(float));
}

static void test_reads_weights(void **state)
{
    (void)state;
    static const struct {
        const char *model, *weights;
        bool state;
    } rows[] = {
        {"sequential_2", "sequential_2.weights.h5", true}, {"sequential_3", "sequential_3.weights.h5", true},
        {"sequential_2", "sequential_2.top.h5", false},    {"sequential_3", "sequential_3.h5", false},
        {"graph_2", "graph_2.h5", false},                  {"sequential_3", "sequential_3.safetensors", false},
        {"graph_3", "graph_3.safetensors", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[512];
        snprintf(path, sizeof path, WEIGHTS "%s", rows[i].weights);
        convoy_model *model = load_h5(rows[i].model), *whole = load_h5(rows[i].model);
        scramble(model);
        model->optimizer_steps = 99;
        ASSERT_OK(convoy_model_load_weights(model, path, &err));
        assert_weights(model, rows[i].model);
        if (!rows[i].state)
            ASSERT_OK(model_begin_optimizer(whole, &err));
        assert_same_optimizer(model, whole);
        convoy_model_destroy(model);
        /* A model without an optimizer does without. */
        char *json = NULL;
        ASSERT_OK(convoy_model_to_json(whole, &json, &err));
        convoy_model_destroy(whole);
        ASSERT_OK(convoy_model_from_json(json, strlen(json), &model, &err));
        free(json);
        ASSERT_OK(convoy_model_load_weights(model, path, &err));
        assert_weights(model, rows[i].model);
        assert_string_equal(model->optimizer, "");
        convoy_model_destroy(model);
    }
}

/* A file of Keras 2.12 calls the groups of layers otherwise; here, Keras 2.15's with these names. */
static void test_first_names_of_layers(void **state)
{
    (void)state;
    size_t size;
    char *data = read_golden("sequential_2.weights.h5", &size);
    ASSERT_OK(file_write(path_of("first.weights.h5"), data, size, &err));
    free(data);
    hid_t file = H5Fopen(path_of("first.weights.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Lmove(file, "layers", file, "_layer_checkpoint_dependencies", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    convoy_model *model = load_h5("sequential_2");
    scramble(model);
    ASSERT_OK(convoy_model_load_weights(model, path_of("first.weights.h5"), &err));
    assert_weights(model, "sequential_2");
    convoy_model_destroy(model);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const char *const models[] = {"layers_2", "layers_3", "sequential_3", "graph_3"};
    static const char *const endings[] = {"w.weights.h5", "w.safetensors", "w.keras"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
            convoy_model *model = load_h5(models[m]), *again = load_h5(models[m]);
            const char *path = path_of(endings[e]);
            ASSERT_OK(e == 2 ? convoy_model_save(model, path, &err) : convoy_model_save_weights(model, path, &err));
            scramble(again);
            ASSERT_OK(convoy_model_load_weights(again, path, &err));
            assert_same_weights(model, again);
            if (e != 1)
                assert_same_optimizer(model, again);
            convoy_model_destroy(model);
            convoy_model_destroy(again);
        }
}

/* The same weights give the same bytes. */
static void test_same_weights_same_file(void **state)
{
    (void)state;
    static const char *const endings[] = {"weights.h5", "safetensors"};
    convoy_model *model = load_h5("graph_3");
    for (size_t e = 0; e < 2; e++) {
        char one[128], other[128];
        size_t size, other_size;
        snprintf(one, sizeof one, "%s/one.%s", folder, endings[e]);
        snprintf(other, sizeof other, "%s/other.%s", folder, endings[e]);
        ASSERT_OK(convoy_model_save_weights(model, one, &err));
        ASSERT_OK(convoy_model_save_weights(model, other, &err));
        char *a = read_file(one, &size), *b = read_file(other, &other_size);
        assert_int_equal(size, other_size);
        assert_memory_equal(a, b, size);
        free(a);
        free(b);
    }
    convoy_model_destroy(model);
}
#endif

int main(void)
{
#ifdef HAVE_KERAS_FILES
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_layers),
        cmocka_unit_test(test_weights_of_trained_models),
        cmocka_unit_test(test_old_spellings),
        cmocka_unit_test(test_training_goes_on),
        cmocka_unit_test(test_product_of_nadam),
        cmocka_unit_test(test_training_anew_is_another),
        cmocka_unit_test(test_saved_as_keras),
        cmocka_unit_test(test_reads_weights),
        cmocka_unit_test(test_first_names_of_layers),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_same_weights_same_file),
    };
    return cmocka_run_group_tests(tests, begin, end);
#else
    return 77; /* skipped: tests/test_files.c says what is missing */
#endif
}
