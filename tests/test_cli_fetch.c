/* convoy fetch, run as its users run it, and where --data NAME looks. */
#include "config.h"

#include "command.h"
#include "convoy/dataset.h"

#define expect_message expect_error_message /* of the library; here the command's own words are looked at */
#include "fetch_help.h"

static int set_up(void **state)
{
    char path[PATH_MAX];
    if (make_folder(state) != 0 || start_server(state) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/share", folder);
    setenv("XDG_DATA_HOME", path, 1);
    snprintf(path, sizeof path, "%s/keras", folder);
    setenv("KERAS_HOME", path, 1);
    return 0;
}

static int tear_down(void **state)
{
    int code = stop_server(state);
    return remove_folder(state) == 0 ? code : -1;
}

/* All of CIFAR-10's files, as large as the real ones; holes take no room. */
static void make_cifar10(const char *where)
{
    shell("mkdir -p %s && cd %s && echo ten names > batches.meta.txt && "
          "truncate -s 30730000 data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin "
          "test_batch.bin",
          where, where);
    expect_success();
}

static void test_wrong_usage(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"convoy fetch", "a NAME is missing; 'convoy fetch --list' names the data sets"},
        {"convoy fetch cifr10", "unknown data set 'cifr10'; did you mean 'cifar10'?"},
        {"convoy fetch imagenet", "unknown data set 'imagenet'; 'convoy fetch --list' names them"},
        {"convoy fetch --list mnist", "--list takes no NAME"},
        {"convoy fetch mnist cifar10", "unexpected argument 'cifar10'"},
        {"convoy fetch mnist --miror x", "did you mean '--mirror'?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        shell("%s", rows[i].line);
        expect_failure(2, rows[i].message);
    }
}

static void test_list(void **state)
{
    (void)state;
    static const char *const names[] = {"cifar10", "cifar100", "mnist", "fashion-mnist"};
    shell("convoy fetch --list");
    expect_success();
    assert_string_equal(last.err, "");
    for (size_t i = 0; i < 4; i++)
        expect_text(last.out, names[i]);
    expect_text(last.out, "170.1 MB from https://www.cs.toronto.edu/~kriz/");
    expect_text(last.out, "/share/convoy/mnist");
    expect_no_text(last.out, "    here: ");
    make_cifar10("share/convoy/cifar10");
    shell("convoy fetch --list");
    expect_text(last.out, "    here: ");
    shell("convoy fetch --list --json | %s -c 'import json, sys; print(*[(s[\"name\"], s[\"bytes\"], s[\"here\"]) "
          "for s in json.load(sys.stdin)[\"datasets\"]])'",
          TEST_PYTHON);
    expect_success();
    assert_string_equal(last.out, "('cifar10', 170052171, True) ('cifar100', 168513733, False) ('mnist', 11594722, "
                                  "False) ('fashion-mnist', 30878645, False)\n");
    shell("rm -r share");
}

/* ---- where --data NAME looks ---- */

static void test_places(void **state)
{
    (void)state;
    const char *line = "convoy train m.json --data cifar10";
    const char *fill = "mkdir -p %s && cp t %s/data_batch_1.bin && cp t %s/test_batch.bin";
    shell("%s", line);
    expect_failure(1, "cifar10: the data set is not here: looked in ");
    expect_text(last.err, "/share/convoy/cifar10, ");
    expect_text(last.err, "/keras/datasets/cifar-10-batches-py-target/cifar-10-batches-py, ");
    expect_text(last.err, "; `convoy fetch cifar10` gets it");
    /* Each place goes before the ones filled so far. */
    static const char *const places[] = {"keras/datasets/cifar-10-batches-py",
                                         "keras/datasets/cifar-10-batches-py-target/cifar-10-batches-py",
                                         "share/convoy/cifar10", "cifar10"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char expected[PATH_MAX];
        char *script = malloc(1024);
        snprintf(script, 1024, fill, places[i], places[i], places[i]);
        shell("%s", script);
        free(script);
        expect_success();
        shell("%s", line);
        expect_success();
        snprintf(expected, sizeof expected, i == 3 ? "data: ./%.0s%s\n" : "data: %s/%s\n", folder, places[i]);
        expect_text(last.err, expected);
    }
    shell("%s --quiet", line);
    expect_no_text(last.err, "data: ");
    char path[CONVOY_PATH_SIZE];
    shell("mkdir -p keras/datasets/fashion-mnist && : > keras/datasets/mnist.npz");
    assert_int_equal(convoy_dataset_locate("mnist", path, NULL), CONVOY_OK);
    assert_non_null(strstr(path, "/keras/datasets/mnist.npz"));
    assert_int_equal(convoy_dataset_locate("fashion-mnist", path, NULL), CONVOY_OK);
    assert_non_null(strstr(path, "/keras/datasets/fashion-mnist"));
    assert_int_equal(convoy_dataset_locate("any/path", path, NULL), CONVOY_OK);
    assert_string_equal(path, "any/path");
    shell("convoy train m.json --data t");
    expect_no_text(last.err, "data: "); /* a path says it itself */
    shell("rm -r share keras cifar10; HOME=$PWD/home; unset XDG_DATA_HOME KERAS_HOME; export HOME; %s", line);
    expect_failure(1, "/home/.local/share/convoy/cifar10, ");
    expect_text(last.err, "/home/.keras/datasets/cifar-10-batches-py;");
    shell("unset XDG_DATA_HOME HOME; %s", line);
    expect_failure(1, "neither XDG_DATA_HOME nor HOME");
}

#ifdef HAVE_FETCH

/* ---- fetching: the command knows the real data sets only, which the server does not have ---- */

static void test_here_already(void **state)
{
    (void)state;
    make_cifar10("there/cifar10");
    shell("convoy fetch cifar10 -o there");
    expect_success();
    assert_string_equal(last.out, "cifar10: there/cifar10\n");
    expect_text(last.err, "convoy: cifar10 was here already; --force fetches it again");
    shell("convoy fetch cifar10 -o there --json");
    expect_success();
    expect_text(last.out, "\"path\": \"there/cifar10\"");
    expect_text(last.out, "\"was_here\": true");
    assert_string_equal(last.err, "");
    shell("convoy fetch cifar10 -o there --force --mirror http://127.0.0.1:%d/gone", server.port);
    expect_failure(1, "404");
    assert_true(file_exists("there/cifar10/test_batch.bin"));
}

static void test_failures(void **state)
{
    (void)state;
    shell("convoy fetch mnist --mirror 127.0.0.1:%d", server.port);
    expect_failure(2, "an address that begins with http://, https:// or file:// is expected");
    shell("convoy fetch mnist -o no --mirror http://127.0.0.1:%d/gone", server.port);
    expect_failure(1, "/gone/train-images-idx3-ubyte.gz: can't download: The requested URL returned error: 404");
    assert_int_equal(entries("no"), 0);
    /* As long as the real file, but nothing but zeros. */
    shell("convoy fetch mnist -o no --mirror http://127.0.0.1:%d/plain", server.port);
    expect_failure(1, "not the file that was published: it has the digest md5:");
    expect_text(last.err, "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873 is expected");
    /* How many lines come before, the net tells. */
    expect_text(last.err, "train-images-idx3-ubyte.gz: 100% (9.9/9.9 MB)\n");
    assert_int_equal(entries("no"), 0);
    shell("convoy fetch mnist -q -o no --mirror http://127.0.0.1:%d/plain", server.port);
    expect_failure(1, "not the file that was published");
    expect_no_text(last.err, "%");
}

static void test_progress_on_a_terminal(void **state)
{
    (void)state;
    shell("script -qec true /dev/null");
    if (last.code != 0) {
        print_message("[  SKIP  ] test_progress_on_a_terminal: no program script here\n");
        skip();
    }
    shell("TERM=xterm script -qec \"'%s' fetch mnist -o no --mirror http://127.0.0.1:%d/slow\" /dev/null", TEST_COMMAND,
          server.port);
    expect_text(last.out, "\rtrain-images-idx3-ubyte.gz ");
    expect_text(last.out, "/9.9 MB - ");
    expect_text(last.out, "9.9/9.9 MB - ");
    expect_text(last.out, "\nconvoy: "); /* the message has a line of its own */
}

/* The command's process, its messages in the file `said`. */
static pid_t start_fetching(const char *mirror)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        if (freopen("said", "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)
            _exit(126);
        execl(TEST_COMMAND, "convoy", "fetch", "mnist", "-o", "it's there", "--mirror", mirror, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void test_interrupt_keeps_and_says_how_to_go_on(void **state)
{
    (void)state;
    const char *partial = "it's there/mnist.part/train-images-idx3-ubyte.gz";
    char mirror[64], expected[160];
    int status;
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/slow", server.port);
    pid_t child = start_fetching(mirror);
    for (int i = 0; i < 1000 && size_of(partial) <= 0; i++)
        usleep(10000);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    long kept = size_of(partial);
    assert_uint_in_range(kept, 1, 9912421);
    char *said = slurp("said");
    snprintf(expected, sizeof expected, "interrupted; %ld of 9912422 bytes are kept in it's there/mnist.part/", kept);
    expect_text(said, expected);
    snprintf(expected, sizeof expected, "To go on: convoy fetch mnist --output 'it'\\''s there' --mirror %s\n", mirror);
    expect_text(said, expected);
    free(said);
    /* What it says works, up to the digest of what this server has; a mixture gets a second chance. */
    shell("convoy fetch mnist --output 'it'\\''s there' --mirror http://127.0.0.1:%d/plain", server.port);
    expect_failure(1, "not the file that was published");
    expect_text(last.err, "the pieces do not make the file that was published");
}

#else

static void test_says_what_to_install(void **state)
{
    (void)state;
    shell("convoy fetch mnist");
    expect_failure(1, "install libcurl4-openssl-dev, libssl-dev and libarchive-dev");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_places),
#ifdef HAVE_FETCH
        cmocka_unit_test(test_here_already),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_progress_on_a_terminal),
        cmocka_unit_test(test_interrupt_keeps_and_says_how_to_go_on),
#else
        cmocka_unit_test(test_says_what_to_install),
#endif
    };
    return cmocka_run_group_tests_name("cli_fetch", tests, set_up, tear_down);
}
