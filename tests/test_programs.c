/* Building kernels: what a failure tells, and the cache of binaries on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/internal.h"
#include "runtime/program.h"

#define ENTRY_LIMIT ((size_t)64 << 20)

static char folder[] = "/tmp/convoy-programs-XXXXXX";

/* ---- helpers ---- */

static convoy_context *open_context(const char *cache_dir)
{
    convoy_error err = {0};
    convoy_context *ctx;
    if (convoy_context_create(&(convoy_context_options){.cache_dir = cache_dir}, &ctx, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    return ctx;
}

/* Runs count_up and checks what it wrote: a program from the cache must work, not only load. */
static void expect_works(convoy_context *ctx, const char *options)
{
    convoy_error err = {0};
    rt_buffer *buffer;
    rt_list *list;
    int got[100];
    assert_int_equal(rt_buffer_create(ctx, sizeof got, "test", &buffer, &err), CONVOY_OK);
    assert_int_equal(rt_list_create(ctx, 1, &list, &err), CONVOY_OK);
    convoy_status status = rt_list_add(list, &(rt_launch){
        .label = "test", .source = "selftest", .kernel = "count_up", .options = options,
        .args = {RT_BUFFER(buffer), RT_INT(7), RT_INT(100)}, .arg_count = 3, .global = {RT_FIXED(100)}}, &err);
    if (status != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_int_equal(rt_list_play(list, 0, 1, &err), CONVOY_OK);
    assert_int_equal(rt_buffer_read(buffer, 0, got, sizeof got, &err), CONVOY_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(got[i], 7 + i);
    rt_list_destroy(list);
    rt_buffer_destroy(buffer);
}

/* Opens a context, uses the kernels, and expects so many builds and hits. */
static void expect_counts(const char *cache_dir, const char *options, unsigned builds, unsigned hits)
{
    convoy_context *ctx = open_context(cache_dir);
    expect_works(ctx, options);
    convoy_counters c = convoy_context_counters(ctx);
    assert_int_equal(c.builds, builds);
    assert_int_equal(c.cache_hits, hits);
    convoy_context_destroy(ctx);
}

/* Path of the only file in the folder. */
static void only_entry(char *out, size_t size)
{
    DIR *dir = opendir(folder);
    int count = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(out, size, "%s/%s", folder, e->d_name);
        count++;
    }
    closedir(dir);
    assert_int_equal(count, 1);
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    closedir(dir);
}

static void read_entry(const char *path, char **data, size_t *size)
{
    convoy_error err = {0};
    if (file_read(path, ENTRY_LIMIT, data, size, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
}

static void write_entry(const char *path, const char *data, size_t size)
{
    assert_int_equal(file_write(path, data, size, NULL), CONVOY_OK);
}

static int clean(void **state)
{
    (void)state;
    empty_folder();
    return 0;
}

/* ---- builds ---- */

static int line_of(const char *text, const char *part)
{
    const char *at = strstr(text, part);
    int line = 1;
    assert_non_null(at);
    for (const char *s = text; s < at; s++)
        line += *s == '\n';
    return line;
}

static void test_build_error_shows_numbered_lines(void **state)
{
    (void)state;
    convoy_context *ctx = open_context("");
    convoy_error err = {0};
    cl_program program;
    assert_int_equal(rt_program_get(ctx, "selftest", "-DBROKEN", &program, &err), CONVOY_ERROR_BUILD);
    assert_int_equal(err.status, CONVOY_ERROR_BUILD);
    const char *bad = "    x[0] = this_name_is_not_declared;";
    char expected[128];
    snprintf(expected, sizeof expected, "\n> %4d | %s\n", line_of(rt_kernel_source("selftest"), bad), bad);
    const char *parts[] = {expected, "cl/selftest.cl does not build", convoy_context_device(ctx)->name, "-DBROKEN",
                           "-cl-std=CL1.2"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(err.message, parts[i]) == NULL)
            fail_msg("'%s' is missing in:\n%s", parts[i], err.message);
    /* Only what is near the error, not the whole file. */
    assert_null(strstr(err.message, "kernel void count_up"));
    convoy_counters c = convoy_context_counters(ctx);
    assert_int_equal(c.live_objects, 0);
    assert_int_equal(c.builds, 0);
    convoy_context_destroy(ctx);
}

static void test_unknown_source(void **state)
{
    (void)state;
    convoy_context *ctx = open_context("");
    convoy_error err = {0};
    cl_program program;
    assert_int_not_equal(rt_program_get(ctx, "no_such_file", "", &program, &err), CONVOY_OK);
    assert_non_null(strstr(err.message, "cl/no_such_file.cl"));
    convoy_context_destroy(ctx);
}

static void test_built_once_a_context(void **state)
{
    (void)state;
    convoy_context *ctx = open_context("");
    cl_program first, again, other;
    assert_int_equal(rt_program_get(ctx, "selftest", "", &first, NULL), CONVOY_OK);
    assert_int_equal(rt_program_get(ctx, "selftest", "", &again, NULL), CONVOY_OK);
    assert_int_equal(rt_program_get(ctx, "selftest", "-DOTHER=1", &other, NULL), CONVOY_OK);
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, other);
    convoy_counters c = convoy_context_counters(ctx);
    assert_int_equal(c.builds, 2);
    assert_int_equal(c.cache_hits, 0);
    assert_int_equal(c.live_objects, 2);
    rt_programs_destroy(ctx);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    convoy_context_destroy(ctx);
}

/* ---- the cache ---- */

static void test_second_context_loads(void **state)
{
    (void)state;
    char path[512];
    expect_counts(folder, "", 1, 0);
    expect_counts(folder, "", 0, 1);
    only_entry(path, sizeof path);
    /* Other options are another program; the first one stays. */
    expect_counts(folder, "-DOTHER=1", 1, 0);
    expect_counts(folder, "-DOTHER=1", 0, 1);
    expect_counts(folder, "", 0, 1);
    /* Switched off, it neither reads nor writes. */
    expect_counts("", "", 1, 0);
}

/* PoCL keeps what it compiles: to ask for the binary would compile all of it a second time. */
static void test_left_to_the_driver(void **state)
{
    (void)state;
    convoy_context *ctx = open_context(folder);
    bool pocl = rt_is_pocl(ctx);
    convoy_context_destroy(ctx);
    if (!pocl)
        skip();
    unsetenv("POCL_KERNEL_CACHE");
    expect_counts(folder, "-DOTHER=3", 1, 0);
    expect_counts(folder, "-DOTHER=3", 1, 0);
    setenv("POCL_KERNEL_CACHE", "0", 1);
    assert_int_equal(rmdir(folder), 0); /* it is empty */
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void test_makes_its_folder(void **state)
{
    (void)state;
    char deep[128], command[160];
    snprintf(deep, sizeof deep, "%s/a/b", folder);
    expect_counts(deep, "", 1, 0);
    expect_counts(deep, "", 0, 1);
    snprintf(command, sizeof command, "rm -r %s/a", folder);
    assert_int_equal(system(command), 0);
}

static void test_damaged_entry_is_rebuilt(void **state)
{
    (void)state;
    char path[512], *whole;
    size_t size;
    expect_counts(folder, "", 1, 0);
    only_entry(path, sizeof path);
    read_entry(path, &whole, &size);
    /* A flipped bit anywhere: magic, lengths, checksum, key, binary. */
    const size_t at[] = {0, 9, 17, 25, 40, size / 2, size - 1};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        char *bad = malloc(size);
        assert_non_null(bad);
        memcpy(bad, whole, size);
        bad[at[i]] ^= 0x10;
        write_entry(path, bad, size);
        free(bad);
        expect_counts(folder, "", 1, 0);
        expect_counts(folder, "", 0, 1); /* it was written anew */
    }
    free(whole);
}

static void test_truncated_entry_is_rebuilt(void **state)
{
    (void)state;
    char path[512], *whole;
    size_t size;
    expect_counts(folder, "", 1, 0);
    only_entry(path, sizeof path);
    read_entry(path, &whole, &size);
    const size_t lengths[] = {0, 7, 31, 32, 100, size - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        write_entry(path, whole, lengths[i]);
        expect_counts(folder, "", 1, 0);
    }
    char *longer = calloc(1, size + 1);
    assert_non_null(longer);
    memcpy(longer, whole, size);
    write_entry(path, longer, size + 1);
    free(longer);
    free(whole);
    expect_counts(folder, "", 1, 0);
    expect_counts(folder, "", 0, 1);
}

/* An entry under the right name that was made for something else: another driver's, or a clash of hashes. */
static void test_stale_entry_is_rebuilt(void **state)
{
    (void)state;
    char path[512], *other;
    size_t size;
    expect_counts(folder, "-DOTHER=1", 1, 0);
    only_entry(path, sizeof path);
    read_entry(path, &other, &size);
    unlink(path);
    expect_counts(folder, "", 1, 0);
    only_entry(path, sizeof path);
    write_entry(path, other, size);
    free(other);
    expect_counts(folder, "", 1, 0);
    expect_counts(folder, "", 0, 1);
}

/* The driver's version is part of the key. */
static void test_new_driver_is_a_miss(void **state)
{
    (void)state;
    convoy_context *ctx = open_context(folder);
    const char *source = "kernel void a(void) {}";
    size_t size = 0;
    rt_cache_store(ctx, source, "-DA", (const unsigned char *)"binary", 6);
    unsigned char *binary = rt_cache_load(ctx, source, "-DA", &size);
    assert_non_null(binary);
    assert_int_equal(size, 6);
    assert_memory_equal(binary, "binary", 6);
    free(binary);
    assert_null(rt_cache_load(ctx, source, "-DB", &size));
    assert_null(rt_cache_load(ctx, "kernel void b(void) {}", "-DA", &size));
    strcat(ctx->info.driver, "+1");
    assert_null(rt_cache_load(ctx, source, "-DA", &size));
    convoy_context_destroy(ctx);
}

static void first_message(void *user, const char *text)
{
    char *first = user;
    if (first[0] == '\0')
        snprintf(first, 1024, "%s", text);
}

/* Two programs compiled as one, with other options each; and one that breaks the joint program, which is then told and not kept. */
static void test_bundle(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_context *ctx = open_context("");
    rt_units units = {0};
    char message[1024] = "";
    const rt_program *first, *second;
    if (strcmp(convoy_context_device(ctx)->platform_name, "Portable Computing Language") != 0) {
        convoy_context_destroy(ctx);
        skip(); /* only PoCL's programs are joined */
    }
    assert_int_equal(rt_units_add(ctx, &units, "selftest", "", &err), CONVOY_OK);
    assert_int_equal(rt_units_add(ctx, &units, "selftest", "-DOTHER=1", &err), CONVOY_OK);
    assert_int_equal(rt_units_add(ctx, &units, "selftest", "", &err), CONVOY_OK);
    assert_int_equal(units.count, 2);
    assert_int_equal(rt_bundle_build(ctx, &units, &err), CONVOY_OK);
    rt_units_clear(&units);
    assert_int_equal(rt_program_find(ctx, "selftest", "", &first, &err), CONVOY_OK);
    assert_int_equal(rt_program_find(ctx, "selftest", "-DOTHER=1", &second, &err), CONVOY_OK);
    assert_ptr_equal(first->program, second->program);
    assert_string_not_equal(first->prefix, second->prefix);
    assert_int_equal(convoy_context_counters(ctx).builds, 1);

    assert_int_equal(rt_units_add(ctx, &units, "selftest", "-DOTHER=2", &err), CONVOY_OK);
    assert_int_equal(rt_units_add(ctx, &units, "selftest", "-DBROKEN", &err), CONVOY_OK);
    convoy_context_on_message(ctx, first_message, message);
    assert_int_equal(rt_bundle_build(ctx, &units, &err), CONVOY_OK);
    assert_non_null(strstr(message, "kernels are built one by one, which takes longer: a program of several kernels does not build"));
    assert_int_equal(rt_units_add(ctx, &units, "selftest", "-DOTHER=3 -w", &err), CONVOY_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "option '-w'"));
    assert_int_equal(rt_program_find(ctx, "selftest", "-DOTHER=3 -w", &first, &err), CONVOY_ERROR_ARGUMENT);
    assert_int_equal(rt_units_add(ctx, &units, "no_such_file", "", &err), CONVOY_OK);
    assert_int_equal(rt_bundle_build(ctx, &units, &err), CONVOY_ERROR_ARGUMENT);
    rt_units_clear(&units);
    assert_int_equal(convoy_context_counters(ctx).builds, 1);
    assert_int_equal(rt_program_find(ctx, "selftest", "-DBROKEN", &first, &err), CONVOY_ERROR_BUILD);
    assert_int_equal(rt_program_find(ctx, "selftest", "-DOTHER=2", &second, &err), CONVOY_OK);
    rt_programs_destroy(ctx);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    convoy_context_destroy(ctx);
}

/* What is said of a long build of this kind. */
static void expect_told(const char *cache_dir, program_keeper keeper, const char *part)
{
    char message[1024] = "";
    convoy_context *ctx = open_context(cache_dir);
    convoy_context_on_message(ctx, first_message, message);
    program_built(ctx, keeper);
    assert_string_equal(message, ""); /* it was short */
    ctx->build_seconds = 5.0;
    program_built(ctx, KEPT_HERE); /* the least sure one counts */
    assert_non_null(strstr(message, part));
    convoy_context_destroy(ctx);
}

/* That building happens once is said where it does. */
static void test_long_build_is_told(void **state)
{
    char message[1024], blocked[64];
    convoy_error err = {0};
    cl_program program;
    (void)state;
    expect_told(folder, KEPT_BY_DRIVER, "this happens once, its driver keeps them");
    expect_told(folder, KEPT_NOWHERE, "they can't be kept in /tmp/convoy-programs-");
    expect_told("", KEPT_NOWHERE, "there is no cache folder, so this happens at every start");
    snprintf(blocked, sizeof blocked, "%s/file", folder); /* a file is no folder */
    assert_int_equal(file_write(blocked, "", 0, &err), CONVOY_OK);
    for (int i = 0; i < 2; i++) {
        convoy_context *ctx = open_context(i ? blocked : folder);
        message[0] = '\0';
        convoy_context_on_message(ctx, first_message, message);
        ctx->build_seconds = 5.0;
        assert_int_equal(rt_program_get(ctx, "selftest", "-DTOLD=1", &program, &err), CONVOY_OK);
        assert_non_null(strstr(message, i ? "can't be kept in" : "this happens once, they are kept in"));
        convoy_context_destroy(ctx);
    }
    unlink(blocked);
}

/* A whole entry whose binary the driver does not take. */
static void test_refused_binary_is_rebuilt(void **state)
{
    (void)state;
    convoy_context *ctx = open_context(folder);
    const char *options = FIXED_OPTIONS;
    unsigned char junk[256];
    size_t size = 0;
    if (strcmp(convoy_context_device(ctx)->platform_name, "rusticl") == 0) {
        convoy_context_destroy(ctx);
        skip(); /* Mesa 22.3 ends the process on such a binary; our checksum is what keeps it from seeing one */
    }
    memset(junk, 0x5a, sizeof junk);
    rt_cache_store(ctx, rt_kernel_source("selftest"), options, junk, sizeof junk);
    unsigned char *binary = rt_cache_load(ctx, rt_kernel_source("selftest"), options, &size);
    assert_non_null(binary); /* the options above are the ones in use: else this test would test nothing */
    free(binary);
    convoy_context_destroy(ctx);
    char path[512];
    only_entry(path, sizeof path);
    expect_counts(folder, "", 1, 0);
    only_entry(path, sizeof path);
    expect_counts(folder, "", 0, 1);
}

static void test_unusable_folder_is_no_error(void **state)
{
    (void)state;
    char path[512], below[600];
    snprintf(path, sizeof path, "%s/file", folder);
    write_entry(path, "x", 1);
    snprintf(below, sizeof below, "%s/cache", path);
    expect_counts(below, "", 1, 0);
    expect_counts("/proc/no-such-place", "", 1, 0);
}

/* ---- two processes ---- */

/* What this program does when called with a folder: one use of the cache. The exit code says whether it worked. */
static int use_cache(const char *cache_dir)
{
    convoy_context *ctx;
    cl_program program;
    if (convoy_context_create(&(convoy_context_options){.cache_dir = cache_dir}, &ctx, NULL) != CONVOY_OK)
        return 1;
    convoy_status status = rt_program_get(ctx, "selftest", "", &program, NULL);
    convoy_context_destroy(ctx);
    return status == CONVOY_OK ? 0 : 1;
}

/* Both start on an empty folder at once: both work, and what they leave behind is one whole entry. */
static void test_two_processes_share(void **state)
{
    (void)state;
    char self[512], command[2048], entry[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    snprintf(command, sizeof command, "'%s' %s & other=$!; '%s' %s && wait $other", self, folder, self, folder);
    for (int i = 0; i < 3; i++) {
        empty_folder();
        assert_int_equal(system(command), 0);
        only_entry(entry, sizeof entry);
        expect_counts(folder, "", 0, 1);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    empty_folder();
    return rmdir(folder);
}

/* PoCL reads its variable when the first context opens: its cache stays, so that it is quick, and Convoy takes it that there is none. */
static void keep_kernels_here(void)
{
    unsetenv("POCL_KERNEL_CACHE");
    convoy_context_destroy(open_context(""));
    setenv("POCL_KERNEL_CACHE", "0", 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build_error_shows_numbered_lines),
        cmocka_unit_test(test_unknown_source),
        cmocka_unit_test(test_built_once_a_context),
        cmocka_unit_test_setup(test_second_context_loads, clean),
        cmocka_unit_test_setup(test_left_to_the_driver, clean),
        cmocka_unit_test_setup(test_makes_its_folder, clean),
        cmocka_unit_test_setup(test_damaged_entry_is_rebuilt, clean),
        cmocka_unit_test_setup(test_truncated_entry_is_rebuilt, clean),
        cmocka_unit_test_setup(test_stale_entry_is_rebuilt, clean),
        cmocka_unit_test_setup(test_new_driver_is_a_miss, clean),
        cmocka_unit_test_setup(test_refused_binary_is_rebuilt, clean),
        cmocka_unit_test_setup(test_unusable_folder_is_no_error, clean),
        cmocka_unit_test_setup(test_two_processes_share, clean),
        cmocka_unit_test_setup(test_bundle, clean),
        cmocka_unit_test_setup(test_long_build_is_told, clean),
    };
    keep_kernels_here();
    if (argc > 1)
        return use_cache(argv[1]);
    return cmocka_run_group_tests_name("programs", tests, make_folder, remove_folder);
}
