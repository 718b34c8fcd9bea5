/* tools/setup on systems with apt-get, dnf, pacman and none of these, each a stand-in that notes what it is asked for. */
#include "command.h"

/* bin/ is all the PATH that tools/setup has: what it calls of the system, an `id` of root, and the managers that a test adds. */
static void fresh_path(void)
{
    shell("rm -rf bin calls; mkdir bin; : >calls; for tool in sh env cat tr mktemp rm; do ln -s \"$(command -v $tool)\" bin/; done; "
          "printf '#!/bin/sh\\necho 0\\n' >bin/id; chmod +x bin/id");
    assert_int_equal(last.code, 0);
}

static void stand_in(const char *name, const char *script)
{
    shell("printf '%%s\\n' '#!/bin/sh' 'echo \"%s $*\" >>calls' '%s' >bin/%s; chmod +x bin/%s", name, script, name, name);
    assert_int_equal(last.code, 0);
}

static void setup(const char *argument)
{
    shell("PATH=$PWD/bin '%s/tools/setup' %s", TEST_SOURCE_DIR, argument);
}

static void expect_call(const char *part)
{
    char *text = slurp("calls");
    expect_text(text, part);
    free(text);
}

static void test_apt(void **state)
{
    (void)state;
    fresh_path();
    stand_in("apt-get", "");
    stand_in("dpkg-query", "case \"$*\" in *\" gcc\") printf installed ;; *) exit 1 ;; esac");
    stand_in("apt-cache", "case \"$*\" in *\" libclblast-dev\") exit 100 ;; esac");
    setup("test");
    assert_int_equal(last.code, 0);
    expect_text(last.out, "This system's packages have no libclblast-dev: going on without it.");
    expect_text(last.out, "Installing: libc6-dev dpkg-dev meson");
    expect_no_text(last.out, "oclgrind");
    expect_call("install --no-install-recommends libc6-dev dpkg-dev meson");
    expect_call("libjansson-dev libzip-dev");
    expect_call("libcmocka-dev clang xz-utils\n");
}

static void test_all_there(void **state)
{
    (void)state;
    fresh_path();
    stand_in("apt-get", "");
    stand_in("dpkg-query", "printf installed");
    setup("test");
    assert_int_equal(last.code, 0);
    assert_string_equal(last.out, "");
    assert_string_equal(last.err, "");
}

static void test_a_failure_is_shown(void **state)
{
    (void)state;
    fresh_path();
    stand_in("apt-get", "echo the mirror is gone; exit 100");
    stand_in("dpkg-query", "exit 1");
    setup("");
    assert_int_equal(last.code, 1);
    expect_text(last.err, "the mirror is gone");
    expect_text(last.err, "'apt-get -q update' failed");
}

static void test_dnf(void **state)
{
    (void)state;
    fresh_path();
    stand_in("dnf", "case \"$*\" in *repoquery*clblast-devel) ;; *repoquery*) echo found ;; esac");
    stand_in("rpm", "case \"$*\" in *\"pkgconfig(OpenCL)\") ;; *) exit 1 ;; esac"); /* whichever of its two providers */
    setup("");
    assert_int_equal(last.code, 0);
    expect_text(last.out, "This system's packages have no clblast-devel: going on without it.");
    expect_call("dnf -q -y install gcc glibc-devel meson ninja-build pkgconf-pkg-config python3 opencl-headers jansson-devel");
    setup("pocl");
    expect_call("dnf -q -y install pocl\n");
}

static void test_pacman(void **state)
{
    (void)state;
    fresh_path();
    stand_in("pacman", "case \"$*\" in \"-T gcc\") ;; -T*) exit 127 ;; esac");
    setup("");
    assert_int_equal(last.code, 0);
    expect_call("pacman -S --noconfirm --needed meson ninja pkgconf python ocl-icd opencl-headers clblast jansson");
}

static void test_none(void **state)
{
    (void)state;
    fresh_path();
    setup("test");
    assert_int_equal(last.code, 1);
    expect_text(last.err, "no apt-get, dnf or pacman here");
    expect_text(last.err, "libjansson-dev");
}

static void test_wrong_usage(void **state)
{
    (void)state;
    shell("'%s/tools/setup' tests", TEST_SOURCE_DIR);
    assert_int_equal(last.code, 2);
    expect_text(last.err, "unknown argument 'tests'; known: test, pocl, lint, systems");
    shell("'%s/tools/test-systems' bullseye", TEST_SOURCE_DIR);
    assert_int_equal(last.code, 2);
    expect_text(last.err, "unknown argument 'bullseye'; known: --steps and bookworm trixie forky");
    shell("'%s/tools/test-systems' --steps try,tests trixie", TEST_SOURCE_DIR);
    assert_int_equal(last.code, 2);
    expect_text(last.err, "--steps 'try,tests': expected one or more of try,test,bench");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apt),  cmocka_unit_test(test_all_there), cmocka_unit_test(test_a_failure_is_shown),
        cmocka_unit_test(test_dnf),  cmocka_unit_test(test_pacman),    cmocka_unit_test(test_none),
        cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests_name("setup", tests, make_folder, remove_folder);
}
