/* The Python version of CIFAR-10 and CIFAR-100: a pickled dict of `data`, an array (N, 3072) of uint8, and a list of labels;
 * class names in a dict of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/cifar.h"
#include "data/pickle.h"

#define NAMES_LIMIT ((size_t)1 << 20)

/* A file and the pickle that points into it. */
typedef struct loaded {
    char *text;
    pickle *pickle;
    const pickle_value *dict;
} loaded;

static void unload(loaded *l)
{
    pickle_free(l->pickle);
    free(l->text);
    *l = (loaded){0};
}

static convoy_status load(const char *path, size_t limit, loaded *out, convoy_error *err)
{
    size_t size = 0;
    *out = (loaded){0};
    TRY(file_read(path, limit, &out->text, &size, err));
    convoy_status status = pickle_read((const uint8_t *)out->text, size, &out->pickle, err);
    if (status != CONVOY_OK) {
        unload(out);
        return base_fail_in(err, status, "%s", path);
    }
    out->dict = pickle_root(out->pickle);
    return CONVOY_OK;
}

convoy_status cifar_python_is_100(const char *path, bool *out, convoy_error *err)
{
    loaded l;
    TRY(load(path, DATA_FILE_LIMIT, &l, err));
    *out = pickle_get(l.dict, "fine_labels") != NULL;
    unload(&l);
    return CONVOY_OK;
}

static convoy_status check_data(const cifar_form *form, const char *path, const pickle_value *data,
                                const pickle_value *labels, convoy_error *err)
{
    if (data == NULL || data->kind != PICKLE_ARRAY || data->count != 2 || data->items[1]->integer != CIFAR_PIXELS ||
        data->items[0]->integer < 1)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: under `data` is %s; %s has an array (N, %d) of uint8 there", path, pickle_kind_text(data),
                         form->title, CIFAR_PIXELS);
    if (labels == NULL || labels->kind != PICKLE_LIST || (int64_t)labels->count != data->items[0]->integer)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: under `%s` is %s of %zu; %s has a list of a label for each of the %lld images there", path,
                         form->label_key, pickle_kind_text(labels), labels ? labels->count : 0, form->title,
                         (long long)data->items[0]->integer);
    for (size_t i = 0; i < labels->count; i++) {
        const pickle_value *label = labels->items[i];
        if (label->kind != PICKLE_INT || label->integer < 0 || label->integer >= form->classes)
            return base_fail(err, CONVOY_ERROR_FORMAT, "%s: label %zu is %s (%lld); 0 to %d are expected", path, i,
                             pickle_kind_text(label), (long long)label->integer, form->classes - 1);
    }
    return CONVOY_OK;
}

convoy_status cifar_python_append(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    loaded l;
    TRY(load(path, DATA_FILE_LIMIT, &l, err));
    const pickle_value *pixels = pickle_get(l.dict, "data"), *labels = pickle_get(l.dict, form->label_key);
    TRY_GOTO(check_data(form, path, pixels, labels, err));
    TRY_GOTO(dataset_reserve(data, labels->count, err));
    for (size_t i = 0; i < labels->count; i++) {
        data->labels[data->count] = (int32_t)labels->items[i]->integer;
        cifar_interleave(pixels->bytes + i * CIFAR_PIXELS, data->images + data->count * CIFAR_PIXELS);
        data->count++;
    }
done:
    unload(&l);
    return status;
}

static convoy_status copy_names(const cifar_form *form, const char *path, const pickle_value *list, char **copies,
                                convoy_error *err)
{
    if (list == NULL || list->kind != PICKLE_LIST || (int64_t)list->count != form->classes)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: under `%s` is %s of %zu; a list of %d class names is expected",
                         path, form->names_key, pickle_kind_text(list), list ? list->count : 0, form->classes);
    for (size_t i = 0; i < list->count; i++) {
        const pickle_value *name = list->items[i];
        if (name->kind != PICKLE_STRING)
            return base_fail(err, CONVOY_ERROR_FORMAT, "%s: class %zu is named by %s", path, i, pickle_kind_text(name));
        TRY(cifar_check_name(path, (const char *)name->bytes, name->size, (int)i + 1, err));
        copies[i] = strndup((const char *)name->bytes, name->size);
        if (copies[i] == NULL)
            return OUT_OF_MEMORY(err);
    }
    return CONVOY_OK;
}

convoy_status cifar_python_names(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err)
{
    char *copies[CIFAR_MOST_CLASSES] = {NULL};
    loaded l;
    TRY(load(path, NAMES_LIMIT, &l, err));
    convoy_status status = copy_names(form, path, pickle_get(l.dict, form->names_key), copies, err);
    if (status == CONVOY_OK)
        status = dataset_set_names(data, (const char *const *)copies, err);
    for (int i = 0; i < CIFAR_MOST_CLASSES; i++)
        free(copies[i]);
    unload(&l);
    return status;
}
