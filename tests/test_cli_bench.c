/* convoy bench, run as its users run it: the table, JSON, CSV and what bad usage gets. */
#include <jansson.h>
#include <math.h>

#include "command.h"

static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("no number '%s'", key);
    return json_number_value(value);
}

static void expect_rate(const json_t *all, const char *key)
{
    const json_t *rate = json_object_get(all, key);
    assert_true(number_at(rate, "min") > 0);
    assert_true(number_at(rate, "min") <= number_at(rate, "images_per_second"));
    assert_true(number_at(rate, "images_per_second") <= number_at(rate, "max"));
}

#define QUICK "convoy bench m.json --batch-size 16 --steps 3 --repeats 2"

static void test_json(void **state)
{
    (void)state;
    json_error_t where;
    double shares = 0;
    size_t i;
    json_t *row;
    shell(QUICK " --json -q");
    expect_success();
    expect_no_text(last.err, "device:"); /* only a warning may be there: that kernels are being built */
    expect_no_text(last.err, "measuring:");
    json_t *all = json_loads(last.out, 0, &where);
    assert_non_null(all);
    assert_string_equal(json_string_value(json_object_get(all, "model")), "m.json");
    assert_true(json_is_string(json_object_get(all, "device")) && json_is_string(json_object_get(all, "driver")));
    assert_int_equal((int)number_at(all, "batch_size"), 16);
    const json_t *peak = json_object_get(all, "peak"), *step = json_object_get(all, "step");
    assert_true(number_at(peak, "gflops") > 0);
    assert_true(number_at(peak, "gbytes_per_second") > 0);
    assert_true(number_at(peak, "launch_microseconds") > 0);
    json_array_foreach(json_object_get(all, "launches"), i, row)
    {
        assert_true(json_is_string(json_object_get(row, "label")) && json_is_string(json_object_get(row, "kernel")));
        assert_true(json_is_string(json_object_get(row, "variant")));
        assert_true(number_at(row, "microseconds") > 0);
        assert_true(number_at(row, "gflops") >= 0 && number_at(row, "gbytes_per_second") >= 0);
        double expected = number_at(row, "gflops") / number_at(peak, "gflops");
        assert_true(fabs(number_at(row, "peak_share") - expected) <= 1e-6 * expected);
        shares += number_at(row, "share");
    }
    assert_true(i > 5);
    assert_true(fabs(shares - 1) < 1e-6);
    assert_true(number_at(step, "microseconds") > 0 && number_at(step, "launch_microseconds") > 0);
    assert_true(number_at(step, "gflops") > 0 && number_at(step, "peak_share") > 0);
    expect_rate(all, "training");
    expect_rate(all, "prediction");
    const json_t *memory = json_object_get(all, "memory");
    assert_true(number_at(memory, "peak_bytes") >= number_at(memory, "planned_bytes"));
    assert_true(number_at(memory, "planned_bytes") >= number_at(memory, "least_bytes"));
    json_decref(all);
}

static void test_csv(void **state)
{
    (void)state;
    shell(QUICK " --csv");
    expect_success();
    expect_text(last.err, "measuring: training\n");
    char *save = NULL, *line = strtok_r(last.out, "\n", &save);
    size_t rows = 0;
    assert_string_equal(line, "label,kernel,variant,microseconds,share,gflops,gbytes_per_second,peak_share");
    while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
        size_t commas = 0;
        for (const char *c = line; *c != '\0'; c++)
            commas += *c == ',';
        assert_int_equal(commas, 7); /* no field of this model's has one in it */
        if (rows++ == 0)
            assert_memory_equal(line, "gather,gather,", 14);
    }
    assert_true(rows > 5);
}

static void test_table(void **state)
{
    (void)state;
    static const char *const parts[] = {"\npeak ", " GFLOP/s", "\nmemory ", " GB/s", "\nempty launch ", "m.json, batch size 16\n",
                                        "\nlaunch ", "\ngather ", "\ndense forward ", "\noptimizer ", "\nall launches ",
                                        "100.0%\n", "\nstep, not profiled ", "\ntraining ", " images/s ", "\nprediction ",
                                        "in 2 x 1,024 images", "\ndevice memory ", "of the least possible"};
    shell(QUICK);
    expect_success();
    expect_text(last.err, "device: ");
    const char *at = last.out;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) { /* in this order */
        expect_text(at, parts[i]);
        at = strstr(at, parts[i]);
    }
    char *save = NULL;
    for (char *line = strtok_r(last.out, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        size_t length = strlen(line);
        assert_true(length <= 104);
        assert_true(line[length - 1] != ' ');
    }
}

/* A GPU has work-groups whose size the kernel wants; the same on every machine. */
static void test_as(void **state)
{
    (void)state;
    json_error_t where;
    size_t i, tiles = 0;
    json_t *row;
    shell("convoy bench cifar10 --batch-size 16 --as gfx906");
    expect_success();
    expect_text(last.err, "AMD Radeon VII (gpu, 60 compute units; described)");
    expect_text(last.out, "AMD Radeon VII (described; nothing ran)\n");
    expect_text(last.out, "\nconv2d forward  ");
    expect_text(last.out, " tile TILE_M=");
    expect_no_text(last.out, "GFLOP/s");
    shell("convoy bench cifar10 --batch-size 16 --as gfx906 --gemm builtin --json -q");
    expect_success();
    json_t *all = json_loads(last.out, 0, &where);
    assert_non_null(all);
    assert_string_equal(json_string_value(json_object_get(all, "as")), "gfx906");
    json_array_foreach(json_object_get(all, "launches"), i, row)
    {
        const char *kernel = json_string_value(json_object_get(row, "kernel"));
        const char *options = json_string_value(json_object_get(row, "options"));
        json_int_t items = json_integer_value(json_array_get(json_object_get(row, "local"), 0)), m, n, p, q;
        if (strstr(kernel, "_tile") == NULL)
            continue;
        const char *blocks = strstr(options, "-DTILE_M=");
        assert_non_null(blocks);
        assert_int_equal(sscanf(blocks, "-DTILE_M=%lld -DTILE_N=%lld -DTILE_K=%*d -DWORK_M=%lld -DWORK_N=%lld", &m, &n, &p, &q), 4);
        assert_int_equal(items, m / p * (n / q));
        tiles++;
    }
    assert_int_equal(tiles, 14); /* three convolutions, the first without a data gradient, and two dense layers */
    json_decref(all);
}

static void test_wrong_usage(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
        int code;
    } rows[] = {
        {"bench m.json n.json", "unexpected argument 'n.json'", 2},
        {"bench --steps 0", "--steps '0': expected a whole number of at least 1", 2},
        {"bench --repeats x", "--repeats 'x': expected", 2},
        {"bench --batch-size 0", "--batch-size '0': expected", 2},
        {"bench --step 3", "unknown option '--step'; did you mean '--steps'?", 2},
        {"bench --as gfx9060", "described GPU 'gfx9060' is not known; known: skl, tgllp, dg2, pvc, gfx906,", 2},
        {"bench --as skl --csv", "--as measures nothing", 2},
        {"bench --as skl --steps 3", "--as measures nothing", 2},
        {"bench --json --csv", "--json and --csv exclude each other", 2},
        {"bench -d 'no such device'", "no such device", 2},
        {"bench nothing.json", "'nothing.json': no such file", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        shell("convoy %s", rows[i].line);
        expect_failure(rows[i].code, rows[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_table), cmocka_unit_test(test_as),
        cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests_name("cli_bench", tests, make_folder, remove_folder);
}
