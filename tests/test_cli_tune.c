/* `convoy tune`, run as its users run it. */
#include <jansson.h>

#include "command.h"

#define CONV "{\"class_name\":\"Conv2D\",\"config\":{\"filters\":4,\"kernel_size\":3,\"strides\":4}}"

static int make_models(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    char cache[256];
    write_file("small.json", MODEL(CONV "," FLATTEN "," DENSE("4")));
    write_file("plain.json", MODEL(FLATTEN));
    snprintf(cache, sizeof cache, "%s/cache", folder); /* records of its own */
    setenv("XDG_CACHE_HOME", cache, 1);
    unsetenv("CONVOY_TUNING");
    return 0;
}

static json_t *result(void)
{
    json_error_t where;
    expect_success();
    json_t *all = json_loads(last.out, 0, &where);
    if (all == NULL)
        fail_msg("%s: %s", where.text, last.out);
    return all;
}

static void test_wrong_usage(void **state)
{
    (void)state;
    static const struct { const char *line, *message; } rows[] = {
        {"tune", "a MODEL is missing"},
        {"tune a b", "unexpected argument 'b'"},
        {"tune small.json --seconds 0", "--seconds '0': expected a number above 0"},
        {"tune small.json --batch-size 0", "--batch-size '0': expected"},
        {"tune small.json --export x.keras", "x.keras: the name of the file to write must end in .txt"},
        {"tune small.json --tuning maybe", "--tuning 'maybe': expected on or off"},
        {"tune small.json --variant plain", "the context forces which kernels run"},
        {"tune small.json --gemm builtin", "the context forces which kernels run"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        shell("convoy %s", rows[i].line);
        expect_failure(2, rows[i].message);
    }
    shell("CONVOY_TUNING=never convoy tune small.json");
    expect_failure(2, "CONVOY_TUNING: 'never' is not known");
    shell("convoy tune plain.json");
    expect_failure(1, "plain.json has no layer whose kernels have a choice");
    shell("convoy tune nothing.json");
    expect_failure(1, "nothing.json");
    shell("convoy tune --help");
    expect_success();
    expect_text(last.out, "Usage: convoy tune");
    shell("convoy --help");
    expect_text(last.out, "  tune ");
}

/* With seconds enough for all kernels; on a busy machine that is more. Returns how many. */
static int tune(const char *options)
{
    int seconds = 4;
    for (;; seconds *= 4) {
        shell("convoy tune small.json --batch-size 8 --seconds %d %s", seconds, options);
        if (last.code != 0 || seconds > 60 || (strstr(last.out, "no time to try") == NULL && strstr(last.out, ": null") == NULL))
            return seconds;
    }
}

static void test_table(void **state)
{
    (void)state;
    tune("");
    expect_success();
    expect_text(last.out, "untuned us   tuned us  ratio  kernel\n");
    expect_text(last.out, "\nconv2d forward ");
    expect_text(last.out, "\nconv2d backward filter ");
    expect_text(last.out, "\ndense backward data ");
    expect_text(last.out, "\ntotal ");
    expect_text(last.out, "\nsaved in ");
    expect_no_text(last.out, "conv2d backward data"); /* nobody reads the gradient of the images */
    expect_text(last.err, "device: ");
    expect_text(last.err, " tried\n");
    expect_no_text(last.err, "\r"); /* no bar: this is no terminal */
    shell("convoy tune small.json --batch-size 8 --seconds 1 --quiet");
    expect_success();
    assert_string_equal(last.err, "");
}

/* What there was no time to measure has no ratio. */
static void test_no_time(void **state)
{
    (void)state;
    shell("convoy tune small.json --batch-size 8 --seconds 0.001 --quiet");
    expect_success();
    expect_text(last.out, "(no time to try)\n");
    expect_no_text(last.out, "nan");
    expect_no_text(last.out, "inf");
}

static void test_json_and_export(void **state)
{
    (void)state;
    char line_of_it[96];
    snprintf(line_of_it, sizeof line_of_it, "# how: convoy tune small.json --batch-size 8 --seconds %d\n", tune("--json --export shipped.txt"));
    json_t *all = result(), *rows = json_object_get(all, "problems"), *row;
    size_t i, improved = 0, exported = 0;
    assert_int_equal(json_array_size(rows), 5);
    json_array_foreach(rows, i, row)
    {
        const char *untuned = json_string_value(json_object_get(row, "untuned_kernel"));
        const char *tuned = json_string_value(json_object_get(row, "tuned_kernel"));
        improved += strcmp(untuned, tuned) != 0;
        assert_int_equal(json_integer_value(json_object_get(row, "wrong")), 0);
    }
    assert_int_equal(json_integer_value(json_object_get(all, "improved")), improved);
    const char *saved = json_string_value(json_object_get(all, "saved"));
    assert_non_null(saved);
    char *file = slurp(saved), *shipped = slurp("shipped.txt");
    expect_text(file, "# convoy tuning records, format 1\n# device: ");
    expect_text(shipped, "# convoy tuning records, format 1\n# class: ");
    expect_text(shipped, line_of_it);
    for (const char *line = shipped; line != NULL; line = strchr(line + 1, '\n'))
        exported += strncmp(line, "\nconv2d ", 8) == 0;
    assert_int_equal(exported, improved);
    free(file);
    free(shipped);
    json_decref(all);
}

/* Ctrl-C keeps what was found so far. */
static void test_interrupt(void **state)
{
    (void)state;
    shell("'" TEST_COMMAND "' tune small.json --batch-size 8 --seconds 120 & pid=$!;"
          "while kill -0 $pid && ! grep -qs tried err; do sleep 0.1; done; kill -TERM $pid; wait $pid");
    expect_failure(1, "; what was found so far is in ");
}

static void test_nowhere_to_keep_it(void **state)
{
    (void)state;
    shell("mkdir -p blocked && : >blocked/convoy; XDG_CACHE_HOME=$PWD/blocked convoy tune small.json --seconds 600");
    expect_failure(1, "blocked/convoy"); /* before any work */
    shell("unset XDG_CACHE_HOME HOME; convoy tune small.json --batch-size 8 --seconds 6");
    expect_success();
    expect_text(last.err, "nothing is kept: ");
    expect_no_text(last.out, "saved in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_json_and_export),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_nowhere_to_keep_it),
    };
    return cmocka_run_group_tests_name("cli tune", tests, make_models, remove_folder);
}
