/* Compares a layer's kernels with its reference, forward and backward.
 *
 * Inputs and weights are multiples of 1/8 and biases odd multiples of 1/128, so that sums are exact and no value falls on the
 * kink of an activation by rounding. Device memory is filled with NaN first: what a kernel forgets shows. */
#include "layers/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/philox.h"
#include "base/text.h"
#include "ops/activation.h"

/* What a layer with random numbers is told, on both sides. */
enum { STREAM = 5, STEP = 3 };

/* A tensor on both sides. */
typedef struct pair {
    const char *name;
    size_t count, played;  /* values in the largest batch; in the batch that is played */
    rt_buffer *buffer;
    double *reference;
} pair;

enum { P_INPUT, P_D_INPUT = P_INPUT + LAYER_MAX_INPUTS, P_OUTPUT = P_D_INPUT + LAYER_MAX_INPUTS, P_D_OUTPUT, P_PARAM,
       P_D_PARAM = P_PARAM + LAYER_MAX_PARAMS, P_SAVED = P_D_PARAM + LAYER_MAX_PARAMS, P_SCRATCH_F, P_SCRATCH_B, P_SCRATCH_A,
       P_ZEROS, P_BAD, P_ADDEND, P_RESIDUAL, P_COUNT };

typedef struct check {
    convoy_context *ctx;
    layer *layer;
    layer_needs needs;
    int max_batch, batch;
    bool fused; /* with all that neighbours may ask for: layer_io's end and d_end */
    bool training;
    unsigned passes; /* CHECK_FORWARD and so on */
    uint64_t seed;
    pair pairs[P_COUNT];
    double *scratch, *updated[LAYER_MAX_PARAMS];
    rt_list *list;
    layer_io forward, backward;
    convoy_check_row *row;
} check;

static double draw(const check *c, int which, size_t i)
{
    double u = philox_uniform(c->seed, PHILOX_TEST, (uint32_t)which, i);
    return floor(u * 17.0 - 8.0) / 8.0;
}

static convoy_status make(check *c, int which, const char *name, size_t count, size_t played, convoy_error *err)
{
    pair *p = &c->pairs[which];
    *p = (pair){.name = name, .count = count, .played = played};
    if (count == 0)
        return CONVOY_OK;
    p->reference = calloc(count, sizeof *p->reference);
    if (p->reference == NULL)
        return OUT_OF_MEMORY(err);
    TRY(rt_buffer_create(c->ctx, count * sizeof(float), name, &p->buffer, err));
    return rt_buffer_fill(p->buffer, which == P_ZEROS || which == P_BAD ? 0.0f : NAN, err);
}

/* What layers beside this one leave for it to add. */
static convoy_status make_neighbours(check *c, convoy_error *err)
{
    const layer *l = c->layer;
    size_t in = l->d_takes & EPILOGUE_ADD ? shape_count(&l->input[0]) : 0, most = (size_t)c->max_batch, batch = (size_t)c->batch;
    size_t out = l->takes & EPILOGUE_ADD ? shape_count(&l->output) : 0;
    TRY(make(c, P_ADDEND, "gradient to be added", c->fused ? in * most : 0, in * batch, err));
    return make(c, P_RESIDUAL, "residual", c->fused ? out * most : 0, out * batch, err);
}

static convoy_status make_all(check *c, convoy_error *err)
{
    const layer *l = c->layer;
    size_t out = shape_count(&l->output), most = (size_t)c->max_batch, batch = (size_t)c->batch;
    for (int k = 0; k < l->input_count; k++) {
        size_t in = shape_count(&l->input[k]);
        TRY(make(c, P_INPUT + k, "input", in * most, in * batch, err));
        TRY(make(c, P_D_INPUT + k, k == 0 ? "gradient of the input" : "gradient of a later input", in * most, in * batch,
                 err));
    }
    TRY(make(c, P_OUTPUT, "output", out * most, out * batch, err));
    TRY(make(c, P_D_OUTPUT, "gradient of the output", out * most, out * batch, err));
    for (int k = 0; k < l->param_count; k++) {
        TRY(make(c, P_PARAM + k, l->param[k].name, l->param[k].count, l->param[k].count, err));
        TRY(make(c, P_D_PARAM + k, l->param[k].name, l->param[k].count, l->param[k].count, err));
        c->updated[k] = calloc(l->param[k].count, sizeof *c->updated[k]);
        if (c->updated[k] == NULL)
            return OUT_OF_MEMORY(err);
    }
    TRY(make(c, P_SAVED, "saved", l->saved_per_image * most + l->saved_by_training, 0, err));
    c->needs = layer_find_needs(l, c->ctx, c->max_batch, NULL);
    TRY(make(c, P_SCRATCH_F, "scratch", c->needs.forward_scratch, 0, err));
    TRY(make(c, P_SCRATCH_B, "scratch", c->needs.backward_scratch, 0, err));
    TRY(make(c, P_SCRATCH_A, "scratch", c->needs.filter_scratch, 0, err));
    TRY(make(c, P_ZEROS, "zeros", l->zeros_needed, 0, err));
    TRY(make(c, P_BAD, "flag", 1, 0, err));
    TRY(make_neighbours(c, err));
    c->scratch = malloc(3 * out * most * sizeof *c->scratch);
    return c->scratch ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status send(check *c, int which, convoy_error *err)
{
    pair *p = &c->pairs[which];
    int k = which - P_PARAM;
    bool parameter = k >= 0 && k < c->layer->param_count;
    float *values = malloc((p->played + 1) * sizeof *values);
    if (values == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < p->played; i++) {
        p->reference[i] = draw(c, which, i);
        if (which == P_PARAM + 1) /* biases */
            p->reference[i] = (2.0 * floor(p->reference[i] * 8.0) + 1.0) / 128.0;
        if (parameter && c->layer->param[k].positive)
            p->reference[i] = fabs(p->reference[i]) + 0.125;
        if (parameter)
            c->updated[k][i] = p->reference[i];
        values[i] = (float)p->reference[i];
    }
    convoy_status status = rt_buffer_write(p->buffer, 0, values, p->played * sizeof *values, err);
    free(values);
    return status;
}

static layer_io io_of(check *c)
{
    const pair *p = c->pairs;
    layer_io io = {.ctx = c->ctx, .batch = c->max_batch, .training = c->training, .bad = p[P_BAD].buffer, .needs = &c->needs,
                   .seed = c->seed, .stream = STREAM, .output = p[P_OUTPUT].buffer, .saved = p[P_SAVED].buffer,
                   .scratch = p[P_SCRATCH_F].buffer, .filter_scratch = p[P_SCRATCH_A].buffer, .d_output = p[P_D_OUTPUT].buffer,
                   .zeros = p[P_ZEROS].buffer ? p[P_ZEROS].buffer : p[P_INPUT].buffer};
    for (int k = 0; k < c->layer->input_count; k++) {
        io.input[k] = p[P_INPUT + k].buffer;
        io.d_input[k] = c->passes & CHECK_D_INPUT ? p[P_D_INPUT + k].buffer : NULL;
    }
    for (int k = 0; k < c->layer->param_count; k++) {
        io.param[k] = p[P_PARAM + k].buffer;
        io.d_param[k] = c->passes & CHECK_D_PARAMS ? p[P_D_PARAM + k].buffer : NULL;
    }
    return io;
}

static bool runs_backward(const check *c) { return c->training && c->passes & ~(unsigned)CHECK_FORWARD; }

/* What backward wants of it besides the output, only the layer itself can write. */
static bool runs_forward(const check *c)
{
    return c->passes & CHECK_FORWARD || c->layer->saved_per_image + c->layer->saved_by_training > 0;
}

static convoy_status write_passes(void *user, rt_list *list, convoy_error *err)
{
    const check *c = user;
    const layer_class *class = c->layer->class;
    if (runs_forward(c))
        TRY(class->forward(c->layer, &c->forward, list, err));
    if (!runs_backward(c))
        return CONVOY_OK;
    TRY(class->backward(c->layer, &c->backward, list, err));
    return class->update ? class->update(c->layer, &c->backward, list, err) : CONVOY_OK;
}

static void set_io(check *c)
{
    layer_io *io = &c->forward, *back = &c->backward;
    *io = *back = io_of(c);
    back->scratch = c->pairs[P_SCRATCH_B].buffer;
    io->end.act = back->end.act = c->layer->activation;
    if (c->fused) {
        const activation *relu = activation_find("relu");
        back->end.act = activation_fuses(c->layer->activation) ? NULL : c->layer->activation;
        back->d_end = (epilogue){.addend = c->pairs[P_ADDEND].buffer, .act = c->layer->d_takes & EPILOGUE_SLOPE ? relu : NULL,
                                 .outputs = c->pairs[P_INPUT].buffer};
        io->end.act = c->layer->takes & EPILOGUE_ACTIVATION ? relu : io->end.act;
        io->end.addend = c->pairs[P_RESIDUAL].buffer;
    }
}

static convoy_status write_reference(check *c, int which, convoy_error *err)
{
    pair *p = &c->pairs[which];
    float *values = malloc((p->played + 1) * sizeof *values);
    if (values == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < p->played; i++)
        values[i] = (float)p->reference[i];
    convoy_status status = rt_buffer_write(p->buffer, 0, values, p->played * sizeof *values, err);
    free(values);
    return status;
}

static convoy_status play(check *c, convoy_error *err)
{
    set_io(c);
    TRY(rt_list_create(c->ctx, c->max_batch, &c->list, err));
    TRY(rt_list_compile(c->list, write_passes, c, err));
    TRY(rt_list_set_int(c->list, RT_VAR_UPDATES, STEP, err));
    TRY(rt_list_set_batch(c->list, c->batch, err));
    /* Warming up a GEMM has written results: forget them. */
    TRY(runs_forward(c) ? rt_buffer_fill(c->pairs[P_OUTPUT].buffer, NAN, err) : write_reference(c, P_OUTPUT, err));
    for (int k = 0; k < c->layer->input_count; k++)
        TRY(rt_buffer_fill(c->pairs[P_D_INPUT + k].buffer, NAN, err));
    return rt_list_play(c->list, 0, rt_list_length(c->list), err);
}

/* The reference gives dz from dy; with the slope applied already, its dy must be dz divided by the slope: instead the layer's
 * activation is taken as it is and dy is set so that both sides see the same dz. That is exact for relu, whose slope is 0 or 1,
 * when dz is 0 wherever the slope is. */
static void mask_by_output(check *c)
{
    pair *dy = &c->pairs[P_D_OUTPUT];
    for (size_t i = 0; i < dy->played; i++)
        if (c->pairs[P_OUTPUT].reference[i] <= 0.0)
            dy->reference[i] = 0.0;
}

/* What a layer does to its output for those behind it. */
static void end_output(check *c)
{
    const pair *y = &c->pairs[P_OUTPUT], *residual = &c->pairs[P_RESIDUAL];
    for (size_t i = 0; i < residual->count && i < y->played; i++)
        y->reference[i] += residual->reference[i];
    if (c->fused && (c->layer->takes & EPILOGUE_ACTIVATION))
        for (size_t i = 0; i < y->played; i++)
            y->reference[i] = fmax(y->reference[i], 0.0);
}

static void run_reference(check *c)
{
    const layer_class *class = c->layer->class;
    const pair *p = c->pairs;
    layer_reference r = {.batch = c->batch, .training = c->training, .seed = c->seed, .stream = STREAM, .step = STEP,
                         .output = p[P_OUTPUT].reference, .d_output = p[P_D_OUTPUT].reference, .scratch = c->scratch};
    for (int k = 0; k < c->layer->input_count; k++) {
        r.input[k] = p[P_INPUT + k].reference;
        r.d_input[k] = p[P_D_INPUT + k].reference;
    }
    for (int k = 0; k < c->layer->param_count; k++) {
        r.param[k] = p[P_PARAM + k].reference;
        r.d_param[k] = p[P_D_PARAM + k].reference;
        r.updated[k] = c->updated[k];
    }
    class->reference_forward(c->layer, &r);
    if (c->fused && activation_fuses(c->layer->activation))
        mask_by_output(c);
    class->reference_backward(c->layer, &r);
    end_output(c);
    for (size_t i = 0; i < p[P_ADDEND].count; i++)
        p[P_D_INPUT].reference[i] += p[P_ADDEND].reference[i];
    if (c->fused && c->layer->d_takes & EPILOGUE_SLOPE)
        for (size_t i = 0; i < p[P_D_INPUT].played; i++)
            if (p[P_INPUT].reference[i] <= 0.0)
                p[P_D_INPUT].reference[i] = 0.0;
}

/* Errors grow with the square root of a sum's length; 32 units more for what OpenCL allows exp and its kin. */
static double tolerance(const check *c, const pair *p)
{
    double largest = 1.0, length = 1.0;
    for (size_t i = 0; i < p->played; i++)
        largest = fmax(largest, fabs(p->reference[i]));
    if (c->layer->class->reduction)
        length = (double)c->layer->class->reduction(c->layer, c->batch);
    return 0x1p-23 * (32.0 + 2.0 * sqrt(length)) * largest;
}

static convoy_status compare(check *c, int which, convoy_error *err)
{
    pair *p = &c->pairs[which];
    if (p->count == 0)
        return CONVOY_OK;
    float *values = malloc(p->count * sizeof *values);
    if (values == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = rt_buffer_read(p->buffer, 0, values, p->count * sizeof *values, err);
    double tolerated = tolerance(c, p);
    for (size_t i = 0; status == CONVOY_OK && i < p->played; i++) {
        double error = fabs((double)values[i] - p->reference[i]) / tolerated;
        if (error <= c->row->error)
            continue;
        c->row->error = isnan(error) ? INFINITY : error;
        if (!(error <= 1.0) && c->row->message[0] == '\0')
            snprintf(c->row->message, sizeof c->row->message, "%s%s: value %zu of %zu is %.9g, the reference says %.9g "
                     "(batch %d of %d%s%s)", which >= P_D_PARAM ? "gradient of " : "", p->name, i, p->played,
                     (double)values[i], p->reference[i], c->batch, c->max_batch, c->fused ? ", fused" : "",
                     c->training ? "" : ", inference");
    }
    free(values);
    return status;
}

static void release(check *c)
{
    rt_settle(c->ctx);
    rt_list_destroy(c->list);
    for (int i = 0; i < P_COUNT; i++) {
        rt_buffer_destroy(c->pairs[i].buffer);
        free(c->pairs[i].reference);
    }
    for (int k = 0; k < LAYER_MAX_PARAMS; k++)
        free(c->updated[k]);
    free(c->scratch);
}

/* The gradients, and what became of the parameters. */
static convoy_status compare_training(check *c, convoy_error *err)
{
    const layer *l = c->layer;
    if (c->passes & CHECK_D_INPUT)
        TRY(compare(c, P_D_INPUT, err));
    for (int k = 0; c->passes & CHECK_D_PARAMS && k < l->param_count; k++) {
        if (l->trainable && l->param[k].trainable)
            TRY(compare(c, P_D_PARAM + k, err));
        memcpy(c->pairs[P_PARAM + k].reference, c->updated[k], l->param[k].count * sizeof *c->updated[k]);
        TRY(compare(c, P_PARAM + k, err));
    }
    return CONVOY_OK;
}

static convoy_status run(check *c, convoy_error *err)
{
    TRY(make_all(c, err));
    for (int k = 0; k < c->layer->input_count; k++)
        TRY(send(c, P_INPUT + k, err));
    TRY(send(c, P_D_OUTPUT, err));
    for (int which = P_ADDEND; which <= P_RESIDUAL; which++)
        if (c->pairs[which].count > 0)
            TRY(send(c, which, err));
    for (int k = 0; k < c->layer->param_count; k++)
        TRY(send(c, P_PARAM + k, err));
    run_reference(c);
    TRY(write_reference(c, P_D_OUTPUT, err)); /* masked: the device starts from what the reference starts from */
    TRY(play(c, err));
    if (runs_forward(c))
        TRY(compare(c, P_OUTPUT, err));
    return runs_backward(c) ? compare_training(c, err) : CONVOY_OK;
}

/* A full batch; a part of it, with the same kernels; one with what neighbours ask for; and inference where that differs. */
static const struct { int max_batch, batch; bool fused, inference; } ways[] = {
    {5, 5, false, false}, {5, 3, false, false}, {2, 1, true, false}, {3, 2, false, true}};
enum { WAYS = sizeof ways / sizeof *ways };

static bool has_way(const layer *l, size_t i)
{
    /* dz = dy only for relu and for no activation: see mask_by_output. */
    if (ways[i].fused && l->activation != NULL && l->activation != activation_find("relu"))
        return false;
    return !ways[i].inference || l->class->trains_apart;
}

static check way_of(convoy_context *ctx, layer *l, size_t i, unsigned passes, uint64_t seed, convoy_check_row *row)
{
    return (check){.ctx = ctx, .layer = l, .max_batch = ways[i].max_batch, .batch = ways[i].batch, .fused = ways[i].fused,
                   .training = !ways[i].inference, .passes = passes, .seed = seed, .row = row};
}

/* "(None, 3, 4) and (None, 1)", or "8 x (None, 4)". */
static void inputs_text(const convoy_shape *shapes, int count, char *out, size_t size)
{
    char first[64], next[64];
    bool same = count > 2;
    shape_text(&shapes[0], first, sizeof first);
    for (int k = 1; k < count; k++)
        same = same && strcmp(shape_text(&shapes[k], next, sizeof next), first) == 0;
    snprintf(next, sizeof next, "%d x ", count);
    text_copy(out, size, same ? next : "");
    for (int k = 0; k < (same ? 1 : count); k++) {
        size_t used = strlen(out);
        text_copy(out + used, size - used, k > 0 ? " and " : "");
        used = strlen(out);
        shape_text(&shapes[k], out + used, size - used);
    }
}

static convoy_status connect_sample(const layer_class *class, const layer_sample *sample, convoy_check_row *row, layer **out,
                                    convoy_error *err)
{
    json_t *config = NULL;
    convoy_shape inputs[LAYER_MAX_INPUTS];
    int count = layer_sample_inputs(class, sample, inputs);
    *row = (convoy_check_row){.layer = class->name, .options = sample->options};
    inputs_text(inputs, count, row->input, sizeof row->input);
    TRY(option_parse_text(sample->options, &config, err));
    convoy_status status = layer_create(class, config, out, err);
    json_decref(config);
    return status == CONVOY_OK ? layer_connect(*out, inputs, count, err) : status;
}

/* What check_layers is told. */
typedef struct job {
    const convoy_check_options *options;
    check_filter *wanted;
    void *user;
    rt_list *kernels; /* collects those of several samples: compiled together they take less time */
    unsigned passes;  /* wanted of this sample */
    size_t failed;
} job;

/* Notes the kernels of the layer, which then need not be compiled. */
static convoy_status note_kernels(convoy_context *ctx, layer *l, convoy_check_row *row, job *j, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t i = 0; status == CONVOY_OK && i < WAYS; i++) {
        if (!has_way(l, i))
            continue;
        check c = way_of(ctx, l, i, j->passes, j->options->seed, row);
        status = make_all(&c, err);
        set_io(&c);
        if (status == CONVOY_OK)
            status = rt_list_collect(j->kernels, write_passes, &c, err);
        release(&c);
    }
    return status;
}

static convoy_status check_layer(convoy_context *ctx, layer *l, convoy_check_row *row, job *j, convoy_error *err)
{
    const convoy_check_options *o = j->options;
    for (size_t i = 0; i < WAYS; i++) {
        if (!has_way(l, i))
            continue;
        check c = way_of(ctx, l, i, j->passes, o->seed, row);
        convoy_status status = run(&c, err);
        release(&c);
        TRY(status);
    }
    row->passed = row->error <= 1.0;
    j->failed += !row->passed;
    if (o->on_row)
        o->on_row(o->user, row);
    return CONVOY_OK;
}

typedef convoy_status sample_step(convoy_context *ctx, layer *l, convoy_check_row *row, job *j, convoy_error *err);

/* One step with a sample's layer, if that is wanted. */
static convoy_status with_sample(convoy_context *ctx, const layer_class *class, const layer_sample *sample, sample_step *step, job *j,
                                 convoy_error *err)
{
    size_t most = j->options->most_values;
    layer *l = NULL;
    convoy_check_row row;
    if (most && shape_count(&sample->input) > most)
        return CONVOY_OK;
    convoy_status status = connect_sample(class, sample, &row, &l, err);
    if (status == CONVOY_OK)
        j->passes = j->wanted ? j->wanted(j->user, ctx, l, (size_t)(sample - class->samples)) : CHECK_ALL;
    if (status == CONVOY_OK && j->passes) {
        status = step(ctx, l, &row, j, err);
        if (status != CONVOY_OK)
            base_fail_in(err, status, "%s (%s)", row.layer, row.options);
    }
    layer_destroy(l);
    return status;
}

/* Samples of a class: a few at a time, so that a joint program stays small. */
static convoy_status check_class(convoy_context *ctx, const layer_class *class, job *j, convoy_error *err)
{
    enum { TOGETHER = 16 };
    for (const layer_sample *first = class->samples; first->options;) {
        const layer_sample *s = first;
        for (; s->options && s < first + TOGETHER; s++)
            TRY(with_sample(ctx, class, s, note_kernels, j, err));
        TRY(rt_list_build(j->kernels, err));
        for (; first < s; first++)
            TRY(with_sample(ctx, class, first, check_layer, j, err));
    }
    return CONVOY_OK;
}

convoy_status check_layers(convoy_context *ctx, const convoy_check_options *options, check_filter *wanted, void *user, size_t *failed,
                           convoy_error *err)
{
    const layer_class *class;
    job j = {.options = options, .wanted = wanted, .user = user};
    if (options->layer && layer_class_find(options->layer) == NULL) {
        char known[2048];
        layer_class_names(known, sizeof known);
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "layer '%s' is not known; known: %s", options->layer, known);
    }
    TRY(rt_list_create(ctx, 1, &j.kernels, err));
    convoy_status status = CONVOY_OK;
    for (size_t i = 0; status == CONVOY_OK && (class = layer_class_at(i)) != NULL; i++)
        if (class->forward && (options->layer == NULL || strcmp(options->layer, class->name) == 0))
            status = check_class(ctx, class, &j, err);
    rt_list_destroy(j.kernels);
    *failed = j.failed;
    return status;
}

convoy_status convoy_check_sized(convoy_context *ctx, const convoy_check_options *options, size_t options_size, size_t *failed,
                                 convoy_error *err)
{
    *failed = 0;
    TAKE_OPTIONS(convoy_check_options, own, options, options_size, err);
    return check_layers(ctx, &own, NULL, NULL, failed, err);
}
