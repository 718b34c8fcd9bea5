/* The base room: errors, text, files, random numbers. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/philox.h"
#include "base/quota.h"
#include "base/text.h"

/* ---- errors ---- */

static void test_error_is_filled(void **state)
{
    (void)state;
    convoy_error err = {0};
    assert_int_equal(base_fail(&err, CONVOY_ERROR_FILE, "%s: %d", "x.bin", 7), CONVOY_ERROR_FILE);
    assert_int_equal(err.status, CONVOY_ERROR_FILE);
    assert_string_equal(err.message, "x.bin: 7");
    assert_int_equal(base_fail_in(&err, CONVOY_ERROR_FILE, "layer %s", "dense"), CONVOY_ERROR_FILE);
    assert_string_equal(err.message, "layer dense: x.bin: 7");
}

static void test_error_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(base_fail(NULL, CONVOY_ERROR_MODEL, "nobody reads this"), CONVOY_ERROR_MODEL);
    assert_int_equal(base_fail_in(NULL, CONVOY_ERROR_MODEL, "nor this"), CONVOY_ERROR_MODEL);
}

static void test_long_errors_are_cut(void **state)
{
    (void)state;
    static convoy_error err;
    static char text[3 * sizeof err.message];
    memset(text, 'x', sizeof text - 1);
    base_fail(&err, CONVOY_ERROR_BUILD, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    base_fail_in(&err, CONVOY_ERROR_BUILD, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    base_fail_in(&err, CONVOY_ERROR_BUILD, "here");
    assert_memory_equal(err.message, "here: x", 7);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_every_status_has_a_name(void **state)
{
    (void)state;
    for (int i = CONVOY_OK; i <= CONVOY_ERROR_UNSUPPORTED; i++)
        for (int k = i + 1; k <= CONVOY_ERROR_UNSUPPORTED; k++)
            assert_string_not_equal(convoy_status_name((convoy_status)i), convoy_status_name((convoy_status)k));
    assert_string_equal(convoy_status_name((convoy_status)999), "unknown status");
}

/* ---- text ---- */

static void test_text_grows(void **state)
{
    (void)state;
    text t = {0};
    char *out = NULL;
    for (int i = 0; i < 1000; i++)
        text_add(&t, "%03d,", i);
    text_add_bytes(&t, "end", 3);
    assert_int_equal(text_take(&t, &out, NULL), CONVOY_OK);
    assert_int_equal(strlen(out), 4003);
    assert_memory_equal(out, "000,001,", 8);
    assert_string_equal(out + 3992, "998,999,end");
    assert_null(t.data);
    free(out);
}

static void test_empty_text_is_a_string(void **state)
{
    (void)state;
    text t = {0};
    char *out = NULL;
    assert_int_equal(text_take(&t, &out, NULL), CONVOY_OK);
    assert_string_equal(out, "");
    free(out);
}

static void test_text_remembers_failure(void **state)
{
    (void)state;
    text t = {.failed = true};
    char *out = NULL;
    convoy_error err = {0};
    text_add(&t, "more");
    assert_int_equal(text_take(&t, &out, &err), CONVOY_ERROR_MEMORY);
    assert_null(out);
    assert_false(t.failed);
}

static void test_text_copy_terminates(void **state)
{
    (void)state;
    char out[4] = "zzz";
    text_copy(out, sizeof out, "abcdef");
    assert_string_equal(out, "abc");
}

/* ---- files: each test has a folder of its own ---- */

typedef struct place {
    char folder[64];
    char path[128];
} place;

static int make_place(void **state)
{
    place *p = calloc(1, sizeof *p);
    strcpy(p->folder, "/tmp/convoy-base-XXXXXX");
    if (p == NULL || mkdtemp(p->folder) == NULL)
        return -1;
    snprintf(p->path, sizeof p->path, "%s/file", p->folder);
    *state = p;
    return 0;
}

static int entries(const char *folder)
{
    int count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count - 2; /* . and .. */
}

static int remove_place(void **state)
{
    place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", p->folder);
    int code = system(command);
    free(p);
    return code;
}

static void test_file_round_trip(void **state)
{
    place *p = *state;
    char *data = NULL;
    size_t size = 0;
    struct stat info;
    const char bytes[] = "a\0b\nc";
    assert_int_equal(file_write(p->path, bytes, sizeof bytes, NULL), CONVOY_OK);
    assert_int_equal(file_write(p->path, bytes, 5, NULL), CONVOY_OK); /* over the first */
    assert_int_equal(file_read(p->path, 5, &data, &size, NULL), CONVOY_OK);
    assert_int_equal(size, 5);
    assert_memory_equal(data, bytes, 5);
    assert_int_equal(data[5], 0);
    free(data);
    assert_int_equal(entries(p->folder), 1); /* no temporary file stays */
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(p->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0666 & ~mask);
}

static void test_empty_file(void **state)
{
    place *p = *state;
    char *data = NULL;
    size_t size = 1;
    assert_int_equal(file_write(p->path, "", 0, NULL), CONVOY_OK);
    assert_int_equal(file_read(p->path, 0, &data, &size, NULL), CONVOY_OK);
    assert_int_equal(size, 0);
    assert_string_equal(data, "");
    free(data);
}

static void expect_failure(const convoy_error *err, convoy_status status, const char *path, const char *word)
{
    assert_int_equal(err->status, status);
    assert_non_null(strstr(err->message, path));
    assert_non_null(strstr(err->message, word));
}

static void test_read_refuses(void **state)
{
    place *p = *state;
    convoy_error err = {0};
    char *data = NULL;
    size_t size;
    assert_int_not_equal(file_read(p->path, 10, &data, &size, &err), CONVOY_OK);
    expect_failure(&err, CONVOY_ERROR_FILE, p->path, "No such file");
    assert_int_not_equal(file_read(p->folder, 10, &data, &size, &err), CONVOY_OK);
    expect_failure(&err, CONVOY_ERROR_FILE, p->folder, "not a regular file");
    assert_int_equal(mkfifo(p->path, 0600), 0);
    assert_int_not_equal(file_read(p->path, 10, &data, &size, &err), CONVOY_OK); /* does not hang */
    expect_failure(&err, CONVOY_ERROR_FILE, p->path, "not a regular file");
    unlink(p->path);
    assert_int_equal(file_write(p->path, "0123456789x", 11, NULL), CONVOY_OK);
    assert_int_not_equal(file_read(p->path, 10, &data, &size, &err), CONVOY_OK);
    expect_failure(&err, CONVOY_ERROR_FORMAT, p->path, "11 bytes; at most 10");
    assert_null(data);
}

static void test_write_refuses(void **state)
{
    place *p = *state;
    convoy_error err = {0};
    char path[128], *long_path = calloc(1, PATH_MAX + 10);
    assert_int_not_equal(file_write(p->folder, "x", 1, &err), CONVOY_OK);
    expect_failure(&err, CONVOY_ERROR_FILE, p->folder, "is a folder");
    snprintf(path, sizeof path, "%s/no/file", p->folder);
    assert_int_not_equal(file_write(path, "x", 1, &err), CONVOY_OK);
    expect_failure(&err, CONVOY_ERROR_FILE, path, "No such file");
    memset(long_path, 'x', PATH_MAX + 5);
    assert_int_not_equal(file_write(long_path, "x", 1, &err), CONVOY_OK);
    expect_failure(&err, CONVOY_ERROR_FILE, "xxx", "too long");
    free(long_path);
    assert_int_equal(entries(p->folder), 0);
}

/* A disk that fills up while writing: the old file stays, nothing half-written is left. */
static void test_write_that_fails_keeps_the_old_file(void **state)
{
    place *p = *state;
    convoy_error err = {0};
    struct rlimit limit, small;
    char *big = calloc(1, 100000), *data = NULL;
    size_t size;
    assert_int_equal(file_write(p->path, "old", 3, NULL), CONVOY_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 4096, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    convoy_status status = file_write(p->path, big, 100000, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, CONVOY_ERROR_FILE);
    expect_failure(&err, CONVOY_ERROR_FILE, p->path, "File too large");
    assert_int_equal(entries(p->folder), 1);
    assert_int_equal(file_read(p->path, 10, &data, &size, NULL), CONVOY_OK);
    assert_string_equal(data, "old");
    free(data);
    free(big);
}

static void test_make_folder(void **state)
{
    place *p = *state;
    convoy_error err = {0};
    char path[160];
    snprintf(path, sizeof path, "%s/a/b/c", p->folder);
    assert_int_equal(file_make_folder(path, NULL), CONVOY_OK);
    assert_int_equal(file_make_folder(path, NULL), CONVOY_OK); /* fine if it is there */
    assert_true(file_is_folder(path));
    assert_int_equal(file_write(p->path, "x", 1, NULL), CONVOY_OK);
    assert_false(file_is_folder(p->path));
    assert_true(file_exists(p->path));
    assert_int_not_equal(file_make_folder(p->path, &err), CONVOY_OK);
    expect_failure(&err, CONVOY_ERROR_FILE, p->path, "not a folder");
    snprintf(path, sizeof path, "%s/below", p->path);
    assert_int_not_equal(file_make_folder(path, &err), CONVOY_OK);
    assert_int_equal(err.status, CONVOY_ERROR_FILE);
    assert_false(file_exists(path));
}

/* ---- random numbers ---- */

/* Known answers that come with the authors' library Random123 (kat_vectors, philox4x32 with 10 rounds). */
static void test_philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t out[4];
        philox4x32(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].expected, sizeof out);
    }
}

static void test_words_come_from_blocks(void **state)
{
    (void)state;
    uint32_t counter[4] = {3, 1, 9, PHILOX_TEST}, key[2] = {5, 6}, out[4];
    philox4x32(counter, key, out);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(philox_word(5 | 6ull << 32, PHILOX_TEST, 9, (3 | 1ull << 32) * 4 + i), out[i]);
}

static void test_uniform_and_normal(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    double sum = 0, normal = 0, square = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        float u = philox_uniform(1, PHILOX_TEST, 0, i), n = philox_normal(1, PHILOX_TEST, 1, i);
        assert_true(u >= 0 && u < 1);
        assert_true(isfinite(n));
        sum += u;
        normal += n;
        square += (double)n * n;
    }
    assert_true(fabs(sum / COUNT - 0.5) < 0.005); /* five standard errors */
    assert_true(fabs(normal / COUNT) < 0.016);
    assert_true(fabs(square / COUNT - 1) < 0.025);
}

static void test_permutation(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    int32_t first[COUNT], again[COUNT], other[COUNT];
    bool seen[COUNT] = {false};
    int in_place = 0;
    philox_permutation(7, 0, first, COUNT);
    philox_permutation(7, 0, again, COUNT);
    philox_permutation(7, 1, other, COUNT);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    for (int i = 0; i < COUNT; i++) {
        assert_uint_in_range(first[i], 0, COUNT - 1);
        assert_false(seen[first[i]]);
        seen[first[i]] = true;
        in_place += first[i] == i;
    }
    assert_true(in_place < 10); /* 1 is expected */
    philox_permutation(7, 0, first, 0);
    philox_permutation(7, 0, first, 1);
    assert_int_equal(first[0], 0);
}

/* ---- what a control group allows ---- */

static void put_quota(const place *p, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    assert_int_equal(file_write(path, text, strlen(text), NULL), CONVOY_OK);
}

static void test_quota(void **state)
{
    place *p = *state;
    char folder[160];
    assert_int_equal(quota_cpus(p->folder), 0); /* no control groups here */
    snprintf(folder, sizeof folder, "%s/cpu", p->folder);
    assert_int_equal(file_make_folder(folder, NULL), CONVOY_OK);
    put_quota(p, "cpu/cpu.cfs_quota_us", "-1\n");
    put_quota(p, "cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota_cpus(p->folder), 0);
    put_quota(p, "cpu/cpu.cfs_quota_us", "300000\n");
    assert_int_equal(quota_cpus(p->folder), 3);
    put_quota(p, "cpu.max", "max 100000\n"); /* of the second version: it comes first, where it says anything */
    assert_int_equal(quota_cpus(p->folder), 3);
    put_quota(p, "cpu.max", "150000 100000\n");
    assert_int_equal(quota_cpus(p->folder), 2);
    put_quota(p, "cpu.max", "50000 100000\n");
    assert_int_equal(quota_cpus(p->folder), 1);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_is_filled),
        cmocka_unit_test(test_error_may_be_null),
        cmocka_unit_test(test_long_errors_are_cut),
        cmocka_unit_test(test_every_status_has_a_name),
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_empty_text_is_a_string),
        cmocka_unit_test(test_text_remembers_failure),
        cmocka_unit_test(test_text_copy_terminates),
        FILE_TEST(test_file_round_trip),
        FILE_TEST(test_empty_file),
        FILE_TEST(test_read_refuses),
        FILE_TEST(test_write_refuses),
        FILE_TEST(test_write_that_fails_keeps_the_old_file),
        FILE_TEST(test_make_folder),
        FILE_TEST(test_quota),
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_words_come_from_blocks),
        cmocka_unit_test(test_uniform_and_normal),
        cmocka_unit_test(test_permutation),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
