/* One row of a layer's options: JSON to member and back. */
#include "words/option.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "words/param.h"

const char *const option_paddings[] = {"valid", "same", NULL};
const char *const option_formats[] = {"channels_last", NULL};

const char *option_value_text(const json_t *value, char *out, size_t size)
{
    char *dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *full = dump ? dump : "nothing";
    text_copy(out, size, full);
    if (strlen(full) >= size && size > 4) {
        size_t end = size - 4;
        while (end > 0 && ((unsigned char)out[end] & 0xC0) == 0x80)
            end--; /* do not cut a UTF-8 character in two */
        text_copy(out + end, size - end, "...");
    }
    free(dump);
    return out;
}

/* ---- what was expected ---- */

static void add_bounds(text *t, const option *row)
{
    if (row->least == 0 && row->most == 0)
        return;
    if (row->most == row->least)
        text_add(t, ": only %.10g is supported", row->least);
    else if (row->most > row->least && row->most < INT_MAX)
        text_add(t, " from %.10g to %.10g", row->least, row->most);
    else
        text_add(t, " of at least %.10g", row->least);
}

void option_expected(text *t, const option *row)
{
    bool optional = row->kind == OPTION_OPTIONAL_FLOAT || row->kind == OPTION_OPTIONAL_PAIR ||
                    row->kind == OPTION_OPTIONAL_INT;
    switch (row->kind) {
    case OPTION_INT:
    case OPTION_OPTIONAL_INT:
        text_add(t, "a whole number");
        add_bounds(t, row);
        break;
    case OPTION_FLOAT:
    case OPTION_OPTIONAL_FLOAT:
        text_add(t, "a number");
        add_bounds(t, row);
        break;
    case OPTION_PAIR:
    case OPTION_OPTIONAL_PAIR:
        text_add(t, "a whole number");
        add_bounds(t, row);
        text_add(t, ", or a pair of them");
        break;
    case OPTION_SIDES:
        text_add(t, "a whole number");
        add_bounds(t, row);
        text_add(t, ", (vertical, horizontal), or ((top, bottom), (left, right))");
        break;
    case OPTION_LIST:
        text_add(t, "a list of 1 to %d whole numbers", CONVOY_MAX_RANK);
        add_bounds(t, row);
        break;
    case OPTION_BOOL: text_add(t, "true or false"); break;
    case OPTION_CHOICE:
        text_add(t, "one of");
        for (int i = 0; row->choices[i] != NULL; i++)
            text_add(t, "%s \"%s\"", i ? "," : "", row->choices[i]);
        break;
    case OPTION_NULL: text_add(t, "null: nothing else is supported here%s%s", row->instead ? "; " : "",
                               row->instead ? row->instead : ""); break;
    case OPTION_SHAPE:
        text_add(t, "a list of 1 to %d sizes of at least 1%s", CONVOY_MAX_RANK,
                 strncmp(row->name, "batch_", 6) == 0 ? " after the batch size, which is null" : "");
        text_add(t, "; in place of another null write the size that the images have");
        break;
    case OPTION_VALUES:
        text_add(t, "a number, a list of at most %zu of them, or null", sizeof(((option_values *)0)->value) / sizeof(double));
        break;
    case OPTION_SEED: text_add(t, "a whole number of at least 0, or null"); break;
    case OPTION_AXES: text_add(t, "an axis, or a list of at most %d of them", CONVOY_MAX_RANK); break;
    case OPTION_FLOATS: text_add(t, "a list of 1 to %d numbers", OPTION_MOST_FLOATS); break;
    case OPTION_TEXT: text_add(t, "a text of at most %d bytes", OPTION_TEXT_SIZE - 1); break;
    case OPTION_ACTIVATION: text_add(t, "an activation"); break;
    case OPTION_INITIALIZER: text_add(t, "an initializer"); break;
    case OPTION_REGULARIZER: text_add(t, "a regularizer, or null"); break;
    case OPTION_CONSTRAINT: text_add(t, "a constraint, or null"); break;
    case OPTION_IGNORED: text_add(t, "anything: it has no effect"); break;
    }
    if (optional)
        text_add(t, ", or null");
}

static convoy_status refuse(const option *row, const json_t *value, convoy_error *err)
{
    char found[256];
    char *expected = NULL;
    text t = {0};
    option_expected(&t, row);
    TRY(text_take(&t, &expected, err));
    convoy_status status = base_fail(err, CONVOY_ERROR_MODEL, "option '%s' is %s; expected %s", row->name,
                                     option_value_text(value, found, sizeof found), expected);
    free(expected);
    return status;
}

/* ---- reading ---- */

static bool in_bounds(const option *row, double v)
{
    if (row->least == 0 && row->most == 0)
        return true;
    return v >= row->least && (row->most < row->least || v <= row->most);
}

static bool read_int(const option *row, const json_t *value, int *out)
{
    json_int_t v = json_integer_value(value);
    if (!json_is_integer(value) || v < INT_MIN || v > INT_MAX || !in_bounds(row, (double)v))
        return false;
    *out = (int)v;
    return true;
}

static bool read_float(const option *row, const json_t *value, double *out)
{
    if (!json_is_number(value) || !in_bounds(row, json_number_value(value)))
        return false;
    *out = json_number_value(value);
    return true;
}

bool option_read_bool(const json_t *value, bool *out)
{
    json_int_t number = json_integer_value(value);
    *out = json_is_true(value) || number == 1;
    return json_is_boolean(value) || (json_is_integer(value) && (number == 0 || number == 1));
}

static bool read_pair(const option *row, const json_t *value, int *out)
{
    if (!json_is_array(value)) {
        bool ok = read_int(row, value, &out[0]);
        out[1] = out[0];
        return ok;
    }
    return json_array_size(value) == 2 && read_int(row, json_array_get(value, 0), &out[0]) &&
           read_int(row, json_array_get(value, 1), &out[1]);
}

/* The inner pairs are vertical and horizontal; a number stands for both of its sides. */
static bool read_sides(const option *row, const json_t *value, int *out)
{
    if (!json_is_array(value))
        return read_pair(row, value, &out[0]) && read_pair(row, value, &out[2]);
    return json_array_size(value) == 2 && read_pair(row, json_array_get(value, 0), &out[0]) &&
           read_pair(row, json_array_get(value, 1), &out[2]);
}

static bool read_list(const option *row, const json_t *value, convoy_shape *out)
{
    size_t count = json_array_size(value);
    *out = (convoy_shape){0};
    if (json_is_null(value))
        return row->standard != NULL && strcmp(row->standard, "null") == 0;
    if (!json_is_array(value)) {
        out->rank = 1;
        return read_int(row, value, &out->dim[0]);
    }
    if (count < 1 || count > CONVOY_MAX_RANK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_int(row, json_array_get(value, i), &out->dim[i]))
            return false;
    out->rank = (int)count;
    return true;
}

/* Keras lower-cases these words. Where None is a choice, it is called "null". */
static bool read_choice(const option *row, const json_t *value, int *out)
{
    const char *word = json_is_null(value) ? "null" : json_string_value(value);
    for (int i = 0; word != NULL && row->choices[i] != NULL; i++)
        if (strcasecmp(word, row->choices[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

/* A batch_shape begins with the batch size, which is free here; in others a leading null is taken for it. */
static bool read_shape(const option *row, const json_t *value, convoy_shape *out)
{
    const option sizes = {.least = 1, .most = INT_MAX};
    size_t first = strncmp(row->name, "batch_", 6) == 0 || json_is_null(json_array_get(value, 0)) ? 1 : 0;
    size_t count = json_array_size(value);
    *out = (convoy_shape){0};
    if (json_is_null(value) && row->standard != NULL)
        return true;
    if (count <= first || count - first > CONVOY_MAX_RANK)
        return false;
    for (size_t i = first; i < count; i++)
        if (!read_int(&sizes, json_array_get(value, i), &out->dim[i - first]))
            return false;
    out->rank = (int)(count - first);
    return true;
}

/* Appends a number, or what the lists hold. */
static bool append_values(const json_t *value, option_values *out)
{
    if (json_is_number(value)) {
        if (out->count == (int)(sizeof out->value / sizeof out->value[0]))
            return false;
        out->value[out->count++] = json_number_value(value);
        return true;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!append_values(json_array_get(value, i), out))
            return false;
    return json_array_size(value) > 0;
}

static bool read_values(const json_t *value, option_values *out)
{
    *out = (option_values){.list = json_is_array(value)};
    return json_is_null(value) || append_values(value, out);
}

static json_t *write_values(const option_values *values)
{
    if (values->count == 0)
        return json_null();
    if (!values->list)
        return json_real(values->value[0]);
    json_t *list = json_array();
    int failed = list == NULL;
    for (int i = 0; i < values->count; i++)
        failed |= json_array_append_new(list, json_real(values->value[i]));
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

static bool read_seed(const json_t *value, int64_t *out)
{
    *out = json_is_null(value) ? -1 : (int64_t)json_integer_value(value);
    return json_is_null(value) || (json_is_integer(value) && *out >= 0);
}

static bool read_axes(const json_t *value, option_axes *out)
{
    const option any = {.least = -CONVOY_MAX_RANK - 1, .most = CONVOY_MAX_RANK};
    *out = (option_axes){.list = json_is_array(value), .count = json_is_array(value) ? (int)json_array_size(value) : 1};
    if (!out->list)
        return read_int(&any, value, &out->axis[0]);
    for (int i = 0; i < out->count; i++)
        if (out->count > CONVOY_MAX_RANK || !read_int(&any, json_array_get(value, (size_t)i), &out->axis[i]))
            return false;
    return out->count > 0;
}

static bool read_floats(const json_t *value, option_floats *out)
{
    size_t count = json_array_size(value);
    *out = (option_floats){.count = (int)count};
    if (!json_is_array(value) || count == 0 || count > OPTION_MOST_FLOATS)
        return false;
    for (size_t i = 0; i < count; i++) {
        out->value[i] = json_number_value(json_array_get(value, i));
        if (!json_is_number(json_array_get(value, i)))
            return false;
    }
    return true;
}

static bool read_text(const json_t *value, char *out)
{
    const char *word = json_is_null(value) ? "" : json_string_value(value);
    if (word == NULL || strlen(word) >= OPTION_TEXT_SIZE)
        return false;
    text_copy(out, OPTION_TEXT_SIZE, word);
    return true;
}

convoy_status option_read(const option *row, const json_t *value, void *state, convoy_error *err)
{
    void *at = (char *)state + row->offset;
    bool null = json_is_null(value), good = false;
    switch (row->kind) {
    case OPTION_INT: good = read_int(row, value, at); break;
    case OPTION_OPTIONAL_FLOAT:
        *(double *)at = NAN;
        good = null || read_float(row, value, at);
        break;
    case OPTION_FLOAT: good = read_float(row, value, at); break;
    case OPTION_BOOL: good = option_read_bool(value, at); break;
    case OPTION_OPTIONAL_PAIR:
        ((int *)at)[0] = ((int *)at)[1] = (int)row->least - 1;
        good = null || read_pair(row, value, at);
        break;
    case OPTION_SIDES: good = read_sides(row, value, at); break;
    case OPTION_LIST: good = read_list(row, value, at); break;
    case OPTION_PAIR: good = read_pair(row, value, at); break;
    case OPTION_CHOICE: good = read_choice(row, value, at); break;
    case OPTION_ACTIVATION: return activation_read(row, value, at, err);
    case OPTION_INITIALIZER: {
        convoy_status status = initializer_read(value, at, err);
        return status == CONVOY_OK ? status : base_fail_in(err, status, "option '%s'", row->name);
    }
    case OPTION_REGULARIZER:
    case OPTION_CONSTRAINT: {
        convoy_status status = rule_read(value, row->kind == OPTION_CONSTRAINT, at, err);
        return status == CONVOY_OK ? status : base_fail_in(err, status, "option '%s'", row->name);
    }
    case OPTION_IGNORED: good = true; break;
    case OPTION_NULL: good = null; break;
    case OPTION_SHAPE: good = read_shape(row, value, at); break;
    case OPTION_VALUES: good = read_values(value, at); break;
    case OPTION_SEED: good = read_seed(value, at); break;
    case OPTION_AXES: good = read_axes(value, at); break;
    case OPTION_OPTIONAL_INT:
        *(int *)at = 0;
        good = null || read_int(row, value, at);
        break;
    case OPTION_FLOATS: good = read_floats(value, at); break;
    case OPTION_TEXT: good = read_text(value, at); break;
    }
    return good ? CONVOY_OK : refuse(row, value, err);
}

convoy_status option_read_standard(const option *row, void *state, convoy_error *err)
{
    json_error_t where;
    if (row->kind == OPTION_IGNORED || row->kind == OPTION_NULL)
        return CONVOY_OK;
    json_t *value = json_loads(row->standard, JSON_DECODE_ANY, &where);
    if (value == NULL)
        return base_fail(err, CONVOY_ERROR_MODEL, "the default of option '%s' can't be read: %s", row->name,
                         where.text);
    convoy_status status = option_read(row, value, state, err);
    json_decref(value);
    return status;
}

/* ---- writing ---- */

bool option_is_written(const option *row)
{
    return !row->hidden && row->kind != OPTION_IGNORED && row->kind != OPTION_NULL;
}

static json_t *write_shape(const option *row, const convoy_shape *shape)
{
    if (shape->rank == 0)
        return json_null();
    json_t *list = json_array();
    int failed = list == NULL;
    if (strncmp(row->name, "batch_", 6) == 0)
        failed |= json_array_append_new(list, json_null());
    for (int i = 0; i < shape->rank; i++)
        failed |= json_array_append_new(list, json_integer(shape->dim[i]));
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *write_axes(const option_axes *axes)
{
    if (!axes->list)
        return json_integer(axes->axis[0]);
    json_t *list = json_array();
    int failed = list == NULL;
    for (int i = 0; i < axes->count; i++)
        failed |= json_array_append_new(list, json_integer(axes->axis[i]));
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *write_floats(const option_floats *floats)
{
    json_t *list = json_array();
    int failed = list == NULL;
    for (int i = 0; i < floats->count; i++)
        failed |= json_array_append_new(list, json_real(floats->value[i]));
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

json_t *option_write(const option *row, const void *state)
{
    const void *at = (const char *)state + row->offset;
    const int *i = at;
    switch (row->kind) {
    case OPTION_INT: return json_integer(*i);
    case OPTION_OPTIONAL_FLOAT:
        if (isnan(*(const double *)at))
            return json_null();
        return json_real(*(const double *)at);
    case OPTION_FLOAT: return json_real(*(const double *)at);
    case OPTION_BOOL: return json_boolean(*(const bool *)at);
    case OPTION_OPTIONAL_PAIR:
        if (i[0] < (int)row->least)
            return json_null();
        return json_pack("[i, i]", i[0], i[1]);
    case OPTION_SIDES: return json_pack("[[i, i], [i, i]]", i[0], i[1], i[2], i[3]);
    case OPTION_LIST: return write_shape(row, at);
    case OPTION_PAIR: return json_pack("[i, i]", i[0], i[1]);
    case OPTION_CHOICE: return strcmp(row->choices[*i], "null") == 0 ? json_null() : json_string(row->choices[*i]);
    case OPTION_ACTIVATION: return activation_write(at);
    case OPTION_INITIALIZER: return initializer_write(at);
    case OPTION_REGULARIZER:
    case OPTION_CONSTRAINT: return rule_write(at);
    case OPTION_SHAPE: return write_shape(row, at);
    case OPTION_VALUES: return write_values(at);
    case OPTION_SEED: return *(const int64_t *)at < 0 ? json_null() : json_integer(*(const int64_t *)at);
    case OPTION_AXES: return write_axes(at);
    case OPTION_OPTIONAL_INT: return *i ? json_integer(*i) : json_null();
    case OPTION_FLOATS: return write_floats(at);
    case OPTION_TEXT: return json_string(at);
    default: return json_null();
    }
}
