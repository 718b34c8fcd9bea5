/* Tuning records: their files, whom they are for, and which of several answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "ops/conv2d/variant.h"
#include "runtime/internal.h"

#include "assert_ok.h"

static char folder[] = "/tmp/convoy-records-XXXXXX";
static char data_folder[64], path[PATH_MAX];

#define KEY "conv2d forward 9x9x16 3x3x32 stride 1x1 dilation 1x1 pad 0x0 out 7x7 batch "

/* ---- helpers ---- */

static convoy_context *open_with(const char *tuning, unsigned width)
{
    convoy_context *ctx = NULL;
    convoy_context_options o = {.cache_dir = folder, .tuning = tuning, .vector_width = width};
    OK(convoy_context_create(&o, &ctx, err));
    return ctx;
}

static convoy_context *open_context(void) { return open_with("on", 0); }

static void expect_record(const convoy_context *ctx, const char *key, const char *value)
{
    const char *found = rt_record_find(ctx, key);
    if (value == NULL && found != NULL)
        fail_msg("%s has the record '%s'; none was expected", key, found);
    if (value != NULL) {
        assert_non_null(found);
        assert_string_equal(found, value);
    }
}

static void learn(const char *key, const char *value)
{
    convoy_context *ctx = open_context();
    OK(rt_record_learn(ctx, key, value, 12.34, err));
    OK(rt_records_save(ctx, path, sizeof path, err));
    convoy_context_destroy(ctx);
}

/* The user's file, until the next call. */
static const char *read_file(void)
{
    static char text[1 << 18];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void write_file(const char *name, const char *text) { OK(file_write(name, text, strlen(text), err)); }

/* Replaces the first `from` in the user's file. */
static void edit(const char *from, const char *to)
{
    const char *text = read_file(), *at = strstr(text, from);
    assert_non_null(at);
    size_t size = strlen(text) + strlen(to) + 1;
    char *edited = malloc(size);
    assert_non_null(edited);
    snprintf(edited, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    write_file(path, edited);
    free(edited);
}

static int forget_all(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s/* && mkdir %s", folder, data_folder);
    setenv("CONVOY_DATA_DIR", data_folder, 1);
    unsetenv("CONVOY_TUNING");
    return system(command);
}

/* ---- the user's file ---- */

static void test_round_trip(void **state)
{
    (void)state;
    convoy_context *ctx = open_context();
    OK(rt_record_learn(ctx, "a", "vec VW=4 PIXELS=3", 1234.56, err));
    OK(rt_record_learn(ctx, "b", "first", 1, err));
    OK(rt_record_learn(ctx, "b", "second", 2, err));
    OK(rt_record_mark_bad(ctx, "a", "vec VW=8 PIXELS=1", err));
    OK(rt_record_mark_bad(ctx, "a", "vec VW=8 PIXELS=2", err));
    expect_record(ctx, "b", "second"); /* at once */
    OK(rt_records_save(ctx, path, sizeof path, err));
    assert_int_equal(strncmp(path, folder, strlen(folder)), 0);
    convoy_context_destroy(ctx);

    ctx = open_context();
    expect_record(ctx, "a", "vec VW=4 PIXELS=3");
    expect_record(ctx, "b", "second");
    expect_record(ctx, "c", NULL);
    assert_true(rt_record_is_bad(ctx, "a", "vec VW=8 PIXELS=1"));
    assert_true(rt_record_is_bad(ctx, "a", "vec VW=8 PIXELS=2"));
    assert_false(rt_record_is_bad(ctx, "a", "vec VW=8 PIXELS=3"));
    assert_false(rt_record_is_bad(ctx, "b", "vec VW=8 PIXELS=1"));
    convoy_context_destroy(ctx);

    const char *text = read_file();
    assert_int_equal(strncmp(text, "# convoy tuning records, format 1\n# device: ", 44), 0);
    assert_non_null(strstr(text, "\na\tvec VW=4 PIXELS=3\t1234.6\n"));
    assert_non_null(strstr(text, "\n!a\tvec VW=8 PIXELS=1\t0.0\n"));
    assert_null(strstr(text, "first"));
}

static void test_off_and_other_widths(void **state)
{
    (void)state;
    learn("a", "here");
    convoy_context *ctx = open_with("off", 0);
    expect_record(ctx, "a", NULL);
    OK(rt_record_set(ctx, "a", "own", err)); /* what the program sets itself holds all the same */
    expect_record(ctx, "a", "own");
    convoy_context_destroy(ctx);

    ctx = open_context();
    unsigned other = rt_vector_width(ctx) == 4 ? 8 : 4;
    expect_record(ctx, "a", "here");
    convoy_context_destroy(ctx);
    ctx = open_with("on", other);
    expect_record(ctx, "a", NULL);
    convoy_context_destroy(ctx);

    setenv("CONVOY_TUNING", "off", 1);
    ctx = open_with(NULL, 0);
    expect_record(ctx, "a", NULL);
    convoy_context_destroy(ctx);
    ctx = open_with("on", 0); /* the option wins */
    expect_record(ctx, "a", "here");
    convoy_context_destroy(ctx);
}

static void test_unknown_values(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    assert_int_equal(convoy_context_create(&(convoy_context_options){.tuning = "yes"}, &ctx, &err), CONVOY_ERROR_ARGUMENT);
    assert_string_equal(err.message, "tuning: 'yes' is not known; use on or off");
    setenv("CONVOY_TUNING", "1", 1);
    assert_int_equal(convoy_context_create(NULL, &ctx, &err), CONVOY_ERROR_ARGUMENT);
    assert_string_equal(err.message, "CONVOY_TUNING: '1' is not known; use on or off");
}

static void test_lines_that_are_no_records(void **state)
{
    (void)state;
    char *long_line = calloc(1, 70000);
    assert_non_null(long_line);
    learn("a", "kept");
    const char *text = read_file();
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    memset(long_line, 'x', 69999);
    fprintf(f, "%snot a record\n\nb\tno number\nc\tv\t\nd\tv\tnan\ne\tv\t-1\nf\tv\t1e9\ng\tv\t1.2.3\nh\tv\t3 \n", text);
    fprintf(f, "\tno key\t1.0\ni\t\t1.0\nj\tv\t99999999999999999999999999\n%s\tv\t1.0\nk\t%s\t1.0\nl\tbell\a\t1.0\n", long_line,
            long_line);
    fprintf(f, "m\t\xff\xfe\t1.0\nn\tdos\t7\r\n# o\tv\t1.0\np\ttwice\t1.0\np\tagain\t1.0\nq\tcut off\t1");
    fclose(f);
    convoy_context *ctx = open_context();
    for (const char *key = "bcdefghijklm"; *key; key++)
        expect_record(ctx, (char[]){*key, '\0'}, NULL);
    expect_record(ctx, "", NULL);
    expect_record(ctx, long_line, NULL);
    expect_record(ctx, "# o", NULL);
    expect_record(ctx, "a", "kept");
    expect_record(ctx, "n", "dos");
    expect_record(ctx, "p", "again");
    expect_record(ctx, "q", "cut off");
    convoy_context_destroy(ctx);
    free(long_line);
}

static void test_files_for_something_else(void **state)
{
    (void)state;
    static const char *const edits[][2] = {
        {"format 1", "format 2"}, {"# convoy", "# Convoy"}, {"# device: ", "# device: another, "}, {"# device", "# class"}};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        learn("a", "here");
        edit(edits[i][0], edits[i][1]);
        convoy_context *ctx = open_context();
        expect_record(ctx, "a", NULL);
        convoy_context_destroy(ctx);
        learn("b", "new"); /* takes its place */
        ctx = open_context();
        expect_record(ctx, "a", NULL);
        expect_record(ctx, "b", "new");
        convoy_context_destroy(ctx);
        unlink(path);
    }
    OK(file_write(path, "", 0, err));
    convoy_context_destroy(open_context());
    unlink(path);
    assert_int_equal(mkdir(path, 0777), 0);
    convoy_context *ctx = open_context();
    convoy_error err = {0};
    OK(rt_record_learn(ctx, "a", "v", 1, err));
    assert_int_equal(rt_records_save(ctx, path, sizeof path, &err), CONVOY_ERROR_FILE);
    assert_non_null(strstr(err.message, "is a folder"));
    convoy_context_destroy(ctx);
}

static void test_two_share_a_file(void **state)
{
    (void)state;
    convoy_context *one = open_context(), *other = open_context();
    OK(rt_record_learn(one, "a", "one", 1, err));
    OK(rt_record_learn(other, "b", "other", 1, err));
    OK(rt_records_save(one, path, sizeof path, err));
    OK(rt_records_save(other, path, sizeof path, err));
    convoy_context_destroy(one);
    convoy_context_destroy(other);
    one = open_context();
    expect_record(one, "a", "one");
    expect_record(one, "b", "other");
    convoy_context_destroy(one);
}

static void test_no_cache_folder(void **state)
{
    (void)state;
    convoy_context *ctx = NULL;
    OK(convoy_context_create(&(convoy_context_options){.cache_dir = ""}, &ctx, err));
    OK(rt_record_learn(ctx, "a", "v", 1, err));
    OK(rt_records_save(ctx, path, sizeof path, err));
    assert_string_equal(path, "");
    convoy_context_destroy(ctx);
}

/* ---- the order of the sources, and what ships ---- */

static void ship(const convoy_context *ctx, const char *head, const char *records)
{
    char name[PATH_MAX], text[2048];
    snprintf(name, sizeof name, "%s/tune", data_folder);
    OK(file_make_folder(name, err));
    snprintf(name, sizeof name, "%s/tune/%s.txt", data_folder, rt_device_class(ctx));
    snprintf(text, sizeof text, "# convoy tuning records, format 1\n# class: %s\n%s%s", rt_device_class(ctx), head, records);
    write_file(name, text);
}

static void test_sources(void **state)
{
    (void)state;
    convoy_context *ctx = open_context();
    unsigned width = rt_vector_width(ctx), other = width == 4 ? 8 : 4;
    ship(ctx, "", "a\tshipped\t1.0\nb\tshipped\t1.0\nc\tshipped\t1.0\n!d\tshipped\t1.0\n");
    expect_record(ctx, "a", NULL); /* read when a context is created */
    convoy_context_destroy(ctx);
    learn("a", "user");
    learn("b", "user");
    ctx = open_context();
    OK(rt_record_set(ctx, "a", "own", err));
    expect_record(ctx, "a", "own");
    expect_record(ctx, "b", "user");
    expect_record(ctx, "c", "shipped");
    assert_false(rt_record_is_bad(ctx, "d", "shipped"));
    OK(rt_record_set(ctx, "a", NULL, err));
    expect_record(ctx, "a", "user");
    OK(rt_record_set(ctx, "a", NULL, err));
    expect_record(ctx, "a", "user");
    convoy_context_destroy(ctx);
    ctx = open_with("off", 0);
    expect_record(ctx, "c", NULL);
    convoy_context_destroy(ctx);
    ctx = open_with("on", other); /* another class */
    assert_string_not_equal(rt_device_class(ctx), width == 4 ? "cpu-4" : width == 8 ? "cpu-8" : "cpu-16");
    expect_record(ctx, "c", NULL);
    convoy_context_destroy(ctx);
    assert_null(strstr(read_file(), "shipped")); /* the user's file has the user's alone */
}

static void test_shipped_for_a_like_number_of_units(void **state)
{
    (void)state;
    convoy_context *ctx = open_context();
    unsigned units = convoy_context_device(ctx)->compute_units;
    struct { unsigned units; bool used; } rows[] = {{units, true}, {units * 4, true}, {units * 4 + 1, false}, {0, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char head[64];
        snprintf(head, sizeof head, "# compute units: %u\n", rows[i].units);
        ship(ctx, head, "a\tshipped\t1.0\n");
        convoy_context *next = open_context();
        expect_record(next, "a", rows[i].used ? "shipped" : NULL);
        convoy_context_destroy(next);
    }
    convoy_context_destroy(ctx);
}

static void test_export(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_context *ctx = open_context();
    char name[PATH_MAX], *text = NULL;
    size_t size;
    const rt_record first[] = {{"a", "x", 1}, {"b", "y", 2}}, second[] = {{"b", "z", 3}};
    snprintf(name, sizeof name, "%s/tune", data_folder);
    OK(file_make_folder(name, err));
    snprintf(name, sizeof name, "%s/tune/%s.txt", data_folder, rt_device_class(ctx));
    OK(rt_records_export(ctx, name, "by hand", first, 2, err));
    OK(rt_records_export(ctx, name, "once more", second, 1, err));
    OK(file_read(name, 1 << 20, &text, &size, err));
    assert_null(strstr(text, convoy_context_device(ctx)->name));
    assert_non_null(strstr(text, "# how: once more\n"));
    convoy_context *next = open_context();
    expect_record(next, "a", "x");
    expect_record(next, "b", "z");
    convoy_context_destroy(next);
    write_file(name, "something else\n");
    assert_int_equal(rt_records_export(ctx, name, "h", first, 2, &err), CONVOY_ERROR_FILE);
    assert_non_null(strstr(err.message, "has no tuning records for"));
    convoy_context_destroy(ctx);
    free(text);
}

/* ---- other batch sizes ---- */

typedef struct asked {
    char seen[256];
    const char *wanted;
} asked;

static bool take(void *user, const char *value)
{
    asked *a = user;
    snprintf(a->seen + strlen(a->seen), sizeof a->seen - strlen(a->seen), "%s ", value);
    return a->wanted != NULL && strcmp(value, a->wanted) == 0;
}

static void expect_asked(const convoy_context *ctx, const char *key, const char *wanted, const char *seen)
{
    asked a = {.wanted = wanted};
    assert_int_equal(rt_record_choose(ctx, key, "general", take, &a), wanted != NULL);
    assert_string_equal(a.seen, seen);
}

static void test_nearest_batch(void **state)
{
    (void)state;
    static const char *const keys[] = {"k batch 8", "k batch 16", "k batch 64", "k batch 100", "k batch 512", "k batch x",
                                       "kk batch 32", "k batch 32 more", "k batch", "k batch 0"};
    convoy_context *ctx = open_context();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        OK(rt_record_set(ctx, keys[i], strrchr(keys[i], ' ') + 1, err));
    expect_asked(ctx, "k batch 64", "64", "64 ");
    expect_asked(ctx, "k batch 32", "16", "16 "); /* as far as 64 */
    expect_asked(ctx, "k batch 32", "64", "16 64 ");
    expect_asked(ctx, "k batch 32", NULL, "16 64 100 8 ");
    expect_asked(ctx, "k batch 64", NULL, "64 100 16 ");
    expect_asked(ctx, "k batch 2", "8", "8 ");
    expect_asked(ctx, "k batch 1", NULL, ""); /* eight times less */
    expect_asked(ctx, "k batch x", "x", "x ");
    expect_asked(ctx, "other batch 64", NULL, "");
    OK(rt_record_set(ctx, "general", "g", err));
    expect_asked(ctx, "k batch 1", "g", "g ");
    expect_asked(ctx, "k batch 512", "g", "512 g ");
    OK(rt_record_learn(ctx, "k batch 512", "user", 1, err));
    expect_asked(ctx, "k batch 512", "user", "512 g user "); /* all of one source before the next */
    convoy_context_destroy(ctx);
}

static void expect_choice(const convoy_context *ctx, const conv_problem *p, const char *text)
{
    char found[192];
    conv_choice choice;
    conv_choose(ctx, p, &choice);
    conv_choice_text(&choice, found, sizeof found);
    assert_string_equal(found, text);
}

static void test_dispatcher_takes_what_fits(void **state)
{
    (void)state;
    convoy_context *ctx = open_context();
    conv_shape s = {.height = 9, .width = 9, .in = 16, .out_height = 7, .out_width = 7, .out = 32, .kernel = {3, 3},
                    .stride = {1, 1}, .dilation = {1, 1}};
    conv_problem p = {CONV_FORWARD, &s, 8};
    conv_choice untuned;
    char text[192], key[192];
    conv_choose_untuned(ctx, &p, &untuned);
    conv_choice_text(&untuned, text, sizeof text);
    expect_choice(ctx, &p, text);
    if (!rt_wants_vectors(ctx))
        skip();
    conv_problem_key(&p, key, sizeof key);
    assert_string_equal(key, KEY "8");
    OK(rt_record_set(ctx, KEY "16", "vec_images VW=4 VECTORS=1 IMAGES=14", err)); /* more images than 8 */
    expect_choice(ctx, &p, text);
    OK(rt_record_set(ctx, KEY "32", "vec VW=4 VECTORS=3 PIXELS=6 TILES=2", err));
    expect_choice(ctx, &p, "vec VW=4 VECTORS=3 PIXELS=6 TILES=2");
    OK(rt_record_set(ctx, KEY "8", "vec VW=4 VECTORS=9 PIXELS=6 TILES=2", err)); /* more than 32 channels */
    expect_choice(ctx, &p, "vec VW=4 VECTORS=3 PIXELS=6 TILES=2");
    OK(rt_record_set(ctx, KEY "8", "vec VW=4 VECTORS=1", err)); /* not all parameters */
    expect_choice(ctx, &p, "vec VW=4 VECTORS=3 PIXELS=6 TILES=2");
    OK(rt_record_set(ctx, KEY "8", "plain", err));
    expect_choice(ctx, &p, "plain");
    convoy_context_destroy(ctx);
}

/* Few channels have no vectors: that is the plain kernels', and no kernel of vectors of one. */
static void test_depthwise_of_few_channels(void **state)
{
    (void)state;
    convoy_context *ctx = open_context();
    for (int pass = 0; pass < CONV_PASSES; pass++)
        for (int channels = 2; channels <= 9; channels++) {
            conv_shape s = {.height = 4, .width = 6, .in = channels, .out_height = 2, .out_width = 4, .out = channels, .groups = channels,
                            .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}};
            conv_problem p = {(conv_pass)pass, &s, 5};
            conv_choice c;
            conv_choose_untuned(ctx, &p, &c);
            if (strcmp(c.variant->name, "groups") != 0)
                assert_int_not_equal(c.params[0], 1);
            else
                assert_true(channels < 4 || !rt_wants_vectors(ctx));
        }
    convoy_context_destroy(ctx);
}

static void test_problem_keys(void **state)
{
    (void)state;
    conv_shape s = {.height = 9, .width = 8, .in = 7, .out_height = 6, .out_width = 5, .out = 4, .kernel = {3, 2},
                    .stride = {1, 2}, .dilation = {2, 1}, .pad = {1, 0}}, read;
    for (int i = 0; i < 2 * CONV_PASSES; i++) {
        int pass = i % CONV_PASSES;
        conv_problem p = {(conv_pass)pass, &s, 64}, q;
        s.groups = i < CONV_PASSES ? 0 : 7;
        char key[192], again[192];
        conv_problem_key(&p, key, sizeof key);
        assert_true(conv_problem_parse(key, &read, &q));
        conv_problem_key(&q, again, sizeof again);
        assert_string_equal(key, again);
        assert_int_equal(q.pass, pass);
        assert_int_equal(read.groups, s.groups);
        strcat(key, "0 ");
        assert_false(conv_problem_parse(key, &read, &q));
    }
    assert_false(conv_problem_parse("conv2d forward", &read, &(conv_problem){0}));
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(data_folder, sizeof data_folder, "%s/data", folder);
    return 0;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

#define TEST(f) cmocka_unit_test_setup(f, forget_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_off_and_other_widths),
        TEST(test_unknown_values),
        TEST(test_lines_that_are_no_records),
        TEST(test_files_for_something_else),
        TEST(test_two_share_a_file),
        TEST(test_no_cache_folder),
        TEST(test_sources),
        TEST(test_shipped_for_a_like_number_of_units),
        TEST(test_export),
        TEST(test_nearest_batch),
        TEST(test_dispatcher_takes_what_fits),
        TEST(test_depthwise_of_few_channels),
        TEST(test_problem_keys),
    };
    return cmocka_run_group_tests_name("records", tests, make_folder, remove_folder);
}
