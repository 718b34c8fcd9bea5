/* What the tests of functional models share: files of tests/golden/graph (tools/make_golden_graph.py). Each test is a program of its
 * own, so all is static. */
#ifndef GRAPH_HELP_H
#define GRAPH_HELP_H

#include <math.h>
#include <stdio.h>

#include "assert_ok.h"
#include "base/file.h"
#include "config.h"
#include "convoy/convoy.h"
#include "model/level.h"
#include "model_help.h"

#define GRAPHS TEST_GOLDEN_DIR "/graph"
#define MOST ((size_t)1 << 24)

static inline char *read_golden(const char *name, size_t *size)
{
    char path[512], *data = NULL;
    snprintf(path, sizeof path, GRAPHS "/%s", name);
    ASSERT_OK(file_read(path, MOST, &data, size, &err));
    return data;
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

static inline convoy_model *load_golden(const char *file)
{
    char path[512];
    convoy_model *model = NULL;
    snprintf(path, sizeof path, GRAPHS "/%s", file);
    ASSERT_OK(convoy_model_load(path, &model, &err));
    return model;
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
    assert_int_equal(*count, convoy_model_parameter_count(model));
    return all;
}

static inline void assert_near(const char *what, const float *found, const float *expected, size_t count, float tolerance)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(found[i] - expected[i]) <= tolerance * (1 + fabsf(expected[i]))))
            fail_msg("%s: value %zu of %zu is %.9g; Keras says %.9g", what, i, count, (double)found[i],
                     (double)expected[i]);
}

/* What the model gives for inputs one after another: all its outputs one after another. The caller frees it. */
static inline float *predict(convoy_context *ctx, convoy_model *model, const float *values, size_t images, size_t *count)
{
    const float *inputs[8];
    float *outputs[8];
    size_t at = 0;
    assert_true(convoy_model_input_count(model) <= 8 && convoy_model_output_count(model) <= 8);
    for (size_t k = 0; k < convoy_model_input_count(model); k++) {
        convoy_shape shape = convoy_model_input_at(model, k);
        inputs[k] = values + at;
        at += images * shape_count(&shape);
    }
    *count = 0;
    for (size_t k = 0; k < convoy_model_output_count(model); k++) {
        convoy_shape shape = convoy_model_output_at(model, k);
        *count += images * shape_count(&shape);
    }
    float *all = malloc((*count + 1) * sizeof *all);
    assert_non_null(all);
    at = 0;
    for (size_t k = 0; k < convoy_model_output_count(model); k++) {
        convoy_shape shape = convoy_model_output_at(model, k);
        outputs[k] = all + at;
        at += images * shape_count(&shape);
    }
    ASSERT_OK(convoy_predict_all(ctx, model, inputs, images, 2, outputs, &err)); /* the last batch is a partial one */
    return all;
}

#endif
