/* Files and tables in Keras's own form: .keras files read and written, damaged and foreign ones refused, and the
 * summary to the character. What Keras wrote, computed and printed lies in golden/ (tools/make_golden_files.py). */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_ok.h"
#include "base/file.h"
#include "base/text.h"
#include "config.h"
#include "model/model.h"

#define GOLDEN TEST_GOLDEN_DIR
#define MOST ((size_t)1 << 24)

static char folder[64]; /* of our own, gone at the end */

static char *read_text(const char *format, ...)
{
    char path[512], *data = NULL;
    size_t size = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    ASSERT_OK(file_read(path, MOST, &data, &size, &err));
    return data;
}

/* ---- the summary ---- */

static convoy_model *tutorial(const char *name, bool numbered)
{
    static const char *const layers[][3] = {
        {"InputLayer", "shape=(32, 32, 3)", ""},
        {"Conv2D", "filters=32, kernel_size=3, padding='valid', activation='relu'", ", name='conv2d_1'"},
        {"MaxPooling2D", "pool_size=(2, 2)", ", name='max_pooling2d_1'"},
        {"Conv2D", "filters=64, kernel_size=3, activation='relu'", ", name='conv2d_2'"},
        {"MaxPooling2D", "pool_size=2", ", name='max_pooling2d_2'"},
        {"Conv2D", "filters=128, kernel_size=3, activation='relu'", ", name='conv2d_3'"},
        {"Flatten", NULL, ""},
        {"Dense", "units=64, activation='relu'", ""},
        {"Dense", "units=10", ""},
    };
    convoy_model *model = NULL;
    ASSERT_OK(convoy_model_create(name, &model, &err));
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        char options[160];
        snprintf(options, sizeof options, "%s%s", layers[i][1] ? layers[i][1] : "", numbered ? layers[i][2] : "");
        ASSERT_OK(convoy_model_add(model, layers[i][0], options, &err));
    }
    return model;
}

static convoy_model *long_names(void)
{
    static const char json[] =
        "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"a model whose name is longer than a terminal of "
        "sixty columns\", \"layers\": ["
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 1000, 1000, 3]}},"
        "{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"a_name_that_no_column_of_the_table_can_hold\","
        " \"filters\": 1024, \"kernel_size\": 3}},"
        "{\"class_name\": \"MaxPooling2D\", \"config\": {\"name\": \"several words are broken between them\","
        " \"pool_size\": 1}},"
        "{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"frozen\", \"filters\": 2048, \"kernel_size\": 3,"
        " \"trainable\": false}},"
        "{\"class_name\": \"Dense\", \"config\": {\"name\": \"größe\", \"units\": 1, \"use_bias\": false}}]}}";
    convoy_model *model = NULL;
    ASSERT_OK(convoy_model_from_json(json, strlen(json), &model, &err));
    return model;
}

static void assert_summary(const convoy_model *model, int columns, bool classic, const char *file)
{
    char *found = NULL, *expected = read_text(GOLDEN "/summary/%s", file);
    const convoy_summary_options options = {.columns = columns, .classic = classic};
    ASSERT_OK(convoy_model_summary(model, &options, &found, &err));
    if (strcmp(found, expected) != 0)
        fail_msg("%s: expected\n%s\nfound\n%s", file, expected, found);
    free(found);
    free(expected);
}

static void test_summary_of_the_tutorial(void **state)
{
    (void)state;
    convoy_model *model = tutorial(NULL, false);
    assert_summary(model, 80, false, "tutorial_80.txt");
    assert_summary(model, 0, false, "tutorial_80.txt");
    assert_summary(model, 120, false, "tutorial_120.txt");
    assert_summary(model, 500, false, "tutorial_120.txt");
    assert_summary(model, 0, true, "tutorial_classic.txt");
    text_copy(model->optimizer, sizeof model->optimizer, "adam");
    model->optimizer_slot_count = 2;
    assert_summary(model, 80, false, "tutorial_adam_80.txt");
    assert_summary(model, 0, true, "tutorial_classic.txt");
    model->optimizer_slot_count = 0;
    convoy_model_destroy(model);
}

static void test_summary_breaks_lines_as_keras(void **state)
{
    (void)state;
    convoy_model *model = long_names();
    assert_summary(model, 20, false, "names_20.txt");
    assert_summary(model, 47, false, "names_47.txt");
    assert_summary(model, 60, false, "names_60.txt");
    assert_summary(model, 90, false, "names_90.txt");
    assert_summary(model, 0, true, "names_classic.txt");
    convoy_model_destroy(model);
}

/* The notebook's own lines, as far as it shows them. */
static void test_classic_summary_is_the_notebooks(void **state)
{
    static const char beginning[] =
        "Model: \"sequential_1\"\n"
        "_________________________________________________________________\n"
        " Layer (type)                Output Shape              Param #   \n"
        "=================================================================\n"
        " conv2d_1 (Conv2D)           (None, 30, 30, 32)        896       \n"
        "                                                                 \n"
        " max_pooling2d_1 (MaxPooling  (None, 15, 15, 32)       0         \n"
        " 2D)                                                             \n"
        "                                                                 \n"
        " conv2d_2 (Conv2D)           (None, 13, 13, 64)        18496     \n"
        "                                                                 \n"
        " max_pooling2d_2 (MaxPooling  (None, 6, 6, 64)         0         \n"
        " 2D)                                                             \n"
        "                                                                 \n"
        " conv2d_3 (Conv2D)           (None, 4, 4, 128)         73856     \n"
        "                                                                 \n"
        " flatten (Flatten)           (None, 2048)              0         \n";
    (void)state;
    char *found = NULL;
    convoy_model *model = tutorial("sequential_1", true);
    const convoy_summary_options options = {.classic = true};
    ASSERT_OK(convoy_model_summary(model, &options, &found, &err));
    assert_memory_equal(found, beginning, strlen(beginning));
    free(found);
    convoy_model_destroy(model);
}

/* Bold takes no place: without its marks the text is the same. */
static void test_summary_in_bold(void **state)
{
    (void)state;
    char *found = NULL, *expected = read_text(GOLDEN "/summary/tutorial_80.txt"), *out;
    static const char title[] = "\033[1mModel: \"sequential\"\033[0m\n";
    const convoy_summary_options options = {.bold = true};
    convoy_model *model = tutorial(NULL, false);
    ASSERT_OK(convoy_model_summary(model, &options, &found, &err));
    assert_int_equal(strncmp(found, title, strlen(title)), 0);
    assert_non_null(strstr(found, "┃ \033[1m      Param #\033[0m ┃"));
    assert_non_null(strstr(found, "\n\033[1m Total params: \033[0m225,034 (879.04 KB)\n"));
    out = found;
    for (const char *p = found; (*out = *p) != '\0';) {
        if (*p == '\033') {
            p = strchr(p, 'm') + 1;
        } else {
            out++;
            p++;
        }
    }
    assert_string_equal(found, expected);
    free(found);
    free(expected);
    convoy_model_destroy(model);
}

static void test_summary_refuses_a_negative_width(void **state)
{
    (void)state;
    char *found = NULL;
    convoy_error err = {0};
    convoy_model *model = tutorial(NULL, false);
    const convoy_summary_options options = {.columns = -1};
    assert_int_equal(convoy_model_summary(model, &options, &found, &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "-1 columns"));
    convoy_model_destroy(model);
}

#ifdef HAVE_KERAS_FILES
#include "test_files_keras.h"
/* after what it builds on */
#include "test_files_damage.h"
#else
static void test_without_the_libraries(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *model = tutorial(NULL, false), *loaded = NULL;
    assert_int_equal(convoy_model_save(model, "m.keras", &err), CONVOY_ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "libzip-dev"));
    assert_non_null(strstr(err.message, "libhdf5-dev"));
    assert_int_equal(convoy_model_load(GOLDEN "/keras/fitted.keras", &loaded, &err), CONVOY_ERROR_UNSUPPORTED);
    assert_null(loaded);
    convoy_model_destroy(model);
}
#endif

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/convoy-test-files-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summary_of_the_tutorial),
        cmocka_unit_test(test_summary_breaks_lines_as_keras),
        cmocka_unit_test(test_classic_summary_is_the_notebooks),
        cmocka_unit_test(test_summary_in_bold),
        cmocka_unit_test(test_summary_refuses_a_negative_width),
#ifdef HAVE_KERAS_FILES
        cmocka_unit_test(test_reads_what_keras_wrote),
        cmocka_unit_test(test_reads_the_optimizer),
        cmocka_unit_test(test_references_compute_what_keras_computes),
        cmocka_unit_test(test_a_device_computes_what_keras_computes),
        cmocka_unit_test(test_save_and_load_keep_every_bit),
        cmocka_unit_test(test_same_model_same_file),
        cmocka_unit_test(test_truncated_files),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_damaged_weights),
        cmocka_unit_test(test_foreign_archives),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_missing_weights),
        cmocka_unit_test(test_links_out_of_the_file),
        cmocka_unit_test(test_an_archive_that_unpacks_to_too_much),
        cmocka_unit_test(test_unknown_optimizers_are_left_out),
        cmocka_unit_test(test_hdf5_is_left_as_it_was),
        cmocka_unit_test(test_output_that_cannot_be_written),
        cmocka_unit_test(test_full_disk),
#else
        cmocka_unit_test(test_without_the_libraries),
#endif
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
