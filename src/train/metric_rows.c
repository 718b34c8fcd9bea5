#include "train/metric_rows.h"

#include <math.h>
#include <string.h>

/* ---- columns ---- */

static bool always(const metric_settings *s, int outputs)
{
    (void)s, (void)outputs;
    return true;
}

static bool is_half(const metric_settings *s, int outputs) { return outputs == 1 && s->threshold == 0.5; }

static void describe_nothing(const metric_settings *s, int outputs, text *out) { (void)s, (void)outputs, (void)out; }

static void describe_threshold(const metric_settings *s, int outputs, text *out)
{
    (void)outputs;
    text_add(out, " -DTHRESHOLD=%.9ef", s->threshold);
}

static void describe_k(const metric_settings *s, int outputs, text *out)
{
    (void)outputs;
    text_add(out, " -DK=%d", s->k);
}

/* Which of true positives, false positives, true negatives and false negatives, bit by bit. */
static int wanted(const char *name)
{
    static const struct { const char *name; int bits; } rows[] = {
        {"precision", 3}, {"recall", 9}, {"true_positives", 1}, {"false_positives", 2}, {"true_negatives", 4}, {"false_negatives", 8}};
    int i = 0;
    while (strcmp(rows[i].name, name) != 0)
        i++;
    return rows[i].bits;
}

static void describe_range(const metric_settings *s, int outputs, text *out)
{
    bool one = s->class_id >= 0;
    text_add(out, " -DFIRST=%d -DLAST=%d", one ? (int)s->class_id : 0, one ? (int)s->class_id + 1 : outputs);
}

/* Where only top_k is given, Keras's threshold is -1e10. */
static void describe_positives(const metric_settings *s, int outputs, text *out)
{
    double threshold = !isnan(s->threshold) ? s->threshold : s->top_k ? -1e10 : 0.5;
    describe_range(s, outputs, out);
    text_add(out, " -DTHRESHOLD=%.9ef -DTOP_K=%d -DWANTED=%d", threshold, s->top_k, wanted(s->class->name));
}

static convoy_status check_range(const metric_settings *s, int outputs, convoy_error *err)
{
    if (s->class_id >= outputs)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s: class_id %lld, but the model has %d output%s, from 0 on",
                         s->name, (long long)s->class_id, outputs, outputs == 1 ? "" : "s");
    if (s->top_k > outputs)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s: top_k %d, but the model has %d output%s", s->name, s->top_k,
                         outputs, outputs == 1 ? "" : "s");
    return CONVOY_OK;
}

static double mean_of_rows(const metric_settings *s, const double *sum, double images, int outputs)
{
    (void)s, (void)outputs;
    return images != 0 ? sum[0] / images : 0.0;
}

static double mean_of_values(const metric_settings *s, const double *sum, double images, int outputs)
{
    (void)s;
    return images != 0 ? sum[0] / (images * outputs) : 0.0;
}

static double share(const metric_settings *s, const double *sum, double images, int outputs)
{
    (void)s, (void)images, (void)outputs;
    return sum[0] + sum[1] != 0 ? sum[0] / (sum[0] + sum[1]) : 0.0;
}

static double count(const metric_settings *s, const double *sum, double images, int outputs)
{
    (void)s, (void)images, (void)outputs;
    return sum[0];
}

static double root(const metric_settings *s, const double *sum, double images, int outputs)
{
    return sqrt(mean_of_rows(s, sum, images, outputs));
}

/* ---- tables ---- */

/* Bucket 0 of AUC's takes what is not above the first threshold too, which is a little below 0. */
static void describe_auc(const metric_settings *s, int outputs, text *out)
{
    describe_range(s, outputs, out);
    text_add(out, " -DTHRESHOLDS=%d -DLOGITS=%d -DBY_LABEL=%d -DFROM_BELOW=%d", s->num_thresholds, s->from_logits, s->multi_label,
             strcmp(s->class->name, "auc") == 0);
}

static size_t auc_items(const metric_settings *s, int outputs)
{
    return ((size_t)s->num_thresholds + 1) * (size_t)(s->multi_label ? outputs : 1);
}

static size_t auc_cells(const metric_settings *s, int outputs) { return 2 * auc_items(s, outputs); }

static convoy_status check_auc(const metric_settings *s, int outputs, convoy_error *err)
{
    if (s->label_weights.count > 0 && (!s->multi_label || s->label_weights.count != outputs))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s: %d label_weights; with multi_label=True one for each of the %d outputs is "
                         "expected", s->name, s->label_weights.count, outputs);
    return check_range(s, outputs, err);
}

static convoy_status check_f_score(const metric_settings *s, int outputs, convoy_error *err)
{
    (void)outputs;
    return s->average != METRIC_EACH
               ? CONVOY_OK
               : base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s (%s): average=None gives a number for each class; one number is "
                           "expected, as average='macro', 'micro' or 'weighted' gives it", s->name, s->class->class_name);
}

static void describe_f_score(const metric_settings *s, int outputs, text *out)
{
    (void)outputs;
    if (!isnan(s->threshold))
        text_add(out, " -DTHRESHOLD=%.9ef", s->threshold);
}

static size_t outputs_items(const metric_settings *s, int outputs)
{
    (void)s;
    return (size_t)outputs;
}

static size_t f_score_cells(const metric_settings *s, int outputs) { return 3 * outputs_items(s, outputs); }

static bool is_binary(const metric_settings *s) { return strcmp(s->class->name, "binary_io_u") == 0; }

static convoy_status check_iou(const metric_settings *s, int outputs, convoy_error *err)
{
    if (!is_binary(s) && s->sparse_y_pred && outputs > 1)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s (%s): sparse_y_pred=True takes outputs for classes, but the model gives %d "
                         "values; sparse_y_pred=False takes the place of the largest", s->name, s->class->class_name, outputs);
    return CONVOY_OK;
}

static void describe_iou(const metric_settings *s, int outputs, text *out)
{
    (void)outputs;
    text_add(out, " -DCLASSES=%d -DIDS=%d -DBINARY=%d -DTHRESHOLD=%.9ef", s->num_classes ? s->num_classes : 2, s->sparse_y_pred,
             is_binary(s), s->threshold);
    if (s->ignore.count > 0)
        text_add(out, " -DIGNORED=%d", (int)s->ignore.value[0]);
}

static size_t iou_items(const metric_settings *s, int outputs)
{
    (void)outputs;
    return (size_t)(s->num_classes ? s->num_classes : 2);
}

static size_t iou_cells(const metric_settings *s, int outputs) { return 3 * iou_items(s, outputs); }

static convoy_status check_r2(const metric_settings *s, int outputs, convoy_error *err)
{
    (void)outputs;
    return s->aggregation != METRIC_NO_AGGREGATION
               ? CONVOY_OK
               : base_fail(err, CONVOY_ERROR_ARGUMENT, "metric %s (R2Score): class_aggregation=None gives a number for each output; one "
                           "number is expected, as 'uniform_average' or 'variance_weighted_average' gives it", s->name);
}

static size_t r2_cells(const metric_settings *s, int outputs) { return 4 * outputs_items(s, outputs); }

/* ---- the rows ---- */

#define COUNTED(n, k)                                                                                                  \
    {.name = n, .kernel = "positives", .columns = k, .check = check_range, .describe = describe_positives,             \
     .value = k == 1 ? count : share}
#define CURVE(n, how)                                                                                                  \
    {.name = n, .kind = METRIC_TABLE, .kernel = "auc", .check = check_auc, .describe = describe_auc, .cells = auc_cells, \
     .items = auc_items, .value = how}
#define F_SCORE(n)                                                                                                     \
    {.name = n, .kind = METRIC_TABLE, .kernel = "f_score", .check = check_f_score, .describe = describe_f_score,       \
     .cells = f_score_cells, .items = outputs_items, .value = metric_f_score}
#define IOU(n, least)                                                                                                  \
    {.name = n, .kind = METRIC_TABLE, .least_outputs = least, .kernel = "iou", .check = check_iou,                     \
     .describe = describe_iou, .cells = iou_cells, .items = iou_items, .whole_weights = true, .value = metric_iou}

static const metric_row rows[] = {
    {.name = "accuracy", .kernel = "accuracy", .columns = 1, .is_hits = always, .describe = describe_nothing, .value = mean_of_rows},
    {.name = "sparse_categorical_accuracy", .least_outputs = 2, .kernel = "accuracy", .columns = 1, .is_hits = always,
     .describe = describe_nothing, .value = mean_of_rows},
    {.name = "categorical_accuracy", .least_outputs = 2, .kernel = "accuracy", .columns = 1, .is_hits = always,
     .describe = describe_nothing, .value = mean_of_rows},
    {.name = "binary_accuracy", .kernel = "binary_accuracy", .columns = 1, .is_hits = is_half,
     .describe = describe_threshold, .value = mean_of_values},
    {.name = "top_k_categorical_accuracy", .least_outputs = 2, .kernel = "top_k_accuracy", .columns = 1,
     .describe = describe_k, .value = mean_of_rows},
    {.name = "sparse_top_k_categorical_accuracy", .least_outputs = 2, .kernel = "top_k_accuracy", .columns = 1,
     .describe = describe_k, .value = mean_of_rows},
    COUNTED("precision", 2), COUNTED("recall", 2), COUNTED("true_positives", 1), COUNTED("false_positives", 1),
    COUNTED("true_negatives", 1), COUNTED("false_negatives", 1),
    CURVE("auc", metric_auc), CURVE("precision_at_recall", metric_at), CURVE("recall_at_precision", metric_at),
    CURVE("sensitivity_at_specificity", metric_at), CURVE("specificity_at_sensitivity", metric_at),
    F_SCORE("f1_score"), F_SCORE("fbeta_score"),
    IOU("mean_io_u", 0), IOU("io_u", 0), IOU("one_hot_io_u", 2), IOU("one_hot_mean_io_u", 2), IOU("binary_io_u", 0),
    {.name = "r2_score", .kind = METRIC_TABLE, .kernel = "r2_score", .check = check_r2, .describe = describe_nothing,
     .cells = r2_cells, .items = outputs_items, .floats = true, .value = metric_r2_score},
    {.name = "root_mean_squared_error", .kind = METRIC_LOSS, .columns = 1, .value = root},
};

const metric_row *metric_row_find(const metric_class *class)
{
    static const metric_row mean = {.name = "mean", .kind = METRIC_LOSS, .columns = 1, .value = mean_of_rows};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, class->name) == 0)
            return &rows[i];
    return &mean; /* of a loss: test_metrics walks through all classes */
}
