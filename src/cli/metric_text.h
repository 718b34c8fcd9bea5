/* Loss and metrics as results: a line, members of a JSON object, a table of the classes. */
#ifndef METRIC_TEXT_H
#define METRIC_TEXT_H

#include <jansson.h>

#include "convoy/train.h"

/* "test accuracy 0.6123, loss 1.0812 (300 images)" */
void metric_text_print(const char *part, const convoy_metrics *m);

/* Sets a member for each: PREFIXloss, PREFIXaccuracy. Without values (`known` false) they are null. */
void metric_text_json(json_t *object, const char *prefix, const convoy_metrics *m, bool known);

/* How the images of each class fared, by the confusion matrix of `size` rows and columns. Names are the data's, else the model's,
 * else numbers. */
typedef struct class_table {
    const convoy_model *model;
    const convoy_dataset *data;
    const size_t *confusion;
    int size;
} class_table;

void class_table_print(const class_table *t);
/* [{"class": 0, "name": "airplane", "images": 30, "accuracy": 0.53}, ...]; a class without images has null for an accuracy. */
json_t *class_table_json(const class_table *t);
/* [true][predicted] */
json_t *class_table_confusion(const class_table *t);

#endif
