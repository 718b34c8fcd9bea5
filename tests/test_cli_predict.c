/* convoy predict, and training from a folder of images, run as their users run them. */
#include <jansson.h>
#include <math.h>

#include "command.h"
#include "convoy/image.h"
#include "convoy/npy.h"

#define GOLDEN TEST_GOLDEN_DIR "/images/"

/* Pictures that are easy to tell apart: coloured ones, and grey ones in a folder whose name is awkward. */
static int make_pictures(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    return system("mkdir -p 'set/in colour' 'set/gr\xc3\xa9y\nline' && for i in 1 2 3 4 5; do"
                  " cp '" GOLDEN "rgb.png' \"set/in colour/$i.png\"; cp '" GOLDEN "rgb.jpg' \"set/in colour/$i.jpg\";"
                  " cp '" GOLDEN "grey.png' \"set/gr\xc3\xa9y\nline/$i.png\"; cp '" GOLDEN "grey.jpg' \"set/gr\xc3\xa9y\nline/$i.jpg\";"
                  " done");
}

static void train_once(void)
{
    if (access("p.keras", R_OK) == 0)
        return;
    write_file("two.json", MODEL(FLATTEN "," DENSE("2")));
    shell("convoy train two.json --data set --epochs 40 --batch-size 4 -o p.keras -q");
    expect_success();
    expect_text(last.out, "test accuracy 1.0000");
}

static json_t *parsed(const char *text)
{
    json_error_t where;
    json_t *all = json_loads(text, 0, &where);
    if (all == NULL)
        fail_msg("not JSON: %s:\n%s", where.text, text);
    return all;
}

static json_t *top(const json_t *prediction, size_t rank)
{
    json_t *row = json_array_get(json_object_get(prediction, "top"), rank);
    assert_non_null(row);
    return row;
}

static const char *name_of(const json_t *row)
{
    return json_string_value(json_object_get(row, "name"));
}

static double probability(const json_t *row)
{
    return json_real_value(json_object_get(row, "probability"));
}

static void test_table(void **state)
{
    (void)state;
    train_once();
    shell("convoy predict p.keras 'set/in colour/1.png' '%sgrey.png' --top 1 -q", GOLDEN);
    expect_success();
    expect_text(last.out, "set/in colour/1.png\n");
    expect_text(last.out, " %  in colour\n");
    expect_text(last.out, " %  gr\xc3\xa9y\\nline\n"); /* a newline in a name breaks no line */
    expect_no_text(last.err, "device: "); /* that kernels are being built may be told, the first time */
}

/* Every image of the set, told by its folder; the likelier class first, probabilities that sum to 1. */
static void test_folder(void **state)
{
    (void)state;
    size_t i;
    json_t *row;
    train_once();
    shell("convoy predict p.keras set --json --batch-size 7");
    expect_success();
    json_t *all = parsed(last.out), *rows = json_object_get(all, "predictions");
    assert_int_equal(json_array_size(rows), 20);
    assert_string_equal(json_string_value(json_object_get(all, "model")), "p.keras");
    json_array_foreach(rows, i, row)
    {
        const char *file = json_string_value(json_object_get(row, "file"));
        assert_non_null(strstr(file, name_of(top(row, 0))));
        assert_true(probability(top(row, 0)) >= probability(top(row, 1)));
        assert_true(fabs(probability(top(row, 0)) + probability(top(row, 1)) - 1) < 1e-6);
        assert_int_equal(json_array_size(json_object_get(row, "top")), 2);
    }
    json_decref(all);
}

static void test_standard_input(void **state)
{
    (void)state;
    train_once();
    shell("printf '%%s\\n' 'set/in colour/1.png' '' '%sgrey.jpg' | convoy predict p.keras - --json -q", GOLDEN);
    expect_success();
    json_t *all = parsed(last.out), *rows = json_object_get(all, "predictions");
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(name_of(top(json_array_get(rows, 0), 0)), "in colour");
    assert_string_equal(name_of(top(json_array_get(rows, 1), 0)), "gr\xc3\xa9y\nline");
    json_decref(all);
}

/* The second path is written only once the first one's answer is there. */
static void test_stream(void **state)
{
    (void)state;
    train_once();
    shell("mkfifo asked; convoy predict p.keras --stream --json -q <asked >answers & exec 3>asked;"
          "ask() { echo \"$2\" >&3; n=0; while [ $(wc -l <answers) -lt $1 ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1));"
          " done; wc -l <answers; }; ask 1 'set/in colour/2.png'; ask 2 nowhere.png; ask 3 '%sgrey.png'; exec 3>&-; wait $!;"
          "echo code $?", GOLDEN);
    expect_success();
    assert_string_equal(last.out, "1\n2\n3\ncode 1\n");
    expect_text(last.err, "nowhere.png: can't open");
    char *answers = slurp("answers"), *line = strtok(answers, "\n");
    json_t *first = parsed(line), *second = parsed(line = strtok(NULL, "\n")), *third = parsed(strtok(NULL, "\n"));
    assert_string_equal(name_of(top(first, 0)), "in colour");
    assert_non_null(strstr(json_string_value(json_object_get(second, "error")), "can't open"));
    assert_string_equal(name_of(top(third, 0)), "gr\xc3\xa9y\nline");
    json_decref(first);
    json_decref(second);
    json_decref(third);
    free(answers);
}

/* The array way gives the logits; their softmax is what the image way says. */
static void test_arrays(void **state)
{
    (void)state;
    convoy_shape shape = {3, {32, 32, 3}}, found;
    convoy_error err = {0};
    float *x = malloc(3072 * sizeof *x), *y = NULL;
    size_t count;
    train_once();
    assert_int_equal(convoy_image_read_scaled(GOLDEN "cmyk.jpg", shape, 0, x, &err), CONVOY_OK);
    assert_int_equal(convoy_npy_write("x.npy", x, 1, &shape, &err), CONVOY_OK);
    shell("convoy predict p.keras --input x.npy --output y.npy -q");
    expect_success();
    assert_string_equal(last.out, "saved y.npy\n");
    assert_int_equal(convoy_npy_read("y.npy", &y, &count, &found, &err), CONVOY_OK);
    assert_int_equal(count, 1);
    assert_int_equal(found.dim[0], 2);
    shell("convoy predict p.keras '%scmyk.jpg' --json -q", GOLDEN);
    json_t *all = parsed(last.out), *row = json_array_get(json_object_get(all, "predictions"), 0);
    double likelier = y[0] > y[1] ? y[0] - y[1] : y[1] - y[0];
    assert_true(fabs(probability(top(row, 0)) - 1 / (1 + exp(-likelier))) < 1e-6);
    assert_int_equal(json_integer_value(json_object_get(top(row, 0), "class")), y[0] > y[1] ? 0 : 1);
    json_decref(all);
    shape = (convoy_shape){3, {32, 32, 1}};
    assert_int_equal(convoy_npy_write("x.npy", x, 3, &shape, &err), CONVOY_OK);
    shell("convoy predict p.keras --input x.npy --output z.npy");
    expect_failure(1, "x.npy: an array (None, 32, 32, 1); the model takes (None, 32, 32, 3)");
    assert_int_not_equal(access("z.npy", F_OK), 0);
    free(x);
    free(y);
}

/* Softmax in the model, and no second one after it; numbers where no names were stored. */
static void test_probabilities(void **state)
{
    (void)state;
    write_file("soft.json", MODEL(FLATTEN ",{\"class_name\":\"Dense\",\"config\":{\"units\":10,\"activation\":\"softmax\"}}"));
    shell("convoy train soft.json --data t -o soft.keras -q --from-probabilities");
    expect_success();
    shell("convoy predict soft.keras '%srgb.png' --json -q --top 99", GOLDEN);
    expect_success();
    json_t *all = parsed(last.out), *row = json_array_get(json_object_get(all, "predictions"), 0);
    double sum = 0;
    for (size_t i = 0; i < 10; i++)
        sum += probability(top(row, i));
    assert_true(fabs(sum - 1) < 1e-5);
    assert_true(json_is_null(json_object_get(top(row, 0), "name")));
    json_t *given = json_deep_copy(row);
    json_decref(all);
    shell("convoy predict soft.keras '%srgb.png' --json -q --top 99 --from-probabilities", GOLDEN);
    all = parsed(last.out);
    assert_true(json_equal(given, json_array_get(json_object_get(all, "predictions"), 0)));
    json_decref(all);
    json_decref(given);
    shell("convoy predict soft.keras '%srgb.png' -q --top 1", GOLDEN);
    expect_text(last.out, " %  class ");
}

static void test_bad_images(void **state)
{
    (void)state;
    train_once();
    shell("head -c 200 '%srgb.png' >cut.png; convoy predict p.keras cut.png 'set/in colour/1.png' -q; code=$?;"
          "mkdir -p bare; convoy predict p.keras bare -q; exit $code", GOLDEN);
    assert_int_equal(last.code, 1);
    expect_text(last.err, "convoy: cut.png: a damaged or truncated PNG");
    expect_text(last.err, "convoy: bare: no images are in this folder");
    expect_text(last.out, "in colour\n"); /* the others are answered all the same */
}

static void test_skipped_files(void **state)
{
    (void)state;
    train_once();
    shell("cp -r set broken; echo no >'broken/in colour/0.png'; convoy evaluate p.keras --data broken --part train");
    expect_success();
    expect_text(last.out, "train accuracy 1.0000");
    shell("rm 'broken/in colour/'[1-9]*; convoy train p.keras --data broken");
    expect_failure(1, "class 'in colour' has no image that can be read");
}

/* Decoded images are kept between commands, unless told not to; where they can't be, training goes on and says so, once. */
static void test_image_cache(void **state)
{
    (void)state;
    train_once();
    shell("XDG_CACHE_HOME=$PWD/cache convoy evaluate p.keras --data set --no-image-cache && ls cache/convoy/images");
    assert_int_not_equal(last.code, 0);
    expect_text(last.err, "cache/convoy/images");
    shell("XDG_CACHE_HOME=$PWD/cache convoy train two.json --data set -q && ls cache/convoy/images | wc -l");
    expect_success();
    expect_text(last.out, "\n2\n"); /* the training and the test part */
    /* PoCL must have a place of its own. */
    shell("mkdir -p pocl; echo >blocked; POCL_CACHE_DIR=$PWD/pocl XDG_CACHE_HOME=$PWD/blocked convoy train two.json --data set -q");
    expect_success();
    expect_text(last.err, "convoy: decoded images are not kept: ");
    assert_null(strstr(strstr(last.err, "decoded images") + 1, "decoded images"));
    shell("POCL_CACHE_DIR=$PWD/pocl XDG_CACHE_HOME=$PWD/blocked convoy train two.json --data set -q --no-image-cache");
    expect_success();
    expect_no_text(last.err, "decoded images");
}

static void test_full_output(void **state)
{
    (void)state;
    train_once();
    shell("convoy predict p.keras 'set/in colour/1.png' -q >/dev/full");
    expect_failure(1, "can't write to standard output: No space left");
    shell("convoy train two.json --data set -q -o /dev/full");
    expect_failure(2, "must end in .keras");
    shell("ln -s /dev/full full.keras; convoy train two.json --data set -q -o full.keras");
    expect_failure(1, "full.keras: is there and is not a file");
}

static void test_wrong_usage(void **state)
{
    (void)state;
    train_once();
    shell("convoy predict");
    expect_failure(2, "a MODEL is missing");
    shell("convoy predict p.keras");
    expect_failure(2, "an IMAGE is missing");
    shell("convoy predict p.keras --input x.npy");
    expect_failure(2, "--input and --output go together");
    shell("convoy predict p.keras --input x.npy --output y.npy a.png");
    expect_failure(2, "takes the place of images");
    shell("convoy predict p.keras --stream a.png");
    expect_failure(2, "'a.png' is one too many");
    shell("convoy predict p.keras --input x.npy --output y.txt");
    expect_failure(2, "must end in .npy");
    shell("convoy predict p.keras a.png --top 0");
    expect_failure(2, "--top '0'");
    shell("convoy predict two.json a.png");
    expect_failure(1, "no trained weights");
    write_file("flat.json", "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\","
                            "\"config\":{\"batch_shape\":[null,4]}}," DENSE("2") "]}}");
    shell("convoy train flat.json --data set");
    expect_failure(2, "(0, 0, 0)");
}

/* ---- what outputs mean ---- */

#define ENDING(units, act) "{\"class_name\":\"Dense\",\"config\":{\"units\":" units ",\"activation\":\"" act "\"}}"

static json_t *first_prediction(json_t *all) { return json_array_get(json_object_get(all, "predictions"), 0); }

/* One sigmoid names both classes, and the report of its run counts as evaluate does. */
static void test_one_sigmoid(void **state)
{
    (void)state;
    write_file("yes.json", MODEL(FLATTEN "," ENDING("1", "sigmoid")));
    shell("convoy train yes.json --data set --epochs 40 --batch-size 4 -o yes.keras -q --run yes-run");
    expect_success();
    expect_text(last.out, "test accuracy 1.0000");
    shell("convoy report yes-run -q && grep -q 'test images are right, 100.00 %%' yes-run/report/report.html");
    expect_success();
    for (int k = 0; k < 2; k++) {
        shell("convoy predict yes.keras '%s' --json -q", k ? "set/in colour/1.png" : GOLDEN "grey.png");
        expect_success();
        json_t *all = parsed(last.out), *row = first_prediction(all);
        assert_string_equal(json_string_value(json_object_get(all, "outputs")), "binary");
        assert_string_equal(name_of(top(row, 0)), k ? "in colour" : "gr\xc3\xa9y\nline");
        assert_true(probability(top(row, 0)) > 0.5);
        assert_true(fabs(probability(top(row, 0)) + probability(top(row, 1)) - 1) < 1e-6);
        json_decref(all);
    }
}

/* A file of the model with weights drawn by chance: nothing is trained. */
static void save_drawn(const char *json, const char *path)
{
    convoy_error err = {0};
    convoy_model *m = NULL;
    if (convoy_model_from_json(json, strlen(json), &m, &err) != CONVOY_OK || convoy_model_initialize(m, 3, &err) != CONVOY_OK ||
        convoy_model_save(m, path, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    convoy_model_destroy(m);
}

/* Several sigmoids, and numbers, are shown as the model gives them. */
static void test_labels_and_numbers(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_shape shape = {3, {32, 32, 3}};
    float *x = malloc(3072 * sizeof *x), *y = NULL;
    size_t count;
    assert_int_equal(convoy_image_read_scaled(GOLDEN "rgb.png", shape, 0, x, &err), CONVOY_OK);
    assert_int_equal(convoy_npy_write("x.npy", x, 1, &shape, &err), CONVOY_OK);
    free(x);
    for (int numbers = 0; numbers < 2; numbers++) {
        save_drawn(numbers ? MODEL(FLATTEN "," ENDING("3", "tanh")) : MODEL(FLATTEN "," ENDING("3", "sigmoid")), "drawn.keras");
        shell("convoy predict drawn.keras --input x.npy --output y.npy -q && convoy predict drawn.keras '%srgb.png' --json", GOLDEN);
        expect_success();
        if (numbers)
            expect_text(last.err, "does not say what its 3 outputs mean: taken for a number");
        json_t *all = parsed(strchr(last.out, '{')), *row = first_prediction(all);
        assert_int_equal(convoy_npy_read("y.npy", &y, &count, &shape, &err), CONVOY_OK);
        for (size_t i = 0; i < 3; i++) {
            double found = numbers ? json_real_value(json_array_get(json_object_get(row, "numbers"), i)) : probability(top(row, i));
            float expected = numbers ? y[i] : y[json_integer_value(json_object_get(top(row, i), "class"))];
            assert_true(fabs(found - (double)expected) < 1e-6);
        }
        json_decref(all);
        free(y);
    }
    shell("convoy predict drawn.keras '%srgb.png' -o out.npy", GOLDEN);
    expect_failure(2, "--output goes with --input");
}

/* A class for each pixel: an image whose pixels are the classes. */
static void test_pixels(void **state)
{
    (void)state;
    convoy_error err = {0};
    float *x = malloc(3072 * sizeof *x), *y = NULL;
    uint8_t *labels = malloc(1024);
    convoy_shape shape = {3, {32, 32, 3}}, grey = {3, {32, 32, 1}};
    size_t count;
    save_drawn(MODEL("{\"class_name\":\"Conv2D\",\"config\":{\"filters\":3,\"kernel_size\":[3,3],\"padding\":\"same\","
                     "\"activation\":\"softmax\"}}"), "map.keras");
    assert_int_equal(convoy_image_read_scaled(GOLDEN "rgb.png", shape, 0, x, &err), CONVOY_OK);
    assert_int_equal(convoy_npy_write("x.npy", x, 1, &shape, &err), CONVOY_OK);
    shell("convoy predict map.keras --input x.npy --output y.npy -q && convoy predict map.keras '%srgb.png' -q", GOLDEN);
    expect_success();
    expect_text(last.out, "rgb.png: the label of each pixel is in rgb.labels.png");
    shell("mkdir -p maps && convoy predict map.keras '%srgb.png' '%srgb.jpg' -o maps >shown", GOLDEN, GOLDEN);
    expect_failure(1, "maps/rgb.labels.png has the labels of another image already");
    shell("convoy predict map.keras '%srgb.png' -o one.png -q && cmp one.png rgb.labels.png", GOLDEN);
    expect_success();
    assert_int_equal(convoy_npy_read("y.npy", &y, &count, &shape, &err), CONVOY_OK);
    shell("convoy predict map.keras '%srgb.png' '%sgrey.png' -o one.png", GOLDEN, GOLDEN);
    expect_failure(2, "the labels of several images need one");
    /* The palette's red, green and blue are 0; 128, 0, 0; 0, 128, 0: grey values that tell them apart. */
    assert_int_equal(convoy_image_read("rgb.labels.png", grey, labels, &err), CONVOY_OK);
    for (size_t i = 0; i < 1024; i++) {
        const float *row = y + 3 * i;
        int best = row[1] > row[0] ? 1 : 0;
        best = row[2] > row[best] ? 2 : best;
        assert_int_equal(labels[i], best == 0 ? 0 : best == 1 ? 38 : 75);
    }
    free(x);
    free(y);
    free(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),         cmocka_unit_test(test_folder),       cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_one_sigmoid),  cmocka_unit_test(test_labels_and_numbers),
        cmocka_unit_test(test_pixels),       cmocka_unit_test(test_stream),        cmocka_unit_test(test_arrays),       cmocka_unit_test(test_probabilities),
        cmocka_unit_test(test_bad_images),    cmocka_unit_test(test_skipped_files), cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_image_cache),   cmocka_unit_test(test_full_output),
    };
    return cmocka_run_group_tests_name("cli_predict", tests, make_pictures, remove_folder);
}
