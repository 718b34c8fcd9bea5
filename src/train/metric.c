#include "train/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementwise.h"

enum { MOST_COLUMNS = 2 };

/* How a class of metrics is counted: by a kernel that notes a few whole numbers for each row. */
typedef struct metric_row {
    const char *name;     /* the class's */
    int least_outputs;    /* 0: any number */
    const char *kernel;   /* and its file in cl/; NULL: the hits that the loss counts are all it needs */
    int columns;
    /* May be NULL. Are the hits enough after all? */
    bool (*is_hits)(const metric_settings *s, int outputs);
    convoy_status (*check)(const metric_settings *s, int outputs, convoy_error *err);
    void (*describe)(const metric_settings *s, int outputs, char *out, size_t size); /* options of the build */
    double (*value)(const int64_t *sum, double images, int outputs);
} metric_row;

typedef struct metric {
    const metric_row *row; /* NULL: the loss's hits */
    metric_settings how;
    int column;
} metric;

struct metric_set {
    convoy_context *ctx;
    int outputs, count, columns;
    metric list[CONVOY_MOST_METRICS];
    rt_buffer *counts, *totals; /* of rows, of steps; NULL without columns */
    int32_t *host;
};

/* ---- the rows ---- */

static bool is_half(const metric_settings *s, int outputs) { return outputs == 1 && s->threshold == 0.5; }

static void describe_threshold(const metric_settings *s, int outputs, char *out, size_t size)
{
    (void)outputs;
    snprintf(out, size, " -DTHRESHOLD=%.9ef", s->threshold);
}

static void describe_k(const metric_settings *s, int outputs, char *out, size_t size)
{
    (void)outputs;
    snprintf(out, size, " -DK=%d", s->k);
}

/* Where only top_k is given, Keras's threshold is -1e10. */
static void describe_positives(const metric_settings *s, int outputs, char *out, size_t size)
{
    double threshold = !isnan(s->threshold) ? s->threshold : s->top_k ? -1e10 : 0.5;
    bool one = s->class_id >= 0;
    snprintf(out, size, " -DTHRESHOLD=%.9ef -DTOP_K=%d -DFIRST=%d -DLAST=%d -DFALSE_POSITIVES=%d", threshold, s->top_k,
             one ? (int)s->class_id : 0, one ? (int)s->class_id + 1 : outputs, strcmp(s->class->name, "precision") == 0);
}

static convoy_status check_positives(const metric_settings *s, int outputs, convoy_error *err)
{
    if (s->class_id >= outputs)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s: class_id %lld, but the model has %d output%s, from 0 on",
                         s->name, (long long)s->class_id, outputs, outputs == 1 ? "" : "s");
    if (s->top_k > outputs)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s: top_k %d, but the model has %d output%s", s->name, s->top_k,
                         outputs, outputs == 1 ? "" : "s");
    return CONVOY_OK;
}

static double mean_of_rows(const int64_t *sum, double images, int outputs)
{
    (void)outputs;
    return images > 0 ? (double)sum[0] / images : 0.0;
}

static double mean_of_values(const int64_t *sum, double images, int outputs)
{
    return images > 0 ? (double)sum[0] / (images * outputs) : 0.0;
}

static double share(const int64_t *sum, double images, int outputs)
{
    (void)images, (void)outputs;
    return sum[0] + sum[1] > 0 ? (double)sum[0] / (double)(sum[0] + sum[1]) : 0.0;
}

static const metric_row rows[] = {
    {.name = "accuracy"},
    {.name = "sparse_categorical_accuracy", .least_outputs = 2},
    {.name = "categorical_accuracy", .least_outputs = 2},
    {.name = "binary_accuracy", .kernel = "binary_accuracy", .columns = 1, .is_hits = is_half,
     .describe = describe_threshold, .value = mean_of_values},
    {.name = "top_k_categorical_accuracy", .least_outputs = 2, .kernel = "top_k_accuracy", .columns = 1,
     .describe = describe_k, .value = mean_of_rows},
    {.name = "sparse_top_k_categorical_accuracy", .least_outputs = 2, .kernel = "top_k_accuracy", .columns = 1,
     .describe = describe_k, .value = mean_of_rows},
    {.name = "precision", .kernel = "positives", .columns = 2, .check = check_positives, .describe = describe_positives,
     .value = share},
    {.name = "recall", .kernel = "positives", .columns = 2, .check = check_positives, .describe = describe_positives,
     .value = share},
};

static const metric_row *find_row(const char *name)
{
    const metric_row *row = rows;
    while (strcmp(row->name, name) != 0)
        row++; /* each class has one: test_metrics walks through them */
    return row;
}

/* ---- life ---- */

static convoy_status add_metric(metric_set *m, const metric_settings *s, convoy_error *err)
{
    const metric_row *row = find_row(s->class->name);
    if (m->outputs < row->least_outputs)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s: the model has one output; at least %d are expected "
                         "(BinaryAccuracy takes one)", s->name, row->least_outputs);
    if (row->check)
        TRY(row->check(s, m->outputs, err));
    bool hits = row->kernel == NULL || (row->is_hits && row->is_hits(s, m->outputs));
    m->list[m->count++] = (metric){.row = hits ? NULL : row, .how = *s, .column = m->columns};
    m->columns += hits ? 0 : row->columns;
    return CONVOY_OK;
}

static convoy_status setup(metric_set *m, const metric_list *list, int batch, size_t steps, convoy_error *err)
{
    for (int i = 0; i < list->count; i++)
        TRY(add_metric(m, &list->row[i], err));
    size_t bytes = (size_t)m->columns * sizeof(int32_t);
    if (m->columns == 0)
        return CONVOY_OK;
    m->host = malloc(steps * bytes);
    if (m->host == NULL)
        return OUT_OF_MEMORY(err);
    TRY(rt_buffer_create(m->ctx, (size_t)batch * bytes, "counts of rows", &m->counts, err));
    return rt_buffer_create(m->ctx, steps * bytes, "counts of steps", &m->totals, err);
}

convoy_status metric_set_create(convoy_context *ctx, const metric_list *list, int outputs, int batch, size_t steps,
                                metric_set **out, convoy_error *err)
{
    metric_set *m = calloc(1, sizeof *m);
    if (m == NULL)
        return OUT_OF_MEMORY(err);
    m->ctx = ctx;
    m->outputs = outputs;
    convoy_status status = setup(m, list, batch, steps, err);
    if (status == CONVOY_OK)
        *out = m;
    else
        metric_set_destroy(m);
    return status;
}

void metric_set_destroy(metric_set *m)
{
    if (m == NULL)
        return;
    rt_buffer_destroy(m->counts);
    rt_buffer_destroy(m->totals);
    free(m->host);
    free(m);
}

/* ---- launches ---- */

static convoy_status add_counts(const metric_set *m, const metric *each, rt_list *list, const rt_buffer *z,
                                const rt_buffer *labels, convoy_error *err)
{
    char options[256];
    int used = snprintf(options, sizeof options, "-DC=%d -DCOLUMNS=%d -DCOLUMN=%d", m->outputs, m->columns, each->column);
    each->row->describe(&each->how, m->outputs, options + used, sizeof options - (size_t)used);
    rt_launch launch = {.label = each->how.name, .source = each->row->kernel, .kernel = each->row->kernel,
                        .options = options};
    rt_push(&launch, RT_BUFFER(z));
    rt_push(&launch, RT_BUFFER(labels));
    rt_push(&launch, RT_BUFFER(m->counts));
    rt_push(&launch, RT_BATCH(1));
    ops_range(&launch, m->ctx, 1, 0, 1);
    launch.bytes_per_image = 4.0 * m->outputs;
    return rt_list_add(list, &launch, err);
}

convoy_status metric_set_add(metric_set *m, rt_list *list, const rt_buffer *z, const rt_buffer *labels, convoy_error *err)
{
    char options[32];
    if (m->columns == 0)
        return CONVOY_OK;
    for (int i = 0; i < m->count; i++)
        if (m->list[i].row != NULL)
            TRY(add_counts(m, &m->list[i], list, z, labels, err));
    snprintf(options, sizeof options, "-DCOLUMNS=%d", m->columns);
    rt_launch sum = {.label = "metric sums", .source = "metric_sum", .kernel = "metric_sum", .options = options};
    rt_push(&sum, RT_BUFFER(m->counts));
    rt_push(&sum, RT_BUFFER(m->totals));
    rt_push(&sum, RT_VARIABLE(RT_VAR_STEP));
    rt_push(&sum, RT_BATCH(1));
    sum.global[0] = RT_FIXED((size_t)m->columns);
    return rt_list_add(list, &sum, err);
}

/* ---- results ---- */

void metric_put(convoy_metrics *metrics, const char *name, double value)
{
    int at = 0;
    while (at < metrics->count && strcmp(metrics->metric[at].name, name) < 0)
        at++;
    bool there = at < metrics->count && strcmp(metrics->metric[at].name, name) == 0;
    if (!there && metrics->count == CONVOY_MOST_METRICS + 1)
        return;
    if (!there)
        memmove(&metrics->metric[at + 1], &metrics->metric[at], (size_t)(metrics->count++ - at) * sizeof metrics->metric[0]);
    snprintf(metrics->metric[at].name, sizeof metrics->metric[at].name, "%s", name);
    metrics->metric[at].value = value;
}

static double value_of(const metric_set *m, const metric *each, size_t steps, const convoy_metrics *metrics)
{
    int64_t sum[MOST_COLUMNS] = {0};
    if (each->row == NULL)
        return metrics->accuracy;
    for (size_t step = 0; step < steps; step++)
        for (int i = 0; i < each->row->columns; i++)
            sum[i] += m->host[step * (size_t)m->columns + (size_t)(each->column + i)];
    return each->row->value(sum, (double)metrics->images, m->outputs);
}

convoy_status metric_set_read(metric_set *m, size_t steps, convoy_metrics *metrics, convoy_error *err)
{
    if (m->columns > 0)
        TRY(rt_buffer_read(m->totals, 0, m->host, steps * (size_t)m->columns * sizeof(int32_t), err));
    metric_put(metrics, "loss", metrics->loss);
    for (int i = 0; i < m->count; i++)
        metric_put(metrics, m->list[i].how.name, value_of(m, &m->list[i], steps, metrics));
    return CONVOY_OK;
}
