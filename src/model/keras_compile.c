#include "model/keras_file.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define CONVOY_KEY "convoy"

/* ---- reading ---- */

/* What can't be read leaves the model without an optimizer, and with the reason: only training needs one. */
static void read_optimizer(const json_t *optimizer, convoy_model *model)
{
    convoy_error why = {0};
    char list[256];
    const char *name = json_is_string(optimizer) ? json_string_value(optimizer)
                                                 : json_string_value(json_object_get(optimizer, "class_name"));
    const optimizer_class *class = optimizer_class_find(name);
    if (name == NULL)
        return;
    if (class == NULL) {
        optimizer_class_names(list, sizeof list);
        snprintf(model->optimizer_refused, sizeof model->optimizer_refused, "%.100s is not known; known: %s", name, list);
        return;
    }
    if (optimizer_settings_read(class, json_object_get(optimizer, "config"), &model->optimizer_settings, &why) !=
        CONVOY_OK) {
        snprintf(model->optimizer_refused, sizeof model->optimizer_refused, "%s: %.400s", class->class_name, why.message);
        optimizer_settings_clear(&model->optimizer_settings);
        return;
    }
    text_copy(model->optimizer, sizeof model->optimizer, class->name);
    model->compiled = true;
}

/* A schedule that Keras does not have stands beside its config. */
static void read_schedule(const json_t *config, convoy_model *model)
{
    json_t *schedule = json_object_get(json_object_get(config, CONVOY_KEY), "learning_rate_schedule");
    if (model->compiled && model->optimizer_settings.schedule == NULL && json_is_object(schedule))
        model->optimizer_settings.schedule = json_incref(schedule);
}

/* A loss that can't be read, or one for each of several outputs, leaves the model without one. */
static void read_loss(const json_t *loss, convoy_model *model)
{
    if (loss_from_json(loss, &model->loss, NULL) != CONVOY_OK)
        model->loss = (loss_settings){0};
}

void keras_compile_read(const json_t *config, convoy_model *model)
{
    const json_t *compile = json_object_get(config, "compile_config");
    read_optimizer(json_object_get(compile, "optimizer"), model);
    read_schedule(config, model);
    read_loss(json_object_get(compile, "loss"), model);
    model->metrics = (metric_list){0};
    metric_list_read(json_object_get(compile, "metrics"), &model->metrics);
}

/* ---- writing ---- */

static json_t *write_optimizer(const convoy_model *model, const optimizer_class *class)
{
    return json_pack("{s:s, s:s, s:o}", "module", "keras.optimizers", "class_name", class->class_name, "config",
                     optimizer_settings_write(class, &model->optimizer_settings));
}

/* A model that was compiled without gets what training would take. */
static json_t *write_loss(const convoy_model *model)
{
    const loss_settings standard = model_default_loss(model);
    return loss_to_json(model->loss.class != NULL ? &model->loss : &standard);
}

static json_t *write_metrics(const convoy_model *model)
{
    return model->metrics.count > 0 ? metric_list_write(&model->metrics) : json_null();
}

convoy_status keras_compile_write(const convoy_model *model, json_t *config, convoy_error *err)
{
    if (model->optimizer[0] == '\0')
        return CONVOY_OK;
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    const optimizer_settings *settings = &model->optimizer_settings;
    if (class == NULL)
        return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "optimizer '%s' can't be written", model->optimizer);
    json_t *compile = json_pack("{s:o, s:o, s:o}", "optimizer", write_optimizer(model, class), "loss", write_loss(model),
                                "metrics", write_metrics(model));
    if (compile == NULL || json_object_set_new(config, "compile_config", compile) != 0)
        return OUT_OF_MEMORY(err);
    if (settings->schedule == NULL || optimizer_schedule_is_keras(settings))
        return CONVOY_OK;
    json_t *beside = json_pack("{s:O}", "learning_rate_schedule", settings->schedule);
    return beside != NULL && json_object_set_new(config, CONVOY_KEY, beside) == 0 ? CONVOY_OK : OUT_OF_MEMORY(err);
}
