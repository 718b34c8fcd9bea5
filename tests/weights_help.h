/* What the tests of weights' files share: files of tests/golden/weights (tools/make_golden_weights.py), and a folder of their own. Each
 * is a program of its own, so all is static. */
#ifndef WEIGHTS_HELP_H
#define WEIGHTS_HELP_H

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_ok.h"
#include "base/file.h"
#include "config.h"
#include "model/level.h"

#define WEIGHTS TEST_GOLDEN_DIR "/weights/"
#define MOST ((size_t)1 << 24)

static char folder[64]; /* gone at the end */

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/convoy-test-weights-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static inline int remove_folder(void **state)
{
    (void)state;
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    return rmdir(folder);
}

static inline const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static inline char *read_file(const char *path, size_t *size)
{
    char *data = NULL;
    ASSERT_OK(file_read(path, MOST, &data, size, &err));
    return data;
}

static inline char *read_golden(const char *name, size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, WEIGHTS "%s", name);
    return read_file(path, size);
}

static inline float *read_floats(const char *name, const char *kind, size_t *count)
{
    char file[128];
    size_t size = 0;
    snprintf(file, sizeof file, "%s.%s.f32", name, kind);
    float *values = (float *)read_golden(file, &size);
    *count = size / sizeof(float);
    return values;
}

static inline convoy_model *load_model(const char *path)
{
    convoy_model *model = NULL;
    ASSERT_OK(convoy_model_load(path, &model, &err));
    return model;
}

static inline convoy_model *load_golden(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, WEIGHTS "%s", name);
    return load_model(path);
}

/* All weights in Keras's order; the caller frees them. */
static inline float *weights_of(const convoy_model *model, size_t *count)
{
    size_t *nodes = NULL, node_count = 0;
    float *all = malloc((convoy_model_parameter_count(model) + 1) * sizeof *all);
    assert_non_null(all);
    ASSERT_OK(level_order(model, 0, &nodes, &node_count, &err));
    *count = 0;
    for (size_t i = 0; i < node_count; i++)
        for (int p = 0; p < model->nodes[nodes[i]].layer->param_count; p++) {
            size_t n = model->nodes[nodes[i]].layer->param[p].count;
            memcpy(all + *count, model->nodes[nodes[i]].weights[p], n * sizeof *all);
            *count += n;
        }
    free(nodes);
    return all;
}

/* Bit for bit those of NAME.weights.f32. */
static inline void assert_weights(const convoy_model *model, const char *name)
{
    size_t count, expected_count;
    float *found = weights_of(model, &count), *expected = read_floats(name, "weights", &expected_count);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        if (memcmp(&found[i], &expected[i], sizeof(float)) != 0)
            fail_msg("%s: weight %zu of %zu is %.9g; Keras has %.9g", name, i, count, (double)found[i], (double)expected[i]);
    free(found);
    free(expected);
}

static inline void assert_same_weights(const convoy_model *a, const convoy_model *b)
{
    size_t count, other_count;
    float *one = weights_of(a, &count), *other = weights_of(b, &other_count);
    assert_int_equal(count, other_count);
    assert_memory_equal(one, other, count * sizeof(float));
    free(one);
    free(other);
}

/* A refusal: the status is that of a bad file, the message begins with the file's name and holds each of the texts. */
static inline void assert_refusal(convoy_status status, const convoy_error *err, const char *path, va_list texts)
{
    if (status != CONVOY_ERROR_FORMAT && status != CONVOY_ERROR_MODEL)
        fail_msg("%s: %s: \"%s\"", path, convoy_status_name(status), err->message);
    assert_int_equal(err->status, status);
    if (strncmp(err->message, path, strlen(path)) != 0)
        fail_msg("\"%s\" does not begin with the file's name", err->message);
    for (const char *text; (text = va_arg(texts, const char *)) != NULL;)
        if (strstr(err->message, text) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", text, err->message);
}

/* No model can be loaded from this file. The texts end with NULL. */
static inline void assert_no_model(const char *path, ...)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    va_list texts;
    va_start(texts, path);
    convoy_status status = convoy_model_load(path, &model, &err);
    assert_null(model);
    assert_refusal(status, &err, path, texts);
    va_end(texts);
}

/* The model's weights can't be loaded from this file, and stay as they were. */
static inline void assert_no_weights(convoy_model *model, const char *path, ...)
{
    convoy_error err = {0};
    va_list texts;
    size_t count, again;
    float *before = weights_of(model, &count);
    va_start(texts, path);
    convoy_status status = convoy_model_load_weights(model, path, &err);
    assert_refusal(status, &err, path, texts);
    va_end(texts);
    float *after = weights_of(model, &again);
    assert_memory_equal(before, after, count * sizeof(float));
    free(before);
    free(after);
}

/* Other weights than any file's. */
static inline void scramble(convoy_model *model)
{
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; model_is_first(model, i) && p < model->nodes[i].layer->param_count; p++)
            for (size_t k = 0; k < model->nodes[i].layer->param[p].count; k++)
                model->nodes[i].weights[p][k] = -7.5f - (float)k;
}

#endif
