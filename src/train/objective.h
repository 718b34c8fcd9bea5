/* What a run is judged by: the caller's loss and metrics, else those that the model was compiled with, else Convoy's standard. */
#ifndef OBJECTIVE_H
#define OBJECTIVE_H

#include "model/model.h"
#include "ops/activation.h"

typedef struct objective {
    loss_settings loss;
    metric_list metrics;
} objective;

/* `model` may be NULL, `text` and `metrics` too. Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status objective_choose(const convoy_model *model, const char *text, const char *const *metrics,
                               bool from_probabilities, objective *out, convoy_error *err);

/* Is such a loss taken on the logits behind the activation, as Keras with TensorFlow finds them? One that leaves out a class has made
 * other outputs of them, and one that makes probabilities itself knows the logits of its own activation alone. */
bool objective_takes_logits(const loss_settings *s, const activation *ending);

/* The activation that the model ends in, a sigmoid or softmax, where the loss is taken on the logits behind it: then they are what it
 * computes with, whatever its from_logits says, as in Keras with TensorFlow. NULL: it takes what the model gives. */
const activation *objective_ending(const objective *o, const convoy_model *model, bool training);

/* Can the loss compare the model's outputs with labels 0 .. classes-1? Errors: CONVOY_ERROR_MODEL. */
convoy_status objective_check(const objective *o, const convoy_model *model, int classes, convoy_error *err);

#endif
