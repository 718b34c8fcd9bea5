/* convoy train --run, run as its users run it: what is in the folder, what is refused, and what an interruption leaves. */
#include <jansson.h>
#include <signal.h>

#include "command.h"

static json_t *parse(const char *path)
{
    json_error_t where;
    char *text = slurp(path);
    json_t *root = json_loads(text, 0, &where);
    if (root == NULL)
        fail_msg("%s, line %d: %s:\n%s", path, where.line, where.text, text);
    free(text);
    return root;
}

static json_t *get(json_t *root, const char *part, const char *key)
{
    json_t *value = json_object_get(part ? json_object_get(root, part) : root, key);
    if (value == NULL)
        fail_msg("there is no %s in %s", key, part ? part : "the root");
    return value;
}

static double number(json_t *root, const char *part, const char *key) { return json_number_value(get(root, part, key)); }
static const char *text_at(json_t *root, const char *part, const char *key) { return json_string_value(get(root, part, key)); }

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

static void expect_words(json_t *list, const char *const *words)
{
    size_t i = 0;
    for (; words[i] != NULL; i++)
        assert_string_equal(json_string_value(json_array_get(list, i)), words[i]);
    assert_int_equal(json_array_size(list), i);
}

#define ODD "runs/it's \xc3\xbc & co"

static void test_whole(void **state)
{
    (void)state;
    static const char *const words[] = {"convoy", "train", "m.json", "--data", "sample", "--epochs", "2", "--batch-size", "64",
                                        "--validation", "test", "--test-scale", "225", "--early-stopping", "--run", ODD, "--json",
                                        NULL};
    shell("convoy train m.json --data sample --epochs 2 --batch-size 64 --validation test --test-scale 225 --early-stopping "
          "--run \"" ODD "\" --json");
    expect_success();
    expect_text(last.err, "measuring: the launches of a training step\n");
    json_t *printed = json_loads(last.out, 0, NULL), *run = parse(ODD "/run.json"), *launches = parse(ODD "/launches.json");
    assert_non_null(printed); /* and nothing else is on stdout */
    expect_words(get(run, NULL, "command"), words);
    assert_true(json_is_true(get(run, NULL, "finished")));
    assert_string_equal(text_at(run, NULL, "model"), "m.json");
    assert_string_equal(text_at(run, "data", "name"), "sample");
    assert_string_equal(text_at(run, "data", "validation"), "test");
    assert_int_equal(number(run, "data", "images"), 1000);
    assert_int_equal(number(run, "data", "validation_images"), 300);
    assert_int_equal(number(run, "data", "test_images"), 300);
    assert_int_equal(number(run, "data", "test_scale"), 225);
    assert_int_equal(json_array_size(get(run, "data", "class_names")), 10);
    assert_string_equal(json_string_value(json_array_get(get(run, "fit", "callbacks"), 0)), "EarlyStopping(verbose=1, )");
    assert_true(json_equal(get(run, "test", "loss"), get(printed, "test", "loss")));
    assert_true(json_equal(get(run, "test", "accuracy"), get(printed, "test", "accuracy")));
    for (size_t i = 0; i < 2; i++)
        assert_true(json_equal(json_array_get(get(run, "timings", "epoch_seconds"), i),
                               get(json_array_get(get(printed, NULL, "epochs"), i), NULL, "seconds")));
    /* Measured before anything else took memory. */
    assert_true(number(run, "timings", "device_bytes") <= number(printed, NULL, "peak_device_bytes"));
    assert_int_equal(number(launches, NULL, "batch"), 64);
    assert_true(json_array_size(get(launches, NULL, "launches")) > 5);
    json_decref(launches);
    json_decref(printed);

    char *history = slurp(ODD "/history.csv");
    expect_text(history, "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\r\n0,");
    expect_text(history, "\r\n1,");
    free(history);
    shell("convoy evaluate \"" ODD "/model.keras\" --data sample --batch-size 64 --scale 225 --json");
    expect_success();
    printed = json_loads(last.out, 0, NULL);
    assert_true(json_equal(get(run, "test", "loss"), get(printed, NULL, "loss")));
    json_decref(printed);
    json_decref(run);
}

static void test_no_profile(void **state)
{
    (void)state;
    shell("mkdir empty; convoy train m.json --data t --no-validation --validation test --run empty --no-profile -o o.keras");
    expect_success();
    expect_text(last.out, "saved o.keras\nthe run is in empty\n");
    expect_no_text(last.err, "measuring");
    assert_true(is_there("empty/model.keras") && is_there("empty/history.csv"));
    assert_false(is_there("empty/launches.json"));
    json_t *run = parse("empty/run.json");
    assert_true(json_is_null(get(run, "data", "validation")));
    assert_int_equal(number(run, "data", "validation_images"), 0);
    json_decref(run);
}

static void test_refused(void **state)
{
    (void)state;
    shell("convoy train m.json --data t --no-profile");
    expect_failure(2, "--no-profile goes with --run DIR");
    shell("mkdir full; : > 'full/a file'; convoy train m.json --data t --run full");
    expect_failure(1, "full: is not empty ('a file' is in it); a run needs a new folder, or an empty one");
    shell("convoy train m.json --data t --run t");
    expect_failure(1, "t: is there and is not a folder");
    shell("convoy train m.json --data t --run '/proc/a run'");
    expect_failure(1, "/proc/a run: can't make the folder");
    shell("convoy train m.json --data nothing --run never");
    expect_failure(1, "nothing");
    write_file("wide.json", MODEL(FLATTEN "," DENSE("3")));
    shell("convoy train wide.json --data t --run never"); /* found out when training begins */
    expect_failure(1, "the last layer must give one value a class");
    assert_false(is_there("never"));
    shell("convoy train m.json --data t --run ''");
    expect_failure(2, "--run: the value is empty");
}

/* ---- interruptions ---- */

/* Trains into `name` and sends the signal once the third epoch has begun; returns all that was said, to be freed. */
static char *interrupt(const char *name, int number, int *status)
{
    char line[512], *all = calloc(1, 1 << 16);
    int ends[2];
    bool sent = false;
    assert_non_null(all);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        execl(TEST_COMMAND, "convoy", "train", "m.json", "--data", "t", "--epochs", "100000", "--run", name, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *messages = fdopen(ends[0], "r");
    assert_non_null(messages);
    while (fgets(line, sizeof line, messages) != NULL) {
        if (!sent && strncmp(line, "Epoch 2/", 8) == 0)
            sent = kill(child, number) == 0;
        if (strncmp(line, "Epoch", 5) != 0 && strlen(all) + strlen(line) < 1 << 16)
            strcat(all, line);
    }
    fclose(messages);
    assert_int_equal(waitpid(child, status, 0), child);
    assert_true(sent);
    return all;
}

static void expect_epochs(const char *name, bool exact)
{
    char path[128], *history;
    snprintf(path, sizeof path, "%s/run.json", name);
    json_t *run = parse(path);
    size_t epochs = json_array_size(get(run, "timings", "epoch_seconds")), lines = 0;
    assert_true(json_is_false(get(run, NULL, "finished")));
    assert_true(json_is_null(get(run, NULL, "test")));
    assert_true(number(run, "timings", "first_step_seconds") > 0);
    snprintf(path, sizeof path, "%s/history.csv", name);
    history = slurp(path);
    for (const char *c = history; *c != '\0'; c++)
        lines += *c == '\n';
    assert_true(epochs >= 2);
    assert_true(lines == 1 + epochs || (!exact && lines == 2 + epochs)); /* killed between the one file and the other */
    free(history);
    json_decref(run);
}

static void test_ctrl_c(void **state)
{
    (void)state;
    int status;
    char *said = interrupt("cut 1", SIGINT, &status);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    expect_text(said, "the weights so far are in cut 1/model.keras\n");
    expect_epochs("cut 1", true);
    assert_true(is_there("cut 1/model.keras"));
    assert_false(is_there("cut 1/launches.json"));
    char *resume = strstr(said, "To go on: ");
    assert_non_null(resume);
    resume += strlen("To go on: ");
    resume[strcspn(resume, "\n")] = '\0';
    expect_text(resume, "convoy train 'cut 1/model.keras' --data t --epochs 100000 --initial-epoch ");
    expect_text(resume, " --run 'cut 1-2'");
    int done = atoi(strstr(resume, "--initial-epoch ") + strlen("--initial-epoch "));
    shell("%s --epochs %d", resume, done + 1); /* what it says works; the last --epochs counts */
    expect_success();
    assert_true(is_there("cut 1-2/model.keras"));
    char *before = slurp("cut 1/history.csv"), *all = slurp("cut 1-2/history.csv"), next[32];
    assert_memory_equal(all, before, strlen(before)); /* the history goes on */
    snprintf(next, sizeof next, "%d,", done);
    assert_memory_equal(all + strlen(before), next, strlen(next));
    free(before);
    free(all);
    free(said);
}

static void test_killed(void **state)
{
    (void)state;
    int status;
    char *said = interrupt("killed", SIGKILL, &status);
    assert_true(WIFSIGNALED(status));
    expect_epochs("killed", false);
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_no_profile), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ctrl_c), cmocka_unit_test(test_killed),
    };
    return cmocka_run_group_tests_name("cli_run", tests, make_folder, remove_folder);
}
