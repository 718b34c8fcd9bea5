#include "words/metric_config.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "convoy/train.h"
#include "words/metric_options.h"

/* ---- classes ---- */

/* Of the IoUs and some more Keras makes the name of the class's, in its own way. */
static const metric_class classes[] = {
    {NULL, "accuracy", "acc", metric_plain_options, NULL, METRIC_UP}, /* binary or categorical, by the model's outputs */
    {"SparseCategoricalAccuracy", "sparse_categorical_accuracy", NULL, metric_plain_options, NULL, METRIC_UP},
    {"CategoricalAccuracy", "categorical_accuracy", NULL, metric_plain_options, NULL, METRIC_UP},
    {"BinaryAccuracy", "binary_accuracy", NULL, metric_binary_options, NULL, METRIC_UP},
    {"TopKCategoricalAccuracy", "top_k_categorical_accuracy", NULL, metric_top_k_options, NULL, METRIC_UP},
    {"SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy", NULL, metric_top_k_options, NULL, METRIC_UP},
    {"Precision", "precision", NULL, metric_positive_options, NULL, METRIC_UP},
    {"Recall", "recall", NULL, metric_positive_options, NULL, METRIC_UP},
    {"TruePositives", "true_positives", NULL, metric_count_options, NULL, METRIC_EITHER},
    {"FalsePositives", "false_positives", NULL, metric_count_options, NULL, METRIC_EITHER},
    {"TrueNegatives", "true_negatives", NULL, metric_count_options, NULL, METRIC_EITHER},
    {"FalseNegatives", "false_negatives", NULL, metric_count_options, NULL, METRIC_EITHER},
    {"AUC", "auc", NULL, metric_auc_options, NULL, METRIC_UP},
    {"PrecisionAtRecall", "precision_at_recall", NULL, metric_at_recall_options, NULL, METRIC_UP},
    {"RecallAtPrecision", "recall_at_precision", NULL, metric_at_precision_options, NULL, METRIC_UP},
    {"SensitivityAtSpecificity", "sensitivity_at_specificity", NULL, metric_at_specificity_options, NULL, METRIC_UP},
    {"SpecificityAtSensitivity", "specificity_at_sensitivity", NULL, metric_at_sensitivity_options, NULL, METRIC_UP},
    {"F1Score", "f1_score", NULL, metric_f1_options, NULL, METRIC_UP},
    {"FBetaScore", "fbeta_score", "f_beta_score", metric_fbeta_options, NULL, METRIC_UP},
    {"MeanIoU", "mean_io_u", NULL, metric_mean_iou_options, NULL, METRIC_UP},
    {"IoU", "io_u", NULL, metric_iou_options, NULL, METRIC_UP},
    {"OneHotIoU", "one_hot_io_u", NULL, metric_one_hot_iou_options, NULL, METRIC_UP},
    {"OneHotMeanIoU", "one_hot_mean_io_u", NULL, metric_one_hot_mean_iou_options, NULL, METRIC_UP},
    {"BinaryIoU", "binary_io_u", NULL, metric_binary_iou_options, NULL, METRIC_UP},
    {"R2Score", "r2_score", NULL, metric_r2_options, NULL, METRIC_UP},
    {"RootMeanSquaredError", "root_mean_squared_error", NULL, NULL, "MeanSquaredError", METRIC_DOWN},
    {"MeanSquaredError", "mean_squared_error", "mse,MSE", NULL, "MeanSquaredError", METRIC_DOWN},
    {"MeanAbsoluteError", "mean_absolute_error", "mae,MAE", NULL, "MeanAbsoluteError", METRIC_DOWN},
    {"MeanAbsolutePercentageError", "mean_absolute_percentage_error", "mape,MAPE", NULL, "MeanAbsolutePercentageError",
     METRIC_DOWN},
    {"MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "msle,MSLE", NULL, "MeanSquaredLogarithmicError",
     METRIC_DOWN},
    {"LogCoshError", "logcosh", "log_cosh_error,log_cosh", NULL, "LogCosh", METRIC_DOWN},
    {"CosineSimilarity", "cosine_similarity", NULL, NULL, "CosineSimilarity", METRIC_UP},
    {"BinaryCrossentropy", "binary_crossentropy", "bce,BCE", NULL, "BinaryCrossentropy", METRIC_DOWN},
    {"CategoricalCrossentropy", "categorical_crossentropy", NULL, NULL, "CategoricalCrossentropy", METRIC_DOWN},
    {"SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", NULL, NULL, "SparseCategoricalCrossentropy",
     METRIC_DOWN},
    {"KLDivergence", "kl_divergence", "kld,KLD,kullback_leibler_divergence", NULL, "KLDivergence", METRIC_DOWN},
    {"Poisson", "poisson", NULL, NULL, "Poisson", METRIC_DOWN},
    {"Hinge", "hinge", NULL, NULL, "Hinge", METRIC_DOWN},
    {"SquaredHinge", "squared_hinge", NULL, NULL, "SquaredHinge", METRIC_DOWN},
    {"CategoricalHinge", "categorical_hinge", NULL, NULL, "CategoricalHinge", METRIC_DOWN},
};
enum { CLASSES = sizeof classes / sizeof classes[0] };

const metric_class *metric_class_find(const char *name)
{
    for (int i = 0; name != NULL && i < CLASSES; i++)
        if (option_is_called(name, classes[i].class_name, classes[i].name, classes[i].also))
            return &classes[i];
    return NULL;
}

const metric_class *metric_class_at(size_t i) { return i < CLASSES ? &classes[i] : NULL; }

static const char *title(const metric_class *class) { return class->class_name ? class->class_name : class->name; }
const char *convoy_metric_name(size_t i) { return i < CLASSES ? title(&classes[i]) : NULL; }

static convoy_status refuse(const char *name, convoy_error *err)
{
    char list[1024] = "", hint[128];
    size_t used = 0;
    for (int i = 0; i < CLASSES; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", title(&classes[i]));
    return base_fail(err, CONVOY_ERROR_MODEL,
                     "metric '%.100s' is not known; %sknown: %s, also by Keras's names in snake case", name,
                     suggest_word(name, list, hint, sizeof hint), list);
}

/* ---- reading ---- */

static convoy_status take_name(const char *given, metric_settings *out, convoy_error *err)
{
    if (strlen(given) >= sizeof out->name || strcmp(given, "loss") == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'name' is '%s'; expected fewer than %zu bytes, and not loss", given,
                         sizeof out->name);
    text_copy(out->name, sizeof out->name, given[0] != '\0' ? given : out->class->name);
    return CONVOY_OK;
}

static convoy_status read_options(const json_t *config, metric_settings *out, convoy_error *err)
{
    metric_reading r = {.s = *out};
    const json_t *name = json_object_get(config, "name");
    if (out->class->loss != NULL) {
        TRY(loss_settings_read(out->class->loss, config, &out->loss, err));
        return take_name(json_is_string(name) ? json_string_value(name) : "", out, err);
    }
    TRY(options_read(out->class->options, config, &r, err));
    TRY(metric_options_check(&r, err));
    *out = r.s;
    return take_name(r.name, out, err);
}

/* A word alone is its own name in the logs, whichever spelling it has. `config` NULL: a word. */
static convoy_status read_settings(const char *name, const json_t *config, metric_settings *out, convoy_error *err)
{
    *out = (metric_settings){.class = metric_class_find(name), .is_word = config == NULL, .class_id = -1};
    if (out->class == NULL)
        return refuse(name, err);
    if (out->class->class_name == NULL && !out->is_word)
        return base_fail(err, CONVOY_ERROR_MODEL, "metric %s is a word without options; BinaryAccuracy, CategoricalAccuracy "
                         "and SparseCategoricalAccuracy, which it stands for, have some", out->class->name);
    convoy_status status = read_options(config, out, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "metric %s", title(out->class));
    if (out->is_word)
        text_copy(out->name, sizeof out->name, name);
    return CONVOY_OK;
}

static bool has_name(const metric_list *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->row[i].name, name) == 0)
            return true;
    return false;
}

/* A weighted metric with the name of another one is told from it by that. */
static convoy_status append(metric_list *list, const metric_settings *s, convoy_error *err)
{
    if (list->count == CONVOY_MOST_METRICS)
        return base_fail(err, CONVOY_ERROR_MODEL, "more than %d metrics", CONVOY_MOST_METRICS);
    metric_settings added = *s;
    if (s->weighted && has_name(list, s->name))
        snprintf(added.name, sizeof added.name, "weighted_%.*s", (int)sizeof added.name - 23, s->name);
    for (int i = 1; has_name(list, added.name); i++)
        snprintf(added.name, sizeof added.name, "%s%.*s_%d", s->weighted ? "weighted_" : "", (int)sizeof added.name - 23, s->name, i);
    list->row[list->count++] = added;
    return CONVOY_OK;
}

static convoy_status parse_one(const char *text, metric_list *out, convoy_error *err)
{
    char name[64];
    json_t *config = NULL;
    metric_settings s;
    convoy_status status = options_parse_call("metric", text, name, sizeof name, &config, err);
    if (status == CONVOY_OK)
        status = read_settings(name, config, &s, err);
    if (status == CONVOY_OK)
        status = append(out, &s, err);
    json_decref(config);
    return option_blame_argument(status, err);
}

convoy_status metric_list_parse(const char *const *texts, metric_list *out, convoy_error *err)
{
    *out = (metric_list){0};
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
        TRY(parse_one(texts[i], out, err));
    return CONVOY_OK;
}

static convoy_status read_json(const json_t *json, bool weighted, metric_list *out, convoy_error *err)
{
    char found[200];
    metric_settings s;
    const json_t *config, *none;
    const char *name = option_serialised(json, &config);
    bool is_word = config == NULL && (json_is_string(json) || json_is_string(json_object_get(json, "config")));
    if (name != NULL && strcmp(name, "MeanMetricWrapper") == 0) /* a function with its options */
        name = option_serialised(json_object_get(config, "fn"), &none);
    if (name == NULL || (!is_word && !json_is_object(config)))
        return base_fail(err, CONVOY_ERROR_MODEL, "metric %s; expected a name or a serialised object",
                         option_value_text(json, found, sizeof found));
    if (option_is_custom(json))
        return base_fail(err, CONVOY_ERROR_MODEL, "metric '%.100s' is not one of Keras's, but %s", name,
                         option_value_text(json_object_get(json, "registered_name"), found, sizeof found));
    if (!is_word && strcmp(name, "Accuracy") == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "metric Accuracy, which counts outputs that equal the label, is not known; the "
                         "word accuracy stands for BinaryAccuracy, CategoricalAccuracy or SparseCategoricalAccuracy");
    TRY(read_settings(name, config, &s, err));
    s.weighted = weighted;
    return append(out, &s, err);
}

convoy_status metric_list_read(const json_t *json, bool weighted, metric_list *out, convoy_error *err)
{
    size_t i;
    const char *key, *class_name = json_string_value(json_object_get(json, "class_name"));
    json_t *value;
    if (json == NULL || json_is_null(json))
        return CONVOY_OK;
    if (class_name != NULL && strcmp(class_name, "__tuple__") == 0)
        return metric_list_read(json_object_get(json, "items"), weighted, out, err);
    if (!json_is_array(json) && (!json_is_object(json) || class_name != NULL))
        return read_json(json, weighted, out, err);
    json_array_foreach(json, i, value)
        TRY(metric_list_read(value, weighted, out, err));
    json_object_foreach((json_t *)json, key, value)
        TRY(metric_list_read(value, weighted, out, err));
    return CONVOY_OK;
}

/* ---- writing ---- */

/* As it was given, if Keras, which minds the case, knows it so. */
static const char *word_of(const metric_settings *s)
{
    const metric_class *c = s->class;
    size_t length = strlen(s->name);
    const char *at = c->also != NULL ? strstr(c->also, s->name) : NULL;
    bool known = strcmp(s->name, c->name) == 0 || (c->class_name && strcmp(s->name, c->class_name) == 0) ||
                 (at != NULL && (at == c->also || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'));
    return known ? s->name : title(c);
}

static json_t *write_one(const metric_settings *s)
{
    metric_reading r = {.s = *s};
    if (s->is_word)
        return json_string(word_of(s));
    text_copy(r.name, sizeof r.name, s->name);
    json_t *loss = s->class->loss != NULL ? loss_to_json(&s->loss) : NULL;
    json_t *config = s->class->loss != NULL ? json_incref(json_object_get(loss, "config")) : metric_options_write(&r);
    json_decref(loss);
    if (config != NULL && json_object_set_new(config, "name", json_string(s->name)) != 0) {
        json_decref(config);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "module", "keras.metrics", "class_name", s->class->class_name, "config", config);
}

json_t *metric_list_write(const metric_list *list, bool weighted)
{
    json_t *array = json_array();
    int failed = array == NULL;
    for (int i = 0; i < list->count; i++)
        if (list->row[i].weighted == weighted)
            failed |= json_array_append_new(array, write_one(&list->row[i]));
    if (!failed)
        return array;
    json_decref(array);
    return NULL;
}
