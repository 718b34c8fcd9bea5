/* What the tests of RUN folders share. Each is a program of its own, so all is static. */
#ifndef RUN_HELP_H
#define RUN_HELP_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "convoy/convoy.h"

enum { BATCH = 8, ROWS = 24 };

static convoy_context *ctx;
static convoy_dataset *data;
static char folder[32];

static inline void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s: %s", convoy_status_name(status), err->message);
}

static inline void refused(convoy_status found, convoy_status expected, const convoy_error *err, const char *part)
{
    assert_int_equal(found, expected);
    if (strstr(err->message, part) == NULL)
        fail_msg("'%s' is not in: %s", part, err->message);
}

static inline convoy_model *fresh(void)
{
    convoy_error err = {0};
    convoy_model *m = NULL;
    must(convoy_model_create(NULL, &m, &err), &err);
    must(convoy_model_add(m, "InputLayer", "shape=(3, 3, 1)", &err), &err);
    must(convoy_model_add(m, "Flatten", NULL, &err), &err);
    must(convoy_model_add(m, "Dense", "units=3", &err), &err);
    must(convoy_model_initialize(m, 5, &err), &err);
    return m;
}

static const char *const names[] = {"kr\xc3\xb6te \xf0\x9f\x90\xb8", "a \"quoted\" name", "back\\slash"};

static inline convoy_dataset *make_data(void)
{
    convoy_error err = {0};
    uint8_t pixels[ROWS * 9];
    int32_t labels[ROWS];
    convoy_dataset *out = NULL;
    for (int n = 0; n < ROWS; n++) {
        labels[n] = n * 7 % 3;
        for (int i = 0; i < 9; i++)
            pixels[n * 9 + i] = (uint8_t)((n * 31 + i * 17) % 97 + (i % 3 == labels[n] ? 90 : 0));
    }
    must(convoy_dataset_create(pixels, labels, ROWS, (convoy_shape){3, {3, 3, 1}}, 3, names, &out, &err), &err);
    return out;
}

/* ---- what a run left ---- */

static inline const char *path_of(const char *name)
{
    static char path[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static inline char *slurp(const char *run, const char *name)
{
    convoy_error err = {0};
    char path[512], *bytes = NULL;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", run, name);
    must(file_read(path, 1 << 20, &bytes, &size, &err), &err);
    return bytes;
}

static inline json_t *parse(const char *run, const char *name)
{
    json_error_t where;
    char *bytes = slurp(run, name);
    json_t *root = json_loads(bytes, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        fail_msg("%s: line %d: %s\n%s", name, where.line, where.text, bytes);
    free(bytes);
    return root;
}

/* By "data.shape". */
static inline json_t *at(const json_t *root, const char *path)
{
    char copy[128], *save = NULL;
    json_t *value = (json_t *)(uintptr_t)root;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key = strtok_r(copy, ".", &save); key != NULL; key = strtok_r(NULL, ".", &save))
        value = json_object_get(value, key);
    if (value == NULL)
        fail_msg("there is no %s", path);
    return value;
}

static inline void expect_text(const json_t *root, const char *path, const char *expected)
{
    assert_true(json_is_string(at(root, path)));
    assert_string_equal(json_string_value(at(root, path)), expected);
}

static inline void expect_number(const json_t *root, const char *path, double expected)
{
    double found = json_number_value(at(root, path));
    if (!json_is_number(at(root, path)) || fabs(found - expected) > 1e-9 * fabs(expected))
        fail_msg("%s is %.12g instead of %.12g", path, found, expected);
}

static inline void expect_null(const json_t *root, const char *path) { assert_true(json_is_null(at(root, path))); }

static inline void expect_keys(const json_t *object, size_t count, const char *const *keys)
{
    assert_int_equal(json_object_size(object), count);
    for (size_t i = 0; i < count; i++)
        at(object, keys[i]);
}

static inline int lines_of(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static inline convoy_run *begin(const convoy_run_options *options, convoy_model *m, convoy_fit_options *fit)
{
    convoy_error err = {0};
    convoy_run *run = NULL;
    must(convoy_run_create(options, ctx, m, data, fit, &run, &err), &err);
    return run;
}

static inline int start(void **state)
{
    (void)state;
    convoy_error err = {0};
    snprintf(folder, sizeof folder, "/tmp/convoy-run-XXXXXX");
    if (mkdtemp(folder) == NULL || convoy_context_create(NULL, &ctx, &err) != CONVOY_OK) {
        print_error("%s\n", err.message);
        return -1;
    }
    data = make_data();
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    char command[128];
    convoy_dataset_destroy(data);
    convoy_context_destroy(ctx);
    snprintf(command, sizeof command, "chmod -R u+w %s && rm -rf %s", folder, folder);
    return system(command);
}

#endif
