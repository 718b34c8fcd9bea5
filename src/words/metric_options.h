/* The options of metrics, a table for each kind of class. For metric_config.c. */
#ifndef METRIC_OPTIONS_H
#define METRIC_OPTIONS_H

#include "words/metric_config.h"

/* What the tables fill: the settings, and what they are made of. */
typedef struct metric_reading {
    char name[OPTION_TEXT_SIZE];
    option_values thresholds;
    bool from_sorted_ids;
    metric_settings s;
} metric_reading;

extern const option metric_plain_options[], metric_binary_options[], metric_top_k_options[], metric_positive_options[],
    metric_count_options[], metric_auc_options[], metric_at_recall_options[], metric_at_precision_options[],
    metric_at_specificity_options[], metric_at_sensitivity_options[], metric_f1_options[], metric_fbeta_options[],
    metric_mean_iou_options[], metric_iou_options[], metric_one_hot_iou_options[], metric_one_hot_mean_iou_options[],
    metric_binary_iou_options[], metric_r2_options[];

/* What the tables can't say: completes r->s. Errors: CONVOY_ERROR_MODEL. */
convoy_status metric_options_check(metric_reading *r, convoy_error *err);
/* The config of r->s; a new reference, NULL when out of memory. */
json_t *metric_options_write(metric_reading *r);

#endif
