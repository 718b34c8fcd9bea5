/* Manual pages and completions: they parse, and name every command and every option that --help does. */
#include "command.h"
#include "convoy/version.h"

/* ---- what --help names ---- */

typedef void (*visitor)(const char *command, const char *option);

/* Calls `visit` for each "--option" that a line of `help` begins with; returns how many. */
static int each_option(const char *command, const char *help, visitor visit)
{
    char name[64];
    int count = 0;
    for (const char *line = help; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL)
        if (strncmp(line, "  ", 2) == 0 && strncmp(line + 6, "--", 2) == 0 && sscanf(line + 6, "--%63[a-z0-9-]", name) == 1) {
            visit(command, name);
            count++;
        }
    return count;
}

/* Visits every option of every command; each command has --help and one more at least. */
static void each_command(visitor visit)
{
    char name[32];
    int commands = 0;
    shell("convoy --help");
    char *all = strdup(strstr(last.out, "\nCommands:\n") + strlen("\nCommands:\n"));
    for (char *line = all; *line == ' '; line = strchr(line, '\n') + 1, commands++) {
        assert_int_equal(sscanf(line, " %31[a-z]", name), 1);
        shell("convoy %s --help", name);
        assert_int_equal(last.code, 0);
        char *help = strdup(last.out);
        assert_true(each_option(name, help, visit) >= 2);
        free(help);
    }
    assert_true(commands >= 11);
    free(all);
}

static void expect_file_has(const char *file, const char *format, const char *a, const char *b)
{
    char path[512], what[256];
    snprintf(path, sizeof path, "%s/%s", TEST_MANUAL, file);
    snprintf(what, sizeof what, format, a, b);
    char *text = slurp(path);
    expect_text(text, what);
    free(text);
}

/* ---- manual pages ---- */

static void page_has(const char *command, const char *option)
{
    char file[64], escaped[128] = "\\fB\\-\\-";
    size_t used = strlen(escaped);
    for (const char *c = option; *c != '\0'; c++)
        used += (size_t)snprintf(escaped + used, sizeof escaped - used, *c == '-' ? "\\-" : "%c", *c);
    snprintf(file, sizeof file, "convoy-%s.1", command);
    expect_file_has(file, "%s\\fR", escaped, NULL);
    expect_file_has("convoy.1", "convoy\\-%s (1)", command, NULL);
}

static void test_pages(void **state)
{
    (void)state;
    each_command(page_has);
    shell("command -v groff");
    if (last.code != 0) {
        print_message("no groff here: the manual pages were not formatted\n");
        skip();
    }
    shell("for page in '%s'/*.1; do groff -ww -man -Tutf8 -z \"$page\" || exit 1; done", TEST_MANUAL);
    assert_int_equal(last.code, 0);
    assert_string_equal(last.err, "");
    shell("LC_ALL=C.UTF-8 groff -man -Tutf8 -P-c -P-b -P-u -P-o '%s/convoy-train.1'", TEST_MANUAL);
    expect_text(last.out, "convoy-train - train a model, test it and save it");
    expect_text(last.out, "-o, --output FILE.keras");
    expect_text(last.out, "'adamw(weight_decay=0.01,");
}

/* ---- completions ---- */

static void completions_have(const char *command, const char *option)
{
    (void)command;
    expect_file_has("convoy.bash", "--%s", option, NULL);
    expect_file_has("_convoy", "--%s", option, NULL);
    expect_file_has("convoy.fish", "__fish_seen_subcommand_from %s' -l %s ", command, option);
}

static void test_completions(void **state)
{
    static const char *const shells[][2] = {{"bash", "convoy.bash"}, {"zsh", "_convoy"}, {"fish", "convoy.fish"}};
    (void)state;
    each_command(completions_have);
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        shell("command -v %s", shells[i][0]);
        if (last.code != 0) {
            print_message("no %s here: its completion was not read\n", shells[i][0]);
            continue;
        }
        shell("%s -n '%s/%s'", shells[i][0], TEST_MANUAL, shells[i][1]);
        assert_int_equal(last.code, 0);
        assert_string_equal(last.err, "");
    }
}

/* What bash offers for the last of `words`. */
static void complete(const char *words, const char *expected)
{
    shell("bash -c '. \"%s/convoy.bash\"; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _convoy; echo \"${COMPREPLY[*]}\"'",
          TEST_MANUAL, words);
    assert_int_equal(last.code, 0);
    assert_string_equal(last.err, "");
    assert_string_equal(last.out, expected);
}

static void test_bash(void **state)
{
    (void)state;
    shell("command -v bash");
    if (last.code != 0) {
        print_message("no bash here: its completion was not tried\n");
        skip();
    }
    complete("convoy ev", "evaluate\n");
    complete("convoy train m.json --gemm \"\"", "clblast builtin\n");
    complete("convoy train m.json --gemm =", "clblast builtin\n");
    complete("convoy train m.json --gemm = bu", "builtin\n");
    complete("convoy train m.json --epo", "--epochs\n");
    complete("convoy train m.json --epochs \"\"", "\n");
    complete("convoy train m.js", "m.json\n");
    complete("convoy help tr", "train\n");
    complete("convoy nothing --e", "\n");
}

static void test_forms(void **state)
{
    (void)state;
    expect_file_has("convoy.1", "\"Convoy %s\"", convoy_version(), NULL);
    expect_file_has("convoy-train.1", "\"Convoy %s\"", convoy_version(), NULL);
    shell("convoy train --help=html");
    expect_failure(2, "--help 'html': expected json, or no value");
    shell("convoy train --help=json");
    assert_int_equal(last.code, 0);
    expect_text(last.out, "\"may_lack_value\": true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_completions),
        cmocka_unit_test(test_bash),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests_name("manual", tests, make_folder, remove_folder);
}
