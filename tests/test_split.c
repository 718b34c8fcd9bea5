/* Validation splits: Keras's last fraction, or of each class where the images stand class after class. */
#include <stdio.h>

#include "data/data.h"
#include "train/split.h"
#include "train_help.h"

enum { MOST = 40 };

static char said[512];

static void listen(void *user, const char *text)
{
    (void)user;
    snprintf(said, sizeof said, "%s", text);
}

/* Images whose every byte is their number. */
static convoy_dataset *numbered(const int32_t *labels, size_t count, int classes)
{
    static uint8_t images[MOST * SIDE * SIDE * 3];
    convoy_dataset *data = NULL;
    assert_true(count <= MOST);
    for (size_t i = 0; i < count; i++)
        memset(images + i * SIDE * SIDE * 3, (int)i, SIDE * SIDE * 3);
    CHECK(convoy_dataset_create(images, labels, count, (convoy_shape){3, {SIDE, SIDE, 3}}, classes, NULL, &data, &err));
    return data;
}

/* The held out rows, and all others in their order, each with its label, pixels and weight. */
static void expect_rows(const convoy_dataset *part, const float *weights, const int32_t *labels, const char *rows)
{
    size_t i = 0;
    int row, used;
    for (; sscanf(rows, "%d%n", &row, &used) == 1; rows += used, i++) {
        assert_true(i < convoy_dataset_count(part));
        assert_int_equal(dataset_image(part, i)[0], row);
        assert_int_equal(dataset_image(part, i)[SIDE * SIDE * 3 - 1], row);
        assert_int_equal(convoy_dataset_labels(part)[i], labels[row]);
        assert_true(weights[i] == (float)row);
    }
    assert_int_equal(convoy_dataset_count(part), i);
}

static void expect(const int32_t *labels, size_t count, double fraction, const char *train, const char *held_out)
{
    float weights[MOST];
    split s;
    convoy_dataset *data = numbered(labels, count, 5);
    for (size_t i = 0; i < count; i++)
        weights[i] = (float)i;
    said[0] = '\0';
    CHECK(split_create(ctx, data, fraction, weights, &s, &err));
    assert_int_equal(split_kept(data, fraction), convoy_dataset_count(s.train));
    convoy_dataset_destroy(data); /* the parts outlive it */
    expect_rows(s.train, s.train_weights, labels, train);
    expect_rows(s.held_out, s.held_out_weights, labels, held_out);
    split_free(&s);
}

static void test_last_fraction(void **state)
{
    (void)state;
    const int32_t mixed[] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0}, one[] = {3, 3, 3, 3, 3}, each[] = {0, 1, 2, 3};
    expect(mixed, 10, 0.3, "0 1 2 3 4 5 6", "7 8 9");
    expect(one, 5, 0.2, "0 1 2 3", "4");
    expect(each, 4, 0.5, "0 1", "2 3"); /* one image of each class: no share of it can be held out */
    assert_string_equal(said, "");
}

static void test_of_each_class(void **state)
{
    (void)state;
    const int32_t sorted[] = {0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4}, blocks[] = {3, 3, 3, 3, 0, 0, 0, 0, 1, 1};
    expect(sorted, 15, 0.2, "0 1 2 3 5 6 7 8 10 11 12 13", "4 9 14");
    assert_non_null(strstr(said, "the last ones of each class, 1 of each, 3 of 15 in all"));
    /* Matched by name, a folder's classes need not come in the order of their numbers. Four are to go: 1.6 + 1.6 + 0.8. */
    expect(blocks, 10, 0.4, "0 1 2 4 5 8", "3 6 7 9");
    assert_non_null(strstr(said, "1 to 2 of each, 4 of 10 in all"));
}

/* One of each class stays to be trained on. */
static void test_small_classes(void **state)
{
    (void)state;
    const int32_t labels[] = {0, 1, 1, 2, 2, 2};
    expect(labels, 6, 0.9, "0 1 3", "2 4 5");
}

static void test_nothing_left(void **state)
{
    (void)state;
    const int32_t labels[] = {0, 1, 0};
    split s;
    convoy_error err = {0};
    convoy_dataset *data = numbered(labels, 3, 2);
    assert_int_equal(split_create(ctx, data, 0.9, NULL, &s, &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "validation split 0.9 of 3 images leaves one side empty"));
    convoy_dataset_destroy(data);
}

/* The loss after an epoch of convoy_fit with a split by class, resident and streamed, is that of the rows themselves. */
static double held_out_loss;

static int keep_loss(void *user, const convoy_epoch *epoch)
{
    (void)user;
    held_out_loss = epoch->validation.loss;
    return 0;
}

static void test_in_training(void **state)
{
    (void)state;
    static const char *const layers[] = {"Flatten", NULL, "Dense", "units=3", NULL};
    int32_t labels[12], own[] = {0, 1, 2};
    uint8_t images[3 * SIDE * SIDE * 3];
    convoy_metrics expected;
    float weights[12];
    for (int i = 0; i < 12; i++) {
        labels[i] = i / 4;
        weights[i] = (float)(i + 1);
    }
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i / (SIDE * SIDE * 3) * 4 + 3);
    convoy_dataset *data = numbered(labels, 12, 3), *part = NULL;
    CHECK(convoy_dataset_create(images, own, 3, (convoy_shape){3, {SIDE, SIDE, 3}}, 3, NULL, &part, &err));
    for (int stream = 0; stream < 2; stream++) {
        convoy_fit_options options = {.batch_size = 4, .seed = SEED, .validation_split = 0.25, .stream = stream,
                                      .sample_weight = weights, .on_epoch = keep_loss};
        convoy_evaluate_options evaluation = {.sample_weight = (const float[]){4, 8, 12}};
        convoy_model *m = make_model(layers);
        CHECK(convoy_fit(ctx, m, data, &options, NULL, &err));
        CHECK(convoy_evaluate(ctx, m, part, &evaluation, &expected, &err));
        assert_true(held_out_loss == expected.loss);
        convoy_model_destroy(m);
    }
    convoy_dataset_destroy(part);
    convoy_dataset_destroy(data);
}

static int set_up(void **state)
{
    if (make_context(state) != 0)
        return -1;
    convoy_context_on_message(ctx, listen, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_fraction), cmocka_unit_test(test_of_each_class), cmocka_unit_test(test_small_classes),
        cmocka_unit_test(test_nothing_left),  cmocka_unit_test(test_in_training),
    };
    return cmocka_run_group_tests_name("split", tests, set_up, drop_context);
}
