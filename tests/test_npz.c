/* numpy's arrays: .npy files read and written, .npz files as data sets. */
#include <math.h>

#include "config.h"
#include "convoy/npy.h"
#include "data_help.h"

static text npy_of(const char *type, const char *shape, const void *data, size_t size)
{
    char dict[200];
    text t = {0};
    int length = snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", type, shape);
    text_add_bytes(&t, "\x93NUMPY\x01", 8);
    text_add_bytes(&t, (uint8_t[]){(uint8_t)length, 0}, 2);
    text_add_bytes(&t, dict, (size_t)length);
    text_add_bytes(&t, data, size);
    return t;
}

static void put_npy(const char *name, const char *type, const char *shape, const void *data, size_t size)
{
    text t = npy_of(type, shape, data, size);
    put_text(name, &t);
}

static void test_npy(void **state)
{
    (void)state;
    const float given[] = {1.5f, -2, 3, 0.25f, 5, 6e30f};
    convoy_shape shape = {2, {1, 3}}, found;
    convoy_error err = {0};
    float *values = NULL;
    size_t count = 0;
    assert_int_equal(convoy_npy_write(at("a.npy"), given, 2, &shape, &err), CONVOY_OK);
    assert_int_equal(convoy_npy_read(at("a.npy"), &values, &count, &found, &err), CONVOY_OK);
    assert_int_equal(count, 2);
    assert_int_equal(found.rank, 2);
    assert_int_equal(found.dim[1], 3);
    assert_memory_equal(values, given, sizeof given);
    free(values);
    put_npy("b.npy", "<i2", "(3,)", "\xff\xff\x01\x01\x00\x80", 6);
    assert_int_equal(convoy_npy_read(at("b.npy"), &values, &count, &found, &err), CONVOY_OK);
    assert_int_equal(count, 3);
    assert_int_equal(found.rank, 0);
    assert_true(values[0] == -1 && values[1] == 257 && values[2] == -32768);
    free(values);
    put_npy("c.npy", "<f8", "(1, 1)", (double[]){0.125}, 8);
    assert_int_equal(convoy_npy_read(at("c.npy"), &values, &count, &found, &err), CONVOY_OK);
    assert_true(values[0] == 0.125f);
    free(values);
    /* 1.5, -2, the least and the largest half, infinity */
    put_npy("d.npy", "<f2", "(1, 5)", (uint16_t[]){0x3e00, 0xc000, 0x0001, 0x7bff, 0x7c00}, 10);
    assert_int_equal(convoy_npy_read(at("d.npy"), &values, &count, &found, &err), CONVOY_OK);
    assert_true(values[0] == 1.5f && values[1] == -2 && values[2] == 0x1p-24f && values[3] == 65504 && isinf(values[4]));
    free(values);
}

static void npy_refused(const char *text_expected)
{
    float *values = NULL;
    size_t count;
    convoy_shape shape;
    convoy_error err = {0};
    assert_int_equal(convoy_npy_read(at("bad.npy"), &values, &count, &shape, &err), CONVOY_ERROR_FORMAT);
    if (strstr(err.message, text_expected) == NULL || strstr(err.message, "bad.npy: ") == NULL)
        fail_msg("\"%s\" is not in: %s", text_expected, err.message);
}

static void test_bad_npy(void **state)
{
    (void)state;
    put_npy("bad.npy", ">f4", "(1, 1)", "1234", 4);
    npy_refused("big-endian values ('>f4')");
    put_npy("bad.npy", "<c8", "(1, 1)", "12345678", 8);
    npy_refused("type '<c8'");
    put_npy("bad.npy", "<f1", "(1, 1)", "1", 1);
    npy_refused("type '<f1'");
    put_npy("bad.npy", "|O", "(1, 1)", "12", 2);
    npy_refused("type '|O'");
    put_npy("bad.npy", "|u1", "(2, 2)", "123", 3);
    npy_refused("3 bytes of values are there, and the header announces 4");
    put_npy("bad.npy", "|u1", "(9223372036854775807, 9)", "123", 3);
    npy_refused("truncated or damaged");
    put_npy("bad.npy", "|u1", "(99999999999999999999,)", "123", 3);
    npy_refused("damaged .npy header");
    put_npy("bad.npy", "|u1", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", "1", 1);
    npy_refused("more than 8 dimensions");
    put_npy("bad.npy", "|u1", "()", "1", 1);
    npy_refused("uint8 ()");
    text t = npy_of("|u1", "(1,)", "1", 1);
    for (size_t cut = 0; cut < t.length; cut++) {
        put("bad.npy", t.data, cut);
        npy_refused("bad.npy");
    }
    char *order = strstr(t.data + 10, "False");
    memcpy(order, "True ", 5);
    put("bad.npy", t.data, t.length);
    npy_refused("Fortran's order");
    t.data[6] = 9;
    put_text("bad.npy", &t);
    npy_refused("version 9");
}

#ifdef HAVE_KERAS_FILES
#include "base/zip.h"

static void put_npz(const char *name, const zip_member *members, size_t count)
{
    char *bytes = NULL;
    size_t size = 0;
    convoy_error err = {0};
    if (zip_archive_build(members, count, &bytes, &size, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    put(name, bytes, size);
    free(bytes);
}

/* x_train and y_train, then x_test and y_test of one image; of these the first `count` arrays. */
static void put_parts(const char *type, const char *shape, const void *x, size_t size, const char *y_type, const char *y_shape,
                      const void *y, size_t y_size, const char *test_type, const void *x_test, size_t test_size, int count)
{
    text parts[4] = {npy_of(type, shape, x, size), npy_of(y_type, y_shape, y, y_size),
                     npy_of(test_type, "(1, 1, 2)", x_test, test_size), npy_of("|u1", "(1,)", "\6", 1)};
    const char *names[] = {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"};
    zip_member members[4];
    for (int i = 0; i < 4; i++)
        members[i] = (zip_member){names[i], parts[i].data, parts[i].length};
    put_npz("set.npz", members, (size_t)count);
    for (int i = 0; i < 4; i++)
        text_free(&parts[i]);
}

static void put_pair(const char *type, const char *shape, const void *x, size_t size, const char *y_type,
                     const char *y_shape, const void *y, size_t y_size)
{
    put_parts(type, shape, x, size, y_type, y_shape, y, y_size, "|u1", "\1\2", 2, 4);
}

/* Training images (1, 1, 1, n) of this type, and test images (1, 1, 2) of that one. */
static void put_values(const char *type, const void *x, size_t size, int n, const char *test_type, const void *x_test,
                       size_t test_size)
{
    char shape[32];
    snprintf(shape, sizeof shape, "(1, 1, 1, %d)", n);
    put_parts(type, shape, x, size, "<i4", "(1,)", (int32_t[]){1}, 4, test_type, x_test, test_size, 4);
}

static void test_npz(void **state)
{
    (void)state;
    put_pair("|u1", "(2, 1, 2)", "\1\xff\3\4", 4, "<i8", "(2, 1)", (int64_t[]){3, 0}, 16);
    convoy_dataset *set = opened(at("set.npz"), "train");
    assert_int_equal(convoy_dataset_count(set), 2);
    assert_int_equal(convoy_dataset_classes(set), 7); /* the test part has a 6 */
    assert_int_equal(convoy_dataset_shape(set).dim[1], 2);
    assert_int_equal(convoy_dataset_shape(set).dim[2], 1);
    assert_memory_equal(convoy_dataset_images(set), "\1\xff\3\4", 4);
    assert_int_equal(convoy_dataset_labels(set)[0], 3);
    convoy_dataset_destroy(set);
    set = opened(at("set.npz"), "test");
    assert_int_equal(convoy_dataset_labels(set)[0], 6);
    convoy_dataset_destroy(set);
}

static char told[600];

static void keep_message(void *user, const char *text)
{
    (void)user;
    snprintf(told, sizeof told, "%s", text);
}

static void expect_floats(const char *part, bool prepared, int n, const float *values)
{
    convoy_dataset *set = opened(at("set.npz"), part);
    assert_null(convoy_dataset_images(set));
    assert_memory_equal(convoy_dataset_values(set), values, (size_t)n * sizeof *values);
    assert_int_equal(convoy_dataset_prepared(set), prepared);
    convoy_dataset_destroy(set);
}

static void expect_bytes(const char *part, int n, const char *values)
{
    convoy_dataset *set = opened(at("set.npz"), part);
    assert_null(convoy_dataset_values(set));
    assert_memory_equal(convoy_dataset_images(set), values, (size_t)n);
    assert_false(convoy_dataset_prepared(set));
    convoy_dataset_destroy(set);
}

/* Floats stay what they are, of whatever width, and integers within 0 and 255 are bytes. */
static void test_values(void **state)
{
    (void)state;
    how.on_message = keep_message;
    told[0] = '\0';
    put_values("<f4", (float[]){0, 0.123456f, 1}, 12, 3, "<f4", (float[]){0.5f, 0}, 8);
    expect_floats("train", true, 3, (float[]){0, 0.123456f, 1});
    expect_floats("test", true, 2, (float[]){0.5f, 0});
    put_values("<f8", (double[]){-1.5, 2.25, 0}, 24, 3, "<f4", (float[]){0.5f, -1}, 8);
    expect_floats("train", true, 3, (float[]){-1.5f, 2.25f, 0});
    put_values("<f2", (uint16_t[]){0x3c00, 0x3800, 0}, 6, 3, "<f2", (uint16_t[]){0x3800, 0}, 4);
    expect_floats("train", true, 3, (float[]){1, 0.5f, 0});
    put_values("<f4", (float[]){0, 1.4f, 254.6f}, 12, 3, "<f4", (float[]){99, 0}, 8);
    expect_floats("train", false, 3, (float[]){0, 1.4f, 254.6f});
    put_values("<i8", (int64_t[]){0, 3, 255}, 24, 3, "|u1", "\1\2", 2);
    expect_bytes("train", 3, "\0\3\377");
    expect_bytes("test", 2, "\1\2");
    put_values("<u2", (uint16_t[]){0, 3, 4095}, 6, 3, "<u2", (uint16_t[]){256, 2}, 4);
    expect_floats("train", true, 3, (float[]){0, 3, 4095});
    put_values("|i1", "\377\0\1", 3, 3, "|i1", "\376\2", 2);
    expect_floats("test", true, 2, (float[]){-2, 2});
    assert_string_equal(told, "");
}

/* One guess for both parts, whichever is asked for, and told where one of them alone would be taken for something else. */
static void test_one_guess(void **state)
{
    (void)state;
    how.on_message = keep_message;
    put_values("<f4", (float[]){0, 0.5f, 1}, 12, 3, "<f4", (float[]){200, 0}, 8);
    expect_floats("train", false, 3, (float[]){0, 0.5f, 1});
    assert_string_equal(told, "x_test.npy holds 0 to 200, but x_train.npy 0 to 1: are they scaled differently? All are taken for "
                              "pixels of 0 to 255");
    expect_floats("test", false, 2, (float[]){200, 0});
    put_values("<f4", (float[]){-1, 0.5f, 1}, 12, 3, "<f4", (float[]){200, 0}, 8);
    expect_floats("test", true, 2, (float[]){200, 0});
    assert_non_null(strstr(told, "All are taken for values that go to a model as they are"));
    put_values("<f4", (float[]){0, 0.5f, 1}, 12, 3, "|u1", "\1\2", 2);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "x_test.npy holds integers of 0 to 255, but x_train.npy floats from 0 to 1",
            NULL);
}

static void test_missing_members(void **state)
{
    (void)state;
    put_parts("|u1", "(1, 1, 2)", "\1\2", 2, "|u1", "(1,)", "\3", 1, "|u1", "\1\2", 2, 2);
    expect_bytes("train", 2, "\1\2");
    refused(at("set.npz"), "test", CONVOY_ERROR_NO_PART, "set.npz: no test part: the file holds x_train.npy, y_train.npy; add "
            "x_test.npy and y_test.npy, or use its train part", NULL);
    put_parts("|u1", "(1, 1, 2)", "\1\2", 2, "|u1", "(1,)", "\3", 1, "|u1", "\1\2", 2, 3);
    refused(at("set.npz"), "test", CONVOY_ERROR_FORMAT, "x_test.npy is there, but y_test.npy is missing", NULL);
    put_npz("set.npz", &(zip_member){"images.npy", "", 0}, 1);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "the file holds images.npy; x_train.npy and y_train.npy are expected", NULL);
}

static void test_bad_npz(void **state)
{
    (void)state;
    const int32_t one = 1, minus = -1;
    put("set.npz", "PK\3\4 and no more", 16);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "set.npz: not an .npz file", NULL);
    put_npz("set.npz", (zip_member[]){{"x_test.npy", "", 0}, {"y_test.npy", "", 0}}, 2);
    refused(at("set.npz"), "train", CONVOY_ERROR_NO_PART, "no train part", "x_test.npy", NULL);
    refused(at("set.npz"), "test", CONVOY_ERROR_FORMAT, "x_test.npy: not a .npy file", NULL);
    put_pair("<f4", "(1, 1, 1)", (uint32_t[]){0x7fc00000}, 4, "<i4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "value 0 is nan", NULL);
    put_pair("<f8", "(1, 1, 1)", (double[]){-1e300}, 8, "<i4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "value 0 is -1e+300; numbers that float32 holds", NULL);
    put_pair("|u1", "(1, 1)", "1", 1, "<i4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "x_train.npy is uint8 (1, 1)", NULL);
    put_pair("|u1", "(1, 1, 1)", "1", 1, "<i4", "(1,)", &minus, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "y_train.npy: label 0 is -1", NULL);
    put_pair("|u1", "(1, 1, 1)", "1", 1, "<f4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "y_train.npy is float32 (1,)", NULL);
    put_pair("|u1", "(1, 1, 1)", "1", 1, "|u1", "(1, 2)", "12", 2);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "y_train.npy is uint8 (1, 2)", NULL);
    put_pair("|u1", "(2, 1, 1)", "12", 2, "<i4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "x_train.npy has 2 images, but y_train.npy has 1 labels", NULL);
}
/* More values than are read at once: each arrives, as bytes and as floats of both widths, packed or not. */
static void test_npz_pieces(void **state)
{
    (void)state;
    enum { IMAGES = 3, VALUES = 3 * 200 * 150 };
    uint8_t *bytes = malloc(VALUES), labels[IMAGES] = {0, 1, 2};
    float *floats = malloc(VALUES * sizeof *floats);
    double *wide = malloc(VALUES * sizeof *wide);
    for (int i = 0; i < VALUES; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 251);
        wide[i] = floats[i] = bytes[i] * 1.0f;
    }
    const struct {
        const char *type;
        const void *values;
        size_t size;
    } forms[] = {{"|u1", bytes, VALUES}, {"<f4", floats, VALUES * 4}, {"<f8", wide, VALUES * 8}};
    for (int f = 0; f < 3; f++) {
        put_pair(forms[f].type, "(3, 200, 150)", forms[f].values, forms[f].size, "|u1", "(3,)", labels, 3);
        convoy_dataset *set = opened(at("set.npz"), "train");
        assert_int_equal(convoy_dataset_count(set), IMAGES);
        if (f == 0)
            assert_memory_equal(convoy_dataset_images(set), bytes, VALUES);
        else
            assert_memory_equal(convoy_dataset_values(set), floats, VALUES * sizeof *floats);
        convoy_dataset_destroy(set);
    }
    floats[VALUES - 2] = INFINITY; /* found in the last piece */
    put_pair("<f4", "(3, 200, 150)", floats, VALUES * 4, "|u1", "(3,)", labels, 3);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "x_train.npy: value 89998 is inf", NULL);
    free(bytes);
    free(floats);
    free(wide);
}

static char *slurp(const char *name, size_t *size)
{
    char *bytes = NULL;
    assert_int_equal(file_read(at(name), SIZE_MAX, &bytes, size, NULL), CONVOY_OK);
    return bytes;
}

/* A byte of the pixels changed after the checksum was taken; a member that claims to be larger than the archive could hold. */
static void test_damaged_npz(void **state)
{
    (void)state;
    enum { VALUES = 3 * 300 * 150 };
    uint8_t *bytes = calloc(1, VALUES), labels[3] = {0, 1, 2};
    size_t size;
    put_pair("|u1", "(3, 300, 150)", bytes, VALUES, "|u1", "(3,)", labels, 3);
    char *whole = slurp("set.npz", &size);
    whole[VALUES - 100] ^= 1;
    put("set.npz", whole, size);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "set.npz: x_train.npy is damaged", NULL);
    whole[VALUES - 100] ^= 1;
    for (size_t i = 0; i + 46 < size; i++)
        if (memcmp(whole + i, "PK\1\2", 4) == 0) /* the list at the end: sizes packed and unpacked at 20 and 24 */
            memcpy(whole + i + 24, "\xff\xff\xff\x7f", 4);
    put("set.npz", whole, size);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "set.npz: ", "x_train.npy is damaged: 2147483647 bytes", NULL);
    free(whole);
    free(bytes);
}
#endif

#define DATA_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(test_npy), DATA_TEST(test_bad_npy),
#ifdef HAVE_KERAS_FILES
        DATA_TEST(test_npz), DATA_TEST(test_values), DATA_TEST(test_one_guess), DATA_TEST(test_missing_members),
        DATA_TEST(test_bad_npz), DATA_TEST(test_npz_pieces), DATA_TEST(test_damaged_npz),
#endif
    };
    return cmocka_run_group_tests_name("npz", tests, NULL, NULL);
}
