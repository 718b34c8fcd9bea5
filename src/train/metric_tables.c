/* What the tables of metrics come to, after keras/src/metrics: confusion_metrics.py, f_score_metrics.py, iou_metrics.py and
 * regression_metrics.py. */
#include <math.h>
#include <string.h>

#include "train/metric_rows.h"

#define EPSILON 1e-7 /* Keras's backend.epsilon() */

static double over(double a, double b) { return b != 0 ? a / b : 0.0; } /* divide_no_nan */

/* ---- curves ---- */

/* At a threshold: what is above it, and what is not. */
typedef struct point {
    double tp, fp, tn, fn;
} point;

/* Above the first threshold is what is in any bucket but the last. */
static point first_point(const double *buckets, int thresholds)
{
    point p = {.fn = buckets[2 * thresholds], .tn = buckets[2 * thresholds + 1]};
    for (int b = 0; b < thresholds; b++) {
        p.tp += buckets[2 * b];
        p.fp += buckets[2 * b + 1];
    }
    return p;
}

/* The one after threshold t. */
static point next_point(point p, const double *buckets, int t)
{
    return (point){p.tp - buckets[2 * t], p.fp - buckets[2 * t + 1], p.tn + buckets[2 * t + 1], p.fn + buckets[2 * t]};
}

static void place(int curve, const point *p, double *x, double *y)
{
    double recall = over(p->tp, p->tp + p->fn), scale = over(p->tp + p->fn, p->tn + p->fp);
    *x = curve == METRIC_ROC ? over(p->fp, p->fp + p->tn) : recall;
    *y = curve == METRIC_ROC ? recall : over(p->tp, p->tp + p->fp);
    if (curve == METRIC_PRGAIN) {
        *x = p->tp == 0 ? 0 : fmax(1 - scale * over(p->fn, p->tp), 0);
        *y = p->tp == 0 ? 1 : 1 - scale * over(p->fp, p->tp);
    }
}

/* Davis and Goadrich, 2006: between two thresholds the positives are interpolated, not the precision. */
static double precision_recall_part(const point *a, const point *b)
{
    double p = a->tp + a->fp, next = b->tp + b->fp;
    double slope = over(a->tp - b->tp, fmax(p - next, 0));
    double intercept = b->tp - slope * next;
    double ratio = p > 0 && next > 0 ? p / next : 1;
    return over(slope * (a->tp - b->tp + intercept * log(ratio)), fmax(b->tp + b->fn, 0));
}

static double area(const metric_settings *s, const double *buckets)
{
    double sum = 0, x, y, next_x, next_y;
    point b = first_point(buckets, s->num_thresholds);
    for (int t = 0; t + 1 < s->num_thresholds; t++) {
        point a = b;
        b = next_point(a, buckets, t);
        place(s->curve, &a, &x, &y);
        place(s->curve, &b, &next_x, &next_y);
        if (s->curve == METRIC_PR && s->summation == METRIC_INTERPOLATION)
            sum += precision_recall_part(&a, &b);
        else if (s->summation == METRIC_INTERPOLATION)
            sum += (x - next_x) * (y + next_y) / 2;
        else
            sum += (x - next_x) * (s->summation == METRIC_MINORING ? fmin(y, next_y) : fmax(y, next_y));
    }
    return sum;
}

double metric_auc(const metric_settings *s, const double *table, double images, int outputs)
{
    size_t each = 2 * ((size_t)s->num_thresholds + 1);
    double sum = 0, weights = 0;
    (void)images;
    for (int i = 0; i < (s->multi_label ? outputs : 1); i++) {
        double weight = s->label_weights.count > 0 ? s->label_weights.value[i] : 1;
        sum += weight * area(s, table + (size_t)i * each);
        weights += weight;
    }
    return over(sum, weights);
}

/* The best of one where the other is at least as good as asked. */
double metric_at(const metric_settings *s, const double *table, double images, int outputs)
{
    double best = 0;
    (void)images, (void)outputs;
    point p = first_point(table, s->num_thresholds);
    for (int t = 0; t < s->num_thresholds; p = next_point(p, table, t++)) {
        double recall = over(p.tp, p.tp + p.fn), precision = over(p.tp, p.tp + p.fp), specificity = over(p.tn, p.tn + p.fp);
        const char *name = s->class->name;
        double asked = strstr(name, "at_recall") || strstr(name, "at_sensitivity") ? recall
                       : strstr(name, "at_precision")                             ? precision
                                                                                  : specificity;
        double wanted = strncmp(name, "precision", 9) == 0     ? precision
                        : strncmp(name, "specificity", 11) == 0 ? specificity
                                                                : recall;
        if ((float)asked >= (float)s->at && wanted > best)
            best = wanted;
    }
    return best;
}

/* ---- F scores ---- */

static double f_score(const metric_settings *s, const double *count)
{
    double beta = s->beta > 0 ? s->beta : 1; /* F1Score has none */
    double precision = count[0] / (count[0] + count[1] + EPSILON), recall = count[0] / (count[0] + count[2] + EPSILON);
    return precision * recall / (beta * beta * precision + recall + EPSILON) * (1 + beta * beta);
}

double metric_f_score(const metric_settings *s, const double *table, double images, int outputs)
{
    double all[3] = {0}, sum = 0, weighted = 0;
    (void)images;
    for (int i = 0; i < outputs; i++) {
        const double *count = table + 3 * i;
        for (int k = 0; k < 3; k++)
            all[k] += count[k];
        sum += f_score(s, count);
        weighted += f_score(s, count) * (count[0] + count[2]);
    }
    if (s->average == METRIC_MICRO)
        return f_score(s, all);
    return s->average == METRIC_MACRO ? sum / outputs : weighted / (all[0] + all[2] + EPSILON);
}

/* ---- intersections over unions ---- */

double metric_iou(const metric_settings *s, const double *table, double images, int outputs)
{
    int classes = s->num_classes ? s->num_classes : 2, count = s->targets.count ? s->targets.count : classes;
    double sum = 0, valid = 0;
    (void)images, (void)outputs;
    for (int i = 0; i < count; i++) {
        const double *c = table + 3 * (s->targets.count ? (int)s->targets.value[i] : i);
        double both = c[1] + c[2] - c[0];
        sum += both > 0 ? c[0] / (both + EPSILON) : 0;
        valid += both > 0;
    }
    return sum / (valid + EPSILON);
}

/* ---- R2 ---- */

double metric_r2_score(const metric_settings *s, const double *table, double images, int outputs)
{
    double sum = 0, totals = 0, n = images * outputs, p = s->num_regressors;
    for (int i = 0; i < outputs; i++) {
        const double *c = table + 4 * i;
        double total = c[1] - c[0] * (c[0] / c[3]), score = 1 - c[2] / total;
        score = isinf(score) ? 0 : score;
        sum += s->aggregation == METRIC_BY_VARIANCE ? total * score : score / outputs;
        totals += total;
    }
    double score = s->aggregation == METRIC_BY_VARIANCE ? sum / totals : sum;
    return p > 0 && p < n - 1 ? 1 - (1 - score) * (n - 1) / (n - p - 1) : score;
}
