/* What stands in run.json and launches.json. */
#include <limits.h>
#include <math.h>
#include <time.h>

#include "base/json.h"
#include "convoy/scale.h"
#include "convoy/version.h"
#include "model/model.h"
#include "train/optimizer.h"
#include "train/run.h"
#include "train/split.h"

/* ---- values ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(size_t n)
{
    return json_integer((json_int_t)n);
}

/* NULL is null. */
static json_t *words(const char *text)
{
    return text ? json_text(text) : json_null();
}

/* A NULL-terminated list. */
static json_t *list_of(const char *const *texts)
{
    json_t *list = json_array();
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
        json_array_append_new(list, json_text(texts[i]));
    return list;
}

/* JSON's whole numbers end here at 2^63 - 1; a larger seed is written as text. */
static json_t *seed_json(uint64_t seed)
{
    char digits[24];
    if (seed <= INT64_MAX)
        return json_integer((json_int_t)seed);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
    return json_string(digits);
}

/* "2026-11-25T09:00:00Z" */
static json_t *now(void)
{
    char out[32];
    struct tm utc;
    time_t seconds = time(NULL);
    if (gmtime_r(&seconds, &utc) == NULL || strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return json_null();
    return json_string(out);
}

/* ---- the parts ---- */

static json_t *class_names(const convoy_dataset *data)
{
    if (convoy_dataset_class_name(data, 0) == NULL)
        return json_null();
    json_t *list = json_array();
    for (int i = 0; i < convoy_dataset_classes(data); i++)
        json_array_append_new(list, json_text(convoy_dataset_class_name(data, i)));
    return list;
}

/* What pixels are divided by: nothing is said of 255, as in the runs of earlier versions. */
static void add_scale(json_t *root, const char *name, double scale)
{
    if (scale != 255)
        json_object_set_new(root, name, number(scale));
}

static json_t *data_json(const convoy_run_options *options, const convoy_model *model, const convoy_dataset *data,
                         const convoy_fit_options *fit)
{
    convoy_shape shape = convoy_dataset_shape(data);
    size_t all = convoy_dataset_count(data), held_out = 0;
    double split = fit->validation == NULL ? fit->validation_split : 0;
    if (split > 0)
        held_out = all - split_kept(data, split);
    json_t *root = json_pack("{s:o, s:o, s:f, s:o, s:o, s:o, s:[i, i, i], s:i, s:o}", "name", words(options->data), "validation",
                             words(options->validation), "validation_split", split, "images", count(all - held_out),
                             "validation_images", count(fit->validation ? convoy_dataset_count(fit->validation) : held_out),
                             "test_images", count(options->test_images), "shape", shape.dim[0], shape.dim[1], shape.dim[2],
                             "classes", convoy_dataset_classes(data), "class_names", class_names(data));
    if (convoy_dataset_prepared(data)) /* floats that are no pixels */
        json_object_set_new(root, "prepared", json_true());
    add_scale(root, "train_scale", convoy_pixels_for(model, data, fit->train_scale).scale);
    add_scale(root, "test_scale", convoy_pixels_for(model, data, options->test_scale).scale);
    return root;
}

static convoy_status fit_json(const convoy_run *run, const convoy_fit_options *fit, json_t **out, convoy_error *err)
{
    json_t *made = NULL;
    optimizer_options how = {fit->optimizer, fit->learning_rate, fit->momentum, fit->learning_rate_schedule};
    TRY(optimizer_describe(run->model, &how, &made, err));
    *out = json_pack("{s:i, s:i, s:i, s:o, s:o, s:o}", "epochs", fit->epochs ? fit->epochs : 1, "initial_epoch",
                     fit->initial_epoch, "batch_size", run->batch, "seed",
                     seed_json(fit->seed), "optimizer", made, "callbacks", list_of(fit->callbacks));
    return *out != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static json_t *device_json(const convoy_context *ctx)
{
    const convoy_device_info *d = convoy_context_device(ctx);
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I}", "name", words(d->name), "vendor", words(d->vendor), "platform",
                     words(d->platform_name), "driver_version", words(d->driver), "compute_units",
                     (json_int_t)d->compute_units, "global_memory_bytes", (json_int_t)d->global_memory);
}

convoy_status run_json_begin(convoy_run *run, const convoy_run_options *options, const convoy_dataset *data,
                             const convoy_fit_options *fit, convoy_error *err)
{
    json_t *settings = NULL;
    TRY(fit_json(run, fit, &settings, err));
    run->root = json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:{s:n, s:[], s:n, s:I}, s:n}", "convoy", CONVOY_VERSION,
                          "started", now(), "finished", false, "command", list_of(options->command), "model",
                          words(options->model), "data", data_json(options, run->model, data, fit), "fit", settings, "device",
                          device_json(run->ctx), "timings", "first_step_seconds", "epoch_seconds", "images_per_second",
                          "device_bytes", (json_int_t)convoy_context_counters(run->ctx).peak_bytes, "test");
    return run->root != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

/* ---- what changes ---- */

void run_json_first_step(convoy_run *run, double seconds)
{
    json_object_set_new(json_object_get(run->root, "timings"), "first_step_seconds", seconds > 0 ? number(seconds) : json_null());
}

void run_json_epoch(convoy_run *run, const convoy_epoch *epoch)
{
    json_t *timings = json_object_get(run->root, "timings");
    run->seconds += epoch->train.seconds;
    run->images += (double)epoch->train.images;
    run_json_first_step(run, epoch->first_step_seconds);
    json_array_append_new(json_object_get(timings, "epoch_seconds"), number(epoch->train.seconds));
    json_object_set_new(timings, "images_per_second", number(run->images / run->seconds));
    json_object_set_new(timings, "device_bytes", count(convoy_context_counters(run->ctx).peak_bytes));
}

void run_json_finish(convoy_run *run, const convoy_metrics *test)
{
    json_object_set_new(run->root, "finished", json_true());
    if (test != NULL)
        json_object_set_new(run->root, "test",
                            json_pack("{s:o, s:o}", "loss", number(test->loss), "accuracy", number(test->accuracy)));
}

/* ---- launches.json ---- */

static json_t *launch_json(const convoy_bench_launch *l)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "label", words(l->label), "kernel", words(l->kernel), "variant",
                     words(l->variant), "seconds", number(l->microseconds * 1e-6), "share", number(l->share), "gflops",
                     number(l->gflops), "gbps", number(l->gbytes_per_second));
}

json_t *run_json_launches(const convoy_bench_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->launch_count; i++)
        json_array_append_new(list, launch_json(&result->launches[i]));
    return json_pack("{s:i, s:o}", "batch", result->batch_size, "launches", list);
}
