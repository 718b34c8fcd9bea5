/* What the tests of losses and metrics share: outputs and labels by the formulas of tools/make_golden_losses.py, and a list of
 * launches that judges them. Each test is a program of its own, so all is static. */
#ifndef LOSS_HELP_H
#define LOSS_HELP_H

#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "train_help.h"

#include "golden_json.h"
#include "train/loss.h"
#include "train/metric.h"
#include "train/objective.h"

/* Value i of a tensor: -1 .. 1. */
static inline float pattern(size_t i, size_t seed)
{
    long k = (long)((i * 7919 + seed * 104729) % 2003);
    return (float)(k - 1001) / 1001.0f;
}

static inline void fill_outputs(const char *kind, float *z, size_t count, size_t seed)
{
    for (size_t i = 0; i < count; i++) {
        float v = pattern(i, seed);
        if (strcmp(kind, "logits") == 0)
            z[i] = v * 3.0f;
        else if (strcmp(kind, "steep") == 0)
            z[i] = v * 60.0f;
        else if (strcmp(kind, "levels") == 0)
            z[i] = rintf(v * 2.0f);
        else if (strcmp(kind, "bounds") == 0 && i % 3 == 0)
            z[i] = i % 6 == 0 ? 0.0f : 1.0f;
        else
            z[i] = fabsf(v);
    }
}

/* A single output: two classes, or for a loss that compares it with the label itself, three. */
static inline int classes_of(const char *text, int outputs)
{
    static const char *const any_number[] = {"mean", "mse", "mape", "msle", "huber", "logcosh", "cosine", "kl", "poisson",
                                             "categoricalhinge", "tversky"};
    if (outputs > 1)
        return outputs;
    for (size_t i = 0; i < sizeof any_number / sizeof any_number[0]; i++)
        if (strncasecmp(text, any_number[i], strlen(any_number[i])) == 0)
            return 3;
    return 2;
}

static inline void fill_labels(int32_t *labels, size_t rows, int classes)
{
    for (size_t i = 0; i < rows; i++)
        labels[i] = (int32_t)(i * 11 % (size_t)classes);
}

static inline void fill_weights(float *weights, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        weights[i] = (float)(i * 13 % 7 + 1) / 4.0f;
}

/* Images of one pixel: for those who only ask for labels, classes and the number. */
static inline convoy_dataset *bare_data(const int32_t *labels, size_t rows, int classes)
{
    convoy_dataset *data = NULL;
    uint8_t *pixels = calloc(rows, 1);
    assert_non_null(pixels);
    CHECK(convoy_dataset_create(pixels, labels, rows, (convoy_shape){3, {1, 1, 1}}, classes, NULL, &data, &err));
    free(pixels);
    return data;
}

/* ---- Keras's values ---- */

static json_t *root; /* of losses.json */

static inline int open_golden(void **state)
{
    root = golden("losses.json");
    return make_context(state);
}

static inline int close_golden(void **state)
{
    json_decref(root);
    return drop_context(state);
}

/* ---- outputs and labels on the device ---- */

typedef struct rig {
    rt_list *list;
    rt_buffer *z, *dz, *labels;
    int outputs, most;
} rig;

static inline rig make_rig(int outputs, int most)
{
    rig r = {.outputs = outputs, .most = most};
    size_t bytes = (size_t)outputs * (size_t)most * sizeof(float);
    CHECK(rt_list_create(ctx, most, &r.list, &err));
    CHECK(rt_buffer_create(ctx, bytes, "z", &r.z, &err));
    CHECK(rt_buffer_create(ctx, bytes, "dz", &r.dz, &err));
    CHECK(rt_buffer_create(ctx, (size_t)most * sizeof(int32_t), "labels", &r.labels, &err));
    return r;
}

/* What judges a rig's outputs. */
typedef struct rig_judges {
    loss *l;
    loss_job job;
    metric_set *m;
    metric_job metrics;
} rig_judges;

static inline convoy_status write_judges(void *user, rt_list *list, convoy_error *error)
{
    const rig_judges *j = user;
    convoy_status status = loss_add(j->l, list, &j->job, error);
    return status == CONVOY_OK ? metric_set_add(j->m, list, &j->metrics, error) : status;
}

/* All of it compiled together, which takes less time. */
static inline void judge_rig(rig *r, rig_judges *j) { CHECK(rt_list_compile(r->list, write_judges, j, &err)); }

static inline void drop_rig(rig *r)
{
    CHECK(rt_finish(ctx, &err));
    rt_list_destroy(r->list);
    rt_buffer_destroy(r->z);
    rt_buffer_destroy(r->dz);
    rt_buffer_destroy(r->labels);
}

static inline void play_rig(rig *r, const float *z, const int32_t *labels, int rows, int first, int step)
{
    CHECK(rt_buffer_write(r->z, 0, z, (size_t)rows * (size_t)r->outputs * sizeof *z, &err));
    CHECK(rt_buffer_write(r->labels, 0, labels, (size_t)rows * sizeof *labels, &err));
    CHECK(rt_list_set_batch(r->list, rows, &err));
    CHECK(rt_list_set_int(r->list, RT_VAR_ROW, first, &err));
    CHECK(rt_list_set_int(r->list, RT_VAR_STEP, step, &err));
    CHECK(rt_list_play(r->list, 0, rt_list_length(r->list), &err));
}

/* ---- values of a pass ---- */

static inline double value_named(const convoy_metrics *m, const char *name)
{
    for (int i = 0; i < m->count; i++)
        if (strcmp(m->metric[i].name, name) == 0)
            return m->metric[i].value;
    fail_msg("no value is called %s", name);
    return 0;
}

#endif
