#include "train/bench.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/options.h"
#include "data/data.h"
#include "model/model.h"
#include "runtime/peak.h"
#include "train/pace.h"

enum { LEAST_IMAGES = 1024, SEED = 1 };

/* ---- helpers ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

convoy_status bench_progress(const bench *b, const char *what, int done, int total, convoy_error *err)
{
    const convoy_bench_options *o = &b->options;
    if (o->on_progress && o->on_progress(o->user, what, done, total) != 0)
        return base_fail(err, CONVOY_ERROR_INTERRUPTED, "interrupted while measuring: %s", what);
    return CONVOY_OK;
}

static convoy_status run_batches(const bench *b, int batches, bench_play *play, void *user, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    pace p = {.ctx = b->ctx};
    for (int i = 0; i < batches && status == CONVOY_OK; i++) {
        status = play(user, (size_t)i, err);
        if (status == CONVOY_OK)
            status = pace_step(&p, err);
    }
    pace_end(&p);
    TRY(status);
    return rt_finish(b->ctx, err);
}

static convoy_status measure_rates(const bench *b, const char *what, int batches, bench_play *play, void *user,
                                   double *rates, convoy_error *err)
{
    for (int i = 0; i < b->options.repeats; i++) {
        TRY(bench_progress(b, what, i, b->options.repeats, err));
        if (i == 0)
            TRY(run_batches(b, BENCH_WARM, play, user, err));
        double start = clock_seconds();
        TRY(run_batches(b, batches, play, user, err));
        rates[i] = (double)batches * b->options.batch_size / (clock_seconds() - start);
    }
    return CONVOY_OK;
}

convoy_status bench_rate(const bench *b, const char *what, int batches, bench_play *play, void *user,
                         convoy_bench_rate *out, convoy_error *err)
{
    size_t count = (size_t)b->options.repeats;
    double *rates = malloc(count * sizeof *rates);
    if (rates == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = measure_rates(b, what, batches, play, user, rates, err);
    if (status == CONVOY_OK) {
        out->images_per_second = bench_median(rates, count);
        out->min = rates[0];
        out->max = rates[count - 1];
    }
    free(rates);
    return status;
}

/* ---- the peak ---- */

convoy_status convoy_peak_measure(convoy_context *ctx, convoy_peak *out, convoy_error *err)
{
    rt_peak peak;
    bool profiles = rt_profiles(ctx);
    TRY(rt_set_profile(ctx, false, err));
    convoy_status status = rt_peak_measure(ctx, &peak, err);
    TRY(rt_set_profile(ctx, profiles, status == CONVOY_OK ? err : NULL));
    TRY(status);
    *out = (convoy_peak){peak.flops * 1e-9, peak.bytes * 1e-9, peak.launch * 1e6};
    return CONVOY_OK;
}

/* Before and after all else, because what disturbs a measurement seldom lasts: the better one is nearer to the limit. */
static convoy_status measure_peak(const bench *b, bool again, convoy_error *err)
{
    convoy_peak now, *peak = &b->result->peak;
    TRY(bench_progress(b, again ? "the device's peak once more" : "the device's peak", 0, 1, err));
    TRY(convoy_peak_measure(b->ctx, &now, err));
    if (!again || now.gflops > peak->gflops)
        peak->gflops = now.gflops;
    if (!again || now.gbytes_per_second > peak->gbytes_per_second)
        peak->gbytes_per_second = now.gbytes_per_second;
    if (!again || now.launch_microseconds < peak->launch_microseconds)
        peak->launch_microseconds = now.launch_microseconds;
    return CONVOY_OK;
}

static void share_peak(convoy_bench_result *r)
{
    for (size_t i = 0; i < r->launch_count; i++)
        r->launches[i].peak_share = r->launches[i].gflops / r->peak.gflops;
    r->step_peak_share = r->step_gflops / r->peak.gflops;
}

/* ---- before ---- */

static convoy_status check_options(convoy_bench_options *o, convoy_error *err)
{
    if (o->batch_size < 0 || o->steps < 0 || o->repeats < 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "batch size %d, %d steps, %d repeats; at least 1 of each is expected (0: the default)",
                         o->batch_size, o->steps, o->repeats);
    o->batch_size = o->batch_size ? o->batch_size : 64;
    o->steps = o->steps ? o->steps : 30;
    o->repeats = o->repeats ? o->repeats : 5;
    return CONVOY_OK;
}

static convoy_status make_data(bench *b, convoy_error *err)
{
    char shape[96];
    const convoy_device_info *d = convoy_context_device(b->ctx);
    if (b->model->node_count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has no layers", b->model->name);
    convoy_shape in = convoy_model_input(b->model), out = convoy_model_output(b->model);
    if (in.rank != 3)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' takes %s; images are expected, (None, H, W, C)", b->model->name,
                         shape_text(&in, shape, sizeof shape));
    if (out.rank != 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' gives %s; one value a class is expected, (None, N)", b->model->name,
                         shape_text(&out, shape, sizeof shape));
    size_t batch = (size_t)b->options.batch_size, count = (LEAST_IMAGES + batch - 1) / batch * batch, bytes;
    if (__builtin_mul_overflow(count, shape_count(&in), &bytes) || bytes > d->max_allocation)
        return base_fail(err, CONVOY_ERROR_DEVICE_MEMORY,
                         "batch size %zu: %zu images of %zu bytes are needed, but %s allows %llu bytes in one piece; "
                         "use a smaller batch size",
                         batch, count, shape_count(&in), d->name, (unsigned long long)d->max_allocation);
    return dataset_random(in, out.dim[0], count, SEED, &b->data, err);
}

convoy_status bench_prepare(bench *b, convoy_error *err)
{
    TRY(check_options(&b->options, err));
    return make_data(b, err);
}

/* ---- the whole ---- */

static convoy_status measure_all(bench *b, convoy_error *err)
{
    TRY(measure_peak(b, false, err));
    TRY(bench_training(b, err));
    TRY(bench_prediction(b, err));
    TRY(measure_peak(b, true, err));
    share_peak(b->result);
    return CONVOY_OK;
}

static convoy_status run(bench *b, convoy_status (*measure)(bench *b, convoy_error *err), convoy_error *err)
{
    TRY(bench_prepare(b, err));
    b->result->batch_size = b->options.batch_size;
    b->result->steps = b->options.steps;
    b->result->repeats = b->options.repeats;
    return measure(b, err);
}

static convoy_status bench_with(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options, size_t options_size,
                                convoy_status (*measure)(bench *b, convoy_error *err), convoy_bench_result *out,
                                convoy_error *err)
{
    TAKE_OPTIONS(convoy_bench_options, own, options, options_size, err);
    bench b = {.ctx = ctx, .model = model, .options = own, .result = out};
    bool profiles = rt_profiles(ctx);
    double fuse_after = rt_fuse_after(ctx, -1);
    *out = (convoy_bench_result){0};
    convoy_status status = run(&b, measure, err);
    rt_fuse_after(ctx, fuse_after);
    convoy_status restored = rt_set_profile(ctx, profiles, status == CONVOY_OK ? err : NULL);
    status = status == CONVOY_OK ? restored : status;
    convoy_dataset_destroy(b.data);
    if (status != CONVOY_OK)
        convoy_bench_clear(out);
    return status;
}

convoy_status convoy_bench_sized(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options, size_t options_size,
                                 convoy_bench_result *out, convoy_error *err)
{
    return bench_with(ctx, model, options, options_size, measure_all, out, err);
}

convoy_status convoy_bench_training_sized(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options,
                                          size_t options_size, convoy_bench_result *out, convoy_error *err)
{
    return bench_with(ctx, model, options, options_size, bench_training, out, err);
}

void convoy_bench_clear(convoy_bench_result *result)
{
    free(result->launches);
    *result = (convoy_bench_result){0};
}
