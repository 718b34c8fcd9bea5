/* What a report is made of: texts, the axes' inks, the history's rows, a diagram's boxes, maps of numbers. */
#include "config.h"
#include "report_help.h"

#ifdef HAVE_REPORT

#include "report/graph.h"
#include "report/html.h"
#include "report/map_grid.h"
#include "report/plot.h"
#include "report/run.h"
#include "report/utf8.h"

/* ---- texts ---- */

static void assert_clean(const char *from, const char *expected)
{
    char out[128];
    utf8_clean(from, out, sizeof out);
    assert_string_equal(out, expected);
}

#define BAD "\xEF\xBF\xBD"

static void test_utf8(void **state)
{
    (void)state;
    char four[5];
    assert_clean("plain", "plain");
    assert_clean("\xC3\xA9\xE5\xAD\x97\xF0\x9F\x90\xB8", "\xC3\xA9\xE5\xAD\x97\xF0\x9F\x90\xB8");
    assert_clean("a\tb\r\nc", "a b  c");
    assert_clean("\x01\x7F\xC2\x80", BAD BAD BAD);
    assert_clean("\xFF\xC3", BAD BAD);                     /* no first byte; a sequence that ends early */
    assert_clean("\xC3(\xE5\xAD", BAD "(" BAD BAD);
    assert_clean("\xC0\xAF\xE0\x80\xAF", BAD BAD BAD); /* overlong: two and one */
    assert_clean("\xED\xA0\x80", BAD);                     /* a surrogate */
    assert_clean("\xF4\x90\x80\x80", BAD);                 /* beyond the last character */
    assert_clean("\xEF\xBF\xBF", BAD);                     /* no character */
    assert_clean("\xE2\x80\xAE", BAD);                     /* right-to-left override */
    utf8_clean("ab\xC3\xA9", four, 4);                     /* no room for all of the third */
    assert_string_equal(four, "ab");
}

static void assert_html(const char *from, const char *expected)
{
    text t = {0};
    char *out = NULL;
    html_text(&t, from);
    ASSERT_OK(text_take(&t, &out, &err));
    assert_string_equal(out, expected);
    free(out);
}

static void test_html(void **state)
{
    (void)state;
    static const char *const encoded[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}}; /* RFC 4648, 10 */
    assert_html("<&>\"'", "&lt;&amp;&gt;&quot;&#39;");
    assert_html("\xFF", BAD);
    for (size_t i = 0; i < sizeof encoded / sizeof *encoded; i++) {
        text t = {0};
        char *out = NULL;
        html_base64(&t, encoded[i][0], strlen(encoded[i][0]));
        ASSERT_OK(text_take(&t, &out, &err));
        assert_string_equal(out, encoded[i][1]);
        free(out);
    }
    static const struct {
        double value;
        const char *text;
    } numbers[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {-1234567, "-1,234,567"}, {-123, "-123"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        text t = {0};
        char *out = NULL;
        html_number(&t, numbers[i].value);
        ASSERT_OK(text_take(&t, &out, &err));
        assert_string_equal(out, numbers[i].text);
        free(out);
    }
}

/* ---- history.csv ---- */

static void test_history(void **state)
{
    (void)state;
    history h;
    ASSERT_OK(history_parse("epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\r\n0,0.5,0.001,1.25,NA,nan\r\n"
                            "1,0.75,0.001,1e-1,,inf\r\n\r\n", &h, &err));
    assert_int_equal(h.count, 2);
    assert_true(h.rows[0].epoch == 0 && h.rows[0].accuracy == 0.5 && h.rows[0].loss == 1.25);
    assert_true(isnan(h.rows[0].val_accuracy) && isnan(h.rows[0].val_loss));
    assert_true(h.rows[1].epoch == 1 && h.rows[1].loss == 0.1 && isnan(h.rows[1].val_accuracy) && isinf(h.rows[1].val_loss));
    free(h.rows);
    ASSERT_OK(history_parse("", &h, &err));
    assert_int_equal(h.count, 0);
    free(h.rows);
}

/* ---- pictures ---- */

/* Every ink is followed into the page, and no other colour is there. */
static void test_inks(void **state)
{
    (void)state;
    drawing d;
    picture p;
    text html = {0};
    char *out = NULL;
    ASSERT_OK(drawing_begin(&d, true, 200, 100, &err));
    for (int i = 0; i < INK_COUNT; i++) {
        drawing_ink(&d, (ink)i, 1);
        drawing_line(&d, 0, 5 * i, 100, 5 * i, 2);
        drawing_text(&d, &(label){.x = 100, .y = 5 * i, .size = 10, .most = 30}, "a long word \xFF <&>");
    }
    ASSERT_OK(drawing_end(&d, &p, &err));
    assert_well_formed(p.data);
    picture_inline(&p, "\"<alt>\"", &html);
    picture_free(&p);
    ASSERT_OK(text_take(&html, &out, &err));
    assert_well_formed(out);
    expect_no_text(out, "#"); /* neither colours nor ids */
    expect_text(out, "aria-label=\"&quot;&lt;alt&gt;&quot;\"");
    expect_text(out, "<text class=\"i12\" x=\"100\" y=\"60\" font-size=\"10\" text-anchor=\"start\" textLength=\"");
    expect_text(out, "<path class=\"i12\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" d=\"M0 60L100 60\"/>");
    for (int i = 0; i < INK_COUNT; i++) {
        char class[16];
        snprintf(class, sizeof class, "class=\"i%d\"", i);
        expect_text(out, class);
    }
    free(out);
    drawing_page_style(&html);
    ASSERT_OK(text_take(&html, &out, &err));
    static const char *const colours[] = {"currentColor", "var(--faint)", "var(--grid)", "var(--box)", "var(--heat)",
                                          "var(--right)", "var(--wrong)", "var(--line-0)", "var(--line-1)", "var(--line-2)",
                                          "var(--line-3)", "var(--line-4)", "var(--line-5)"};
    assert_int_equal(sizeof colours / sizeof *colours, INK_COUNT);
    for (size_t i = 0; i < INK_COUNT; i++)
        expect_text(out, colours[i]);
    free(out);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    drawing d;
    ASSERT_OK(drawing_begin(&d, false, 200, 100, &err));
    const label narrow = {.x = 10, .y = 20, .size = 12, .most = 60};
    double x, y;
    assert_true(drawing_text_width(&d, &narrow, "a name that is much too long") > 100);
    cairo_surface_t *ink = cairo_recording_surface_create(CAIRO_CONTENT_COLOR_ALPHA, NULL);
    cairo_t *kept = d.cr;
    d.cr = cairo_create(ink);
    drawing_text(&d, &narrow, "a name that is much too long");
    double width, height;
    cairo_recording_surface_ink_extents(ink, &x, &y, &width, &height);
    assert_true(x >= 9 && x + width <= 10 + 60 + 2 && width > 30);
    cairo_destroy(d.cr);
    d.cr = kept;
    cairo_surface_destroy(ink);
    drawing_drop(&d);
}

/* What was written is what is read. */
static void test_pixels(void **state)
{
    (void)state;
    const uint8_t rgb[2 * 3 * 3] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3, 100, 150, 200, 254, 253, 252};
    uint8_t read[4 * 6 * 3], grey_read[2 * 9];
    picture p;
    ASSERT_OK(picture_of_pixels(rgb, 3, 2, 3, 2, &p, &err));
    ASSERT_OK(convoy_image_decode(p.data, p.size, (convoy_shape){3, {4, 6, 3}}, read, &err));
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 6; x++)
            assert_memory_equal(read + (y * 6 + x) * 3, rgb + (y / 2 * 3 + x / 2) * 3, 3);
    picture_free(&p);
    /* Two maps, the second always the same, beside each other with a gap of one. */
    const float values[] = {0, 5, 1, 5, 2, 5, 4, 5};
    const map_grid s = {.values = values, .count = 2, .height = 2, .width = 2, .colours = 1, .next = 2, .next_map = 1, .step = 1,
                     .most_enlarge = 1, .gap = 1};
    ASSERT_OK(map_grid_draw(&s, &p, &err));
    assert_int_equal(p.width, 5);
    assert_int_equal(p.height, 2);
    ASSERT_OK(convoy_image_decode(p.data, p.size, (convoy_shape){3, {2, 5, 1}}, grey_read, &err));
    const uint8_t expected[] = {0, 64, 128, 0, 0, 128, 255, 128, 0, 0};
    assert_memory_equal(grey_read, expected, sizeof expected);
    picture_free(&p);
}

static void test_plots(void **state)
{
    (void)state;
    /* Nothing known, one point, all the same, not a number between, huge numbers: each is drawn. */
    static const double ys[][3] = {{NAN, NAN, NAN}, {1, NAN, NAN}, {2, 2, 2}, {1, NAN, 3}, {1e300, -1e300, 0}, {1e-300, 0, 0}};
    double x[] = {1, 2, 3};
    for (size_t i = 0; i < sizeof ys / sizeof *ys; i++) {
        double y[3];
        picture p;
        memcpy(y, ys[i], sizeof y);
        const plot_curve c = {.x = x, .y = y, .count = 3, .ink = INK_BLUE};
        const plot_entry e = {.ink = INK_BLUE, .text = "it"};
        const plot all = {.curves = &c, .curve_count = 1, .legend = &e, .legend_count = 1, .x_title = "epoch", .percent = i % 2};
        ASSERT_OK(plot_draw(&all, &p, &err));
        assert_well_formed(p.data);
        expect_no_text(p.data, "nan");
        picture_free(&p);
    }
}

/* ---- the diagram ---- */

static void test_graph(void **state)
{
    (void)state;
    static const char *const models[] = {"residual", "shared", "nested"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[512];
        convoy_model *m = NULL;
        graph g;
        snprintf(path, sizeof path, TEST_GOLDEN_DIR "/graph/%s.keras", models[i]);
        ASSERT_OK(convoy_model_load(path, &m, &err));
        ASSERT_OK(graph_create(m, 200, 10, 12, &g, &err));
        size_t edges = 0;
        for (size_t e = 0; e < g.edge_count; e++)
            assert_int_equal(g.items[g.edges[e].to].row, g.items[g.edges[e].from].row + 1);
        for (size_t k = 0; k < m->node_count; k++)
            edges += (size_t)m->nodes[k].input_count;
        assert_true(g.edge_count >= edges);
        for (size_t a = 0; a < g.item_count; a++) {
            double half_a = g.items[a].node == SIZE_MAX ? 5 : 100;
            assert_true(g.items[a].x - half_a >= -0.01 && g.items[a].x + half_a <= g.width + 0.01);
            for (size_t b = 0; b < a; b++) {
                double half_b = g.items[b].node == SIZE_MAX ? 5 : 100, apart = g.items[a].x - g.items[b].x;
                if (g.items[a].row == g.items[b].row && (apart < 0 ? -apart : apart) < half_a + half_b + 11.9)
                    fail_msg("%s: items %zu and %zu are in each other's way", models[i], a, b);
            }
        }
        graph_free(&g);
        convoy_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_inks),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_plots),
        cmocka_unit_test(test_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_not_built(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_not_built)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
