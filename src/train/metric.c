#include "train/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementwise.h"
#include "train/loss.h"
#include "train/metric_rows.h"
#include "train/objective.h"

typedef struct metric {
    const metric_row *row; /* NULL: the loss's hits */
    metric_settings how;
    bool weighted;         /* by weights that there are */
    int column, columns;   /* of columns: where it begins in its set; the last one holds the weights, if it is weighted */
    rt_buffer *table;      /* of tables */
    size_t cells;
} metric;

/* Numbers of rows, and their sums of each step. */
typedef struct columns {
    int count;
    rt_buffer *rows, *totals;
    void *host; /* int32_t or float */
} columns;

struct metric_set {
    convoy_context *ctx;
    const sample_weights *weights;
    int outputs, count;
    metric list[CONVOY_MOST_METRICS];
    columns whole, floats; /* whole numbers, and what is not */
    rt_buffer *hits;       /* of rows: what the kernels of losses note besides */
    void *host_table;      /* room for the largest, as it comes and in doubles */
    size_t most_cells;
};

/* ---- life ---- */

static bool is_float(const metric *each) { return each->weighted || each->row->kind == METRIC_LOSS || each->row->floats; }

static columns *columns_of(metric_set *m, const metric *each) { return is_float(each) ? &m->floats : &m->whole; }

static convoy_status add_table(metric_set *m, metric *each, convoy_error *err)
{
    each->cells = each->row->cells(&each->how, m->outputs);
    size_t most = each->cells > m->most_cells ? each->cells : m->most_cells;
    void *larger = realloc(m->host_table, most * (sizeof(int64_t) + sizeof(double)));
    if (larger == NULL)
        return OUT_OF_MEMORY(err);
    m->host_table = larger;
    m->most_cells = most;
    return rt_buffer_create(m->ctx, each->cells * (is_float(each) ? sizeof(float) : sizeof(int64_t)), "table of a metric", &each->table,
                            err);
}

static convoy_status add_metric(metric_set *m, const metric_settings *s, convoy_error *err)
{
    const metric_row *row = metric_row_find(s->class);
    metric *each = &m->list[m->count];
    if (m->outputs < row->least_outputs)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s: the model has one output; at least %d are expected "
                         "(BinaryAccuracy takes one)", s->name, row->least_outputs);
    if (row->check)
        TRY(row->check(s, m->outputs, err));
    if (row->whole_weights && s->weighted && m->weights != NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s (%s) counts by whole weights in Keras, and not by those of images; give it "
                         "among the metrics, which are not weighted", s->name, s->class->class_name);
    *each = (metric){.row = row, .how = *s, .weighted = s->weighted && m->weights != NULL};
    if (!each->weighted && row->is_hits && row->is_hits(s, m->outputs))
        each->row = NULL;
    m->count++;
    if (each->row == NULL)
        return CONVOY_OK;
    if (row->kind == METRIC_TABLE)
        return add_table(m, each, err);
    columns *c = columns_of(m, each);
    each->column = c->count;
    each->columns = row->columns + each->weighted;
    c->count += each->columns;
    return CONVOY_OK;
}

static convoy_status create_columns(metric_set *m, columns *c, int batch, size_t steps, convoy_error *err)
{
    size_t bytes = (size_t)c->count * sizeof(float); /* as many as an int's */
    if (c->count == 0)
        return CONVOY_OK;
    c->host = malloc(steps * bytes);
    if (c->host == NULL)
        return OUT_OF_MEMORY(err);
    TRY(rt_buffer_create(m->ctx, (size_t)batch * bytes, "numbers of rows", &c->rows, err));
    return rt_buffer_create(m->ctx, steps * bytes, "numbers of steps", &c->totals, err);
}

static convoy_status setup(metric_set *m, const metric_list *list, int batch, size_t steps, convoy_error *err)
{
    for (int i = 0; i < list->count; i++)
        TRY(add_metric(m, &list->row[i], err));
    TRY(rt_buffer_create(m->ctx, (size_t)batch * sizeof(int32_t), "hits of rows", &m->hits, err));
    TRY(create_columns(m, &m->whole, batch, steps, err));
    return create_columns(m, &m->floats, batch, steps, err);
}

convoy_status metric_set_create(convoy_context *ctx, const metric_list *list, const sample_weights *w, int outputs, int batch, size_t steps,
                                metric_set **out, convoy_error *err)
{
    metric_set *m = calloc(1, sizeof *m);
    if (m == NULL)
        return OUT_OF_MEMORY(err);
    m->ctx = ctx;
    m->weights = w;
    m->outputs = outputs;
    convoy_status status = setup(m, list, batch, steps, err);
    if (status == CONVOY_OK)
        *out = m;
    else
        metric_set_destroy(m);
    return status;
}

static void destroy_columns(columns *c)
{
    rt_buffer_destroy(c->rows);
    rt_buffer_destroy(c->totals);
    free(c->host);
}

void metric_set_destroy(metric_set *m)
{
    if (m == NULL)
        return;
    for (int i = 0; i < m->count; i++)
        rt_buffer_destroy(m->list[i].table);
    destroy_columns(&m->whole);
    destroy_columns(&m->floats);
    rt_buffer_destroy(m->hits);
    free(m->host_table);
    free(m);
}

/* ---- launches ---- */

/* A kernel of METRIC_PARAMETERS: one that notes columns. */
static convoy_status add_rows(const metric_set *m, const metric *each, const columns *c, int column, const char *kernel,
                              const char *options, rt_list *list, const metric_job *job, convoy_error *err)
{
    char all[512];
    snprintf(all, sizeof all, "-DC=%d -DWEIGHTS=%d -DCOLUMNS=%d -DCOLUMN=%d%s", m->outputs,
             each->weighted ? sample_weights_kind(m->weights) : WEIGHTS_NONE, c->count, column, options);
    rt_launch launch = {.label = each->how.name, .source = kernel, .kernel = kernel, .options = all};
    rt_push(&launch, RT_BUFFER(job->given));
    rt_push(&launch, RT_BUFFER(job->labels));
    rt_push(&launch, RT_BUFFER(c->rows));
    rt_push(&launch, RT_BUFFER(each->weighted ? sample_weights_buffer(m->weights) : c->rows));
    rt_push(&launch, RT_VARIABLE(RT_VAR_ROW));
    rt_push(&launch, RT_BATCH(1));
    ops_range(&launch, m->ctx, 1, 0, 1);
    launch.bytes_per_image = 4.0 * m->outputs;
    return rt_list_add(list, &launch, err);
}

static convoy_status add_loss(const metric_set *m, const metric *each, const columns *c, rt_list *list, const metric_job *job,
                              convoy_error *err)
{
    bool logits = job->ending != NULL && objective_takes_logits(&each->how.loss, job->ending);
    loss_job rows = {.how = &each->how.loss, .outputs = m->outputs, .z = logits ? job->logits : job->given, .labels = job->labels,
                     .weights = each->weighted ? m->weights : NULL};
    loss_column to = {.label = each->how.name, .given = job->given, .logits = logits, .rows = c->rows, .columns = c->count,
                      .column = each->column, .hits = m->hits};
    return loss_add_column(m->ctx, list, &rows, &to, err);
}

static convoy_status add_columns(metric_set *m, const metric *each, rt_list *list, const metric_job *job, convoy_error *err)
{
    char ignored[64] = "";
    const columns *c = columns_of(m, each);
    char *options = NULL;
    text t = {0};
    if (each->row->kind == METRIC_LOSS)
        TRY(add_loss(m, each, c, list, job, err));
    else {
        text_add(&t, " ");
        each->row->describe(&each->how, m->outputs, &t);
        TRY(text_take(&t, &options, err));
        convoy_status status = add_rows(m, each, c, each->column, each->row->kernel, options, list, job, err);
        free(options);
        TRY(status);
    }
    if (!each->weighted)
        return CONVOY_OK;
    if (each->how.loss.ignore.count > 0)
        snprintf(ignored, sizeof ignored, " -DIGNORED=%d", (int)each->how.loss.ignore.value[0]);
    return add_rows(m, each, c, each->column + each->columns - 1, "metric_weights", ignored, list, job, err);
}

static convoy_status add_table_launch(const metric_set *m, const metric *each, rt_list *list, const metric_job *job, convoy_error *err)
{
    char *options = NULL;
    text t = {0};
    text_add(&t, "-DC=%d -DWEIGHTS=%d", m->outputs, each->weighted ? sample_weights_kind(m->weights) : WEIGHTS_NONE);
    each->row->describe(&each->how, m->outputs, &t);
    TRY(text_take(&t, &options, err));
    rt_launch launch = {.label = each->how.name, .source = each->row->kernel, .kernel = each->row->kernel, .options = options};
    rt_push(&launch, RT_BUFFER(job->given));
    rt_push(&launch, RT_BUFFER(job->labels));
    rt_push(&launch, RT_BUFFER(each->table));
    rt_push(&launch, RT_BUFFER(each->weighted ? sample_weights_buffer(m->weights) : job->given));
    rt_push(&launch, RT_VARIABLE(RT_VAR_ROW));
    rt_push(&launch, RT_VARIABLE(RT_VAR_STEP));
    rt_push(&launch, RT_BATCH(1));
    launch.global[0] = RT_FIXED(each->row->items(&each->how, m->outputs));
    launch.bytes_per_image = 4.0 * m->outputs;
    convoy_status status = rt_list_add(list, &launch, err);
    free(options);
    return status;
}

static convoy_status add_sums(const columns *c, bool floats, rt_list *list, convoy_error *err)
{
    char options[64];
    if (c->count == 0)
        return CONVOY_OK;
    snprintf(options, sizeof options, "-DCOLUMNS=%d -DFLOATS=%d", c->count, floats);
    rt_launch sum = {.label = "metric sums", .source = "metric_sum", .kernel = "metric_sum", .options = options};
    rt_push(&sum, RT_BUFFER(c->rows));
    rt_push(&sum, RT_BUFFER(c->totals));
    rt_push(&sum, RT_VARIABLE(RT_VAR_STEP));
    rt_push(&sum, RT_BATCH(1));
    sum.global[0] = RT_FIXED((size_t)c->count);
    return rt_list_add(list, &sum, err);
}

convoy_status metric_set_add(metric_set *m, rt_list *list, const metric_job *job, convoy_error *err)
{
    for (int i = 0; i < m->count; i++) {
        const metric *each = &m->list[i];
        if (each->row != NULL)
            TRY(each->row->kind == METRIC_TABLE ? add_table_launch(m, each, list, job, err) : add_columns(m, each, list, job, err));
    }
    TRY(add_sums(&m->whole, false, list, err));
    return add_sums(&m->floats, true, list, err);
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

/* Into doubles behind the numbers as they come. */
static convoy_status read_table(metric_set *m, const metric *each, double **out, convoy_error *err)
{
    bool floats = is_float(each);
    float *f = m->host_table;
    int64_t *n = m->host_table;
    *out = (double *)(n + each->cells);
    TRY(rt_buffer_read(each->table, 0, m->host_table, each->cells * (floats ? sizeof *f : sizeof *n), err));
    for (size_t i = 0; i < each->cells; i++)
        (*out)[i] = floats ? (double)f[i] : (double)n[i];
    return CONVOY_OK;
}

static double column_sum(const metric_set *m, const metric *each, size_t steps, int i)
{
    const columns *c = is_float(each) ? &m->floats : &m->whole;
    const float *f = c->host;
    const int32_t *n = c->host;
    double sum = 0;
    for (size_t step = 0; step < steps; step++) {
        size_t at = step * (size_t)c->count + (size_t)(each->column + i);
        sum += is_float(each) ? (double)f[at] : (double)n[at];
    }
    return sum;
}

static convoy_status value_of(metric_set *m, const metric *each, size_t steps, const convoy_metrics *metrics, double *out,
                              convoy_error *err)
{
    double sum[METRIC_MOST_COLUMNS + 1] = {0}, *table, images = (double)metrics->images;
    *out = metrics->accuracy;
    if (each->row == NULL || steps == 0)
        return CONVOY_OK;
    if (each->row->kind == METRIC_TABLE) {
        TRY(read_table(m, each, &table, err));
        *out = each->row->value(&each->how, table, images, m->outputs);
        return CONVOY_OK;
    }
    for (int i = 0; i < each->columns; i++)
        sum[i] = column_sum(m, each, steps, i);
    *out = each->row->value(&each->how, sum, each->weighted ? sum[each->columns - 1] : images, m->outputs);
    return CONVOY_OK;
}

static convoy_status read_columns(columns *c, size_t steps, convoy_error *err)
{
    return c->count > 0 ? rt_buffer_read(c->totals, 0, c->host, steps * (size_t)c->count * sizeof(float), err) : CONVOY_OK;
}

convoy_status metric_set_read(metric_set *m, size_t steps, convoy_metrics *metrics, convoy_error *err)
{
    TRY(read_columns(&m->whole, steps, err));
    TRY(read_columns(&m->floats, steps, err));
    metric_put(metrics, "loss", metrics->loss);
    for (int i = 0; i < m->count; i++) {
        double value;
        TRY(value_of(m, &m->list[i], steps, metrics, &value, err));
        metric_put(metrics, m->list[i].how.name, value);
    }
    return CONVOY_OK;
}
