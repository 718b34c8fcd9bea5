/* Grey pictures train alike as IDX (one channel) and in CIFAR-10's own form (three equal ones): the real CIFAR-10 turned grey where
 * CONVOY_CIFAR10 says that it is, else stripes in noise.
 *
 * Two networks do the same when the one of three channels has the first kernel / sqrt(3) for each of them and pixels / sqrt(3):
 * its sums are 3 * k/sqrt(3) * x/sqrt(3) = k * x, and so are the changes that SGD's steps make of them. What is left is rounding. */
#include <math.h>

#include "base/philox.h"
#include "data_help.h"
#include "train_help.h"

enum { PLANE = 1024, RECORD = 1 + 3 * PLANE, TRAIN = 3000, TEST = 1000 };

/* Noise with a bright stripe, whose place is the class. */
static void draw(uint8_t *record, uint32_t number)
{
    int label = (int)(number * 7 % 10);
    record[0] = (uint8_t)label;
    for (int i = 0; i < 3 * PLANE; i++) {
        bool bright = i % 32 / 3 == label;
        record[1 + i] = (uint8_t)(philox_word(SEED, PHILOX_TEST, number, (uint64_t)i) % 100 + (bright ? 120 : 0));
    }
}

/* `count` records: the first ones of a file (NULL: drawn). The caller frees them. */
static uint8_t *records(const char *path, size_t count, uint32_t first)
{
    char *bytes = NULL;
    size_t size;
    if (path != NULL) {
        CHECK(file_read(path, SIZE_MAX, &bytes, &size, &err));
        assert_true(size >= count * RECORD);
        return (uint8_t *)bytes;
    }
    bytes = malloc(count * RECORD);
    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++)
        draw((uint8_t *)bytes + i * RECORD, first + (uint32_t)i);
    return (uint8_t *)bytes;
}

/* ITU-R 601, as Convoy itself turns images grey. */
static uint8_t grey_of(const uint8_t *planes, int i)
{
    return (uint8_t)((299u * planes[i] + 587u * planes[PLANE + i] + 114u * planes[2 * PLANE + i] + 500u) / 1000u);
}

static void add_header(text *t, int rank, size_t count)
{
    const uint32_t dims[3] = {(uint32_t)count, 32, 32};
    text_add_bytes(t, (uint8_t[]){0, 0, 8, (uint8_t)rank}, 4);
    for (int i = 0; i < rank; i++)
        text_add_bytes(t, (uint8_t[]){dims[i] >> 24, dims[i] >> 16 & 0xff, dims[i] >> 8 & 0xff, dims[i] & 0xff}, 4);
}

/* Writes a part in both forms, to the folders `idx` and `cifar`. */
static void write_part(const char *real, size_t count, uint32_t first, const char *stem, const char *bin)
{
    char name[64], from[PATH_MAX + 64];
    if (real != NULL)
        snprintf(from, sizeof from, "%s/%s", real, bin);
    uint8_t *bytes = records(real ? from : NULL, count, first), grey[PLANE];
    text images = {0}, labels = {0}, own = {0};
    add_header(&images, 3, count);
    add_header(&labels, 1, count);
    for (size_t r = 0; r < count; r++) {
        const uint8_t *record = bytes + r * RECORD;
        for (int i = 0; i < PLANE; i++)
            grey[i] = grey_of(record + 1, i);
        text_add_bytes(&images, grey, PLANE);
        text_add_bytes(&labels, record, 1);
        text_add_bytes(&own, record, 1);
        for (int c = 0; c < 3; c++)
            text_add_bytes(&own, grey, PLANE);
    }
    free(bytes);
    snprintf(name, sizeof name, "idx/%s-images-idx3-ubyte", stem);
    put_text(name, &images);
    snprintf(name, sizeof name, "idx/%s-labels-idx1-ubyte", stem);
    put_text(name, &labels);
    snprintf(name, sizeof name, "cifar/%s", bin);
    put_text(name, &own);
}

static convoy_model *make_network(const char *input)
{
    convoy_model *m = NULL;
    CHECK(convoy_model_create(NULL, &m, &err));
    CHECK(convoy_model_add(m, "InputLayer", input, &err));
    CHECK(convoy_model_add(m, "Conv2D", "filters=16, kernel_size=3, activation=relu", &err));
    CHECK(convoy_model_add(m, "MaxPooling2D", NULL, &err));
    CHECK(convoy_model_add(m, "Conv2D", "filters=32, kernel_size=3, activation=relu", &err));
    CHECK(convoy_model_add(m, "MaxPooling2D", NULL, &err));
    CHECK(convoy_model_add(m, "Flatten", NULL, &err));
    CHECK(convoy_model_add(m, "Dense", "units=10", &err));
    CHECK(convoy_model_initialize(m, SEED, &err));
    return m;
}

/* Gives the network of three channels the weights of the one of one channel. */
static void spread_weights(convoy_model *one, convoy_model *three)
{
    for (size_t l = 0; l < convoy_model_layer_count(one); l++) {
        float *from, *to;
        convoy_shape shape, wide;
        size_t n, m;
        for (size_t i = 0; (n = convoy_model_weights(one, l, i, &from, &shape)) > 0; i++) {
            m = convoy_model_weights(three, l, i, &to, &wide);
            if (m == n) {
                memcpy(to, from, n * sizeof *to);
                continue;
            }
            assert_int_equal(m, 3 * n); /* (3, 3, 1, filters) becomes (3, 3, 3, filters) */
            size_t filters = (size_t)shape.dim[3];
            for (size_t k = 0; k < m; k++)
                to[k] = from[k / (3 * filters) * filters + k % filters] / sqrtf(3);
        }
    }
}

static double accuracy(convoy_model *m, const char *path, double scale)
{
    convoy_metrics metrics;
    convoy_dataset *train = opened(path, "train"), *test = opened(path, "test");
    convoy_fit_options options = {.epochs = 1, .batch_size = 32, .seed = SEED, .optimizer = "sgd(momentum=0.9)",
                                  .learning_rate = 0.02, .train_scale = scale};
    CHECK(convoy_fit(ctx, m, train, &options, NULL, &err));
    CHECK(convoy_evaluate(ctx, m, test, &(convoy_evaluate_options){.scale = scale}, &metrics, &err));
    convoy_dataset_destroy(train);
    convoy_dataset_destroy(test);
    return metrics.accuracy;
}

static void same_pixels(const char *part)
{
    convoy_dataset *idx = opened(at("idx"), part), *cifar = opened(at("cifar"), part);
    size_t count = convoy_dataset_count(idx);
    assert_int_equal(count, convoy_dataset_count(cifar));
    assert_memory_equal(convoy_dataset_labels(idx), convoy_dataset_labels(cifar), count * sizeof(int32_t));
    const uint8_t *one = convoy_dataset_images(idx), *three = convoy_dataset_images(cifar);
    for (size_t i = 0; i < count * PLANE; i++)
        if (three[3 * i] != one[i] || three[3 * i + 1] != one[i] || three[3 * i + 2] != one[i])
            fail_msg("%s: pixel %zu: %d as IDX, %d as a record", part, i, one[i], three[3 * i]);
    convoy_dataset_destroy(idx);
    convoy_dataset_destroy(cifar);
}

static void test_grey(void **state)
{
    (void)state;
    const char *real = getenv("CONVOY_CIFAR10");
    if (real != NULL && real[0] == '\0')
        real = NULL;
    assert_int_equal(mkdir(at("idx"), 0777), 0);
    assert_int_equal(mkdir(at("cifar"), 0777), 0);
    write_part(real, TRAIN, 0, "train", "data_batch_1.bin");
    write_part(real, TEST, TRAIN, "t10k", "test_batch.bin");
    same_pixels("train");
    same_pixels("test");
    convoy_model *one = make_network("shape=(32, 32, 1)"), *three = make_network("shape=(32, 32, 3)");
    spread_weights(one, three);
    double idx = accuracy(one, at("idx"), 255), cifar = accuracy(three, at("cifar"), 255 * sqrt(3));
    print_message("             %s: test accuracy %.4f as IDX, %.4f as CIFAR-10's records\n", real ? "CIFAR-10" : "stripes",
                  idx, cifar);
    assert_true(idx > 0.15); /* it has learned something */
    assert_true(fabs(idx - cifar) <= 0.01);
    convoy_model_destroy(one);
    convoy_model_destroy(three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_grey, set_up, tear_down)};
    return cmocka_run_group_tests_name("grey", tests, make_context, drop_context);
}
