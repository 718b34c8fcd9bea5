#include "train/evaluator.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/options.h"
#include "convoy/outputs.h"
#include "convoy/scale.h"
#include "train/check_fit.h"
#include "train/confusion.h"
#include "train/feed.h"
#include "train/loss.h"
#include "train/metric.h"
#include "train/objective.h"
#include "train/pace.h"
#include "train/penalty.h"

struct evaluator {
    convoy_context *ctx;
    const convoy_model *model;
    convoy_evaluate_options options;
    plan *plan;
    feed *feed;
    objective objective;
    loss *loss;
    metric_set *metrics;
    sample_weights *weights;     /* NULL: all images weigh 1 */
    confusion *confusion; /* NULL: not wanted */
    penalty *penalty; /* NULL: no regularizers */
    size_t rows, steps;
    int batch;
};

/* The launches of a pass, in their order. */
static convoy_status write_pass(void *user, rt_list *list, convoy_error *err)
{
    const evaluator *e = user;
    loss_job job = {.how = &e->objective.loss, .outputs = convoy_model_output(e->model).dim[0],
                    .z = plan_output(e->plan),
                    .labels = feed_labels(e->feed), .weights = e->weights};
    metric_job judged = {.given = loss_given(e->loss, job.z), .labels = job.labels, .logits = job.z,
                         .ending = objective_ending(&e->objective, e->model, false)};
    TRY(feed_add(e->feed, list, plan_input(e->plan), e->options.scale, err));
    TRY(plan_add_forward(e->plan, err));
    TRY(penalty_add(e->penalty, err));
    TRY(loss_add(e->loss, list, &job, err));
    TRY(metric_set_add(e->metrics, list, &judged, err));
    if (e->confusion)
        TRY(confusion_add(e->confusion, list, loss_given(e->loss, job.z), job.labels, err));
    return rt_list_fuse(list, 0, rt_list_length(list), err);
}

/* What becomes of the outputs. */
static convoy_status create_loss(evaluator *e, const convoy_model *model, const convoy_dataset *data, convoy_error *err)
{
    convoy_shape output = convoy_model_output(model);
    convoy_outputs meant;
    int outputs = output.dim[0];
    TRY(sample_weights_create(e->ctx, data, NULL, e->options.sample_weight, &e->weights, err));
    TRY(loss_create(e->ctx, e->batch, e->steps, &e->loss, err));
    loss_set_penalty(e->loss, penalty_value(e->penalty));
    TRY(loss_set_behind(e->loss, objective_ending(&e->objective, model, false), &output, e->batch, err));
    TRY(metric_set_create(e->ctx, &e->objective.metrics, e->weights, outputs, e->batch, e->steps, &e->metrics, err));
    if (e->options.confusion == NULL)
        return CONVOY_OK;
    TRY(convoy_model_outputs(model, e->options.loss, e->options.from_probabilities, &meant, err));
    double threshold = meant.meaning == CONVOY_MEANS_BINARY && meant.logits ? 0.0 : 0.5;
    return confusion_create(e->ctx, outputs, convoy_confusion_size(model, data), threshold, &e->confusion, err);
}

static convoy_status setup(evaluator *e, const convoy_model *model, const convoy_dataset *data, plan *share,
                           convoy_error *err)
{
    const convoy_evaluate_options *o = &e->options;
    TRY(objective_choose(model, o->loss, o->metrics, o->from_probabilities, &e->objective, err));
    TRY(check_fit(model, data, err));
    TRY(objective_check(&e->objective, model, convoy_dataset_classes(data), err));
    e->options.scale = convoy_pixels_for(model, data, o->scale).scale;
    e->rows = convoy_dataset_count(data);
    TRY(check_batch(o->batch_size, e->rows, &e->batch, err));
    e->steps = (e->rows + (size_t)e->batch - 1) / (size_t)e->batch;
    plan_options options = {.batch = e->batch, .share = share,
                            .logits = objective_ending(&e->objective, model, false) != NULL};
    TRY(plan_create(e->ctx, model, &options, &e->plan, err));
    TRY(penalty_create(e->ctx, model, e->plan, &e->penalty, err));
    TRY(create_loss(e, model, data, err));
    TRY(feed_create(e->ctx, data, e->batch, o->stream, &e->feed, err));
    TRY(sample_weights_arrange(e->weights, feed_order(e->feed), err));
    return rt_list_compile(plan_list(e->plan), write_pass, e, err);
}

convoy_status evaluator_create(convoy_context *ctx, const convoy_model *model, const convoy_dataset *data,
                               const convoy_evaluate_options *options, plan *share, evaluator **out, convoy_error *err)
{
    evaluator *e = calloc(1, sizeof *e);
    if (e == NULL)
        return OUT_OF_MEMORY(err);
    e->ctx = ctx;
    e->model = model;
    e->options = *options;
    convoy_status status = setup(e, model, data, share, err);
    if (status != CONVOY_OK) {
        evaluator_destroy(e);
        return status;
    }
    *out = e;
    return CONVOY_OK;
}

void evaluator_destroy(evaluator *e)
{
    if (e == NULL)
        return;
    rt_settle(e->ctx);
    feed_destroy(e->feed);
    loss_destroy(e->loss);
    metric_set_destroy(e->metrics);
    sample_weights_destroy(e->weights);
    confusion_destroy(e->confusion);
    penalty_destroy(e->penalty);
    plan_destroy(e->plan);
    free(e);
}

static int batch_at(const evaluator *e, size_t step)
{
    size_t left = e->rows - step * (size_t)e->batch;
    return left < (size_t)e->batch ? (int)left : e->batch;
}

static convoy_status report(evaluator *e, size_t done, double start, convoy_error *err)
{
    convoy_progress progress = {.step = done, .steps = e->steps};
    size_t bad, images = done * (size_t)e->batch < e->rows ? done * (size_t)e->batch : e->rows;
    TRY(loss_read(e->loss, done, images, &progress.so_far, &bad, err));
    TRY(metric_set_read(e->metrics, done, &progress.so_far, err));
    progress.so_far.seconds = clock_seconds() - start;
    if (e->options.on_progress(e->options.user, &progress) != 0)
        return base_fail(err, CONVOY_ERROR_INTERRUPTED, "interrupted");
    return CONVOY_OK;
}

static convoy_status run_steps(evaluator *e, pace *p, double start, convoy_error *err)
{
    rt_list *list = plan_list(e->plan);
    for (size_t step = 0; step < e->steps; step++) {
        TRY(rt_list_set_batch(list, batch_at(e, step), err));
        TRY(feed_begin(e->feed, list, step * (size_t)e->batch, batch_at(e, step), err));
        TRY(rt_list_set_int(list, RT_VAR_ROW, (int)(step * (size_t)e->batch), err));
        TRY(rt_list_set_int(list, RT_VAR_STEP, (int)step, err));
        TRY(rt_list_play(list, 0, rt_list_length(list), err));
        TRY(feed_end(e->feed, err));
        if (step + 1 < e->steps)
            TRY(feed_prefetch(e->feed, (step + 1) * (size_t)e->batch, batch_at(e, step + 1), err));
        TRY(pace_step(p, err));
        if (e->options.on_progress && pace_report_due(p, 0.05))
            TRY(report(e, step + 1, start, err));
    }
    return CONVOY_OK;
}

convoy_status evaluator_run(evaluator *e, convoy_metrics *out, convoy_error *err)
{
    double start = clock_seconds();
    size_t bad;
    pace p = {.ctx = e->ctx, .last_report = start};
    if (e->confusion)
        TRY(confusion_clear(e->confusion, err));
    rt_list_renew(plan_list(e->plan));
    convoy_status status = run_steps(e, &p, start, err);
    pace_end(&p);
    TRY(status);
    TRY(loss_read(e->loss, e->steps, e->rows, out, &bad, err));
    TRY(metric_set_read(e->metrics, e->steps, out, err));
    if (e->confusion)
        TRY(confusion_read(e->confusion, e->options.confusion, err));
    out->seconds = clock_seconds() - start;
    return CONVOY_OK;
}

int convoy_confusion_size(const convoy_model *model, const convoy_dataset *data)
{
    int outputs = convoy_model_output(model).dim[0], classes = convoy_dataset_classes(data);
    int size = outputs > classes ? outputs : classes;
    return size > 2 ? size : 2;
}

convoy_status convoy_evaluate_sized(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                                    const convoy_evaluate_options *options, size_t options_size, convoy_metrics *out,
                                    convoy_error *err)
{
    evaluator *e = NULL;
    TAKE_OPTIONS(convoy_evaluate_options, own, options, options_size, err);
    TRY(evaluator_create(ctx, model, data, &own, NULL, &e, err));
    convoy_status status = evaluator_run(e, out, err);
    evaluator_destroy(e);
    return status;
}
