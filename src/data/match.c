/* Whose numbers the labels are: a data set's classes and a model's, matched by name. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/data.h"
#include "model/model.h"

enum { MOST_LISTED = 20 };

/* The number of `name` among the model's classes; -1: there is none of that name. */
static int find(const convoy_model *model, const char *name)
{
    for (size_t i = 0; i < model->class_count; i++)
        if (strcmp(model->class_names[i], name) == 0)
            return (int)i;
    return -1;
}

static void list(text *out, char *const *names, size_t count)
{
    for (size_t i = 0; i < count && i < MOST_LISTED; i++)
        text_add(out, "%s'%.60s'", i > 0 ? ", " : "", names[i]);
    if (count > MOST_LISTED)
        text_add(out, " and %zu more", count - MOST_LISTED);
}

static convoy_status fail_unknown(const convoy_dataset *data, const convoy_model *model, int unknown, convoy_error *err)
{
    text lists = {0};
    char *line = NULL;
    text_add(&lists, "the data has ");
    list(&lists, data->names, (size_t)data->classes);
    text_add(&lists, "; the model knows ");
    list(&lists, model->class_names, model->class_count);
    TRY(text_take(&lists, &line, err));
    base_fail(err, CONVOY_ERROR_MODEL, "the class '%.60s' is none of the model's: %s. Classes are matched by their names, to the "
              "letter: rename or remove what differs; to train for other classes, begin with the model's config, which has no "
              "names of classes", data->names[unknown], line);
    free(line);
    return CONVOY_ERROR_MODEL;
}

bool dataset_numbered_as(const convoy_dataset *data, const convoy_model *model, int *first)
{
    for (int i = 0; data->names != NULL && model->class_count > 0 && i < data->classes; i++)
        if ((size_t)i >= model->class_count || strcmp(data->names[i], model->class_names[i]) != 0) {
            *first = i;
            return false;
        }
    return true;
}

static convoy_status renumber(convoy_dataset *data, const convoy_model *model, const int *number, convoy_error *err)
{
    convoy_dataset before = *data;
    data->names = NULL;
    data->classes = (int)model->class_count;
    convoy_status status = dataset_set_names(data, (const char *const *)model->class_names, err);
    if (status != CONVOY_OK) {
        *data = before;
        return status;
    }
    for (size_t i = 0; i < data->count; i++)
        data->labels[i] = number[data->labels[i]];
    for (int i = 0; i < before.classes; i++)
        free(before.names[i]);
    free(before.names);
    return CONVOY_OK;
}

convoy_status convoy_dataset_match_classes(convoy_dataset *data, const convoy_model *model, convoy_error *err)
{
    int at = 0;
    if (dataset_numbered_as(data, model, &at))
        return CONVOY_OK;
    int *number = calloc((size_t)data->classes, sizeof *number);
    if (number == NULL)
        return OUT_OF_MEMORY(err);
    for (at = 0; at < data->classes && (number[at] = find(model, data->names[at])) >= 0; at++)
        ;
    convoy_status status = at < data->classes ? fail_unknown(data, model, at, err) : renumber(data, model, number, err);
    free(number);
    return status;
}
