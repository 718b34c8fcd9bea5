/* Fetching against a server that breaks in every way we could think of. Prints a table of what was survived. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "config.h"
#include "fetch_help.h"

#ifdef HAVE_FETCH

/* ---- the table of faults ---- */

static const struct fault {
    const char *behaviour; /* see fetch_server.py */
    const char *what;
    convoy_status status;
    const char *message; /* part of it */
    int least, most;     /* requests */
} faults[] = {
    {"plain", "none", CONVOY_OK, "", 1, 1},
    {"redirect", "redirected", CONVOY_OK, "", 2, 2},
    {"cut", "the connection breaks after each quarter", CONVOY_OK, "", 4, 5},
    {"no_range", "can't resume, whole file at once", CONVOY_OK, "", 1, 1},
    {"cut_no_range", "the connection breaks, then no resuming", CONVOY_OK, "", 2, 2},
    {"ends_early", "no length told, every answer 1,000 bytes", CONVOY_ERROR_FILE, "the answer ended early", 3, 4},
    {"changes", "the file changes between two pieces", CONVOY_OK, "", 3, 3},
    {"bad_start", "resumes somewhere else than asked", CONVOY_OK, "", 3, 3},
    {"bad_total", "resumes a file of another size", CONVOY_OK, "", 3, 3},
    {"no_such_range", "says there is nothing to resume (416)", CONVOY_OK, "", 3, 3},
    {"busy", "503 twice", CONVOY_OK, "", 3, 3},
    {"stalls", "sends a third and then nothing", CONVOY_OK, "", 2, 2},
    {"slow", "slow but steady", CONVOY_OK, "", 1, 1},
    {"dead", "a header, then the connection breaks", CONVOY_ERROR_FILE, "3 tries in a row brought nothing new", 3, 3},
    {"hang_up", "hangs up without a word", CONVOY_ERROR_FILE, "3 tries in a row brought nothing new", 3, 6},
    {"long", "one byte too many", CONVOY_ERROR_FORMAT, "are expected", 1, 1},
    {"short", "one byte too few", CONVOY_ERROR_FORMAT, "are expected", 1, 1},
    {"endless", "no length told, never ends", CONVOY_ERROR_FORMAT, "it has more than the", 1, 1},
    {"nothing", "an empty file", CONVOY_ERROR_FORMAT, "it has 0 bytes", 1, 1},
    {"no_content", "204", CONVOY_ERROR_FILE, "answers 204", 1, 1},
    {"wrong", "right length, one wrong byte", CONVOY_ERROR_FORMAT, "it has the digest md5:", 1, 1},
    {"unasked_range", "a piece that nobody asked for", CONVOY_ERROR_FILE, "can't go on from byte 0", 3, 3},
    {"loop", "redirected for ever", CONVOY_ERROR_FILE, "redirect", 11, 11},
    {"to_file", "redirected to a local file", CONVOY_ERROR_FILE, "rotocol", 1, 1},
    {"error", "500 always", CONVOY_ERROR_FILE, "500", 3, 3},
    {"forbidden", "403", CONVOY_ERROR_FILE, "403", 1, 1},
    {"gone", "404", CONVOY_ERROR_FILE, "404; it is not there (any more)", 1, 1},
    {"login", "a login page instead", CONVOY_ERROR_FORMAT, "of type text/html", 1, 1},
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const struct fault *f = &faults[i];
        convoy_error err = {0};
        described d;
        make_place(NULL);
        describe(&d, f->behaviour, "good", true, false);
        convoy_status status = get(&d, NULL, &err);
        int requests = count_requests();
        print_message("  %-42s %-10s %2d request%s\n", f->what, status == CONVOY_OK ? "fetched" : "refused", requests,
                      requests == 1 ? "" : "s");
        if (status != f->status)
            fail_msg("%s: %s instead of %s: %s", f->behaviour, convoy_status_name(status), convoy_status_name(f->status),
                     err.message);
        assert_uint_in_range(requests, f->least, f->most);
        if (status == CONVOY_OK) {
            expect_set(2);
        } else {
            expect_message(&err, f->message);
            expect_no_set();
        }
        remove_place(NULL);
    }
}

/* ---- stopping and going on ---- */

typedef struct watcher {
    uint64_t stop_at, first; /* first: bytes that were there at the first news of the download */
    int calls, messages;
} watcher;

static int on_progress(void *user, const convoy_fetch_progress *now)
{
    watcher *w = user;
    if (strcmp(now->doing, "downloading") == 0 && w->calls++ == 0)
        w->first = now->done;
    assert_true(now->done <= now->total || strcmp(now->doing, "downloading") != 0);
    return w->stop_at != 0 && now->done >= w->stop_at;
}

static void on_message(void *user, const char *text)
{
    watcher *w = user;
    assert_non_null(strstr(text, "good.tar.gz"));
    w->messages++;
}

static void test_interruption_keeps_what_is_there(void **state)
{
    (void)state;
    described d;
    convoy_error err = {0};
    watcher w = {.stop_at = 100000};
    convoy_fetch_options how = {.on_progress = on_progress, .on_message = on_message, .user = &w};
    describe(&d, "slow", "good", true, true);
    assert_int_equal(get(&d, &how, &err), CONVOY_ERROR_INTERRUPTED);
    expect_message(&err, "bytes are kept in");
    expect_message(&err, "small.part/good.tar.gz");
    expect_no_set();
    long kept = size_of(in_place("small.part/good.tar.gz"));
    assert_uint_in_range(kept, 100000, 250000);
    w = (watcher){0};
    describe(&d, "plain", "good", true, true);
    assert_int_equal(get(&d, &how, &err), CONVOY_OK);
    assert_int_equal(w.first, kept);
    assert_int_equal(w.messages, 0);
    expect_set(2);
}

/* In every step: nothing half-made is left, and the download is not lost. */
static int stop_in(void *user, const convoy_fetch_progress *now)
{
    return strcmp(now->doing, user) == 0;
}

static void test_interruption_while_checking_and_unpacking(void **state)
{
    (void)state;
    static char *const steps[] = {"checking", "unpacking"};
    described d;
    convoy_error err = {0};
    describe(&d, "plain", "good", true, false);
    count_requests();
    for (size_t i = 0; i < 2; i++) {
        convoy_fetch_options how = {.on_progress = stop_in, .user = steps[i]};
        assert_int_equal(get(&d, &how, &err), CONVOY_ERROR_INTERRUPTED);
        expect_no_set();
        assert_int_equal(size_of(in_place("small.part/good.tar.gz")), d.set.parts[0].size);
    }
    assert_int_equal(get(&d, NULL, &err), CONVOY_OK);
    assert_int_equal(count_requests(), 1); /* all three together */
    expect_set(2);
}

static void put_partial(long size, char with)
{
    char *bytes = malloc((size_t)size);
    assert_non_null(bytes);
    memset(bytes, with, (size_t)size);
    mkdir(in_place("small.part"), 0777);
    assert_int_equal(file_write(in_place("small.part/good.tar.gz"), bytes, (size_t)size, NULL), CONVOY_OK);
    free(bytes);
}

/* What lies there from before may be of another file: too long, as long, shorter. */
static void test_foreign_partial_files(void **state)
{
    (void)state;
    described d;
    describe(&d, "plain", "good", true, false);
    long size = (long)d.set.parts[0].size;
    const struct {
        long size;
        int requests;
    } rows[] = {{size + 10, 1}, {size, 1}, {size / 2, 2}, {1, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        convoy_error err = {0};
        remove_place(NULL);
        make_place(NULL);
        put_partial(rows[i].size, 'z');
        count_requests();
        if (get(&d, NULL, &err) != CONVOY_OK)
            fail_msg("%s", err.message);
        assert_int_equal(count_requests(), rows[i].requests);
        expect_set(2);
    }
}

/* A failure keeps what came, and says so. */
static void test_failure_keeps_what_is_there(void **state)
{
    (void)state;
    described d;
    convoy_error err = {0};
    put_partial(5000, 'z');
    describe(&d, "error", "good", true, false);
    assert_int_equal(get(&d, NULL, &err), CONVOY_ERROR_FILE);
    expect_message(&err, "5000 of ");
    expect_message(&err, "small.part/good.tar.gz");
    assert_int_equal(size_of(in_place("small.part/good.tar.gz")), 5000);
    describe(&d, "dead", "good", true, false); /* and what never began leaves nothing */
    remove_place(NULL);
    make_place(NULL);
    assert_int_equal(get(&d, NULL, &err), CONVOY_ERROR_FILE);
    assert_int_equal(entries(place), 0);
}

/* ---- what is there already ---- */

static void test_fetched_already(void **state)
{
    (void)state;
    described d;
    convoy_error err = {0};
    convoy_fetch_result result = {0};
    convoy_fetch_options how = {.folder = place};
    describe(&d, "plain", "good", true, false);
    count_requests();
    assert_int_equal(fetch_get(&d.set, &impatient, &how, &result, &err), CONVOY_OK);
    assert_false(result.was_here);
    assert_string_equal(result.path, in_place("small"));
    assert_int_equal(fetch_get(&d.set, &impatient, &how, &result, &err), CONVOY_OK);
    assert_true(result.was_here);
    assert_int_equal(count_requests(), 1);

    /* By force, or because something is missing: what else is in the folder stays. */
    assert_int_equal(file_write(in_place("small/mine"), "x", 1, NULL), CONVOY_OK);
    how.force = true;
    assert_int_equal(fetch_get(&d.set, &impatient, &how, &result, &err), CONVOY_OK);
    assert_false(result.was_here);
    assert_int_equal(count_requests(), 1);
    expect_set(3);
    how.force = false;
    assert_int_equal(truncate(in_place("small/data.bin"), 5), 0);
    assert_int_equal(fetch_get(&d.set, &impatient, &how, NULL, &err), CONVOY_OK);
    assert_int_equal(count_requests(), 1);
    expect_set(3);
    assert_true(file_exists(in_place("small/mine")));
}

static void test_two_at_once(void **state)
{
    (void)state;
    described d;
    convoy_error err = {0};
    describe(&d, "plain", "good", true, false);
    mkdir(in_place("small.part"), 0777);
    int fd = open(in_place("small.part"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(get(&d, NULL, &err), CONVOY_ERROR_FILE);
    expect_message(&err, "another process is fetching small");
    close(fd);
    assert_int_equal(get(&d, NULL, &err), CONVOY_OK);
    expect_set(2);
}

/* ---- disks ---- */

static void test_bad_places(void **state)
{
    (void)state;
    described d;
    convoy_error err = {0};
    describe(&d, "plain", "good", true, false);
    count_requests();
    assert_int_equal(file_write(in_place("small"), "x", 1, NULL), CONVOY_OK);
    assert_int_equal(get(&d, NULL, &err), CONVOY_ERROR_FILE);
    expect_message(&err, "is there and is not a folder");
    convoy_fetch_options how = {.folder = in_place("small/below")};
    assert_int_equal(fetch_get(&d.set, &impatient, &how, NULL, &err), CONVOY_ERROR_FILE);
    expect_message(&err, "can't make the folder");
    assert_int_equal(count_requests(), 0);
}

/* A file may not grow beyond `limit` bytes: the disk is full. */
static convoy_status get_with_limit(const described *d, rlim_t limit, convoy_error *err)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = limit, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    convoy_status status = get(d, NULL, err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    return status;
}

static void test_full_disk(void **state)
{
    (void)state;
    described d;
    convoy_error err = {0};
    describe(&d, "plain", "good", true, false);
    assert_int_equal(get_with_limit(&d, 90000, &err), CONVOY_ERROR_FILE);
    expect_message(&err, "File too large");
    expect_message(&err, "make room");
    expect_no_set();
    assert_int_equal(size_of(in_place("small.part/good.tar.gz")), 90000);
    assert_int_equal(get(&d, NULL, &err), CONVOY_OK);
    expect_set(2);

    /* While unpacking: what was downloaded stays. 20 MB from 20 kB. */
    remove_place(NULL);
    make_place(NULL);
    describe(&d, "plain", "one_bomb", false, false);
    d.set.parts[0].files[0].size = 20 << 20;
    assert_int_equal(get_with_limit(&d, 1000000, &err), CONVOY_ERROR_FILE);
    expect_message(&err, "File too large");
    expect_no_set();
    assert_int_equal(size_of(in_place("small.part/one_bomb.tar.gz")), d.set.parts[0].size);
}

/* ---- addresses, proxies, certificates ---- */

static void expect_mirror(const char *mirror, convoy_status status, const char *message)
{
    described d;
    convoy_error err = {0};
    convoy_fetch_options how = {.mirror = mirror};
    remove_place(NULL);
    make_place(NULL);
    describe(&d, "gone", "good", true, false); /* the home is no use */
    if (get(&d, &how, &err) != status)
        fail_msg("%s: %s", mirror, err.message);
    if (status == CONVOY_OK)
        expect_set(2);
    else
        expect_message(&err, message);
}

static void test_mirrors(void **state)
{
    (void)state;
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/plain", server.port);
    expect_mirror(url, CONVOY_OK, "");
    strcat(url, "/");
    expect_mirror(url, CONVOY_OK, "");
    strcat(url, "good.tar.gz");
    expect_mirror(url, CONVOY_OK, "");
    snprintf(url, sizeof url, "file://%s", server.folder);
    expect_mirror(url, CONVOY_OK, "");
    expect_mirror("file:///nowhere", CONVOY_ERROR_FILE, "/nowhere/good.tar.gz");
    expect_mirror("ftp://127.0.0.1/", CONVOY_ERROR_ARGUMENT, "mirror 'ftp://127.0.0.1/'");
    expect_mirror("/data", CONVOY_ERROR_ARGUMENT, "http://, https:// or file://");
    expect_mirror("http://127.0.0.1:1/", CONVOY_ERROR_FILE, "is this machine on the net?");
    expect_mirror("http://bad host/", CONVOY_ERROR_FILE, "can't download");
}

static void test_proxies(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
    setenv("http_proxy", url, 1);
    expect_mirror("http://data.invalid/proxied/", CONVOY_OK, "");
    setenv("no_proxy", "data.invalid", 1);
    expect_mirror("http://data.invalid/proxied/", CONVOY_ERROR_FILE, "data.invalid");
    unsetenv("http_proxy");
    unsetenv("no_proxy");
}

static void test_certificates(void **state)
{
    (void)state;
    char url[64], file[128];
    if (server.tls_port == 0) {
        print_message("[  SKIP  ] test_certificates: no openssl here to make one\n");
        skip();
    }
    snprintf(url, sizeof url, "https://127.0.0.1:%d/plain/", server.tls_port);
    snprintf(file, sizeof file, "%s/certificate.pem", server.folder);
    expect_mirror(url, CONVOY_ERROR_FILE, "SSL_CERT_FILE");
    setenv("SSL_CERT_FILE", file, 1);
    expect_mirror(url, CONVOY_OK, "");
    setenv("SSL_CERT_FILE", "/nowhere.pem", 1);
    expect_mirror(url, CONVOY_ERROR_FILE, "nowhere.pem");
    setenv("CURL_CA_BUNDLE", file, 1); /* goes first */
    expect_mirror(url, CONVOY_OK, "");
    unsetenv("SSL_CERT_FILE");
    unsetenv("CURL_CA_BUNDLE");
}

static void test_unknown_names(void **state)
{
    (void)state;
    convoy_error err = {0};
    assert_int_equal(convoy_fetch("cifar11", NULL, NULL, &err), CONVOY_ERROR_ARGUMENT);
    expect_message(&err, "cifar11");
    expect_message(&err, "cifar10, cifar100, mnist, fashion-mnist");
    assert_int_equal(convoy_fetch(NULL, NULL, NULL, NULL), CONVOY_ERROR_ARGUMENT);
}

#define IN_PLACE(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        IN_PLACE(test_interruption_keeps_what_is_there),
        IN_PLACE(test_interruption_while_checking_and_unpacking),
        IN_PLACE(test_foreign_partial_files),
        IN_PLACE(test_failure_keeps_what_is_there),
        IN_PLACE(test_fetched_already),
        IN_PLACE(test_two_at_once),
        IN_PLACE(test_bad_places),
        IN_PLACE(test_full_disk),
        IN_PLACE(test_mirrors),
        IN_PLACE(test_proxies),
        IN_PLACE(test_certificates),
        cmocka_unit_test(test_unknown_names),
    };
    return cmocka_run_group_tests_name("fetch", tests, start_server, stop_server);
}

#else

static void test_says_what_to_install(void **state)
{
    (void)state;
    convoy_error err = {0};
    assert_int_equal(convoy_fetch("mnist", NULL, NULL, &err), CONVOY_ERROR_UNSUPPORTED);
    expect_message(&err, "libcurl4-openssl-dev, libssl-dev and libarchive-dev");
    assert_int_equal(convoy_fetch("mnst", NULL, NULL, &err), CONVOY_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_says_what_to_install)};
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}

#endif
