#include "words/metric_options.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>

#define MOST 3.4e38 /* no limit but float's */

/* As their enums count them. */
static const char *const curves[] = {"ROC", "PR", "PRGAIN", NULL};
static const char *const summations[] = {"interpolation", "majoring", "minoring", NULL};
static const char *const averages[] = {"null", "micro", "macro", "weighted", NULL};
static const char *const aggregations[] = {"uniform_average", "variance_weighted_average", "null", NULL};

#define AT(member) .offset = offsetof(metric_reading, member)
#define BASE                                                                                                           \
    {.name = "name", .kind = OPTION_TEXT, AT(name), .standard = "null"},                                               \
        {.name = "dtype", .kind = OPTION_IGNORED, .hidden = true}, {.name = "fn", .kind = OPTION_IGNORED, .hidden = true}
#define THRESHOLDS {.name = "thresholds", .kind = OPTION_VALUES, AT(thresholds), .standard = "null"}
#define THRESHOLD                                                                                                      \
    {.name = "threshold", .kind = OPTION_FLOAT, AT(s.threshold), .standard = "0.5", .least = -MOST, .most = MOST}
#define CLASS_ID {.name = "class_id", .kind = OPTION_SEED, AT(s.class_id), .standard = "null"}
#define NUM_THRESHOLDS(low)                                                                                            \
    {.name = "num_thresholds", .kind = OPTION_INT, AT(s.num_thresholds), .standard = "200", .least = low, .most = 100000}
#define FLAG(n, value) {.name = #n, .kind = OPTION_BOOL, AT(s.n), .standard = value}

const option metric_plain_options[] = {BASE, {0}};
const option metric_binary_options[] = {BASE, THRESHOLD, {0}};
const option metric_top_k_options[] = {
    BASE, {.name = "k", .kind = OPTION_INT, AT(s.k), .standard = "5", .least = 1, .most = INT_MAX},
    {.name = "from_sorted_ids", .kind = OPTION_BOOL, AT(from_sorted_ids), .standard = "false", .hidden = true}, {0}};
const option metric_positive_options[] = {
    BASE, THRESHOLDS, {.name = "top_k", .kind = OPTION_OPTIONAL_INT, AT(s.top_k), .standard = "null", .least = 1, .most = INT_MAX},
    CLASS_ID, {0}};
const option metric_count_options[] = {BASE, THRESHOLDS, {0}};

const option metric_auc_options[] = {
    BASE, NUM_THRESHOLDS(2), {.name = "curve", .kind = OPTION_CHOICE, AT(s.curve), .standard = "\"ROC\"", .choices = curves},
    {.name = "summation_method", .kind = OPTION_CHOICE, AT(s.summation), .standard = "\"interpolation\"", .choices = summations},
    {.name = "thresholds", .kind = OPTION_NULL, .instead = "num_thresholds says how many there are, evenly spaced"},
    FLAG(multi_label, "false"), {.name = "num_labels", .kind = OPTION_IGNORED, .hidden = true},
    {.name = "label_weights", .kind = OPTION_VALUES, AT(s.label_weights), .standard = "null"}, FLAG(from_logits, "false"), {0}};

#define AT_OPTIONS(kept)                                                                                               \
    {BASE, NUM_THRESHOLDS(1), {.name = kept, .kind = OPTION_FLOAT, AT(s.at), .most = 1}, CLASS_ID, {0}}
const option metric_at_recall_options[] = AT_OPTIONS("recall");
const option metric_at_precision_options[] = AT_OPTIONS("precision");
const option metric_at_specificity_options[] = AT_OPTIONS("specificity");
const option metric_at_sensitivity_options[] = AT_OPTIONS("sensitivity");

#define AVERAGE {.name = "average", .kind = OPTION_CHOICE, AT(s.average), .standard = "null", .choices = averages}
#define OPTIONAL_THRESHOLD                                                                                             \
    {.name = "threshold", .kind = OPTION_OPTIONAL_FLOAT, AT(s.threshold), .standard = "null", .most = 1}
const option metric_f1_options[] = {BASE, AVERAGE, OPTIONAL_THRESHOLD, {0}};
const option metric_fbeta_options[] = {
    BASE, AVERAGE, {.name = "beta", .kind = OPTION_FLOAT, AT(s.beta), .standard = "1.0", .least = 1e-30, .most = MOST},
    OPTIONAL_THRESHOLD, {0}};

#define NUM_CLASSES {.name = "num_classes", .kind = OPTION_INT, AT(s.num_classes), .least = 1, .most = 10000}
#define TARGETS {.name = "target_class_ids", .kind = OPTION_VALUES, AT(s.targets)}
#define IGNORE {.name = "ignore_class", .kind = OPTION_VALUES, AT(s.ignore), .standard = "null"}
#define AXIS                                                                                                           \
    {.name = "axis", .kind = OPTION_INT, AT(s.axis), .standard = "-1", .least = -1, .most = -1, .hidden = true}
const option metric_mean_iou_options[] = {
    BASE, NUM_CLASSES, IGNORE, FLAG(sparse_y_true, "true"), FLAG(sparse_y_pred, "true"), AXIS, {0}};
const option metric_iou_options[] = {
    BASE, NUM_CLASSES, TARGETS, IGNORE, FLAG(sparse_y_true, "true"), FLAG(sparse_y_pred, "true"), AXIS, {0}};
const option metric_one_hot_iou_options[] = {BASE, NUM_CLASSES, TARGETS, IGNORE, FLAG(sparse_y_pred, "false"), AXIS, {0}};
const option metric_one_hot_mean_iou_options[] = {BASE, NUM_CLASSES, IGNORE, FLAG(sparse_y_pred, "false"), AXIS, {0}};
const option metric_binary_iou_options[] = {
    BASE, {.name = "target_class_ids", .kind = OPTION_VALUES, AT(s.targets), .standard = "[0, 1]"}, THRESHOLD, {0}};

const option metric_r2_options[] = {
    BASE, {.name = "class_aggregation", .kind = OPTION_CHOICE, AT(s.aggregation), .standard = "\"uniform_average\"",
           .choices = aggregations},
    {.name = "num_regressors", .kind = OPTION_INT, AT(s.num_regressors), .standard = "0", .least = 0, .most = INT_MAX}, {0}};

/* ---- what the tables can't say ---- */

static convoy_status take_threshold(metric_reading *r, convoy_error *err)
{
    metric_settings *s = &r->s;
    s->threshold = r->thresholds.count == 0 ? NAN : r->thresholds.value[0];
    if (r->thresholds.count > 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'thresholds' has %d values; one is expected (a metric for each "
                         "threshold does the same)", r->thresholds.count);
    if (r->thresholds.count == 1 && !(s->threshold >= 0.0 && s->threshold <= 1.0))
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'thresholds' is %g; expected 0 to 1", s->threshold);
    return CONVOY_OK;
}

static convoy_status check_whole(const char *name, const option_values *values, double most, convoy_error *err)
{
    for (int i = 0; i < values->count; i++)
        if (values->value[i] != rint(values->value[i]) || fabs(values->value[i]) > most)
            return base_fail(err, CONVOY_ERROR_MODEL, "option '%s' is %g; expected a whole number of at most %g", name,
                             values->value[i], most);
    return CONVOY_OK;
}

static convoy_status check_targets(const metric_settings *s, convoy_error *err)
{
    int classes = s->num_classes ? s->num_classes : 2;
    for (int i = 0; i < s->targets.count; i++)
        if (s->targets.value[i] < 0 || s->targets.value[i] >= classes)
            return base_fail(err, CONVOY_ERROR_MODEL, "option 'target_class_ids' has %g; there are %d classes, from 0 on",
                             s->targets.value[i], classes);
    return check_whole("target_class_ids", &s->targets, 10000, err);
}

convoy_status metric_options_check(metric_reading *r, convoy_error *err)
{
    const option *options = r->s.class->options;
    if (options == metric_positive_options || options == metric_count_options)
        TRY(take_threshold(r, err));
    if (r->from_sorted_ids)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'from_sorted_ids' is true; outputs of a model are values, not ids");
    if (r->s.ignore.count > 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'ignore_class' has %d values; one is expected, or null", r->s.ignore.count);
    TRY(check_whole("ignore_class", &r->s.ignore, INT_MAX, err));
    return check_targets(&r->s, err);
}

/* ---- writing ---- */

static int put_whole(json_t *config, const char *name, const option_values *values, bool list)
{
    int failed = 0;
    if (values->count == 0)
        return 0;
    if (!list)
        return json_object_set_new(config, name, json_integer((json_int_t)values->value[0]));
    json_t *array = json_array();
    for (int i = 0; i < values->count; i++)
        failed |= json_array_append_new(array, json_integer((json_int_t)values->value[i]));
    return failed | json_object_set_new(config, name, array);
}

json_t *metric_options_write(metric_reading *r)
{
    const option *options = r->s.class->options;
    if (options == metric_positive_options || options == metric_count_options)
        r->thresholds = (option_values){.count = isnan(r->s.threshold) ? 0 : 1, .value = {r->s.threshold}};
    json_t *config = options_write(options, r);
    if (config == NULL || put_whole(config, "ignore_class", &r->s.ignore, false) != 0 ||
        put_whole(config, "target_class_ids", &r->s.targets, true) != 0) {
        json_decref(config);
        return NULL;
    }
    return config;
}
