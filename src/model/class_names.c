/* What the model's outputs stand for. */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

convoy_status convoy_model_set_class_names(convoy_model *model, const char *const *names, size_t count, convoy_error *err)
{
    count = names != NULL ? count : 0;
    char **copies = count > 0 ? calloc(count, sizeof *copies) : NULL;
    if (count > 0 && copies == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < count; i++)
        if (names[i] == NULL || (copies[i] = strdup(names[i])) == NULL) {
            free_names(copies, i);
            return names[i] == NULL ? base_fail(err, CONVOY_ERROR_ARGUMENT, "class %zu has no name; name all or none", i)
                                    : OUT_OF_MEMORY(err);
        }
    free_names(model->class_names, model->class_count);
    model->class_names = copies;
    model->class_count = count;
    return CONVOY_OK;
}

const char *convoy_model_class_name(const convoy_model *model, size_t index)
{
    return index < model->class_count ? model->class_names[index] : NULL;
}
