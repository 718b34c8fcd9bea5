/* Whole tables of options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "base/text.h"
#include "words/option.h"

static const option *find_row(const option *rows, const char *name)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows;
    return NULL;
}

static convoy_status refuse_unknown(const option *rows, const char *others, const char *key, convoy_error *err)
{
    char *list = NULL, hint[128];
    text t = {0};
    text_add(&t, "%s", others);
    for (; rows != NULL && rows->name != NULL; rows++)
        if (!rows->hidden && rows->kind != OPTION_IGNORED && rows->kind != OPTION_NULL)
            text_add(&t, "%s%s", t.length > 0 ? ", " : "", rows->name);
    TRY(text_take(&t, &list, err));
    base_fail(err, CONVOY_ERROR_MODEL, "unknown option '%.200s'; %sknown: %s", key, suggest_word(key, list, hint, sizeof hint), list);
    free(list);
    return CONVOY_ERROR_MODEL;
}

static convoy_status read_key(const option *rows, const option_others *others, const char *key, const json_t *value, void *state,
                              convoy_error *err)
{
    bool known = false;
    const option *row = find_row(rows, key);
    if (row != NULL)
        return option_read(row, value, state, err);
    if (others != NULL)
        TRY(others->read(others->user, key, value, &known, err));
    return known ? CONVOY_OK : refuse_unknown(rows, others ? others->names : "", key, err);
}

convoy_status options_read_among(const option *rows, const option_others *others, const json_t *config, void *state,
                                 convoy_error *err)
{
    char found[200];
    const char *key;
    json_t *value;
    if (config != NULL && !json_is_object(config))
        return base_fail(err, CONVOY_ERROR_MODEL, "the config is %s; expected an object of options",
                         option_value_text(config, found, sizeof found));
    /* All defaults come first, so that two rows may name one member. */
    for (const option *row = rows; row != NULL && row->name != NULL; row++)
        if (row->standard != NULL)
            TRY(option_read_standard(row, state, err));
    json_object_foreach((json_t *)config, key, value)
        TRY(read_key(rows, others, key, value, state, err));
    for (const option *row = rows; row != NULL && row->name != NULL; row++)
        if (row->standard == NULL && row->kind != OPTION_IGNORED && row->kind != OPTION_NULL &&
            json_object_get(config, row->name) == NULL)
            return base_fail(err, CONVOY_ERROR_MODEL, "option '%s' is missing; it has no default", row->name);
    return CONVOY_OK;
}

convoy_status options_read(const option *rows, const json_t *config, void *state, convoy_error *err)
{
    return options_read_among(rows, NULL, config, state, err);
}

json_t *options_write(const option *rows, const void *state)
{
    json_t *config = json_object();
    int failed = config == NULL;
    for (const option *row = rows; row->name != NULL; row++)
        if (option_is_written(row))
            failed |= json_object_set_new(config, row->name, option_write(row, state));
    if (!failed)
        return config;
    json_decref(config);
    return NULL;
}

const char *option_serialised(const json_t *json, const json_t **config)
{
    const char *class_name = json_string_value(json_object_get(json, "class_name"));
    *config = NULL;
    if (class_name == NULL)
        return json_string_value(json);
    *config = json_object_get(json, "config");
    if (strcmp(class_name, "function") != 0 || !json_is_string(*config))
        return class_name;
    class_name = json_string_value(*config);
    *config = NULL;
    return class_name;
}

bool option_is_called(const char *word, const char *class_name, const char *name, const char *also)
{
    size_t length = strlen(word);
    if (strcasecmp(word, name) == 0 || (class_name != NULL && strcasecmp(word, class_name) == 0))
        return true;
    for (const char *at = also; at != NULL && length > 0; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncasecmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

const json_t *option_only(const json_t *json)
{
    const char *class_name = json_string_value(json_object_get(json, "class_name"));
    if (class_name != NULL && strcmp(class_name, "__tuple__") == 0)
        return option_only(json_object_get(json, "items"));
    if (json_is_array(json) && json_array_size(json) == 1)
        return option_only(json_array_get(json, 0));
    if (json_is_object(json) && class_name == NULL && json_object_size(json) == 1)
        return option_only(json_object_iter_value(json_object_iter((json_t *)json)));
    return json;
}

bool option_is_custom(const json_t *json)
{
    const char *registered = json_string_value(json_object_get(json, "registered_name"));
    return registered != NULL && strchr(registered, '>') != NULL && strncmp(registered, "keras", 5) != 0;
}

/* The parser of keyword arguments reads it as the value of one. */
convoy_status options_parse_call(const char *what, const char *call, char *name, size_t size, json_t **config,
                                 convoy_error *err)
{
    char *whole = NULL;
    json_t *parsed = NULL;
    text t = {0};
    text_add(&t, "%s=%s", what, call);
    TRY(text_take(&t, &whole, err));
    convoy_status status = option_parse_text(whole, &parsed, err);
    free(whole);
    TRY(status);
    const json_t *value = json_object_get(parsed, what);
    const char *word = json_string_value(json_is_object(value) ? json_object_get(value, "class_name") : value);
    if (json_object_size(parsed) != 1 || word == NULL || strlen(word) >= size)
        status = base_fail(err, CONVOY_ERROR_MODEL, "%s \"%.300s\": expected a name, or a name with options in brackets: "
                           "Name(keyword=value, ...)", what, call);
    else
        text_copy(name, size, word);
    *config = status == CONVOY_OK ? json_incref(json_object_get(value, "config")) : NULL;
    json_decref(parsed);
    return status;
}

convoy_status option_blame_argument(convoy_status status, convoy_error *err)
{
    if (status != CONVOY_ERROR_MODEL)
        return status;
    if (err != NULL)
        err->status = CONVOY_ERROR_ARGUMENT;
    return CONVOY_ERROR_ARGUMENT;
}
