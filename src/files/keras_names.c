/* Convoy's own member of a .keras file: {"class_names": ["cat", "dog"], "training": {...}}, each of them only where it is known. */
#include <stdlib.h>

#include "base/json.h"
#include "files/keras_file.h"
#include "model/build.h"

convoy_status keras_names_build(const convoy_model *model, json_t **out, convoy_error *err)
{
    json_t *root = json_object(), *list = json_array();
    int failed = root == NULL || list == NULL;
    for (size_t i = 0; i < model->class_count; i++)
        failed |= json_array_append_new(list, json_text(model->class_names[i]));
    if (model->class_count > 0)
        failed |= json_object_set(root, "class_names", list);
    if (model->training != NULL)
        failed |= json_object_set(root, "training", model->training);
    json_decref(list);
    if (failed != 0) {
        json_decref(root);
        return OUT_OF_MEMORY(err);
    }
    *out = root;
    return CONVOY_OK;
}

static convoy_status take_names(const json_t *list, convoy_model *model, convoy_error *err)
{
    size_t count = json_array_size(list), good = 0;
    const char **names = calloc(count, sizeof *names);
    if (names == NULL)
        return OUT_OF_MEMORY(err);
    while (good < count && (names[good] = json_string_value(json_array_get(list, good))) != NULL)
        good++;
    /* Names are an extra: what is not a list of them does not stop a model from being used. */
    convoy_status status = good == count ? convoy_model_set_class_names(model, names, count, err) : CONVOY_OK;
    free(names);
    return status;
}

convoy_status keras_names_read(const char *data, size_t size, convoy_model *model, convoy_error *err)
{
    json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(root, "class_names");
    convoy_status status = json_array_size(list) > 0 ? take_names(list, model, err) : CONVOY_OK;
    json_t *training = json_object_get(root, "training");
    if (json_is_object(training))
        model->training = json_incref(training);
    json_decref(root);
    return status;
}
