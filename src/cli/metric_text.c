#include "cli/metric_text.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"

#define MOST_COLUMNS 40 /* of a name; longer ones push the numbers to the right */

void metric_text_print(const char *part, const convoy_metrics *m)
{
    fputs(part, stdout);
    for (int i = 0; i < m->count; i++)
        printf("%s %s %.4f", i ? "," : "", m->metric[i].name, m->metric[i].value);
    printf(" (%zu images)\n", m->images);
}

void metric_text_json(json_t *object, const char *prefix, const convoy_metrics *m, bool known)
{
    for (int i = 0; i < m->count; i++) {
        char name[CONVOY_METRIC_NAME_SIZE + 16];
        snprintf(name, sizeof name, "%s%s", prefix, m->metric[i].name);
        json_object_set_new(object, name, known ? cli_json_number(m->metric[i].value) : json_null());
    }
}

/* ---- classes ---- */

static const char *class_name(const class_table *t, int class, char number[16])
{
    const char *name = convoy_dataset_class_name(t->data, class);
    if (name == NULL)
        name = convoy_model_class_name(t->model, (size_t)class);
    if (name != NULL)
        return name;
    snprintf(number, 16, "%d", class);
    return number;
}

static size_t images_of(const class_table *t, int class)
{
    size_t sum = 0;
    for (int i = 0; i < t->size; i++)
        sum += t->confusion[(size_t)class * (size_t)t->size + (size_t)i];
    return sum;
}

static size_t right_of(const class_table *t, int class)
{
    return t->confusion[(size_t)class * (size_t)t->size + (size_t)class];
}

void class_table_print(const class_table *t)
{
    char number[16];
    int classes = convoy_dataset_classes(t->data), width = (int)strlen("class");
    for (int i = 0; i < classes; i++) {
        int length = (int)strlen(class_name(t, i, number));
        width = length > width && length <= MOST_COLUMNS ? length : width;
    }
    printf("%-*s  %8s  %8s\n", width, "class", "images", "accuracy");
    for (int i = 0; i < classes; i++) {
        const char *name = class_name(t, i, number);
        size_t images = images_of(t, i);
        cli_print_safe(name);
        printf("%*s  %8zu  ", width > (int)strlen(name) ? width - (int)strlen(name) : 0, "", images);
        if (images > 0)
            printf("%8.4f\n", (double)right_of(t, i) / (double)images);
        else
            printf("%8s\n", "-");
    }
}

json_t *class_table_json(const class_table *t)
{
    json_t *list = json_array();
    for (int i = 0; i < convoy_dataset_classes(t->data); i++) {
        char number[16];
        size_t images = images_of(t, i);
        json_array_append_new(
            list, json_pack("{s:i, s:o, s:I, s:o}", "class", i, "name", json_text(class_name(t, i, number)), "images",
                            (json_int_t)images, "accuracy",
                            images > 0 ? cli_json_number((double)right_of(t, i) / (double)images) : json_null()));
    }
    return list;
}

json_t *class_table_confusion(const class_table *t)
{
    json_t *list = json_array();
    for (int i = 0; i < t->size; i++) {
        json_t *row = json_array();
        for (int k = 0; k < t->size; k++)
            json_array_append_new(row, json_integer((json_int_t)t->confusion[(size_t)i * (size_t)t->size + (size_t)k]));
        json_array_append_new(list, row);
    }
    return list;
}
