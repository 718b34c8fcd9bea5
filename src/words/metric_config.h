/* Which metrics a model is judged by, as Keras's arguments and files have it. How they are counted is train's. */
#ifndef METRIC_CONFIG_H
#define METRIC_CONFIG_H

#include "convoy/train.h"
#include "words/loss_config.h"

/* Is more better? Keras does not say it of all. */
typedef enum metric_direction { METRIC_UP, METRIC_DOWN, METRIC_EITHER } metric_direction;

typedef struct metric_class {
    const char *class_name; /* "TopKCategoricalAccuracy"; NULL: a word that stands for several */
    const char *name;       /* what Keras calls one: "top_k_categorical_accuracy" */
    const char *also;       /* other names, comma-separated: "acc"; NULL: none */
    const option *options;  /* NULL: those of `loss` */
    const char *loss;       /* the loss that it is the mean of; NULL: none */
    metric_direction direction;
} metric_class;

typedef enum metric_curve { METRIC_ROC, METRIC_PR, METRIC_PRGAIN } metric_curve;
typedef enum metric_summation { METRIC_INTERPOLATION, METRIC_MAJORING, METRIC_MINORING } metric_summation;
typedef enum metric_average { METRIC_EACH, METRIC_MICRO, METRIC_MACRO, METRIC_WEIGHTED } metric_average;
typedef enum metric_aggregation { METRIC_UNIFORM, METRIC_BY_VARIANCE, METRIC_NO_AGGREGATION } metric_aggregation;

/* Keras's arguments; a class has only some of them. */
typedef struct metric_settings {
    const metric_class *class;
    bool is_word;              /* given by name only, as `name` has it */
    bool weighted;             /* of weighted_metrics: the images count by their weights */
    char name[CONVOY_METRIC_NAME_SIZE]; /* in the logs; differs from all others */
    loss_settings loss;        /* of a class that is the mean of one */
    int k, top_k;              /* top_k 0: None */
    double threshold;          /* NAN: None */
    int64_t class_id;          /* -1: None */
    int num_thresholds, curve, summation;        /* of AUC: a metric_curve, a metric_summation */
    bool multi_label, from_logits;
    option_values label_weights;
    double at;                 /* of PrecisionAtRecall: the recall; likewise of its kin */
    int average;               /* of F1Score, FBetaScore: a metric_average */
    double beta;
    int aggregation, num_regressors;             /* of R2Score: a metric_aggregation */
    int num_classes;           /* of the IoUs */
    option_values targets, ignore;
    bool sparse_y_true, sparse_y_pred;
    int axis;                  /* read, but there is only one */
} metric_settings;

typedef struct metric_list {
    int count; /* 0: none were chosen */
    metric_settings row[CONVOY_MOST_METRICS];
} metric_list;

/* By class or name, case ignored; NULL when unknown. */
const metric_class *metric_class_find(const char *name);
const metric_class *metric_class_at(size_t i); /* NULL past the end */

/* "accuracy", "Precision(class_id=3)", NULL-terminated. Names that come twice get _1, _2 at their ends, as in Keras.
 * Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status metric_list_parse(const char *const *texts, metric_list *out, convoy_error *err);

/* Appends those of a compile_config's metrics, or weighted_metrics: names and serialised objects, also in lists and dicts of one output.
 * Errors: CONVOY_ERROR_MODEL. */
convoy_status metric_list_read(const json_t *json, bool weighted, metric_list *out, convoy_error *err);
/* As Keras has the one or the other; a new reference, NULL when out of memory. */
json_t *metric_list_write(const metric_list *list, bool weighted);

#endif
