/* What a model's outputs mean: classes, a yes or no, several of them, or numbers. */
#ifndef CONVOY_OUTPUTS_H
#define CONVOY_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "convoy/error.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum convoy_meaning {
    CONVOY_MEANS_CLASSES, /* a value for each of several classes that exclude each other */
    CONVOY_MEANS_BINARY,  /* one value, that of class 1 of two classes */
    CONVOY_MEANS_LABELS,  /* several labels, each a yes or no of its own (multi-label) */
    CONVOY_MEANS_NUMBERS  /* numbers that stand for themselves: a regression */
} convoy_meaning;

typedef struct convoy_outputs {
    convoy_meaning meaning;
    bool logits;   /* the values are logits; convoy_outputs_probabilities makes probabilities of them */
    bool squashed; /* the last activation makes probabilities of them, or their logarithms */
    bool assumed;  /* nothing says what the values mean: they are taken for what an untrained model's would be */
    size_t pixels; /* 1; of a model that gives maps (H, W, C): H x W, each of which has such values */
    int values;    /* of a pixel, or of all */
    int classes;   /* that they tell apart: 2 of CONVOY_MEANS_BINARY, else as many as values */
} convoy_outputs;

/* What the model's first output means. It follows from, in this order:
 *   - its last activation (that of an inner model too, and through layers that only reshape or are not there in prediction): softmax
 *     and log_softmax mean classes, sigmoid and hard_sigmoid a yes or no for each value;
 *   - the loss: `loss` as in convoy_fit_options, or where that is NULL the model's own. One of categories means classes, a binary
 *     crossentropy yes or no, any other numbers; its from_logits tells what values without such an activation are. Sigmoids under a
 *     loss of categories are classes; under a regression's they are numbers, unless class names say otherwise;
 *   - the class names that training stored in the model: as many as values mean classes, two of one value yes or no.
 * Where nothing tells, several values are taken for logits of classes, as convoy_fit takes them, and one for a number.
 * `from_probabilities` as in convoy_fit_options. Errors: CONVOY_ERROR_ARGUMENT (`loss`), CONVOY_ERROR_MODEL (no layers). */
convoy_status convoy_model_outputs(const convoy_model *model, const char *loss, bool from_probabilities, convoy_outputs *out,
                                   convoy_error *err);

/* `values` of a pixel to `classes` probabilities: the softmax of logits of classes, the sigmoid of logits of a yes or no; of
 * CONVOY_MEANS_BINARY those of both classes, {1 - p, p}. Probabilities and numbers stay as they are. The two must not overlap unless
 * they are the same and the meaning is not binary. */
void convoy_outputs_probabilities(const convoy_outputs *o, const float *values, float *probabilities);

/* The class that a pixel's values stand for: of several the largest value's, the first on ties; of one value 1 where its probability is
 * above 0.5 (a number: where it is itself), else 0. */
int convoy_outputs_class(const convoy_outputs *o, const float *values);

/* "classes", "binary", "labels" or "numbers" */
const char *convoy_meaning_name(convoy_meaning meaning);

#ifdef __cplusplus
}
#endif
#endif
