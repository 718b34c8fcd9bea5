/* Curves as text: exact pictures of fixed numbers, and what must hold for any. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "convoy/plot.h"

static char *draw(const convoy_plot_curve *curves, size_t count, const convoy_plot_options *options)
{
    convoy_error err = {0};
    char *text = NULL;
    if (convoy_plot_text(curves, count, options, &text, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    return text;
}

static void expect(const convoy_plot_curve *curves, size_t count, const convoy_plot_options *options, const char *expected)
{
    char *text = draw(curves, count, options);
    if (strcmp(text, expected) != 0)
        fail_msg("found:\n%sexpected:\n%s", text, expected);
    free(text);
}

/* ---- pictures ---- */

static const double down[] = {4, 3, 2, 1}, flat[] = {1.5, 1.5, 1.5, 1.5};
static const convoy_plot_curve one[] = {{"training", down, 4}}, both[] = {{"training", down, 4}, {"validation", flat, 4}};

static void test_ascii(void **state)
{
    (void)state;
    expect(one, 1, &(convoy_plot_options){.title = "loss", .columns = 24, .rows = 4},
           "loss\n"
           "4.00 +***\n"
           "3.00 +   ******\n"
           "2.00 +         *****\n"
           "1.00 +              ****\n"
           "     ++-----+----+-----+\n"
           "      1     2    3     4\n"
           "      * training\n");
    expect(both, 2, &(convoy_plot_options){.columns = 34, .rows = 7},
           "4.00 +***\n"
           "     |   ****\n"
           "3.00 +       *****\n"
           "     |            ****\n"
           "2.00 +                *****\n"
           "     |o o o o o o o o o o o*o*o o\n"
           "1.00 +                         ***\n"
           "     ++--------+--------+--------+\n"
           "      1        2        3        4\n"
           "      * training  o validation\n");
}

static void test_braille(void **state)
{
    (void)state;
    expect(one, 1, &(convoy_plot_options){.title = "loss", .columns = 24, .rows = 4, .utf8 = true},
           "loss\n"
           "4.00 ┤⠉⠒⠤⣀⡀\n"
           "3.00 ┤    ⠈⠑⠒⠤⣀\n"
           "2.00 ┤         ⠉⠒⠤⢄⡀\n"
           "1.00 ┤             ⠈⠑⠒⠤⣀\n"
           "     └┬─────┬────┬─────┬\n"
           "      1     2    3     4\n"
           "      ⠤⠤ training\n");
    expect(both, 2, &(convoy_plot_options){.columns = 40, .rows = 4, .utf8 = true},
           "4.00 ┤⠉⠑⠒⠢⠤⢄⣀⣀\n"
           "3.00 ┤        ⠉⠉⠒⠒⠢⠤⢄⣀⣀\n"
           "2.00 ┤                 ⠉⠉⠑⠒⠢⠤⠤⣀⣀\n"
           "1.00 ┤⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠋⠋⠒⠒⠢⠦⢆⣂\n"
           "     └┬──────────┬──────────┬──────────┬\n"
           "      1          2          3          4\n"
           "      ⠤⠤ training  ⠄⠄ validation\n");
}

/* A colour from its first cell to its last, and never over a line's end. */
static void test_colours(void **state)
{
    (void)state;
    expect(both, 2, &(convoy_plot_options){.columns = 24, .rows = 4, .colour = true},
           "4.00 +\033[36m***\033[0m\n"
           "3.00 +   \033[36m******\033[0m\n"
           "2.00 +         \033[36m*****\033[0m\n"
           "1.00 +\033[33mo o o o o o o o\033[36m*\033[33mo\033[36m*\033[0m\n"
           "     ++-----+----+-----+\n"
           "      1     2    3     4\n"
           "      \033[36m*\033[0m training  \033[33mo\033[0m validation\n");
    expect(one, 1, &(convoy_plot_options){.columns = 24, .rows = 2, .utf8 = true, .colour = true},
           "4.00 ┤\033[36m⠉⠑⠒⠒⠢⠤⠤⣀⣀\033[0m\n"
           "1.00 ┤         \033[36m⠉⠉⠒⠒⠤⠤⠤⣀⣀\033[0m\n"
           "     └┬─────┬────┬─────┬\n"
           "      1     2    3     4\n"
           "      \033[36m⠤⠤\033[0m training\n");
}

static void test_gaps(void **state)
{
    (void)state;
    static const double holes[] = {NAN, 1, INFINITY, 3, 2, -INFINITY}, none[] = {NAN, NAN};
    const convoy_plot_curve some[] = {{"a", holes, 6}}, nothing[] = {{"a", none, 2}, {"b", none, 1}}, empty[] = {{"a", NULL, 0}};
    expect(some, 1, &(convoy_plot_options){.columns = 24, .rows = 3},
           "3.00 +          **\n"
           "2.00 +            ***\n"
           "1.00 +   *\n"
           "     ++--+---+--+---+--+\n"
           "      1  2   3  4   5  6\n"
           "      * a\n"
           "  a: 3 of 6 values are not finite\n");
    expect(some, 1, &(convoy_plot_options){.columns = 24, .rows = 3, .utf8 = true},
           "3.00 ┤          ⠈⠢⣀\n"
           "2.00 ┤             ⠑⠄\n"
           "1.00 ┤   ⢀⡀\n"
           "     └┬──┬───┬──┬───┬──┬\n"
           "      1  2   3  4   5  6\n"
           "      ⠤⠤ a\n"
           "  a: 3 of 6 values are not finite\n");
    expect(nothing, 2, &(convoy_plot_options){.title = "loss"},
           "loss\n  a: 2 of 2 values are not finite\n  b: 1 of 1 value is not finite\n");
    expect(empty, 1, &(convoy_plot_options){.title = "loss"}, "loss\n  no values\n");
}

static void test_one_value(void **state)
{
    (void)state;
    static const double low[] = {2.25}, high[] = {2.5}, zero[] = {0};
    const convoy_plot_curve two[] = {{"training", high, 1}, {"validation", low, 1}}, none[] = {{"accuracy", zero, 1}};
    expect(two, 2, &(convoy_plot_options){.columns = 24, .rows = 3},
           "2.500 +*\n"
           "2.375 +\n"
           "2.250 +o\n"
           "      ++----------------\n"
           "       1\n"
           "       * training  o validation\n");
    expect(two, 2, &(convoy_plot_options){.columns = 24, .rows = 3, .utf8 = true},
           "2.500 ┤⠛\n"
           "2.375 ┤\n"
           "2.250 ┤⣀\n"
           "      └┬────────────────\n"
           "       1\n"
           "       ⠤⠤ training  ⠄⠄ validation\n");
    expect(none, 1, &(convoy_plot_options){.columns = 24, .rows = 3},
           " 1.00 +\n"
           " 0.00 +*\n"
           "-1.00 +\n"
           "      ++----------------\n"
           "       1\n"
           "       * accuracy\n");
}

/* ---- what holds for any numbers ---- */

static size_t columns_of(const char *from, const char *to)
{
    size_t n = 0;
    for (; from < to; from++)
        n += ((unsigned char)*from & 0xC0) != 0x80;
    return n;
}

/* Lines are no wider than asked for, the axis is exactly as wide, and no line ends with a space. */
static void check_lines(const convoy_plot_curve *curves, size_t count, const convoy_plot_options *o, size_t columns)
{
    char *text = draw(curves, count, o);
    size_t most = 0, lines = 0;
    for (const char *line = text, *end; *line != '\0'; line = end + 1, lines++) {
        end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(end == line || end[-1] != ' ');
        size_t n = columns_of(line, end);
        most = n > most ? n : most;
    }
    if (most != columns || lines != (size_t)(o->rows ? o->rows : 10) + 3)
        fail_msg("%zu columns instead of %zu, %zu lines:\n%s", most, columns, lines, text);
    free(text);
}

static void test_widths(void **state)
{
    (void)state;
    double values[3000];
    for (size_t i = 0; i < 3000; i++)
        values[i] = 2.3 * exp(-0.01 * (double)i) + 0.1 * sin((double)i);
    static const size_t lengths[] = {1, 2, 3, 10, 11, 99, 100, 101, 999, 3000};
    static const int widths[] = {24, 25, 40, 79, 80, 133, 1000};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (int utf8 = 0; utf8 < 2; utf8++)
                for (int rows = 2; rows < 13; rows += 5) {
                    const convoy_plot_curve c[] = {{"a", values, lengths[k]}, {"b", values, lengths[k] / 2}};
                    convoy_plot_options o = {.columns = widths[w], .utf8 = utf8, .rows = rows};
                    check_lines(c, 2, &o, (size_t)widths[w]);
                }
    const convoy_plot_curve c[] = {{"a", values, 20}};
    check_lines(c, 1, &(convoy_plot_options){.columns = 1}, 24);
    check_lines(c, 1, &(convoy_plot_options){.columns = 5000}, 1000);
    check_lines(c, 1, &(convoy_plot_options){0}, 80);
    check_lines(c, 1, &(convoy_plot_options){.rows = 200}, 80);
}

/* Numbers of any size: the axis has what tells them apart. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        double values[2];
        const char *top, *bottom;
    } rows[] = {
        {{0.0125, 0.0132}, "0.013200 +", "0.012500 +"},
        {{12345, 0}, "12345 +", "    0 +"},
        {{2.5e6, 1e6}, "2.50e+06 +", "1.00e+06 +"},
        {{1.00000001, 1}, "1.00000001000e+00 +", "1.00000000000e+00 +"},
        {{DBL_MAX, -DBL_MAX}, "1.80e+308 +", "-1.80e+308 +"},
        {{DBL_MAX, DBL_MAX}, "1.798e+308 +", "1.618e+308 +"},
        {{4.9e-324, 0}, "1.00 +", "-1.00 +"},
        {{-3, -1}, "-1.00 +", "-3.00 +"},
        {{1e-7, -1e-7}, "1.00e-07 +", "-1.00e-07 +"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const convoy_plot_curve c[] = {{"a", rows[i].values, 2}};
        char *text = draw(c, 1, &(convoy_plot_options){0});
        const char *top = strstr(text, rows[i].top), *bottom = strstr(text, rows[i].bottom);
        if (top == NULL || bottom == NULL || top > strchr(text, '\n'))
            fail_msg("'%s' and '%s' are not in:\n%s", rows[i].top, rows[i].bottom, text);
        free(text);
    }
}

static void test_errors(void **state)
{
    (void)state;
    convoy_error err = {0};
    char *text = NULL;
    const convoy_plot_curve many[5] = {{"a", down, 4}, {"b", down, 4}, {"c", down, 4}, {"d", down, 4}, {"e", down, 4}};
    assert_int_equal(convoy_plot_text(many, 0, NULL, &text, &err), CONVOY_ERROR_ARGUMENT);
    assert_string_equal(err.message, "0 curves; 1 to 4 are expected");
    assert_int_equal(convoy_plot_text(many, 5, NULL, &text, &err), CONVOY_ERROR_ARGUMENT);
    assert_null(text);
    text = draw(many, 4, NULL);
    assert_non_null(strstr(text, "  * a  o b  + c  x d\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ascii),     cmocka_unit_test(test_braille), cmocka_unit_test(test_colours),
        cmocka_unit_test(test_gaps),      cmocka_unit_test(test_one_value), cmocka_unit_test(test_widths),
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
