/* Which metrics a model is judged by, as Keras's arguments and files have it. How they are counted is train's. */
#ifndef METRIC_CONFIG_H
#define METRIC_CONFIG_H

#include "convoy/train.h"
#include "layers/option.h"

typedef struct metric_class {
    const char *class_name; /* "TopKCategoricalAccuracy"; NULL: a word that stands for several */
    const char *name;       /* what Keras calls one: "top_k_categorical_accuracy" */
    const char *short_name; /* "acc"; NULL: none */
    const option *options;
} metric_class;

/* Keras's arguments; a class has only some of them. */
typedef struct metric_settings {
    const metric_class *class;
    bool is_word;              /* given by name only, as `name` has it */
    char name[CONVOY_METRIC_NAME_SIZE]; /* in the logs; differs from all others */
    int k, top_k;              /* top_k 0: None */
    double threshold;          /* of BinaryAccuracy, Precision, Recall; of the latter NAN: None */
    int64_t class_id;          /* -1: None */
} metric_settings;

typedef struct metric_list {
    int count; /* 0: none were chosen */
    metric_settings row[CONVOY_MOST_METRICS];
} metric_list;

/* By class or name, case ignored; NULL when unknown. */
const metric_class *metric_class_find(const char *name);

/* "accuracy", "Precision(class_id=3)", NULL-terminated. Names that come twice get _1, _2 at their ends, as in Keras.
 * Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status metric_list_parse(const char *const *texts, metric_list *out, convoy_error *err);

/* From a compile_config: names and serialised objects, also in lists of lists. What Convoy has no counterpart for is left out. */
void metric_list_read(const json_t *json, metric_list *out);
/* As Keras has them; a new reference, NULL when out of memory. */
json_t *metric_list_write(const metric_list *list);

#endif
