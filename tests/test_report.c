/* Reports: the whole page of a small run, several runs side by side, and runs that lack something. */
#include "config.h"
#include "report_help.h"

#ifdef HAVE_REPORT

static const char *const titles[] = {"The run", "Learning curves", "Samples", "Predictions", "Confusion matrix",
                                     "Most confident mistakes", "First filters", "Feature maps", "Model", "Time per kernel"};

static void need_run(void)
{
    static bool made;
    if (!made)
        make_run("full", 2);
    made = true;
}

/* ---- one run ---- */

static void test_whole_page(void **state)
{
    (void)state;
    need_run();
    char *html = reported_one("full");
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        char heading[64];
        snprintf(heading, sizeof heading, "<bdi>%s</bdi></h2>", titles[i]);
        assert_int_equal(count_text(html, heading), 1);
    }
    static const char *const files[] = {"curves-accuracy.svg", "curves-loss.svg", "samples.png", "predictions.png", "confusion.svg",
                                        "mistakes.png", "filters.png", "maps-01.png", "maps-02.png", "maps-03.png", "maps-04.png",
                                        "model.svg", "launches.svg"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char named[96];
        snprintf(named, sizeof named, "<span class=\"file\">%s</span>", files[i]);
        assert_int_equal(count_text(html, named), 1); /* and assert_files has read it */
    }
    assert_int_equal(count_text(html, "<span class=\"file\">"), sizeof files / sizeof *files);
    assert_int_equal(count_text(html, "<svg "), 5);
    assert_int_equal(assert_images(html), 25 + 25 + 20 + 1 + 1 + 4); /* samples, predictions, mistakes, filters, the image, maps */
    assert_int_equal(count_text(html, "class=\"note\""), 0);
    assert_string_equal(messages, "");
    free(html);
}

static void test_head(void **state)
{
    (void)state;
    need_run();
    char *html = reported_one("full");
    static const char *const facts[] = {"<strong>37.50 %</strong>, loss 1.7500", "<bdi>small.json</bdi>", "32 &times; 32 &times; 3",
                                        "10 classes", "900 / 100 / 300", "2 of 2", "Adam</bdi> (learning_rate=0.001, amsgrad=False)",
                                        "EarlyStopping(patience=5)", "a &lt;device&gt;", "8.0 GiB", "7.0 MiB", "2.8 s, 1.4 s an epoch",
                                        "0.75 s", "2026-11-25T09:00:00Z", "convoy train small.json --data sample", "0.1.0", "3.1"};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        expect_text(html, facts[i]);
    expect_no_text(html, "not finished");
    expect_text(html, "conv2d_forward_vec");
    expect_text(html, "vec PIXELS=10 VECTORS=1");
    expect_text(html, "<td>0.900</td><td>90.0 %</td><td>120.5</td><td>2.0</td>");
    expect_text(html, "(None, 32, 32, 3) &rarr; (None, 15, 15, 6)");
    free(html);
}

/* The numbers on the page are those of the model: counted once more with convoy_predict. */
static void test_numbers(void **state)
{
    (void)state;
    need_run();
    convoy_model *m = NULL;
    convoy_dataset *data = NULL;
    convoy_metrics metrics;
    ASSERT_OK(convoy_model_load(at("full/model.keras"), &m, &err));
    ASSERT_OK(convoy_dataset_open("sample", "test", &data, &err));
    ASSERT_OK(convoy_evaluate(ctx, m, data, NULL, &metrics, &err));
    size_t count = convoy_dataset_count(data), right = 0, ships = 0, right_ships = 0;
    float *inputs = malloc(count * 3072 * sizeof *inputs), *outputs = malloc(count * 10 * sizeof *outputs);
    assert_true(inputs != NULL && outputs != NULL);
    for (size_t i = 0; i < count * 3072; i++)
        inputs[i] = (float)convoy_dataset_images(data)[i] / 255.0f;
    ASSERT_OK(convoy_predict(ctx, m, inputs, count, 50, outputs, &err));
    for (size_t i = 0; i < count; i++) {
        int best = 0, label = convoy_dataset_labels(data)[i];
        for (int c = 1; c < 10; c++)
            best = outputs[i * 10 + (size_t)c] > outputs[i * 10 + (size_t)best] ? c : best;
        right += best == label;
        ships += label == 8;
        right_ships += label == 8 && best == 8;
    }
    assert_int_equal(right, (size_t)(metrics.accuracy * (double)count + 0.5));
    assert_uint_in_range(right, 31, count - 1); /* it has learned something */
    char *html = reported_one("full"), text[128];
    snprintf(text, sizeof text, "%zu of all %zu test images are right", right, count);
    expect_text(html, text);
    snprintf(text, sizeof text, "<bdi>ship</bdi></th><td>%zu</td><td>%zu</td><td>%.1f %%</td>", ships, right_ships,
             100.0 * (double)right_ships / (double)ships);
    expect_text(html, text);
    snprintf(text, sizeof text, "The 20 of %zu wrong test images", count - right);
    expect_text(html, text);
    assert_int_equal(count_text(html, "\"wrong\"") + count_text(html, "\"right\""), 25 + 20);
    free(html);
    free(inputs);
    free(outputs);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

/* Once more: the same pictures (cairo numbers its surfaces on, so the ids differ), and nothing is left on the device. */
static void test_once_more(void **state)
{
    (void)state;
    need_run();
    free(reported_one("full"));
    char *before = slurp(at("full/report/predictions.png"));
    struct stat info;
    assert_int_equal(stat(at("full/report/predictions.png"), &info), 0);
    uint64_t live = convoy_context_counters(ctx).live_objects;
    free(reported_one("full"));
    assert_int_equal(convoy_context_counters(ctx).live_objects, live);
    char *after = slurp(at("full/report/predictions.png"));
    assert_memory_equal(before, after, (size_t)info.st_size);
    free(before);
    free(after);
}

/* ---- what others wrote ---- */

static void test_hostile_names(void **state)
{
    (void)state;
    need_run();
    copy_run("full", "hostile & \"co\" <run>");
    put_info("hostile & \"co\" <run>", "sample",
             "[\"<script>alert(1)</script>\", \"a&b\", \"\\\"quoted\\\" 'too'\", \"\\u202Ereversed\", \"\", \"line\\nbreak\\u0001\", "
             "\"\xE5\xAD\x97\xF0\x9F\x90\xB8\", \"]]>-->\", \"&lt;\", \"a name that is much too long for the little room that there is "
             "beside a matrix or below an image, and goes on and on\"]", 2);
    char *html = reported_one("hostile & \"co\" <run>");
    expect_text(html, "<title>Report on hostile &amp; &quot;co&quot; &lt;run&gt;</title>");
    expect_text(html, "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
    expect_text(html, "<bdi>a&amp;b</bdi>");
    expect_text(html, "<bdi>&quot;quoted&quot; &#39;too&#39;</bdi>");
    expect_text(html, "<bdi>\xEF\xBF\xBDreversed</bdi>");
    expect_text(html, "<bdi>line break\xEF\xBF\xBD</bdi>");
    expect_text(html, "<bdi>\xE5\xAD\x97\xF0\x9F\x90\xB8</bdi>");
    expect_text(html, "<bdi>&amp;lt;</bdi>");
    expect_text(html, "<th scope=\"row\"><bdi>cross</bdi></th>"); /* the empty one is called as the data calls it */
    free(html);
}

static void test_layer_names(void **state)
{
    (void)state;
    need_run();
    convoy_model *m = NULL;
    copy_run("full", "layers");
    ASSERT_OK(convoy_model_create("m", &m, &err));
    ASSERT_OK(convoy_model_add(m, "InputLayer", "shape=(32, 32, 3)", &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", "name='<b>&'", &err));
    ASSERT_OK(convoy_model_add(m, "Dense", "units=10, activation=softmax, name='d>'", &err));
    ASSERT_OK(convoy_model_initialize(m, 1, &err));
    ASSERT_OK(convoy_model_save(m, at("layers/model.keras"), &err));
    convoy_model_destroy(m);
    char *html = reported_one("layers");
    expect_text(html, "<bdi>&lt;b&gt;&amp;</bdi>");
    expect_text(html, "No filters: no layer of the model has a kernel over height and width.");
    expect_text(html, "(None, 3072): 3072 values");
    free(html);
}

/* ---- several runs ---- */

static void test_two_runs(void **state)
{
    (void)state;
    need_run();
    make_run("other", 1);
    char first[512], second[512], output[512];
    snprintf(first, sizeof first, "%s", at("full"));
    snprintf(second, sizeof second, "%s/", at("other"));
    snprintf(output, sizeof output, "%s", at("deep/er/two"));
    char *html = reported((const char *const[]){first, second}, 2, output, NULL);
    expect_text(html, "<h1><bdi>Report on 2 runs</bdi></h1>");
    assert_int_equal(count_text(html, "<th scope=\"col\"><bdi>full</bdi></th><th scope=\"col\"><bdi>other</bdi></th>"), 3);
    expect_text(html, "2 of 2</td><td>1 of 1");
    assert_int_equal(count_text(html, "curves-accuracy.svg"), 1);
    assert_int_equal(count_text(html, "samples.png"), 1); /* the same images */
    static const char *const files[] = {"run1-confusion.svg", "run2-confusion.svg", "run1-maps-01.png", "run2-maps-01.png",
                                        "run1-model.svg", "run2-launches.svg"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(count_text(html, files[i]), 1);
    expect_text(html, "<bdi>Accuracy of each class</bdi></h2>");
    assert_int_equal(count_text(html, "<bdi>Confusion matrix</bdi></h3>"), 2);
    free(html);
}

/* Runs of the same name are called by their folders. */
static void test_same_name(void **state)
{
    (void)state;
    need_run();
    ASSERT_OK(file_make_folder(at("a"), &err));
    ASSERT_OK(file_make_folder(at("b"), &err));
    copy_run("full", "a/run");
    copy_run("full", "b/run");
    char first[512], second[512], heading[600];
    snprintf(first, sizeof first, "%s", at("a/run"));
    snprintf(second, sizeof second, "%s", at("b/run"));
    char *html = reported((const char *const[]){first, second}, 2, NULL, NULL);
    snprintf(heading, sizeof heading, "<bdi>%s</bdi></h2>", second);
    expect_text(html, heading);
    free(html);
}

/* ---- what is missing ---- */

static void test_short_histories(void **state)
{
    (void)state;
    need_run();
    copy_run("full", "short");
    put(at("short/history.csv"), "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\r\n0,0.25,0.001,2.5,NA,NA\r\n");
    char *html = reported_one("short");
    expect_text(html, "training accuracy, last epoch</th><td>25.00 %</td>");
    expect_text(html, "validation accuracy, best epoch</th><td>&ndash;</td>");
    expect_no_text(html, "training and validation; the table");
    free(html);
    put(at("short/history.csv"), "epoch,loss\n0,nan\n1,1.5\n2,inf\n");
    html = reported_one("short");
    expect_text(html, "training loss, last epoch</th><td>inf</td>");
    expect_no_text(html, "curves-accuracy.svg");
    free(html);
    put(at("short/history.csv"), "epoch,loss\n");
    html = reported_one("short");
    expect_text(html, "No curves of short: there is no epoch in its history.csv");
    free(html);
}

static void test_missing_data(void **state)
{
    (void)state;
    need_run();
    copy_run("full", "no data");
    put_info("no data", "nowhere/at/all", sample_names, 2);
    char *html = reported_one("no data");
    expect_text(html, "No images: nowhere/at/all: No such file or directory");
    assert_int_equal(count_text(html, "<p class=\"note\">No predictions: nowhere/at/all"), 3);
    expect_text(html, "<p class=\"note\">No feature maps: nowhere/at/all");
    expect_text(html, "filters.png");
    expect_text(html, "model.svg");
    expect_text(messages, "nowhere/at/all");
    assert_int_equal(assert_images(html), 1);
    free(html);
    char run[512];
    snprintf(run, sizeof run, "%s", at("no data"));
    html = reported((const char *const[]){run}, 1, NULL, "sample"); /* told where it is */
    expect_no_text(html, "class=\"note\"");
    free(html);
}

static void test_data_of_another_shape(void **state)
{
    (void)state;
    need_run();
    convoy_model *m = NULL;
    copy_run("full", "grey");
    ASSERT_OK(convoy_model_create("m", &m, &err));
    ASSERT_OK(convoy_model_add(m, "InputLayer", "shape=(28, 28, 1)", &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Dense", "units=10", &err));
    ASSERT_OK(convoy_model_save(m, at("grey/model.keras"), &err));
    convoy_model_destroy(m);
    char *html = reported_one("grey");
    expect_text(html, "samples.png");
    expect_text(html, "No predictions: model &#39;m&#39; takes (None, 28, 28, 1), but the images are (None, 32, 32, 3)");
    free(html);
}

static void test_only_info(void **state)
{
    (void)state;
    need_run();
    ASSERT_OK(file_make_folder(at("only"), &err));
    put(at("only/run.json"), "{\"finished\": false, \"data\": {\"name\": \"sample\", \"class_names\": null}, \"test\": null}");
    char *html = reported_one("only");
    expect_text(html, "not tested");
    expect_text(html, "not finished");
    assert_int_equal(count_text(html, "There is no model.keras in the run&#39;s folder."), 4);
    expect_text(html, "No filters: there is no model.keras");
    expect_text(html, "No times: there is no launches.json");
    expect_text(html, "No curves of only");
    expect_text(html, "<bdi>horizontal stripes</bdi>"); /* named by the data */
    free(html);
    put(at("only/run.json"), "{}");
    html = reported_one("only");
    expect_text(html, "run.json does not name the data; give --data DATA");
    free(html);
}

/* ---- errors ---- */

static void refused(const char *const *runs, size_t count, const char *output, convoy_status status, const char *part)
{
    convoy_error err = {0};
    const convoy_report_options o = {.runs = runs, .run_count = count, .output = output};
    assert_int_equal(convoy_report_write(ctx, &o, &err), status);
    assert_int_equal(err.status, status);
    expect_text(err.message, part);
    assert_int_equal(convoy_report_write(ctx, &o, NULL), status);
}

static void refused_one(const char *run, convoy_status status, const char *part)
{
    char path[512];
    snprintf(path, sizeof path, "%s", at("%s", run));
    refused((const char *const[]){path}, 1, NULL, status, part);
}

static void test_errors(void **state)
{
    (void)state;
    need_run();
    char full[512], file[512];
    snprintf(full, sizeof full, "%s", at("full"));
    refused(NULL, 0, NULL, CONVOY_ERROR_ARGUMENT, "no run is named");
    refused((const char *const[]){full, full}, 2, NULL, CONVOY_ERROR_ARGUMENT, "is named twice");
    refused((const char *const[]){"1", "2", "3", "4", "5", "6", "7", "8", "9"}, 9, NULL, CONVOY_ERROR_ARGUMENT, "9 runs; at most 8");
    refused_one("nowhere", CONVOY_ERROR_FILE, "nowhere: there is no such folder");
    ASSERT_OK(file_make_folder(at("empty"), &err));
    refused_one("empty", CONVOY_ERROR_FILE, "there is no run.json in it");
    snprintf(file, sizeof file, "%s", at("full/run.json"));
    refused_one("full/run.json", CONVOY_ERROR_FILE, "run.json: is not a folder");
    refused((const char *const[]){full}, 1, file, CONVOY_ERROR_FILE, "run.json");
    assert_false(file_exists(at("empty/report")));
}

static void test_damaged_files(void **state)
{
    (void)state;
    static const struct {
        const char *file, *contents, *message;
    } damages[] = {
        {"run.json", "{\"convoy\": ", "run.json: no JSON: line 1"},
        {"run.json", "[1]", "run.json: a JSON object is expected"},
        {"history.csv", "loss\n1\n", "history.csv: line 1: no column \"epoch\""},
        {"history.csv", "epoch,loss\n0,1\n1,many\n", "history.csv: line 3: 'many' is no number"},
        {"history.csv", "epoch,loss\n0,1\n1\n", "history.csv: line 3: 1 values; 2 are expected"},
        {"launches.json", "{\"launches\": 3}", "launches.json: it has no list \"launches\""},
        {"launches.json", "no", "launches.json: no JSON"},
    };
    need_run();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        copy_run("full", "damaged");
        put(at("damaged/%s", damages[i].file), damages[i].contents);
        refused_one("damaged", CONVOY_ERROR_FORMAT, damages[i].message);
        assert_false(file_exists(at("damaged/report")));
    }
    copy_run("full", "damaged");
    put(at("damaged/model.keras"), "PK\3\4 and no more");
    convoy_error err = {0};
    char path[512];
    snprintf(path, sizeof path, "%s", at("damaged"));
    const convoy_report_options o = {.runs = (const char *const[]){path}, .run_count = 1};
    assert_int_not_equal(convoy_report_write(ctx, &o, &err), CONVOY_OK);
    expect_text(err.message, "model.keras");
}

/* ---- in a browser ---- */

/* No error, every picture loaded, nothing cut off, narrow and wide, light and dark. tools/check_report.py tells more. */
static void test_in_a_browser(void **state)
{
    (void)state;
    need_run();
    char command[2048], first[512], second[512];
    snprintf(first, sizeof first, "%s", at("full"));
    copy_run("full", "again");
    put_info("again", "sample", "[\"a name that is much too long for the little room that there is beside a matrix\", \"b\", \"c\", "
             "\"d\", \"averyveryverylongnamewithoutanyspaceinitatall\", \"f\", \"g\", \"h\", \"i\", \"j\"]", 2);
    snprintf(second, sizeof second, "%s", at("again"));
    free(reported_one("full"));
    free(reported((const char *const[]){first, second}, 2, at("both"), NULL));
    snprintf(command, sizeof command, "'%s' '%s/tools/check_report.py' '%s/report/report.html' '%s/report.html' 1>&2", TEST_PYTHON,
             TEST_SOURCE_DIR, first, at("both"));
    int code = system(command);
    if (WIFEXITED(code) && WEXITSTATUS(code) == 77)
        skip();
    assert_int_equal(code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_page),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_once_more),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_layer_names),
        cmocka_unit_test(test_two_runs),
        cmocka_unit_test(test_same_name),
        cmocka_unit_test(test_short_histories),
        cmocka_unit_test(test_missing_data),
        cmocka_unit_test(test_data_of_another_shape),
        cmocka_unit_test(test_only_info),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_in_a_browser),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#else

static void test_not_built(void **state)
{
    (void)state;
    convoy_error err = {0};
    assert_int_equal(convoy_report_write(ctx, NULL, &err), CONVOY_ERROR_UNSUPPORTED);
    expect_text(err.message, "install libcairo2-dev");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_not_built)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
