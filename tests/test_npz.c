/* numpy's arrays: .npy files read and written, .npz files as data sets. */
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
    put_npy("bad.npy", "<f2", "(1, 1)", "12", 2);
    npy_refused("type '<f2'");
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
#include "model/keras_file.h"

static void put_npz(const char *name, const keras_member *members, size_t count)
{
    char *bytes = NULL;
    size_t size = 0;
    convoy_error err = {0};
    if (keras_archive_build(members, count, &bytes, &size, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    put(name, bytes, size);
    free(bytes);
}

/* x_train and y_train, then x_test and y_test of one image. */
static void put_pair(const char *type, const char *shape, const void *x, size_t size, const char *y_type,
                     const char *y_shape, const void *y, size_t y_size)
{
    text parts[4] = {npy_of(type, shape, x, size), npy_of(y_type, y_shape, y, y_size),
                     npy_of("|u1", "(1, 1, 2)", "\1\2", 2), npy_of("|u1", "(1,)", "\6", 1)};
    const char *names[] = {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"};
    keras_member members[4];
    for (int i = 0; i < 4; i++)
        members[i] = (keras_member){names[i], parts[i].data, parts[i].length};
    put_npz("set.npz", members, 4);
    for (int i = 0; i < 4; i++)
        text_free(&parts[i]);
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
    /* Floats: within 0 .. 1 they are stretched, else taken as they are. */
    put_pair("<f4", "(1, 1, 1, 3)", (float[]){0, 0.5f, 1}, 12, "<i4", "(1,)", (int32_t[]){1}, 4);
    set = opened(at("set.npz"), "train");
    assert_memory_equal(convoy_dataset_images(set), "\0\x80\xff", 3);
    convoy_dataset_destroy(set);
    put_pair("<f8", "(1, 1, 1, 3)", (double[]){0, 1.4, 254.6}, 24, "<i4", "(1,)", (int32_t[]){1}, 4);
    set = opened(at("set.npz"), "train");
    assert_memory_equal(convoy_dataset_images(set), "\0\1\xff", 3);
    convoy_dataset_destroy(set);
}

static void test_bad_npz(void **state)
{
    (void)state;
    const int32_t one = 1, minus = -1;
    put("set.npz", "PK\3\4 and no more", 16);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "set.npz: not an .npz file", NULL);
    put_npz("set.npz", &(keras_member){"x_test.npy", "", 0}, 1);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "no member x_train.npy", "x_test.npy", NULL);
    refused(at("set.npz"), "test", CONVOY_ERROR_FORMAT, "x_test.npy: not a .npy file", NULL);
    put_pair("<f4", "(1, 1, 1)", (float[]){256}, 4, "<i4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "x_train.npy: value 0 is 256", NULL);
    put_pair("<f4", "(1, 1, 1)", (uint32_t[]){0x7fc00000}, 4, "<i4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "value 0 is nan", NULL);
    put_pair("<i4", "(1, 1, 1)", &one, 4, "<i4", "(1,)", &one, 4);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "x_train.npy is int32 (1, 1, 1)", NULL);
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
        assert_memory_equal(convoy_dataset_images(set), bytes, VALUES);
        convoy_dataset_destroy(set);
    }
    floats[VALUES - 2] = 255.5f; /* found in the last piece */
    put_pair("<f4", "(3, 200, 150)", floats, VALUES * 4, "|u1", "(3,)", labels, 3);
    refused(at("set.npz"), "train", CONVOY_ERROR_FORMAT, "x_train.npy: value 89998 is 255.5", NULL);
    for (int i = 0; i < VALUES; i++)
        floats[i] = (float)bytes[i] / 255.0f;
    put_pair("<f4", "(3, 200, 150)", floats, VALUES * 4, "|u1", "(3,)", labels, 3);
    convoy_dataset *set = opened(at("set.npz"), "train");
    assert_memory_equal(convoy_dataset_images(set), bytes, VALUES);
    convoy_dataset_destroy(set);
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
        DATA_TEST(test_npz), DATA_TEST(test_bad_npz), DATA_TEST(test_npz_pieces), DATA_TEST(test_damaged_npz),
#endif
    };
    return cmocka_run_group_tests_name("npz", tests, NULL, NULL);
}
