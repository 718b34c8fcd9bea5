#include "words/loss_config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"

#define MOST 3.4e38 /* no limit but float's */

/* ---- options ---- */

/* As loss_reduction counts them. */
static const char *const reductions[] = {"sum_over_batch_size", "auto", "mean", "sum", "none", "null",
                                         "mean_with_sample_weight", NULL};

#define AT(member) .offset = offsetof(loss_settings, member)
#define IGNORED(n) {.name = n, .kind = OPTION_IGNORED, .hidden = true}
#define BASE                                                                                                           \
    IGNORED("name"), IGNORED("dtype"), IGNORED("fn"),                                                                  \
        {.name = "reduction", .kind = OPTION_CHOICE, AT(reduction), .standard = "\"sum_over_batch_size\"",             \
         .choices = reductions, .hidden = true}
#define LAST_AXIS                                                                                                      \
    {.name = "axis", .kind = OPTION_INT, AT(axis), .standard = "-1", .least = -1, .most = -1, .hidden = true}
#define FROM_LOGITS {.name = "from_logits", .kind = OPTION_BOOL, AT(from_logits), .standard = "false"}
#define LABEL_SMOOTHING                                                                                                \
    {.name = "label_smoothing", .kind = OPTION_FLOAT, AT(label_smoothing), .standard = "0.0", .most = 1}
#define NUMBER(n, value) {.name = #n, .kind = OPTION_FLOAT, AT(n), .standard = value, .most = MOST}
#define AXES {.name = "axis", .kind = OPTION_VALUES, AT(axes), .standard = "null"}

static const option sparse_options[] = {
    BASE, FROM_LOGITS, {.name = "ignore_class", .kind = OPTION_VALUES, AT(ignore), .standard = "null"}, LAST_AXIS, {0}};
static const option smoothing_options[] = {BASE, FROM_LOGITS, LABEL_SMOOTHING, LAST_AXIS, {0}};
static const option plain_options[] = {BASE, {0}};
static const option axis_options[] = {BASE, LAST_AXIS, {0}};
static const option huber_options[] = {BASE, NUMBER(delta, "1.0"), {0}};
static const option focal_options[] = {
    BASE, FROM_LOGITS, LABEL_SMOOTHING, LAST_AXIS, {.name = "alpha", .kind = OPTION_VALUES, AT(alphas), .standard = "0.25"},
    NUMBER(gamma, "2.0"), {0}};
static const option binary_focal_options[] = {
    BASE, FROM_LOGITS, LABEL_SMOOTHING, LAST_AXIS,
    {.name = "apply_class_balancing", .kind = OPTION_BOOL, AT(apply_class_balancing), .standard = "false"},
    NUMBER(alpha, "0.25"), NUMBER(gamma, "2.0"), {0}};
static const option dice_options[] = {BASE, AXES, {0}};
static const option tversky_options[] = {BASE, NUMBER(alpha, "0.5"), NUMBER(beta, "0.5"), AXES, {0}};

static convoy_status check_ignored(const loss_settings *s, convoy_error *err)
{
    if (s->ignore.count > 1 || (s->ignore.count == 1 && s->ignore.value[0] != rint(s->ignore.value[0])))
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'ignore_class' is %g%s; expected a whole number, or null",
                         s->ignore.value[0], s->ignore.count > 1 ? ", ..." : "");
    return CONVOY_OK;
}

static convoy_status check_alphas(const loss_settings *s, convoy_error *err)
{
    return s->alphas.count > 0 ? CONVOY_OK
                               : base_fail(err, CONVOY_ERROR_MODEL, "option 'alpha' is null; expected a number, or one for each class");
}

static convoy_status check_axes(const loss_settings *s, convoy_error *err)
{
    for (int i = 0; i < s->axes.count; i++)
        if (s->axes.count > 1 || (s->axes.value[i] != -1 && s->axes.value[i] != 1))
            return base_fail(err, CONVOY_ERROR_MODEL, "option 'axis' is %g%s; null (all of a batch at once) and -1 (each image by "
                             "itself) are supported", s->axes.value[0], s->axes.count > 1 ? ", ..." : "");
    return CONVOY_OK;
}

/* ---- classes ---- */

static const loss_class classes[] = {
    {.class_name = "SparseCategoricalCrossentropy", .name = "sparse_categorical_crossentropy",
     .options = sparse_options, .has_logits = true, .on_logits = true, .check = check_ignored},
    {.class_name = "CategoricalCrossentropy", .name = "categorical_crossentropy", .options = smoothing_options,
     .has_logits = true, .on_logits = true},
    {.class_name = "BinaryCrossentropy", .name = "binary_crossentropy", .also = "bce,BCE",
     .options = smoothing_options, .has_logits = true, .on_logits = true, .is_dense = true, .is_binary = true},
    {.class_name = "CategoricalFocalCrossentropy", .name = "categorical_focal_crossentropy", .options = focal_options,
     .has_logits = true, .check = check_alphas},
    {.class_name = "BinaryFocalCrossentropy", .name = "binary_focal_crossentropy", .options = binary_focal_options,
     .has_logits = true, .on_logits = true, .is_dense = true, .is_binary = true},
    {.class_name = "MeanSquaredError", .name = "mean_squared_error", .also = "mse,MSE", .options = plain_options,
     .is_dense = true, .of_numbers = true},
    {.class_name = "MeanAbsoluteError", .name = "mean_absolute_error", .also = "mae,MAE", .options = plain_options,
     .is_dense = true, .of_numbers = true},
    {.class_name = "MeanAbsolutePercentageError", .name = "mean_absolute_percentage_error", .also = "mape,MAPE",
     .options = plain_options, .is_dense = true, .of_numbers = true},
    {.class_name = "MeanSquaredLogarithmicError", .name = "mean_squared_logarithmic_error", .also = "msle,MSLE",
     .options = plain_options, .is_dense = true, .of_numbers = true},
    {.class_name = "Huber", .name = "huber", .options = huber_options, .is_dense = true, .of_numbers = true},
    {.class_name = "LogCosh", .name = "log_cosh", .also = "logcosh", .options = plain_options, .is_dense = true, .of_numbers = true},
    {.class_name = "CosineSimilarity", .name = "cosine_similarity", .options = axis_options, .is_dense = true, .of_numbers = true},
    {.class_name = "KLDivergence", .name = "kl_divergence", .also = "kld,KLD,kullback_leibler_divergence",
     .options = plain_options, .is_dense = true},
    {.class_name = "Poisson", .name = "poisson", .options = plain_options, .is_dense = true, .of_numbers = true},
    {.class_name = "Hinge", .name = "hinge", .options = plain_options, .is_dense = true, .is_binary = true},
    {.class_name = "SquaredHinge", .name = "squared_hinge", .options = plain_options, .is_dense = true, .is_binary = true},
    {.class_name = "CategoricalHinge", .name = "categorical_hinge", .options = plain_options, .is_dense = true},
    {.class_name = "Dice", .name = "dice", .options = dice_options, .is_dense = true, .check = check_axes},
    {.class_name = "Tversky", .name = "tversky", .options = tversky_options, .is_dense = true, .check = check_axes},
};
enum { CLASSES = sizeof classes / sizeof classes[0] };

const loss_class *loss_class_find(const char *name)
{
    for (int i = 0; name != NULL && i < CLASSES; i++)
        if (option_is_called(name, classes[i].class_name, classes[i].name, classes[i].also))
            return &classes[i];
    return NULL;
}

const loss_class *loss_class_at(size_t i) { return i < CLASSES ? &classes[i] : NULL; }

static convoy_status refuse(const char *name, convoy_error *err)
{
    char list[512] = "", hint[128];
    size_t used = 0;
    for (int i = 0; i < CLASSES; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", classes[i].class_name);
    return base_fail(err, CONVOY_ERROR_MODEL, "loss '%.100s' is not known; %sknown: %s, also by Keras's names in snake case",
                     name, suggest_word(name, list, hint, sizeof hint), list);
}

/* ---- reading ---- */

convoy_status loss_settings_read(const char *name, const json_t *config, loss_settings *out, convoy_error *err)
{
    const loss_class *class = loss_class_find(name);
    if (class == NULL)
        return refuse(name, err);
    *out = (loss_settings){0};
    convoy_status status = options_read(class->options, config, out, err);
    if (status == CONVOY_OK && class->check != NULL)
        status = class->check(out, err);
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
        status = loss_settings_read(name, config, out, err);
    json_decref(config);
    return option_blame_argument(status, err);
}

convoy_status loss_from_json(const json_t *json, loss_settings *out, convoy_error *err)
{
    char found[200];
    const json_t *only = option_only(json), *config, *none;
    const char *name = option_serialised(only, &config);
    if (name != NULL && strcmp(name, "LossFunctionWrapper") == 0) /* a function with its options */
        name = option_serialised(json_object_get(config, "fn"), &none);
    if (name != NULL && option_is_custom(only))
        return base_fail(err, CONVOY_ERROR_MODEL, "loss '%.100s' is not one of Keras's, but %s", name,
                         option_value_text(json_object_get(only, "registered_name"), found, sizeof found));
    if (name != NULL)
        return loss_settings_read(name, config, out, err);
    if (only == json && json_array_size(json) + json_object_size(json) > 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "there are %zu losses; one is expected",
                         json_array_size(json) + json_object_size(json));
    return base_fail(err, CONVOY_ERROR_MODEL, "loss %s; expected a name or a serialised object",
                     option_value_text(json, found, sizeof found));
}

/* ---- writing ---- */

/* What options_write leaves out, or would write as Keras does not. */
static int write_rest(const loss_settings *s, json_t *config)
{
    const char *reduction = reductions[s->reduction];
    int failed = 0;
    if (s->ignore.count > 0)
        failed |= json_object_set_new(config, "ignore_class", json_integer((json_int_t)s->ignore.value[0]));
    if (s->axes.count > 0)
        failed |= json_object_set_new(config, "axis", json_integer((json_int_t)s->axes.value[0]));
    if (s->reduction >= LOSS_SUM) /* the others are the mean, which is Keras's default */
        failed |= json_object_set_new(config, "reduction", s->reduction == LOSS_NULL ? json_null() : json_string(reduction));
    return failed;
}

json_t *loss_to_json(const loss_settings *s)
{
    json_t *config = options_write(s->class->options, s);
    if (config == NULL || write_rest(s, config) != 0) {
        json_decref(config);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "module", "keras.losses", "class_name", s->class->class_name, "config", config);
}
