/* How fast a device is, and how much of that a model's training step makes use of. */
#ifndef CONVOY_BENCH_H
#define CONVOY_BENCH_H

#include <stddef.h>

#include "convoy/device.h"
#include "convoy/error.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the device can do at most, measured by kernels made for that: the best of several runs. */
typedef struct convoy_peak {
    double gflops;              /* 1e9 float32 operations a second, by fma from registers: two operations each */
    double gbytes_per_second;   /* 1e9 bytes a second, read or written by the triad z = x + s * y of McCalpin's STREAM */
    double launch_microseconds; /* from one launch of an empty kernel to the next */
} convoy_peak;

/* Takes a second or two and, meanwhile, up to 400 MiB of the device's memory (a quarter of it on small devices). */
convoy_status convoy_peak_measure(convoy_context *ctx, convoy_peak *out, convoy_error *err);

typedef struct convoy_bench_options {
    int batch_size; /* images; 0: 64 */
    int steps;      /* of one repetition, and how often each launch is timed; 0: 30 */
    int repeats;    /* repetitions; 0: 5 */

    /* Called before each part of the work, `done` of `total`; return non-zero to stop (CONVOY_ERROR_INTERRUPTED).
     * May be NULL. */
    int (*on_progress)(void *user, const char *what, int done, int total);
    void *user;
} convoy_bench_options;

/* One launch of a training step. */
typedef struct convoy_bench_launch {
    char label[160];          /* "conv2d_1 forward" */
    char kernel[64];          /* "conv2d_forward_vec" */
    char variant[160];        /* what was chosen and how, "vec PIXELS=13"; empty where there is no choice */
    double microseconds;      /* on the device: the median over the steps, profiled; by the host's clock, launch and all,
                               * where the driver does not tell (a message says so) */
    double share;             /* of the sum over all launches, 0 to 1 */
    double gflops;            /* of the work as the layer defines it (2 operations a multiply-add); 0: none is counted */
    double gbytes_per_second; /* of its operands, each counted once; above the memory's speed where they are in caches */
    double peak_share;        /* gflops over the device's */
} convoy_bench_launch;

typedef struct convoy_bench_rate {
    double images_per_second; /* the median of the repetitions */
    double min, max;
} convoy_bench_rate;

typedef struct convoy_bench_result {
    int batch_size, steps, repeats;
    convoy_peak peak;

    /* A training step: gather, forward, loss, backward, optimizer (Adam), in this order. */
    convoy_bench_launch *launches;
    size_t launch_count;
    double launch_microseconds;           /* the sum of the launches */
    double step_microseconds;             /* of a whole step, by the wall clock, unprofiled; the median of the repetitions */
    double step_gflops, step_peak_share;  /* by step_microseconds */

    convoy_bench_rate training;           /* by the wall clock, unprofiled, the images being resident on the device */
    /* The same for predictions: images are gathered on the device, the forward pass runs, the outputs stay on the device.
     * A repetition has `prediction_images` of them and ends when the device has finished. */
    convoy_bench_rate prediction;
    size_t prediction_images;

    /* Device memory of training, in bytes: the most that was allocated; what the plan, the optimizer and the data hold; and
     * the least that would do: the live tensors at the fullest launch, parameters, gradients, the optimizer's slots, images
     * and labels. */
    size_t peak_bytes, planned_bytes, least_bytes;
} convoy_bench_result;

convoy_status convoy_bench_sized(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options, size_t options_size,
                                 convoy_bench_result *out, convoy_error *err);
/* Trains and runs `model` on random images of its input's shape, made in memory and the same every time. The model is not
 * changed. One that came without weights is to be initialised first: zeros are not what training computes with.
 * `options` may be NULL. Free the result with convoy_bench_clear (after a failure there is nothing to free).
 * Errors: CONVOY_ERROR_ARGUMENT, CONVOY_ERROR_MODEL (the input isn't an image, or the output isn't a row of values),
 * CONVOY_ERROR_DEVICE_MEMORY, CONVOY_ERROR_INTERRUPTED. */
static inline convoy_status convoy_bench(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options,
                                         convoy_bench_result *out, convoy_error *err)
{
    return convoy_bench_sized(ctx, model, options, sizeof *options, out, err);
}

convoy_status convoy_bench_training_sized(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options,
                                          size_t options_size, convoy_bench_result *out, convoy_error *err);
/* The same for a training step alone: no peak is measured and nothing is predicted, so that `peak`, its shares and `prediction` are
 * zero. */
static inline convoy_status convoy_bench_training(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options,
                                                  convoy_bench_result *out, convoy_error *err)
{
    return convoy_bench_training_sized(ctx, model, options, sizeof *options, out, err);
}
void convoy_bench_clear(convoy_bench_result *result);

/* A launch of a training step as it was chosen for a device. */
typedef struct convoy_bench_choice {
    char label[160], kernel[64], variant[160]; /* as convoy_bench_launch has them */
    char source[64];                           /* the file in cl/ without its ending; "clblast" for a matrix product of CLBlast's */
    char options[1024];                        /* that it is compiled with: -DNAME=VALUE ... */
    size_t global[3], local[3];                /* work-items in all and of a work-group; 0 past the last dimension, and where the driver
                                                * chooses the group */
} convoy_bench_choice;

typedef struct convoy_bench_choices {
    int batch_size;
    convoy_bench_choice *launches; /* in their order */
    size_t launch_count;
    size_t planned_bytes;          /* as convoy_bench_result has it */
} convoy_bench_choices;

convoy_status convoy_bench_plan_sized(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options,
                                      size_t options_size, convoy_bench_choices *out, convoy_error *err);
/* What convoy_bench would time, without running any of it: of the options only the batch size counts. On a context that was described as
 * another device (convoy_context_options.as) it is what would be chosen there. Free the result with convoy_bench_plan_clear. */
static inline convoy_status convoy_bench_plan(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options,
                                              convoy_bench_choices *out, convoy_error *err)
{
    return convoy_bench_plan_sized(ctx, model, options, sizeof *options, out, err);
}
void convoy_bench_plan_clear(convoy_bench_choices *choices);

#ifdef __cplusplus
}
#endif
#endif
