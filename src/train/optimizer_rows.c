/* How each class of optimizer computes: kernels in cl/, and the numbers that change from step to step. In float, as Keras
 * has it: 1 - 0.999 is not the same number in double. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/elementwise.h"
#include "train/optimizer_state.h"

/* ---- numbers of an update ---- */

static void plain(optimizer *o, uint64_t t, float rate, float *out)
{
    (void)o, (void)t;
    out[0] = rate;
}

static void adam(optimizer *o, uint64_t t, float rate, float *out)
{
    float beta_1 = (float)o->settings.beta_1, beta_2 = (float)o->settings.beta_2;
    out[0] = rate * sqrtf(1.0f - powf(beta_2, (float)t)) / (1.0f - powf(beta_1, (float)t));
}

static float nadam_momentum(const optimizer *o, uint64_t t)
{
    return (float)o->settings.beta_1 * (1.0f - 0.5f * powf(0.96f, (float)t));
}

static void nadam(optimizer *o, uint64_t t, float rate, float *out)
{
    float now = nadam_momentum(o, t), next = nadam_momentum(o, t + 1);
    o->scalar = o->scalar * (float)o->settings.beta_1 * (1.0f - 0.5f * powf(0.96f, (float)t));
    out[0] = rate;
    out[1] = next;
    out[2] = 1.0f - o->scalar * next;
    out[3] = 1.0f - now;
    out[4] = 1.0f - o->scalar;
    out[5] = 1.0f - powf((float)o->settings.beta_2, (float)t);
}

static void lamb(optimizer *o, uint64_t t, float rate, float *out)
{
    out[0] = 1.0f - powf((float)o->settings.beta_1, (float)t);
    out[1] = 1.0f - powf((float)o->settings.beta_2, (float)t);
    out[2] = rate;
}

/* ---- lamb's launches: the direction, its norms and those of the weights, the move ---- */

static convoy_status add_lamb(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err)
{
    char options[640];
    rt_list *list = plan_list(p);
    optimizer_kernel_options(o, options, sizeof options);
    rt_launch direction = {.label = "optimizer", .source = "lamb", .kernel = "lamb_direction", .options = options};
    rt_push(&direction, RT_BUFFER(plan_parameters(p)));
    rt_push(&direction, RT_BUFFER(plan_gradients(p)));
    for (int i = 0; i < 2; i++)
        rt_push(&direction, RT_BUFFER(o->slot[o->layout.slots - 2 + i]));
    optimizer_push_common(o, &direction, bad, 2);
    ops_range(&direction, o->ctx, 0, o->floats, ops_width(o->ctx));
    TRY(rt_list_add(list, &direction, err));
    TRY(norms_add(o->norms, list, plan_parameters(p), o->other_norm, false, err));
    TRY(norms_add(o->norms, list, plan_gradients(p), o->norm, false, err));
    rt_launch move = {.label = "optimizer", .source = "lamb", .kernel = "lamb_move", .options = options};
    rt_push(&move, RT_BUFFER(plan_parameters(p)));
    rt_push(&move, RT_BUFFER(plan_gradients(p)));
    rt_push(&move, RT_BUFFER(o->other_norm));
    rt_push(&move, RT_BUFFER(o->norm));
    rt_push(&move, RT_BUFFER(norms_owner(o->norms)));
    rt_push(&move, RT_BUFFER(bad));
    rt_push(&move, RT_VARIABLE(RT_VAR_RATE + 2));
    ops_range(&move, o->ctx, 0, o->floats, ops_width(o->ctx));
    return rt_list_add(list, &move, err);
}

/* ---- the table ---- */

static const optimizer_row rows[] = {
    {"Adam", "adam", "adam", NULL, 1, adam, false, NULL},
    {"AdamW", "adam", "adam", NULL, 1, adam, false, NULL},
    {"SGD", "sgd", "sgd", "sgd_momentum", 1, plain, false, NULL},
    {"RMSprop", "rmsprop", "rmsprop", NULL, 1, plain, false, NULL},
    {"Adagrad", "adagrad", "adagrad", NULL, 1, plain, false, NULL},
    {"Adadelta", "adadelta", "adadelta", NULL, 1, plain, false, NULL},
    {"Nadam", "nadam", "nadam", NULL, 6, nadam, false, NULL},
    {"Lamb", "lamb", "lamb_direction", NULL, 3, lamb, true, add_lamb},
    {"Lion", "lion", "lion", NULL, 1, plain, false, NULL},
};

const optimizer_row *optimizer_row_find(const optimizer_class *class)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].class_name, class->class_name) == 0)
            return &rows[i];
    return NULL;
}

/* ---- what the kernels are told ---- */

static bool positive(double value) { return value > 0.0; /* None is NAN */ }

int optimizer_clip(const optimizer_settings *s, double *bound)
{
    *bound = positive(s->clipnorm) ? s->clipnorm : positive(s->global_clipnorm) ? s->global_clipnorm : s->clipvalue;
    return positive(s->clipnorm)          ? CLIP_VARIABLE
           : positive(s->global_clipnorm) ? CLIP_GLOBAL
           : positive(s->clipvalue)       ? CLIP_VALUE
                                          : CLIP_NONE;
}

void optimizer_kernel_options(const optimizer *o, char *out, size_t size)
{
    const optimizer_settings *s = &o->settings;
    double bound;
    int clip = optimizer_clip(s, &bound);
    int used = snprintf(out, size,
                        "-DVW=%u -DCOUNT=%zu -DMOMENTUM=%.9ef -DHAS_MOMENTUM=%d -DNESTEROV=%d -DAMSGRAD=%d -DCENTERED=%d "
                        "-DRHO=%.9ef -DONE_MINUS_RHO=%.9ef -DBETA_1=%.9ef -DBETA_2=%.9ef -DONE_MINUS_BETA_1=%.9ef "
                        "-DONE_MINUS_BETA_2=%.9ef -DEPSILON=%.9ef",
                        ops_width(o->ctx), o->floats, s->momentum, positive(s->momentum), s->nesterov, s->amsgrad,
                        s->centered, s->rho, 1.0 - s->rho, s->beta_1, s->beta_2, 1.0 - s->beta_1, 1.0 - s->beta_2,
                        s->epsilon);
    if (clip != CLIP_NONE)
        used += snprintf(out + used, size - (size_t)used, " -DCLIP_KIND=%d -DCLIP=%.9ef", clip, bound);
    if (o->norms)
        used += snprintf(out + used, size - (size_t)used, " -DBLOCK=%zu", norms_block(o->norms));
    if (positive(s->weight_decay))
        snprintf(out + used, size - (size_t)used, " -DDECAY=1 -DWEIGHT_DECAY=%.9ef", s->weight_decay);
}

void optimizer_push_common(const optimizer *o, rt_launch *launch, const rt_buffer *bad, int numbers)
{
    double bound;
    int clip = optimizer_clip(&o->settings, &bound);
    rt_push(launch, RT_BUFFER(bad));
    if (clip == CLIP_VARIABLE || clip == CLIP_GLOBAL) {
        rt_push(launch, RT_BUFFER(o->norm));
        rt_push(launch, RT_BUFFER(norms_owner(o->norms)));
    }
    for (int i = 0; i < numbers; i++)
        rt_push(launch, RT_VARIABLE(RT_VAR_RATE + i));
    if (positive(o->settings.weight_decay))
        rt_push(launch, RT_VARIABLE(RT_VAR_RATE + RATE_OF_DECAY));
}
