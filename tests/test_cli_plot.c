/* convoy train --plot, run as its users run it: where the picture goes, how wide it is, its characters and colours. */
#include <jansson.h>

#include "command.h"

/* The longest line of the pictures in columns: bytes that go on a UTF-8 character do not count. */
static size_t widest(const char *text)
{
    size_t most = 0, now = 0;
    const char *end = strstr(text, "test accuracy");
    assert_non_null(end);
    for (text = strstr(text, "loss by epoch"); text < end; text++) {
        now = *text == '\n' ? 0 : now + (((unsigned char)*text & 0xC0) != 0x80);
        most = now > most ? now : most;
    }
    return most;
}

#define THREE "convoy train m.json --data t --epochs 3 --validation test --plot -q"

static void test_plain(void **state)
{
    (void)state;
    shell("export LC_ALL=C; " THREE);
    expect_success();
    assert_memory_equal(last.out, "loss by epoch\n", 14);
    expect_text(last.out, "\n\naccuracy by epoch\n");
    expect_text(last.out, " * training  o validation\n");
    expect_text(last.out, "\n\ntest accuracy 0."); /* the result is the last line */
    expect_no_text(last.out, "\x1b");
    assert_int_equal(widest(last.out), 80);
    for (const char *c = last.out; *c != '\0'; c++)
        assert_true((unsigned char)*c < 0x80);
    shell("export LC_ALL=C.UTF-8 COLUMNS=40; " THREE);
    expect_success();
    expect_text(last.out, " ⠤⠤ training  ⠄⠄ validation\n");
    expect_no_text(last.out, "\x1b");
    assert_int_equal(widest(last.out), 40);
    shell("convoy train m.json --data t -q"); /* unasked, none */
    expect_no_text(last.out, "by epoch");
}

static void test_json(void **state)
{
    (void)state;
    shell("export LC_ALL=C; " THREE " --json");
    expect_success();
    json_t *all = json_loads(last.out, 0, NULL); /* nothing but the object */
    assert_non_null(all);
    json_decref(all);
    expect_text(last.err, "loss by epoch\n");
    expect_text(last.err, "accuracy by epoch\n");
}

static void test_odd_runs(void **state)
{
    (void)state;
    shell("export LC_ALL=C; convoy train m.json --data t --plot -q"); /* one epoch, no validation */
    expect_success();
    expect_text(last.out, "|*\n");
    expect_text(last.out, " * training\n");
    shell("export LC_ALL=C; convoy train m.json --data t --plot -q --epochs 50 --terminate-on-nan --optimizer sgd "
          "--learning-rate 3e38");
    expect_success();
    expect_text(last.out, "  training: 1 of ");
    expect_text(last.out, " not finite\n");
}

static void test_terminal(void **state)
{
    (void)state;
    char command[512];
    shell("script -qec true /dev/null");
    if (last.code != 0)
        skip(); /* no pseudo-terminals here */
    snprintf(command, sizeof command,
             "script -qec \"stty cols 50; '%s' train m.json --data t --epochs 3 --validation test --plot -q\" /dev/null",
             TEST_COMMAND);
    shell("unset NO_COLOR; LC_ALL=C.UTF-8 TERM=xterm %s", command);
    expect_success();
    expect_text(last.out, "\x1b[36m⠤⠤\x1b[0m training  \x1b[33m⠄⠄\x1b[0m validation\r\n");
    shell("LC_ALL=C.UTF-8 NO_COLOR=1 TERM=xterm %s", command);
    expect_text(last.out, " ⠤⠤ training  ⠄⠄ validation\r\n");
    expect_no_text(last.out, "\x1b");
    assert_int_equal(widest(last.out), 50 + 1); /* and the terminal's \r */
    shell("TERM=dumb LC_ALL=C %s", command);
    expect_text(last.out, " * training  o validation\r\n");
    expect_no_text(last.out, "\x1b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_odd_runs),
        cmocka_unit_test(test_terminal),
    };
    return cmocka_run_group_tests_name("cli_plot", tests, make_folder, remove_folder);
}
