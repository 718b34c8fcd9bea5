/* The programs in examples/, built as a user's are: with the public headers and the shared library. */
#include "command.h"
#include "config.h"

#include <math.h>

#define GOLDEN TEST_GOLDEN_DIR "/images/"

static int make_set(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    return system("mkdir -p 'set/in colour' set/grey && for i in 1 2 3 4 5; do"
                  " cp '" GOLDEN "rgb.png' \"set/in colour/$i.png\"; cp '" GOLDEN "rgb.jpg' \"set/in colour/$i.jpg\";"
                  " cp '" GOLDEN "grey.png' set/grey/$i.png; cp '" GOLDEN "grey.jpg' set/grey/$i.jpg; done");
}

#define EXAMPLE(name) "'" TEST_EXAMPLES "/" name "'"

static double number_after(const char *text, const char *words)
{
    const char *at = strstr(text, words);
    if (at == NULL)
        fail_msg("'%s' is not in:\n%s", words, text);
    return strtod(at + strlen(words), NULL);
}

static void test_tutorial(void **state)
{
    (void)state;
#ifndef HAVE_KERAS_FILES
    skip();
#endif
    shell(EXAMPLE("tutorial"));
    expect_success();
    double accuracy = number_after(last.out, "test accuracy ");
    assert_true(accuracy > 0.1); /* better than chance after two short epochs */
    shell("convoy evaluate tutorial.keras --data sample --json"); /* the same model */
    expect_success();
    assert_true(fabs(number_after(last.out, "\"accuracy\": ") - accuracy) < 0.00051);
    shell("OCL_ICD_VENDORS=/nonexistent " EXAMPLE("tutorial"));
    assert_int_equal(last.code, 1);
    expect_text(last.err, "OpenCL");
}

static void test_own_data(void **state)
{
    (void)state;
    shell(EXAMPLE("own_data"));
    expect_success();
    assert_true(number_after(last.out, "test accuracy ") > 0.9);
    expect_text(last.out, "(256 images)");
}

static void test_image_folder(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    const char *images[] = {"rgb.jpg", "grey.png"}, *best[] = {"\n1. in colour: ", "\n1. grey: "};
    for (int i = 0; i < 2; i++) {
        shell("'%s' set '%s%s'", TEST_EXAMPLES "/image_folder", GOLDEN, images[i]);
        expect_success();
        assert_ptr_equal(strstr(last.out, "grey: 8 images, mean brightness "), last.out);
        expect_text(last.out, "\nin colour: 8 images, mean brightness ");
        expect_no_text(last.out, "left out");
        expect_text(last.out, "\ntest accuracy 1.00 (4 images)\n");
        expect_text(last.out, best[i]);
        expect_text(last.out, "\n2. ");
        expect_no_text(last.out, "\n3. ");
    }
}

static void test_image_folder_trouble(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    shell("'%s'", TEST_EXAMPLES "/image_folder");
    assert_int_equal(last.code, 2);
    shell("'%s' nowhere x.png", TEST_EXAMPLES "/image_folder");
    assert_int_equal(last.code, 1);
    expect_text(last.err, "nowhere: No such file");
    shell("'%s' set x.png", TEST_EXAMPLES "/image_folder");
    assert_int_equal(last.code, 1);
    expect_text(last.err, "x.png: can't open");
    shell("cp -r set some; for i in 1 2 3; do echo no >some/grey/$i.jpg; done; mkdir -p pocl; XDG_CACHE_HOME=/dev/null POCL_CACHE_DIR=$PWD/pocl '%s' some '%sgrey.png'",
          TEST_EXAMPLES "/image_folder", GOLDEN);
    expect_success();
    expect_text(last.out, "\nleft out: ");
    expect_text(last.out, ".jpg: neither a PNG nor a JPEG image");
    expect_text(last.err, "decoded images are not kept: ");
}

/* An accuracy that is reached, and one that is not within 20 epochs. */
static void test_callback(void **state)
{
    (void)state;
    shell(EXAMPLE("callback") " 0.2");
    expect_success();
    expect_text(last.out, "epoch 1: loss ");
    expect_text(last.out, "; of images held out 0.");
    expect_text(last.out, "\n  top3 = 0.");
    double epochs = number_after(last.out, "\nenough after ");
    assert_true(epochs >= 1 && epochs < 20);
    char *log = slurp("log.csv");
    int lines = 0;
    for (const char *c = log; *c != '\0'; c++)
        lines += *c == '\n';
    free(log);
    assert_int_equal(lines, 1 + (int)epochs);
}

static void test_predict_loop(void **state)
{
    (void)state;
#if !defined(HAVE_IMAGES) || !defined(HAVE_KERAS_FILES)
    skip();
#endif
    shell("convoy train cifar10 --data sample --epochs 1 -q -o loop.keras");
    expect_success();
    shell("printf '%%s\\n' '%srgb.jpg' nowhere.png '%sgrey.png' | " EXAMPLE("predict_loop") " loop.keras", GOLDEN, GOLDEN);
    expect_success();
    expect_text(last.out, "rgb.jpg: ");
    expect_text(last.out, "grey.png: ");
    expect_text(last.out, " %)\n");
    expect_text(last.err, "nowhere.png: ");
    shell(EXAMPLE("predict_loop") " nowhere.keras </dev/null");
    assert_int_equal(last.code, 1);
    expect_text(last.err, "nowhere.keras");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tutorial),
        cmocka_unit_test(test_own_data),
        cmocka_unit_test(test_image_folder),
        cmocka_unit_test(test_image_folder_trouble),
        cmocka_unit_test(test_callback),
        cmocka_unit_test(test_predict_loop),
    };
    return cmocka_run_group_tests_name("examples", tests, make_set, remove_folder);
}
