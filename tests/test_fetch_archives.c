/* Archives that are not what they should be, with a digest that fits: what is in them is looked at all the same. */
#include "config.h"
#include "fetch_help.h"

#ifdef HAVE_FETCH

static const struct archive {
    const char *name;
    bool is_tar;
    const char *message; /* NULL: it is sound */
    int files;
} archives[] = {
    {"good", true, NULL, 2},
    {"good_gnu", true, NULL, 2},
    {"good_pax", true, NULL, 2},
    {"good_optional", true, NULL, 3},
    {"one", false, NULL, 1},
    {"absolute", true, "'/tmp/convoy-fetch-evil' is not one of the data set's files", 0},
    {"parent", true, "'set/../../evil' is not one of the data set's files", 0},
    {"parent_of_known", true, "'set/../set/data.bin' is not one of the data set's files", 0},
    {"symbolic_link", true, "'set/data.bin' is a symbolic link", 0},
    {"folder_link", true, "'set' is a symbolic link", 0},
    {"hard_link", true, "'set/data.bin' is a link to another", 0},
    {"device", true, "'set/data.bin' is a device", 0},
    {"pipe", true, "'set/data.bin' is a pipe", 0},
    {"folder_for_file", true, "is a folder that is not expected there", 0},
    {"unexpected", true, "'set/.bashrc' is not one of the data set's files", 0},
    {"escape_codes", true, "'set/?[2J' is not one of", 0},
    {"long_name", true, "xxxx' is not one of", 0},
    {"elsewhere", true, "'other/data.bin' is not one of", 0},
    {"twice", true, "'set/data.bin' is there twice", 0},
    {"folders", true, "is a folder that is not expected there", 0},
    {"missing", true, "the file names.txt is missing in it", 0},
    {"too_large", true, "'set/data.bin' is larger than published", 0},
    {"too_small", true, "'data.bin' is smaller than published", 0},
    {"text_too_large", true, "'set/names.txt' is larger than published", 0},
    {"bomb", true, "'set/data.bin' is larger than published", 0},
    {"cut_short", true, "damaged, or not what it should be", 0},
    {"one_byte", true, "damaged, or not what it should be", 0},
    {"no_gzip", true, "not compressed by gzip", 0},
    {"no_tar", true, "damaged, or not what it should be", 0},
    {"one_bomb", false, "is larger than published", 0},
    {"one_short", false, "is smaller than published", 0},
    {"one_plain", false, "not compressed by gzip", 0},
};

static void test_archives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        const struct archive *a = &archives[i];
        convoy_error err = {0};
        described d;
        make_place(NULL);
        describe(&d, "plain", a->name, a->is_tar, i % 2 == 1);
        convoy_status status = get(&d, NULL, &err);
        if (a->message == NULL) {
            if (status != CONVOY_OK)
                fail_msg("%s: %s", a->name, err.message);
            expect_set(a->files);
        } else {
            print_message("  %-16s %s\n", a->name, err.message);
            assert_int_equal(status, CONVOY_ERROR_FORMAT);
            expect_message(&err, a->message);
            assert_int_equal(entries(place), 0); /* neither the archive nor anything from it */
        }
        remove_place(NULL);
    }
    assert_false(file_exists("/tmp/convoy-fetch-evil"));
    assert_false(file_exists("/tmp/evil"));
}

/* Reaching for a file through a link that lies where we unpack. */
static void test_planted_link(void **state)
{
    (void)state;
    convoy_error err = {0};
    described d;
    char victim[128];
    describe(&d, "plain", "good", true, false);
    snprintf(victim, sizeof victim, "%s/victim", server.folder);
    assert_int_equal(file_write(victim, "precious", 8, NULL), CONVOY_OK);
    assert_int_equal(mkdir(in_place("small.part"), 0777), 0);
    assert_int_equal(symlink(victim, in_place("small.part/good.tar.gz")), 0);
    assert_int_equal(get(&d, NULL, &err), CONVOY_ERROR_FILE);
    expect_message(&err, "small.part/good.tar.gz: can't write");
    assert_int_equal(size_of(victim), 8);
}

/* What a killed process left half unpacked does not get in the way. */
static void test_left_from_a_killed_process(void **state)
{
    (void)state;
    convoy_error err = {0};
    described d;
    describe(&d, "plain", "good", true, false);
    assert_int_equal(file_make_folder(in_place("small.part/unpacked"), NULL), CONVOY_OK);
    assert_int_equal(file_write(in_place("small.part/unpacked/data.bin"), "half", 4, NULL), CONVOY_OK);
    if (get(&d, NULL, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    expect_set(2);
}

/* Several files, one of which is hostile: none is put in place, the good ones stay downloaded. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    convoy_error err = {0};
    described first, second;
    describe(&first, "plain", "one", false, false);
    describe(&second, "plain", "one_bomb", false, true);
    first.set.parts[1] = second.set.parts[0];
    first.set.parts[1].files[0].name = "more.bin";
    assert_int_equal(get(&first, NULL, &err), CONVOY_ERROR_FORMAT);
    expect_message(&err, "larger than published");
    expect_no_set();
    assert_int_equal(size_of(in_place("small.part/one.tar.gz")), first.set.parts[0].size);
    first.set.parts[1].files[0].size = 20 << 20;
    count_requests();
    assert_int_equal(get(&first, NULL, &err), CONVOY_OK);
    assert_int_equal(count_requests(), 1);
    expect_set(2);
    assert_int_equal(size_of(in_place("small/more.bin")), 20 << 20);
}

static void test_digest_of_an_unknown_kind(void **state)
{
    (void)state;
    convoy_error err = {0};
    described d;
    describe(&d, "plain", "good", true, false);
    d.set.parts[0].digest = "md9:00";
    assert_int_equal(get(&d, NULL, &err), CONVOY_ERROR_UNSUPPORTED);
    expect_message(&err, "libcrypto refuses md9");
    expect_no_set();
}

#define IN_PLACE(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archives),
        IN_PLACE(test_planted_link),
        IN_PLACE(test_left_from_a_killed_process),
        IN_PLACE(test_all_or_nothing),
        IN_PLACE(test_digest_of_an_unknown_kind),
    };
    return cmocka_run_group_tests_name("fetch_archives", tests, start_server, stop_server);
}

#else

int main(void)
{
    return 77; /* skipped: test_fetch says what this build can't do */
}

#endif
