/* The data room: CIFAR-10's binary files good and bad, the sample, slices. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "config.h"
#include "convoy/dataset.h"
#include "data_help.h"

#define PIXELS 1024
#define RECORD 3073

static uint8_t pixel(int image, int plane, int i)
{
    return (uint8_t)(image * 101 + plane * 37 + i * 7 + i / 256);
}

/* `count` records whose labels run from `label` on, modulo 10; `image` numbers the first one's pixels. */
static uint8_t *records(int count, int label, int image)
{
    uint8_t *bytes = malloc((size_t)count * RECORD);
    assert_non_null(bytes);
    for (int r = 0; r < count; r++) {
        bytes[r * RECORD] = (uint8_t)((label + r) % 10);
        for (int plane = 0; plane < 3; plane++)
            for (int i = 0; i < PIXELS; i++)
                bytes[r * RECORD + 1 + plane * PIXELS + i] = pixel(image + r, plane, i);
    }
    return bytes;
}

static void put_records(const char *name, int count, int label, int image)
{
    uint8_t *bytes = records(count, label, image);
    put(name, bytes, (size_t)count * RECORD);
    free(bytes);
}

static void check_image(const convoy_dataset *data, size_t row, int image)
{
    const uint8_t *pixels = convoy_dataset_images(data) + row * 3 * PIXELS;
    for (int i = 0; i < PIXELS; i++)
        for (int plane = 0; plane < 3; plane++)
            assert_int_equal(pixels[i * 3 + plane], pixel(image, plane, i));
}

/* ---- good files ---- */

static void test_folder(void **state)
{
    (void)state;
    static const int labels[] = {0, 1, 2, 7, 8};
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", i + 1);
        put_records(name, 1, labels[i], i);
    }
    put_records("test_batch.bin", 1, 9, 5);
    convoy_dataset *train = opened(folder, "train");
    assert_int_equal(convoy_dataset_count(train), 5);
    assert_int_equal(convoy_dataset_classes(train), 10);
    convoy_shape shape = convoy_dataset_shape(train);
    assert_int_equal(shape.rank, 3);
    assert_int_equal(shape.dim[0], 32);
    assert_int_equal(shape.dim[1], 32);
    assert_int_equal(shape.dim[2], 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(convoy_dataset_labels(train)[i], labels[i]);
    for (int i = 0; i < 5; i++)
        check_image(train, (size_t)i, i);
    assert_string_equal(convoy_dataset_class_name(train, 0), "airplane");
    assert_string_equal(convoy_dataset_class_name(train, 9), "truck");
    assert_null(convoy_dataset_class_name(train, 10));
    assert_null(convoy_dataset_class_name(train, -1));
    convoy_dataset_destroy(train);

    convoy_dataset *test = opened(folder, "test");
    assert_int_equal(convoy_dataset_count(test), 1);
    assert_int_equal(convoy_dataset_labels(test)[0], 9);
    check_image(test, 0, 5);
    convoy_dataset_destroy(test);
}

static void test_parent_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("cifar-10-batches-bin"), 0777), 0);
    put_records("cifar-10-batches-bin/data_batch_1.bin", 2, 4, 0);
    convoy_dataset *train = opened(folder, "train");
    assert_int_equal(convoy_dataset_count(train), 2);
    convoy_dataset_destroy(train);
    /* Files in the folder itself go first; parts of the two are not mixed. */
    put_records("test_batch.bin", 1, 0, 0);
    refused(folder, "train", CONVOY_ERROR_NO_PART, "no train part", "data_batch_1.bin to data_batch_5.bin", NULL);
}

/* A single first file that is smaller than a whole one is a set of its own; all else is a download that was cut off. */
static void test_missing_batch(void **state)
{
    (void)state;
    put_records("data_batch_1.bin", 2, 0, 0);
    put_records("test_batch.bin", 1, 0, 0);
    convoy_dataset_destroy(opened(folder, "train"));
    put_records("data_batch_2.bin", 2, 0, 0);
    put_records("data_batch_4.bin", 2, 0, 0);
    put_records("data_batch_5.bin", 2, 0, 0);
    refused(folder, "train", CONVOY_ERROR_FORMAT, folder, "data_batch_3.bin is missing", "4 of the training files of CIFAR-10", NULL);
    convoy_dataset_destroy(opened(folder, "test"));
    unlink(at("data_batch_1.bin"));
    unlink(at("data_batch_4.bin"));
    unlink(at("data_batch_5.bin"));
    refused(folder, "train", CONVOY_ERROR_FORMAT, "data_batch_1.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin are missing",
            NULL);
    unlink(at("data_batch_2.bin"));
    put_records("data_batch_1.bin", 10000, 0, 0);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "data_batch_2.bin, data_batch_3.bin", "1 of the training files", NULL);
}

static void test_one_file(void **state)
{
    (void)state;
    put_records("mine.bin", 4, 2, 0);
    const char *parts[] = {"train", "test"};
    for (int i = 0; i < 2; i++) {
        convoy_dataset *set = opened(at("mine.bin"), parts[i]);
        assert_int_equal(convoy_dataset_count(set), 4);
        assert_int_equal(convoy_dataset_labels(set)[3], 5);
        assert_null(convoy_dataset_class_name(set, 0)); /* nothing says that these are CIFAR-10's classes */
        convoy_dataset_destroy(set);
    }
    /* Without a slash in the name, too. */
    char *before = getcwd(NULL, 0);
    assert_non_null(before);
    assert_int_equal(chdir(folder), 0);
    convoy_dataset *set = opened("mine.bin", "train");
    check_image(set, 3, 3);
    convoy_dataset_destroy(set);
    assert_int_equal(chdir(before), 0);
    free(before);
}

static void test_class_names(void **state)
{
    (void)state;
    static const char names[] = "disc\r\n  two words \n\na\nb\nc\nd\ne\nf\ng\nlast";
    put_records("data_batch_1.bin", 1, 0, 0);
    put("batches.meta.txt", names, sizeof names - 1);
    const char *where[] = {folder, at("data_batch_1.bin")};
    for (int i = 0; i < 2; i++) {
        convoy_dataset *set = opened(where[i], "train");
        assert_string_equal(convoy_dataset_class_name(set, 0), "disc");
        assert_string_equal(convoy_dataset_class_name(set, 1), "two words");
        assert_string_equal(convoy_dataset_class_name(set, 9), "last");
        convoy_dataset_destroy(set);
    }
}

static void test_bad_class_names(void **state)
{
    (void)state;
    put_records("data_batch_1.bin", 1, 0, 0);
    put("batches.meta.txt", "a\nb\n", 4);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "batches.meta.txt", "2 class names", "10 are expected", NULL);
    put("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", 22);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "11 class names", NULL);
    put("batches.meta.txt", "a\n\033[2J\n", 7);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "line 2", "0x1b", NULL);
    put("batches.meta.txt", "a\nb\0c\n", 6);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "line 2", "0x00", NULL);
    char lengthy[70000];
    memset(lengthy, 'x', sizeof lengthy);
    put("batches.meta.txt", lengthy, 65);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "line 1", "65 bytes", NULL);
    put("batches.meta.txt", lengthy, sizeof lengthy);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "batches.meta.txt", "70000 bytes", NULL);
}

/* ---- bad files ---- */

static void test_missing(void **state)
{
    (void)state;
    refused(at("nowhere"), "train", CONVOY_ERROR_FILE, "/nowhere", "No such file", "`sample`", NULL);
    refused(folder, "train", CONVOY_ERROR_FORMAT, folder, "data_batch_1.bin to data_batch_5.bin", "test_batch.bin",
            "cifar-10-batches-bin", NULL);
    put_records("data_batch_1.bin", 1, 0, 0);
    refused(folder, "test", CONVOY_ERROR_NO_PART, folder, "no test part", "test_batch.bin", NULL);
    refused(folder, "validation", CONVOY_ERROR_ARGUMENT, "\"validation\"", "\"train\" or \"test\"", NULL);
    refused(folder, NULL, CONVOY_ERROR_ARGUMENT, "\"train\" or \"test\"", NULL);
    refused("", "train", CONVOY_ERROR_ARGUMENT, "no data set", NULL);
    refused(NULL, "train", CONVOY_ERROR_ARGUMENT, "no data set", NULL);
}

static void test_long_path(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    refused(path, "train", CONVOY_ERROR_FILE, "too long: 8191 bytes", NULL);
}

static void test_not_a_file(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("data_batch_1.bin"), 0777), 0);
    refused(folder, "train", CONVOY_ERROR_FILE, "data_batch_1.bin", "not a regular file", NULL);
    assert_int_equal(mkfifo(at("pipe"), 0666), 0);
    refused(at("pipe"), "train", CONVOY_ERROR_FILE, "pipe", "not a regular file", NULL);
}

static void test_unreadable(void **state)
{
    (void)state;
    put_records("data_batch_1.bin", 1, 0, 0);
    assert_int_equal(chmod(at("data_batch_1.bin"), 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    /* root reads everything: be nobody until tear_down */
    if (geteuid() == 0 && seteuid(65534) != 0) {
        print_message("[  SKIP  ] test_unreadable: this user may read every file\n");
        skip();
    }
    refused(folder, "train", CONVOY_ERROR_FILE, "data_batch_1.bin", "Permission denied", NULL);
}

static void test_empty(void **state)
{
    (void)state;
    put("data_batch_1.bin", "", 0);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "data_batch_1.bin", "empty", "3073", NULL);
}

static void test_truncated(void **state)
{
    (void)state;
    uint8_t *bytes = records(3, 0, 0);
    put("test_batch.bin", bytes, 2 * RECORD + 5);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "test_batch.bin", "6151 bytes", "2 records of 3073", "5 bytes more",
            NULL);
    put("test_batch.bin", bytes, 1);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "0 records", "1 bytes more", NULL);
    put("test_batch.bin", bytes, 3 * RECORD - 1);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "2 records", "3072 bytes more", NULL);
    free(bytes);
}

static void test_compressed(void **state)
{
    (void)state;
    put("cifar-10-binary.tar.gz", "\x1f\x8b\x08", 3);
    refused(at("cifar-10-binary.tar.gz"), "train", CONVOY_ERROR_FORMAT, "tar.gz", "gzip", "unpack", NULL);
}

static void test_oversized(void **state)
{
    (void)state;
    put("data_batch_2.bin", "", 0);
    if (truncate(at("data_batch_2.bin"), (off_t)350000 * RECORD) != 0) { /* a hole: takes no room on the disk */
        print_message("[  SKIP  ] test_oversized: no sparse files here\n");
        skip();
    }
    refused(folder, "train", CONVOY_ERROR_FORMAT, "data_batch_2.bin", "1075550000 bytes", "at most 1073741824", NULL);
}

static void test_bad_label(void **state)
{
    (void)state;
    uint8_t *bytes = records(4, 0, 0);
    bytes[2 * RECORD] = 10;
    put_records("data_batch_1.bin", 2, 0, 0);
    put("data_batch_2.bin", bytes, 4 * RECORD);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "data_batch_2.bin", "record 3 of 4", "byte 6146", "label 10",
            "0 to 9", NULL);
    bytes[2 * RECORD] = 2;
    bytes[0] = 255;
    put("data_batch_2.bin", bytes, 4 * RECORD);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "record 1 of 4", "label 255", NULL);
    free(bytes);
}

/* ---- sets from memory, slices ---- */

static void test_create(void **state)
{
    (void)state;
    uint8_t images[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    int32_t labels[] = {1, 0, 1};
    const char *names[] = {"no", "yes"};
    convoy_shape shape = {3, {2, 1, 2}};
    convoy_dataset *set = NULL;
    assert_int_equal(convoy_dataset_create(images, labels, 3, shape, 2, names, &set, NULL), CONVOY_OK);
    images[0] = 99; /* a copy does not see this */
    labels[0] = 99;
    names[1] = "changed";
    assert_int_equal(convoy_dataset_images(set)[0], 1);
    assert_int_equal(convoy_dataset_images(set)[11], 12);
    assert_int_equal(convoy_dataset_labels(set)[0], 1);
    assert_string_equal(convoy_dataset_class_name(set, 1), "yes");
    assert_int_equal(convoy_dataset_classes(set), 2);
    assert_int_equal(convoy_dataset_shape(set).dim[2], 2);
    convoy_dataset_destroy(set);
    convoy_dataset_destroy(NULL);
}

static void not_created(const uint8_t *images, const int32_t *labels, size_t count, convoy_shape shape, int classes,
                        const char *const *names, const char *text)
{
    convoy_error err = {0};
    convoy_dataset *set = NULL;
    assert_int_equal(convoy_dataset_create(images, labels, count, shape, classes, names, &set, &err),
                     CONVOY_ERROR_ARGUMENT);
    assert_null(set);
    if (strstr(err.message, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, err.message);
}

static void test_bad_create(void **state)
{
    (void)state;
    const uint8_t images[4] = {0};
    const int32_t good[] = {0, 1}, high[] = {0, 2}, low[] = {0, -1};
    const char *names[] = {"a", NULL};
    const convoy_shape shape = {3, {1, 1, 2}}, flat = {1, {2}}, none = {3, {1, 0, 2}}, minus = {3, {-1, -1, 2}};
    const convoy_shape huge = {3, {65536, 65536, 1}}, overflow = {3, {INT_MAX, INT_MAX, INT_MAX}};
    const convoy_shape large = {3, {32768, 32768, 1}};
    not_created(NULL, good, 2, shape, 2, NULL, "no images");
    not_created(images, NULL, 2, shape, 2, NULL, "no labels");
    not_created(images, good, 0, shape, 2, NULL, "at least one");
    not_created(images, high, 2, shape, 2, NULL, "image 1 has the label 2; 0 to 1");
    not_created(images, low, 2, shape, 2, NULL, "image 1 has the label -1; 0 to 1");
    not_created(images, good, 2, shape, 0, NULL, "0 classes");
    not_created(images, good, 2, shape, -1, NULL, "-1 classes");
    not_created(images, good, 2, shape, 2, names, "class 1 has no name");
    not_created(images, good, 2, flat, 2, NULL, "rank 1");
    not_created(images, good, 2, none, 2, NULL, "(1, 0, 2)");
    not_created(images, good, 2, minus, 2, NULL, "(-1, -1, 2)");
    not_created(images, good, 2, huge, 2, NULL, "(65536, 65536, 1)");
    not_created(images, good, 2, overflow, 2, NULL, "(2147483647, 2147483647, 2147483647)");
    /* Too many to number by int32, and too many bytes; nothing behind the arrays' ends is read. */
    not_created(images, good, (size_t)INT32_MAX + 1, shape, 2, NULL, "too many");
    not_created(images, good, SIZE_MAX, large, 2, NULL, "too many");
}

static void test_slice(void **state)
{
    (void)state;
    put_records("data_batch_1.bin", 6, 3, 0);
    convoy_dataset *all = opened(folder, "train"), *some = NULL, *rest = NULL, *none = NULL;
    assert_int_equal(convoy_dataset_slice(all, 1, 2, &some, NULL), CONVOY_OK);
    assert_int_equal(convoy_dataset_slice(all, 4, 0, &rest, NULL), CONVOY_OK);
    convoy_error err = {0};
    assert_int_equal(convoy_dataset_slice(all, 6, 0, &none, &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "from image 6"));
    assert_non_null(strstr(err.message, "there are 6 images"));
    assert_int_equal(convoy_dataset_slice(all, 5, 2, &none, NULL), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(convoy_dataset_slice(all, 1, SIZE_MAX, &none, NULL), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(convoy_dataset_slice(all, SIZE_MAX, 1, &none, NULL), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(convoy_dataset_slice(NULL, 0, 0, &none, NULL), CONVOY_ERROR_ARGUMENT);
    assert_null(none);
    convoy_dataset_destroy(all); /* slices stand on their own */
    assert_int_equal(convoy_dataset_count(some), 2);
    assert_int_equal(convoy_dataset_labels(some)[0], 4);
    check_image(some, 0, 1);
    check_image(some, 1, 2);
    assert_string_equal(convoy_dataset_class_name(some, 3), "cat");
    assert_int_equal(convoy_dataset_count(rest), 2);
    assert_int_equal(convoy_dataset_labels(rest)[1], 8);
    check_image(rest, 1, 5);
    convoy_dataset_destroy(some);
    convoy_dataset_destroy(rest);
}

/* ---- the sample ---- */

static void check_balance(const convoy_dataset *set, size_t each)
{
    size_t found[10] = {0};
    assert_int_equal(convoy_dataset_count(set), 10 * each);
    for (size_t i = 0; i < 10 * each; i++)
        found[convoy_dataset_labels(set)[i]]++;
    for (int c = 0; c < 10; c++)
        assert_int_equal(found[c], each);
}

static void test_sample(void **state)
{
    (void)state;
    setenv("CONVOY_DATA_DIR", CONVOY_SOURCE_DATA_DIR, 1);
    convoy_dataset *train = opened("sample", "train"), *test = opened("sample", "test");
    check_balance(train, 100);
    check_balance(test, 30);
    assert_string_equal(convoy_dataset_class_name(train, 0), "disc");
    assert_string_equal(convoy_dataset_class_name(test, 9), "dots");
    for (size_t i = 0; i < convoy_dataset_count(test); i++) /* no test image is among the training images */
        for (size_t k = 0; k < convoy_dataset_count(train); k++)
            assert_memory_not_equal(convoy_dataset_images(test) + i * 3072, convoy_dataset_images(train) + k * 3072,
                                    3072);
    convoy_dataset_destroy(train);
    convoy_dataset_destroy(test);
}

static void test_sample_places(void **state)
{
    (void)state;
    /* The environment goes first. */
    assert_int_equal(mkdir(at("sample"), 0777), 0);
    put_records("sample/data_batch_1.bin", 2, 0, 0);
    setenv("CONVOY_DATA_DIR", folder, 1);
    convoy_dataset *set = opened("sample", "train");
    assert_int_equal(convoy_dataset_count(set), 2);
    convoy_dataset_destroy(set);
    /* A folder without a sample, an empty value and none at all are passed over. */
    const char *values[] = {at("nowhere"), "", NULL};
    for (int i = 0; i < 3; i++) {
        if (values[i] != NULL)
            setenv("CONVOY_DATA_DIR", values[i], 1);
        else
            unsetenv("CONVOY_DATA_DIR");
        set = opened("sample", "train");
        assert_true(convoy_dataset_count(set) > 2);
        convoy_dataset_destroy(set);
    }
}

static void compare_with_sample(const char *name)
{
    char path[PATH_MAX], *ours = NULL, *theirs = NULL;
    size_t our_size = 0, their_size = 0;
    snprintf(path, sizeof path, "%s/sample/%s", CONVOY_SOURCE_DATA_DIR, name);
    assert_int_equal(file_read(path, SIZE_MAX, &ours, &our_size, NULL), CONVOY_OK);
    assert_int_equal(file_read(at(name), SIZE_MAX, &theirs, &their_size, NULL), CONVOY_OK);
    assert_int_equal(our_size, their_size);
    assert_memory_equal(ours, theirs, our_size);
    free(ours);
    free(theirs);
}

static void test_sample_is_drawn(void **state)
{
    (void)state;
    char command[2 * PATH_MAX];
    if (system("python3 -c 'import numpy' 2>/dev/null") != 0) {
        print_message("[  SKIP  ] test_sample_is_drawn: python3 has no numpy\n");
        skip();
    }
    snprintf(command, sizeof command, "python3 '%s/../tools/make_sample.py' '%s'", CONVOY_SOURCE_DATA_DIR, folder);
    assert_int_equal(system(command), 0);
    compare_with_sample("data_batch_1.bin");
    compare_with_sample("test_batch.bin");
    compare_with_sample("batches.meta.txt");
}

/* ---- CIFAR-10 itself ---- */

static void test_cifar10(void **state)
{
    (void)state;
    const char *where = getenv("CONVOY_CIFAR10");
    if (where == NULL || where[0] == '\0') {
        print_message("[  SKIP  ] test_cifar10: set CONVOY_CIFAR10 to the folder of the binary version\n");
        skip();
    }
    convoy_dataset *train = opened(where, "train"), *test = opened(where, "test");
    check_balance(train, 5000);
    check_balance(test, 1000);
    assert_int_equal(convoy_dataset_labels(train)[0], 6); /* a frog, and a cat among the test images */
    assert_int_equal(convoy_dataset_labels(test)[0], 3);
    const uint8_t first[] = {59, 62, 63, 43, 46, 45}; /* x_train[0, 0, 0:2] as Keras loads it */
    assert_memory_equal(convoy_dataset_images(train), first, sizeof first);
    assert_string_equal(convoy_dataset_class_name(train, 6), "frog");
    convoy_dataset_destroy(train);
    convoy_dataset_destroy(test);
}

#define DATA_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(test_folder),      DATA_TEST(test_parent_folder),   DATA_TEST(test_one_file),
        DATA_TEST(test_class_names), DATA_TEST(test_bad_class_names), DATA_TEST(test_missing),
        DATA_TEST(test_long_path),   DATA_TEST(test_not_a_file),      DATA_TEST(test_unreadable),
        DATA_TEST(test_empty),       DATA_TEST(test_truncated),       DATA_TEST(test_missing_batch),
        DATA_TEST(test_compressed),  DATA_TEST(test_oversized),       DATA_TEST(test_bad_label),
        DATA_TEST(test_create),      DATA_TEST(test_bad_create),      DATA_TEST(test_slice),
        DATA_TEST(test_sample),      DATA_TEST(test_sample_places),   DATA_TEST(test_sample_is_drawn),
        DATA_TEST(test_cifar10),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
