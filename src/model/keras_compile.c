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

/* A loss by name has from_logits=False. */
static void read_loss(const json_t *loss, convoy_model *model)
{
    const json_t *config = json_object_get(loss, "config");
    const char *class_name = json_string_value(json_object_get(loss, "class_name"));
    const char *name = json_string_value(loss);
    if (name != NULL && strcmp(name, "sparse_categorical_crossentropy") == 0)
        model->from_probabilities = true;
    else if (class_name != NULL && strcmp(class_name, "SparseCategoricalCrossentropy") == 0)
        model->from_probabilities = !json_is_true(json_object_get(config, "from_logits"));
}

void keras_compile_read(const json_t *config, convoy_model *model)
{
    const json_t *compile = json_object_get(config, "compile_config");
    read_optimizer(json_object_get(compile, "optimizer"), model);
    read_schedule(config, model);
    read_loss(json_object_get(compile, "loss"), model);
}

/* ---- writing ---- */

static json_t *write_optimizer(const convoy_model *model, const optimizer_class *class)
{
    return json_pack("{s:s, s:s, s:o}", "module", "keras.optimizers", "class_name", class->class_name, "config",
                     optimizer_settings_write(class, &model->optimizer_settings));
}

static json_t *write_loss(const convoy_model *model)
{
    return json_pack("{s:s, s:s, s:{s:b}}", "module", "keras.losses", "class_name", "SparseCategoricalCrossentropy",
                     "config", "from_logits", !model->from_probabilities);
}

convoy_status keras_compile_write(const convoy_model *model, json_t *config, convoy_error *err)
{
    if (model->optimizer[0] == '\0')
        return CONVOY_OK;
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    const optimizer_settings *settings = &model->optimizer_settings;
    if (class == NULL)
        return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "optimizer '%s' can't be written", model->optimizer);
    json_t *compile = json_pack("{s:o, s:o, s:[s]}", "optimizer", write_optimizer(model, class), "loss",
                                write_loss(model), "metrics", "accuracy");
    if (compile == NULL || json_object_set_new(config, "compile_config", compile) != 0)
        return OUT_OF_MEMORY(err);
    if (settings->schedule == NULL || optimizer_schedule_is_keras(settings))
        return CONVOY_OK;
    json_t *beside = json_pack("{s:O}", "learning_rate_schedule", settings->schedule);
    return beside != NULL && json_object_set_new(config, CONVOY_KEY, beside) == 0 ? CONVOY_OK : OUT_OF_MEMORY(err);
}
