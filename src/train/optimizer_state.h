/* The inside of an optimizer, for optimizer*.c only. */
#ifndef OPTIMIZER_STATE_H
#define OPTIMIZER_STATE_H

#include "train/norms.h"
#include "train/optimizer.h"
#include "train/schedule.h"

/* Launches [first, last) of the plan's list. */
typedef struct stretch {
    size_t first, last;
} stretch;

struct optimizer {
    convoy_context *ctx;
    const optimizer_class *class;
    const struct optimizer_row *row;
    bool is_models;              /* the model's own was taken, no other was named */
    optimizer_settings settings;
    optimizer_layout layout;
    schedule *schedule;          /* NULL: settings.learning_rate */
    uint64_t steps;              /* Keras's iterations: batches, also those that only accumulate */
    float scalar;
    size_t floats;
    rt_buffer *slot[OPTIMIZER_MAX_SLOTS];
    norms *norms;                /* NULL where nothing needs them */
    rt_buffer *norm, *other_norm; /* of gradients and, for lamb, of weights: one for each variable */
    stretch accumulate, update, average, overwrite;
    stretch now[3];              /* of the step that optimizer_begin began */
    int now_count;
};

enum { RATE_OF_EMA = RT_RATES - 2, RATE_OF_DECAY = RT_RATES - 1 };

/* How a class computes: its kernel, and the numbers that the host works out for each update. */
typedef struct optimizer_row {
    const char *class_name;
    const char *source, *kernel, *momentum_kernel; /* the latter where there is momentum; NULL: the same */
    int numbers;
    /* Of update `t`, from 1 on, at the rate `rate`; fills out[0 .. numbers). */
    void (*compute)(optimizer *o, uint64_t t, float rate, float *out);
    bool needs_norms;
    /* Appends the launches; NULL: one launch. */
    convoy_status (*add)(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err);
} optimizer_row;

const optimizer_row *optimizer_row_find(const optimizer_class *class);

enum { CLIP_NONE, CLIP_VARIABLE, CLIP_GLOBAL, CLIP_VALUE };
/* Which kind of clipping is in force, and its bound. */
int optimizer_clip(const optimizer_settings *s, double *bound);

/* The -D options of the optimizers' kernels. */
void optimizer_kernel_options(const optimizer *o, char *out, size_t size);
/* Pushes flag, norms, the first `numbers` numbers and the rate of the decay: what update kernels end with. */
void optimizer_push_common(const optimizer *o, rt_launch *launch, const rt_buffer *bad, int numbers);

#endif
