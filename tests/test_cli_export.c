/* convoy export, and --weights of train, evaluate and predict, run as their users run them. */
#include <jansson.h>

#include "command.h"

/* A small trained model, once. */
static void train_once(void)
{
    if (access("m.keras", R_OK) == 0)
        return;
    shell("convoy train m.json --data t --epochs 2 -o m.keras -q");
    expect_success();
}

static double loss_of(const char *arguments)
{
    shell("convoy evaluate %s --data t --json -q", arguments);
    expect_success();
    json_t *result = json_loads(last.out, 0, NULL);
    double loss = json_number_value(json_object_get(result, "loss"));
    json_decref(result);
    assert_true(loss > 0);
    return loss;
}

/* Every ending gives a file from which the same model comes. */
static void test_endings(void **state)
{
    (void)state;
    train_once();
    double expected = loss_of("m.keras");
    static const char *const endings[] = {"weights.h5", "safetensors", "keras"};
    for (size_t i = 0; i < 3; i++) {
        char arguments[64];
        shell("convoy export m.keras -o e.%s", endings[i]);
        expect_success();
        expect_text(last.out, "saved e.");
        assert_string_equal(last.err, "");
        snprintf(arguments, sizeof arguments, "m.json --weights e.%s", endings[i]);
        assert_true(loss_of(arguments) == expected);
    }
    shell("convoy export m.keras -o e.json");
    expect_success();
    shell("convoy summary e.json");
    expect_success();
    expect_text(last.out, "30,730");
    assert_true(loss_of("e.json --weights m.keras") == expected);
}

static void test_json_result(void **state)
{
    (void)state;
    train_once();
    shell("convoy export m.keras -o e.safetensors --json");
    expect_success();
    json_t *result = json_loads(last.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(result, "output")), "e.safetensors");
    assert_string_equal(json_string_value(json_object_get(result, "format")), ".safetensors");
    json_decref(result);
}

/* A config and weights make a model. */
static void test_joins_weights(void **state)
{
    (void)state;
    train_once();
    shell("convoy export m.keras -o e.weights.h5 && convoy export m.json --weights e.weights.h5 -o joined.keras");
    expect_success();
    assert_true(loss_of("joined.keras") == loss_of("m.keras"));
}

/* Training starts from them: without a step in between, the first loss is that of the trained model. */
static void test_training_starts_from_weights(void **state)
{
    (void)state;
    train_once();
    double expected = loss_of("m.keras");
    shell("convoy export m.keras -o e.safetensors && convoy train m.json --weights e.safetensors --data t --learning-rate 1e-30 "
          "--optimizer sgd -o again.keras");
    expect_success();
    expect_text(last.err, "the weights are those of the file");
    assert_true(loss_of("again.keras") == expected);
}

static void test_predicts_with_weights(void **state)
{
    (void)state;
    train_once();
    shell("convoy export m.keras -o e.safetensors && cp '%s/images/rgb.png' p.png && convoy predict m.keras p.png -q > one && "
          "convoy predict m.json --weights e.safetensors p.png -q > other && cmp one other", TEST_GOLDEN_DIR);
    expect_success();
}

static void test_wrong_usage(void **state)
{
    (void)state;
    train_once();
    shell("convoy export m.keras");
    expect_failure(2, "-o FILE is missing");
    shell("convoy export -o e.keras");
    expect_failure(2, "a MODEL is missing");
    shell("convoy export m.keras -o e.npz");
    expect_failure(2, "must end in .keras, ");
    expect_text(last.err, ".json");
    shell("convoy export m.keras -o e.h5");
    expect_failure(2, "read, but not written");
    shell("convoy export m.keras -o .keras");
    expect_failure(2, "must end in");
    shell("convoy export m.keras -o no/such/folder/e.keras");
    expect_failure(1, "make the folder first");
    shell("convoy export none.keras -o e.keras");
    expect_failure(1, "none.keras");
    shell("convoy export m.json -o e.safetensors");
    expect_failure(1, "no trained weights");
    shell("convoy export m.json -o bare.json && test -s bare.json");
    expect_success();
    shell("convoy evaluate m.json --weights none.h5 --data t");
    expect_failure(1, "none.h5");
    shell("convoy evaluate m.json --weights m.json --data t");
    expect_failure(1, "m.json: holds no weights");
    shell("convoy train cifar10 --weights m.keras --data t");
    expect_failure(1, "m.keras: ");
}

static void test_help(void **state)
{
    (void)state;
    shell("convoy export --help");
    expect_success();
    expect_text(last.out, "  .weights.h5    its weights");
    expect_text(last.out, "  .safetensors   its weights");
    shell("convoy --help");
    expect_text(last.out, "  export ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_json_result),
        cmocka_unit_test(test_joins_weights),
        cmocka_unit_test(test_training_starts_from_weights),
        cmocka_unit_test(test_predicts_with_weights),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
