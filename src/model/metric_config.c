#include "model/metric_config.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* ---- options ---- */

/* What options_read fills; the settings are made of it. */
typedef struct reading {
    char name[OPTION_TEXT_SIZE];
    int k, top_k;
    double threshold;
    option_values thresholds;
    int64_t class_id;
    bool from_sorted_ids;
} reading;

#define AT(member) .offset = offsetof(reading, member)
#define BASE                                                                                                           \
    {.name = "name", .kind = OPTION_TEXT, AT(name), .standard = "null"},                                               \
        {.name = "dtype", .kind = OPTION_IGNORED, .hidden = true}
#define K {.name = "k", .kind = OPTION_INT, AT(k), .standard = "5", .least = 1, .most = INT_MAX}

static const option plain_options[] = {BASE, {0}};
static const option binary_options[] = {
    BASE, {.name = "threshold", .kind = OPTION_FLOAT, AT(threshold), .standard = "0.5", .least = -3.4e38, .most = 3.4e38}, {0}};
static const option top_k_options[] = {
    BASE, K, {.name = "from_sorted_ids", .kind = OPTION_BOOL, AT(from_sorted_ids), .standard = "false", .hidden = true}, {0}};
static const option positive_options[] = {
    BASE,
    {.name = "thresholds", .kind = OPTION_VALUES, AT(thresholds), .standard = "null"},
    {.name = "top_k", .kind = OPTION_OPTIONAL_INT, AT(top_k), .standard = "null", .least = 1, .most = INT_MAX},
    {.name = "class_id", .kind = OPTION_SEED, AT(class_id), .standard = "null"},
    {0}};

/* ---- classes ---- */

static const metric_class classes[] = {
    {NULL, "accuracy", "acc", plain_options}, /* binary or categorical, by the model's outputs */
    {"SparseCategoricalAccuracy", "sparse_categorical_accuracy", NULL, plain_options},
    {"CategoricalAccuracy", "categorical_accuracy", NULL, plain_options},
    {"BinaryAccuracy", "binary_accuracy", NULL, binary_options},
    {"TopKCategoricalAccuracy", "top_k_categorical_accuracy", NULL, top_k_options},
    {"SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy", NULL, top_k_options},
    {"Precision", "precision", NULL, positive_options},
    {"Recall", "recall", NULL, positive_options},
};
enum { CLASSES = sizeof classes / sizeof classes[0] };

static bool is_called(const metric_class *class, const char *name)
{
    return strcasecmp(name, class->name) == 0 || (class->class_name != NULL && strcasecmp(name, class->class_name) == 0) ||
           (class->short_name != NULL && strcasecmp(name, class->short_name) == 0);
}

const metric_class *metric_class_find(const char *name)
{
    for (int i = 0; name != NULL && i < CLASSES; i++)
        if (is_called(&classes[i], name))
            return &classes[i];
    return NULL;
}

static convoy_status refuse(const char *name, convoy_error *err)
{
    char list[512] = "", hint[128];
    size_t used = 0;
    for (int i = 0; i < CLASSES; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 classes[i].class_name ? classes[i].class_name : classes[i].name);
    return base_fail(err, CONVOY_ERROR_MODEL,
                     "metric '%.100s' is not known; %sknown: %s, also by Keras's names in snake case", name,
                     option_suggest(name, list, hint, sizeof hint), list);
}

/* ---- reading ---- */

static convoy_status take_threshold(const reading *r, metric_settings *out, convoy_error *err)
{
    out->threshold = r->thresholds.count == 0 ? NAN : r->thresholds.value[0];
    if (r->thresholds.count > 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'thresholds' has %d values; one is expected (a metric for each "
                         "threshold does the same)", r->thresholds.count);
    if (r->thresholds.count == 1 && !(out->threshold >= 0.0 && out->threshold <= 1.0))
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'thresholds' is %g; expected 0 to 1", out->threshold);
    return CONVOY_OK;
}

static convoy_status read_options(const json_t *config, metric_settings *out, convoy_error *err)
{
    reading r = {0};
    TRY(options_read(out->class->options, config, &r, err));
    out->k = r.k;
    out->top_k = r.top_k;
    out->threshold = r.threshold;
    out->class_id = r.class_id;
    if (out->class->options == positive_options)
        TRY(take_threshold(&r, out, err));
    if (r.from_sorted_ids)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'from_sorted_ids' is true; outputs of a model are values, not ids");
    if (strlen(r.name) >= sizeof out->name || strcmp(r.name, "loss") == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'name' is '%s'; expected fewer than %zu bytes, and not loss",
                         r.name, sizeof out->name);
    text_copy(out->name, sizeof out->name, r.name[0] != '\0' ? r.name : out->class->name);
    return CONVOY_OK;
}

/* A word alone is its own name in the logs, whichever spelling it has. `config` NULL: a word. */
static convoy_status read_settings(const char *name, const json_t *config, metric_settings *out, convoy_error *err)
{
    *out = (metric_settings){.class = metric_class_find(name), .is_word = config == NULL};
    if (out->class == NULL)
        return refuse(name, err);
    if (out->class->class_name == NULL && !out->is_word)
        return base_fail(err, CONVOY_ERROR_MODEL, "metric %s is a word without options; BinaryAccuracy, CategoricalAccuracy "
                         "and SparseCategoricalAccuracy, which it stands for, have some", out->class->name);
    convoy_status status = read_options(config, out, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "metric %s", out->class->class_name ? out->class->class_name : out->class->name);
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

static convoy_status append(metric_list *list, const metric_settings *s, convoy_error *err)
{
    if (list->count == CONVOY_MOST_METRICS)
        return base_fail(err, CONVOY_ERROR_MODEL, "more than %d metrics", CONVOY_MOST_METRICS);
    metric_settings added = *s;
    for (int i = 1; has_name(list, added.name); i++)
        snprintf(added.name, sizeof added.name, "%.*s_%d", (int)sizeof added.name - 13, s->name, i);
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

static convoy_status read_json(const json_t *json, metric_settings *out)
{
    const json_t *config;
    const char *name = option_serialised(json, &config);
    bool is_word = config == NULL && (json_is_string(json) || json_is_string(json_object_get(json, "config")));
    if (name == NULL || (!is_word && (!json_is_object(config) || strcmp(name, "Accuracy") == 0)))
        return CONVOY_ERROR_MODEL; /* an Accuracy object is not what the word stands for */
    return read_settings(name, config, out, NULL);
}

void metric_list_read(const json_t *json, metric_list *out)
{
    metric_settings s;
    if (!json_is_array(json)) {
        if (read_json(json, &s) == CONVOY_OK)
            (void)append(out, &s, NULL);
        return;
    }
    for (size_t i = 0; i < json_array_size(json); i++)
        metric_list_read(json_array_get(json, i), out);
}

/* ---- writing ---- */

/* As it was given, if Keras, which minds the case, knows it so. */
static const char *word_of(const metric_settings *s)
{
    const metric_class *c = s->class;
    bool known = strcmp(s->name, c->name) == 0 || (c->class_name && strcmp(s->name, c->class_name) == 0) ||
                 (c->short_name && strcmp(s->name, c->short_name) == 0);
    return known ? s->name : c->name;
}

static json_t *write_one(const metric_settings *s)
{
    reading r = {.k = s->k, .top_k = s->top_k, .threshold = s->threshold, .class_id = s->class_id};
    if (s->is_word)
        return json_string(word_of(s));
    text_copy(r.name, sizeof r.name, s->name);
    r.thresholds = (option_values){.count = isnan(s->threshold) ? 0 : 1, .value = {s->threshold}};
    return json_pack("{s:s, s:s, s:o}", "module", "keras.metrics", "class_name", s->class->class_name, "config",
                     options_write(s->class->options, &r));
}

json_t *metric_list_write(const metric_list *list)
{
    json_t *array = json_array();
    int failed = array == NULL;
    for (int i = 0; i < list->count; i++)
        failed |= json_array_append_new(array, write_one(&list->row[i]));
    if (!failed)
        return array;
    json_decref(array);
    return NULL;
}
