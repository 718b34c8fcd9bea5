#include "words/optimizer_config.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define AT(member) .offset = offsetof(optimizer_settings, member)
#define MOST 3.4e38 /* no limit but float's */
#define LEAST_EPSILON 1e-30 /* the gaps of the flat buffers are divided by it too */

/* ---- options ---- */

#define ROW(n, k, member, value, ...) {.name = n, .kind = k, AT(member), .standard = value, ##__VA_ARGS__}
#define FRACTION(member, value) ROW(#member, OPTION_FLOAT, member, value, .most = 1)
#define FLAG(member) ROW(#member, OPTION_BOOL, member, "false")
#define OPTIONAL(member, value) ROW(#member, OPTION_OPTIONAL_FLOAT, member, value, .most = MOST)
#define OPTIONAL_INT(member, low) ROW(#member, OPTION_OPTIONAL_INT, member, "null", .least = low, .most = INT_MAX)
#define IGNORED(n) {.name = n, .kind = OPTION_IGNORED, .hidden = true}

/* What the base class takes. The rate is read by hand, because it may be a schedule. */
#define BASE(decay)                                                                                                    \
    IGNORED("name"), {.name = "learning_rate", .kind = OPTION_IGNORED}, OPTIONAL(weight_decay, decay),                 \
        OPTIONAL(clipnorm, "null"), OPTIONAL(global_clipnorm, "null"), OPTIONAL(clipvalue, "null"), FLAG(use_ema),     \
        FRACTION(ema_momentum, "0.99"), OPTIONAL_INT(ema_overwrite_frequency, 1),                                      \
        OPTIONAL_INT(gradient_accumulation_steps, 2), {.name = "loss_scale_factor", .kind = OPTION_NULL},              \
        IGNORED("jit_compile"), IGNORED("is_legacy_optimizer"), IGNORED("decay")
#define EPSILON ROW("epsilon", OPTION_FLOAT, epsilon, "1e-7", .least = LEAST_EPSILON, .most = MOST)
#define BETAS(second) FRACTION(beta_1, "0.9"), FRACTION(beta_2, second)

static const option sgd_options[] = {BASE("null"), FRACTION(momentum, "0.0"), FLAG(nesterov), {0}};
static const option adam_options[] = {BASE("null"), BETAS("0.999"), EPSILON, FLAG(amsgrad), {0}};
static const option adamw_options[] = {BASE("0.004"), BETAS("0.999"), EPSILON, FLAG(amsgrad), {0}};
static const option nadam_options[] = {BASE("null"), BETAS("0.999"), EPSILON, {0}};
static const option lion_options[] = {BASE("null"), BETAS("0.99"), {0}};
static const option rmsprop_options[] = {
    BASE("null"), FRACTION(rho, "0.9"), FRACTION(momentum, "0.0"), EPSILON, FLAG(centered), {0}};
static const option adadelta_options[] = {BASE("null"), FRACTION(rho, "0.95"), EPSILON, {0}};
static const option adagrad_options[] = {
    BASE("null"),
    ROW("initial_accumulator_value", OPTION_FLOAT, initial_accumulator_value, "0.1", .most = MOST),
    EPSILON,
    {0}};

/* ---- slots ---- */

static int sgd_groups(const optimizer_settings *s, int *group)
{
    group[0] = 1;
    return s->momentum != 0 ? 1 : 0;
}

static int one_group(const optimizer_settings *s, int *group)
{
    (void)s;
    group[0] = 1;
    return 1;
}

static int pair_group(const optimizer_settings *s, int *group)
{
    (void)s;
    group[0] = 2;
    return 1;
}

static int adam_groups(const optimizer_settings *s, int *group)
{
    group[0] = 2;
    group[1] = 1;
    return s->amsgrad ? 2 : 1;
}

static int rmsprop_groups(const optimizer_settings *s, int *group)
{
    int n = 0;
    group[n++] = 1;
    if (s->momentum > 0)
        group[n++] = 1;
    if (s->centered)
        group[n++] = 1;
    return n;
}

static const optimizer_class classes[] = {
    {"adam", "Adam", "adam", adam_options, adam_groups, false},
    {"sgd", "SGD", "sgd", sgd_options, sgd_groups, false},
    {"adamw", "AdamW", "adam_w", adamw_options, adam_groups, false},
    {"rmsprop", "RMSprop", "rm_sprop", rmsprop_options, rmsprop_groups, false},
    {"adagrad", "Adagrad", "adagrad", adagrad_options, one_group, false},
    {"adadelta", "Adadelta", "adadelta", adadelta_options, pair_group, false},
    {"nadam", "Nadam", "nadam", nadam_options, pair_group, true},
    {"lamb", "Lamb", "lamb", nadam_options, pair_group, false},
    {"lion", "Lion", "lion", lion_options, one_group, false},
};

const optimizer_class *optimizer_class_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof classes / sizeof classes[0]; i++)
        if (strcasecmp(name, classes[i].name) == 0)
            return &classes[i];
    return NULL;
}

const optimizer_class *optimizer_class_at(size_t i)
{
    return i < sizeof classes / sizeof classes[0] ? &classes[i] : NULL;
}

void optimizer_class_names(char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", classes[i].name);
}

optimizer_layout optimizer_layout_of(const optimizer_class *class, const optimizer_settings *s)
{
    optimizer_layout layout = {.average = -1, .accumulator = -1, .scalar = class->scalar};
    if (s->use_ema) {
        layout.average = layout.groups;
        layout.group[layout.groups++] = 1;
    }
    if (s->gradient_accumulation_steps) {
        layout.accumulator = layout.groups;
        layout.group[layout.groups++] = 1;
    }
    layout.groups += class->groups(s, layout.group + layout.groups);
    for (int g = 0; g < layout.groups; g++)
        layout.slots += layout.group[g];
    return layout;
}

bool optimizer_same_slots(const optimizer_settings *a, const optimizer_settings *b)
{
    return a->use_ema == b->use_ema && (a->momentum > 0) == (b->momentum > 0) && a->amsgrad == b->amsgrad &&
           a->centered == b->centered && !a->gradient_accumulation_steps == !b->gradient_accumulation_steps;
}

float optimizer_slot_start(const optimizer_class *class, const optimizer_settings *s, int slot)
{
    optimizer_layout layout = optimizer_layout_of(class, s);
    bool base = slot == layout.average || slot == layout.accumulator;
    return base ? 0.0f : (float)s->initial_accumulator_value; /* 0 for those that have no such option */
}

/* ---- reading ---- */

double optimizer_standard_rate(const optimizer_class *class)
{
    return strcmp(class->name, "sgd") == 0 ? 0.01 : 0.001;
}

static convoy_status read_rate(const optimizer_class *class, const json_t *config, optimizer_settings *out,
                               convoy_error *err)
{
    char found[200];
    json_t *rate = json_object_get(config, "learning_rate");
    out->learning_rate = rate == NULL ? optimizer_standard_rate(class) : json_number_value(rate);
    if (json_is_object(rate) && json_is_string(json_object_get(rate, "class_name"))) {
        out->schedule = json_incref(rate);
        return CONVOY_OK;
    }
    if (rate == NULL || (json_is_number(rate) && json_number_value(rate) >= 0))
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "option 'learning_rate' is %s; expected a number of at least 0, or a "
                     "schedule", option_value_text(rate, found, sizeof found));
}

convoy_status optimizer_settings_read(const optimizer_class *class, const json_t *config, optimizer_settings *out,
                                      convoy_error *err)
{
    *out = (optimizer_settings){0};
    convoy_status status = options_read(class->options, config, out, err);
    int clips = !isnan(out->clipnorm) + !isnan(out->global_clipnorm) + !isnan(out->clipvalue);
    if (status == CONVOY_OK && clips > 1)
        status = base_fail(err, CONVOY_ERROR_MODEL,
                           "clipnorm, global_clipnorm and clipvalue exclude each other; give one of them");
    if (status == CONVOY_OK && strcmp(class->name, "adamw") == 0 && isnan(out->weight_decay))
        status = base_fail(err, CONVOY_ERROR_MODEL, "weight_decay is None; AdamW needs a number");
    if (status == CONVOY_OK)
        status = read_rate(class, config, out, err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "optimizer %s", class->class_name);
}

/* ---- writing ---- */

static bool is_standard(const option *row, const json_t *value)
{
    json_t *standard = json_loads(row->standard, JSON_DECODE_ANY, NULL);
    bool same = json_equal(value, standard);
    json_decref(standard);
    return same;
}

bool optimizer_schedule_is_keras(const optimizer_settings *s)
{
    const char *module = json_string_value(json_object_get(s->schedule, "module"));
    return s->schedule != NULL && (module == NULL || strcmp(module, "convoy") != 0);
}

json_t *optimizer_settings_write(const optimizer_class *class, const optimizer_settings *s)
{
    json_t *config = json_pack("{s:s}", "name", class->snake);
    int failed = config == NULL;
    failed |= json_object_set_new(config, "learning_rate", optimizer_schedule_is_keras(s)
                                                               ? json_incref(s->schedule)
                                                               : json_real(s->learning_rate));
    for (const option *row = class->options; row->name != NULL; row++) {
        json_t *value = option_is_written(row) ? option_write(row, s) : NULL;
        if (value != NULL && !is_standard(row, value)) /* older Kerases refuse the options that came later */
            failed |= json_object_set(config, row->name, value);
        json_decref(value);
    }
    if (!failed)
        return config;
    json_decref(config);
    return NULL;
}

optimizer_settings optimizer_settings_copy(const optimizer_settings *s)
{
    optimizer_settings copy = *s;
    json_incref(copy.schedule);
    return copy;
}

void optimizer_settings_clear(optimizer_settings *s)
{
    json_decref(s->schedule);
    *s = (optimizer_settings){0};
}
