/* What becomes of pixels, as users of the commands see it: .npz files of bytes and floats, with and without a test part. */
#include <jansson.h>

#include "base/text.h"
#include "command.h"
#include "config.h"

#ifdef HAVE_KERAS_FILES
#include "base/zip.h"

enum { IMAGES = 12, SIDE = 4 };

#define SMALL "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":" \
    "{\"batch_shape\":[null,4,4,1]}},"
#define END FLATTEN "," DENSE("2") "]}}"
#define RESCALING "{\"class_name\":\"Rescaling\",\"config\":{\"scale\":0.00392156862745098}},"

static text array(const char *type, const char *shape, const void *values, size_t size)
{
    char dict[200];
    text t = {0};
    int length = snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", type, shape);
    text_add_bytes(&t, "\x93NUMPY\x01", 8);
    text_add_bytes(&t, (uint8_t[]){(uint8_t)length, 0}, 2);
    text_add_bytes(&t, dict, (size_t)length);
    text_add_bytes(&t, values, size);
    return t;
}

/* Dark and light images, the same in both parts; `parts` 1: without a test part. */
static void put_npz(const char *path, const char *type, const void *values, size_t size, int parts)
{
    uint8_t labels[IMAGES];
    char *bytes = NULL;
    size_t total = 0;
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % 2;
    text x = array(type, "(12, 4, 4)", values, size), y = array("|u1", "(12,)", labels, IMAGES);
    const zip_member members[] = {{"x_train.npy", x.data, x.length}, {"y_train.npy", y.data, y.length},
                                    {"x_test.npy", x.data, x.length},  {"y_test.npy", y.data, y.length}};
    assert_int_equal(zip_archive_build(members, 2 * (size_t)parts, &bytes, &total, NULL), CONVOY_OK);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, total, f), total);
    fclose(f);
    free(bytes);
    text_free(&x);
    text_free(&y);
}

static int make_files(void **state)
{
    enum { VALUES = IMAGES * SIDE * SIDE };
    uint8_t bytes[VALUES];
    float floats[VALUES], pixels[VALUES];
    if (make_folder(state) != 0)
        return -1;
    for (int i = 0; i < VALUES; i++) {
        bytes[i] = (uint8_t)(i * 37 % 100 + i / (SIDE * SIDE) % 2 * 120);
        pixels[i] = bytes[i];
        floats[i] = ((float)bytes[i] - 110) / 64;
    }
    bytes[0] = 255;
    pixels[0] = 254.5f;
    put_npz("bytes.npz", "|u1", bytes, sizeof bytes, 2);
    put_npz("train.npz", "|u1", bytes, sizeof bytes, 1);
    put_npz("pixels.npz", "<f4", pixels, sizeof pixels, 2);
    put_npz("floats.npz", "<f4", floats, sizeof floats, 2);
    write_file("plain.json", SMALL END);
    write_file("rescaling.json", SMALL RESCALING END);
    return 0;
}

static void expect_pixels(const char *model, const char *data, const char *line)
{
    shell("convoy train %s --data %s -o o.keras", model, data);
    expect_success();
    expect_text(last.err, line);
    shell("convoy evaluate o.keras --data %s", data);
    expect_success();
    expect_text(last.err, line);
    shell("convoy evaluate o.keras --data %s -q", data);
    expect_success();
    expect_no_text(last.err, "pixels");
}

static void test_told(void **state)
{
    (void)state;
    expect_pixels("plain.json", "bytes.npz", "\npixels: divided by 255\n");
    expect_pixels("rescaling.json", "bytes.npz", "\npixels: 0 to 255, the model rescales them itself (rescaling)\n");
    expect_pixels("rescaling.json", "pixels.npz", "\npixels: 0 to 255, the model rescales them itself (rescaling)\n");
    expect_pixels("plain.json", "floats.npz", "\npixels: floats from -1.71875 to 1.70312, as they are\n");
    shell("convoy train plain.json --data bytes.npz --scale 2 --test-scale 3 --validation floats.npz");
    expect_success();
    expect_text(last.err, "\npixels: divided by 2\ntest pixels: divided by 3\nvalidation pixels: divided by 3\n");
}

static json_t *json_of(const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    return root;
}

static void test_no_test_part(void **state)
{
    (void)state;
    shell("convoy evaluate o.keras --data train.npz");
    expect_failure(1, "train.npz: no test part: the file holds x_train.npy, y_train.npy; add x_test.npy and y_test.npy");
    shell("convoy evaluate o.keras --data train.npz --part train");
    expect_success();
    shell("convoy train plain.json --data train.npz --validation test");
    expect_failure(1, "train.npz: no test part");
    shell("convoy train plain.json --data train.npz --validation-split 0.25 -o t.keras");
    expect_success();
    expect_text(last.err, "the model will not be tested");
    assert_string_equal(last.out, "saved t.keras\n");
    shell("convoy train plain.json --data train.npz --json -q --run untested --no-profile");
    expect_success();
    json_t *result = json_of(last.out);
    assert_true(json_is_null(json_object_get(result, "test")));
    json_decref(result);
}

#ifdef HAVE_REPORT

static void expect_right(const char *page, double right)
{
    char text[64];
    char *html = slurp(page);
    snprintf(text, sizeof text, "%.0f of all %d test images are right", right, IMAGES);
    expect_no_text(html, "No images");
    expect_text(html, text);
    free(html);
}

/* A report divides as the run did: what it says of the test images is what the run's test has found. */
static void test_report(void **state)
{
    (void)state;
    static const char *const runs[][3] = {
        {"a", "rescaling.json", "bytes.npz"}, {"b", "plain.json", "floats.npz"}, {"c", "plain.json", "pixels.npz"}};
    for (size_t i = 0; i < 3; i++) {
        shell("convoy train %s --data %s --epochs 60 --learning-rate 0.02 --run %s --no-profile -q", runs[i][1], runs[i][2], runs[i][0]);
        expect_success();
        shell("convoy report %s -q", runs[i][0]);
        expect_success();
        char path[64];
        snprintf(path, sizeof path, "%s/run.json", runs[i][0]);
        json_t *run = json_load_file(path, 0, NULL), *of_data = json_object_get(run, "data");
        double accuracy = json_number_value(json_object_get(json_object_get(run, "test"), "accuracy"));
        assert_true(accuracy > 0.75);
        snprintf(path, sizeof path, "%s/report/report.html", runs[i][0]);
        expect_right(path, IMAGES * accuracy);
        assert_int_equal(json_number_value(json_object_get(of_data, "test_scale")), i == 2 ? 0 : 1);
        assert_int_equal(json_is_true(json_object_get(of_data, "prepared")), i == 1);
        json_decref(run);
    }
    shell("convoy report a -q --scale 1e9"); /* black images all */
    expect_success();
    expect_right("a/report/report.html", IMAGES / 2);
    shell("convoy report b -q --data bytes.npz"); /* what was trained on floats takes bytes divided by 255 */
    expect_success();
}

#endif
#endif

int main(void)
{
#ifdef HAVE_KERAS_FILES
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_no_test_part),
#ifdef HAVE_REPORT
        cmocka_unit_test(test_report),
#endif
    };
    return cmocka_run_group_tests(tests, make_files, remove_folder);
#else
    return 77; /* skipped: no .npz files */
#endif
}
