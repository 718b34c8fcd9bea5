#include "train/trainer.h"

#include <stdlib.h>

#include "convoy/scale.h"
#include "train/check_fit.h"
#include "train/constrain.h"
#include "train/diagnose.h"
#include "train/feed.h"
#include "train/loss.h"
#include "train/metric.h"
#include "train/optimizer.h"
#include "train/penalty.h"

struct trainer {
    convoy_context *ctx;
    convoy_model *model;
    plan *plan;
    feed *feed;
    objective objective;
    loss *loss;
    metric_set *metrics;
    sample_weights *weights; /* NULL: all images weigh 1 */
    optimizer *optimizer;
    penalty *penalty; /* NULL: no regularizers */
    size_t rows, steps; /* of an epoch */
    size_t step;        /* in the epoch: where the next step's metrics go */
    int batch;
    double scale;       /* what pixels are divided by */
    bool numbered; /* next_number counts */
    uint32_t next_number;
    size_t planned_bytes;
};

/* How many launches from the first on all steps play. */
static size_t always_played(const trainer *t)
{
    return optimizer_plays_all(t->optimizer) ? rt_list_length(plan_list(t->plan)) : optimizer_first(t->optimizer);
}

/* The launches of a step, in their order. */
static convoy_status write_step(void *user, rt_list *list, convoy_error *err)
{
    const trainer *t = user;
    loss_job job = {.how = &t->objective.loss, .outputs = convoy_model_output(t->model).dim[0],
                    .z = plan_output(t->plan),
                    .labels = feed_labels(t->feed), .dz = plan_d_output(t->plan), .weights = t->weights};
    metric_job judged = {.given = loss_given(t->loss, job.z), .labels = job.labels, .logits = job.z,
                         .ending = objective_ending(&t->objective, t->model, true)};
    TRY(feed_add(t->feed, list, plan_input(t->plan), t->scale, err));
    TRY(plan_add_forward(t->plan, err));
    TRY(penalty_add(t->penalty, err));
    TRY(loss_add(t->loss, list, &job, err));
    TRY(metric_set_add(t->metrics, list, &judged, err));
    TRY(plan_add_backward(t->plan, err));
    TRY(penalty_add_gradient(t->penalty, err));
    TRY(optimizer_add(t->optimizer, t->plan, loss_bad(t->loss), err));
    TRY(constrain_add(t->ctx, t->model, t->plan, loss_bad(t->loss), err));
    TRY(plan_add_updates(t->plan, loss_bad(t->loss), err));
    return rt_list_fuse(list, 0, always_played(t), err);
}

/* Both batch sizes of an epoch are set once here, so that no step builds a kernel. */
static convoy_status prepare_batches(trainer *t, convoy_error *err)
{
    rt_list *list = plan_list(t->plan);
    if (t->rows % (size_t)t->batch != 0)
        TRY(rt_list_set_batch(list, (int)(t->rows % (size_t)t->batch), err));
    return rt_list_set_batch(list, t->batch, err);
}

/* What becomes of the outputs. */
static convoy_status create_loss(trainer *t, const convoy_dataset *data, const convoy_fit_options *o, convoy_error *err)
{
    convoy_shape output = convoy_model_output(t->model);
    TRY(sample_weights_create(t->ctx, data, o->class_weight, o->sample_weight, &t->weights, err));
    TRY(loss_create(t->ctx, t->batch, t->steps, &t->loss, err));
    loss_set_penalty(t->loss, penalty_value(t->penalty));
    TRY(loss_set_behind(t->loss, objective_ending(&t->objective, t->model, true), &output, t->batch, err));
    return metric_set_create(t->ctx, &t->objective.metrics, t->weights, output.dim[0], t->batch, t->steps, &t->metrics, err);
}

static convoy_status setup(trainer *t, const convoy_dataset *data, const convoy_fit_options *o, convoy_error *err)
{
    TRY(objective_choose(t->model, o->loss, o->metrics, o->from_probabilities, &t->objective, err));
    TRY(check_fit(t->model, data, err));
    TRY(objective_check(&t->objective, t->model, convoy_dataset_classes(data), err));
    t->scale = convoy_pixels_for(t->model, data, o->train_scale).scale;
    t->rows = convoy_dataset_count(data);
    TRY(check_batch(o->batch_size, t->rows, &t->batch, err));
    t->steps = (t->rows + (size_t)t->batch - 1) / (size_t)t->batch;
    plan_options options = {.batch = t->batch, .training = true, .seed = o->seed,
                            .logits = objective_ending(&t->objective, t->model, true) != NULL};
    optimizer_options how = {o->optimizer, o->learning_rate, o->momentum, o->learning_rate_schedule};
    TRY(plan_create(t->ctx, t->model, &options, &t->plan, err));
    if (plan_d_output(t->plan) == NULL)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has nothing to train: no layer has trainable weights",
                         t->model->name);
    TRY(optimizer_create(t->ctx, t->model, t->plan, &how, &t->optimizer, err));
    TRY(penalty_create(t->ctx, t->model, t->plan, &t->penalty, err));
    TRY(create_loss(t, data, o, err));
    TRY(feed_create(t->ctx, data, t->batch, o->stream, &t->feed, err));
    TRY(rt_list_compile(plan_list(t->plan), write_step, t, err));
    TRY(sample_weights_arrange(t->weights, feed_order(t->feed), err));
    return prepare_batches(t, err);
}

convoy_status trainer_create(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                             const convoy_fit_options *options, trainer **out, convoy_error *err)
{
    uint64_t before = convoy_context_counters(ctx).bytes;
    trainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return OUT_OF_MEMORY(err);
    t->ctx = ctx;
    t->model = model;
    convoy_status status = setup(t, data, options, err);
    if (status != CONVOY_OK) {
        trainer_destroy(t);
        return status;
    }
    t->planned_bytes = convoy_context_counters(ctx).bytes - before;
    *out = t;
    return CONVOY_OK;
}

void trainer_destroy(trainer *t)
{
    if (t == NULL)
        return;
    rt_settle(t->ctx);
    feed_destroy(t->feed);
    loss_destroy(t->loss);
    metric_set_destroy(t->metrics);
    sample_weights_destroy(t->weights);
    optimizer_destroy(t->optimizer);
    penalty_destroy(t->penalty);
    plan_destroy(t->plan);
    free(t);
}

convoy_status trainer_begin_epoch(trainer *t, uint64_t seed, bool shuffle, convoy_error *err)
{
    t->step = 0;
    uint32_t number = t->numbered ? t->next_number++ : (uint32_t)(optimizer_steps(t->optimizer) / t->steps);
    TRY(shuffle ? feed_shuffle(t->feed, seed, number, err) : feed_unshuffle(t->feed, err));
    return sample_weights_arrange(t->weights, feed_order(t->feed), err);
}

void trainer_number_epochs(trainer *t, uint32_t next)
{
    t->numbered = true;
    t->next_number = next;
}

convoy_status trainer_begin_step(trainer *t, size_t first, int batch, convoy_error *err)
{
    rt_list *list = plan_list(t->plan);
    if (first > t->rows || (size_t)batch > t->rows - first)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "rows %zu to %zu of %zu", first, first + (size_t)batch, t->rows);
    if (t->step == t->steps)
        t->step = 0;
    TRY(rt_list_set_batch(list, batch, err));
    TRY(feed_begin(t->feed, list, first, batch, err));
    TRY(rt_list_set_int(list, RT_VAR_ROW, (int)first, err));
    TRY(rt_list_set_int(list, RT_VAR_STEP, (int)t->step, err));
    TRY(rt_list_set_int(list, RT_VAR_UPDATES, (int)optimizer_steps(t->optimizer), err));
    return optimizer_begin(t->optimizer, list, err);
}

convoy_status trainer_end_step(trainer *t, convoy_error *err)
{
    TRY(feed_end(t->feed, err));
    t->step++;
    return CONVOY_OK;
}

convoy_status trainer_step(trainer *t, size_t first, int batch, double *loss, convoy_error *err)
{
    rt_list *list = plan_list(t->plan);
    TRY(trainer_begin_step(t, first, batch, err));
    TRY(rt_list_play(list, 0, always_played(t), err));
    if (!optimizer_plays_all(t->optimizer)) {
        TRY(optimizer_play(t->optimizer, list, err));
        TRY(rt_list_play(list, optimizer_last(t->optimizer), rt_list_length(list), err));
    }
    TRY(trainer_end_step(t, err));
    return loss ? loss_read_step(t->loss, t->step - 1, batch, loss, err) : CONVOY_OK;
}

convoy_status trainer_prefetch(trainer *t, size_t first, int batch, convoy_error *err)
{
    return feed_prefetch(t->feed, first, batch, err);
}

static convoy_status fail_not_finite(trainer *t, int epoch, size_t step, convoy_error *err)
{
    char what[512];
    size_t first = step * (size_t)t->batch;
    size_t left = t->rows - first;
    int batch = left < (size_t)t->batch ? (int)left : t->batch;
    TRY(trainer_download(t, err));
    TRY(rt_list_set_batch(plan_list(t->plan), batch, err));
    TRY(feed_begin(t->feed, plan_list(t->plan), first, batch, err));
    TRY(diagnose(t->plan, t->model, batch, what, sizeof what, err));
    return base_fail(err, CONVOY_ERROR_NOT_FINITE,
                     "the loss is not finite in epoch %d, step %zu; %s. A smaller learning rate may help", epoch,
                     step + 1, what);
}

convoy_status trainer_metrics(trainer *t, int epoch, size_t steps, size_t images, convoy_metrics *out,
                              convoy_error *err)
{
    size_t bad;
    TRY(loss_read(t->loss, steps, images, out, &bad, err));
    TRY(metric_set_read(t->metrics, steps, out, err));
    return bad < steps ? fail_not_finite(t, epoch, bad, err) : CONVOY_OK;
}

convoy_status trainer_finish(trainer *t, convoy_error *err)
{
    return optimizer_finish(t->optimizer, plan_list(t->plan), err);
}

convoy_status trainer_download_weights(trainer *t, convoy_error *err)
{
    return plan_download(t->plan, t->model, err);
}

convoy_status trainer_download(trainer *t, convoy_error *err)
{
    TRY(plan_download(t->plan, t->model, err));
    return optimizer_download(t->optimizer, t->plan, t->model, err);
}

double trainer_rate(const trainer *t) { return optimizer_rate(t->optimizer); }
uint64_t trainer_steps(const trainer *t) { return optimizer_steps(t->optimizer); }

convoy_status trainer_set_rate(trainer *t, double rate, convoy_error *err)
{
    return optimizer_set_rate(t->optimizer, rate, err);
}

const objective *trainer_objective(const trainer *t) { return &t->objective; }
int trainer_batch(const trainer *t) { return t->batch; }
bool trainer_is_streamed(const trainer *t) { return feed_is_streamed(t->feed); }
plan *trainer_plan(trainer *t) { return t->plan; }
size_t trainer_planned_bytes(const trainer *t) { return t->planned_bytes; }

size_t trainer_least_bytes(const trainer *t)
{
    return plan_least_bytes(t->plan) + optimizer_bytes(t->optimizer) + feed_data_bytes(t->feed);
}
