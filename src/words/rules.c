/* Keras's regularizers and constraints: their names, arguments and defaults (keras/src/regularizers, keras/src/constraints). */
#include <math.h>
#include <string.h>

#include "base/shape.h"
#include "base/suggest.h"
#include "base/text.h"
#include "words/option.h"
#include "words/param.h"

enum { NONE, L1, L2, L1_L2, FIRST_CONSTRAINT, MAX_NORM = FIRST_CONSTRAINT, NON_NEG, UNIT_NORM, MIN_MAX_NORM, KINDS };

typedef struct rule_row {
    const char *name, *snake, *alias;
    const char *arguments[3]; /* numbers of at least 0 */
    double standard[3];
    bool has_axis;
} rule_row;

static const rule_row rows[KINDS] = {
    [L1] = {"L1", "l1", NULL, {"l1"}, {0.01}, false},
    [L2] = {"L2", "l2", NULL, {"l2"}, {0.01}, false},
    [L1_L2] = {"L1L2", "l1l2", "l1_l2", {"l1", "l2"}, {0, 0}, false},
    [MAX_NORM] = {"MaxNorm", "max_norm", NULL, {"max_value"}, {2}, true},
    [NON_NEG] = {"NonNeg", "non_neg", NULL, {NULL}, {0}, false},
    [UNIT_NORM] = {"UnitNorm", "unit_norm", NULL, {NULL}, {0}, true},
    [MIN_MAX_NORM] = {"MinMaxNorm", "min_max_norm", NULL, {"min_value", "max_value", "rate"}, {0, 1, 1}, true},
};

/* ---- reading ---- */

static convoy_status find_kind(const char *name, bool constraint, int *out, convoy_error *err)
{
    char list[256] = "", hint[128];
    int first = constraint ? FIRST_CONSTRAINT : NONE + 1, end = constraint ? KINDS : FIRST_CONSTRAINT;
    for (int i = first; i < end; i++) {
        const rule_row *row = &rows[i];
        if (!strcmp(name, row->name) || !strcmp(name, row->snake) || (row->alias && !strcmp(name, row->alias))) {
            *out = i;
            return CONVOY_OK;
        }
        size_t used = strlen(list);
        text_copy(list + used, sizeof list - used, i > first ? ", " : "");
        used = strlen(list);
        text_copy(list + used, sizeof list - used, row->snake);
    }
    return base_fail(err, CONVOY_ERROR_MODEL, "unknown %s '%.200s'; %sknown: %s", constraint ? "constraint" : "regularizer",
                     name, suggest_word(name, list, hint, sizeof hint), list);
}

static convoy_status read_key(const char *key, const json_t *value, param_rule *out, convoy_error *err)
{
    static const option axis = {.name = "axis", .kind = OPTION_AXES};
    const rule_row *row = &rows[out->kind];
    char found[128];
    for (int i = 0; i < 3 && row->arguments[i] != NULL; i++) {
        double number = json_is_null(value) ? row->standard[i] : json_number_value(value);
        if (strcmp(key, row->arguments[i]) != 0)
            continue;
        if ((!json_is_number(value) && !json_is_null(value)) || !(number >= 0) || isinf(number))
            return base_fail(err, CONVOY_ERROR_MODEL, "%s: '%s' is %s; expected a number of at least 0", row->name, key,
                             option_value_text(value, found, sizeof found));
        out->args[i] = number;
        return CONVOY_OK;
    }
    if (row->has_axis && strcmp(key, "axis") == 0) {
        convoy_status status = option_read(&axis, value, &out->axis, err);
        return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", row->name);
    }
    return base_fail(err, CONVOY_ERROR_MODEL, "%s: unknown argument '%.200s' (%s)", row->name, key,
                     option_value_text(value, found, sizeof found));
}

convoy_status rule_read(const json_t *value, bool constraint, param_rule *out, convoy_error *err)
{
    char found[256];
    const json_t *config = json_object_get(value, "config");
    const char *name = json_is_object(value) ? json_string_value(json_object_get(value, "class_name"))
                                             : json_string_value(value);
    *out = (param_rule){.kind = NONE};
    if (json_is_null(value))
        return CONVOY_OK;
    if (name == NULL || (config != NULL && !json_is_object(config)))
        return base_fail(err, CONVOY_ERROR_MODEL, "found %s; expected null, a %s's name or an object with class_name and "
                         "config", option_value_text(value, found, sizeof found),
                         constraint ? "constraint" : "regularizer");
    TRY(find_kind(name, constraint, &out->kind, err));
    memcpy(out->args, rows[out->kind].standard, sizeof out->args);
    out->axis = (option_axes){.count = 1};
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)config, key, member)
        TRY(read_key(key, member, out, err));
    return CONVOY_OK;
}

json_t *rule_write(const param_rule *rule)
{
    static const option axis = {.name = "axis", .kind = OPTION_AXES};
    if (rule->kind == NONE)
        return json_null();
    const rule_row *row = &rows[rule->kind];
    json_t *config = json_object();
    int failed = config == NULL;
    for (int i = 0; i < 3 && row->arguments[i] != NULL; i++)
        failed |= json_object_set_new(config, row->arguments[i], json_real(rule->args[i]));
    if (row->has_axis)
        failed |= json_object_set_new(config, "axis", option_write(&axis, &rule->axis));
    if (failed) {
        json_decref(config);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o, s:n}", "module",
                     rule->kind < FIRST_CONSTRAINT ? "keras.regularizers" : "keras.constraints", "class_name", row->name,
                     "config", config, "registered_name");
}

bool rule_at(bool constraint, size_t i, param_rule *out)
{
    size_t kind = (constraint ? FIRST_CONSTRAINT : NONE + 1) + i;
    if (kind >= (constraint ? KINDS : FIRST_CONSTRAINT))
        return false;
    *out = (param_rule){.kind = (int)kind, .axis = {.count = 1}};
    memcpy(out->args, rows[kind].standard, sizeof out->args);
    return true;
}

/* ---- what they mean ---- */

convoy_status rules_check(const layer_param *param, convoy_error *err)
{
    const param_rule *rule = &param->rules.constraint;
    int rank = param->shape.rank, taken = 0;
    char shape[96];
    for (int i = 0; rows[rule->kind].has_axis && i < rule->axis.count; i++) {
        int axis = rule->axis.axis[i] < 0 ? rule->axis.axis[i] + rank : rule->axis.axis[i];
        if (axis < 0 || axis >= rank || taken & 1 << axis)
            return base_fail(err, CONVOY_ERROR_MODEL, "constraint %s of '%s': axis %d is not one of its axes, or given twice; "
                             "its shape is %s (without None)", rows[rule->kind].name, param->name, rule->axis.axis[i],
                             shape_text(&param->shape, shape, sizeof shape));
        taken |= 1 << axis;
    }
    if (rule->kind == MIN_MAX_NORM && rule->args[0] > rule->args[1])
        return base_fail(err, CONVOY_ERROR_MODEL, "constraint MinMaxNorm of '%s': min_value %g is larger than max_value %g",
                         param->name, rule->args[0], rule->args[1]);
    return CONVOY_OK;
}

bool rule_penalty(const param_rule *regularizer, double *l1, double *l2)
{
    *l1 = regularizer->kind == L1 || regularizer->kind == L1_L2 ? regularizer->args[0] : 0;
    *l2 = regularizer->kind == L2 ? regularizer->args[0] : regularizer->kind == L1_L2 ? regularizer->args[1] : 0;
    return *l1 > 0 || *l2 > 0;
}

bool rule_is_non_negative(const param_rule *constraint) { return constraint->kind == NON_NEG; }

/* MaxNorm and UnitNorm are a MinMaxNorm too. */
bool rule_norm(const param_rule *constraint, double *least, double *most, double *rate)
{
    const double *args = constraint->args;
    bool between = constraint->kind == MIN_MAX_NORM;
    *least = between ? args[0] : constraint->kind == UNIT_NORM ? 1 : 0;
    *most = between ? args[1] : constraint->kind == UNIT_NORM ? 1 : args[0];
    *rate = between ? args[2] : 1;
    return rows[constraint->kind].has_axis;
}
