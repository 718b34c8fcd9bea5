/* Image files: every form against Pillow's pixels, damaged ones, the limits, folders of them as a data set. */
#include <fcntl.h>

#include "convoy/image.h"
#include "data/image.h"
#include "data_help.h"

#define MOST_GOLDEN 65536

static char *golden(const char *name, size_t *size)
{
    char path[PATH_MAX], *bytes = NULL;
    convoy_error err = {0};
    snprintf(path, sizeof path, "%s/images/%s", TEST_GOLDEN_DIR, name);
    if (file_read(path, MOST_GOLDEN, &bytes, size, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    return bytes;
}

static void put_golden(const char *name, const char *from)
{
    size_t size = 0;
    char *bytes = golden(from, &size);
    put(name, bytes, size);
    free(bytes);
}

/* ---- pixels ---- */

static void compare(const char *name, convoy_shape shape, int tolerance, const uint8_t *expected)
{
    char path[PATH_MAX];
    convoy_error err = {0};
    size_t count = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    uint8_t *pixels = malloc(count);
    snprintf(path, sizeof path, "%s/images/%s", TEST_GOLDEN_DIR, name);
    if (convoy_image_read(path, shape, pixels, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < count; i++)
        if (abs(pixels[i] - expected[i]) > tolerance)
            fail_msg("%s at %d x %d x %d: byte %zu is %d; Pillow has %d", name, shape.dim[0], shape.dim[1], shape.dim[2],
                     i, pixels[i], expected[i]);
    free(pixels);
}

static void test_pixels(void **state)
{
    (void)state;
    size_t list_size, size, used = 0;
    char *list = golden("images.txt", &list_size), *expected = golden("expected.u8", &size), name[64];
    int lines = 0, length, tolerance;
    convoy_shape shape = {.rank = 3};
    for (const char *at = list; sscanf(at, "%63s %d %d %d %d\n%n", name, &shape.dim[0], &shape.dim[1], &shape.dim[2],
                                       &tolerance, &length) == 5;
         at += length, lines++) {
        size_t count = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
        assert_true(used + count <= size);
        compare(name, shape, tolerance, (const uint8_t *)expected + used);
        used += count;
    }
    assert_int_equal(used, size);
    assert_true(lines >= 45);
    free(list);
    free(expected);
}

/* Floats are the bytes divided; the name does not matter. */
static void test_scaled(void **state)
{
    (void)state;
    convoy_shape shape = {3, {8, 8, 3}};
    convoy_error err = {0};
    float scaled[192], halved[192];
    uint8_t bytes[192];
    put_golden("any name", "rgb.png"); /* the content tells what it is */
    assert_int_equal(convoy_image_read(at("any name"), shape, bytes, &err), CONVOY_OK);
    assert_int_equal(convoy_image_read_scaled(at("any name"), shape, 0, scaled, &err), CONVOY_OK);
    assert_int_equal(convoy_image_read_scaled(at("any name"), shape, 127.5, halved, &err), CONVOY_OK);
    for (int i = 0; i < 192; i++) {
        assert_true(scaled[i] == (float)bytes[i] / 255.0f);
        assert_true(halved[i] == (float)bytes[i] / 127.5f);
    }
}

/* ---- what is refused ---- */

static void unread(const void *bytes, size_t size, convoy_status status, const char *text)
{
    convoy_shape shape = {3, {4, 4, 3}};
    convoy_error err = {0};
    uint8_t out[48];
    assert_int_equal(convoy_image_decode(bytes, size, shape, out, &err), status);
    if (strstr(err.message, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, err.message);
}

static void test_refused(void **state)
{
    (void)state;
    convoy_shape shape = {3, {4, 4, 3}}, two = {3, {4, 4, 2}}, flat = {1, {4}}, none = {3, {0, 4, 3}};
    convoy_error err = {0};
    uint8_t out[48];
    unread("", 0, CONVOY_ERROR_FORMAT, "empty");
    unread("GIF89a and so on", 16, CONVOY_ERROR_FORMAT, "neither a PNG nor a JPEG");
    unread("\xff\xd8\xff", 3, CONVOY_ERROR_FORMAT, "JPEG");
    unread("\x89PNG\r\n\x1a\n", 8, CONVOY_ERROR_FORMAT, "PNG");
    put_golden("a.png", "rgb.png");
    assert_int_equal(convoy_image_read(at("a.png"), two, out, &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "(4, 4, 2)"));
    assert_int_equal(convoy_image_read(at("a.png"), flat, out, &err), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(convoy_image_read(at("a.png"), none, out, &err), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(convoy_image_read(at("a.png"), shape, NULL, &err), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(convoy_image_read(NULL, shape, out, &err), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(convoy_image_read(at("b.png"), shape, out, &err), CONVOY_ERROR_FILE);
    assert_non_null(strstr(err.message, "b.png: can't open"));
    assert_int_equal(convoy_image_read(folder, shape, out, &err), CONVOY_ERROR_FILE);
    put("c.jpg", "text", 4);
    assert_int_equal(convoy_image_read(at("c.jpg"), shape, out, NULL), CONVOY_ERROR_FORMAT);
}

/* A header that promises more pixels than are read is refused before memory for them is had. */
static void test_too_large(void **state)
{
    (void)state;
    size_t size;
    char *bytes = golden("rgb.jpg", &size);
    uint8_t *frame = (uint8_t *)bytes;
    while (frame[0] != 0xff || frame[1] != 0xc0)
        frame++;
    memcpy(frame + 5, "\xff\0\xff\0", 4); /* height and width */
    unread(bytes, size, CONVOY_ERROR_FORMAT, "65280 x 65280 pixels");
    free(bytes);
    image im = {0};
    convoy_error err = {0};
    assert_int_equal(image_allocate(&im, 10001, 10000, 3, &err), CONVOY_ERROR_FORMAT);
    assert_int_equal(image_allocate(&im, 1, 65536, 1, &err), CONVOY_ERROR_FORMAT);
    assert_int_equal(image_allocate(&im, 0, 5, 1, &err), CONVOY_ERROR_FORMAT);
    assert_int_equal(image_allocate(&im, 10000, 10000, 1, &err), CONVOY_OK);
    image_free(&im);
}

static const char *const forms[] = {"rgb.png",        "rgb16.png", "interlaced.png",  "palette_alpha.png", "bilevel.png",
                                    "grey_alpha.png", "rgb.jpg",   "progressive.jpg", "cmyk.jpg",          "turned_6.jpg"};

/* Every beginning of a file: a PNG is whole or refused, a JPEG may lack its end marker only. */
static void test_truncated(void **state)
{
    (void)state;
    convoy_shape shape = {3, {4, 4, 3}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        size_t size;
        char *bytes = golden(forms[f], &size);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t out[48];
            convoy_error err = {0};
            char *part = malloc(cut ? cut : 1); /* of its very size, so that a sanitizer sees the end */
            memcpy(part, bytes, cut);
            convoy_status status = convoy_image_decode(part, cut, shape, out, &err);
            if (status == CONVOY_OK && (strstr(forms[f], ".png") != NULL || cut + 4 < size))
                fail_msg("%s: its first %zu of %zu bytes are read", forms[f], cut, size);
            if (status != CONVOY_OK && (status != CONVOY_ERROR_FORMAT || err.message[0] == '\0'))
                fail_msg("%s: its first %zu bytes: %s", forms[f], cut, err.message);
            free(part);
        }
        free(bytes);
    }
}

/* Every byte in turn made another: read or refused, nothing else. */
static void test_corrupt(void **state)
{
    (void)state;
    convoy_shape shape = {3, {4, 4, 3}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        size_t size, failed = 0;
        char *bytes = golden(forms[f], &size);
        for (size_t i = 0; i < size; i++)
            for (int flip = 1; flip <= 0xff; flip += 0x7f) {
                uint8_t out[48];
                convoy_error err = {0};
                bytes[i] = (char)(bytes[i] ^ flip);
                convoy_status status = convoy_image_decode(bytes, size, shape, out, &err);
                bytes[i] = (char)(bytes[i] ^ flip);
                assert_true(status == CONVOY_OK || (status == CONVOY_ERROR_FORMAT && err.message[0] != '\0'));
                failed += status != CONVOY_OK;
            }
        assert_true(failed > 0);
        free(bytes);
    }
}

static void test_exif(void **state)
{
    (void)state;
    const uint8_t little[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
    const uint8_t big[] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0";
    assert_int_equal(image_exif_orientation(little, 22), 6);
    assert_int_equal(image_exif_orientation(big, 22), 8);
    for (size_t cut = 0; cut < 22; cut++)
        assert_int_equal(image_exif_orientation(little, cut), 0);
    assert_int_equal(image_exif_orientation((const uint8_t *)"II*\0\xff\xff\xff\xff\x01\0", 10), 0);
    assert_int_equal(image_exif_orientation((const uint8_t *)"XX*\0\x08\0\0\0\x01\0", 10), 0);
}

/* ---- folders ---- */

static void make_folders(const char *const *names)
{
    for (; *names != NULL; names++)
        assert_int_equal(mkdir(at(*names), 0777), 0);
}

static void sized(int side, int channels)
{
    how.height = how.width = side;
    how.channels = channels;
}

static void put_many(const char *class, const char *from, int count)
{
    char name[64];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%d%s", class, i, strrchr(from, '.'));
        put_golden(name, from);
    }
}

static void test_folder_of_classes(void **state)
{
    (void)state;
    make_folders((const char *const[]){"two words", "\xc3\xa9t\xc3\xa9", "new\nline", ".hidden", "two words/deeper", NULL});
    put_many("two words/deeper", "rgb.png", 4);
    put_many("two words", "turned_6.jpg", 6);
    put_many("new\nline", "grey.jpg", 5);
    put_many("\xc3\xa9t\xc3\xa9", "palette.png", 1);
    put("two words/readme.txt", "x", 1);
    sized(6, 3);
    size_t counts[2];
    for (int test = 0; test < 2; test++) {
        convoy_dataset *set = opened(folder, test ? "test" : "train");
        counts[test] = convoy_dataset_count(set);
        assert_int_equal(convoy_dataset_classes(set), 3);
        assert_string_equal(convoy_dataset_class_name(set, 0), "new\nline");
        assert_string_equal(convoy_dataset_class_name(set, 1), "two words");
        assert_string_equal(convoy_dataset_class_name(set, 2), "\xc3\xa9t\xc3\xa9");
        assert_int_equal(convoy_dataset_skipped(set, NULL), 0);
        for (size_t i = 0; i < counts[test]; i++)
            assert_int_equal(convoy_dataset_labels(set)[i] == 2, !test && i == counts[test] - 1);
        convoy_dataset_destroy(set);
    }
    assert_int_equal(counts[0], 8 + 4 + 1); /* a fifth of each class is for the test, but not all of a class */
    assert_int_equal(counts[1], 2 + 1);
}

/* Both parts together are all the images, each once; the seed tells which go where. */
static void test_split(void **state)
{
    (void)state;
    make_folders((const char *const[]){"a", "b", NULL});
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%02d.jpg", i);
        put_golden(name, i % 8 < 7 ? (char[][16]){"turned_1.jpg", "turned_2.jpg", "turned_3.jpg", "turned_4.jpg",
                                                  "turned_5.jpg", "turned_6.jpg", "turned_7.jpg"}[i % 8] : "grey.jpg");
    }
    put_many("b", "rgb.png", 10);
    sized(5, 1);
    convoy_dataset *first = opened(folder, "test"), *again = opened(folder, "test");
    assert_int_equal(convoy_dataset_count(first), 6);
    assert_memory_equal(convoy_dataset_images(first), convoy_dataset_images(again), 6 * 25);
    how.threads = 1;
    how.test_split = 0.5;
    how.seed = 7;
    convoy_dataset *half = opened(folder, "test"), *other = opened(folder, "train");
    assert_int_equal(convoy_dataset_count(half), 15);
    assert_int_equal(convoy_dataset_count(other), 15);
    how.seed = 8;
    convoy_dataset *reseeded = opened(folder, "test");
    assert_memory_not_equal(convoy_dataset_images(half), convoy_dataset_images(reseeded), 15 * 25);
    /* The sum over all pixels is the same however the images are split. */
    long sums[2] = {0, 0};
    how.test_split = 0.1;
    convoy_dataset *rest[2] = {opened(folder, "test"), opened(folder, "train")};
    assert_int_equal(convoy_dataset_count(rest[0]) + convoy_dataset_count(rest[1]), 30);
    for (int i = 0; i < 15 * 25; i++)
        sums[0] += convoy_dataset_images(half)[i] + convoy_dataset_images(other)[i];
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < convoy_dataset_count(rest[part]) * 25; i++)
            sums[1] += convoy_dataset_images(rest[part])[i];
    assert_int_equal(sums[0], sums[1]);
    convoy_dataset *all[] = {first, again, half, other, reseeded, rest[0], rest[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        convoy_dataset_destroy(all[i]);
}

static void test_parts_of_their_own(void **state)
{
    (void)state;
    make_folders((const char *const[]){"train", "train/x", "train/y", "validation", "validation/y", NULL});
    put_many("train/x", "rgb.png", 2);
    put_many("train/y", "grey.png", 3);
    put_many("validation/y", "cmyk.jpg", 2);
    sized(4, 3);
    convoy_dataset *train = opened(folder, "train"), *test = opened(folder, "test");
    assert_int_equal(convoy_dataset_count(train), 5);
    assert_int_equal(convoy_dataset_count(test), 2);
    assert_int_equal(convoy_dataset_labels(test)[1], 1); /* as training counts: y comes second */
    assert_int_equal(convoy_dataset_classes(test), 2);
    convoy_dataset_destroy(train);
    convoy_dataset_destroy(test);
    make_folders((const char *const[]){"validation/z", NULL});
    put_many("validation/z", "rgb.png", 1);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "validation: the class 'z'", "none of the 2", NULL);
}

static void test_bad_files(void **state)
{
    (void)state;
    make_folders((const char *const[]){"a", "b", NULL});
    put_many("a", "rgb.png", 10);
    put_many("b", "rgb.png", 10);
    put("b/0 cut.png", "\x89PNG\r\n\x1a\nand more", 16);
    put("b/00.gif", "GIF89a", 6);
    put("b/zz.jpg", "", 0);
    sized(4, 3);
    how.test_split = 0.1;
    size_t skipped = 0, count = 0;
    for (int test = 0; test < 2; test++) {
        const char *first;
        convoy_dataset *set = opened(folder, test ? "test" : "train");
        size_t here = convoy_dataset_skipped(set, &first);
        assert_true((here > 0) == (first != NULL));
        if (first != NULL)
            assert_non_null(strstr(first, "/b/"));
        skipped += here;
        count += convoy_dataset_count(set);
        convoy_dataset_destroy(set);
    }
    assert_int_equal(skipped, 3);
    assert_int_equal(count, 20);
}

static void test_bad_folders(void **state)
{
    (void)state;
    make_folders((const char *const[]){"a", "b", NULL});
    sized(4, 3);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "no data here", NULL);
    put_many("a", "rgb.png", 1);
    refused(folder, "train", CONVOY_ERROR_FORMAT, folder, "class 'b' has no image", NULL);
    put("b/bad.png", "nothing", 7);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "class 'b' has no image", "b/bad.png: neither a PNG nor a JPEG", NULL);
    put_golden("b/bad.png", "rgb.png");
    refused(folder, "test", CONVOY_ERROR_NO_PART, "no test part", NULL); /* one image each: all to learn from */
    put("a/0.png", "nothing", 7);
    put("b/bad.png", "nothing", 7);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "none of the 2 images can be read", NULL);
    put_golden("b/bad.png", "rgb.png");
    how.channels = 2;
    refused(folder, "train", CONVOY_ERROR_ARGUMENT, folder, "(4, 4, 2)", "1 or 3 channels", NULL);
    how = (convoy_dataset_options){0};
    refused(folder, "train", CONVOY_ERROR_ARGUMENT, "(0, 0, 0)", NULL);
    sized(4, 3);
    how.test_split = 1;
    refused(folder, "train", CONVOY_ERROR_ARGUMENT, "test split of 1", NULL);
}

static void test_list(void **state)
{
    (void)state;
    char **paths = NULL;
    size_t count = 0;
    convoy_error err = {0};
    make_folders((const char *const[]){"b", NULL});
    put("c.PNG", "", 0);
    put("a.jpeg", "", 0);
    put("b/x.tiff", "", 0);
    put("b/.y.png", "", 0);
    put("png", "", 0);
    put("d.txt", "", 0);
    assert_int_equal(symlink(".", at("loop")), 0);
    assert_int_equal(convoy_image_list(folder, &paths, &count, &err), CONVOY_OK);
    assert_int_equal(count, 3);
    assert_string_equal(paths[0], at("a.jpeg"));
    assert_string_equal(paths[1], at("b/x.tiff"));
    assert_string_equal(paths[2], at("c.PNG"));
    convoy_image_list_free(paths, count);
    assert_int_equal(convoy_image_list(at("none"), &paths, &count, &err), CONVOY_ERROR_FILE);
    assert_non_null(strstr(err.message, "none: can't open"));
}

#define DATA_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(test_pixels),            DATA_TEST(test_scaled),    DATA_TEST(test_refused),
        DATA_TEST(test_too_large),         DATA_TEST(test_truncated), DATA_TEST(test_corrupt),
        DATA_TEST(test_exif),              DATA_TEST(test_split),     DATA_TEST(test_folder_of_classes),
        DATA_TEST(test_parts_of_their_own), DATA_TEST(test_bad_files), DATA_TEST(test_bad_folders),
        DATA_TEST(test_list),
    };
    return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
