/* Golden data as JSON, for tests that read it. Needs cmocka and jansson. */
#ifndef GOLDEN_JSON_H
#define GOLDEN_JSON_H

#include <jansson.h>
#include <math.h>

static inline json_t *golden(const char *file)
{
    char path[512];
    json_error_t where;
    snprintf(path, sizeof path, "%s/%s", TEST_GOLDEN_DIR, file);
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        fail_msg("%s: line %d: %s", path, where.line, where.text);
    return root;
}

static inline const char *golden_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

/* A list of numbers into `out`, which has room for `most`; returns how many. */
static inline size_t golden_floats(const json_t *list, float *out, size_t most)
{
    size_t count = json_array_size(list);
    assert_true(count > 0 && count <= most);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)json_number_value(json_array_get(list, i));
    return count;
}

/* Is `found` within `relative` of `expected`? Below `small` in size, within relative * small. */
static inline bool golden_near(double found, double expected, double relative, double small)
{
    return fabs(found - expected) <= relative * fmax(fabs(expected), small);
}

#endif
