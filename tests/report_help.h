/* Small runs for the tests of reports, and what must be true of any page. Each test is a program of its own, so all is static. */
#ifndef REPORT_HELP_H
#define REPORT_HELP_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_ok.h"
#include "base/file.h"
#include "convoy/convoy.h"

#define PAGE_LIMIT ((size_t)3 << 20)

static convoy_context *ctx;
static char folder[64];      /* of the test program */
static char messages[16384]; /* that the context's hook was told, since the last report */

static inline const char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A path in the program's folder; each call's text lives for the next seven. */
static inline const char *at(const char *format, ...)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    int n = snprintf(path, sizeof paths[0], "%s/", folder);
    va_list args;
    va_start(args, format);
    vsnprintf(path + n, sizeof paths[0] - (size_t)n, format, args);
    va_end(args);
    return path;
}

/* Not inlined: gcc 12 then takes what it returns for a pointer to its own variable. */
__attribute__((noinline, unused)) static char *slurp(const char *path)
{
    char *data = NULL;
    size_t size;
    ASSERT_OK(file_read(path, (size_t)1 << 28, &data, &size, &err));
    return data;
}

static inline void put(const char *path, const char *contents)
{
    ASSERT_OK(file_write(path, contents, strlen(contents), &err));
}

static inline void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in the %zu bytes that begin with: %.300s", part, strlen(text), text);
}

static inline void expect_no_text(const char *text, const char *part)
{
    const char *found = strstr(text, part);
    if (found != NULL)
        fail_msg("'%s' is in: %.200s", part, found);
}

static inline size_t count_text(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* ---- runs ---- */

static const char *const sample_names = "[\"airplane\", \"automobile\", \"bird\", \"cat\", \"deer\", \"dog\", \"frog\", \"horse\", "
                                        "\"ship\", \"truck\"]";

/* run.json as convoy train writes it. `names`: JSON. */
static inline void put_info(const char *run, const char *data, const char *names, int epochs)
{
    char *info = malloc(65536);
    assert_non_null(info);
    snprintf(info, 65536,
             "{\"convoy\": \"0.1.0\", \"started\": \"2026-11-25T09:00:00Z\", \"finished\": true, \"command\": [\"convoy\", "
             "\"train\", \"small.json\", \"--data\", \"%s\"], \"model\": \"small.json\", \"data\": {\"name\": \"%s\", \"validation\": null, "
             "\"validation_split\": 0.1, \"images\": 900, \"validation_images\": 100, \"test_images\": 300, \"shape\": [32, 32, "
             "3], \"classes\": 10, \"class_names\": %s}, \"fit\": {\"epochs\": %d, \"batch_size\": 50, \"seed\": 7, \"optimizer\": "
             "{\"class_name\": \"Adam\", \"config\": {\"learning_rate\": 0.001, \"amsgrad\": false}}, \"callbacks\": "
             "[\"EarlyStopping(patience=5)\"]}, \"device\": {\"name\": \"a <device>\", \"vendor\": \"v\", \"platform\": \"p\", "
             "\"driver_version\": \"3.1\", \"compute_units\": 2, \"global_memory_bytes\": 8589934592}, \"timings\": "
             "{\"first_step_seconds\": 0.75, \"epoch_seconds\": [1.5, 1.25], \"images_per_second\": 1234.5, \"device_bytes\": "
             "7340032}, \"test\": {\"loss\": 1.75, \"accuracy\": 0.375}}", data, data, names, epochs);
    put(at("%s/run.json", run), info);
    free(info);
}

static inline void put_launches(const char *run)
{
    put(at("%s/launches.json", run),
        "{\"batch\": 50, \"launches\": [{\"label\": \"gather\", \"kernel\": \"gather\", \"variant\": \"\", \"seconds\": 0.0001, "
        "\"share\": 0.1, \"gflops\": 0, \"gbps\": 4.5}, {\"label\": \"conv2d forward\", \"kernel\": \"conv2d_forward_vec\", "
        "\"variant\": \"vec PIXELS=10 VECTORS=1\", \"seconds\": 0.0009, \"share\": 0.9, \"gflops\": 120.5, \"gbps\": 2}]}");
}

static inline convoy_model *small_model(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create("small", &m, &err));
    ASSERT_OK(convoy_model_add(m, "InputLayer", "shape=(32, 32, 3)", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=6, kernel_size=3, strides=2, activation=relu", &err));
    ASSERT_OK(convoy_model_add(m, "MaxPooling2D", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Dense", "units=10", &err));
    ASSERT_OK(convoy_model_initialize(m, 3, &err));
    return m;
}

/* A run on the sample data: trained for some epochs, with all files. */
static inline void make_run(const char *run, int epochs)
{
    convoy_model *m = small_model();
    convoy_dataset *data = NULL;
    char log[600];
    ASSERT_OK(file_make_folder(at("%s", run), &err));
    ASSERT_OK(convoy_dataset_open("sample", "train", &data, &err));
    snprintf(log, sizeof log, "CSVLogger(filename='%s')", at("%s/history.csv", run));
    const convoy_fit_options fit = {.epochs = epochs, .batch_size = 50, .seed = 7, .validation_split = 0.1,
                                    .callbacks = (const char *const[]){log, NULL}};
    ASSERT_OK(convoy_fit(ctx, m, data, &fit, NULL, &err));
    ASSERT_OK(convoy_model_save(m, at("%s/model.keras", run), &err));
    put_info(run, "sample", sample_names, epochs);
    put_launches(run);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

static inline void copy_run(const char *from, const char *to)
{
    char command[1200];
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s' && rm -rf '%s/report'", at("%s", to), at("%s", from),
             at("%s", to), at("%s", to));
    assert_int_equal(system(command), 0);
}

/* ---- pages ---- */

static const char *const void_tags[] = {"img", "meta", "link", "br", "hr", "!DOCTYPE", "?xml"};

static inline bool is_void(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof void_tags / sizeof *void_tags; i++)
        if (strlen(void_tags[i]) == length && memcmp(void_tags[i], name, length) == 0)
            return true;
    return false;
}

/* Behind the tag at `tag`: attributes have quotes, which end. *closed: it ends in />. */
static inline const char *skip_tag(const char *tag, bool *closed)
{
    const char *c = tag;
    while (*c != '>') {
        assert_true(*c != '\0');
        if (*c == '<' && c != tag)
            fail_msg("a < in a tag: %.80s", tag);
        if (*c == '"') {
            c = strchr(c + 1, '"');
            assert_non_null(c);
        }
        c++;
    }
    *closed = c[-1] == '/';
    return c + 1;
}

/* Every element that begins ends, in the right order; every & begins an entity. For HTML as the report writes it and for SVG. */
static inline void assert_well_formed(const char *markup)
{
    const char *open[256];
    size_t length[256], depth = 0;
    for (const char *c = markup; *c != '\0';) {
        if (*c == '&' && strcspn(c, ";") > 8)
            fail_msg("no entity: %.40s", c);
        if (*c != '<') {
            c++;
            continue;
        }
        bool closed, end = c[1] == '/';
        const char *name = c + 1 + end;
        size_t n = strcspn(name, " \n>/");
        c = skip_tag(c, &closed);
        if (end) {
            if (depth == 0 || length[depth - 1] != n || memcmp(open[depth - 1], name, n) != 0)
                fail_msg("</%.*s> ends <%.30s", (int)n, name, depth ? open[depth - 1] : "nothing");
            depth--;
        } else if (!closed && !is_void(name, n)) {
            assert_true(depth < 256);
            open[depth] = name;
            length[depth++] = n;
        }
    }
    if (depth != 0)
        fail_msg("<%.40s has no end", open[depth - 1]);
}

/* ids are there once, and what is referred to is there. */
static inline void assert_ids(const char *html)
{
    size_t count = 0;
    for (const char *c = html; (c = strstr(c, " id=\"")) != NULL; count++) {
        char wanted[128];
        c += 5;
        snprintf(wanted, sizeof wanted, " id=\"%.*s\"", (int)strcspn(c, "\""), c);
        if (count_text(html, wanted) != 1)
            fail_msg("%zu times%s", count_text(html, wanted), wanted);
    }
    assert_true(count > 0);
    static const char *const references[] = {"href=\"#", "url(#", "aria-labelledby=\""};
    for (size_t i = 0; i < 3; i++)
        for (const char *c = html; (c = strstr(c, references[i])) != NULL;) {
            char wanted[128];
            c += strlen(references[i]);
            snprintf(wanted, sizeof wanted, " id=\"%.*s\"", (int)strcspn(c, "\")"), c);
            if (strstr(html, wanted) == NULL)
                fail_msg("nothing has%s", wanted);
        }
}

/* Each <img> has a PNG in it, and says what it shows. Returns how many there are. */
static inline size_t assert_images(const char *html)
{
    size_t count = 0;
    for (const char *c = html; (c = strstr(c, "<img")) != NULL; count++, c++) {
        const char *source = strstr(c, " src=\"data:image/png;base64,iVBORw0KGgo");
        const char *end = strchr(c, '>'), *alt = strstr(c, " alt=\"");
        assert_true(source != NULL && source < end && end - source > 80);
        assert_true(alt != NULL && alt < end && alt[6] != '"');
    }
    return count;
}

/* The files that the page names are there and are what they should be. */
static inline size_t assert_files(const char *html, const char *where)
{
    static uint8_t pixels[8 * 8 * 3];
    size_t count = 0;
    for (const char *c = html; (c = strstr(c, "<span class=\"file\">")) != NULL; count++) {
        char path[600];
        c += strlen("<span class=\"file\">");
        snprintf(path, sizeof path, "%s/%.*s", where, (int)strcspn(c, "<"), c);
        if (strstr(path, ".svg") != NULL) {
            char *svg = slurp(path);
            expect_text(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
            assert_well_formed(svg);
            free(svg);
        } else {
            ASSERT_OK(convoy_image_read(path, (convoy_shape){3, {8, 8, 3}}, pixels, &err));
        }
    }
    return count;
}

/* Makes a report and checks what must be true of every one; the caller frees the page. */
static inline char *reported(const char *const *runs, size_t count, const char *output, const char *data)
{
    struct stat info;
    const convoy_report_options o = {.runs = runs, .run_count = count, .output = output, .data = data};
    char where[512];
    messages[0] = '\0';
    ASSERT_OK(convoy_report_write(ctx, &o, &err));
    snprintf(where, sizeof where, "%s%s", output ? output : runs[0], output ? "" : "/report");
    char page[600];
    snprintf(page, sizeof page, "%s/report.html", where);
    assert_int_equal(stat(page, &info), 0);
    if ((size_t)info.st_size >= PAGE_LIMIT)
        fail_msg("%s has %zu bytes", page, (size_t)info.st_size);
    char *html = slurp(page);
    const char *style = strstr(html, "</style>");
    assert_non_null(style);
    expect_no_text(html, "<script");
    expect_no_text(style, "rgb(0%");
    expect_no_text(html, "http://");
    expect_no_text(html, "https://");
    assert_well_formed(html);
    assert_ids(style);
    assert_images(html);
    assert_files(html, where);
    return html;
}

static inline char *reported_one(const char *run)
{
    char path[512];
    snprintf(path, sizeof path, "%s", at("%s", run));
    return reported((const char *const[]){path}, 1, NULL, NULL);
}

/* ---- the program's folder and device ---- */

static inline void on_message(void *user, const char *text)
{
    (void)user;
    strncat(messages, text, sizeof messages - strlen(messages) - 2);
    strcat(messages, "\n");
}

static inline int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/convoy-report-XXXXXX");
    if (mkdtemp(folder) == NULL || convoy_context_create(NULL, &ctx, NULL) != CONVOY_OK)
        return -1;
    convoy_context_on_message(ctx, on_message, NULL);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    char command[128];
    convoy_context_destroy(ctx);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#endif
