/* Keras's older .h5 models and files of weights, damaged in every way that comes to mind: a message that names the file and what is
 * wrong, and neither a model nor half of one. */
#include "weights_help.h"

#ifdef HAVE_KERAS_FILES
#include "hdf5_help.h"

#include "base/text.h"

static char *config_of(const char *attribute)
{
    hid_t file = open_model();
    hid_t a = H5Aopen_by_name(file, "/", attribute, H5P_DEFAULT, H5P_DEFAULT), type = H5Aget_type(a);
    char *text = NULL;
    assert_true(H5Tis_variable_str(type) > 0 && H5Aread(a, type, &text) >= 0);
    char *own = strdup(text);
    H5free_memory(text);
    H5Tclose(type);
    H5Aclose(a);
    H5Fclose(file);
    return own;
}

/* Closes, and asserts that no model comes of it. */
#define REFUSED(file, ...)                                                                                             \
    do {                                                                                                               \
        H5Fclose(file);                                                                                                \
        assert_no_model(path_of("bad.h5"), __VA_ARGS__, NULL);                                                         \
    } while (0)

/* libhdf5 1.10 leaks what it has read of an object whose checksum is wrong (and says at exit that it could not close itself). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5"; }

/* ---- whole models ---- */

static void test_missing_parts(void **state)
{
    (void)state;
    hid_t file = open_model();
    H5Adelete(file, "model_config");
    REFUSED(file, "attribute model_config is missing");
    file = open_model();
    H5Ldelete(file, "model_weights", H5P_DEFAULT);
    REFUSED(file, "model_weights is missing");
    file = open_model();
    H5Ldelete(file, "model_weights/dense", H5P_DEFAULT);
    REFUSED(file, "model_weights/dense is missing");
    file = open_model();
    H5Adelete_by_name(file, "model_weights", "layer_names", H5P_DEFAULT);
    REFUSED(file, "model_weights has no attribute layer_names");
    file = open_model();
    H5Adelete_by_name(file, "model_weights/conv2d", "weight_names", H5P_DEFAULT);
    REFUSED(file, "model_weights/conv2d", "no attribute weight_names");
    file = open_model();
    H5Ldelete(file, "model_weights/conv2d/conv2d/bias:0", H5P_DEFAULT);
    REFUSED(file, "layer 'conv2d' (Conv2D)", "bias", "model_weights/conv2d/conv2d/bias:0 is missing");
    file = open_model();
    set_text(file, "model_weights", "layer_names", "conv2d", 6, 1);
    REFUSED(file, "layer 'batch_normalization' (BatchNormalization)", "no weights in model_weights/batch_normalization");
    file = open_model();
    set_text(file, "model_weights", "layer_names", "con\033[31m", 8, 1);
    REFUSED(file, "attribute layer_names: name 0 holds the control character 0x1b");
    file = open_model();
    set_text(file, "model_weights/conv2d", "weight_names", "conv2d/kernel:0", 15, 1);
    REFUSED(file, "layer 'conv2d' (Conv2D)", "1 weights in model_weights/conv2d", "needs 2");
}

static void test_configs(void **state)
{
    (void)state;
    static const int number = 3;
    char *config = config_of("model_config");
    hid_t file = open_model();
    set_text(file, "/", "model_config", config, strlen(config) - 1, 0);
    REFUSED(file, "attribute model_config", "broken JSON at line 1");
    file = open_model();
    set_text(file, "/", "model_config", "[]", 0, 0);
    REFUSED(file, "model_config", "not a Keras model");
    file = open_model();
    set_attribute(file, "/", "model_config", H5T_NATIVE_INT, &number, 0);
    REFUSED(file, "attribute model_config holds no text");
    file = open_model();
    set_text(file, "/", "model_config", "{}{}", 2, 2);
    REFUSED(file, "attribute model_config holds 2 texts");
    file = open_model();
    set_text(file, "/", "training_config", "{\"loss\": ", 0, 0);
    REFUSED(file, "attribute training_config", "broken JSON");
    char *units = strstr(config, "\"units\": 3");
    assert_non_null(units);
    units[9] = '4';
    file = open_model();
    set_text(file, "/", "model_config", config, 0, 0); /* a text of one length, as old h5py wrote it */
    REFUSED(file, "layer 'dense' (Dense)", "kernel", "(24, 3)", "(24, 4)");
    free(config);
}

static void test_links_and_kinds(void **state)
{
    (void)state;
    hid_t file = open_model();
    H5Ldelete(file, "model_weights/dense", H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "x", file, "model_weights/dense", H5P_DEFAULT, H5P_DEFAULT);
    REFUSED(file, "model_weights/dense", "link to somewhere else");
    file = open_model();
    H5Ldelete(file, "model_weights/dense/dense/bias:0", H5P_DEFAULT);
    H5Lcreate_soft("/model_weights/conv2d/conv2d/bias:0", file, "model_weights/dense/dense/bias:0", H5P_DEFAULT, H5P_DEFAULT);
    REFUSED(file, "model_weights/dense/dense/bias:0", "link to somewhere else");
    file = open_model();
    H5Ldelete(file, "model_weights/dense/dense/bias:0", H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "model_weights/dense/dense/bias:0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    REFUSED(file, "model_weights/dense/dense/bias:0 is not an array");
    file = open_model();
    H5Ldelete(file, "model_weights", H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    H5Dclose(H5Dcreate2(file, "model_weights", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    REFUSED(file, "model_weights has no attribute layer_names");
    char name[900];
    memset(name, 'n', sizeof name);
    file = open_model();
    set_text(file, "model_weights", "layer_names", name, sizeof name, 1);
    REFUSED(file, "a name of 914 bytes");
}

/* The file's model loads, its optimizer has no state, and the reason holds this. */
static void assert_left_out(const char *name, const char *reason)
{
    convoy_model *model = load_model(path_of(name));
    assert_int_equal(model->optimizer_steps, 0);
    assert_true(model->optimizer_slots[0][0] == 0 && model->optimizer_slots[1][0] == 0);
    if (strstr(model->optimizer_left_out, reason) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", reason, model->optimizer_left_out);
    convoy_model_destroy(model);
}

/* As in Keras, an optimizer whose state is not whole, or damaged, starts afresh; the model keeps the reason. */
static void test_optimizers(void **state)
{
    (void)state;
    hid_t file = open_model();
    H5Ldelete(file, "optimizer_weights", H5P_DEFAULT);
    H5Fclose(file);
    convoy_model *model = load_model(path_of("bad.h5"));
    assert_string_equal(model->optimizer, "adam");
    assert_int_equal(model->optimizer_steps, 0);
    assert_int_equal(model->optimizer_slot_count, 2);
    convoy_model_destroy(model);
    file = open_model();
    set_text(file, "optimizer_weights", "weight_names", "iteration:0", 11, 1);
    H5Fclose(file);
    assert_left_out("bad.h5", "has 0 variables of it; Adam needs 12");
    file = open_model();
    H5Ldelete(file, "optimizer_weights/Adam/v/dense/kernel:0", H5P_DEFAULT);
    H5Fclose(file);
    assert_left_out("bad.h5", "optimizer_weights/Adam/v/dense/kernel:0 is missing");
    file = open_model();
    H5Adelete(file, "training_config");
    H5Fclose(file);
    model = load_model(path_of("bad.h5"));
    assert_string_equal(model->optimizer, "");
    assert_false(model->compiled);
    convoy_model_destroy(model);
}

/* ---- any damage ---- */

/* What libhdf5 still takes for a file is read, or refused; never more. */
static void try_bytes(const char *name, const char *data, size_t size, convoy_model *weights_of_model)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    ASSERT_OK(file_write(path_of(name), data, size, &err));
    convoy_status status = convoy_model_load(path_of(name), &model, &err);
    if (status != CONVOY_OK && (err.message[0] == '\0' || strncmp(err.message, path_of(name), strlen(path_of(name))) != 0))
        fail_msg("\"%s\"", err.message);
    convoy_model_destroy(model);
    status = convoy_model_load_weights(weights_of_model, path_of(name), &err);
    if (status != CONVOY_OK && strncmp(err.message, path_of(name), strlen(path_of(name))) != 0)
        fail_msg("\"%s\"", err.message);
}

static void test_truncated(void **state)
{
    (void)state;
    static const char *const names[] = {"sequential_2.h5", "sequential_3.h5", "graph_2.h5", "sequential_3.weights.h5",
                                        "sequential_2.top.h5"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        size_t size;
        char *data = read_golden(names[n], &size);
        convoy_model *model = load_golden("sequential_3.h5");
        for (size_t i = 0; i < 40; i++) {
            size_t cut = size * i / 40;
            ASSERT_OK(file_write(path_of("cut.h5"), data, cut, &err));
            assert_no_model(path_of("cut.h5"), NULL);
            assert_no_weights(model, path_of("cut.h5"), NULL);
        }
        convoy_model_destroy(model);
        free(data);
    }
}

static void test_flipped_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"sequential_2.h5", "graph_3.h5", "sequential_3.weights.h5"};
    uint32_t random = 1;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        size_t size;
        char *data = read_golden(names[n], &size);
        convoy_model *model = load_golden("sequential_2.h5");
        for (int i = 0; i < 200; i++) {
            random = random * 1664525 + 1013904223;
            size_t at = random % size;
            char kept = data[at];
            data[at] = (char)(data[at] ^ (1 + (random >> 24) % 255));
            try_bytes("flip.h5", data, size, model);
            data[at] = kept;
        }
        convoy_model_destroy(model);
        free(data);
    }
}

/* ---- weights alone ---- */

static void test_weights_of_others(void **state)
{
    (void)state;
    convoy_model *model = load_golden("sequential_3.h5");
    assert_no_weights(model, WEIGHTS "graph_3.h5", "4 layers with weights", "the model has 3", NULL);
    assert_no_weights(model, WEIGHTS "graph_3.safetensors", "no tensor is called 'conv2d/kernel'", NULL);
    hid_t file = open_copy("sequential_3.weights.h5", "w.weights.h5");
    H5Ldelete(file, "layers/dense", H5P_DEFAULT);
    H5Fclose(file);
    assert_no_weights(model, path_of("w.weights.h5"), "layer 'dense' (Dense)", "0 weights in layers/dense/vars", NULL);
    file = H5Fcreate(path_of("w.weights.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_no_weights(model, path_of("w.weights.h5"), "no weights that Keras wrote", "layer_names", NULL);
    file = open_copy("sequential_2.top.h5", "w.h5");
    H5Ldelete(file, "dense", H5P_DEFAULT);
    H5Fclose(file);
    assert_no_weights(model, path_of("w.h5"), "dense is missing", NULL);
    ASSERT_OK(file_write(path_of("w.h5"), "hello", 5, &err));
    assert_no_weights(model, path_of("w.h5"), "holds no weights", ".safetensors", NULL);
    ASSERT_OK(file_write(path_of("w.h5"), "", 0, &err));
    assert_no_weights(model, path_of("w.h5"), "is empty", NULL);
    /* A later part of the file is bad: what was read before it is taken back, the optimizer's state too. */
    file = open_copy("sequential_3.weights.h5", "w.weights.h5");
    H5Ldelete(file, "layers/dense/vars/1", H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "layers/dense/vars/1", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    convoy_model *same = load_golden("sequential_3.h5");
    scramble(model);
    assert_no_weights(model, path_of("w.weights.h5"), "layers/dense/vars/1 is not an array", NULL);
    assert_int_equal(model->optimizer_steps, same->optimizer_steps);
    for (int s = 0; s < 2; s++)
        assert_memory_equal(model->optimizer_slots[s], same->optimizer_slots[s], model_trainable_count(same) * sizeof(float));
    convoy_model_destroy(same);
    convoy_model_destroy(model);
}

/* ---- the wrong way round ---- */

static void test_wrong_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name, *part;
    } saved[] = {{"m.h5", "read, but not written"}, {"m.hdf5", "not written"}, {"m.weights.h5", "weights alone"},
                 {"m.safetensors", "weights alone"}};
    convoy_error err = {0};
    convoy_model *model = load_golden("sequential_3.h5");
    size_t before = files_in_folder();
    for (size_t i = 0; i < sizeof saved / sizeof *saved; i++) {
        assert_int_equal(convoy_model_save(model, path_of(saved[i].name), &err), CONVOY_ERROR_ARGUMENT);
        if (strstr(err.message, saved[i].part) == NULL || strstr(err.message, saved[i].name) == NULL)
            fail_msg("\"%s\"", err.message);
    }
    assert_int_equal(convoy_model_save_weights(model, path_of("m.npz"), &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, ".weights.h5 or .safetensors"));
    assert_int_equal(convoy_model_save_weights(model, path_of("no/m.safetensors"), &err), CONVOY_ERROR_FILE);
    assert_int_equal(convoy_model_load_weights(model, path_of("none.h5"), &err), CONVOY_ERROR_FILE);
    assert_int_equal(files_in_folder(), before);
    assert_no_model(WEIGHTS "sequential_3.weights.h5", "weights alone", "convoy_model_load_weights", NULL);
    assert_no_model(WEIGHTS "sequential_2.top.h5", "weights alone", "convoy_model_load_weights", NULL);
    assert_no_model(WEIGHTS "sequential_3.safetensors", "weights alone", "convoy_model_load_weights", NULL);
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0); /* nothing is left open */
    convoy_model_destroy(model);
}
#endif

int main(void)
{
#ifdef HAVE_KERAS_FILES
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_parts),
        cmocka_unit_test(test_configs),
        cmocka_unit_test(test_links_and_kinds),
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_weights_of_others),
        cmocka_unit_test(test_wrong_kinds),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
#else
    return 77; /* skipped: tests/test_files.c says what is missing */
#endif
}
