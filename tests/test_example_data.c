/* example_data.c, built as a user's program is: with the public headers and the shared library. */
#include "config.h"
#include "command.h"

#define GOLDEN TEST_GOLDEN_DIR "/images/"

static int make_set(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    return system("mkdir -p 'set/in colour' set/grey && for i in 1 2 3 4 5; do"
                  " cp '" GOLDEN "rgb.png' \"set/in colour/$i.png\"; cp '" GOLDEN "rgb.jpg' \"set/in colour/$i.jpg\";"
                  " cp '" GOLDEN "grey.png' set/grey/$i.png; cp '" GOLDEN "grey.jpg' set/grey/$i.jpg; done");
}

static void test_whole(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    const char *images[] = {"rgb.jpg", "grey.png"}, *best[] = {"\n1. in colour: ", "\n1. grey: "};
    for (int i = 0; i < 2; i++) {
        shell("'%s' set '%s%s'", TEST_EXAMPLE_DATA, GOLDEN, images[i]);
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

static void test_trouble(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    shell("'%s'", TEST_EXAMPLE_DATA);
    assert_int_equal(last.code, 2);
    shell("'%s' nowhere x.png", TEST_EXAMPLE_DATA);
    assert_int_equal(last.code, 1);
    expect_text(last.err, "nowhere: No such file");
    shell("'%s' set x.png", TEST_EXAMPLE_DATA);
    assert_int_equal(last.code, 1);
    expect_text(last.err, "x.png: can't open");
    shell("cp -r set some; for i in 1 2 3; do echo no >some/grey/$i.jpg; done; mkdir -p pocl; XDG_CACHE_HOME=/dev/null POCL_CACHE_DIR=$PWD/pocl '%s' some '%sgrey.png'",
          TEST_EXAMPLE_DATA, GOLDEN);
    expect_success();
    expect_text(last.out, "\nleft out: ");
    expect_text(last.out, ".jpg: neither a PNG nor a JPEG image");
    expect_text(last.err, "decoded images are not kept: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_trouble),
    };
    return cmocka_run_group_tests_name("example_data", tests, make_set, remove_folder);
}
