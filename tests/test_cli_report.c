/* convoy report, as its users run it. */
#include <jansson.h>

#include "command.h"
#include "config.h"

/* A run without model and data: what the command itself does is the same. */
static void make_small(const char *name)
{
    char line[256];
    snprintf(line, sizeof line, "mkdir -p '%s'", name);
    assert_int_equal(system(line), 0);
    snprintf(line, sizeof line, "%s/run.json", name);
    write_file(line, "{\"convoy\": \"0.1.0\", \"finished\": true, \"data\": {\"name\": \"nowhere\"}}");
    snprintf(line, sizeof line, "%s/history.csv", name);
    write_file(line, "epoch,accuracy,loss\r\n0,0.5,1.5\r\n");
}

static void test_usage(void **state)
{
    (void)state;
    shell("convoy report");
    expect_failure(2, "a RUN is missing");
    shell("convoy report --help");
    expect_success();
    expect_text(last.out, "Usage: convoy report RUN... [options]");
    expect_text(last.out, "--output DIR");
    shell("convoy --help");
    expect_text(last.out, "\n  report ");
}

#ifdef HAVE_REPORT

static void test_default_folder(void **state)
{
    (void)state;
    make_small("r");
    shell("convoy report r");
    expect_success();
    assert_string_equal(last.out, "saved r/report/report.html\n");
    expect_text(last.err, "device: ");
    expect_text(last.err, "convoy: r: without pictures of images and predictions: nowhere:");
    char *html = slurp("r/report/report.html");
    expect_text(html, "No images: nowhere:");
    free(html);
    assert_int_equal(access("r/report/curves-loss.svg", R_OK), 0);
}

static void test_two_to_a_folder(void **state)
{
    (void)state;
    make_small("r");
    make_small("s t");
    shell("convoy report r 's t' -o pages/side --data t --json -q");
    expect_success();
    json_error_t where;
    json_t *result = json_loads(last.out, 0, &where);
    assert_non_null(result);
    assert_string_equal(json_string_value(json_object_get(result, "page")), "pages/side/report.html");
    assert_uint_in_range(json_integer_value(json_object_get(result, "bytes")), 5000, 3 << 20);
    assert_true(json_real_value(json_object_get(result, "seconds")) > 0);
    json_decref(result);
    char *html = slurp("pages/side/report.html");
    expect_text(html, "Report on 2 runs");
    expect_text(html, "samples.png"); /* of the 200 images in t */
    free(html);
}

static void test_failures(void **state)
{
    (void)state;
    make_small("r");
    shell("convoy report nowhere -q");
    expect_failure(1, "nowhere: there is no such folder; name the folder of a run");
    shell("convoy report . -q");
    expect_failure(1, "there is no run.json in it");
    shell("convoy report r r -q");
    expect_failure(2, "is named twice");
    shell("convoy report r -o m.json -q");
    expect_failure(1, "m.json");
    shell("convoy report r --scale 0 -q");
    expect_failure(2, "--scale '0'");
    shell("convoy report r --size 3 -q");
    expect_failure(2, "unknown option");
}

#else

static void test_not_built(void **state)
{
    (void)state;
    make_small("r");
    shell("convoy report r -q");
    expect_failure(1, "install libcairo2-dev");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
#ifdef HAVE_REPORT
        cmocka_unit_test(test_default_folder),
        cmocka_unit_test(test_two_to_a_folder),
        cmocka_unit_test(test_failures),
#else
        cmocka_unit_test(test_not_built),
#endif
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
