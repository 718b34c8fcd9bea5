/* The pages in docs/ that follow from the code say what it says, and lead somewhere. */
#include "command.h"

/* Where they differ, the message has the first lines that do. */
static void test_layers(void **state)
{
    (void)state;
    shell("'%s' >layers.md && diff '%s/docs/layers.md' layers.md", TEST_LAYERS_PAGE, TEST_SOURCE_DIR);
    if (last.code != 0)
        fail_msg("docs/layers.md is not what build/tests/layers_page prints: run build/tests/layers_page >docs/layers.md\n%.2000s%s",
                 last.out, last.err);
}

#define PAGES "README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md docs/*.md"

/* Links within the repository, and paths in code quotes, lead to something. */
static void test_paths(void **state)
{
    (void)state;
    shell("cd '%s' && for page in " PAGES "; do"
          " grep -oE '\\]\\([^)#: ]+' $page | cut -c3- | grep -v '^https' | while read -r to; do test -e $(dirname $page)/$to || echo \"$page: $to\"; done;"
          " grep -oE '`(src|cl|tests|tools|include|data|docs|examples)/[A-Za-z0-9_./-]+`' $page | tr -d '`' | grep -v 'NAME\\|test_x\\.c' |"
          " while read -r to; do test -e $to || echo \"$page: $to\"; done; done", TEST_SOURCE_DIR);
    if (last.out[0] != '\0')
        fail_msg("pages name what is not there:\n%s", last.out);
}

/* docs/architecture.md has a row for each room. */
static void test_rooms(void **state)
{
    (void)state;
    shell("cd '%s' && ls -d src/*/ | while read -r room; do grep -q \"^| .$room. |\" docs/architecture.md || echo $room; done",
          TEST_SOURCE_DIR);
    if (last.out[0] != '\0')
        fail_msg("docs/architecture.md has no row for:\n%s", last.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers), cmocka_unit_test(test_paths), cmocka_unit_test(test_rooms)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
