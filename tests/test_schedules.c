/* Learning rate schedules against Keras: the rates, and the configs that its files hold. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "convoy/error.h"
#include "golden_json.h"
#include "train/schedule.h"

static schedule *parse(const char *text)
{
    convoy_error err = {0};
    schedule *s = NULL;
    if (schedule_parse(text, &s, &err) != CONVOY_OK)
        fail_msg("%s: %s", text, err.message);
    return s;
}

static void expect_rates(const schedule *s, const json_t *root, const json_t *row)
{
    const json_t *steps = json_object_get(root, "steps"), *rates = json_object_get(row, "rates"), *step;
    size_t i;
    assert_int_equal(json_array_size(steps), json_array_size(rates));
    json_array_foreach(steps, i, step) {
        float found = schedule_rate(s, (uint64_t)json_integer_value(step));
        double expected = json_number_value(json_array_get(rates, i));
        /* Where a cosine comes down to nothing, what is left of it is rounding: 1e-7 of the highest rate. */
        if (!golden_near(found, expected, 1e-5, 1e-2))
            fail_msg("%s, step %lld: %.9g, Keras has %.9g", golden_text(row, "schedule"),
                     (long long)json_integer_value(step), found, expected);
    }
}

static void test_rates_are_those_of_keras(void **state)
{
    (void)state;
    json_t *root = golden("optimizers/schedules.json"), *row;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, row) {
        schedule *s = parse(golden_text(row, "schedule"));
        expect_rates(s, root, row);
        schedule_destroy(s);
    }
    assert_int_equal(i, 14);
    json_decref(root);
}

/* What is written for a text is what Keras writes for the same call, and reads back as the same schedule. */
static void test_configs_are_those_of_keras(void **state)
{
    (void)state;
    convoy_error err = {0};
    json_t *root = golden("optimizers/schedules.json"), *row;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, row) {
        schedule *s = parse(golden_text(row, "schedule")), *again = NULL;
        char *found = json_dumps(schedule_json(s), JSON_SORT_KEYS);
        char *expected = json_dumps(json_object_get(row, "config"), JSON_SORT_KEYS);
        assert_string_equal(found, expected);
        assert_int_equal(schedule_from_json(json_object_get(row, "config"), &again, &err), CONVOY_OK);
        expect_rates(again, root, row);
        free(found);
        free(expected);
        schedule_destroy(s);
        schedule_destroy(again);
    }
    json_decref(root);
}

/* The documented formula at its corners. */
static void test_one_cycle(void **state)
{
    (void)state;
    schedule *s = parse("OneCycle(max_learning_rate=0.5, total_steps=101, pct_start=0.3, div_factor=10, final_div_factor=100)");
    /* Up to step 0.3 * 101 - 1 = 29.3, down to step 100. */
    assert_true(golden_near(schedule_rate(s, 0), 0.05, 1e-6, 0));
    assert_true(golden_near(schedule_rate(s, 29), 0.5, 1e-3, 0) && schedule_rate(s, 29) < 0.5f);
    double half = 0.0005 + (0.5 - 0.0005) / 2 * (1 + cos(3.14159265358979 * (65 - 29.3) / (100 - 29.3)));
    assert_true(golden_near(schedule_rate(s, 65), half, 1e-6, 0));
    assert_true(golden_near(schedule_rate(s, 100), 0.0005, 1e-6, 0));
    assert_true(golden_near(schedule_rate(s, 5000), 0.0005, 1e-6, 0));
    schedule_destroy(s);
    s = parse("OneCycle(max_learning_rate=1, total_steps=20, pct_start=0.55, div_factor=2, anneal_strategy=linear)");
    assert_true(golden_near(schedule_rate(s, 5), 0.75, 1e-6, 0));
    assert_true(golden_near(schedule_rate(s, 10), 1.0, 1e-6, 0));
    assert_string_equal(json_string_value(json_object_get(schedule_json(s), "module")), "convoy");
    schedule_destroy(s);
}

static void test_bad_texts(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"CosineDecay", "'initial_learning_rate' is missing"},
        {"CosinDecay(initial_learning_rate=1.0, decay_steps=4)", "did you mean 'CosineDecay'"},
        {"CosineDecay(initial_learning_rate=1.0, decay_steps=0)", "'decay_steps' is 0"},
        {"CosineDecay(initial_learning_rate=1.0, decay_steps=4, warmup=3)", "unknown option 'warmup'"},
        {"PiecewiseConstantDecay(boundaries=[1, 2], values=[0.1, 0.2])", "one value more than boundaries"},
        {"PiecewiseConstantDecay(boundaries=[5, 2], values=[0.1, 0.2, 0.3])", "must ascend"},
        {"PiecewiseConstantDecay(boundaries=[], values=[0.1])", "a list of 1 to"},
        {"OneCycle(max_learning_rate=1.0, total_steps=9, anneal_strategy=step)", "\"cos\", \"linear\""},
        {"CosineDecay(", "expected"},
        {"", "expected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        convoy_error err = {0};
        schedule *s = NULL;
        assert_int_equal(schedule_parse(rows[i][0], &s, &err), CONVOY_ERROR_ARGUMENT);
        if (strstr(err.message, rows[i][1]) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", rows[i][0], err.message, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_those_of_keras),
        cmocka_unit_test(test_configs_are_those_of_keras),
        cmocka_unit_test(test_one_cycle),
        cmocka_unit_test(test_bad_texts),
    };
    return cmocka_run_group_tests_name("schedules", tests, NULL, NULL);
}
