/* The training_config of Keras's older files as the compile_config of today's. */
#include <string.h>

#include "model/keras_compile.h"

#define SCHEDULES "keras.optimizers.schedules"

/* Keras 2.11 and later register their own optimizers like custom ones: "Custom>Adam". */
static json_t *class_of(const json_t *optimizer)
{
    const char *name = json_string_value(json_object_get(optimizer, "class_name"));
    const char *mark = name ? strrchr(name, '>') : NULL;
    return json_string(mark ? mark + 1 : name ? name : "");
}

/* Keras's first optimizers had a decay of their own: the rate is divided by 1 + decay * steps. */
static json_t *decaying(double rate, double decay)
{
    return json_pack("{s:s, s:s, s:{s:f, s:i, s:f}}", "module", SCHEDULES, "class_name", "InverseTimeDecay", "config",
                     "initial_learning_rate", rate, "decay_steps", 1, "decay_rate", decay);
}

/* What says the rate, in the words of today. */
static void modernise_rate(json_t *config)
{
    json_t *rate = json_object_get(config, "lr");
    double decay = json_number_value(json_object_get(config, "decay"));
    if (rate != NULL)
        json_object_set(config, "learning_rate", rate);
    json_object_del(config, "lr");
    rate = json_object_get(config, "learning_rate");
    if (json_is_object(rate) && json_object_get(rate, "module") == NULL)
        json_object_set_new(rate, "module", json_string(SCHEDULES));
    if (json_is_number(rate) && decay > 0)
        json_object_set_new(config, "learning_rate", decaying(json_number_value(rate), decay));
}

static bool optimizer_is(const json_t *optimizer, const char *class_name)
{
    json_t *name = class_of(optimizer);
    bool same = name != NULL && strcmp(json_string_value(name), class_name) == 0;
    json_decref(name);
    return same;
}

/* tf.keras's first Nadam calls "decay" what is a schedule of its momentum and not of the rate; Keras's own calls it schedule_decay. Nothing
 * of today is that: it stays for the reader to refuse, under a name that says what it is. */
static void name_momentum_schedule(json_t *config)
{
    json_t *decay = json_object_get(config, "decay");
    if (json_number_value(decay) > 0 && json_object_get(config, "schedule_decay") == NULL)
        json_object_set(config, "schedule_decay", decay);
    json_object_del(config, "decay");
}

/* A new reference; NULL where the file has none. */
static json_t *optimizer_of(const json_t *training)
{
    const json_t *optimizer = json_object_get(training, "optimizer_config");
    json_t *config = json_deep_copy(json_object_get(optimizer, "config"));
    if (!json_is_object(optimizer))
        return NULL;
    if (config == NULL)
        config = json_object();
    if (optimizer_is(optimizer, "Nadam"))
        name_momentum_schedule(config);
    modernise_rate(config);
    return json_pack("{s:o, s:o}", "class_name", class_of(optimizer), "config", config);
}

json_t *keras_legacy_compile(const json_t *training)
{
    return json_pack("{s:{s:o?, s:O?, s:O?, s:O?, s:O?}}", "compile_config", "optimizer", optimizer_of(training), "loss",
                     json_object_get(training, "loss"), "loss_weights", json_object_get(training, "loss_weights"), "metrics",
                     json_object_get(training, "metrics"), "weighted_metrics", json_object_get(training, "weighted_metrics"));
}
