#include "model/loss_config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOST 3.4e38 /* no limit but float's */

/* ---- options ---- */

/* The mean of what the rows lose; "mean" is the same by another name. */
static const char *const reductions[] = {"sum_over_batch_size", "mean", NULL};

#define AT(member) .offset = offsetof(loss_settings, member)
#define IGNORED(n) {.name = n, .kind = OPTION_IGNORED, .hidden = true}
#define BASE                                                                                                           \
    IGNORED("name"), IGNORED("dtype"),                                                                                 \
        {.name = "reduction", .kind = OPTION_CHOICE, AT(reduction), .standard = "\"sum_over_batch_size\"",             \
         .choices = reductions, .hidden = true}
#define LAST_AXIS                                                                                                      \
    {.name = "axis", .kind = OPTION_INT, AT(axis), .standard = "-1", .least = -1, .most = -1, .hidden = true}
#define FROM_LOGITS {.name = "from_logits", .kind = OPTION_BOOL, AT(from_logits), .standard = "false"}
#define LABEL_SMOOTHING                                                                                                \
    {.name = "label_smoothing", .kind = OPTION_FLOAT, AT(label_smoothing), .standard = "0.0", .most = 1}

static const option sparse_options[] = {
    BASE, FROM_LOGITS, {.name = "ignore_class", .kind = OPTION_NULL}, LAST_AXIS, {0}};
static const option smoothing_options[] = {BASE, FROM_LOGITS, LABEL_SMOOTHING, LAST_AXIS, {0}};
static const option plain_options[] = {BASE, {0}};
static const option huber_options[] = {
    BASE, {.name = "delta", .kind = OPTION_FLOAT, AT(delta), .standard = "1.0", .most = MOST}, {0}};

/* ---- classes ---- */

static const loss_class classes[] = {
    {.class_name = "SparseCategoricalCrossentropy", .name = "sparse_categorical_crossentropy",
     .options = sparse_options, .has_logits = true, .on_logits = true},
    {.class_name = "CategoricalCrossentropy", .name = "categorical_crossentropy", .options = smoothing_options,
     .has_logits = true, .on_logits = true},
    {.class_name = "BinaryCrossentropy", .name = "binary_crossentropy", .short_name = "bce",
     .options = smoothing_options, .has_logits = true, .on_logits = true,
     .is_dense = true},
    {.class_name = "MeanSquaredError", .name = "mean_squared_error", .short_name = "mse", .options = plain_options,
     .is_dense = true},
    {.class_name = "MeanAbsoluteError", .name = "mean_absolute_error", .short_name = "mae", .options = plain_options,
     .is_dense = true},
    {.class_name = "Huber", .name = "huber", .options = huber_options, .is_dense = true},
};
enum { CLASSES = sizeof classes / sizeof classes[0] };

static bool is_called(const loss_class *class, const char *name)
{
    return strcasecmp(name, class->class_name) == 0 || strcasecmp(name, class->name) == 0 ||
           (class->short_name != NULL && strcasecmp(name, class->short_name) == 0);
}

const loss_class *loss_class_find(const char *name)
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
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", classes[i].class_name);
    return base_fail(err, CONVOY_ERROR_MODEL, "loss '%.100s' is not known; %sknown: %s, also by Keras's names in snake case",
                     name, option_suggest(name, list, hint, sizeof hint), list);
}

/* ---- reading ---- */

static convoy_status read_settings(const char *name, const json_t *config, loss_settings *out, convoy_error *err)
{
    const loss_class *class = loss_class_find(name);
    if (class == NULL)
        return refuse(name, err);
    *out = (loss_settings){0};
    convoy_status status = options_read(class->options, config, out, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "loss %s", class->class_name);
    out->class = class;
    return CONVOY_OK;
}

convoy_status loss_parse(const char *text, loss_settings *out, convoy_error *err)
{
    char name[64];
    json_t *config = NULL;
    convoy_status status = options_parse_call("loss", text, name, sizeof name, &config, err);
    if (status == CONVOY_OK)
        status = read_settings(name, config, out, err);
    json_decref(config);
    return option_blame_argument(status, err);
}

convoy_status loss_from_json(const json_t *json, loss_settings *out, convoy_error *err)
{
    char found[200];
    const json_t *config;
    const char *name = option_serialised(json, &config);
    if (name != NULL)
        return read_settings(name, config, out, err);
    return base_fail(err, CONVOY_ERROR_MODEL, "loss %s; expected a name or a serialised object",
                     option_value_text(json, found, sizeof found));
}

json_t *loss_to_json(const loss_settings *s)
{
    return json_pack("{s:s, s:s, s:o}", "module", "keras.losses", "class_name", s->class->class_name, "config",
                     options_write(s->class->options, s));
}
