/* What each command prints with --json is what docs/json.md says: no member that it does not have, none missing, each of its kind. */
#include "command.h"
#include "config.h"

#include <jansson.h>

#include "convoy/convoy.h"

/* ---- the page: the rows of a command's table ---- */

typedef struct member {
    char path[80], value[40];
    bool optional, seen;
} member;

static member rows[64];
static size_t row_count;

/* Copies what stands up to `end` and gives what follows it. */
static const char *take(const char *at, const char *end, char *out, size_t size)
{
    const char *stop = strstr(at, end);
    assert_non_null(stop);
    snprintf(out, size, "%.*s", (int)(stop - at), at);
    return stop + strlen(end);
}

static void read_table(const char *command)
{
    char heading[64], *page = slurp(TEST_SOURCE_DIR "/docs/json.md");
    snprintf(heading, sizeof heading, "\n## %s\n", command);
    const char *at = strstr(page, heading);
    if (at == NULL)
        fail_msg("docs/json.md has no section '%s'", command);
    const char *end = strstr(at + strlen(heading), "\n## ");
    for (row_count = 0; (at = strstr(at, "\n| `")) != NULL && (end == NULL || at < end); row_count++) {
        member *row = &rows[row_count];
        assert_true(row_count < sizeof rows / sizeof *rows);
        *row = (member){.seen = false};
        at = take(at + 4, "` | ", row->path, sizeof row->path);
        at = take(at, " | ", row->value, sizeof row->value);
        row->optional = strncmp(at, "only ", 5) == 0;
    }
    free(page);
    assert_true(row_count > 0);
}

/* ---- the object ---- */

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "list";
    case JSON_STRING: return "text";
    case JSON_INTEGER: return "whole number";
    case JSON_REAL: return "number";
    case JSON_NULL: return "null";
    default: return "true or false";
    }
}

/* METRIC stands for any name; rows that name a member come first. */
static member *find_row(const char *path, const char *parent, const char *name)
{
    char any[200], any_validation[200];
    snprintf(any, sizeof any, "%sMETRIC", parent);
    snprintf(any_validation, sizeof any_validation, "%sval_METRIC", parent);
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].path, path) == 0)
            return &rows[i];
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].path, strncmp(name, "val_", 4) == 0 ? any_validation : any) == 0)
            return &rows[i];
    return NULL;
}

static void check_value(const char *path, json_t *value);

static void check_object(const char *parent, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        char path[200];
        snprintf(path, sizeof path, "%s%s", parent, name);
        member *row = find_row(path, parent, name);
        if (row == NULL)
            fail_msg("docs/json.md does not have %s", path);
        row->seen = true;
        if (strstr(row->value, kind_of(value)) == NULL)
            fail_msg("%s is %s; docs/json.md says %s", path, kind_of(value), row->value);
        check_value(path, value);
    }
}

static void check_value(const char *path, json_t *value)
{
    char below[204];
    size_t i;
    json_t *entry;
    snprintf(below, sizeof below, "%s.", path);
    if (json_is_object(value))
        check_object(below, value);
    snprintf(below, sizeof below, "%s[].", path);
    json_array_foreach(value, i, entry)
        if (json_is_object(entry))
            check_object(below, entry);
}

static void read_line(const char *text)
{
    json_error_t error;
    json_t *object = json_loads(text, JSON_DISABLE_EOF_CHECK, &error);
    if (object == NULL)
        fail_msg("no JSON: %s\n%s", error.text, text);
    void *first = json_object_iter(object);
    assert_string_equal(json_object_iter_key(first), "version");
    assert_int_equal(json_integer_value(json_object_iter_value(first)), 1);
    check_object("", object);
    json_decref(object);
}

static void expect_all_seen(void)
{
    for (size_t i = 0; i < row_count; i++)
        if (!rows[i].seen && !rows[i].optional)
            fail_msg("docs/json.md has %s, which was not there:\n%s", rows[i].path, last.out);
}

/* After shell(): what it printed, against the page. */
static void expect_page(const char *section)
{
    read_table(section);
    read_line(last.out);
    expect_all_seen();
}

/* ---- the commands ---- */

/* Twelve images of two classes, written as the files that MNIST has; a model of two convolutions for them. */
static int make_world(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    write_file("w.json", "{\"class_name\":\"Sequential\",\"config\":{\"layers\":["
               "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,8,8,1]}},"
               "{\"class_name\":\"Conv2D\",\"config\":{\"filters\":4,\"kernel_size\":3}}," FLATTEN "," DENSE("2") "]}}");
    shell("mkdir -p d; images() { printf '\\0\\0\\10\\3\\0\\0\\0\\14\\0\\0\\0\\10\\0\\0\\0\\10'; head -c 768 /dev/zero; };"
          "labels() { printf '\\0\\0\\10\\1\\0\\0\\0\\14\\0\\1\\0\\1\\0\\1\\0\\1\\0\\1\\0\\1'; };"
          "for p in train t10k; do images >d/$p-images-idx3-ubyte; labels >d/$p-labels-idx1-ubyte; done");
    return last.code;
}

static void test_devices(void **state)
{
    (void)state;
    shell("convoy devices --json");
    expect_page("devices");
}

static void test_check(void **state)
{
    (void)state;
    shell("convoy check --layer ReLU --json");
    expect_success();
    expect_page("check");
}

static void test_bench(void **state)
{
    (void)state;
    shell("convoy bench w.json --batch-size 4 --steps 2 --repeats 1 --json");
    expect_success();
    expect_page("bench");
}

static void test_bench_as(void **state)
{
    (void)state;
    shell("convoy bench w.json --batch-size 4 --as dg2 --json");
    expect_success();
    expect_page("bench --as");
}

static void test_tune(void **state)
{
    (void)state;
    shell("XDG_CACHE_HOME=$PWD convoy tune w.json --batch-size 4 --seconds 1 --json");
    expect_success();
    expect_page("tune");
}

static void test_train(void **state)
{
    (void)state;
    shell("convoy train w.json --data d --epochs 2 --validation test --metrics 'accuracy, AUC(name=a)' --json");
    expect_success();
    expect_page("train");
    shell("convoy train w.json --data d --json"); /* without a validation its metrics are null */
    expect_success();
    expect_page("train");
}

static void test_fetch(void **state)
{
    (void)state;
#ifndef HAVE_FETCH
    skip();
#endif
    shell("convoy fetch --list --json");
    expect_success();
    expect_page("fetch --list");
    shell("mkdir mnist; for p in train:47040016:60008 t10k:7840016:10008; do set -- $(echo $p | tr : ' ');"
          "truncate -s $2 mnist/$1-images-idx3-ubyte; truncate -s $3 mnist/$1-labels-idx1-ubyte; done; convoy fetch mnist -o . --json");
    expect_success();
    expect_page("fetch");
}

#ifdef HAVE_KERAS_FILES

static void train_one(void)
{
    shell("test -e w.keras || convoy train w.json --data d --run r -q -o w.keras");
    expect_success();
}

static void test_evaluate(void **state)
{
    (void)state;
    train_one();
    shell("convoy evaluate w.keras --data d --confusion --json");
    expect_success();
    expect_page("evaluate");
    shell("convoy evaluate w.keras --data d --loss mse --metrics mae --json");
    expect_success();
    expect_text(last.out, "\"classes\": null");
    read_line(last.out);
}

static void test_export(void **state)
{
    (void)state;
    train_one();
    shell("convoy export w.keras -o w.onnx --json");
    expect_success();
    expect_page("export");
}

static void test_predict_array(void **state)
{
    (void)state;
    train_one();
    shell("{ printf \"\\\\223NUMPY\\\\1\\\\0v\\\\0%%-117s\\\\n\" \"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8, 1), }\"; head -c 256 /dev/zero; }"
          ">in.npy; convoy predict w.keras --input in.npy -o out.npy --json");
    expect_success();
    expect_page("predict --input");
}

static void test_predict(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    train_one();
    shell("convoy predict w.keras '" TEST_GOLDEN_DIR "/images/grey.png' nowhere.png --json");
    assert_int_equal(last.code, 1);
    expect_page("predict");
    shell("printf '%%s\\n' '" TEST_GOLDEN_DIR "/images/grey.png' nowhere.png | convoy predict w.keras --stream --json");
    read_table("predict --stream");
    read_line(last.out);
    read_line(strchr(last.out, '\n') + 1);
    expect_all_seen();
}

/* Numbers in place of classes. */
static void test_predict_other_outputs(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    shell("convoy train w.json --data d --loss mse -q -o n.keras");
    expect_success();
    shell("convoy predict n.keras '" TEST_GOLDEN_DIR "/images/grey.png' --json");
    expect_success();
    expect_page("predict");
    expect_text(last.out, "\"numbers\": [");
}

/* A class for each pixel. */
static void test_predict_maps(void **state)
{
    (void)state;
#ifndef HAVE_IMAGES
    skip();
#endif
    convoy_error err = {0};
    convoy_model *m = NULL;
    if (convoy_model_create(NULL, &m, &err) || convoy_model_add(m, "InputLayer", "shape=(8, 8, 1)", &err) ||
        convoy_model_add(m, "Conv2D", "filters=2, kernel_size=1, activation=softmax", &err) ||
        convoy_model_initialize(m, 1, &err) || convoy_model_save(m, "map.keras", &err))
        fail_msg("%s", err.message);
    convoy_model_destroy(m);
    shell("convoy predict map.keras '" TEST_GOLDEN_DIR "/images/grey.png' --json");
    expect_success();
    read_table("predict");
    read_line(last.out);
    expect_text(last.out, "\"labels\": \"");
    expect_text(last.out, "\"share\": ");
}

static void test_report(void **state)
{
    (void)state;
#ifndef HAVE_REPORT
    skip();
#endif
    train_one();
    shell("convoy report r --json");
    expect_success();
    expect_page("report");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices), cmocka_unit_test(test_check), cmocka_unit_test(test_bench), cmocka_unit_test(test_bench_as),
        cmocka_unit_test(test_tune),    cmocka_unit_test(test_train), cmocka_unit_test(test_fetch),
#ifdef HAVE_KERAS_FILES
        cmocka_unit_test(test_evaluate),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_predict_array),
        cmocka_unit_test(test_predict),
        cmocka_unit_test(test_predict_other_outputs),
        cmocka_unit_test(test_predict_maps),
        cmocka_unit_test(test_report),
#endif
    };
    return cmocka_run_group_tests_name("cli_json", tests, make_world, remove_folder);
}
