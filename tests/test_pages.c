/* The pages in docs/ that follow from the code say what it says. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
