/* The command, run as its users run it: its messages and exit codes, and what bad input gets. */
#include <ctype.h>
#include <jansson.h>

#include "command.h"
#include "convoy/convoy.h"

/* ---- usage ---- */

static void test_wrong_usage(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"trian", "unknown command 'trian'; did you mean 'train'?"},
        {"xyzzy", "unknown command 'xyzzy'\n"},
        {"--frobnicate", "unknown option '--frobnicate'"},
        {"train", "a MODEL is missing"},
        {"train cifar10", "--data is missing"},
        {"train cifar10 --data", "--data needs a value"},
        {"train cifar10 --data ''", "--data: the value is empty"},
        {"train a b --data t", "unexpected argument 'b'"},
        {"train m.json --data t --epoch 3", "unknown option '--epoch'; did you mean '--epochs'?"},
        {"train m.json --data t --epochs -1", "--epochs '-1': expected a whole number"},
        {"train m.json --data t --epochs 0", "--epochs '0': expected a whole number of at least 1"},
        {"train m.json --data t --epochs abc", "--epochs 'abc': expected"},
        {"train m.json --data t --epochs 3x", "--epochs '3x': expected"},
        {"train m.json --data t --epochs 1.5", "--epochs '1.5': expected"},
        {"train m.json --data t --epochs ''", "--epochs '': expected"},
        {"train m.json --data t --epochs=' 3'", "--epochs ' 3': expected"},
        {"train m.json --data t --epochs 99999999999999999999999", "--epochs '99999999999999999999999': expected"},
        {"train m.json --data t --batch-size 0", "--batch-size '0': expected"},
        {"train m.json --data t --learning-rate 0", "--learning-rate '0': expected a number above 0"},
        {"train m.json --data t --learning-rate nan", "--learning-rate 'nan': expected"},
        {"train m.json --data t --learning-rate 1e999", "--learning-rate '1e999': expected"},
        {"train m.json --data t --learning-rate inf", "--learning-rate 'inf': expected"},
        {"train m.json --data t --seed -1", "--seed '-1': expected a whole number from 0"},
        {"train m.json --data t --seed 18446744073709551616", "--seed '18446744073709551616': expected"},
        {"train m.json --data t --optimizer rmsprop2", "optimizer 'rmsprop2' is not known; did you mean 'rmsprop'"},
        {"train m.json --data t --optimizer sgd --momentum 1", "--momentum '1': expected"},
        {"train m.json --data t --momentum 0.9", "the optimizer, as none is named, is adam, which has no such option"},
        {"train m.json --data t --optimizer lion --momentum 0.9", "the optimizer is lion, which has no such option"},
        {"train m.json --data t --optimizer 'adam(beta_1=2)'", "option 'beta_1' is 2; expected a number from 0 to 1"},
        {"train m.json --data t --learning-rate-schedule Cosine", "schedule 'Cosine' is not known"},
        {"train m.json --data t --learning-rate 1 --learning-rate-schedule 'CosineDecay(initial_learning_rate=1.0, "
         "decay_steps=9)'", "exclude each other"},
        {"train m.json --data t --early-stopping patience=-1", "option 'patience' is -1"},
        {"train m.json --data t --reduce-lr=speed=1", "unknown option 'speed'"},
        {"train m.json --data t --checkpoint x.h5", "'x.h5' must end in .keras"},
        {"train m.json --data t --save-best-only", "--save-best-only goes with --checkpoint"},
        {"train m.json --data t --csv-append", "--csv-append goes with --csv-log"},
        {"train m.json --data t --early-stopping --monitor f1", "Say mode=max or mode=min"},
        {"train m.json --data t --validation-split 1", "--validation-split '1': expected"},
        {"train m.json --data t --validation-split .1 --validation test", "exclude each other"},
        {"train m.json --data t --test-scale 0", "--test-scale '0': expected"},
        {"train m.json --data t --vector-width 5", "--vector-width '5': expected 4, 8 or 16"},
        {"train m.json --data t --gemm cublas", "--gemm 'cublas': expected clblast or builtin"},
        {"train m.json --data t --variant fast", "--variant 'fast': expected vec, tile or plain"},
        {"train m.json --data t --json=yes", "--json takes no value"},
        {"train m.json --data t -o", "-o needs a value"},
        {"train m.json --data t -o x.h5", "x.h5: the name of the file to write must end in .keras"},
        {"train m.json --data t -Z", "unknown option '-Z'"},
        {"evaluate", "a MODEL is missing"},
        {"evaluate cifar10", "--data is missing"},
        {"evaluate cifar10 --data sample --part validation", "--part 'validation': expected test or train"},
        {"summary", "a MODEL is missing"},
        {"summary cifar10 --style keras3", "--style 'keras3': expected keras or classic"},
        {"devices here", "unexpected argument 'here'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        shell("convoy %s", rows[i].line);
        expect_failure(2, rows[i].message);
    }
    shell("convoy");
    assert_int_equal(last.code, 2);
    assert_string_equal(last.out, "");
    expect_text(last.err, "Usage: convoy COMMAND");
}

static void test_help_and_version(void **state)
{
    (void)state;
    static const char *const commands[] = {"devices", "summary", "train", "evaluate", "fetch", "bench", "check"};
    char *all;
    shell("convoy --help");
    expect_success();
    all = strdup(last.out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char usage[64];
        expect_text(all, commands[i]);
        snprintf(usage, sizeof usage, "Usage: convoy %s", commands[i]);
        shell("convoy %s --help", commands[i]);
        expect_success();
        assert_string_equal(last.err, "");
        expect_text(last.out, usage);
        char *help = strdup(last.out);
        shell("convoy help %s", commands[i]);
        assert_string_equal(last.out, help);
        free(help);
    }
    free(all);
    shell("convoy train --help");
    expect_text(last.out, "\n  -o, --output FILE.keras");
    expect_text(last.out, "--optimizer NAME");
    expect_text(last.out, "-d, --device DEV");
    shell("convoy --version");
    expect_success();
    expect_text(last.out, "convoy 0.");
}

/* ---- standard output that can't be written ---- */

/* What `line` prints, its words one blank apart, has every name of a table. */
static void expect_names(const char *line, const char *(*at)(size_t i), size_t least)
{
    size_t count = 0;
    shell("%s", line);
    char *to = last.out;
    for (const char *from = last.out; *from != '\0'; from++)
        if (!isspace((unsigned char)*from) || (to > last.out && to[-1] != ' '))
            *to++ = isspace((unsigned char)*from) ? ' ' : *from;
    *to = '\0';
    for (; at(count) != NULL; count++)
        expect_text(last.out, at(count));
    assert_true(count >= least);
}

/* --help lists what the tables have. */
static void test_lists(void **state)
{
    (void)state;
    expect_names("convoy train --help", convoy_optimizer_name, 9);
    expect_names("convoy train --help", convoy_loss_name, 15);
    expect_names("convoy train --help", convoy_metric_name, 30);
    expect_names("convoy train --help", convoy_dataset_form, 5);
    expect_names("convoy evaluate --help", convoy_loss_name, 15);
    expect_names("convoy evaluate --help", convoy_dataset_form, 5);
    expect_names("convoy summary --help", convoy_builtin_name, 5);
    expect_names("convoy --help", convoy_builtin_name, 5);
    expect_names("convoy --help", convoy_dataset_form, 5);
}

static void test_lost_output_is_noticed(void **state)
{
    (void)state;
    shell("convoy summary cifar10 > /dev/full");
    expect_failure(1, "can't write to standard output: No space left");
    shell("convoy summary cifar10 >&-");
    expect_failure(1, "can't write to standard output");
    /* A pipe whose reader has gone: nothing to talk about. */
    shell("mkfifo pipe; (exec 3<pipe) & exec 4>pipe; wait; convoy summary cifar10 >&4");
    assert_int_equal(last.code, 1);
    assert_string_equal(last.err, "");
}

/* ---- models ---- */

static void test_summary(void **state)
{
    (void)state;
    shell("convoy summary cifar10");
    expect_success();
    expect_text(last.out, "Total params: 225,034 (879.04 KB)");
    expect_no_text(last.out, "\x1b"); /* no terminal, no bold */
    assert_int_equal(strcspn(strchr(last.out, '\n') + 1, "\n"), 76 * 3); /* 76 cells of three bytes */
    shell("COLUMNS=200 convoy summary cifar10");
    assert_int_equal(strcspn(strchr(last.out, '\n') + 1, "\n"), 88 * 3);
    shell("convoy summary --style classic cifar10");
    expect_success();
    expect_text(last.out, "Layer (type)                Output Shape              Param #");
    expect_text(last.out, " 73856 ");
    expect_no_text(last.out, "Output sizes");
    shell("convoy summary cifar10 --shapes");
    expect_success();
    expect_text(last.out, "\n\nOutput sizes: (input - kernel) / stride + 1, rounded down;\n");
    expect_text(last.out, "\n  max_pooling2d_1: floor((13 - 2) / 2) + 1 = 6 rows, floor((13 - 2) / 2) + 1 = 6 columns\n");
    shell("convoy summary resnet20");
    expect_success();
    expect_text(last.out, "Total params: 274,442 (1.05 MB)");
    shell("convoy summary 'lenet5(input_shape=(28, 28, 1), classes=26)'");
    expect_success();
    expect_text(last.out, "(None, 26)");
    shell("convoy train lenet5 --data sample -o l.keras");
    expect_failure(1, "'lenet5(input_shape=(32, 32, 3), classes=10)' fits");
}

static void test_bad_models(void **state)
{
    (void)state;
    shell("convoy summary cifar11");
    expect_failure(1, "'cifar11': no such file");
    expect_text(last.err, "cifar10");
    shell("convoy summary .");
    expect_failure(1, "is a folder");
    shell(": > empty; convoy summary empty");
    expect_failure(1, "empty: is empty");
    write_file("broken.json", "{\"class_name\": \"Sequential\", ");
    shell("convoy summary broken.json");
    expect_failure(1, "broken.json: broken JSON at line 1");
    write_file("unknown.json", MODEL("{\"class_name\":\"Conv2DD\",\"config\":{}}"));
    shell("convoy summary unknown.json");
    expect_failure(1, "unknown layer 'Conv2DD'");
    expect_text(last.err, "MaxPooling2D");
    write_file("option.json", MODEL("{\"class_name\":\"Dense\",\"config\":{\"units\":1,\"unitz\":2}}"));
    shell("convoy summary option.json");
    expect_failure(1, "unitz");
    write_file("shape.json", MODEL("{\"class_name\":\"Conv2D\",\"config\":{\"filters\":1,\"kernel_size\":33}}"));
    shell("convoy train shape.json --data t -o shape.keras");
    expect_failure(1, "33");
    expect_text(last.err, "32");
    assert_int_not_equal(access("shape.keras", F_OK), 0);
    shell("head -c 100 /dev/zero > zeros.keras; convoy evaluate zeros.keras --data t");
    expect_failure(1, "zeros.keras");
}

static void test_evaluate_wants_weights(void **state)
{
    (void)state;
    shell("convoy evaluate cifar10 --data sample");
    expect_failure(1, "cifar10 has no trained weights");
    shell("convoy evaluate m.json --data t");
    expect_failure(1, "m.json has no trained weights");
}

/* ---- data ---- */

static void test_bad_data(void **state)
{
    (void)state;
    shell("convoy train m.json --data nowhere -o x.keras");
    expect_failure(1, "nowhere: No such file");
    shell("mkdir -p hollow; convoy train m.json --data hollow -o x.keras");
    expect_failure(1, "hollow: no data here");
    shell(": > none.bin; convoy train m.json --data none.bin -o x.keras");
    expect_failure(1, "none.bin");
    shell("head -c 5000 t > cut.bin; convoy train m.json --data cut.bin -o x.keras");
    expect_failure(1, "cut.bin");
    expect_text(last.err, "3073");
    shell("{ head -c 3073 t; printf '\\012'; head -c 3072 /dev/zero; } > label.bin;"
          "convoy train m.json --data label.bin -o x.keras");
    expect_failure(1, "label.bin");
    expect_text(last.err, "10");
    assert_int_not_equal(access("x.keras", F_OK), 0);
}

static void test_bad_outputs(void **state)
{
    (void)state;
    shell("convoy train m.json --data t -o no/where/x.keras");
    expect_failure(1, "no/where/x.keras: can't write there: no/where: No such file");
    shell("convoy train m.json --data t -o m.json/x.keras");
    expect_failure(1, "m.json/x.keras: can't write there");
    shell("mkdir -p f.keras; convoy train m.json --data t -o f.keras");
    expect_failure(1, "f.keras: is there and is not a file");
    shell("convoy train m.json --data t -o /proc/x.keras");
    expect_failure(1, "/proc/x.keras: can't write there");
    expect_no_text(last.err, "device:"); /* all this before any work */
}

/* ---- devices ---- */

static void test_no_opencl(void **state)
{
    (void)state;
    static const char *const lines[] = {"train m.json --data t -o x.keras", "devices", "train m.json --data t -d gpu"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        shell("OCL_ICD_VENDORS=/nonexistent convoy %s", lines[i]);
        expect_failure(2, "OpenCL");
    }
    assert_int_not_equal(access("x.keras", F_OK), 0);
}

static void test_device_choice(void **state)
{
    (void)state;
    shell("convoy devices");
    expect_success();
    expect_text(last.out, "* ");
    shell("convoy train m.json --data t -d 'no such device'");
    expect_failure(2, "-d/--device 'no such device'");
    shell("convoy train m.json --data t -d 0");
    expect_failure(2, "0:0"); /* a bare number: the list is shown */
    shell("convoy train m.json --data t -d 99:0");
    expect_failure(2, "99:0");
    shell("CONVOY_DEVICE='not this one' convoy train m.json --data t");
    expect_failure(2, "not this one");
    expect_text(last.err, "CONVOY_DEVICE");
    shell("unset CONVOY_DEVICE; d=$(convoy devices --json | sed -n 's/.*\"device\": \"\\(.*\\)\",/\\1/p' | head -n 1);"
          "CONVOY_DEVICE=nonsense convoy train m.json --data t -d $d");
    expect_success(); /* the flag wins */
    expect_text(last.err, "device: ");
}

static void test_devices_json(void **state)
{
    (void)state;
    json_error_t where;
    shell("convoy devices --json");
    expect_success();
    assert_string_equal(last.err, "");
    json_t *all = json_loads(last.out, 0, &where), *rows = json_object_get(all, "devices"), *row;
    int defaults = 0;
    size_t i;
    assert_true(json_array_size(rows) > 0);
    json_array_foreach(rows, i, row)
    {
        assert_true(json_is_string(json_object_get(row, "name")));
        assert_true(json_is_boolean(json_object_get(row, "usable")));
        defaults += json_is_true(json_object_get(row, "default"));
    }
    assert_int_equal(defaults, 1);
    json_decref(all);
}

/* What is measured the first time is shown the same way later. */
static void test_devices_verbose(void **state)
{
    (void)state;
    shell("CONVOY_TUNING=off convoy devices --verbose");
    expect_success();
    expect_text(last.out, "nothing is measured of it");
    shell("export CONVOY_TUNING=on XDG_CACHE_HOME=$PWD/probed; convoy devices --verbose | tee first && convoy devices --verbose | cmp - first && "
          "convoy devices --verbose --json | grep '\"measured\": \"'");
    expect_success();
    if (strstr(last.out, "pthread-") != NULL) /* PoCL's, of a CPU */
        expect_text(last.out, "GFLOP/s: fma ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_lost_output_is_noticed),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_bad_models),
        cmocka_unit_test(test_evaluate_wants_weights),
        cmocka_unit_test(test_bad_data),
        cmocka_unit_test(test_bad_outputs),
        cmocka_unit_test(test_no_opencl),
        cmocka_unit_test(test_device_choice),
        cmocka_unit_test(test_devices_json),
        cmocka_unit_test(test_devices_verbose),
    };
    return cmocka_run_group_tests_name("cli", tests, make_folder, remove_folder);
}
