#include "model/keras_compile.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define CONVOY_KEY "convoy"

/* ---- reading ---- */

/* Keeps a value of the config as it is, to be written again. */
static convoy_status keep(const json_t *compile, const char *key, convoy_model *model, convoy_error *err)
{
    json_t *value = json_deep_copy(json_object_get(compile, key));
    if (json_object_get(compile, key) == NULL)
        return CONVOY_OK;
    if (model->compile_kept == NULL)
        model->compile_kept = json_object();
    return value != NULL && json_object_set_new(model->compile_kept, key, value) == 0 ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status read_class(const json_t *optimizer, const optimizer_class **out, convoy_error *err)
{
    char list[256], found[200];
    const json_t *name = json_is_object(optimizer) ? json_object_get(optimizer, "class_name") : optimizer;
    *out = optimizer_class_find(json_string_value(name));
    optimizer_class_names(list, sizeof list);
    if (!json_is_string(name))
        return base_fail(err, CONVOY_ERROR_MODEL, "%s; a name or a serialised object is expected",
                         option_value_text(optimizer, found, sizeof found));
    return *out != NULL ? CONVOY_OK
                        : base_fail(err, CONVOY_ERROR_MODEL, "%.100s is not known; known: %s", json_string_value(name), list);
}

/* What can't be read leaves the model without an optimizer, and with the reason: only training needs one. A config without one means
 * the default of Keras's compile. */
static convoy_status read_optimizer(const json_t *compile, convoy_model *model, convoy_error *err)
{
    convoy_error why = {0};
    const optimizer_class *class = optimizer_class_find("rmsprop");
    const json_t *optimizer = json_object_get(compile, "optimizer");
    if (json_is_null(optimizer) || json_object_size(compile) == 0)
        return keep(compile, "optimizer", model, err);
    convoy_status status = optimizer != NULL ? read_class(optimizer, &class, &why) : CONVOY_OK;
    if (status == CONVOY_OK)
        status = optimizer_settings_read(class, json_object_get(optimizer, "config"), &model->optimizer_settings, &why);
    if (status == CONVOY_ERROR_MEMORY)
        return OUT_OF_MEMORY(err);
    if (status != CONVOY_OK) {
        text_copy(model->optimizer_refused, sizeof model->optimizer_refused, why.message);
        optimizer_settings_clear(&model->optimizer_settings);
        return keep(compile, "optimizer", model, err);
    }
    text_copy(model->optimizer, sizeof model->optimizer, class->name);
    model->compiled = true;
    return CONVOY_OK;
}

/* A schedule that Keras does not have stands beside its config. */
static void read_schedule(const json_t *config, convoy_model *model)
{
    json_t *schedule = json_object_get(json_object_get(config, CONVOY_KEY), "learning_rate_schedule");
    if (model->compiled && model->optimizer_settings.schedule == NULL && json_is_object(schedule))
        model->optimizer_settings.schedule = json_incref(schedule);
}

static convoy_status read_weighted_loss(const json_t *loss, const json_t *weights, loss_settings *out, convoy_error *err)
{
    char found[200];
    const json_t *weight = option_only(weights);
    TRY(loss_from_json(loss, out, err));
    bool empty = (json_is_array(weight) || json_is_object(weight)) && json_array_size(weight) + json_object_size(weight) == 0;
    out->has_weight = weight != NULL && !json_is_null(weight) && !empty;
    out->weight = json_number_value(weight);
    if (!out->has_weight || json_is_number(weight))
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "loss_weights is %s; a number for one loss is expected",
                     option_value_text(weights, found, sizeof found));
}

static convoy_status read_loss(const json_t *compile, convoy_model *model, convoy_error *err)
{
    convoy_error why = {0};
    const json_t *loss = json_object_get(compile, "loss");
    model->loss = (loss_settings){0};
    model->loss_refused[0] = '\0';
    if (loss == NULL || json_is_null(loss) ||
        read_weighted_loss(loss, json_object_get(compile, "loss_weights"), &model->loss, &why) == CONVOY_OK)
        return CONVOY_OK;
    model->loss = (loss_settings){0};
    text_copy(model->loss_refused, sizeof model->loss_refused, why.message);
    TRY(keep(compile, "loss_weights", model, err));
    return keep(compile, "loss", model, err);
}

/* What is meant for several outputs is not written as if it were for one. */
static convoy_status read_both(const json_t *compile, const convoy_model *model, metric_list *out, convoy_error *err)
{
    const json_t *metrics = json_object_get(compile, "metrics"), *weighted = json_object_get(compile, "weighted_metrics");
    size_t outputs = model_output_count(model);
    *out = (metric_list){0};
    if (outputs > 1 && json_object_size(metrics) + json_array_size(metrics) + json_object_size(weighted) + json_array_size(weighted))
        return base_fail(err, CONVOY_ERROR_MODEL, "they are metrics of a model with %zu outputs", outputs);
    TRY(metric_list_read(metrics, false, out, err));
    return metric_list_read(weighted, true, out, err);
}

static convoy_status read_metrics(const json_t *compile, convoy_model *model, convoy_error *err)
{
    convoy_error why = {0};
    model->metrics_refused[0] = '\0';
    if (read_both(compile, model, &model->metrics, &why) == CONVOY_OK)
        return CONVOY_OK;
    model->metrics = (metric_list){0};
    text_copy(model->metrics_refused, sizeof model->metrics_refused, why.message);
    TRY(keep(compile, "metrics", model, err));
    return keep(compile, "weighted_metrics", model, err);
}

convoy_status keras_compile_read(const json_t *config, convoy_model *model, convoy_error *err)
{
    const json_t *compile = json_object_get(config, "compile_config");
    json_decref(model->compile_kept);
    model->compile_kept = NULL;
    TRY(read_optimizer(compile, model, err));
    read_schedule(config, model);
    TRY(read_loss(compile, model, err));
    return read_metrics(compile, model, err);
}

/* ---- writing ---- */

static json_t *write_optimizer(const convoy_model *model)
{
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    return json_pack("{s:s, s:s, s:o}", "module", "keras.optimizers", "class_name", class->class_name, "config",
                     optimizer_settings_write(class, &model->optimizer_settings));
}

static json_t *write_loss(const convoy_model *model)
{
    return model->loss.class != NULL ? loss_to_json(&model->loss) : json_null();
}

static json_t *write_loss_weights(const convoy_model *model)
{
    return model->loss.has_weight ? json_pack("[f]", model->loss.weight) : NULL;
}

static json_t *write_metrics(const convoy_model *model)
{
    json_t *list = metric_list_write(&model->metrics, false);
    bool none = list != NULL && json_array_size(list) == 0;
    if (none)
        json_decref(list);
    return none ? json_null() : list;
}

static json_t *write_weighted_metrics(const convoy_model *model)
{
    for (int i = 0; i < model->metrics.count; i++)
        if (model->metrics.row[i].weighted)
            return metric_list_write(&model->metrics, true);
    return NULL;
}

/* Keras's keys; those that are optional are written where they say something only. */
static const struct {
    const char *key;
    bool optional;
    json_t *(*write)(const convoy_model *model); /* a new reference; NULL: nothing to say, or out of memory */
} rows[] = {
    {"optimizer", false, write_optimizer}, {"loss", false, write_loss}, {"loss_weights", true, write_loss_weights},
    {"metrics", false, write_metrics}, {"weighted_metrics", true, write_weighted_metrics},
};

static convoy_status write_rows(const convoy_model *model, json_t *compile, convoy_error *err)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *kept = json_object_get(model->compile_kept, rows[i].key);
        json_t *value = kept != NULL ? json_incref(kept) : rows[i].write(model);
        if (value == NULL && rows[i].optional)
            continue;
        if (value == NULL || json_object_set_new(compile, rows[i].key, value) != 0)
            return OUT_OF_MEMORY(err);
    }
    return CONVOY_OK;
}

convoy_status keras_compile_write(const convoy_model *model, json_t *config, convoy_error *err)
{
    const optimizer_settings *settings = &model->optimizer_settings;
    bool kept = json_object_get(model->compile_kept, "optimizer") != NULL;
    if (model->optimizer[0] == '\0' && !kept)
        return CONVOY_OK;
    if (!kept && optimizer_class_find(model->optimizer) == NULL)
        return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "optimizer '%s' can't be written", model->optimizer);
    json_t *compile = json_object();
    if (compile == NULL || json_object_set_new(config, "compile_config", compile) != 0)
        return OUT_OF_MEMORY(err);
    TRY(write_rows(model, compile, err));
    if (settings->schedule == NULL || optimizer_schedule_is_keras(settings))
        return CONVOY_OK;
    json_t *beside = json_pack("{s:O}", "learning_rate_schedule", settings->schedule);
    return beside != NULL && json_object_set_new(config, CONVOY_KEY, beside) == 0 ? CONVOY_OK : OUT_OF_MEMORY(err);
}
