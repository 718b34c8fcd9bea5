/* An activation as an option: by name, or as the layer objects that Keras takes for activations. */
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "words/option.h"

/* Keras's layers that are activations with one argument. */
typedef struct activation_class {
    const char *class_name, *key, *alias; /* alias: Keras 2's */
    double standard;
    const char *activation;
} activation_class;

static const activation_class classes[] = {
    {"LeakyReLU", "negative_slope", "alpha", 0.3, "leaky_relu"},
    {"ELU", "alpha", NULL, 1.0, "elu"},
};

#define CLASSES (sizeof classes / sizeof classes[0])

static convoy_status refuse(const option *row, const json_t *value, const char *expected, convoy_error *err)
{
    char found[256];
    return base_fail(err, CONVOY_ERROR_MODEL, "option '%s' is %s; expected %s", row->name,
                     option_value_text(value, found, sizeof found), expected);
}

/* A number of a layer's config: `standard` where it isn't there; false when it isn't a number of at least 0. */
static bool take_number(const json_t *config, const char *key, double standard, double *out)
{
    const json_t *value = key ? json_object_get(config, key) : NULL;
    *out = value ? json_number_value(value) : standard;
    return value == NULL || (json_is_number(value) && *out >= 0);
}

/* ReLU: as far as it is relu, relu6 or leaky_relu. */
static bool read_relu(const json_t *config, activation_choice *out)
{
    const json_t *most = json_object_get(config, "max_value");
    bool capped = most != NULL && !json_is_null(most);
    double slope, threshold;
    if (!take_number(config, "negative_slope", 0, &slope) || !take_number(config, "threshold", 0, &threshold) ||
        threshold != 0 || (capped && (json_number_value(most) != 6 || slope != 0)))
        return false;
    if (slope != 0)
        activation_with("leaky_relu", slope, out);
    else
        out->act = activation_find(capped ? "relu6" : "relu");
    return true;
}

static convoy_status read_object(const option *row, const json_t *value, const char *class_name, activation_choice *out,
                                 convoy_error *err)
{
    const json_t *config = json_object_get(value, "config");
    for (size_t i = 0; i < CLASSES; i++) {
        const activation_class *c = &classes[i];
        double argument;
        if (strcmp(class_name, c->class_name) != 0)
            continue;
        const char *key = c->alias && json_object_get(config, c->alias) ? c->alias : c->key;
        if (!take_number(config, key, c->standard, &argument))
            return refuse(row, value, "a number of at least 0 in it", err);
        activation_with(c->activation, argument, out);
        return CONVOY_OK;
    }
    if (strcmp(class_name, "ReLU") == 0)
        return read_relu(config, out) ? CONVOY_OK
                                      : refuse(row, value, "max_value null or 6 (then without negative_slope), and threshold "
                                               "0; use a ReLU layer of its own for others", err);
    const json_t *axis = json_object_get(config, "axis");
    if (strcmp(class_name, "Softmax") == 0 && (axis == NULL || json_integer_value(axis) == -1)) {
        out->act = activation_find("softmax");
        return CONVOY_OK;
    }
    return refuse(row, value, "a name, or one of the layers LeakyReLU, ELU, ReLU and Softmax (axis -1)", err);
}

/* Null is linear; Keras also writes {"class_name": "function", "config": name}. */
convoy_status activation_read(const option *row, const json_t *value, activation_choice *out, convoy_error *err)
{
    char list[1024], hint[128], expected[1100];
    const char *class_name = json_string_value(json_object_get(value, "class_name"));
    const json_t *config = json_object_get(value, "config");
    const char *name = json_is_null(value) ? "linear" : json_string_value(json_is_object(value) ? config : value);
    if (name == NULL && class_name != NULL)
        return read_object(row, value, class_name, out, err);
    out->act = name != NULL ? activation_find(name) : NULL;
    if (out->act != NULL)
        return CONVOY_OK;
    activation_names(list, sizeof list);
    snprintf(expected, sizeof expected, "the name of an activation: %s", list);
    if (name == NULL)
        return refuse(row, value, expected, err);
    return base_fail(err, CONVOY_ERROR_MODEL, "option '%s': unknown activation '%.200s'; %sknown: %s", row->name, name,
                     suggest_word(name, list, hint, sizeof hint), list);
}

json_t *activation_write(const activation_choice *choice)
{
    const activation *act = choice->act;
    for (size_t i = 0; act->row != NULL && i < CLASSES; i++)
        if (strcmp(act->row->name, classes[i].activation) == 0)
            return json_pack("{s:s, s:s, s:{s:f}, s:n}", "module", "keras.layers", "class_name", classes[i].class_name,
                             "config", classes[i].key, act->argument, "registered_name");
    return json_string(act->name);
}
