/* Configs of older Kerases, in the words of today's: arguments that had other names, and some that said nothing. */
#include <string.h>

#include "base/text.h"
#include "model/build.h"

/* An argument of a class. */
typedef struct old_key {
    const char *class_name, *key;
    const char *now;  /* its name today; NULL: it is gone */
    const char *only; /* JSON: the value with which it says nothing; NULL: any */
} old_key;

static const old_key old_keys[] = {
    {"LeakyReLU", "alpha", "negative_slope", NULL},
    /* What these inherited from a convolution of the base class. */
    {"DepthwiseConv2D", "groups", NULL, "1"},
    {"Conv2DTranspose", "groups", NULL, "1"},
    {"SeparableConv2D", "groups", NULL, "1"},
    {"SeparableConv2D", "kernel_initializer", NULL, NULL},
    {"SeparableConv2D", "kernel_regularizer", NULL, "null"},
    {"SeparableConv2D", "kernel_constraint", NULL, "null"},
    {"SpatialDropout2D", "noise_shape", NULL, "null"},
};

/* Classes that had another name for a while. */
static const char *const old_classes[][2] = {
    {"BatchNormalizationV1", "BatchNormalization"}, /* tf.keras of TensorFlow 1.13 to 2.0 */
    {"BatchNormalizationV2", "BatchNormalization"},
};

static const char *modern_class(const char *name)
{
    for (size_t i = 0; i < sizeof old_classes / sizeof *old_classes; i++)
        if (strcmp(name, old_classes[i][0]) == 0)
            return old_classes[i][1];
    return name;
}

static bool is_value(const json_t *value, const char *text)
{
    json_t *wanted = json_loads(text, JSON_DECODE_ANY, NULL);
    bool same = json_equal(value, wanted);
    json_decref(wanted);
    return same;
}

static void modernise_layer(const char *class_name, json_t *config)
{
    for (size_t i = 0; i < sizeof old_keys / sizeof *old_keys; i++) {
        const old_key *k = &old_keys[i];
        json_t *value = json_object_get(config, k->key);
        if (value == NULL || strcmp(k->class_name, class_name) != 0 || (k->only != NULL && !is_value(value, k->only)))
            continue;
        if (k->now != NULL)
            json_object_set(config, k->now, value);
        json_object_del(config, k->key);
    }
}

/* Their dtype says nothing, and this word was another. */
static void modernise_initializer(const char *class_name, json_t *config)
{
    json_object_del(config, "dtype");
    const char *distribution = json_string_value(json_object_get(config, "distribution"));
    if (strcmp(class_name, "VarianceScaling") == 0 && distribution != NULL && strcmp(distribution, "normal") == 0)
        json_object_set_new(config, "distribution", json_string("truncated_normal"));
}

/* `key`: what the value is called in the object around it; NULL: it is in a list. */
static void modernise(json_t *value, const char *key)
{
    const char *class_name = json_string_value(json_object_get(value, "class_name")), *name;
    json_t *config = json_object_get(value, "config"), *member;
    if (class_name != NULL && json_is_object(config)) {
        const char *now = modern_class(class_name);
        if (now != class_name)
            json_object_set_new(value, "class_name", json_string(now));
        class_name = now;
        if (key != NULL && text_ends_with(key, "_initializer"))
            modernise_initializer(class_name, config);
        else
            modernise_layer(class_name, config);
    }
    json_object_foreach(value, name, member)
        modernise(member, name);
    for (size_t i = 0; i < json_array_size(value); i++)
        modernise(json_array_get(value, i), NULL);
}

void config_modernise(json_t *config)
{
    modernise(config, NULL);
}
