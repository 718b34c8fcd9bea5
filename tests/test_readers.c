/* The readers of CIFAR-100, of pickles and IDX: files made here, good and bad. */
#include "config.h"
#include "data/pickle.h"
#include "data_help.h"

#define PIXELS 3072

static uint8_t pixel(int image, int i)
{
    return (uint8_t)(image * 101 + i * 7 + i / 256);
}

/* Planes of R, G and B became interleaved pixels. */
static void check_image(const convoy_dataset *set, size_t row, int image)
{
    const uint8_t *pixels = convoy_dataset_images(set) + row * PIXELS;
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(pixels[i % 1024 * 3 + i / 1024], pixel(image, i));
}

/* ---- CIFAR-100, binary ---- */

static void put_records_100(const char *name, int count)
{
    text t = {0};
    for (int r = 0; r < count; r++) {
        const uint8_t labels[2] = {(uint8_t)(19 - r), (uint8_t)(99 - r)};
        text_add_bytes(&t, labels, 2);
        for (int i = 0; i < PIXELS; i++)
            text_add_bytes(&t, (uint8_t[]){pixel(r, i)}, 1);
    }
    put_text(name, &t);
}

static void put_names(const char *name, int count)
{
    text t = {0};
    for (int i = 0; i < count; i++)
        text_add(&t, "%.4s %d\n", name, i);
    put_text(name, &t);
}

static void test_cifar_100(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("cifar-100-binary"), 0777), 0);
    put_records_100("cifar-100-binary/train.bin", 3);
    put_records_100("cifar-100-binary/test.bin", 2);
    put_names("cifar-100-binary/fine_label_names.txt", 100);
    put_names("cifar-100-binary/coarse_label_names.txt", 20);
    convoy_dataset *set = opened(folder, "train");
    assert_int_equal(convoy_dataset_count(set), 3);
    assert_int_equal(convoy_dataset_classes(set), 100);
    assert_int_equal(convoy_dataset_labels(set)[2], 97);
    assert_string_equal(convoy_dataset_class_name(set, 99), "cifa 99");
    check_image(set, 2, 2);
    convoy_dataset_destroy(set);
    how.coarse_labels = true;
    set = opened(at("cifar-100-binary"), "test");
    assert_int_equal(convoy_dataset_count(set), 2);
    assert_int_equal(convoy_dataset_classes(set), 20);
    assert_int_equal(convoy_dataset_labels(set)[1], 18);
    convoy_dataset_destroy(set);
    set = opened(at("cifar-100-binary/train.bin"), "test"); /* the length of its records tells */
    assert_int_equal(convoy_dataset_classes(set), 20);
    assert_int_equal(convoy_dataset_count(set), 3);
    convoy_dataset_destroy(set);
}

static void test_bad_cifar_100(void **state)
{
    (void)state;
    put_records_100("train.bin", 2);
    refused(folder, "test", CONVOY_ERROR_NO_PART, "no test part", "test.bin", NULL);
    assert_int_equal(truncate(at("train.bin"), 2 * 3074 - 1), 0);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "CIFAR-100 binary", "1 records of 3074 bytes", "3073 bytes more", NULL);
    put("train.bin", "", 0);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "train.bin: empty", "3074", "two labels", NULL);
    text t = {0};
    text_add_bytes(&t, (uint8_t[]){20, 99}, 2);
    for (int i = 0; i < PIXELS; i++)
        text_add_bytes(&t, "", 1);
    put_text("train.bin", &t);
    convoy_dataset_destroy(opened(folder, "train")); /* the coarse label is not looked at */
    how.coarse_labels = true;
    refused(folder, "train", CONVOY_ERROR_FORMAT, "record 1 of 1", "label 20", "0 to 19", NULL);
    how.coarse_labels = false;
    put_names("fine_label_names.txt", 99);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "fine_label_names.txt: 99 class names", "100 are expected", NULL);
}

/* ---- the Python versions, written as Python 2 wrote them ---- */

static void add_string(text *t, const char *value)
{
    const uint8_t head[2] = {'U', (uint8_t)strlen(value)};
    text_add_bytes(t, head, 2);
    text_add(t, "%s", value);
}

static void add_labels(text *t, const char *key, int first, int count)
{
    add_string(t, key);
    text_add_bytes(t, "]q\x05(", 4);
    for (int i = 0; i < count; i++)
        text_add_bytes(t, (uint8_t[]){'K', (uint8_t)(first + i)}, 2);
    text_add_bytes(t, "e", 1);
}

static void add_array(text *t, int count, int fortran)
{
    uint32_t bytes = (uint32_t)count * PIXELS;
    add_string(t, "data");
    text_add(t, "cnumpy.core.multiarray\n_reconstruct\n");
    text_add_bytes(t, "q\x07", 2);
    text_add(t, "cnumpy\nndarray\n");
    text_add_bytes(t, "q\x08K\0\x85U\x01" "b\x87Rq\t(K\x01", 15);
    text_add_bytes(t, (uint8_t[]){'K', (uint8_t)count, 'M', PIXELS & 0xff, PIXELS >> 8, 0x86}, 6);
    text_add(t, "cnumpy\ndtype\n");
    text_add_bytes(t, "q\nU\x02u1K\0K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb", 37);
    text_add_bytes(t, fortran ? "\x88T" : "\x89T", 2);
    text_add_bytes(t, (uint8_t[]){bytes & 0xff, bytes >> 8 & 0xff, bytes >> 16 & 0xff, 0}, 4);
    for (int r = 0; r < count; r++)
        for (int i = 0; i < PIXELS; i++)
            text_add_bytes(t, (uint8_t[]){pixel(r, i)}, 1);
    text_add_bytes(t, "tb", 2);
}

static void begin_dict(text *t)
{
    text_add_bytes(t, "\x80\x02}q\x01(", 6);
}

static void add_names(text *t, const char *key, int count)
{
    char name[16];
    add_string(t, key);
    text_add_bytes(t, "](", 2);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "thing %d", i);
        add_string(t, name);
    }
    text_add_bytes(t, "e", 1);
}

static text batch_10(int count)
{
    text t = {0};
    begin_dict(&t);
    add_string(&t, "batch_label");
    add_string(&t, "training batch 1 of 5");
    add_labels(&t, "labels", 3, count);
    add_array(&t, count, 0);
    add_names(&t, "filenames", count);
    text_add_bytes(&t, "u.", 2);
    return t;
}

static void test_cifar_10_python(void **state)
{
    (void)state;
    text t = batch_10(3), again = batch_10(2), names = {0};
    put_text("data_batch_1", &t);
    put_text("test_batch", &again);
    convoy_dataset *set = opened(folder, "train");
    assert_int_equal(convoy_dataset_count(set), 3);
    assert_int_equal(convoy_dataset_labels(set)[2], 5);
    assert_string_equal(convoy_dataset_class_name(set, 9), "truck");
    for (int i = 0; i < 3; i++)
        check_image(set, (size_t)i, i);
    convoy_dataset_destroy(set);
    begin_dict(&names);
    add_names(&names, "label_names", 10);
    text_add_bytes(&names, "u.", 2);
    put_text("batches.meta", &names);
    set = opened(at("test_batch"), "train");
    assert_int_equal(convoy_dataset_count(set), 2);
    assert_string_equal(convoy_dataset_class_name(set, 9), "thing 9");
    convoy_dataset_destroy(set);
}

static void test_cifar_100_python(void **state)
{
    (void)state;
    text t = {0}, names = {0};
    begin_dict(&t);
    add_labels(&t, "fine_labels", 97, 2);
    add_labels(&t, "coarse_labels", 18, 2);
    add_array(&t, 2, 0);
    text_add_bytes(&t, "u.", 2);
    assert_int_equal(mkdir(at("cifar-100-python"), 0777), 0);
    put_text("cifar-100-python/train", &t);
    begin_dict(&names);
    add_names(&names, "fine_label_names", 100);
    add_names(&names, "coarse_label_names", 20);
    text_add_bytes(&names, "u.", 2);
    put_text("cifar-100-python/meta", &names);
    for (int coarse = 0; coarse < 2; coarse++) {
        how.coarse_labels = coarse;
        convoy_dataset *set = opened(coarse ? at("cifar-100-python/train") : folder, "train");
        assert_int_equal(convoy_dataset_classes(set), coarse ? 20 : 100);
        assert_int_equal(convoy_dataset_labels(set)[1], coarse ? 19 : 98);
        assert_string_equal(convoy_dataset_class_name(set, 19), "thing 19");
        check_image(set, 1, 1);
        convoy_dataset_destroy(set);
    }
    refused(folder, "test", CONVOY_ERROR_NO_PART, "no test part: looked for test", NULL);
}

static void pickle_refused(const char *bytes, size_t size, const char *expected)
{
    pickle *p = NULL;
    convoy_error err = {0};
    assert_int_equal(pickle_read((const uint8_t *)bytes, size, &p, &err), CONVOY_ERROR_FORMAT);
    assert_null(p);
    if (strstr(err.message, expected) == NULL)
        fail_msg("\"%s\" is not in: %s", expected, err.message);
}

#define PICKLE_REFUSED(bytes, expected) pickle_refused(bytes, sizeof(bytes) - 1, expected)

static void test_bad_pickles(void **state)
{
    (void)state;
    PICKLE_REFUSED("", "not a pickle");
    PICKLE_REFUSED("\x80\x04N.", "protocol 4");
    PICKLE_REFUSED("\x80\x02", "truncated");
    PICKLE_REFUSED("\x80\x02.", "empty stack");
    PICKLE_REFUSED("\x80\x02" "cos\nsystem\n(U\x02lstR.", "wants to call os.system at byte 2");
    PICKLE_REFUSED("\x80\x02" "c__builtin__\neval\n.", "__builtin__.eval");
    PICKLE_REFUSED("\x80\x02" "cos\n\x1b[2J\n.", "os.?[2J");
    PICKLE_REFUSED("\x80\x02" "cnumpy", "no end");
    PICKLE_REFUSED("\x80\x02" "cnumpy\nndarray\nN\x85R.", "no function");
    PICKLE_REFUSED("\x80\x02" "U\x05" "abc", "truncated: 5 bytes are expected at byte 4 of 7");
    PICKLE_REFUSED("\x80\x02T\xff\xff\xff\xff" "abc", "truncated: 4294967295 bytes");
    PICKLE_REFUSED("\x80\x02h\x01.", "memo index that was not set");
    PICKLE_REFUSED("\x80\x02Nr\xff\xff\xff\xff.", "memo index that is too high");
    PICKLE_REFUSED("\x80\x02t.", "no mark");
    PICKLE_REFUSED("\x80\x02N(Ne.", "items without their list");
    PICKLE_REFUSED("\x80\x02}(Nu.", "items without their list or dict");
    PICKLE_REFUSED("\x80\x02](u.", "items without");
    PICKLE_REFUSED("\x80\x02(](\x85.", "empty stack");
    PICKLE_REFUSED("\x80\x02NNR.", "a call that is none");
    PICKLE_REFUSED("\x80\x02NNb.", "a state of something that takes none");
    PICKLE_REFUSED("\x80\x02\x8a\x09" "123456789.", "more than 8 bytes");
    PICKLE_REFUSED("\x80\x02i.", "opcode 0x69 at byte 2");
    PICKLE_REFUSED("\x80\x02P.", "opcode 0x50");
}

static void test_pickle_values(void **state)
{
    (void)state;
    /* A list in itself, negative numbers, a tuple as a value, a key that is asked for and one that is not there. */
    static const char bytes[] = "\x80\x02}(U\x01" "a]q\0h\0aU\x01" "b\x8a\x02\x00\x80X\x01\0\0\0cK\x01M\x01\x01J\xfe\xff\xff\xff\x87u.";
    pickle *p = NULL;
    convoy_error err = {0};
    if (pickle_read((const uint8_t *)bytes, sizeof bytes - 1, &p, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    const pickle_value *root = pickle_root(p), *a = pickle_get(root, "a"), *c = pickle_get(root, "c");
    assert_int_equal(a->kind, PICKLE_LIST);
    assert_ptr_equal(a->items[0], a);
    assert_int_equal(pickle_get(root, "b")->integer, -32768);
    assert_int_equal(c->count, 3);
    assert_int_equal(c->items[1]->integer, 257);
    assert_int_equal(c->items[2]->integer, -2);
    assert_null(pickle_get(root, "d"));
    assert_null(pickle_get(a, "a"));
    pickle_free(p);
    pickle_free(NULL);
}

static void test_bad_python(void **state)
{
    (void)state;
    text t = batch_10(2);
    for (size_t cut = 2; cut < t.length; cut += cut < 300 ? 1 : 97) {
        put("test_batch", t.data, cut);
        refused(folder, "test", CONVOY_ERROR_FORMAT, "test_batch: truncated", NULL);
    }
    text_free(&t);
    begin_dict(&t);
    add_labels(&t, "labels", 9, 2);
    add_array(&t, 2, 0);
    text_add_bytes(&t, "u.", 2);
    put_text("test_batch", &t);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "label 1 is a number (10)", "0 to 9", NULL);
    begin_dict(&t);
    add_labels(&t, "labels", 1, 1);
    add_array(&t, 2, 0);
    text_add_bytes(&t, "u.", 2);
    put_text("test_batch", &t);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "`labels` is a list of 1", "2 images", NULL);
    begin_dict(&t);
    add_labels(&t, "labels", 1, 2);
    add_array(&t, 2, 1);
    text_add_bytes(&t, "u.", 2);
    put_text("test_batch", &t);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "Fortran", NULL);
    put("test_batch", "\x80\x02}.", 4);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "under `data` is nothing", NULL);
    put("test_batch", "\x80\x02N.", 4);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "under `data` is nothing", NULL);
}

/* ---- IDX ---- */

static void add_big_endian(text *t, uint32_t n)
{
    text_add_bytes(t, (uint8_t[]){n >> 24, n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff}, 4);
}

static text idx_images(uint32_t count, uint32_t height, uint32_t width)
{
    text t = {0};
    text_add_bytes(&t, "\0\0\x08\x03", 4);
    add_big_endian(&t, count);
    add_big_endian(&t, height);
    add_big_endian(&t, width);
    for (uint32_t i = 0; i < count * height * width; i++)
        text_add_bytes(&t, (uint8_t[]){pixel(5, (int)i)}, 1);
    return t;
}

static text idx_labels(uint32_t count, int first)
{
    text t = {0};
    text_add_bytes(&t, "\0\0\x08\x01", 4);
    add_big_endian(&t, count);
    for (uint32_t i = 0; i < count; i++)
        text_add_bytes(&t, (uint8_t[]){(uint8_t)((uint32_t)first + i)}, 1);
    return t;
}

static void put_idx(const char *images, const char *labels, uint32_t count, int first)
{
    text x = idx_images(count, 3, 5), y = idx_labels(count, first);
    put_text(images, &x);
    put_text(labels, &y);
}

static void test_idx(void **state)
{
    (void)state;
    put_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 4, 0);
    put_idx("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", 2, 6);
    convoy_dataset *set = opened(folder, "train");
    assert_int_equal(convoy_dataset_count(set), 4);
    assert_int_equal(convoy_dataset_classes(set), 8); /* the test part has a 7 */
    convoy_shape shape = convoy_dataset_shape(set);
    assert_int_equal(shape.rank, 3);
    assert_int_equal(shape.dim[0], 3);
    assert_int_equal(shape.dim[1], 5);
    assert_int_equal(shape.dim[2], 1);
    for (int i = 0; i < 4 * 15; i++)
        assert_int_equal(convoy_dataset_images(set)[i], pixel(5, i));
    assert_int_equal(convoy_dataset_labels(set)[3], 3);
    convoy_dataset_destroy(set);
    set = opened(folder, "test");
    assert_int_equal(convoy_dataset_labels(set)[0], 6);
    convoy_dataset_destroy(set);
}

/* The same grey pictures, as a record of CIFAR-10 and as IDX, are the same pixels. */
static void test_idx_is_cifar(void **state)
{
    (void)state;
    text record = {0}, grey = {0}, labels = idx_labels(1, 4);
    text_add_bytes(&record, "\x04", 1);
    for (int i = 0; i < PIXELS; i++)
        text_add_bytes(&record, (uint8_t[]){pixel(2, i % 1024)}, 1);
    text_add_bytes(&grey, "\0\0\x08\x03\0\0\0\x01\0\0\0\x20\0\0\0\x20", 16);
    for (int i = 0; i < 1024; i++)
        text_add_bytes(&grey, (uint8_t[]){pixel(2, i)}, 1);
    put_text("one.bin", &record);
    put_text("train-images-idx3-ubyte", &grey);
    put_text("train-labels-idx1-ubyte", &labels);
    convoy_dataset *cifar = opened(at("one.bin"), "train"), *idx = opened(folder, "train");
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(convoy_dataset_images(cifar)[i], convoy_dataset_images(idx)[i / 3]);
    assert_int_equal(convoy_dataset_labels(cifar)[0], convoy_dataset_labels(idx)[0]);
    convoy_dataset_destroy(cifar);
    convoy_dataset_destroy(idx);
}

static int gzip(const char *name)
{
    char command[2 * PATH_MAX];
    snprintf(command, sizeof command, "gzip -n '%s'", at(name));
    return system(command);
}

static void test_idx_gzip(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    put_idx("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 200, 0);
    if (gzip("t10k-images-idx3-ubyte") != 0 || gzip("t10k-labels-idx1-ubyte") != 0)
        skip();
#ifdef HAVE_IMAGES
    convoy_dataset *set = opened(folder, "test");
    assert_int_equal(convoy_dataset_count(set), 200);
    assert_int_equal(convoy_dataset_images(set)[2999], pixel(5, 2999));
    convoy_dataset_destroy(set);
    assert_int_equal(file_read(at("t10k-images-idx3-ubyte.gz"), 100000, &bytes, &size, NULL), CONVOY_OK);
    for (size_t cut = 2; cut < size; cut += 7) {
        put("t10k-images-idx3-ubyte.gz", bytes, cut);
        refused(folder, "test", CONVOY_ERROR_FORMAT, "images-idx3-ubyte.gz: truncated or damaged", "gzip", NULL);
    }
    bytes[size / 2] ^= 0x55;
    put("t10k-images-idx3-ubyte.gz", bytes, size);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "images-idx3-ubyte.gz", NULL);
    free(bytes);
#else
    (void)bytes, (void)size;
    refused(folder, "test", CONVOY_ERROR_UNSUPPORTED, "zlib1g-dev", NULL);
#endif
}

static void test_bad_idx(void **state)
{
    (void)state;
    put_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 4, 0);
    refused(folder, "test", CONVOY_ERROR_NO_PART, "no test part", "t10k-images-idx3-ubyte", NULL);
    text t = idx_images(4, 3, 5);
    for (size_t cut = 0; cut < t.length; cut++) {
        put("train-images-idx3-ubyte", t.data, cut);
        refused(folder, "train", CONVOY_ERROR_FORMAT, "train-images-idx3-ubyte: ", NULL);
    }
    text_add_bytes(&t, "x", 1);
    put("train-images-idx3-ubyte", t.data, t.length);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "61 values are there, and 60 are announced", NULL);
    t.data[2] = 0x0d;
    put("train-images-idx3-ubyte", t.data, t.length);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "values float32 with 3 dimensions", NULL);
    memset(t.data + 4, 0xff, 12);
    t.data[2] = 8;
    put_text("train-images-idx3-ubyte", &t);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "too large", NULL);
    t = idx_images(3, 3, 5);
    put_text("train-images-idx3-ubyte", &t);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "3 images, but 4 labels", NULL);
    t = idx_images(0, 3, 5);
    put_text("train-images-idx3-ubyte", &t);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "0 images", NULL);
    assert_int_equal(unlink(at("train-labels-idx1-ubyte")), 0);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "train-labels-idx1-ubyte is missing", NULL);
}

#define DATA_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(test_cifar_100),        DATA_TEST(test_bad_cifar_100), DATA_TEST(test_cifar_10_python),
        DATA_TEST(test_cifar_100_python), DATA_TEST(test_bad_pickles),   DATA_TEST(test_pickle_values),
        DATA_TEST(test_bad_python),       DATA_TEST(test_idx),           DATA_TEST(test_idx_is_cifar),
        DATA_TEST(test_idx_gzip),         DATA_TEST(test_bad_idx),
    };
    return cmocka_run_group_tests_name("readers", tests, NULL, NULL);
}
