/* What was trained with what on what, how long it took and what came of it: a column for each run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/sections.h"

/* ---- values ---- */

static void add_words(text *html, const char *words)
{
    if (words != NULL && words[0] != '\0')
        html_name(html, words);
    else
        text_add(html, "&ndash;");
}

static void add_count(text *html, double count)
{
    if (isfinite(count))
        html_number(html, count);
    else
        text_add(html, "&ndash;");
}

static void add_bytes(text *html, double bytes)
{
    if (isnan(bytes))
        text_add(html, "&ndash;");
    else
        text_add(html, bytes >= 1073741824.0 ? "%.1f GiB" : "%.1f MiB", bytes / (bytes >= 1073741824.0 ? 1073741824.0 : 1048576.0));
}

/* One value of JSON, short. */
static void add_json(text *html, const json_t *value)
{
    char number[40];
    if (json_is_string(value)) {
        html_name(html, json_string_value(value));
    } else if (json_is_number(value)) {
        snprintf(number, sizeof number, "%.6g", json_number_value(value));
        text_add(html, "%s", number);
    } else if (json_is_boolean(value)) {
        text_add(html, json_is_true(value) ? "True" : "False");
    } else {
        char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        html_text(html, dump ? dump : "");
        free(dump);
    }
}

/* ---- rows ---- */

static void write_model(text *html, const report_run *r) { add_words(html, run_text(r, "model")); }
static void write_version(text *html, const report_run *r) { add_words(html, run_text(r, "convoy")); }
static void write_device(text *html, const report_run *r) { add_words(html, run_text(r, "device.name")); }
static void write_platform(text *html, const report_run *r) { add_words(html, run_text(r, "device.platform")); }
static void write_driver(text *html, const report_run *r) { add_words(html, run_text(r, "device.driver_version")); }
static void write_units(text *html, const report_run *r) { add_count(html, run_number(r, "device.compute_units")); }
static void write_memory(text *html, const report_run *r) { add_bytes(html, run_number(r, "device.global_memory_bytes")); }
static void write_batch(text *html, const report_run *r) { add_count(html, run_number(r, "fit.batch_size")); }
static void write_used(text *html, const report_run *r) { add_bytes(html, run_number(r, "timings.device_bytes")); }

static void write_command(text *html, const report_run *r)
{
    const json_t *command = run_value(r, "command");
    text_add(html, "<code>");
    for (size_t i = 0; i < json_array_size(command); i++) {
        text_add(html, i ? " " : "");
        html_text(html, json_string_value(json_array_get(command, i)) ? json_string_value(json_array_get(command, i)) : "");
    }
    text_add(html, "</code>");
}

static void write_start(text *html, const report_run *r)
{
    add_words(html, run_text(r, "started"));
    if (!json_is_true(run_value(r, "finished")))
        text_add(html, ", not finished");
}

static void write_data(text *html, const report_run *r)
{
    const json_t *shape = run_value(r, "data.shape");
    add_words(html, run_text(r, "data.name"));
    for (size_t i = 0; i < json_array_size(shape); i++)
        text_add(html, "%s%lld", i ? " &times; " : ", ", (long long)json_integer_value(json_array_get(shape, i)));
    if (isfinite(run_number(r, "data.classes")))
        text_add(html, ", %.0f classes", run_number(r, "data.classes"));
    if (isfinite(run_number(r, "data.train_scale")))
        text_add(html, ", pixels divided by %g", run_number(r, "data.train_scale"));
}

static void write_images(text *html, const report_run *r)
{
    add_count(html, run_number(r, "data.images"));
    text_add(html, " / ");
    add_count(html, run_number(r, "data.validation_images"));
    text_add(html, " / ");
    add_count(html, run_number(r, "data.test_images"));
}

static void write_epochs(text *html, const report_run *r)
{
    add_count(html, (double)r->history.count);
    text_add(html, " of ");
    add_count(html, run_number(r, "fit.epochs"));
}

static void write_seed(text *html, const report_run *r)
{
    const json_t *seed = run_value(r, "fit.seed");
    if (json_is_integer(seed))
        text_add(html, "%lld", (long long)json_integer_value(seed)); /* all its digits */
    else
        add_words(html, json_string_value(seed));
}

static void write_optimizer(text *html, const report_run *r)
{
    const char *key;
    json_t *value;
    bool first = true;
    add_words(html, run_text(r, "fit.optimizer.class_name"));
    json_object_foreach((json_t *)run_value(r, "fit.optimizer.config"), key, value)
    {
        if (json_is_null(value) || strcmp(key, "name") == 0)
            continue;
        text_add(html, first ? " (" : ", ");
        html_text(html, key);
        text_add(html, "=");
        add_json(html, value);
        first = false;
    }
    text_add(html, first ? "" : ")");
}

static void write_callbacks(text *html, const report_run *r)
{
    const json_t *list = run_value(r, "fit.callbacks");
    if (json_array_size(list) == 0)
        text_add(html, "none");
    for (size_t i = 0; i < json_array_size(list); i++) {
        text_add(html, i ? "<br>" : "");
        add_json(html, json_array_get(list, i));
    }
}

static void write_first_step(text *html, const report_run *r)
{
    double seconds = run_number(r, "timings.first_step_seconds");
    text_add(html, isnan(seconds) ? "&ndash;" : "%.2f s", seconds);
}

static void write_seconds(text *html, const report_run *r)
{
    const json_t *list = run_value(r, "timings.epoch_seconds");
    size_t count = json_array_size(list);
    double all = 0;
    for (size_t i = 0; i < count; i++)
        all += json_number_value(json_array_get(list, i));
    if (count == 0)
        text_add(html, "&ndash;");
    else
        text_add(html, "%.1f s, %.1f s an epoch", all, all / (double)count);
}

static void write_rate(text *html, const report_run *r)
{
    add_count(html, run_number(r, "timings.images_per_second"));
}

static void write_test(text *html, const report_run *r)
{
    double accuracy = run_number(r, "test.accuracy"), loss = run_number(r, "test.loss");
    if (isnan(accuracy))
        text_add(html, "not tested");
    else
        text_add(html, "<strong>%.2f %%</strong>, loss %.4f", 100 * accuracy, loss);
}

static const struct {
    const char *title;
    void (*write)(text *html, const report_run *r);
} rows[] = {
    {"test accuracy", write_test},
    {"model", write_model},
    {"data", write_data},
    {"images: training / validation / test", write_images},
    {"epochs", write_epochs},
    {"batch size", write_batch},
    {"optimizer", write_optimizer},
    {"callbacks", write_callbacks},
    {"seed", write_seed},
    {"training time", write_seconds},
    {"images a second", write_rate},
    {"first step after", write_first_step},
    {"device memory used", write_used},
    {"device", write_device},
    {"platform", write_platform},
    {"driver", write_driver},
    {"compute units", write_units},
    {"device memory", write_memory},
    {"started", write_start},
    {"command", write_command},
    {"Convoy", write_version},
};

static void add_names(text *html, const report *r)
{
    text_add(html, "<thead><tr><td></td>");
    for (size_t i = 0; i < r->run_count; i++) {
        text_add(html, "<th scope=\"col\">");
        html_name(html, r->runs[i].name);
        text_add(html, "</th>");
    }
    text_add(html, "</tr></thead>\n");
}

convoy_status section_head(report *r, convoy_error *err)
{
    text *html = &r->page.body;
    (void)err;
    page_section(&r->page, r->run_count == 1 ? "The run" : "The runs");
    page_table(&r->page, "Settings and results", "facts");
    if (r->run_count > 1)
        add_names(html, r);
    text_add(html, "<tbody>\n");
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        text_add(html, "<tr><th scope=\"row\">%s</th>", rows[row].title);
        for (size_t i = 0; i < r->run_count; i++) {
            text_add(html, "<td>");
            rows[row].write(html, &r->runs[i]);
            text_add(html, "</td>");
        }
        text_add(html, "</tr>\n");
    }
    page_end_table(&r->page);
    page_end_section(&r->page);
    return CONVOY_OK;
}
