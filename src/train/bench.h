/* The parts of convoy_bench. */
#ifndef TRAIN_BENCH_H
#define TRAIN_BENCH_H

#include "convoy/bench.h"
#include "convoy/dataset.h"
#include "runtime/runtime.h"
#include "train/trainer.h"

typedef struct bench {
    convoy_context *ctx;
    convoy_model *model;
    convoy_dataset *data;           /* random; a whole number of batches */
    convoy_bench_options options;   /* no zeros left */
    convoy_bench_result *result;
} bench;

/* Fills in the options' defaults and makes the data. */
convoy_status bench_prepare(bench *b, convoy_error *err);

/* Rates, launches, step and memory of training (bench_training.c); shares of the peak come later. */
convoy_status bench_training(bench *b, convoy_error *err);
/* The launches of a step, and its flops a second once step_microseconds are known (bench_launches.c). */
convoy_status bench_launches(bench *b, trainer *t, convoy_error *err);
/* The rate of predictions (bench_prediction.c). */
convoy_status bench_prediction(bench *b, convoy_error *err);

/* Tells whoever wants to know, and asks whether to go on. */
convoy_status bench_progress(const bench *b, const char *what, int done, int total, convoy_error *err);

/* Enqueues batch `i` of the data. */
typedef convoy_status bench_play(void *user, size_t i, convoy_error *err);
/* Repetitions of `batches` batches each, timed from an idle device to an idle device. */
convoy_status bench_rate(const bench *b, const char *what, int batches, bench_play *play, void *user,
                         convoy_bench_rate *out, convoy_error *err);

/* The median; sorts the values. */
double bench_median(double *values, size_t count);

/* Batches whose times do not count: the first ones compile kernels and touch memory for the first time. */
enum { BENCH_WARM = 3 };

#endif
