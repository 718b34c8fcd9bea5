/* Programs that other processes compile: afterwards PoCL has every kernel in its folder under the name that this process looks for, so
 * that playing compiles nothing. */
#define _GNU_SOURCE /* nftw */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "runtime/fuse.h"
#include "runtime_fixture.h"

enum { PROGRAMS = 8, COUNT = 100000, BYTES = COUNT * sizeof(float), KINDS = 4 };

static char folder[] = "/tmp/convoy-test-XXXXXX";
static int first_program; /* each test has programs of its own */

typedef struct fixture {
    rt_buffer *x[2], *y[PROGRAMS];
    const rt_buffer *either[2];
    rt_list *list;
} fixture;

/* ---- what PoCL has ---- */

static size_t kernels;

static int count_kernel(const char *path, const struct stat *s, int type, struct FTW *at)
{
    (void)s;
    (void)at;
    kernels += type == FTW_F && text_ends_with(path, ".so");
    return 0;
}

static size_t kernels_kept(void)
{
    kernels = 0;
    assert_int_equal(nftw(folder, count_kernel, 16, FTW_PHYS), 0);
    return kernels;
}

/* ---- a list of many programs ---- */

/* Of each kind some: the driver chooses the work-group; lines of one work-item; groups of 16; so many that PoCL compiles them apart. */
static convoy_status write_list(void *user, rt_list *list, convoy_error *err)
{
    fixture *f = user;
    for (int i = 0; i < PROGRAMS; i++) {
        char options[32];
        int kind = i % KINDS, count = kind == 3 ? COUNT : 1024;
        snprintf(options, sizeof options, "-DPROGRAM=%d", first_program + i);
        rt_launch l = {.label = "negating", .source = "selftest_items", .kernel = kind == 1 ? "negate_lines" : "negate",
                       .options = options, .global = {RT_FIXED((size_t)count)}, .local = {kind == 0 ? 0 : kind == 2 ? 16 : 64}};
        if (kind == 1) {
            memcpy(l.global, (rt_extent[]){RT_FIXED(8), RT_FIXED(4), RT_FIXED(2)}, sizeof l.global);
            memcpy(l.local, (size_t[]){1, 1, 1}, sizeof l.local);
        }
        rt_push(&l, kind == 2 ? RT_SWITCHED(f->either) : RT_BUFFER(f->x[0]));
        rt_push(&l, RT_BUFFER(f->y[i]));
        rt_push(&l, kind == 2 ? RT_VARIABLE(RT_VAR_RATE) : RT_FLOAT((float)i));
        rt_push(&l, RT_INT(count));
        TRY(rt_list_add(list, &l, err));
    }
    return CONVOY_OK;
}

static char told[256];

static void on_message(void *user, const char *text)
{
    (void)user;
    text_copy(told, sizeof told, text);
}

static void open_context(void)
{
    char cache[64];
    snprintf(cache, sizeof cache, "%s/convoy", folder);
    OK(convoy_context_create(&(convoy_context_options){.cache_dir = cache}, &ctx, err));
}

static void begin(fixture *f, unsigned compilers)
{
    open_context();
    ctx->compilers = compilers;
    told[0] = '\0';
    convoy_context_on_message(ctx, on_message, NULL);
    *f = (fixture){.list = make_list(1)};
    float *values = malloc(BYTES);
    assert_non_null(values);
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)(i % 101);
    for (int k = 0; k < 2; k++) {
        f->x[k] = make(BYTES);
        f->either[k] = f->x[k];
        OK(rt_buffer_write(f->x[k], 0, values, BYTES, err));
    }
    for (int i = 0; i < PROGRAMS; i++)
        f->y[i] = make(BYTES);
    free(values);
    OK(rt_list_compile(f->list, write_list, f, err));
    OK(rt_list_set_float(f->list, RT_VAR_RATE, 0.5f, err));
}

static void compare(const fixture *f)
{
    float *found = malloc(BYTES);
    assert_non_null(found);
    for (int i = 0; i < PROGRAMS; i++) {
        OK(rt_buffer_read(f->y[i], 0, found, BYTES, err));
        for (int k = 0; k < (i % KINDS == 3 ? COUNT : 1024); k++)
            assert_true(found[k] == (i % KINDS == 2 ? 0.5f : (float)i) - (float)(k % 101));
    }
    free(found);
}

/* Expects that playing compiles so many kernels. */
static void play_and_end(fixture *f, size_t compiled)
{
    size_t before = kernels_kept();
    OK(rt_list_play(f->list, 0, PROGRAMS, err));
    compare(f);
    assert_int_equal(kernels_kept() - before, compiled);
    rt_list_destroy(f->list);
    for (int i = 0; i < PROGRAMS; i++)
        rt_buffer_destroy(f->y[i]);
    for (int k = 0; k < 2; k++)
        rt_buffer_destroy(f->x[k]);
    assert_int_equal(expect_none_live(NULL), 0);
    convoy_context_destroy(ctx);
    expect_no_process();
}

/* At the beginning of each test. Opening the context measures the driver, too. */
static void need_pocl(void **state)
{
    (void)state;
    first_program += PROGRAMS;
    open_context();
    bool pocl = rt_is_pocl(ctx);
    convoy_context_destroy(ctx);
    if (!pocl)
        skip();
}

/* ---- tests ---- */

static void test_parts(void **state)
{
    fixture f;
    need_pocl(state);
    size_t before = kernels_kept();
    begin(&f, 2);
    assert_int_equal(kernels_kept() - before, PROGRAMS);
    assert_non_null(strstr(told, "building 8 kernels for"));
    play_and_end(&f, 0);
    assert_int_equal(setenv("CONVOY_COMPILE_HELPER", "/bin/false", 1), 0); /* marked: there is no process */
    begin(&f, 2);
    assert_string_equal(told, "");
    play_and_end(&f, 0);
    assert_int_equal(unsetenv("CONVOY_COMPILE_HELPER"), 0);
}

static void test_one_process(void **state)
{
    fixture f;
    need_pocl(state);
    begin(&f, 1);
    play_and_end(&f, PROGRAMS);
}

/* Where the processes fail, this one compiles. */
static void test_failure(void **state)
{
    fixture f;
    need_pocl(state);
    assert_int_equal(setenv("CONVOY_COMPILE_HELPER", "/bin/false", 1), 0);
    begin(&f, 2);
    assert_int_equal(unsetenv("CONVOY_COMPILE_HELPER"), 0);
    play_and_end(&f, PROGRAMS);
}

/* A fused range, once it is ready, is compiled. */
static void test_fused(void **state)
{
    fixture f;
    need_pocl(state);
    begin(&f, 2);
    ctx->fused = FUSED_IF_FASTER;
    ctx->fuse_after = 0;
    OK(rt_list_fuse(f.list, 0, PROGRAMS, err));
    fused_range *r = f.list->fused;
    assert_non_null(r);
    OK(rt_list_play(f.list, 0, PROGRAMS, err));
    assert_int_equal(r->state, FUSE_COMPILES);
    for (double start = clock_seconds(); r->state == FUSE_COMPILES && clock_seconds() - start < 60;) {
        OK(rt_list_play(f.list, 0, PROGRAMS, err));
        OK(rt_finish(ctx, err));
    }
    assert_int_equal(r->state, FUSE_READY);
    ctx->fused = FUSED_ALWAYS;
    play_and_end(&f, 0);
}

/* How far it is, is told while it runs. */
static void test_progress(void **state)
{
    enum { LAUNCHES = 3 };
    static const size_t size = 64, group = 16;
    fixture f;
    compile_job *job;
    need_pocl(state);
    begin(&f, 1);
    OK(compile_job_create(ctx, &job, err));
    compile_job_add(job, rt_kernel_source("selftest_items"), LAUNCHES);
    for (int i = 0; i < LAUNCHES; i++) {
        const rt_arg args[] = {RT_BUFFER(f.x[0]), RT_BUFFER(f.x[1]), RT_FLOAT(1), RT_INT(64)};
        compile_job_add_launch(job, f.list, &(compile_launch){"negate", 1, &size, &group, args, 4, NULL});
    }
    assert_int_equal(compile_job_kernels(job), LAUNCHES);
    assert_true(compile_job_start(job));
    compile_state at = COMPILE_RUNS;
    for (double start = clock_seconds(); at == COMPILE_RUNS && clock_seconds() - start < 60;)
        at = compile_job_poll(job);
    assert_int_equal(at, COMPILE_DONE);
    assert_int_equal(compile_job_built(job), LAUNCHES);
    compile_job_destroy(job);
    play_and_end(&f, PROGRAMS);
}

static void test_settings(void **state)
{
    static const char *const wrong[] = {"", "0", "-1", "two", "2x", "1025"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(setenv("CONVOY_COMPILERS", wrong[i], 1), 0);
        REFUSED(convoy_context_create(NULL, &ctx, err), CONVOY_ERROR_ARGUMENT, "CONVOY_COMPILERS");
    }
    assert_int_equal(setenv("CONVOY_COMPILERS", "5", 1), 0);
    OK(convoy_context_create(NULL, &ctx, err));
    assert_int_equal(ctx->compilers, 5);
    convoy_context_destroy(ctx);
    assert_int_equal(unsetenv("CONVOY_COMPILERS"), 0);
}

static int open_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && setenv("POCL_CACHE_DIR", folder, 1) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings), cmocka_unit_test(test_parts), cmocka_unit_test(test_one_process),
                                       cmocka_unit_test(test_failure), cmocka_unit_test(test_fused),
                                       cmocka_unit_test(test_progress)};
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
