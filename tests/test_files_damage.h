/* The part of test_files.c about damaged, foreign and unwritable .keras files. */
#include <hdf5.h>
#include <zip.h>

#include "base/zip.h"

#define WEIGHTS "model.weights.h5"

/* ---- damage ---- */

static void write_bytes(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb"); /* not file_write: it would wait for the disk thousands of times */
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A damaged file is refused with a reason, or read as if it were whole. */
static void assert_refused_or_same(const char *path, convoy_model *whole, size_t *refused)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    convoy_status status = convoy_model_load(path, &model, &err);
    if (status == CONVOY_OK) {
        assert_same_model(whole, model);
        convoy_model_destroy(model);
        return;
    }
    ++*refused;
    assert_null(model);
    assert_true(status == CONVOY_ERROR_FORMAT || status == CONVOY_ERROR_MODEL);
    assert_true(strlen(err.message) > strlen(path) + 10);
}

static void test_truncated_files(void **state)
{
    static const char *const names[] = {"fitted", "half"};
    (void)state;
    for (int n = 0; n < 2; n++) {
        char source[512], *data = NULL, path[256];
        size_t size = 0, refused = 0, tried = 0;
        convoy_model *whole = load(GOLDEN "/keras/%s.keras", names[n]);
        snprintf(source, sizeof source, GOLDEN "/keras/%s.keras", names[n]);
        snprintf(path, sizeof path, "%s", path_of("short.keras"));
        ASSERT_OK(file_read(source, MOST, &data, &size, &err));
        for (size_t length = 0; length < size; length += length < 64 || length + 300 > size ? 1 : 61, tried++) {
            write_bytes(path, data, length);
            assert_refused_or_same(path, whole, &refused);
        }
        assert_int_equal(refused, tried);
        free(data);
        convoy_model_destroy(whole);
    }
}

static void test_flipped_bytes(void **state)
{
    static const char *const names[] = {"fitted", "half"};
    (void)state;
    for (int n = 0; n < 2; n++) {
        char source[512], *data = NULL, path[256];
        size_t size = 0, refused = 0;
        convoy_model *whole = load(GOLDEN "/keras/%s.keras", names[n]);
        snprintf(source, sizeof source, GOLDEN "/keras/%s.keras", names[n]);
        snprintf(path, sizeof path, "%s", path_of("flipped.keras"));
        ASSERT_OK(file_read(source, MOST, &data, &size, &err));
        for (size_t i = 0; i < size; i += i < 128 || i + 400 > size ? 1 : 23) {
            const char kept = data[i];
            data[i] = (char)(kept ^ (1 << i % 8));
            write_bytes(path, data, size);
            assert_refused_or_same(path, whole, &refused);
            data[i] = kept;
        }
        assert_true(refused > 50);
        free(data);
        convoy_model_destroy(whole);
    }
}

/* ---- archives made by hand ---- */

static void read_members(const char *path, char **config, size_t *config_size, char **weights, size_t *weights_size)
{
    zip_archive *archive = NULL;
    ASSERT_OK(zip_archive_open(path, "a .keras", &archive, &err));
    ASSERT_OK(zip_archive_read(archive, "config.json", MOST, config, config_size, &err));
    ASSERT_OK(zip_archive_read(archive, WEIGHTS, MOST, weights, weights_size, &err));
    zip_archive_close(archive);
}

static void write_archive(const char *path, const zip_member *members, size_t count)
{
    char *data = NULL;
    size_t size = 0;
    ASSERT_OK(zip_archive_build(members, count, &data, &size, &err));
    write_bytes(path, data, size);
    free(data);
}

/* The checksum of the archive is right here, so that libhdf5 meets the damage. */
static void test_damaged_weights(void **state)
{
    (void)state;
    char *config, *weights, path[256];
    size_t config_size, weights_size, refused = 0;
    snprintf(path, sizeof path, "%s", path_of("weights.keras"));
    read_members(GOLDEN "/keras/fitted.keras", &config, &config_size, &weights, &weights_size);
    for (size_t length = 0; length < weights_size; length += 257) {
        const zip_member members[] = {{"config.json", config, config_size}, {WEIGHTS, weights, length}};
        write_archive(path, members, 2);
        assert_refused(path, WEIGHTS, NULL);
        refused++;
    }
    assert_true(refused > 50);
    const zip_member members[] = {{"config.json", config, config_size}, {WEIGHTS, "not HDF5", 8}};
    write_archive(path, members, 2);
    assert_refused(path, "damaged, or not an HDF5 file", NULL);
    free(config);
    free(weights);
}

static void test_foreign_archives(void **state)
{
    (void)state;
    char *config, *weights, path[256];
    size_t config_size, weights_size;
    static const char unknown[] = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
                                  "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 4, 4, 1]}},"
                                  "{\"class_name\": \"Conv9D\", \"config\": {}}]}}";
    snprintf(path, sizeof path, "%s", path_of("foreign.keras"));
    read_members(GOLDEN "/keras/conv_a.keras", &config, &config_size, &weights, &weights_size);
    const zip_member none[] = {{"word/document.xml", "<a/>", 4}, {"mimetype", "x", 1}};
    write_archive(path, none, 2);
    assert_refused(path, "no member config.json", "word/document.xml, mimetype", NULL);
    const zip_member no_weights[] = {{"config.json", config, config_size}, {"model.weights.npz", "x", 1}};
    write_archive(path, no_weights, 2);
    assert_refused(path, "no member model.weights.h5", "model.weights.npz", NULL);
    const zip_member broken[] = {{"config.json", config, config_size / 2}, {WEIGHTS, weights, weights_size}};
    write_archive(path, broken, 2);
    assert_refused(path, "config.json: broken JSON at line", NULL);
    const zip_member other[] = {{"config.json", unknown, strlen(unknown)}, {WEIGHTS, weights, weights_size}};
    write_archive(path, other, 2);
    assert_refused(path, "unknown layer 'Conv9D'", "Conv2D", NULL);
    /* What Keras reads too: no metadata, and members that it does not know. */
    const zip_member fine[] = {
        {"a.txt", "a", 1}, {"config.json", config, config_size}, {WEIGHTS, weights, weights_size}};
    write_archive(path, fine, 3);
    convoy_model *model = load("%s", path);
    assert_weights(model, "conv_a");
    convoy_model_destroy(model);
    write_bytes(path, "PK\003\004 and nothing more", 20);
    assert_refused(path, "zip archive", NULL);
    free(config);
    free(weights);
}

static void replace(char *data, const char *what, const char *by)
{
    char *at = strstr(data, what);
    assert_non_null(at);
    assert_int_equal(strlen(what), strlen(by));
    memcpy(at, by, strlen(by));
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    char *config, *weights, path[256];
    size_t config_size, weights_size;
    snprintf(path, sizeof path, "%s", path_of("shapes.keras"));
    read_members(GOLDEN "/keras/fitted.keras", &config, &config_size, &weights, &weights_size);
    const zip_member members[] = {{"config.json", config, config_size}, {WEIGHTS, weights, weights_size}};
    replace(config, "\"units\": 3", "\"units\": 4");
    write_archive(path, members, 2);
    assert_refused(path, "layer 'dense_1' (Dense)", "kernel", "layers/dense_1/vars/0", "(6, 3)", "(6, 4)", NULL);
    replace(config, "\"units\": 4", "\"units\": 3");
    replace(config, "\"use_bias\": true", "\"use_bias\":false");
    write_archive(path, members, 2);
    assert_refused(path, "layer 'first' (Conv2D)", "2 weights in layers/conv2d/vars", "needs 1", NULL);
    free(config);
    free(weights);
}

/* Opens weights for changes, by way of a file of our own. */
static hid_t open_weights(const char *weights, size_t size)
{
    write_bytes(path_of("w.h5"), weights, size);
    hid_t file = H5Fopen(path_of("w.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void close_weights(hid_t file, const char *config, size_t config_size, const char *path)
{
    char *data = NULL;
    size_t size = 0;
    H5Fclose(file);
    ASSERT_OK(file_read(path_of("w.h5"), MOST, &data, &size, &err));
    const zip_member members[] = {{"config.json", config, config_size}, {WEIGHTS, data, size}};
    write_archive(path, members, 2);
    free(data);
}

static void test_missing_weights(void **state)
{
    (void)state;
    char *config, *weights, path[256];
    size_t config_size, weights_size;
    snprintf(path, sizeof path, "%s", path_of("missing.keras"));
    read_members(GOLDEN "/keras/fitted.keras", &config, &config_size, &weights, &weights_size);
    hid_t file = open_weights(weights, weights_size);
    H5Ldelete(file, "layers/dense", H5P_DEFAULT);
    close_weights(file, config, config_size, path);
    assert_refused(path, "layer 'dense' (Dense)", "0 weights in layers/dense/vars", "needs 1", NULL);
    file = open_weights(weights, weights_size);
    H5Lmove(file, "layers/dense_1/vars/1", file, "layers/dense_1/vars/7", H5P_DEFAULT, H5P_DEFAULT);
    close_weights(file, config, config_size, path);
    assert_refused(path, "layer 'dense_1' (Dense)", "bias", "layers/dense_1/vars/1 is missing", NULL);
    /* As in Keras, an optimizer that is not whole starts afresh. */
    file = open_weights(weights, weights_size);
    H5Ldelete(file, "optimizer/vars/9", H5P_DEFAULT);
    close_weights(file, config, config_size, path);
    convoy_model *model = load("%s", path);
    assert_weights(model, "fitted");
    assert_int_equal(model->optimizer_steps, 0);
    assert_true(model->optimizer_slots[0][0] == 0);
    assert_non_null(strstr(model->optimizer_left_out, "variables of it; "));
    convoy_model_destroy(model);
    free(config);
    free(weights);
}

static void test_links_out_of_the_file(void **state)
{
    (void)state;
    char *config, *weights, path[256];
    size_t config_size, weights_size;
    hsize_t dims[] = {6, 3};
    snprintf(path, sizeof path, "%s", path_of("links.keras"));
    read_members(GOLDEN "/keras/fitted.keras", &config, &config_size, &weights, &weights_size);
    hid_t file = open_weights(weights, weights_size);
    H5Ldelete(file, "layers/dense_1/vars/0", H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "x", file, "layers/dense_1/vars/0", H5P_DEFAULT, H5P_DEFAULT);
    close_weights(file, config, config_size, path);
    assert_refused(path, "layers/dense_1/vars/0", "link to somewhere else", NULL);
    file = open_weights(weights, weights_size);
    H5Ldelete(file, "layers/dense_1/vars/0", H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, dims, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(list, "/etc/passwd", 0, 6 * 3 * 4);
    H5Dclose(H5Dcreate2(file, "layers/dense_1/vars/0", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Pclose(list);
    H5Sclose(space);
    close_weights(file, config, config_size, path);
    assert_refused(path, "layers/dense_1/vars/0", "outside the file", NULL);
    free(config);
    free(weights);
}

static void test_an_archive_that_unpacks_to_too_much(void **state)
{
    (void)state;
    const size_t size = (size_t)40 << 20;
    char *config, *weights, path[256], *zeros = calloc(1, size);
    size_t config_size, weights_size;
    snprintf(path, sizeof path, "%s", path_of("bomb.keras"));
    read_members(GOLDEN "/keras/fitted.keras", &config, &config_size, &weights, &weights_size);
    assert_non_null(zeros);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(zip);
    assert_int_equal(zip_file_add(zip, "config.json", zip_source_buffer(zip, config, config_size, 0), 0), 0);
    assert_int_equal(zip_file_add(zip, WEIGHTS, zip_source_buffer(zip, zeros, size, 0), 0), 1);
    assert_int_equal(zip_close(zip), 0);
    assert_refused(path, WEIGHTS " has 41943040 bytes; at most", NULL);
    free(zeros);
    free(config);
    free(weights);
}

/* The config with one thing changed in its optimizer's config, or (key NULL) another optimizer. */
static char *change_optimizer(const char *config, const char *key, json_t *value)
{
    json_t *root = json_loads(config, 0, NULL);
    json_t *optimizer = json_object_get(json_object_get(root, "compile_config"), "optimizer");
    assert_non_null(optimizer);
    assert_int_equal(json_object_set_new(key ? json_object_get(optimizer, "config") : optimizer,
                                         key ? key : "class_name", value), 0);
    char *changed = json_dumps(root, 0);
    json_decref(root);
    assert_non_null(changed);
    return changed;
}

static void test_unknown_optimizers_are_left_out(void **state)
{
    (void)state;
    char *config, *weights, path[256];
    size_t config_size, weights_size;
    snprintf(path, sizeof path, "%s", path_of("optimizer.keras"));
    read_members(GOLDEN "/keras/fitted.keras", &config, &config_size, &weights, &weights_size);
    char *changed[] = {
        change_optimizer(config, NULL, json_string("Ftrl")),
        change_optimizer(config, "loss_scale_factor", json_real(2.0)),
        change_optimizer(config, "learning_rate", json_string("fast")),
    };
    static const char *const reasons[] = {"Ftrl is not known; known: adam, sgd", "'loss_scale_factor' is 2.0", "'learning_rate' is"};
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        const zip_member members[] = {
            {"config.json", changed[i], strlen(changed[i])}, {WEIGHTS, weights, weights_size}};
        write_archive(path, members, 2);
        convoy_model *model = load("%s", path);
        assert_weights(model, "fitted");
        assert_string_equal(model->optimizer, "");
        if (strstr(model->optimizer_refused, reasons[i]) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", reasons[i], model->optimizer_refused);
        assert_int_equal(model->optimizer_slot_count, 0);
        convoy_model_destroy(model);
        free(changed[i]);
    }
    free(config);
    free(weights);
}

/* ---- manners ---- */

static herr_t own_hook(hid_t stack, void *user)
{
    (void)stack;
    ++*(int *)user;
    return 0;
}

static void test_hdf5_is_left_as_it_was(void **state)
{
    (void)state;
    int calls = 0;
    H5E_auto2_t before, hook;
    void *before_data, *data;
    char *config, *weights, path[256];
    size_t config_size, weights_size;
    H5Eget_auto2(H5E_DEFAULT, &before, &before_data);
    H5Eset_auto2(H5E_DEFAULT, own_hook, &calls);
    convoy_model *model = load(GOLDEN "/keras/fitted.keras");
    ASSERT_OK(convoy_model_save(model, path_of("ours.keras"), &err));
    convoy_model_destroy(model);
    snprintf(path, sizeof path, "%s", path_of("bad.keras"));
    read_members(GOLDEN "/keras/fitted.keras", &config, &config_size, &weights, &weights_size);
    for (size_t cut = 0; cut < 3000; cut += 500) {
        const zip_member members[] = {
            {"config.json", config, config_size}, {WEIGHTS, weights, weights_size - cut - 1}};
        write_archive(path, members, 2);
        assert_refused(path, NULL);
    }
    H5Eget_auto2(H5E_DEFAULT, &hook, &data);
    assert_true(hook == own_hook && data == &calls);
    assert_int_equal(calls, 0);
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    H5Eset_auto2(H5E_DEFAULT, before, before_data);
    free(config);
    free(weights);
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void assert_unwritable(const convoy_model *model, const char *path, const char *reason)
{
    convoy_error err = {0};
    assert_int_equal(convoy_model_save(model, path, &err), CONVOY_ERROR_FILE);
    if (strncmp(err.message, path, strlen(path)) != 0 || strstr(err.message, reason) == NULL)
        fail_msg("\"%s\" names not \"%s\" and \"%s\"", err.message, path, reason);
}

static void test_output_that_cannot_be_written(void **state)
{
    (void)state;
    char path[300];
    convoy_model *model = load(GOLDEN "/keras/pool.keras");
    assert_unwritable(model, path_of("no/such/folder/m.keras"), "No such file or directory");
    assert_unwritable(model, folder, "is a folder");
    assert_unwritable(model, "/proc/m.keras", "");
    snprintf(path, sizeof path, "%s/m.keras", GOLDEN "/keras/pool.keras");
    assert_unwritable(model, path, "Not a directory");
    if (geteuid() != 0) { /* nothing is read-only to root */
        assert_int_equal(chmod(folder, 0500), 0);
        assert_unwritable(model, path_of("m.keras"), "Permission denied");
        assert_int_equal(chmod(folder, 0700), 0);
    }
    convoy_model_destroy(model);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct rlimit limit, kept;
    convoy_model *model = load(GOLDEN "/keras/pool.keras"), *big = load(GOLDEN "/keras/conv_a.keras");
    ASSERT_OK(convoy_model_save(model, path_of("full.keras"), &err));
    int before = files_in_folder();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    limit = kept;
    limit.rlim_cur = 8192;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_unwritable(big, path_of("full.keras"), "can't write");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(files_in_folder(), before);
    convoy_model *still = load("%s", path_of("full.keras"));
    assert_same_model(model, still);
    convoy_model_destroy(still);
    convoy_model_destroy(big);
    convoy_model_destroy(model);
}
