/* safetensors files: every kind of number, names as Keras and Convoy write them, and headers that lie. */
#include "weights_help.h"

#include "files/safetensors.h"

/* Two dense layers, one inside a model: 2 * 3 + 3 and 3 * 1 weights. */
static convoy_model *small(void)
{
    static const char json[] =
        "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"outer\", \"layers\": ["
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 2]}},"
        "{\"class_name\": \"Dense\", \"config\": {\"name\": \"a\", \"units\": 3}},"
        "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"in\", \"layers\": ["
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 3]}},"
        "{\"class_name\": \"Dense\", \"config\": {\"name\": \"b\", \"units\": 1, \"use_bias\": false}}]}}]}}";
    convoy_model *model = NULL;
    ASSERT_OK(convoy_model_from_json(json, strlen(json), &model, &err));
    return model;
}

/* A file of a header and so many bytes 0, 1, 2, ... of data; `length` 0: that of the header. Returns its path. */
static const char *write_raw(const char *header, size_t data_size, uint64_t length)
{
    unsigned char bytes[8192];
    size_t n = strlen(header);
    assert_true(8 + n + data_size <= sizeof bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((length ? length : n) >> 8 * i);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < data_size; i++)
        bytes[8 + n + i] = (unsigned char)i;
    ASSERT_OK(file_write(path_of("t.safetensors"), bytes, 8 + n + data_size, &err));
    return path_of("t.safetensors");
}

#define T(name, dtype, shape, first, end)                                                                              \
    "\"" name "\": {\"dtype\": \"" dtype "\", \"shape\": [" shape "], \"data_offsets\": [" #first ", " #end "]}"
#define GOOD T("a/kernel", "F32", "2, 3", 0, 24) ", " T("a/bias", "F32", "3", 24, 36) ", " T("in/b/kernel", "F32", "3, 1", 36, 48)

/* ---- what is read ---- */

static void test_kinds_of_numbers(void **state)
{
    (void)state;
    static const unsigned char data[] = {
        0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00, 0x00, 0x04, 0x00, 0x80, /* F16: 1, -2, 65504, 2^-24, 2^-14, -0 */
        0x80, 0x3f, 0x49, 0x40, 0x80, 0xff,                                     /* BF16: 1, 3.140625, -inf */
        0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f,                         /* F64: 0.1 */
        0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf,             /* inf, -1 */
    };
    static const char header[] = "{" T("a/kernel", "F16", "2, 3", 0, 12) ", " T("a/bias", "BF16", "3", 12, 18) ", "
                                 T("in/b/kernel", "F64", "3, 1", 18, 42) "}";
    static const float expected[] = {1, -2, 65504, 0x1p-24f, 0x1p-14f, -0.0f, 1, 3.140625f, -INFINITY, 0.1f, INFINITY, -1};
    unsigned char bytes[1024] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    memcpy(bytes + 8 + sizeof header - 1, data, sizeof data);
    assert_true(sizeof header - 1 < 256);
    ASSERT_OK(file_write(path_of("t.safetensors"), bytes, 8 + sizeof header - 1 + sizeof data, &err));
    convoy_model *model = small();
    size_t count;
    ASSERT_OK(convoy_model_load_weights(model, path_of("t.safetensors"), &err));
    float *found = weights_of(model, &count);
    assert_int_equal(count, sizeof expected / sizeof *expected);
    assert_memory_equal(found, expected, sizeof expected);
    free(found);
    convoy_model_destroy(model);
}

/* A NaN stays one. */
static void test_not_a_number(void **state)
{
    (void)state;
    static const unsigned char bytes[] = "\x01\x7e";
    safetensors_entry entry = {.kind = SAFETENSORS_F16, .count = 1, .end = 2};
    const safetensors_file file = {.data = bytes, .size = 2};
    float value;
    safetensors_values(&file, &entry, &value);
    assert_true(isnan(value));
}

/* In any order, with texts about the file, spaces at the end, and the names of Keras's variables. */
static void test_forms(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{" GOOD "}",
        "{\"__metadata__\": {\"format\": \"pt\"}, " GOOD "}   ",
        "{" T("in/b/kernel", "F32", "3, 1", 36, 48) ", " T("a/bias", "F32", "3", 24, 36) ", " T("a/kernel", "F32", "2, 3", 0, 24) "}",
        "{" T("outer/a/kernel", "F32", "2, 3", 0, 24) ", " T("outer/a/bias", "F32", "3", 24, 36) ", "
        T("outer/in/b/kernel", "F32", "3, 1", 36, 48) "}",
        "{" T("a/kernel", "F32", "2, 3", 0, 24) ", " T("a/bias", "F32", "3", 24, 36) ", " T("b/kernel", "F32", "3, 1", 36, 48) "}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        convoy_model *model = small();
        size_t count;
        ASSERT_OK(convoy_model_load_weights(model, write_raw(headers[i], 48, 0), &err));
        unsigned char *found = (unsigned char *)weights_of(model, &count);
        for (size_t k = 0; k < 48; k++)
            assert_int_equal(found[k], k);
        free(found);
        convoy_model_destroy(model);
    }
}

/* What is written, byte for byte: the header's length is a multiple of 8, the tensors stand in Keras's order. */
static void test_written_bytes(void **state)
{
    (void)state;
    static const char header[] = "{\"a/kernel\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                                 "\"a/bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]},"
                                 "\"in/b/kernel\":{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[36,48]}}";
    convoy_model *model = small();
    size_t size, length = strlen(header), padded = (length + 7) / 8 * 8;
    ASSERT_OK(convoy_model_load_weights(model, write_raw("{" GOOD "}", 48, 0), &err));
    ASSERT_OK(convoy_model_save_weights(model, path_of("w.safetensors"), &err));
    unsigned char *bytes = (unsigned char *)read_file(path_of("w.safetensors"), &size);
    assert_int_equal(size, 8 + padded + 48);
    assert_int_equal(bytes[0] + 256 * bytes[1], padded);
    assert_memory_equal(bytes + 8, header, length);
    for (size_t i = length; i < padded; i++)
        assert_int_equal(bytes[8 + i], ' ');
    for (size_t i = 0; i < 48; i++)
        assert_int_equal(bytes[8 + padded + i], i);
    free(bytes);
    convoy_model_destroy(model);
}

/* ---- headers that lie ---- */

static void test_bad_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        uint64_t length;
        const char *first, *second;
    } cases[] = {
        {"{" GOOD "}", 48, 100000, "100000 bytes", "truncated"},
        {"{" GOOD "}", 48, UINT64_MAX, "18446744073709551615 bytes", "truncated"},
        {"{" GOOD "}", 48, UINT64_MAX - 7, "bytes", "truncated"},
        {"{" GOOD "}", 48, 20, "broken JSON", "line 1"},
        {"[]", 0, 0, "no JSON object", ""},
        {"{" GOOD ", " T("a/bias", "F32", "3", 24, 36) "}", 48, 0, "broken JSON", "duplicate"},
        {"{" GOOD "}", 47, 0, "'in/b/kernel'", "only 47 bytes"},
        {"{" GOOD "}", 49, 0, "1 bytes at the end", ""},
        {"{" T("a", "F32", "3", 0, 12) ", " T("b", "F32", "3", 8, 20) "}", 20, 0, "'a' and 'b' overlap", ""},
        {"{" T("a", "F32", "3", 0, 12) ", " T("b", "F32", "3", 0, 12) "}", 12, 0, "overlap", ""},
        {"{" T("a", "F32", "3", 0, 12) ", " T("b", "F32", "3", 16, 28) "}", 28, 0, "4 bytes in front of 'b'", ""},
        {"{" T("a", "F32", "3", 4, 16) "}", 16, 0, "4 bytes in front of 'a'", ""},
        {"{" T("a", "F32", "3", 12, 0) "}", 12, 0, "'a'", "data_offsets is [12,0]"},
        {"{" T("a", "F32", "3", -4, 8) "}", 12, 0, "'a'", "data_offsets is [-4,8]"},
        {"{" T("a", "F32", "3", 0, 12.0) "}", 12, 0, "'a'", "data_offsets"},
        {"{" T("a", "F32", "3", 0, 9223372036854775807) "}", 12, 0, "'a'", "only 12 bytes"},
        {"{" T("a", "F32", "3", 0, 99999999999999999999) "}", 12, 0, "broken JSON", ""},
        {"{" T("a", "F32", "4", 0, 12) "}", 12, 0, "'a'", "4 values of F32 need another number"},
        {"{" T("a", "F32", "4294967296, 4294967296", 0, 0) "}", 0, 0, "'a'", "more values than can be counted"},
        {"{" T("a", "F64", "2305843009213693952", 0, 0) "}", 0, 0, "'a'", "need another number"},
        {"{" T("a", "F32", "-3", 0, 12) "}", 12, 0, "'a'", "shape is [-3]"},
        {"{" T("a", "F32", "\"3\"", 0, 12) "}", 12, 0, "'a'", "shape is"},
        {"{" T("a", "I8", "12", 0, 12) "}", 12, 0, "'a'", "dtype is \"I8\"; F32, F64, F16 and BF16"},
        {"{\"a\": {\"dtype\": 3, \"shape\": [3], \"data_offsets\": [0, 12]}}", 12, 0, "'a'", "dtype is 3"},
        {"{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 12]}}", 12, 0, "'a'", "shape is nothing"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [3]}}", 12, 0, "'a'", "data_offsets is nothing"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 12, 12]}}", 12, 0, "'a'", "data_offsets is [0,12,12]"},
        {"{\"a\": 7}", 0, 0, "'a'", "found 7"},
    };
    convoy_model *model = small();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_no_weights(model, write_raw(cases[i].header, cases[i].data, cases[i].length), cases[i].first, cases[i].second, NULL);
    convoy_model_destroy(model);
}

static void test_short_files(void **state)
{
    (void)state;
    convoy_model *model = small();
    size_t size;
    char *data = read_file(write_raw("{" GOOD "}", 48, 0), &size);
    for (size_t cut = 1; cut < size; cut++) {
        ASSERT_OK(file_write(path_of("cut.safetensors"), data, cut, &err));
        assert_no_weights(model, path_of("cut.safetensors"), NULL);
    }
    free(data);
    convoy_model_destroy(model);
}

/* Good files of other models. */
static void test_other_models(void **state)
{
    (void)state;
    convoy_model *model = small();
    assert_no_weights(model, write_raw("{" T("a/kernel", "F32", "2, 3", 0, 24) ", " T("a/bias", "F32", "3", 24, 36) "}", 36, 0),
                      "no tensor is called 'in/b/kernel'", NULL);
    assert_no_weights(model, write_raw("{" GOOD ", " T("c/kernel", "F32", "1", 48, 52) "}", 52, 0),
                      "no weight for the tensor 'c/kernel'", NULL);
    assert_no_weights(model, write_raw("{" T("a/kernel", "F32", "3, 2", 0, 24) ", " T("a/bias", "F32", "3", 24, 36) ", "
                                       T("in/b/kernel", "F32", "3, 1", 36, 48) "}", 48, 0),
                      "'a/kernel' has the shape [3,2]", "needs [2,3]", NULL);
    assert_no_weights(model, write_raw("{}", 0, 0), "no tensor is called 'a/kernel'", NULL);
    convoy_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_of_numbers), cmocka_unit_test(test_not_a_number), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_written_bytes),    cmocka_unit_test(test_bad_headers),  cmocka_unit_test(test_short_files),
        cmocka_unit_test(test_other_models),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
