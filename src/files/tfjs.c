/* Layers models of TensorFlow.js: what stands in model.json. Its converter puts in what Keras's .h5 files have as attributes;
 * TensorFlow.js itself writes the same with some words of its own. */
#include "files/tfjs.h"

#include <string.h>

#include "model/build.h"
#include "model/keras_compile.h"
#include "words/option.h"

#define TOPOLOGY "modelTopology"
#define MANIFEST "weightsManifest"

bool tfjs_is(const json_t *root)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    return json_object_get(root, TOPOLOGY) != NULL || json_object_get(root, MANIFEST) != NULL ||
           (format != NULL && (strcmp(format, "layers-model") == 0 || strcmp(format, "graph-model") == 0));
}

/* Files of TensorFlow.js before 1.0 have no format; a graph is known by its list of nodes. */
static convoy_status check_format(const json_t *root, convoy_error *err)
{
    char found[200];
    const json_t *format = json_object_get(root, "format"), *topology = json_object_get(root, TOPOLOGY);
    const char *name = json_string_value(format);
    if ((name != NULL && strcmp(name, "graph-model") == 0) || json_object_get(topology, "node") != NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "a graph-model of TensorFlow.js: it holds TensorFlow's operations, no Keras layers. "
                         "Export the Keras model itself as .keras or .h5, or convert it into a layers-model");
    if (format != NULL && !json_is_null(format) && (name == NULL || strcmp(name, "layers-model") != 0))
        return base_fail(err, CONVOY_ERROR_FORMAT, "format is %s; of TensorFlow.js's files layers-model can be read",
                         option_value_text(format, found, sizeof found));
    if (!json_is_object(topology))
        return base_fail(err, CONVOY_ERROR_FORMAT, TOPOLOGY " is %s; expected the model's config",
                         option_value_text(topology, found, sizeof found));
    if (json_object_get(root, MANIFEST) == NULL && json_object_get(root, "weightSpecs") != NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "it has weightSpecs, as TensorFlow.js keeps models in a browser, but no " MANIFEST
                         "; save the model as files");
    return CONVOY_OK;
}

/* ---- how it was compiled ---- */

/* What TensorFlow.js's optimizers call otherwise than Keras's. */
static const struct {
    const char *class_name; /* NULL: any */
    const char *key, *now;
} own_keys[] = {
    {NULL, "beta1", "beta_1"},
    {NULL, "beta2", "beta_2"},
    {"RMSProp", "decay", "rho"}, /* in Keras's RMSprop it is the rate's */
    {"Momentum", "use_nesterov", "nesterov"},
};

static void modernise_optimizer(json_t *optimizer)
{
    const char *class_name = json_string_value(json_object_get(optimizer, "class_name"));
    json_t *config = json_object_get(optimizer, "config");
    for (size_t i = 0; class_name != NULL && i < sizeof own_keys / sizeof *own_keys; i++) {
        json_t *value = json_object_get(config, own_keys[i].key);
        if (value == NULL || (own_keys[i].class_name != NULL && strcmp(own_keys[i].class_name, class_name) != 0))
            continue;
        json_object_set(config, own_keys[i].now, value);
        json_object_del(config, own_keys[i].key);
    }
    if (class_name != NULL && strcmp(class_name, "Momentum") == 0)
        json_object_set_new(optimizer, "class_name", json_string("SGD"));
}

/* The converter keeps Keras 2's training_config in the topology, TensorFlow.js its own beside it; Keras 3's stands in the config. */
static convoy_status read_training(const json_t *root, const json_t *config, convoy_model *model, convoy_error *err)
{
    const json_t *training = json_object_get(root, "trainingConfig");
    if (!json_is_object(training))
        training = json_object_get(json_object_get(root, TOPOLOGY), "training_config");
    if (!json_is_object(training))
        return keras_compile_read(config, model, err);
    modernise_optimizer(json_object_get(training, "optimizer_config"));
    json_t *compile = keras_legacy_compile(training);
    if (compile == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = keras_compile_read(compile, model, err);
    json_decref(compile);
    return status;
}

/* ---- all of it ---- */

static convoy_status read_weights(const json_t *groups, const char *path, convoy_model *model, convoy_error *err)
{
    static const convoy_error left_out = {CONVOY_ERROR_FORMAT, "the state that TensorFlow.js saves is not read"};
    bool state = false;
    TRY(tfjs_weights_read(model, groups, path, &state, err));
    model->has_weights = true;
    return state && model->optimizer[0] != '\0' ? model_leave_state_out(model, left_out.status, &left_out, err) : CONVOY_OK;
}

convoy_status tfjs_read_weights(convoy_model *model, const json_t *root, const char *path, convoy_error *err)
{
    const json_t *groups = json_object_get(root, MANIFEST);
    TRY(check_format(root, err));
    if (groups == NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "it has no " MANIFEST ": the model's config alone");
    return read_weights(groups, path, model, err);
}

convoy_status tfjs_read(json_t *root, const char *path, convoy_model **out, convoy_error *err)
{
    convoy_model *model = NULL;
    TRY(check_format(root, err));
    json_t *config = json_object_get(root, TOPOLOGY), *inner = json_object_get(config, "model_config");
    const json_t *groups = json_object_get(root, MANIFEST);
    if (json_is_object(inner))
        config = inner;
    config_modernise(config);
    convoy_status status = model_from_config(config, &model, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, TOPOLOGY);
    status = read_training(root, config, model, err);
    if (status == CONVOY_OK && model->optimizer[0] != '\0')
        status = model_begin_optimizer(model, err);
    if (status == CONVOY_OK && groups != NULL) /* without: the architecture alone, as from a config */
        status = read_weights(groups, path, model, err);
    if (status == CONVOY_OK)
        *out = model;
    else
        convoy_model_destroy(model);
    return status;
}
