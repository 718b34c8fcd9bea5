#include "ops/conv2d/probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/philox.h"
#include "ops/conv2d/sample.h"

enum { X, W, BIAS, DZ, ZEROS, RESULT, DBIAS, TENSORS }; /* RESULT: y, dx or dw */

enum { SAMPLES = 320, FEWEST_SAMPLES = 48 };
#define MOST_PRODUCTS 2e8 /* of the definition, for all samples: a second or so */
#define PATTERN 65521     /* values of the random pattern that fills tensors; a prime, so that it falls in step with no stride */

struct conv_probe {
    convoy_context *ctx;
    conv_job job;
    conv_shape shape;
    conv_buffers buffers;
    char layer[128];
    rt_buffer *device[TENSORS]; /* NULL: the pass has no such tensor */
    float *host[TENSORS];       /* of those that it reads */
    size_t count[TENSORS];
    /* set up by the first comparison */
    size_t samples, *places;
    double *expected, tolerance;
    float *found, *first;       /* results; those of the first comparison that passed */
    bool has_first;
};

/* ---- data ---- */

/* What the pass reads: multiples of 1/8, biases odd multiples of 1/128, so that sums are exact and no value falls on the kink of an
 * activation by rounding; inputs of a data gradient, which are only asked for a slope, odd multiples of 1/16, on no kink either. */
static double draw(const conv_probe *p, int which, uint64_t i)
{
    double eighths = floor(philox_uniform(11, PHILOX_TEST, (uint32_t)which, i) * 17.0 - 8.0);
    if (which == BIAS)
        return (2.0 * eighths + 1.0) / 128.0;
    return eighths / 8.0 + (which == X && p->job.problem.pass == CONV_BACKWARD_DATA ? 1.0 / 16.0 : 0.0);
}

static convoy_status make(conv_probe *p, int which, size_t count, const char *what, convoy_error *err)
{
    p->count[which] = count;
    return rt_buffer_create(p->ctx, count * sizeof(float), what, &p->device[which], err);
}

static convoy_status make_read(conv_probe *p, int which, size_t count, const char *what, convoy_error *err)
{
    TRY(make(p, which, count, what, err));
    float *values = p->host[which] = malloc(count * sizeof *values);
    if (values == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < count && i < PATTERN; i++)
        values[i] = (float)draw(p, which, i);
    for (size_t i = PATTERN; i < count; i++)
        values[i] = values[i - PATTERN];
    return rt_buffer_write(p->device[which], 0, values, count * sizeof *values, err);
}

static convoy_status make_tensors(conv_probe *p, convoy_error *err)
{
    const conv_shape *s = &p->shape;
    conv_pass pass = p->job.problem.pass;
    size_t batch = (size_t)p->job.problem.batch;
    size_t inputs = conv_inputs(s) * batch, outputs = conv_outputs(s) * batch;
    TRY(make(p, ZEROS, ops_conv2d_zeros(s), "zeros", err));
    TRY(rt_buffer_fill(p->device[ZEROS], 0.0f, err));
    if (pass != CONV_BACKWARD_DATA || p->job.end.act)
        TRY(make_read(p, X, inputs, "input", err));
    if (pass != CONV_BACKWARD_FILTER)
        TRY(make_read(p, W, conv_weights(s), "kernel", err));
    if (pass != CONV_FORWARD)
        TRY(make_read(p, DZ, outputs, "gradient of the output", err));
    if (s->bias && pass == CONV_FORWARD)
        TRY(make_read(p, BIAS, (size_t)s->out, "bias", err));
    if (s->bias && pass == CONV_BACKWARD_FILTER)
        TRY(make(p, DBIAS, (size_t)s->out, "gradient of the bias", err));
    size_t results = pass == CONV_FORWARD ? outputs : pass == CONV_BACKWARD_DATA ? inputs : conv_weights(s);
    TRY(make(p, RESULT, results, "result", err));
    rt_buffer *const *d = p->device;
    p->buffers = (conv_buffers){.x = d[X], .w = d[W], .bias = d[BIAS], .dz = d[DZ], .dbias = d[DBIAS], .zeros = d[ZEROS],
                                .y = pass == CONV_FORWARD ? d[RESULT] : NULL,
                                .dx = pass == CONV_BACKWARD_DATA ? d[RESULT] : NULL,
                                .dw = pass == CONV_BACKWARD_FILTER ? d[RESULT] : NULL};
    p->job.end = (epilogue){.act = p->job.end.act, .outputs = pass == CONV_BACKWARD_DATA ? d[X] : NULL};
    return CONVOY_OK;
}

convoy_status conv_probe_create(convoy_context *ctx, const conv_job *job, conv_probe **out, convoy_error *err)
{
    conv_probe *p = calloc(1, sizeof *p);
    if (p == NULL)
        return OUT_OF_MEMORY(err);
    p->ctx = ctx;
    p->job = *job;
    p->shape = *job->problem.shape;
    p->job.problem.shape = &p->shape;
    snprintf(p->layer, sizeof p->layer, "%s", job->layer);
    p->job.layer = p->layer;
    p->job.buffers = &p->buffers;
    convoy_status status = make_tensors(p, err);
    if (status != CONVOY_OK) {
        conv_probe_destroy(p);
        return status;
    }
    *out = p;
    return CONVOY_OK;
}

void conv_probe_destroy(conv_probe *p)
{
    if (p == NULL)
        return;
    rt_settle(p->ctx);
    for (int i = 0; i < TENSORS; i++) {
        rt_buffer_destroy(p->device[i]);
        free(p->host[i]);
    }
    free(p->places);
    free(p->expected);
    free(p->found);
    free(p->first);
    free(p);
}

const conv_problem *conv_probe_problem(const conv_probe *p) { return &p->job.problem; }
rt_buffer *conv_probe_result(conv_probe *p) { return p->device[RESULT]; }

size_t conv_probe_bytes(const conv_probe *p)
{
    size_t floats = 0;
    for (int i = 0; i < TENSORS; i++)
        floats += p->count[i];
    return floats * sizeof(float);
}

/* ---- candidates ---- */

convoy_status conv_candidate_build(conv_probe *p, const conv_choice *choice, conv_candidate *out, convoy_error *err)
{
    const conv_variant *v = choice->variant;
    conv_buffers buffers = p->buffers;
    conv_job job = p->job;
    *out = (conv_candidate){.choice = *choice};
    conv_choice_text(choice, out->text, sizeof out->text);
    job.buffers = &buffers;
    job.params = out->choice.params;
    job.variant_text = out->text;
    size_t scratch = v->scratch ? v->scratch(p->ctx, &job.problem, job.params) : 0;
    if (scratch > 0)
        TRY(rt_buffer_create(p->ctx, scratch * sizeof(float), "scratch", &out->scratch, err));
    buffers.scratch = out->scratch;
    TRY(rt_list_create(p->ctx, job.problem.batch, &out->list, err));
    return v->add(out->list, p->ctx, &job, err);
}

void conv_candidate_clear(conv_candidate *c)
{
    rt_list_destroy(c->list);
    rt_buffer_destroy(c->scratch);
    *c = (conv_candidate){0};
}

convoy_status conv_candidate_time(conv_probe *p, conv_candidate *c, int plays, double *seconds, convoy_error *err)
{
    double start = clock_seconds();
    for (int i = 0; i < plays; i++)
        TRY(rt_list_play(c->list, 0, rt_list_length(c->list), err));
    TRY(rt_finish(p->ctx, err));
    *seconds = (clock_seconds() - start) / plays;
    return CONVOY_OK;
}

convoy_status conv_candidate_run(conv_probe *p, conv_candidate *c, convoy_error *err)
{
    double seconds;
    TRY(rt_list_set_batch(c->list, p->job.problem.batch, err));
    TRY(rt_buffer_fill(p->device[RESULT], NAN, err));
    if (p->device[DBIAS])
        TRY(rt_buffer_fill(p->device[DBIAS], NAN, err));
    if (c->scratch)
        TRY(rt_buffer_fill(c->scratch, NAN, err));
    return conv_candidate_time(p, c, 1, &seconds, err);
}

/* ---- comparison ---- */

/* The expected values, and room for what is found. */
static convoy_status set_up(conv_probe *p, convoy_error *err)
{
    const conv_problem *problem = &p->job.problem;
    conv_tensors t = {.x = p->host[X], .w = p->host[W], .bias = p->host[BIAS], .dz = p->host[DZ]};
    size_t results = conv_result_count(problem);
    double length = conv_sample_length(problem), most = MOST_PRODUCTS / length, largest = 1.0;
    size_t samples = most < FEWEST_SAMPLES ? FEWEST_SAMPLES : most < SAMPLES ? (size_t)most : SAMPLES;
    p->places = malloc(samples * sizeof *p->places);
    p->expected = malloc(samples * sizeof *p->expected);
    p->found = malloc(results * sizeof *p->found);
    p->first = malloc(results * sizeof *p->first);
    if (p->places == NULL || p->expected == NULL || p->found == NULL || p->first == NULL)
        return OUT_OF_MEMORY(err);
    p->samples = conv_sample_places(problem, 5, p->places, samples);
    for (size_t i = 0; i < p->samples; i++) {
        p->expected[i] = conv_sample_value(problem, p->job.end.act, &t, p->places[i]);
        largest = fmax(largest, fabs(p->expected[i]));
    }
    p->tolerance = 0x1p-23 * (32.0 + 2.0 * sqrt(length)) * largest; /* as in layers/check.c */
    return CONVOY_OK;
}

static convoy_status read_results(conv_probe *p, convoy_error *err)
{
    size_t count = p->count[RESULT];
    TRY(rt_buffer_read(p->device[RESULT], 0, p->found, count * sizeof(float), err));
    if (p->device[DBIAS])
        TRY(rt_buffer_read(p->device[DBIAS], 0, p->found + count, p->count[DBIAS] * sizeof(float), err));
    return CONVOY_OK;
}

/* Keeps the worst; says which value it was when that is too far off. */
static void judge(const conv_probe *p, size_t i, double expected, double tolerance, double *worst, char *message,
                  size_t size)
{
    double error = fabs((double)p->found[i] - expected) / tolerance;
    if (error <= *worst)
        return;
    if (!(error <= 1.0) && *worst <= 1.0 && message)
        snprintf(message, size, "value %zu of %zu is %.9g; %.9g is expected", i, conv_result_count(&p->job.problem),
                 (double)p->found[i], expected);
    *worst = isnan(error) ? INFINITY : error;
}

convoy_status conv_probe_compare(conv_probe *p, double *error, char *message, size_t size, convoy_error *err)
{
    size_t results = conv_result_count(&p->job.problem);
    if (p->expected == NULL)
        TRY(set_up(p, err));
    TRY(read_results(p, err));
    *error = 0.0;
    for (size_t i = 0; i < p->samples; i++)
        judge(p, p->places[i], p->expected[i], p->tolerance, error, message, size);
    for (size_t i = 0; i < results; i++) /* both may be off by what is tolerated */
        judge(p, i, p->has_first ? p->first[i] : isfinite(p->found[i]) ? p->found[i] : 0.0, 2.0 * p->tolerance, error,
              message, size);
    if (*error <= 1.0 && !p->has_first) {
        memcpy(p->first, p->found, results * sizeof *p->first);
        p->has_first = true;
    }
    return CONVOY_OK;
}
