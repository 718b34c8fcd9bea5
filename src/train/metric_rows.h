/* How each class of metrics is counted. For metric.c. */
#ifndef METRIC_ROWS_H
#define METRIC_ROWS_H

#include "base/text.h"
#include "words/metric_config.h"

enum { METRIC_MOST_COLUMNS = 4 };

typedef enum metric_kind {
    METRIC_COLUMNS, /* a kernel notes a few whole numbers for each row, cl/metric.clh */
    METRIC_LOSS,    /* the rows' losses are noted, cl/loss.clh */
    METRIC_TABLE,   /* a kernel counts into a table over the epoch, cl/metric_table.clh */
} metric_kind;

typedef struct metric_row {
    const char *name;     /* the class's */
    metric_kind kind;
    int least_outputs;    /* 0: any number */
    const char *kernel;   /* and its file in cl/; NULL: a loss's */
    int columns;
    /* May be NULL. Are the hits that the loss counts all it needs? */
    bool (*is_hits)(const metric_settings *s, int outputs);
    convoy_status (*check)(const metric_settings *s, int outputs, convoy_error *err);
    void (*describe)(const metric_settings *s, int outputs, text *out); /* options of the build */
    /* Of tables: numbers in it, work-items that fill it; are they floats? */
    size_t (*cells)(const metric_settings *s, int outputs);
    size_t (*items)(const metric_settings *s, int outputs);
    bool floats;
    bool whole_weights; /* can't be weighted by what is no whole number */
    /* What the sums over `images` images (weighted: the sum of their weights), or the table, come to. */
    double (*value)(const metric_settings *s, const double *sum, double images, int outputs);
} metric_row;

/* Each class has one. */
const metric_row *metric_row_find(const metric_class *class);

/* metric_tables.c: what tables come to. */
double metric_auc(const metric_settings *s, const double *table, double images, int outputs);
double metric_at(const metric_settings *s, const double *table, double images, int outputs);
double metric_f_score(const metric_settings *s, const double *table, double images, int outputs);
double metric_iou(const metric_settings *s, const double *table, double images, int outputs);
double metric_r2_score(const metric_settings *s, const double *table, double images, int outputs);

#endif
