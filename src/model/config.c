/* Keras's JSON configs, in the forms that Keras 2 and 3 write. What Sequential and Functional differ in is in config_chain.c and
 * config_graph.c; config_write.c writes the smallest form back. */
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "model/config_inside.h"
#include "model/keras_compile.h"
#include "words/option.h"

#define INPUT_CLASS "InputLayer"

/* ---- one layer ---- */

convoy_status model_find_class(const char *name, const layer_class **out, convoy_error *err)
{
    char list[2048], hint[128];
    *out = layer_class_find(name);
    if (*out != NULL)
        return CONVOY_OK;
    layer_class_names(list, sizeof list);
    return base_fail(err, CONVOY_ERROR_MODEL, "unknown layer '%.200s'; %sknown: %s", name,
                     suggest_word(name, list, hint, sizeof hint), list);
}

/* Takes the input's shape out of another layer's config, as a batch_shape: a new reference, NULL when there is none. */
json_t *config_take_shape(json_t *config)
{
    static const char *const keys[] = {"batch_shape", "batch_input_shape", "input_shape"};
    json_t *found = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *shape = json_object_get(config, keys[i]);
        if (found == NULL && shape != NULL && !json_is_null(shape)) {
            found = json_is_array(shape) ? json_copy(shape) : json_incref(shape);
            if (i == 2 && json_is_array(found))
                json_array_insert_new(found, 0, json_null());
        }
        json_object_del(config, keys[i]);
    }
    return found;
}

static convoy_status append_input(convoy_model *model, const json_t *batch_shape, convoy_error *err)
{
    const layer_class *class = NULL;
    layer *l = NULL;
    json_t *config = json_pack("{s:O}", "batch_shape", batch_shape);
    if (config == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = model_find_class(INPUT_CLASS, &class, err);
    if (status == CONVOY_OK)
        status = layer_create(class, config, &l, err);
    if (status == CONVOY_OK)
        status = model_append(model, l, err);
    json_decref(config);
    return status;
}

convoy_status model_append_config(convoy_model *model, const char *class_name, const json_t *config,
                                  const json_t *build_shape, convoy_error *err)
{
    const layer_class *class = NULL;
    layer *l = NULL;
    json_t *own = NULL, *shape = NULL;
    size_t before = model->node_count;
    TRY(model_find_class(class_name, &class, err));
    if (strcmp(class_name, INPUT_CLASS) != 0 && json_is_object(config)) {
        own = json_copy((json_t *)config);
        if (own == NULL)
            return OUT_OF_MEMORY(err);
        shape = config_take_shape(own);
        if (shape == NULL && json_is_array(build_shape))
            shape = json_incref((json_t *)build_shape);
    }
    convoy_status status = layer_create(class, own ? own : config, &l, err);
    if (status == CONVOY_OK && before == 0 && shape != NULL)
        status = append_input(model, shape, err);
    if (status == CONVOY_OK)
        status = model_append(model, l, err);
    else
        layer_destroy(l);
    if (status != CONVOY_OK)
        model_truncate(model, before, model->scope_count);
    json_decref(own);
    json_decref(shape);
    return status;
}

/* ---- reading ---- */

/* Which layer does what an operation of keras.ops does? */
static const char *layer_hint(const char *operation)
{
    static const struct {
        const char *operation, *hint;
    } rows[] = {{"Add", ": Add()([x, y])"}, {"Subtract", ": Subtract()([x, y])"}, {"Multiply", ": Multiply()([x, y])"},
                {"Maximum", ": Maximum()([x, y])"}, {"Minimum", ": Minimum()([x, y])"}, {"Concatenate", ": Concatenate()([x, y])"},
                {"Relu", ": ReLU()(x)"}, {"Softmax", ": Softmax()(x)"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(operation, rows[i].operation) == 0)
            return rows[i].hint;
    return "";
}

convoy_status config_check_entry(const json_t *entry, convoy_error *err)
{
    char found[200];
    const char *class_name = json_string_value(json_object_get(entry, "class_name"));
    const char *module = json_string_value(json_object_get(entry, "module"));
    const char *registered = json_string_value(json_object_get(entry, "registered_name"));
    if (class_name == NULL || !json_is_object(json_object_get(entry, "config")))
        return base_fail(err, CONVOY_ERROR_MODEL, "found %s; expected an object with a class_name and a config",
                         option_value_text(entry, found, sizeof found));
    if (module != NULL && (strncmp(module, "keras.src.ops", 13) == 0 || strncmp(module, "keras.ops", 9) == 0))
        return base_fail(err, CONVOY_ERROR_MODEL, "keras.ops' %.200s, which Keras writes for an operator such as x + y or a call of "
                         "keras.ops, is no layer; build the model with layers instead%s", class_name, layer_hint(class_name));
    if (registered == NULL && strchr(class_name, '>') != NULL) /* as tf.keras writes it */
        registered = class_name;
    if (registered != NULL && strchr(registered, '>') != NULL) /* "package>Name": Python code that we do not have */
        return base_fail(err, CONVOY_ERROR_MODEL,
                         "layer '%.200s' (%.200s) is a custom layer; only Keras's own can be read", class_name,
                         registered);
    return CONVOY_OK;
}

bool config_is_functional(const json_t *entry)
{
    const char *class_name = json_string_value(json_object_get(entry, "class_name"));
    return class_name != NULL && (strcmp(class_name, "Functional") == 0 || strcmp(class_name, "Model") == 0);
}

bool config_is_model(const json_t *entry)
{
    const char *class_name = json_string_value(json_object_get(entry, "class_name"));
    return config_is_functional(entry) || (class_name != NULL && strcmp(class_name, "Sequential") == 0);
}

/* The layers of a model's entry; Keras before 2.2 wrote those of a Sequential alone. */
static convoy_status open_layers(const json_t *entry, const json_t **layers, convoy_error *err)
{
    char found[200];
    const char *class_name = json_string_value(json_object_get(entry, "class_name"));
    const json_t *config = json_object_get(entry, "config");
    *layers = json_is_array(config) ? config : json_object_get(config, "layers");
    if (!json_is_array(*layers))
        return base_fail(err, CONVOY_ERROR_MODEL, "the %s model's config has no list of layers: \"layers\" is %s",
                         class_name, option_value_text(*layers, found, sizeof found));
    if (json_array_size(*layers) == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "the model has no layers");
    return CONVOY_OK;
}

convoy_status config_read_scope(convoy_model *model, const config_call *call, const json_t *entry, convoy_error *err)
{
    const json_t *layers = NULL;
    TRY(open_layers(entry, &layers, err));
    if (config_is_functional(entry))
        return config_read_graph(model, call, entry, layers, err);
    return config_read_chain(model, call, json_object_get(json_object_get(entry, "config"), "build_input_shape"), layers,
                             err);
}

convoy_status model_from_config(const json_t *root, convoy_model **out, convoy_error *err)
{
    convoy_model *model = NULL;
    char found[200];
    const char *class_name = json_string_value(json_object_get(root, "class_name"));
    if (class_name == NULL)
        return base_fail(err, CONVOY_ERROR_MODEL,
                         "not a Keras model: found %s; expected an object with \"class_name\": \"Sequential\" or "
                         "\"Functional\"",
                         option_value_text(root, found, sizeof found));
    if (!config_is_model(root))
        return base_fail(err, CONVOY_ERROR_MODEL,
                         "the model's class is '%.200s'; Sequential and Functional models can be read, others are Python "
                         "code", class_name);
    const json_t *name = json_object_get(json_object_get(root, "config"), "name");
    if (name != NULL && !json_is_string(name) && !json_is_null(name))
        return base_fail(err, CONVOY_ERROR_MODEL, "the model's name is %s; expected a text",
                         option_value_text(name, found, sizeof found));
    bool functional = config_is_functional(root);
    TRY(convoy_model_create(functional && !json_is_string(name) ? "functional" : json_string_value(name), &model, err));
    model->scopes[0].functional = functional;
    convoy_status status = config_read_scope(model, &(config_call){0}, root, err);
    if (status == CONVOY_OK)
        *out = model;
    else
        convoy_model_destroy(model);
    return status;
}

convoy_status config_read(json_t *root, convoy_model **out, convoy_error *err)
{
    convoy_model *model = NULL;
    config_modernise(root);
    TRY(model_from_config(root, &model, err));
    convoy_status status = keras_compile_read(root, model, err);
    if (status == CONVOY_OK && model->optimizer[0] != '\0')
        status = model_begin_optimizer(model, err);
    if (status == CONVOY_OK)
        *out = model;
    else
        convoy_model_destroy(model);
    return status;
}

convoy_status convoy_model_from_json(const char *json, size_t length, convoy_model **out, convoy_error *err)
{
    json_t *root = NULL;
    TRY(config_parse(json, length, &root, err));
    convoy_status status = config_read(root, out, err);
    json_decref(root);
    return status;
}

/* ---- writing ---- */

convoy_status convoy_model_to_json(const convoy_model *model, char **out, convoy_error *err)
{
    json_t *config = NULL;
    TRY(model_to_config(model, &config, err));
    /* Not json_dumps: its memory is jansson's allocator's, and the caller calls free. */
    size_t size = json_dumpb(config, NULL, 0, 0);
    char *text = size > 0 ? malloc(size + 1) : NULL;
    if (text != NULL) {
        json_dumpb(config, text, size, 0);
        text[size] = '\0';
    }
    json_decref(config);
    *out = text;
    return text ? CONVOY_OK : OUT_OF_MEMORY(err);
}
