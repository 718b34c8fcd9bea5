/* The text of a config as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/build.h"

/* A text with NULs, as Python's bytecode in a Lambda has them, spells them as JSON does: nothing is then cut where C ends a text. */
static int spell_nuls(json_t *value)
{
    const char *from = json_string_value(value);
    size_t length = json_string_length(value), size = 0;
    char *spelt = malloc(6 * length + 1);
    for (size_t i = 0; spelt != NULL && i < length; i++) {
        if (from[i] == '\0')
            memcpy(spelt + size, "\\u0000", 6);
        else
            spelt[size] = from[i];
        size += from[i] == '\0' ? 6 : 1;
    }
    int failed = spelt == NULL || json_string_setn(value, spelt, size) != 0;
    free(spelt);
    return failed;
}

static int spell_all(json_t *value)
{
    const char *key;
    json_t *member;
    int failed = 0;
    if (json_is_string(value) && strlen(json_string_value(value)) != json_string_length(value))
        return spell_nuls(value);
    json_object_foreach(value, key, member)
        failed |= spell_all(member);
    for (size_t i = 0; i < json_array_size(value); i++)
        failed |= spell_all(json_array_get(value, i));
    return failed;
}

convoy_status config_parse(const char *json, size_t size, json_t **out, convoy_error *err)
{
    json_error_t where;
    if (size > MOST_JSON)
        return base_fail(err, CONVOY_ERROR_FORMAT, "the JSON text has %zu bytes; at most %zu are read", size, MOST_JSON);
    if (size >= 3 && memcmp(json, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark, as Windows editors write */
        json += 3;
        size -= 3;
    }
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (root == NULL && json_error_code(&where) == json_error_out_of_memory)
        return OUT_OF_MEMORY(err);
    if (root == NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "broken JSON at line %d, column %d: %s", where.line, where.column, where.text);
    if (spell_all(root) != 0) {
        json_decref(root);
        return OUT_OF_MEMORY(err);
    }
    *out = root;
    return CONVOY_OK;
}
