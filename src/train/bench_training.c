/* What bench measures of training: whole steps, device memory. */
#include <math.h>

#include "train/bench.h"

typedef struct training {
    bench *b;
    trainer *trainer;
    size_t batches; /* in the data */
} training;

static convoy_status play(void *user, size_t i, convoy_error *err)
{
    training *t = user;
    size_t batch = (size_t)t->b->options.batch_size;
    return trainer_step(t->trainer, i % t->batches * batch, (int)batch, NULL, err);
}

/* Once a loss is not finite the optimizer does nothing, in no time. */
static convoy_status check_loss(training *t, convoy_error *err)
{
    double loss;
    TRY(trainer_step(t->trainer, 0, t->b->options.batch_size, &loss, err));
    if (!isfinite(loss))
        rt_message(t->b->ctx, "the loss became %g on random images: the optimizer's time is not that of training", loss);
    return CONVOY_OK;
}

static convoy_status measure(training *t, convoy_error *err)
{
    bench *b = t->b;
    convoy_bench_result *r = b->result;
    convoy_fit_options options = {.batch_size = b->options.batch_size};
    convoy_counters before = convoy_context_counters(b->ctx);
    rt_set_peak_bytes(b->ctx, 0);
    TRY(bench_progress(b, "building the training step", 0, 1, err));
    TRY(trainer_create(b->ctx, b->model, b->data, &options, &t->trainer, err));
    if (trainer_is_streamed(t->trainer))
        return base_fail(err, CONVOY_ERROR_DEVICE_MEMORY,
                         "the images do not fit the device beside the model; use a smaller batch size");
    TRY(trainer_begin_epoch(t->trainer, 1, true, err));
    TRY(bench_rate(b, "training", b->options.steps, play, t, &r->training, err));
    r->step_microseconds = b->options.batch_size / r->training.images_per_second * 1e6;
    TRY(bench_launches(b, t->trainer, err));
    TRY(check_loss(t, err));
    uint64_t most = convoy_context_counters(b->ctx).peak_bytes;
    rt_set_peak_bytes(b->ctx, most > before.peak_bytes ? most : before.peak_bytes);
    r->peak_bytes = (size_t)(most - before.bytes);
    r->planned_bytes = trainer_planned_bytes(t->trainer);
    r->least_bytes = trainer_least_bytes(t->trainer);
    return CONVOY_OK;
}

convoy_status bench_training(bench *b, convoy_error *err)
{
    training t = {.b = b, .batches = convoy_dataset_count(b->data) / (size_t)b->options.batch_size};
    TRY(rt_set_profile(b->ctx, false, err));
    convoy_status status = measure(&t, err);
    trainer_destroy(t.trainer);
    return status;
}
