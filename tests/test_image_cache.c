/* The cache of decoded images: used again, made anew when anything changed or is damaged, kept small, done without. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "config.h"
#include "data/data.h"
#include "data_help.h"

#define ENTRIES ".cache/convoy/images"
#define NAME_SIZE 512
#define ROW (6 * 6 * 3)

static char said[4096]; /* the messages of the last opening, one after another */
static int messages;

static void on_message(void *user, const char *text)
{
    (void)user;
    messages++;
    snprintf(said, sizeof said, "%s", text);
}

static void put_golden(const char *name, const char *from)
{
    char path[PATH_MAX], *bytes = NULL;
    size_t size;
    snprintf(path, sizeof path, "%s/images/%s", TEST_GOLDEN_DIR, from);
    assert_int_equal(file_read(path, 65536, &bytes, &size, NULL), CONVOY_OK);
    put(name, bytes, size);
    free(bytes);
}

/* Eight images in two classes, one of which can't be read. */
static int make_images(void **state)
{
    if (set_up(state) != 0)
        return 1;
    how = (convoy_dataset_options){.height = 6, .width = 6, .channels = 3, .on_message = on_message};
    messages = 0;
    said[0] = '\0';
    assert_int_equal(mkdir(at("set"), 0777), 0);
    assert_int_equal(mkdir(at("set/a"), 0777), 0);
    assert_int_equal(mkdir(at("set/b"), 0777), 0);
    put_golden("set/a/1.png", "rgb.png");
    put_golden("set/a/2.jpg", "rgb.jpg");
    put_golden("set/a/3.png", "interlaced.png");
    put_golden("set/a/4.jpg", "turned_3.jpg");
    put_golden("set/b/1.jpg", "grey.jpg");
    put_golden("set/b/2.png", "rgb16.png");
    put_golden("set/b/3.jpg", "cmyk.jpg");
    put("set/b/4.png", "no image", 8);
    how.test_split = 0.25;
    return 0;
}

/* Counts the entries; the name of the last one seen goes to `name` (may be NULL). */
static int entries(char *name)
{
    int count = 0;
    DIR *d = opendir(at(ENTRIES));
    if (d == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (entry->d_name[0] != '.') {
            count++;
            if (name != NULL)
                snprintf(name, NAME_SIZE, "%s/%s", ENTRIES, entry->d_name);
        }
    closedir(d);
    return count;
}

/* Opens the training part; `decoded` images must have been decoded for it. */
static convoy_dataset *train_part(size_t decoded)
{
    convoy_dataset *set = opened(at("set"), "train");
    assert_int_equal(set->decoded, decoded);
    return set;
}

static void assert_same(const convoy_dataset *a, const convoy_dataset *b)
{
    const char *first_a, *first_b;
    assert_int_equal(convoy_dataset_count(a), convoy_dataset_count(b));
    assert_memory_equal(convoy_dataset_images(a), convoy_dataset_images(b), convoy_dataset_count(a) * ROW);
    assert_memory_equal(convoy_dataset_labels(a), convoy_dataset_labels(b), convoy_dataset_count(a) * sizeof(int32_t));
    assert_int_equal(convoy_dataset_skipped(a, &first_a), convoy_dataset_skipped(b, &first_b));
    assert_int_equal(first_a == NULL, first_b == NULL);
    if (first_a != NULL)
        assert_string_equal(first_a, first_b);
    assert_string_equal(convoy_dataset_class_name(a, 1), convoy_dataset_class_name(b, 1));
}

/* What must be there however it was read: as it is without the cache. */
static void check_and_free(convoy_dataset *set)
{
    how.no_image_cache = true;
    convoy_dataset *plain = train_part(6);
    how.no_image_cache = false;
    assert_same(set, plain);
    convoy_dataset_destroy(plain);
    convoy_dataset_destroy(set);
}

/* ---- used again ---- */

static void test_second_opening(void **state)
{
    (void)state;
    convoy_dataset *first = train_part(6);
    assert_int_equal(entries(NULL), 1);
    convoy_dataset *second = train_part(0);
    assert_same(first, second);
    convoy_dataset_destroy(first);
    check_and_free(second);
    convoy_dataset *test = opened(at("set"), "test"); /* other images: an entry of their own */
    assert_int_equal(test->decoded, 2);
    assert_int_equal(entries(NULL), 2);
    convoy_dataset *again = opened(at("set"), "test");
    assert_int_equal(again->decoded, 0);
    assert_same(test, again);
    assert_int_equal(convoy_dataset_skipped(test, NULL) + convoy_dataset_count(test), 2);
    convoy_dataset_destroy(test);
    convoy_dataset_destroy(again);
    assert_int_equal(messages, 0);
    assert_int_equal(chdir(folder), 0); /* the same folder by another path */
    again = opened("./set", "train");
    assert_int_equal(again->decoded, 0);
    convoy_dataset_destroy(again);
    again = opened(at("set/"), "train");
    assert_int_equal(again->decoded, 0);
    convoy_dataset_destroy(again);
    assert_int_equal(chdir("/"), 0);
}

/* Slices share the pixels, which outlive the set and its entry. */
static void test_slices_outlive(void **state)
{
    (void)state;
    char name[NAME_SIZE];
    convoy_dataset_destroy(train_part(6));
    convoy_dataset *set = train_part(0), *rest = NULL;
    uint8_t last[ROW];
    size_t count = convoy_dataset_count(set);
    memcpy(last, convoy_dataset_images(set) + (count - 1) * ROW, ROW);
    assert_int_equal(convoy_dataset_slice(set, 2, 0, &rest, NULL), CONVOY_OK);
    assert_ptr_equal(convoy_dataset_images(rest), convoy_dataset_images(set) + 2 * ROW);
    convoy_dataset_destroy(set);
    assert_int_equal(entries(name), 1);
    assert_int_equal(unlink(at(name)), 0);
    assert_memory_equal(convoy_dataset_images(rest) + (count - 3) * ROW, last, ROW);
    convoy_dataset_destroy(rest);
}

/* ---- made anew ---- */

static void test_changes(void **state)
{
    (void)state;
    convoy_dataset_destroy(train_part(6));
    /* Any of its files written again, with the same size and bytes, at another time. */
    const char *paths[] = {"set/a/1.png", "set/a/2.jpg", "set/a/3.png", "set/a/4.jpg"};
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000, .tv_nsec = 7}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(utimensat(AT_FDCWD, at(paths[i]), times, 0), 0);
    check_and_free(train_part(6));
    assert_int_equal(entries(NULL), 2);
    check_and_free(train_part(0));
    put_golden("set/a/1.png", "grey.png"); /* other bytes */
    for (int i = 0; i < 4; i++)
        put_golden(paths[i], "grey.png");
    check_and_free(train_part(6));
    assert_int_equal(entries(NULL), 3);
    put_golden("set/a/5.png", "rgba.png"); /* one more */
    convoy_dataset_destroy(train_part(7));
    assert_int_equal(entries(NULL), 4);
    assert_int_equal(rename(at("set/b"), at("set/c")), 0); /* another class name, of the same files */
    convoy_dataset *set = train_part(7);
    assert_string_equal(convoy_dataset_class_name(set, 1), "c");
    convoy_dataset_destroy(set);
    how.width = 7;
    set = train_part(7);
    assert_int_equal(convoy_dataset_shape(set).dim[1], 7);
    convoy_dataset_destroy(set);
    how.seed = 3;
    set = opened(at("set"), "test");
    convoy_dataset_destroy(set);
    assert_int_equal(messages, 0);
}

/* Unlike put, without waiting for the disk. */
static void write_fast(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(at(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void overwrite(const char *name, long offset, const void *bytes, size_t size)
{
    FILE *f = fopen(at(name), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

/* Damage of every kind: the images are right all the same, and the next opening finds a good entry. */
static void test_damage(void **state)
{
    (void)state;
    char name[NAME_SIZE], *whole = NULL;
    size_t size;
    convoy_dataset_destroy(train_part(6));
    assert_int_equal(entries(name), 1);
    assert_int_equal(file_read(at(name), SIZE_MAX, &whole, &size, NULL), CONVOY_OK);
    for (size_t flip = 0; flip < size; flip += flip < 56 || flip >= 4096 ? 3 : 4040) {
        char other = (char)(whole[flip] ^ 0x80);
        if (flip >= 56 && flip < 4096)
            continue; /* between the header and the pixels is nothing */
        write_fast(name, whole, size);
        overwrite(name, (long)flip, &other, 1);
        convoy_dataset *set = opened(at("set"), "train");
        if (set->decoded != 6)
            fail_msg("a change of byte %zu of %zu was not noticed", flip, size);
        convoy_dataset_destroy(set);
        convoy_dataset_destroy(train_part(0));
    }
    const size_t lengths[] = {0, 1, 55, 4095, 4096, size / 2, size - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        write_fast(name, whole, lengths[i]);
        check_and_free(train_part(6));
        check_and_free(train_part(0));
    }
    overwrite(name, -1, "xx", 2); /* one byte more than it should have, and another last one */
    check_and_free(train_part(6));
    assert_int_equal(unlink(at(name)), 0);
    assert_int_equal(mkfifo(at(name), 0666), 0); /* does not block */
    check_and_free(train_part(6));
    free(whole);
}

/* ---- kept small ---- */

static void make_older(const char *name, int seconds)
{
    struct timespec now, times[2];
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= seconds;
    times[0] = times[1] = now;
    assert_int_equal(utimensat(AT_FDCWD, at(name), times, 0), 0);
}

static void test_trimming(void **state)
{
    (void)state;
    char oldest[NAME_SIZE];
    convoy_dataset_destroy(train_part(6));
    assert_int_equal(entries(oldest), 1);
    make_older(oldest, 5000);
    how.width = 5;
    convoy_dataset_destroy(train_part(6)); /* a second entry: both fit */
    assert_int_equal(entries(NULL), 2);
    how.width = 6;
    convoy_dataset_destroy(train_part(0)); /* the oldest is used, and is not the oldest any more */
    how.image_cache_bytes = 30000;         /* room for two: each takes 2 to 4 blocks of 4096 bytes */
    for (int width = 7; width < 12; width++) {
        how.width = width;
        convoy_dataset_destroy(train_part(6));
        how.width = 6;
        convoy_dataset_destroy(train_part(0)); /* in use: stays */
        assert_uint_in_range(entries(NULL), 2, 5);
    }
    how.width = 5;
    convoy_dataset_destroy(train_part(6)); /* went long ago */
    struct stat info;
    long total = 0;
    DIR *d = opendir(at(ENTRIES));
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", ENTRIES, entry->d_name);
        if (entry->d_name[0] != '.' && stat(at(path), &info) == 0)
            total += info.st_blocks * 512;
    }
    closedir(d);
    assert_uint_in_range(total, 1, 30000);
    assert_int_equal(messages, 0);
}

static void test_leftovers(void **state)
{
    (void)state;
    convoy_dataset_destroy(train_part(6));
    put(ENTRIES "/0123456789abcdef.AbCdEf", "half", 4);
    put(ENTRIES "/0123456789abcdee.AbCdEf", "half", 4);
    put(ENTRIES "/notes.txt", "mine", 4);
    make_older(ENTRIES "/0123456789abcdef.AbCdEf", 90000);
    make_older(ENTRIES "/notes.txt", 90000);
    how.width = 5;
    how.image_cache_bytes = 20000;
    convoy_dataset_destroy(train_part(6));
    assert_int_equal(access(at(ENTRIES "/0123456789abcdef.AbCdEf"), F_OK), -1);
    assert_int_equal(access(at(ENTRIES "/0123456789abcdee.AbCdEf"), F_OK), 0); /* may be in the making */
    assert_int_equal(access(at(ENTRIES "/notes.txt"), F_OK), 0);              /* is none of ours */
}

/* ---- done without ---- */

static void expect_message(const char *part)
{
    assert_int_equal(messages, 1);
    if (strstr(said, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, said);
    messages = 0;
}

static void test_off(void **state)
{
    (void)state;
    how.no_image_cache = true;
    convoy_dataset_destroy(train_part(6));
    convoy_dataset_destroy(train_part(6));
    assert_int_equal(access(at(".cache"), F_OK), -1);
    assert_int_equal(messages, 0);
}

static void test_nowhere(void **state)
{
    (void)state;
    put(".cache", "in the way", 10); /* root may write everywhere, but not below a file */
    check_and_free(train_part(6));
    expect_message("decoded images are not kept: ");
    assert_non_null(strstr(said, ".cache"));
    assert_int_equal(unlink(at(".cache")), 0);
    assert_int_equal(mkdir(at(".cache"), 0777), 0);
    assert_int_equal(mkdir(at(".cache/convoy"), 0777), 0);
    assert_int_equal(symlink("/dev/full", at(".cache/convoy/images")), 0);
    check_and_free(train_part(6));
    expect_message("is not a folder");
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    check_and_free(train_part(6));
    if (home != NULL)
        setenv("HOME", home, 1);
    free(home);
    expect_message("neither XDG_CACHE_HOME nor HOME");
    setenv("XDG_CACHE_HOME", at("set/a/1.png"), 1);
    how.on_message = NULL; /* nobody listens */
    check_and_free(train_part(6));
    assert_int_equal(messages, 0);
}

/* A disk that takes no more: the limit of a file's size fails as such a disk does. */
static void test_full_disk(void **state)
{
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    convoy_dataset *set = train_part(6);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    expect_message("no room for ");
    assert_int_equal(entries(NULL), 0); /* nothing half made is left */
    check_and_free(set);
    how.image_cache_bytes = 5000;
    check_and_free(train_part(6));
    expect_message("more than the 5000 bytes that are kept");
    assert_int_equal(entries(NULL), 0);
}

/* What can't be opened now may be there the next time, and nothing about the file's entry need change. */
static void test_missing_files(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "set/a/link %d.png", i);
        assert_int_equal(symlink(at("elsewhere"), at(name)), 0);
    }
    convoy_dataset *set = opened(at("set"), "train");
    assert_true(convoy_dataset_skipped(set, NULL) >= 3);
    convoy_dataset_destroy(set);
    assert_int_equal(entries(NULL), 0);
    assert_int_equal(messages, 0);
    put_golden("elsewhere", "rgb.png");
    set = opened(at("set"), "train");
    assert_true(convoy_dataset_skipped(set, NULL) <= 1);
    convoy_dataset_destroy(set);
    assert_int_equal(entries(NULL), 1);
}

/* Several processes at once: each gets all images, and one good entry is left. */
static void test_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 6 };
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        convoy_dataset *set = NULL;
        bool well = true;
        for (int n = 0; n < 5; n++) {
            well = well && convoy_dataset_open_with(at("set"), "train", &how, &set, NULL) == CONVOY_OK &&
                   convoy_dataset_count(set) + convoy_dataset_skipped(set, NULL) == 6 && messages == 0;
            convoy_dataset_destroy(set);
            set = NULL;
        }
        _exit(well ? 0 : 1);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(entries(NULL), 1);
    check_and_free(train_part(0));
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, make_images, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_second_opening), CACHE_TEST(test_slices_outlive), CACHE_TEST(test_changes),
        CACHE_TEST(test_damage),         CACHE_TEST(test_trimming),       CACHE_TEST(test_leftovers),
        CACHE_TEST(test_off),            CACHE_TEST(test_nowhere),        CACHE_TEST(test_full_disk),
        CACHE_TEST(test_missing_files),  CACHE_TEST(test_at_once),
    };
#ifndef HAVE_IMAGES
    print_message("[  SKIP  ] image_cache: this build reads no images\n");
    return 77; /* as meson knows it */
#endif
    return cmocka_run_group_tests_name("image_cache", tests, NULL, NULL);
}
