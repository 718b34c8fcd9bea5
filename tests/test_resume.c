/* A run that was stopped between two epochs and goes on from its .keras file is the run that was not: the same bits, and all that its
 * callbacks know. */
#define _GNU_SOURCE /* mkstemps */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "model/model.h"
#include "train/record.h"
#include "train_help.h"

enum { EPOCHS = 6 };

static const char *const layers[] = {"Flatten", NULL, "Dropout", "rate=0.2", "Dense", "units=3", NULL};
static char file[64], said[4096];

static void listen(void *user, const char *text)
{
    (void)user;
    if (strlen(said) + strlen(text) + 2 < sizeof said)
        strcat(strcat(said, text), "\n");
}

typedef struct stopping {
    int after, seen; /* 0: never; the epochs that came */
    double rate[EPOCHS + 1], loss[EPOCHS + 1];
} stopping;

static int on_epoch(void *user, const convoy_epoch *epoch)
{
    stopping *s = user;
    s->seen++;
    s->rate[epoch->epoch] = epoch->learning_rate;
    s->loss[epoch->epoch] = epoch->validation.loss;
    return s->after == epoch->epoch;
}

static convoy_status fit(convoy_model *m, const char *const *callbacks, int initial, stopping *s, convoy_error *err)
{
    convoy_dataset *data = small_data();
    convoy_fit_options options = {.epochs = EPOCHS, .initial_epoch = initial, .batch_size = 16, .seed = SEED, .validation = data,
                                  .optimizer = initial ? NULL : "adam(learning_rate=0.05)", .callbacks = callbacks,
                                  .on_epoch = on_epoch, .user = s};
    said[0] = '\0';
    convoy_status status = convoy_fit(ctx, m, data, &options, NULL, err);
    convoy_dataset_destroy(data);
    return status;
}

static convoy_model *saved_and_read(convoy_model *m)
{
    convoy_model *read = NULL;
    if (convoy_model_save(m, file, NULL) == CONVOY_ERROR_UNSUPPORTED)
        return m;
    CHECK(convoy_model_save(m, file, &err));
    convoy_model_destroy(m);
    CHECK(convoy_model_load(file, &read, &err));
    return read;
}

static void expect_said(const char *part)
{
    if (strstr(said, part) == NULL)
        fail_msg("'%s' is not in:\n%s", part, said);
}

/* In one run, and stopped after each of its epochs. */
static void expect_same_run(const char *const *callbacks, int *epochs)
{
    stopping whole = {0};
    convoy_model *expected = make_model(layers);
    CHECK(fit(expected, callbacks, 0, &whole, &err));
    *epochs = whole.seen;
    for (int after = 1; after < whole.seen; after++) {
        stopping first = {.after = after}, second = {0};
        convoy_error err = {0};
        convoy_model *m = make_model(layers);
        assert_int_equal(fit(m, callbacks, 0, &first, &err), CONVOY_ERROR_INTERRUPTED);
        m = saved_and_read(m);
        CHECK(fit(m, callbacks, after, &second, &err));
        assert_string_equal(strstr(said, "afresh") ? said : "", "");
        assert_int_equal(first.seen + second.seen, whole.seen);
        for (int epoch = 1; epoch <= whole.seen; epoch++) {
            const stopping *now = epoch <= after ? &first : &second;
            assert_true(now->rate[epoch] == whole.rate[epoch]);
            assert_true(now->loss[epoch] == whole.loss[epoch]);
        }
        assert_same_weights(m, expected);
        assert_true(json_equal(m->training, expected->training));
        convoy_model_destroy(m);
    }
    convoy_model_destroy(expected);
}

static void test_nothing_is_lost(void **state)
{
    (void)state;
    int epochs;
    const char *texts[] = {NULL, NULL};
    expect_same_run(texts, &epochs);
    assert_int_equal(epochs, EPOCHS);
    texts[0] = "ReduceLROnPlateau(monitor=loss, mode=max, patience=2, cooldown=1, factor=0.5)";
    expect_same_run(texts, &epochs);
    assert_int_equal(epochs, EPOCHS);
}

/* The first epoch stays the best: it is kept beside the weights, and has come back when the patience is over. */
static void test_the_best_weights_are_kept(void **state)
{
    (void)state;
    int epochs;
    const char *const texts[] = {"EarlyStopping(monitor=loss, mode=max, patience=3, restore_best_weights=True)", NULL};
    expect_same_run(texts, &epochs);
    assert_int_equal(epochs, 4);
}

static void test_checkpoints_go_on(void **state)
{
    (void)state;
    char text[160];
    const char *const texts[] = {text, "EarlyStopping(monitor=loss, patience=2)", NULL};
    stopping whole = {0}, second = {0};
    convoy_model *expected = make_model(layers), *m = NULL;
    if (convoy_model_save(expected, file, NULL) == CONVOY_ERROR_UNSUPPORTED) {
        convoy_model_destroy(expected);
        skip();
    }
    snprintf(text, sizeof text, "ModelCheckpoint(filepath='%s', monitor=loss, mode=max, save_best_only=True, verbose=1)", file);
    CHECK(fit(expected, texts, 0, &whole, &err));
    CHECK(convoy_model_load(file, &m, &err)); /* of the first epoch, with what all callbacks knew then */
    CHECK(fit(m, texts, 1, &second, &err));
    expect_said("epoch 2: loss did not improve from");
    assert_int_equal(second.seen, EPOCHS - 1);
    assert_same_weights(m, expected);
    convoy_model_destroy(m);
    convoy_model_destroy(expected);
}

static void test_what_is_not_known_is_told(void **state)
{
    (void)state;
    const char *texts[] = {"EarlyStopping(monitor=loss, patience=9)", NULL, NULL};
    stopping s = {.after = 2};
    convoy_error err = {0};
    convoy_model *m = make_model(layers);
    CHECK(fit(m, NULL, 2, &s, &err)); /* nothing is waited for */
    assert_string_equal(said, "");
    CHECK(fit(m, texts, 3, &s, &err));
    expect_said("the model holds nothing of a run that has done 3 epochs: what callbacks wait for begins afresh");
    assert_int_equal(fit(m, texts, 0, &s, &err), CONVOY_ERROR_INTERRUPTED);
    texts[0] = "EarlyStopping(monitor=val_loss, patience=9)";
    texts[1] = "ReduceLROnPlateau(patience=9)";
    CHECK(fit(m, texts, 2, &s, &err));
    expect_said("EarlyStopping watches 'val_loss' (mode min) now, and not 'loss' (mode min) as before: it begins afresh");
    expect_said("ReduceLROnPlateau was not there before: it begins afresh");
    convoy_model_destroy(m);
}

static void test_no_epoch_left(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_fit_options options = {.epochs = 3, .initial_epoch = 3};
    assert_int_equal(convoy_fit_check(&options, &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "initial epoch 3 of 3 epochs: none is left to do"));
    options.initial_epoch = -1;
    assert_int_equal(convoy_fit_check(&options, &err), CONVOY_ERROR_ARGUMENT);
    options.initial_epoch = 2;
    assert_int_equal(convoy_fit_check(&options, &err), CONVOY_OK);
}

static void test_numbers_that_json_lacks(void **state)
{
    (void)state;
    const double values[] = {0.1, -INFINITY, INFINITY, NAN};
    for (size_t i = 0; i < 4; i++) {
        json_t *json = record_number(values[i]);
        double back = record_number_value(json);
        assert_true(back == values[i] || (isnan(back) && isnan(values[i])));
        json_decref(json);
    }
}

static int set_up(void **state)
{
    int fd;
    strcpy(file, "/tmp/convoy-resume-XXXXXX.keras");
    if (make_context(state) != 0 || (fd = mkstemps(file, 6)) < 0)
        return -1;
    close(fd);
    convoy_context_on_message(ctx, listen, NULL);
    return 0;
}

static int tear_down(void **state)
{
    unlink(file);
    return drop_context(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost),         cmocka_unit_test(test_the_best_weights_are_kept),
        cmocka_unit_test(test_checkpoints_go_on),       cmocka_unit_test(test_what_is_not_known_is_told),
        cmocka_unit_test(test_numbers_that_json_lacks), cmocka_unit_test(test_no_epoch_left),
    };
    return cmocka_run_group_tests_name("resume", tests, set_up, tear_down);
}
