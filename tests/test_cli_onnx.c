/* convoy export to ONNX, run as its users run it. */
#include "command.h"

#define GRAPHS TEST_GOLDEN_DIR "/graph/"

static void test_export(void **state)
{
    (void)state;
    shell("convoy export '" GRAPHS "residual.keras' -o r.onnx");
    expect_success();
    assert_string_equal(last.out, "saved r.onnx\n");
    assert_int_equal(access("r.onnx", R_OK), 0);
    shell("convoy export --help");
    expect_text(last.out, ".onnx");
}

static void test_wrong_usage(void **state)
{
    (void)state;
    shell("convoy export");
    expect_failure(2, "a MODEL is missing");
    shell("convoy export m.json");
    expect_failure(2, "-o FILE is missing");
    shell("convoy export m.json -o m.tflite");
    expect_failure(2, "m.tflite: the file's name must end in .keras, .onnx, ");
    shell("convoy export m.json -o .onnx");
    expect_failure(2, ".onnx");
}

/* Nothing is left where nothing could be written. */
static void test_failures(void **state)
{
    (void)state;
    shell("convoy export m.json -o m.onnx");
    expect_failure(1, "m.json has no trained weights");
    shell("convoy export nowhere.keras -o m.onnx");
    expect_failure(1, "nowhere.keras");
    shell("convoy export '" GRAPHS "residual.keras' -o no/folder.onnx");
    expect_failure(1, "no/folder.onnx: can't write there");
    shell("mkdir -p f.onnx && convoy export '" GRAPHS "residual.keras' -o f.onnx");
    expect_failure(1, "f.onnx");
    shell("ls | grep -c onnx; ls f.onnx");
    assert_string_equal(last.out, "2\n"); /* r.onnx and the folder */
}

/* The exported model in ONNX Runtime gives what convoy predict gives. */
static void test_runtime(void **state)
{
    const char *python = getenv("CONVOY_PYTHON");
    (void)state;
    shell("'%s' '%s' --convoy '%s' '" GRAPHS "residual.keras' '" GRAPHS "chain.keras'", python ? python : TEST_PYTHON,
          TEST_CHECK_ONNX, TEST_COMMAND);
    print_message("%s", last.out);
    if (last.code == 77)
        skip();
    expect_success();
    expect_text(last.out, "2 models, 0 of them wrong");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_runtime),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
