/* Folders of images as they are met: with things in them that are no images, awkward names, pictures of extreme size, and many. */
#include <dirent.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "config.h"
#include "convoy/image.h"
#include "data/data.h"
#include "data_help.h"

static char *golden(const char *name, size_t *size)
{
    char path[PATH_MAX], *bytes = NULL;
    snprintf(path, sizeof path, "%s/images/%s", TEST_GOLDEN_DIR, name);
    assert_int_equal(file_read(path, 65536, &bytes, size, NULL), CONVOY_OK);
    return bytes;
}

static void put_golden(const char *name, const char *from)
{
    size_t size;
    char *bytes = golden(from, &size);
    put(name, bytes, size);
    free(bytes);
}

/* Two classes of three good images each. */
static int make_set(void **state)
{
    if (set_up(state) != 0)
        return 1;
    how = (convoy_dataset_options){.height = 4, .width = 4, .channels = 3, .test_split = 0.01};
    assert_int_equal(mkdir(at("a"), 0777), 0);
    assert_int_equal(mkdir(at("b"), 0777), 0);
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%d.png", i);
        put_golden(name, "rgb.png");
        snprintf(name, sizeof name, "b/%d.jpg", i);
        put_golden(name, "grey.jpg");
    }
    alarm(120); /* whatever blocks ends the program */
    return 0;
}

static int drop_set(void **state)
{
    alarm(0);
    return tear_down(state);
}

/* Both parts together. */
typedef struct totals {
    size_t count, skipped;
    char first[4096]; /* the message about one that was left out */
} totals;

static totals open_both(void)
{
    totals t = {0};
    for (int test = 0; test < 2; test++) {
        const char *first = NULL;
        convoy_dataset *set = opened(folder, test ? "test" : "train");
        t.count += convoy_dataset_count(set);
        t.skipped += convoy_dataset_skipped(set, &first);
        if (first != NULL)
            snprintf(t.first, sizeof t.first, "%s", first);
        convoy_dataset_destroy(set);
    }
    return t;
}

static void expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

/* ---- things that are no image files ---- */

static void test_folders_called_png(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("a/none.png"), 0777), 0);
    assert_int_equal(mkdir(at("b/some.jpg"), 0777), 0);
    put_golden("b/some.jpg/inside.png", "rgb.png");
    totals t = open_both();
    assert_int_equal(t.count, 7);
    assert_int_equal(t.skipped, 0);
    uint8_t out[48];
    convoy_error err = {0};
    assert_int_equal(convoy_image_read(at("a/none.png"), (convoy_shape){3, {4, 4, 3}}, out, &err), CONVOY_ERROR_FILE);
    expect_in(err.message, "a/none.png: not a regular file");
}

static void skipped_alone(const char *name, const char *why)
{
    totals t = open_both();
    assert_int_equal(t.count, 6);
    assert_int_equal(t.skipped, 1);
    expect_in(t.first, name);
    expect_in(t.first, why);
    assert_int_equal(unlink(at(name)), 0);
}

static void test_links(void **state)
{
    (void)state;
    assert_int_equal(symlink("nowhere", at("a/dangling.png")), 0);
    skipped_alone("a/dangling.png", "can't open: No such file");
    assert_int_equal(symlink("loop.png", at("a/loop.png")), 0);
    skipped_alone("a/loop.png", "can't open: Too many levels");
    assert_int_equal(symlink("../b", at("a/folder.png")), 0); /* not followed: it may lead back up */
    skipped_alone("a/folder.png", "not a regular file");
    assert_int_equal(symlink("../b/0.jpg", at("a/good.png")), 0);
    assert_int_equal(open_both().count, 7);
}

static void test_fifo(void **state)
{
    (void)state;
    uint8_t out[48];
    convoy_error err = {0};
    assert_int_equal(mkfifo(at("a/pipe.png"), 0666), 0);
    totals t = open_both(); /* is no file of the folder */
    assert_int_equal(t.count, 6);
    assert_int_equal(t.skipped, 0);
    assert_int_equal(convoy_image_read(at("a/pipe.png"), (convoy_shape){3, {4, 4, 3}}, out, &err), CONVOY_ERROR_FILE);
    expect_in(err.message, "a/pipe.png: not a regular file");
    assert_int_equal(symlink("pipe.png", at("a/to a pipe.png")), 0);
    skipped_alone("a/to a pipe.png", "not a regular file");
    assert_int_equal(symlink("/dev/zero", at("a/endless.png")), 0);
    skipped_alone("a/endless.png", "not a regular file");
}

static void test_unreadable(void **state)
{
    (void)state;
    put_golden("a/secret.png", "rgb.png");
    assert_int_equal(chmod(at("a/secret.png"), 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    /* root reads everything: be nobody until tear_down */
    if (geteuid() == 0 && seteuid(65534) != 0) {
        print_message("[  SKIP  ] test_unreadable: this user may read every file\n");
        skip();
    }
    how.no_image_cache = true;
    totals t = open_both();
    assert_int_equal(t.count, 6);
    assert_int_equal(t.skipped, 1);
    expect_in(t.first, "a/secret.png: can't open: Permission denied");
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(at("b"), 0), 0);
    if (getuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    refused(folder, "train", CONVOY_ERROR_FILE, "/b: can't open: Permission denied", NULL);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(at("b"), 0777), 0);
}

/* ---- classes ---- */

static void test_one_class(void **state)
{
    (void)state;
    char inner[PATH_MAX + 16];
    assert_int_equal(mkdir(at("outer"), 0777), 0);
    assert_int_equal(rename(at("a"), at("outer/a")), 0);
    assert_int_equal(rename(at("b"), at("outer/b")), 0);
    /* The folder above the one that is meant. */
    refused(folder, "train", CONVOY_ERROR_FORMAT, folder, "only one folder, 'outer'", "several classes", "give that folder",
            NULL);
    refused(folder, "test", CONVOY_ERROR_FORMAT, "only one folder, 'outer'", NULL);
    snprintf(inner, sizeof inner, "%s/outer", folder);
    convoy_dataset_destroy(opened(inner, "train"));
    assert_int_equal(rename(at("outer"), at("train")), 0);
    convoy_dataset_destroy(opened(folder, "train"));
    assert_int_equal(rename(at("train/b"), at("b")), 0);
    refused(folder, "train", CONVOY_ERROR_FORMAT, "/train", "only one folder, 'a'", NULL);
}

static void test_no_class(void **state)
{
    (void)state;
    char inner[PATH_MAX + 16];
    snprintf(inner, sizeof inner, "%s/a", folder); /* images, and no folder */
    refused(inner, "train", CONVOY_ERROR_FORMAT, "/a: no data here", "folders of PNG or JPEG images, one a class", NULL);
    assert_int_equal(mkdir(at("a/empty"), 0777), 0);
    refused(inner, "train", CONVOY_ERROR_FORMAT, "no data here", NULL);
}

/* ---- names ---- */

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"-rf", "a b  c", " ", "new\nline", "\t", "\xc3\xa9\xe2\x82\xac", "\xff\xfe", "'\"`$(x)\\",
                                        "%s%n", "*", "\x1b[2J", "CON"};
    char name[512], lengthy[256];
    size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "a/%s.png", names[i]);
        put_golden(name, "palette.png");
        snprintf(name, sizeof name, "%s", names[i]); /* and a class of that name */
        assert_int_equal(mkdir(at(name), 0777), 0);
        snprintf(name, sizeof name, "%s/1.JPEG", names[i]);
        put_golden(name, "rgb.jpg");
    }
    memset(lengthy, 'x', 255);
    memcpy(lengthy + 251, ".png", 5);
    FILE *f = fopen((snprintf(name, sizeof name, "a/%s", lengthy), at(name)), "wb"); /* put's own name would be longer */
    assert_non_null(f);
    fclose(f);
    totals t = open_both();
    assert_int_equal(t.count, 6 + 2 * count);
    assert_int_equal(t.skipped, 1);
    expect_in(t.first, lengthy);
    expect_in(t.first, "empty; a PNG or JPEG image is expected");
    convoy_dataset *set = opened(folder, "train");
    assert_int_equal(convoy_dataset_classes(set), 2 + count);
    assert_string_equal(convoy_dataset_class_name(set, (int)count + 1), "\xff\xfe");
    convoy_dataset_destroy(set);
}

/* ---- sizes ---- */

static uint32_t crc_of(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0u - (crc & 1)));
    }
    return ~crc;
}

static void put_big_endian(uint8_t *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(n >> (24 - 8 * i));
}

/* The same file, its header made to claim another size. */
static char *claim(const char *name, uint32_t width, uint32_t height, size_t *size)
{
    char *bytes = golden(name, size);
    uint8_t *at = (uint8_t *)bytes;
    if (strstr(name, ".png") != NULL) {
        put_big_endian(at + 16, width);
        put_big_endian(at + 20, height);
        put_big_endian(at + 29, crc_of(at + 12, 17));
        return bytes;
    }
    while (at[0] != 0xff || (at[1] != 0xc0 && at[1] != 0xc2))
        at++;
    at[5] = (uint8_t)(height >> 8), at[6] = (uint8_t)height, at[7] = (uint8_t)(width >> 8), at[8] = (uint8_t)width;
    return bytes;
}

static const char *const all_forms[] = {"rgb.png", "interlaced.png", "rgb16.png", "bilevel.png", "rgb.jpg", "progressive.jpg",
                                        "cmyk.jpg", "grey.jpg"};

/* Decodes in a process of its own, whose memory is measured; the status comes back. */
static convoy_status decode_apart(const char *bytes, size_t size, size_t *peak, char message[200])
{
    int ends[2], state = -1;
    struct rusage usage;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t out[48];
        convoy_error err = {0};
        char text[200] = "";
        convoy_status status = convoy_image_decode(bytes, size, (convoy_shape){3, {4, 4, 3}}, out, &err);
        snprintf(text, sizeof text, "%.199s", err.message);
        _exit(write(ends[1], text, sizeof text) == (ssize_t)sizeof text ? (int)status : 99);
    }
    assert_int_equal(wait4(child, &state, 0, &usage), child);
    assert_true(WIFEXITED(state));
    assert_int_equal(read(ends[0], message, 200), 200);
    close(ends[0]);
    close(ends[1]);
    *peak = (size_t)usage.ru_maxrss << 10;
    return (convoy_status)WEXITSTATUS(state);
}

/* A file of a few hundred bytes that claims many pixels takes little memory, whether it is refused by its size or found out to be
 * too short. */
static void test_claims(void **state)
{
    (void)state;
    size_t size, usual, peak;
    char message[200], *bytes = golden("rgb.png", &size);
    assert_int_equal(decode_apart(bytes, size, &usual, message), CONVOY_OK);
    free(bytes);
    for (size_t i = 0; i < sizeof all_forms / sizeof *all_forms; i++) {
        bytes = claim(all_forms[i], 20000, 20000, &size);
        assert_int_equal(decode_apart(bytes, size, &peak, message), CONVOY_ERROR_FORMAT);
        expect_in(message, "20000 x 20000 pixels; at most 100 million");
        if (peak > usual + (4 << 20))
            fail_msg("%s, 20000 x 20000: %zu bytes of memory, usually %zu", all_forms[i], peak, usual);
        free(bytes);
        bytes = claim(all_forms[i], 9999, 9999, &size);
        assert_int_equal(decode_apart(bytes, size, &peak, message), CONVOY_ERROR_FORMAT);
        expect_in(message, "truncated");
        if (peak > usual + (64 << 20))
            fail_msg("%s, 9999 x 9999: %zu bytes of memory, usually %zu", all_forms[i], peak, usual);
        free(bytes);
    }
}

/* One pixel, grown to any size: its colour everywhere. */
static void test_one_pixel(void **state)
{
    (void)state;
    /* 8-bit RGB, one row: no filter, then 200 100 50, in a stored block of zlib. */
    static const uint8_t data[] = {'I', 'D', 'A', 'T', 0x78, 0x01, 0x01, 4, 0, 0xfb, 0xff, 0, 200, 100, 50, 4, 0xe5, 1, 0x5f};
    static const uint8_t header[] = {'I', 'H', 'D', 'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0};
    uint8_t file[8 + 4 + sizeof header + 4 + 4 + sizeof data + 4 + 12], *at = file, out[5 * 9 * 3];
    memcpy(at, "\x89PNG\r\n\x1a\n", 8);
    at += 8;
    const uint8_t *chunks[] = {header, data, (const uint8_t *)"IEND"};
    const size_t sizes[] = {sizeof header, sizeof data, 4};
    for (int i = 0; i < 3; i++) {
        put_big_endian(at, (uint32_t)sizes[i] - 4);
        memcpy(at + 4, chunks[i], sizes[i]);
        put_big_endian(at + 4 + sizes[i], crc_of(chunks[i], sizes[i]));
        at += sizes[i] + 8;
    }
    uint32_t a = 1, b = 0; /* Adler's sum */
    for (int i = 11; i < 15; i++) {
        a += data[i];
        b += a;
    }
    uint8_t *sum = file + 8 + 4 + sizeof header + 4 + 4 + 15;
    put_big_endian(sum, b << 16 | a);
    put_big_endian(sum + 4, crc_of(file + 8 + 4 + sizeof header + 4 + 4, sizeof data));
    convoy_error err = {0};
    for (int height = 1; height <= 5; height += 4) {
        memset(out, 0, sizeof out);
        if (convoy_image_decode(file, sizeof file, (convoy_shape){3, {height, 9, 3}}, out, &err) != CONVOY_OK)
            fail_msg("%s", err.message);
        for (int i = 0; i < height * 9; i++)
            assert_memory_equal(out + 3 * i, ((uint8_t[]){200, 100, 50}), 3);
    }
    size_t size;
    char *bytes = claim("grey.jpg", 1, 1, &size);
    assert_int_equal(convoy_image_decode(bytes, size, (convoy_shape){3, {3, 3, 1}}, out, &err), CONVOY_OK);
    for (int i = 1; i < 9; i++)
        assert_int_equal(out[i], out[0]);
    free(bytes);
}

/* One long side: 1 x 65535, and beyond what is read. */
static void test_long_side(void **state)
{
    (void)state;
    size_t size, peak;
    char message[200], *bytes = claim("rgb.png", 65536, 1, &size);
    assert_int_equal(decode_apart(bytes, size, &peak, message), CONVOY_ERROR_FORMAT);
    expect_in(message, "65536 x 1 pixels");
    free(bytes);
    bytes = claim("rgb.png", 0, 1, &size);
    assert_int_equal(decode_apart(bytes, size, &peak, message), CONVOY_ERROR_FORMAT);
    free(bytes);
    bytes = claim("rgb.png", 0xffffffff, 0xffffffff, &size);
    assert_int_equal(decode_apart(bytes, size, &peak, message), CONVOY_ERROR_FORMAT);
    free(bytes);
}

/* ---- many files ---- */

/* Not getrusage's, which begins with what the program that started this one had. */
static size_t peak_memory(void) { return own_memory("VmHWM:"); }

/* 20,000 files, half of them good (links to one): what opening takes, and what a million would by that measure. */
static void test_many_files(void **state)
{
    (void)state;
    enum { FILES = 20000 };
    char name[64];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%c/image number %05d.png", i % 4 < 2 ? 'a' : 'b', i);
        if (i % 2 == 0) {
            assert_int_equal(link(at("a/0.png"), at(name)), 0);
            continue;
        }
        FILE *f = fopen(at(name), "wb");
        assert_non_null(f);
        fputc('x', f);
        fclose(f);
    }
    double took[3];
    size_t before = peak_memory();
    for (int run = 0; run < 3; run++) { /* without the cache; into it; from it */
        how.no_image_cache = run == 0;
        double start = clock_seconds();
        convoy_dataset *set = opened(folder, "train");
        took[run] = clock_seconds() - start;
        assert_int_equal(set->decoded == 0, run == 2);
        assert_uint_in_range(convoy_dataset_count(set) + convoy_dataset_skipped(set, NULL), 19500, FILES + 6);
        assert_uint_in_range(convoy_dataset_skipped(set, NULL), 9700, 10000);
        convoy_dataset_destroy(set);
    }
    size_t memory = peak_memory() - before;
    print_message("             20,000 files: %.2f s decoded, %.2f s with the cache filled, %.2f s from it; %zu bytes of memory a "
                  "file; a million: %.0f s, %.0f s, %.0f s and %zu MiB\n",
                  took[0], took[1], took[2], memory / FILES, 50 * took[0], 50 * took[1], 50 * took[2],
                  memory * 50 >> 20);
    assert_true(SANITIZED || memory / FILES < 1000);
    assert_true(took[2] < took[0]);
    assert_true(took[0] < 60);
}

#define TROUBLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_set, drop_set)

int main(void)
{
    mallopt(M_PERTURB, 0); /* meson has malloc fill what it gives, which would count as memory in use */
    const struct CMUnitTest tests[] = {
        TROUBLE_TEST(test_folders_called_png), TROUBLE_TEST(test_links),     TROUBLE_TEST(test_fifo),
        TROUBLE_TEST(test_unreadable),         TROUBLE_TEST(test_one_class), TROUBLE_TEST(test_no_class),
        TROUBLE_TEST(test_names),              TROUBLE_TEST(test_claims),    TROUBLE_TEST(test_one_pixel),
        TROUBLE_TEST(test_long_side),          TROUBLE_TEST(test_many_files),
    };
#ifndef HAVE_IMAGES
    print_message("[  SKIP  ] image_trouble: this build reads no images\n");
    return 77; /* as meson knows it */
#endif
    return cmocka_run_group_tests_name("image_trouble", tests, NULL, NULL);
}
