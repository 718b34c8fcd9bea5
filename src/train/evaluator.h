/* Loss and accuracy of a model on a data set. */
#ifndef EVALUATOR_H
#define EVALUATOR_H

#include "convoy/train.h"
#include "plan/plan.h"

typedef struct evaluator evaluator;

/* Loss and metrics are those of the options, else the model's. `share`: the training plan whose weights are evaluated where they are; NULL:
 * the model's own weights are uploaded. */
convoy_status evaluator_create(convoy_context *ctx, const convoy_model *model, const convoy_dataset *data,
                               const convoy_evaluate_options *options, plan *share, evaluator **out, convoy_error *err);
void evaluator_destroy(evaluator *e);

/* One pass over the data. The options' on_progress is called. */
convoy_status evaluator_run(evaluator *e, convoy_metrics *out, convoy_error *err);

#endif
