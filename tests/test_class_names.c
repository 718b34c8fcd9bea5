/* Classes are matched by name, and convoy_fit keeps the names of what it trained on. */
#include <unistd.h>

#include "train_help.h"

static const char *const layers[] = {"Flatten", NULL, "Dense", "units=4", NULL};
static const char *const abcd[] = {"a", "b", "c", "d"};

/* Six rows of classes 0, 1, 2, 0, 1, 2, called as `names` says. */
static convoy_dataset *named(const char *const *names)
{
    enum { COUNT = 6 };
    static uint8_t images[COUNT * SIDE * SIDE * 3];
    const int32_t labels[COUNT] = {0, 1, 2, 0, 1, 2};
    convoy_dataset *data = NULL;
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 31 % 251);
    CHECK(convoy_dataset_create(images, labels, COUNT, (convoy_shape){3, {SIDE, SIDE, 3}}, 3, names, &data, &err));
    return data;
}

static convoy_model *model_of(const char *const *names, size_t count)
{
    convoy_model *m = make_model(layers);
    CHECK(convoy_model_set_class_names(m, names, count, &err));
    return m;
}

static void expect_labels(const convoy_dataset *data, int a, int b, int c)
{
    const int32_t expected[] = {a, b, c, a, b, c};
    assert_memory_equal(convoy_dataset_labels(data), expected, sizeof expected);
}

static void test_labels_get_the_models_numbers(void **state)
{
    (void)state;
    const char *const names[] = {"d", "a", "b"};
    convoy_model *m = model_of(abcd, 4);
    convoy_dataset *data = named(names);
    CHECK(convoy_dataset_match_classes(data, m, &err));
    expect_labels(data, 3, 0, 1);
    assert_int_equal(convoy_dataset_classes(data), 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(convoy_dataset_class_name(data, i), abcd[i]);
    CHECK(convoy_dataset_match_classes(data, m, &err)); /* once is enough */
    expect_labels(data, 3, 0, 1);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

static void test_without_names_numbers_stay(void **state)
{
    (void)state;
    const char *const names[] = {"x", "y", "z"};
    convoy_model *nameless = model_of(NULL, 0), *m = model_of(abcd, 4);
    convoy_dataset *data = named(names), *unnamed = named(NULL), *first = named(abcd);
    CHECK(convoy_dataset_match_classes(data, nameless, &err));
    expect_labels(data, 0, 1, 2);
    CHECK(convoy_dataset_match_classes(unnamed, m, &err));
    expect_labels(unnamed, 0, 1, 2);
    CHECK(convoy_dataset_match_classes(first, m, &err)); /* the first of the model's */
    expect_labels(first, 0, 1, 2);
    assert_int_equal(convoy_dataset_classes(first), 3);
    convoy_dataset_destroy(first);
    convoy_dataset_destroy(unnamed);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
    convoy_model_destroy(nameless);
}

/* To the letter: A is not a. */
static void test_unknown_names_are_refused(void **state)
{
    (void)state;
    const char *const names[] = {"b", "A", "c"};
    convoy_model *m = model_of(abcd, 4);
    convoy_dataset *data = named(names);
    convoy_error err = {0};
    assert_int_equal(convoy_dataset_match_classes(data, m, &err), CONVOY_ERROR_MODEL);
    assert_non_null(strstr(err.message, "class 'A'"));
    assert_non_null(strstr(err.message, "the data has 'b', 'A', 'c'"));
    assert_non_null(strstr(err.message, "the model knows 'a', 'b', 'c', 'd'"));
    expect_labels(data, 0, 1, 2);
    assert_string_equal(convoy_dataset_class_name(data, 1), "A");
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

static void test_other_numbers_are_refused_in_use(void **state)
{
    (void)state;
    const char *const names[] = {"b", "c", "d"};
    convoy_model *m = model_of(abcd, 4);
    convoy_dataset *data = named(names);
    convoy_error err = {0};
    convoy_metrics out;
    assert_int_equal(convoy_evaluate(ctx, m, data, NULL, &out, &err), CONVOY_ERROR_MODEL);
    assert_non_null(strstr(err.message, "class 0 of the data is 'b', but that of the model is 'a'"));
    assert_int_equal(convoy_fit(ctx, m, data, NULL, NULL, &err), CONVOY_ERROR_MODEL);
    CHECK(convoy_dataset_match_classes(data, m, &err));
    CHECK(convoy_evaluate(ctx, m, data, NULL, &out, &err));
    CHECK(convoy_fit(ctx, m, data, NULL, NULL, &err));
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

static void test_fit_keeps_the_names(void **state)
{
    (void)state;
    convoy_model *m = make_model(layers);
    convoy_dataset *data = named(abcd), *unnamed = named(NULL);
    CHECK(convoy_fit(ctx, m, unnamed, NULL, NULL, &err));
    assert_null(convoy_model_class_name(m, 0));
    CHECK(convoy_fit(ctx, m, data, NULL, NULL, &err));
    assert_string_equal(convoy_model_class_name(m, 2), "c");
    assert_null(convoy_model_class_name(m, 3));
    CHECK(convoy_fit(ctx, m, unnamed, NULL, NULL, &err)); /* which has none to give */
    assert_string_equal(convoy_model_class_name(m, 0), "a");
    convoy_dataset_destroy(unnamed);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

/* Whatever their values: zeros can be trained ones. */
static void test_weights_are_there_or_not(void **state)
{
    (void)state;
    convoy_model *m = NULL, *read = NULL;
    char path[] = "/tmp/convoy-zero-XXXXXX.keras";
    CHECK(convoy_model_create(NULL, &m, &err));
    CHECK(convoy_model_add(m, "InputLayer", "shape=(9, 9, 3)", &err));
    assert_true(convoy_model_has_weights(m)); /* it needs none */
    CHECK(convoy_model_add(m, "Flatten", NULL, &err));
    CHECK(convoy_model_add(m, "Dense", "units=4", &err));
    assert_false(convoy_model_has_weights(m));
    int file = mkstemps(path, 6);
    assert_true(file >= 0);
    close(file);
    if (convoy_model_save(m, path, NULL) == CONVOY_OK) { /* all zero */
        CHECK(convoy_model_load(path, &read, &err));
        assert_true(convoy_model_has_weights(read));
    }
    unlink(path);
    CHECK(convoy_model_initialize(m, 1, &err));
    assert_true(convoy_model_has_weights(m));
    convoy_model_destroy(m);
    convoy_model_destroy(read);
    CHECK(convoy_model_load("cifar10", &m, &err));
    assert_false(convoy_model_has_weights(m));
    convoy_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_get_the_models_numbers),    cmocka_unit_test(test_without_names_numbers_stay),
        cmocka_unit_test(test_unknown_names_are_refused),        cmocka_unit_test(test_fit_keeps_the_names),
        cmocka_unit_test(test_other_numbers_are_refused_in_use), cmocka_unit_test(test_weights_are_there_or_not),
    };
    return cmocka_run_group_tests_name("class_names", tests, make_context, drop_context);
}
