/* The training loop: epochs of steps, validation, progress. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/options.h"
#include "model/model.h"
#include "train/callback.h"
#include "train/check_fit.h"
#include "train/evaluator.h"
#include "train/metric.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/pace.h"
#include "train/record.h"
#include "train/sample_weights.h"
#include "train/split.h"
#include "train/trainer.h"

/* One run of convoy_fit. */
typedef struct fit {
    convoy_context *ctx;
    const convoy_fit_options *options;
    convoy_fit_result result;
    split split; /* of the data, when a part of it is held out */
    trainer *trainer;
    evaluator *evaluator;
    callbacks *callbacks;
    callback_run run; /* what callbacks see */
    record record;    /* what goes into the model, to go on from */
    size_t rows, steps;
    int epochs, batch;
    double start;
    pace pace; /* of all epochs: short ones share a report */
} fit;

static convoy_status check_options(const convoy_fit_options *o, convoy_error *err)
{
    callbacks *made = NULL;
    objective chosen;
    optimizer_options how = {o->optimizer, o->learning_rate, o->momentum, o->learning_rate_schedule};
    if (o->epochs < 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%d epochs; at least 1 is expected", o->epochs);
    if (o->initial_epoch < 0 || (o->initial_epoch > 0 && o->initial_epoch >= (o->epochs ? o->epochs : 1)))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "initial epoch %d of %d epochs: none is left to do; the epochs are those of the "
                         "whole run, and the initial epoch says how many of them are done", o->initial_epoch,
                         o->epochs ? o->epochs : 1);
    if (!(o->validation_split >= 0.0 && o->validation_split < 1.0))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "validation split %g; at least 0 and below 1 is expected",
                         o->validation_split);
    if (!(o->train_scale >= 0.0) || !(o->validation_scale >= 0.0) || isinf(o->train_scale) || isinf(o->validation_scale))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "pixels divided by %g and %g; positive numbers are expected",
                         o->train_scale, o->validation_scale);
    TRY(optimizer_check(&how, err));
    TRY(objective_choose(NULL, o->loss, o->metrics, o->from_probabilities, &chosen, err));
    TRY(sample_weights_check(o->class_weight, o->sample_weight, err));
    TRY(callbacks_create(o->callbacks, &made, err));
    callbacks_destroy(made);
    return CONVOY_OK;
}

convoy_status convoy_fit_check_sized(const convoy_fit_options *options, size_t options_size, convoy_error *err)
{
    TAKE_OPTIONS(convoy_fit_options, own, options, options_size, err);
    return check_options(&own, err);
}

static convoy_status setup(fit *f, convoy_model *model, const convoy_dataset *data, convoy_error *err)
{
    const convoy_fit_options *o = f->options;
    const convoy_dataset *validation = o->validation;
    convoy_fit_options of_part = *o;
    if (validation == NULL && o->validation_split > 0.0) {
        TRY(split_create(f->ctx, data, o->validation_split, o->sample_weight, &f->split, err));
        data = f->split.train;
        validation = f->split.held_out;
        of_part.sample_weight = f->split.train_weights;
    }
    TRY(callbacks_create(o->callbacks, &f->callbacks, err));
    TRY(trainer_create(f->ctx, model, data, &of_part, &f->trainer, err));
    f->rows = convoy_dataset_count(data);
    f->batch = trainer_batch(f->trainer);
    f->steps = (f->rows + (size_t)f->batch - 1) / (size_t)f->batch;
    f->epochs = o->epochs ? o->epochs : 1;
    f->result.streamed = trainer_is_streamed(f->trainer);
    f->result.planned_bytes = trainer_planned_bytes(f->trainer);
    if (validation == NULL)
        return CONVOY_OK;
    bool split = validation == f->split.held_out;
    convoy_evaluate_options options = {.batch_size = f->batch, .loss = o->loss, .metrics = o->metrics,
                                       .from_probabilities = o->from_probabilities,
                                       .scale = split ? o->train_scale : o->validation_scale, .stream = o->stream};
    if (split)
        options.sample_weight = f->split.held_out_weights;
    return evaluator_create(f->ctx, model, validation, &options, trainer_plan(f->trainer), &f->evaluator, err);
}

static int batch_at(const fit *f, size_t step)
{
    size_t left = f->rows - step * (size_t)f->batch;
    return left < (size_t)f->batch ? (int)left : f->batch;
}

/* Reads the metrics so far, which also finds a loss that is not finite, and tells whoever wants to know. */
static convoy_status report(fit *f, int epoch, size_t done, double start, convoy_error *err)
{
    convoy_progress progress = {.epoch = epoch, .epochs = f->epochs, .step = done, .steps = f->steps};
    size_t images = done * (size_t)f->batch < f->rows ? done * (size_t)f->batch : f->rows;
    TRY(trainer_metrics(f->trainer, epoch, done, images, &progress.so_far, err));
    progress.so_far.seconds = clock_seconds() - start;
    if (f->options->on_progress && f->options->on_progress(f->options->user, &progress) != 0)
        return base_fail(err, CONVOY_ERROR_INTERRUPTED, "interrupted in epoch %d, step %zu", epoch, done);
    return CONVOY_OK;
}

static convoy_status run_steps(fit *f, int epoch, double start, convoy_error *err)
{
    double interval = f->options->on_progress ? 0.05 : 0.5;
    for (size_t step = 0; step < f->steps; step++) {
        TRY(trainer_step(f->trainer, step * (size_t)f->batch, batch_at(f, step), NULL, err));
        if (f->result.first_step_seconds == 0.0) {
            TRY(rt_finish(f->ctx, err));
            f->result.first_step_seconds = clock_seconds() - f->start;
        }
        if (step + 1 < f->steps)
            TRY(trainer_prefetch(f->trainer, (step + 1) * (size_t)f->batch, batch_at(f, step + 1), err));
        TRY(pace_step(&f->pace, err));
        if (pace_report_due(&f->pace, interval))
            TRY(report(f, epoch, step + 1, start, err));
    }
    return CONVOY_OK;
}

/* TerminateOnNaN: the epoch ends here, with what its metrics are now. */
static convoy_status end_at_nan(fit *f, convoy_epoch *out, const convoy_error *found)
{
    rt_message(f->ctx, "%s; training ends", found->message);
    out->train.loss = NAN;
    metric_put(&out->train, "loss", NAN);
    f->run.stop = true;
    return CONVOY_OK;
}

static convoy_status train_epoch(fit *f, int epoch, double start, convoy_epoch *out, convoy_error *err)
{
    convoy_error own = {0};
    bool lenient = callbacks_terminate_on_nan(f->callbacks);
    TRY(trainer_begin_epoch(f->trainer, f->options->seed, !f->options->no_shuffle, err));
    convoy_status status = run_steps(f, epoch, start, lenient ? &own : err);
    pace_end(&f->pace);
    if (status == CONVOY_OK)
        status = trainer_metrics(f->trainer, epoch, f->steps, f->rows, &out->train, lenient ? &own : err);
    if (lenient && status == CONVOY_ERROR_NOT_FINITE)
        return end_at_nan(f, out, &own);
    if (lenient && status != CONVOY_OK)
        return base_fail(err, status, "%s", own.message);
    return status;
}

static convoy_status run_epoch(fit *f, int epoch, convoy_epoch *out, convoy_error *err)
{
    double start = clock_seconds();
    *out = (convoy_epoch){.epoch = epoch, .has_validation = f->evaluator != NULL};
    TRY(train_epoch(f, epoch, start, out, err));
    out->train.seconds = clock_seconds() - start;
    if (f->evaluator)
        TRY(evaluator_run(f->evaluator, &out->validation, err));
    f->run.seconds = clock_seconds() - start;
    f->run.steps = f->steps;
    out->first_step_seconds = f->result.first_step_seconds;
    out->logged_rate = trainer_rate(f->trainer);
    TRY(record_epoch(&f->record, out, err));
    TRY(callbacks_epoch_end(f->callbacks, &f->run, out, err));
    out->learning_rate = trainer_rate(f->trainer);
    out->last = f->run.stop || epoch == f->epochs;
    return CONVOY_OK;
}

static convoy_status run(fit *f, convoy_error *err)
{
    uint64_t shuffles = trainer_steps(f->trainer) / f->steps;
    TRY(record_begin(&f->run, f->callbacks, f->options->initial_epoch, shuffles, &f->record, err));
    if (f->options->initial_epoch > 0)
        trainer_number_epochs(f->trainer, (uint32_t)f->record.shuffles);
    TRY(callbacks_begin(f->callbacks, &f->run, err));
    for (int epoch = f->options->initial_epoch + 1; epoch <= f->epochs && !f->run.stop; epoch++) {
        convoy_epoch done;
        TRY(run_epoch(f, epoch, &done, err));
        if (f->options->on_epoch && f->options->on_epoch(f->options->user, &done) != 0)
            return base_fail(err, CONVOY_ERROR_INTERRUPTED, "interrupted after epoch %d", epoch);
    }
    return CONVOY_OK;
}

/* What the outputs stand for from now on. */
static convoy_status keep_class_names(convoy_model *model, const convoy_dataset *data, convoy_error *err)
{
    size_t count = (size_t)convoy_dataset_classes(data);
    if (convoy_dataset_class_name(data, 0) == NULL)
        return CONVOY_OK;
    const char **names = calloc(count, sizeof *names);
    if (names == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < count; i++)
        names[i] = convoy_dataset_class_name(data, (int)i);
    convoy_status status = convoy_model_set_class_names(model, names, count, err);
    free(names);
    return status;
}

/* An interruption keeps what was learned; so does a loss that went wrong, whose diagnosis has downloaded already. */
static convoy_status bring_back(fit *f, convoy_status status, convoy_error *err)
{
    if (status == CONVOY_OK)
        status = trainer_finish(f->trainer, err);
    if (status != CONVOY_OK && status != CONVOY_ERROR_INTERRUPTED)
        return status;
    convoy_error *told = status == CONVOY_OK ? err : NULL; /* what interrupted it is told already */
    convoy_status back = trainer_download(f->trainer, told);
    f->run.model->has_weights = true;
    if (back == CONVOY_OK && status == CONVOY_OK)
        back = callbacks_end(f->callbacks, &f->run, told);
    if (back == CONVOY_OK)
        back = record_keep(&f->record, &f->run, f->callbacks, told);
    return status == CONVOY_OK ? back : status;
}

convoy_status convoy_fit_sized(convoy_context *ctx, convoy_model *model, const convoy_dataset *data,
                               const convoy_fit_options *options, size_t options_size, convoy_fit_result *result, convoy_error *err)
{
    TAKE_OPTIONS(convoy_fit_options, own, options, options_size, err);
    fit f = {.ctx = ctx, .options = &own, .start = clock_seconds()};
    convoy_status status = check_options(f.options, err);
    f.pace = (pace){.ctx = ctx, .last_report = f.start};
    if (status == CONVOY_OK)
        status = setup(&f, model, data, err);
    if (status == CONVOY_OK && model->class_count == 0)
        status = keep_class_names(model, data, err);
    if (status == CONVOY_OK) {
        const objective *chosen = trainer_objective(f.trainer);
        model_set_objective(model, &chosen->loss, &chosen->metrics); /* checkpoints say so too */
        f.run = (callback_run){.ctx = ctx, .trainer = f.trainer, .model = model, .record = &f.record, .all = f.callbacks};
        status = bring_back(&f, run(&f, err), err);
    }
    if (result)
        *result = f.result;
    evaluator_destroy(f.evaluator);
    trainer_destroy(f.trainer);
    callbacks_destroy(f.callbacks);
    split_free(&f.split);
    record_free(&f.record);
    return status;
}
