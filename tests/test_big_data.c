/* Data sets that are more than memory may hold: with the memory of this process limited they are read and trained on all the same,
 * from files whose pages come and go. */
#include <dirent.h>
#include <malloc.h>
#include <sys/resource.h>

#include "config.h"
#include "data/data.h"
#include "data_help.h"
#include "train_help.h"

#define IMAGES 96
#define SIDE_BIG 384
#define ROW_BIG ((size_t)SIDE_BIG * SIDE_BIG * 3)
#define MORE ((size_t)20 << 20) /* bytes that may be had beyond what is had already: half of what the images take */

/* ---- the limit ---- */

static struct rlimit unlimited;

/* Private memory that may be written: what RLIMIT_DATA counts. */
static size_t data_bytes(void) { return own_memory("VmData:"); }

static void limit(size_t bytes)
{
    struct rlimit less;
    assert_int_equal(getrlimit(RLIMIT_DATA, &unlimited), 0);
    less = unlimited;
    less.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_DATA, &less), 0);
}

static void unlimit(void)
{
    assert_int_equal(setrlimit(RLIMIT_DATA, &unlimited), 0);
}

static void limit_to_more(void)
{
    malloc_trim(0);
    limit(data_bytes() + MORE);
}

static void *(*volatile get_memory)(size_t) = malloc; /* so that no compiler leaves the attempt out */

/* Where memory can't be limited, or a sanitizer ends the process when it is, nothing can be said. */
static bool can_limit(void)
{
    void *much = "";
    if (!SANITIZED && data_bytes() != 0) {
        limit_to_more();
        much = get_memory(2 * MORE);
        unlimit();
        free(much);
    }
    if (much != NULL)
        print_message("[  SKIP  ] memory can't be limited here\n");
    return much == NULL;
}

/* ---- training ---- */

static convoy_model *make_pooled(convoy_shape shape, int classes)
{
    convoy_model *m = NULL;
    char input[64], dense[32], pool[32];
    snprintf(input, sizeof input, "shape=(%d, %d, %d)", shape.dim[0], shape.dim[1], shape.dim[2]);
    snprintf(dense, sizeof dense, "units=%d", classes);
    snprintf(pool, sizeof pool, "pool_size=%d", shape.dim[0] / 8);
    CHECK(convoy_model_create(NULL, &m, &err));
    CHECK(convoy_model_add(m, "InputLayer", input, &err));
    CHECK(convoy_model_add(m, "AveragePooling2D", pool, &err));
    CHECK(convoy_model_add(m, "Flatten", NULL, &err));
    CHECK(convoy_model_add(m, "Dense", dense, &err));
    CHECK(convoy_model_initialize(m, SEED, &err));
    return m;
}

/* An epoch of the training part of `path`, opened and trained on with little memory; then again, resident on the device, with
 * all there is: the same bits. */
static void train_limited(const char *path, convoy_shape shape, int classes, size_t count, int batch)
{
    convoy_model *warm = make_pooled(shape, classes), *m = make_pooled(shape, classes), *again = make_pooled(shape, classes);
    convoy_dataset *few = NULL, *set = NULL;
    /* Streamed by order: the device's memory may be this memory, and PoCL ends the process when it gets none. */
    convoy_fit_options options = {.batch_size = batch, .seed = SEED, .stream = true};
    convoy_fit_result result = {0};
    convoy_error err = {0};
    CHECK(dataset_random(shape, classes, 2 * (size_t)batch, SEED, &few, &err));
    CHECK(convoy_fit(ctx, warm, few, &options, NULL, &err)); /* the kernels are built, which takes memory */
    limit_to_more();
    convoy_status status = convoy_dataset_open_with(path, "train", &how, &set, &err);
    if (status == CONVOY_OK)
        status = convoy_fit(ctx, m, set, &options, &result, &err);
    unlimit();
    if (status != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_int_equal(convoy_dataset_count(set), count);
    assert_true(count * dataset_image_bytes(set) > 2 * MORE);
    assert_non_null(set->pixels->mapping);
    assert_true(result.streamed);
    options.stream = false;
    CHECK(convoy_fit(ctx, again, set, &options, &result, &err));
    assert_false(result.streamed);
    assert_same_weights(m, again);
    convoy_dataset_destroy(few);
    convoy_dataset_destroy(set);
    convoy_model_destroy(warm);
    convoy_model_destroy(m);
    convoy_model_destroy(again);
}

/* Nothing is left in the cache folder that has no name of its own. */
static void assert_no_leftovers(void)
{
    DIR *d = opendir(at(".cache/convoy"));
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        assert_true(entry->d_name[0] == '.' || strcmp(entry->d_name, "images") == 0);
    closedir(d);
}

static void test_images(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    char command[4 * PATH_MAX];
    if (!can_limit())
        skip();
    snprintf(command, sizeof command,
             "cd '%s' && mkdir -p set/a set/b && for i in $(seq 60); do cp '" TEST_GOLDEN_DIR "/images/rgb.png' set/a/$i.png;"
             " cp '" TEST_GOLDEN_DIR "/images/grey.jpg' set/b/$i.jpg; done", folder);
    assert_int_equal(system(command), 0);
    convoy_shape shape = {3, {SIDE_BIG, SIDE_BIG, 3}};
    how = (convoy_dataset_options){.height = SIDE_BIG, .width = SIDE_BIG, .channels = 3};
    train_limited(at("set"), shape, 2, IMAGES, 2); /* decoded into the cache */
    train_limited(at("set"), shape, 2, IMAGES, 2); /* from it */
    how.no_image_cache = true;
    train_limited(at("set"), shape, 2, IMAGES, 2);
    assert_no_leftovers();
}

static void test_cifar(void **state)
{
    (void)state;
    enum { FILES = 5, RECORDS = 2800, RECORD = 3073 };
    if (!can_limit())
        skip();
    uint8_t *bytes = malloc((size_t)RECORDS * RECORD);
    assert_non_null(bytes);
    for (size_t i = 0; i < (size_t)RECORDS * RECORD; i++)
        bytes[i] = (uint8_t)(i % RECORD == 0 ? i / RECORD % 10 : i * 7 + i / 999);
    for (int i = 1; i <= FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        put(name, bytes, (size_t)RECORDS * RECORD);
    }
    free(bytes);
    train_limited(folder, (convoy_shape){3, {32, 32, 3}}, 10, FILES * RECORDS, 100);
    assert_no_leftovers();
}

#ifdef HAVE_KERAS_FILES
#include "base/zip.h"

static void test_npz(void **state)
{
    (void)state;
    char dict[200];
    uint8_t label_bytes[IMAGES];
    text x = {0}, y = {0};
    if (!can_limit())
        skip();
    int length = snprintf(dict, sizeof dict, "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d, %d, 3), }\n", IMAGES,
                          SIDE_BIG, SIDE_BIG);
    text_add_bytes(&x, "\x93NUMPY\x01", 8);
    text_add_bytes(&x, (uint8_t[]){(uint8_t)length, 0}, 2);
    text_add_bytes(&x, dict, (size_t)length);
    uint8_t row[SIDE_BIG * 3];
    for (int i = 0; i < IMAGES * SIDE_BIG; i++) {
        memset(row, i * 5 % 251, sizeof row);
        text_add_bytes(&x, row, sizeof row);
    }
    length = snprintf(dict, sizeof dict, "{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }\n", IMAGES);
    text_add_bytes(&y, "\x93NUMPY\x01", 8);
    text_add_bytes(&y, (uint8_t[]){(uint8_t)length, 0}, 2);
    text_add_bytes(&y, dict, (size_t)length);
    for (int i = 0; i < IMAGES; i++)
        label_bytes[i] = (uint8_t)(i % 2);
    text_add_bytes(&y, label_bytes, sizeof label_bytes);
    const zip_member members[] = {{"x_train.npy", x.data, x.length}, {"y_train.npy", y.data, y.length}};
    char *bytes = NULL;
    size_t size = 0;
    CHECK(zip_archive_build(members, 2, &bytes, &size, &err));
    text_free(&x);
    text_free(&y);
    put("set.npz", bytes, size);
    free(bytes);
    train_limited(at("set.npz"), (convoy_shape){3, {SIDE_BIG, SIDE_BIG, 3}}, 2, IMAGES, 2);
    assert_no_leftovers();
}
#endif

/* From memory to a file, and to a longer one: what was there stays. */
static void test_pixels_move(void **state)
{
    (void)state;
    pixels *p = NULL;
    convoy_error err = {0};
    assert_int_equal(pixels_create(&p, &err), CONVOY_OK);
    assert_int_equal(pixels_reserve(p, 5000, &err), CONVOY_OK);
    assert_null(p->mapping);
    memset(p->bytes, 1, 5000);
    limit(65536);
    size_t most = pixels_most_memory();
    convoy_status status = pixels_reserve(p, 40000, &err);
    if (status == CONVOY_OK)
        memset(p->bytes + 5000, 2, 35000);
    void *first = p->mapping;
    if (status == CONVOY_OK)
        status = pixels_reserve(p, 10 << 20, &err);
    unlimit();
    if (status != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_int_equal(most, 16384);
    assert_non_null(first);
    assert_true(p->outgrown);
    memset(p->bytes + 40000, 3, (10 << 20) - 40000);
    pixels_expect(p, p->bytes + 4999, 40000); /* only tells the system */
    assert_int_equal(p->bytes[0], 1);
    assert_int_equal(p->bytes[4999], 1);
    assert_int_equal(p->bytes[5000], 2);
    assert_int_equal(p->bytes[39999], 2);
    assert_int_equal(p->bytes[(10 << 20) - 1], 3);
    assert_ptr_equal(pixels_share(p), p);
    pixels_release(p);
    assert_int_equal(p->bytes[39999], 2); /* the other owner's */
    pixels_release(p);
    assert_no_leftovers();
}

/* Neither memory nor a file: the message says what was tried. */
static void test_no_room(void **state)
{
    (void)state;
    pixels *p = NULL;
    convoy_error err = {0};
    put(".cache", "in the way", 10);
    assert_int_equal(pixels_create(&p, &err), CONVOY_OK);
    if (!SANITIZED) {
        assert_int_equal(pixels_reserve(p, (size_t)1 << 60, &err), CONVOY_ERROR_MEMORY);
        assert_non_null(strstr(err.message, "1152921504606846976 bytes"));
        assert_non_null(strstr(err.message, ".cache"));
    }
    pixels_release(p);
}

#define BIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BIG_TEST(test_pixels_move), BIG_TEST(test_no_room), BIG_TEST(test_images), BIG_TEST(test_cifar),
#ifdef HAVE_KERAS_FILES
        BIG_TEST(test_npz),
#endif
    };
    mallopt(M_MMAP_THRESHOLD, 1 << 17); /* much that is freed goes back, and is not to be had again below a limit */
    return cmocka_run_group_tests_name("big_data", tests, make_context, drop_context);
}
