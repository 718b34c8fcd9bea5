/* Keyword arguments as text, in Python's manner, to a JSON object. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "words/option.h"

#define DEPTH 16 /* brackets within brackets */

typedef struct parser {
    const char *text, *at;
    int depth;
    convoy_error *err;
} parser;

static convoy_status parse_value(parser *p, json_t **out);

static convoy_status fail_at(const parser *p, const char *expected)
{
    char found[32] = "the end";
    if (*p->at != '\0') {
        size_t n = strcspn(p->at, " \t\n,");
        found[0] = '\'';
        text_copy(found + 1, n + 1 < 24 ? n + 1 : 24, p->at);
        if (n == 0)
            text_copy(found + 1, 2, p->at);
        text_copy(found + strlen(found), 2, "'");
    }
    return base_fail(p->err, CONVOY_ERROR_MODEL, "options \"%.300s\", character %zu: found %s; expected %s", p->text,
                     (size_t)(p->at - p->text) + 1, found, expected);
}

static char skip_space(parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
    return *p->at;
}

static size_t word_length(const char *at)
{
    size_t n = 0;
    if (!isalpha((unsigned char)at[0]) && at[0] != '_')
        return 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_' || at[n] == '.')
        n++;
    return n;
}

/* "keyword=value, ..." up to `end`, which is consumed unless it is the text's own end. */
static convoy_status parse_pairs(parser *p, char end, json_t *object)
{
    while (skip_space(p) != end) {
        char key[128];
        size_t n = word_length(p->at);
        if (n == 0 || n >= sizeof key)
            return fail_at(p, "keyword=value");
        text_copy(key, n + 1, p->at);
        const char *start = p->at;
        p->at += n;
        if (skip_space(p) != '=')
            return fail_at(p, "'=' after the keyword: options are written keyword=value");
        if (json_object_get(object, key) != NULL) {
            p->at = start;
            return fail_at(p, "each keyword at most once");
        }
        p->at++;
        json_t *value = NULL;
        TRY(parse_value(p, &value));
        if (json_object_set_new(object, key, value) != 0)
            return OUT_OF_MEMORY(p->err);
        if (skip_space(p) == ',')
            p->at++;
        else if (*p->at != end)
            return fail_at(p, end ? "',' or ')'" : "',' or the end");
    }
    if (end != '\0')
        p->at++;
    return CONVOY_OK;
}

/* A tuple or list. As in Python, (3) is 3 and (3,) has one element. */
static convoy_status parse_list(parser *p, json_t **out)
{
    char end = *p->at == '(' ? ')' : ']';
    bool comma = false;
    json_t *list = json_array();
    convoy_status status = list == NULL ? OUT_OF_MEMORY(p->err) : CONVOY_OK;
    p->at++;
    while (status == CONVOY_OK && skip_space(p) != end) {
        json_t *value = NULL;
        status = parse_value(p, &value);
        if (status == CONVOY_OK && json_array_append_new(list, value) != 0)
            status = OUT_OF_MEMORY(p->err);
        if (status == CONVOY_OK && skip_space(p) == ',') {
            comma = true;
            p->at++;
        } else if (status == CONVOY_OK && *p->at != end) {
            status = fail_at(p, end == ')' ? "',' or ')'" : "',' or ']'");
        }
    }
    if (status != CONVOY_OK) {
        json_decref(list);
        return status;
    }
    p->at++;
    if (end == ')' && !comma && json_array_size(list) == 1) {
        *out = json_incref(json_array_get(list, 0));
        json_decref(list);
    } else {
        *out = list;
    }
    return CONVOY_OK;
}

static convoy_status parse_quoted(parser *p, json_t **out)
{
    const char *start = p->at;
    char quote = *p->at++;
    char *string = NULL;
    text t = {0};
    for (; *p->at != quote && *p->at != '\0'; p->at++) {
        if (*p->at == '\\' && p->at[1] != '\0' && strchr("\\'\"", p->at[1]) != NULL)
            p->at++;
        text_add_bytes(&t, p->at, 1);
    }
    if (*p->at == '\0') {
        text_free(&t);
        p->at = start;
        return fail_at(p, "a closing quote");
    }
    p->at++;
    TRY(text_take(&t, &string, p->err));
    *out = json_string(string);
    free(string);
    if (*out == NULL) {
        p->at = start;
        return fail_at(p, "UTF-8 text");
    }
    return CONVOY_OK;
}

/* JSON's numbers, and Python's +1, .5 and 1. besides. */
static convoy_status parse_number(parser *p, json_t **out)
{
    text t = {0};
    char *number = NULL;
    size_t n = 0;
    while (isalnum((unsigned char)p->at[n]) || (p->at[n] != '\0' && strchr(".+-_", p->at[n]) != NULL))
        n++;
    for (size_t i = p->at[0] == '+' ? 1 : 0; i < n; i++) {
        bool point = p->at[i] == '.';
        if (point && (i == 0 || !isdigit((unsigned char)p->at[i - 1])))
            text_add(&t, "0");
        text_add_bytes(&t, p->at + i, 1);
        if (point && !isdigit((unsigned char)p->at[i + 1]))
            text_add(&t, "0");
    }
    TRY(text_take(&t, &number, p->err));
    json_error_t where;
    *out = json_loads(number, JSON_DECODE_ANY, &where);
    free(number);
    if (!json_is_number(*out)) {
        json_decref(*out);
        return fail_at(p, "a number");
    }
    p->at += n;
    return CONVOY_OK;
}

/* A JSON object, read by jansson. */
static convoy_status parse_json(parser *p, json_t **out)
{
    json_error_t where;
    *out = json_loads(p->at, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &where);
    if (*out == NULL)
        return base_fail(p->err, CONVOY_ERROR_MODEL, "options \"%.300s\", character %zu: %s", p->text,
                         (size_t)(p->at - p->text) + 1, where.text);
    p->at += where.position;
    return CONVOY_OK;
}

/* Python code names what is known here by its last part: keras.activations.relu. */
static bool is_module_path(const char *word)
{
    static const char *const roots[] = {"keras.", "tf.", "initializers.", "activations.", "regularizers.",
                                        "constraints."};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (strncmp(word, roots[i], strlen(roots[i])) == 0)
            return true;
    return false;
}

/* True, None, relu, keras.activations.relu, or HeNormal(seed=1), which is a class and its config. */
static convoy_status parse_word(parser *p, json_t **out)
{
    static const char *const known[] = {"True", "true", "False", "false", "None", "null"};
    size_t n = word_length(p->at);
    const char *word = p->at, *end = p->at + n;
    if (is_module_path(word))
        for (const char *c = word; c < end - 1; c++)
            if (*c == '.')
                word = c + 1;
    n = (size_t)(end - word);
    p->at = end;
    if (skip_space(p) == '(') {
        json_t *config = json_object();
        p->at++;
        convoy_status status = config ? parse_pairs(p, ')', config) : OUT_OF_MEMORY(p->err);
        if (status != CONVOY_OK) {
            json_decref(config);
            return status;
        }
        *out = json_pack("{s:s%, s:o}", "class_name", word, n, "config", config);
        return *out ? CONVOY_OK : OUT_OF_MEMORY(p->err);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == n && memcmp(word, known[i], n) == 0) {
            *out = i < 2 ? json_true() : i < 4 ? json_false() : json_null();
            return CONVOY_OK;
        }
    *out = json_stringn(word, n);
    return *out ? CONVOY_OK : OUT_OF_MEMORY(p->err);
}

static convoy_status parse_value(parser *p, json_t **out)
{
    char c = skip_space(p);
    convoy_status status;
    if (p->depth >= DEPTH)
        return fail_at(p, "fewer brackets within brackets");
    p->depth++;
    if (c == '(' || c == '[')
        status = parse_list(p, out);
    else if (c == '\'' || c == '"')
        status = parse_quoted(p, out);
    else if (c == '{')
        status = parse_json(p, out);
    else if (isdigit((unsigned char)c) || c == '-' || c == '+' || c == '.')
        status = parse_number(p, out);
    else if (word_length(p->at) > 0)
        status = parse_word(p, out);
    else
        status = fail_at(p, "a value: a number, a word, a text in quotes, or a tuple of them");
    p->depth--;
    return status;
}

convoy_status option_parse_text(const char *text, json_t **out, convoy_error *err)
{
    parser p = {.text = text ? text : "", .err = err};
    p.at = p.text;
    json_t *object = json_object();
    convoy_status status = object ? parse_pairs(&p, '\0', object) : OUT_OF_MEMORY(err);
    if (status == CONVOY_OK)
        *out = object;
    else
        json_decref(object);
    return status;
}
