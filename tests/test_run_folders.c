/* The folders that a recorded run takes, refuses, leaves and loses. */
#include "run_help.h"

static char message[512];

static void expect_refusal(const char *name, convoy_status status, const char *part)
{
    convoy_error err = {0};
    convoy_run *run = NULL;
    convoy_model *m = fresh();
    int mark = 0;
    convoy_fit_options fit = {.user = &mark};
    refused(convoy_run_create(&(convoy_run_options){.folder = name}, ctx, m, data, &fit, &run, &err), status, &err, part);
    assert_null(run);
    assert_ptr_equal(fit.user, &mark);
    assert_null(fit.on_epoch);
    convoy_model_destroy(m);
}

static void put(const char *path, const char *text)
{
    convoy_error err = {0};
    must(file_write(path, text, strlen(text), &err), &err);
}

static void test_refused_folders(void **state)
{
    (void)state;
    char *kept;
    assert_int_equal(mkdir(path_of("full"), 0777), 0);
    put(path_of("full/run.json"), "mine");
    expect_refusal(path_of("full"), CONVOY_ERROR_FILE, "full: is not empty ('run.json' is in it)");
    kept = slurp(path_of("full"), "run.json");
    assert_string_equal(kept, "mine");
    free(kept);
    put(path_of("file"), "");
    expect_refusal(path_of("file"), CONVOY_ERROR_FILE, "file: is there and is not a folder");
    expect_refusal(path_of("file/run"), CONVOY_ERROR_FILE, "file/run: can't open the folder");
    expect_refusal("/proc/no such folder", CONVOY_ERROR_FILE, "/proc/no such folder: can't make the folder");
    expect_refusal(NULL, CONVOY_ERROR_ARGUMENT, "a run needs a folder");
    expect_refusal("", CONVOY_ERROR_ARGUMENT, "a run needs a folder");
    assert_int_equal(mkdir(path_of("closed"), 0555), 0);
    if (geteuid() != 0) /* who may write everywhere */
        expect_refusal(path_of("closed"), CONVOY_ERROR_FILE, "closed/history.csv: can't write there");
}

static void test_bad_options_make_no_folder(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_run *run = NULL;
    convoy_model *m = fresh();
    convoy_fit_options fit = {.optimizer = "adamm"};
    refused(convoy_run_create(&(convoy_run_options){.folder = path_of("never")}, ctx, m, data, &fit, &run, &err),
            CONVOY_ERROR_ARGUMENT, &err, "optimizer 'adamm' is not known");
    assert_int_not_equal(access(path_of("never"), F_OK), 0);
    convoy_model_destroy(m);
}

/* Training that did not begin leaves nothing: the same folder can be named again. */
static void test_nothing_is_left(void **state)
{
    (void)state;
    convoy_model *m = fresh();
    for (int i = 0; i < 2; i++) {
        convoy_fit_options fit = {0};
        if (i == 1)
            assert_int_equal(mkdir(path_of("void"), 0777), 0);
        convoy_run *run = begin(&(convoy_run_options){.folder = path_of("void")}, m, &fit);
        assert_int_equal(access(path_of("void/run.json"), F_OK), 0);
        convoy_run_destroy(run);
        assert_int_not_equal(access(path_of("void/run.json"), F_OK), 0);
        assert_int_equal(access(path_of("void"), F_OK) == 0, i == 1); /* a folder that was there stays */
    }
    convoy_run_destroy(NULL);
    convoy_model_destroy(m);
}

/* Of the folder; a busy machine may also tell that it builds kernels. */
static void keep_message(void *user, const char *text)
{
    if (strstr(text, "lost/") == NULL)
        return;
    snprintf(message, sizeof message, "%s", text);
    ++*(int *)user;
}

static int lose_folder(void *user, const convoy_epoch *epoch)
{
    char command[128];
    (void)user;
    snprintf(command, sizeof command, "rm -rf '%s'", path_of("lost"));
    return epoch->epoch == 1 && system(command) != 0;
}

/* The folder vanishes in training: that is told once, training goes on, and the end fails. */
static void test_lost_folder(void **state)
{
    (void)state;
    convoy_error err = {0};
    int told = 0;
    convoy_model *m = fresh();
    convoy_fit_options fit = {.epochs = 4, .batch_size = BATCH, .on_epoch = lose_folder};
    convoy_run *run = begin(&(convoy_run_options){.folder = path_of("lost")}, m, &fit);
    convoy_context_on_message(ctx, keep_message, &told);
    must(convoy_fit(ctx, m, data, &fit, NULL, &err), &err);
    convoy_context_on_message(ctx, NULL, NULL);
    assert_int_equal(told, 1);
    assert_non_null(strstr(message, "lost/history.csv: can't write there"));
    assert_non_null(strstr(message, "; training goes on"));
    refused(convoy_run_save(run, NULL, &err), CONVOY_ERROR_FILE, &err, "lost/model.keras");
    convoy_run_destroy(run);
    convoy_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_folders),
        cmocka_unit_test(test_bad_options_make_no_folder),
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_lost_folder),
    };
    return cmocka_run_group_tests_name("run_folders", tests, start, end);
}
