/* Which loss a model is trained with and how, as Keras's arguments and files have it. How it computes is train's. */
#ifndef LOSS_CONFIG_H
#define LOSS_CONFIG_H

#include "words/option.h"

/* What becomes of the rows' losses: their mean, "auto" and "mean" being other names of it; their sum; nothing ("none", None), which
 * trains like the sum and is told as the mean; their sum divided by that of their weights. */
typedef enum loss_reduction {
    LOSS_SUM_OVER_BATCH_SIZE,
    LOSS_AUTO,
    LOSS_MEAN,
    LOSS_SUM,
    LOSS_NONE,
    LOSS_NULL,
    LOSS_MEAN_WITH_SAMPLE_WEIGHT,
} loss_reduction;

struct loss_settings;

typedef struct loss_class {
    const char *class_name; /* "CategoricalCrossentropy" */
    const char *name;       /* of its function, and of its kernels' file: "categorical_crossentropy" */
    const char *also;       /* other names, comma-separated: "mse,MSE"; NULL: none */
    const option *options;
    bool has_logits; /* takes logits or probabilities, as from_logits says */
    bool on_logits;  /* taken on the logits behind a last sigmoid or softmax */
    bool is_dense;   /* compares each value with one of its own, so that a single output can be compared with the label itself */
    bool of_numbers; /* a regression's: what it compares are numbers, not classes */
    bool is_binary;  /* of a single output that label is 0 or 1 */
    convoy_status (*check)(const struct loss_settings *s, convoy_error *err); /* NULL: the options' rows say all */
} loss_class;

/* Keras's arguments; a class has only some of them. */
typedef struct loss_settings {
    const loss_class *class; /* NULL: no loss */
    bool from_logits, apply_class_balancing;
    double label_smoothing, delta, gamma, alpha, beta;
    option_values alphas;    /* one for all classes, or one for each */
    option_values ignore;    /* ignore_class; count 0: None */
    option_values axes;      /* of Dice and Tversky; count 0: None, all of the batch at once */
    int axis;                /* read, but there is only one */
    int reduction;           /* a loss_reduction */
    bool has_weight;         /* compile's loss_weights, which Keras multiplies the loss by */
    double weight;
} loss_settings;

/* By class, function or short name, case ignored; NULL when unknown. */
const loss_class *loss_class_find(const char *name);
const loss_class *loss_class_at(size_t i); /* NULL past the end */

/* "mse", "Huber(delta=0.5)". Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status loss_parse(const char *text, loss_settings *out, convoy_error *err);

/* Of a class by name with the options of a config (NULL: the defaults). Errors: CONVOY_ERROR_MODEL. */
convoy_status loss_settings_read(const char *name, const json_t *config, loss_settings *out, convoy_error *err);

/* From a compile_config: a name, a serialised object, or a serialised function, also in a list or a dict of one.
 * Errors: CONVOY_ERROR_MODEL. */
convoy_status loss_from_json(const json_t *json, loss_settings *out, convoy_error *err);
/* As Keras serialises an object, without its weight; a new reference, NULL when out of memory. */
json_t *loss_to_json(const loss_settings *s);

#endif
