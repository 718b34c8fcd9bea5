/* convoy train and evaluate, run as their users run them: results, progress and Ctrl-C. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>

#include "command.h"

/* ---- training ---- */

static double number(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("%s is not a number in:\n%s", key, last.out);
    return json_number_value(value);
}

static json_t *result(void)
{
    json_error_t where;
    expect_success();
    json_t *all = json_loads(last.out, 0, &where);
    if (all == NULL)
        fail_msg("not JSON: %s:\n%s", where.text, last.out);
    return all;
}

static void test_train_json(void **state)
{
    (void)state;
    shell("convoy train m.json --data sample --epochs 2 --batch-size 64 --validation test --json -o a.keras");
    json_t *all = result(), *epochs = json_object_get(all, "epochs"), *test = json_object_get(all, "test"), *second;
    assert_int_equal(json_object_size(all), 7);
    assert_true(json_is_string(json_object_get(all, "device")));
    assert_true(number(all, "first_step_seconds") > 0);
    assert_true(number(all, "peak_device_bytes") > 1000 * 3072); /* the images at least */
    assert_true(number(all, "peak_host_bytes") > 1000 * 3072);
    assert_int_equal(json_array_size(epochs), 2);
    second = json_array_get(epochs, 1);
    assert_int_equal(json_object_size(second), 7);
    assert_int_equal(number(second, "epoch"), 2);
    assert_true(number(second, "loss") > 0);
    assert_true(number(second, "seconds") > 0);
    assert_true(number(second, "images_per_second") > 0);
    assert_int_equal(json_object_size(test), 2);
    /* The validation after the last epoch and the test see the same images and the same weights. */
    assert_true(number(second, "val_loss") == number(test, "loss"));
    assert_true(number(second, "val_accuracy") == number(test, "accuracy"));

    shell("convoy evaluate a.keras --data sample --batch-size 64 --json");
    json_t *again = result();
    assert_true(number(again, "loss") == number(test, "loss"));
    assert_true(number(again, "accuracy") == number(test, "accuracy"));
    assert_int_equal(number(again, "images"), 300);
    json_decref(again);
    json_decref(all);

    shell("convoy evaluate a.keras --data sample --part train --scale 225");
    expect_success();
    expect_text(last.out, "train accuracy 0.");
    expect_text(last.out, "(1000 images)");
}

static void test_seed_decides(void **state)
{
    (void)state;
    double loss[4];
    static const char *const options[4] = {"", "--seed 1", "--seed 2", "--seed 1 --no-shuffle"};
    for (int i = 0; i < 4; i++) {
        shell("convoy train m.json --data t --json %s", options[i]);
        json_t *all = result();
        json_t *epoch = json_array_get(json_object_get(all, "epochs"), 0);
        assert_true(json_is_null(json_object_get(epoch, "val_loss")));
        loss[i] = number(json_object_get(all, "test"), "loss");
        expect_text(last.err, i == 2 ? "seed: 2\n" : "seed: 1\n");
        json_decref(all);
    }
    assert_true(loss[0] == loss[1]);
    assert_true(loss[1] != loss[2]);
    assert_true(loss[1] != loss[3]);
}

static void test_a_keras_file_goes_on(void **state)
{
    (void)state;
    double before, after;
    shell("convoy train m.json --data t --json --epochs 3 -o b.keras");
    json_t *all = result();
    before = number(json_array_get(json_object_get(all, "epochs"), 0), "loss");
    json_decref(all);
    shell("convoy train b.keras --data t --json -o b.keras");
    all = result();
    after = number(json_array_get(json_object_get(all, "epochs"), 0), "loss");
    json_decref(all);
    assert_true(after < before);
}

/* Its logits are what the loss takes: nothing is to be said, and the flag changes nothing. */
static void test_softmax_is_known(void **state)
{
    (void)state;
    write_file("p.json", MODEL(FLATTEN ",{\"class_name\":\"Dense\",\"config\":{\"units\":10,\"activation\":\"softmax\"}}"));
    shell("convoy train p.json --data t -o p.keras");
    expect_success();
    expect_no_text(last.err, "probabilities");
    shell("convoy train p.json --data t --from-probabilities --epochs 3 --json -o p.keras");
    json_t *all = result(), *epochs = json_object_get(all, "epochs");
    expect_no_text(last.err, "from-probabilities");
    assert_true(number(json_array_get(epochs, 2), "loss") < number(json_array_get(epochs, 0), "loss"));
    json_decref(all);
}

static void test_plain_progress(void **state)
{
    (void)state;
    shell("convoy train m.json --data t --epochs 2 --validation-split 0.25 -o c.keras");
    expect_success();
    expect_text(last.err, "device: ");
    expect_text(last.err, "Epoch 1/2 - 5/5 - "); /* 150 images in batches of 32 */
    expect_text(last.err, "Epoch 2/2 - 5/5 - ");
    expect_text(last.err, "/step - accuracy: ");
    expect_text(last.err, " - val_accuracy: ");
    expect_no_text(last.err, "\r");
    expect_no_text(last.err, "\x1b");
    expect_text(last.out, "test accuracy 0.");
    expect_text(last.out, "saved c.keras\n");
    shell("convoy train m.json --data t --quiet");
    expect_success();
    expect_no_text(last.err, "Epoch");
    expect_no_text(last.err, "device");
}

/* What is drawn over again, a text that ends in \r without \n, must not break into a second line. */
static void expect_redraws_within(const char *text, size_t columns)
{
    size_t seen = 0;
    for (const char *at = strchr(text, '\r'); at != NULL; at = strchr(at, '\r')) {
        size_t length = strcspn(++at, "\r\n");
        bool redrawn = at[length] == '\r' && at[length + 1] != '\n';
        seen += redrawn && length > 0;
        if (redrawn && length > columns)
            fail_msg("%zu columns of %zu: %.*s", length, columns, (int)length, at);
    }
    assert_true(seen > 0);
}

static void test_terminal_progress(void **state)
{
    (void)state;
    const char *line = "script -qec \"'%s' train m.json --data sample --epochs 2\" /dev/null";
    char command[512];
    shell("script -qec true /dev/null");
    if (last.code != 0)
        skip(); /* no pseudo-terminals here */
    snprintf(command, sizeof command, line, TEST_COMMAND);
    shell("unset NO_COLOR; LC_ALL=C.UTF-8 TERM=xterm %s", command);
    expect_success();
    expect_text(last.out, "Epoch 1/2\r\n");
    expect_text(last.out, "\r\x1b[1m32/32\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m");
    shell("LC_ALL=C.UTF-8 NO_COLOR=1 TERM=xterm %s", command);
    expect_text(last.out, "\r32/32 ━━━━━━━━━━━━━━━━━━━━ ");
    expect_no_text(last.out, "\x1b");
    shell("LC_ALL=C NO_COLOR=1 TERM=xterm %s", command);
    expect_text(last.out, "\r32/32 ==================== ");
    shell("TERM=dumb %s", command);
    expect_text(last.out, "Epoch 2/2 - 32/32 - ");
    for (int columns = 20; columns <= 60; columns += 20) {
        shell("COLUMNS=%d LC_ALL=C NO_COLOR=1 TERM=xterm %s", columns, command);
        expect_redraws_within(last.out, (size_t)columns - 1);
    }
}

/* ---- Ctrl-C ---- */

/* Starts the command with its messages going to a pipe. */
static pid_t start(const char *const *words, FILE **messages)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        execv(TEST_COMMAND, (char *const *)(uintptr_t)words);
        _exit(127);
    }
    close(ends[1]);
    *messages = fdopen(ends[0], "r");
    assert_non_null(*messages);
    return child;
}

static void test_interrupt_saves(void **state)
{
    (void)state;
    static const char *const words[] = {"convoy",   "train", "m.json", "--data",        "t",
                                        "--epochs", "100000", "-o",    "it's so.keras", "--csv-log", "on.csv",
                                        "--learning-rate", "0.002", NULL};
    char line[512], all[8192] = "", resume[512] = "";
    FILE *messages;
    int status;
    bool sent = false;
    pid_t child = start(words, &messages);
    while (fgets(line, sizeof line, messages) != NULL) {
        if (!sent && strncmp(line, "Epoch 2/", 8) == 0)
            sent = kill(child, SIGINT) == 0;
        if (strncmp(line, "Epoch", 5) != 0 && strlen(all) + strlen(line) < sizeof all)
            strcat(all, line);
        if (strncmp(line, "To go on: ", 10) == 0)
            snprintf(resume, sizeof resume, "%.*s", (int)strcspn(line + 10, "\n"), line + 10);
    }
    fclose(messages);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(sent);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    expect_text(all, "interrupted in epoch ");
    expect_text(resume, "convoy train 'it'\\''s so.keras' --data t --output 'it'\\''s so.keras' --epochs 100000 --initial-epoch ");
    assert_int_equal(access("it's so.keras", F_OK), 0);
    expect_text(resume, " --csv-log on.csv --csv-append");
    expect_no_text(resume, "--learning-rate"); /* the file has it, as it is by now */
    int done = atoi(strstr(resume, "--initial-epoch ") + strlen("--initial-epoch "));
    assert_true(done >= 2);
    shell("%s --epochs %d", resume, done + 1); /* what it says works; the last --epochs counts */
    expect_success();
    snprintf(line, sizeof line, "Epoch %d/%d - ", done + 1, done + 1);
    expect_text(last.err, line);
    expect_text(last.out, "saved it's so.keras");
    int count = 0;
    FILE *log = fopen("on.csv", "r"); /* one header, and each epoch once */
    assert_non_null(log);
    for (; fgets(line, sizeof line, log) != NULL; count++)
        assert_true(count == 0 ? strncmp(line, "epoch,", 6) == 0 : atoi(line) == count - 1);
    fclose(log);
    assert_int_equal(count, done + 2);
}

/* ---- optimizers and callbacks ---- */

static int lines_of(const char *path)
{
    char line[512];
    int count = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        count++;
    fclose(file);
    return count;
}

static void test_callbacks(void **state)
{
    (void)state;
    shell("convoy train m.json --data t --optimizer 'rmsprop(centered=True)' --validation test --epochs 9 "
          "--early-stopping min_delta=100,patience=2 --checkpoint 'c/it'\\''s {epoch:02d}.keras' --csv-log log.csv "
          "--tensorboard tb --reduce-lr --monitor loss -o r.keras");
    expect_success();
    expect_text(last.err, "convoy: epoch 3: early stopping\n");
    expect_text(last.err, "Epoch 3/9 - ");
    expect_no_text(last.err, "Epoch 4/9");
    for (int epoch = 1; epoch <= 4; epoch++) {
        char path[64];
        snprintf(path, sizeof path, "c/it's %02d.keras", epoch);
        assert_int_equal(access(path, F_OK), epoch <= 3 ? 0 : -1);
    }
    assert_int_equal(lines_of("log.csv"), 4);
    assert_int_equal(access("tb/train", F_OK) + access("tb/validation", F_OK), 0);
    /* The file's own optimizer goes on; the log grows. */
    shell("convoy train r.keras --data t --csv-log log.csv --csv-append --early-stopping -o r.keras");
    expect_success();
    assert_int_equal(lines_of("log.csv"), 5);
    shell("convoy train m.json --data t --learning-rate-schedule 'ExponentialDecay(initial_learning_rate=3e38, "
          "decay_steps=9, decay_rate=1)' --optimizer sgd --terminate-on-nan --epochs 50");
    expect_success();
    expect_text(last.err, "the loss is not finite in epoch ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_json),
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_a_keras_file_goes_on),
        cmocka_unit_test(test_softmax_is_known),
        cmocka_unit_test(test_plain_progress),
        cmocka_unit_test(test_terminal_progress),
        cmocka_unit_test(test_interrupt_saves),
        cmocka_unit_test(test_callbacks),
    };
    return cmocka_run_group_tests_name("cli_train", tests, make_folder, remove_folder);
}
