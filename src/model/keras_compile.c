#include "model/keras_file.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

typedef struct optimizer_kind {
    const char *name, *class_name;
    double learning_rate; /* Keras's default */
} optimizer_kind;

static const optimizer_kind kinds[] = {{"adam", "Adam", 0.001}, {"sgd", "SGD", 0.01}};

static const optimizer_kind *find_kind(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcasecmp(name, kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

/* ---- reading ---- */

/* Options that change which variables an optimizer has, or what they mean. */
static bool is_plain(const json_t *config)
{
    static const char *const off[] = {"amsgrad", "nesterov", "use_ema", "gradient_accumulation_steps"};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        const json_t *value = json_object_get(config, off[i]);
        if (value != NULL && !json_is_null(value) && !json_is_false(value))
            return false;
    }
    return true;
}

static void read_optimizer(const json_t *optimizer, convoy_model *model)
{
    const json_t *config = json_object_get(optimizer, "config");
    const char *name = json_is_string(optimizer) ? json_string_value(optimizer)
                                                 : json_string_value(json_object_get(optimizer, "class_name"));
    const optimizer_kind *kind = find_kind(name);
    const json_t *rate = json_object_get(config, "learning_rate");
    if (kind == NULL || !is_plain(config) || (rate != NULL && !json_is_number(rate))) /* a schedule is an object */
        return;
    text_copy(model->optimizer, sizeof model->optimizer, kind->name);
    model->learning_rate = rate ? json_number_value(rate) : kind->learning_rate;
    model->momentum = json_number_value(json_object_get(config, "momentum"));
    model->compiled = true;
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
    read_loss(json_object_get(compile, "loss"), model);
}

/* ---- writing ---- */

double keras_compile_rate(const convoy_model *model)
{
    const optimizer_kind *kind = find_kind(model->optimizer);
    return model->learning_rate > 0 || kind == NULL ? model->learning_rate : kind->learning_rate;
}

static json_t *write_optimizer(const convoy_model *model, const optimizer_kind *kind)
{
    json_t *config = json_pack("{s:s, s:f}", "name", kind->name, "learning_rate", keras_compile_rate(model));
    if (config != NULL && strcmp(kind->name, "sgd") == 0)
        json_object_set_new(config, "momentum", json_real(model->momentum));
    return json_pack("{s:s, s:s, s:o}", "module", "keras.optimizers", "class_name", kind->class_name, "config", config);
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
    const optimizer_kind *kind = find_kind(model->optimizer);
    if (kind == NULL)
        return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "optimizer '%s' can't be written; known: adam, sgd",
                         model->optimizer);
    json_t *compile = json_pack("{s:o, s:o, s:[s]}", "optimizer", write_optimizer(model, kind), "loss",
                                write_loss(model), "metrics", "accuracy");
    if (compile == NULL || json_object_set_new(config, "compile_config", compile) != 0)
        return OUT_OF_MEMORY(err);
    return CONVOY_OK;
}
