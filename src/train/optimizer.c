#include "train/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "ops/elementwise.h"
#include "train/optimizer_state.h"

/* ---- settings: the caller's, else the model's own, else Keras's ---- */

static convoy_status find_class(const char *name, const optimizer_class **out, convoy_error *err)
{
    char list[256], hint[128];
    *out = optimizer_class_find(name);
    if (*out != NULL)
        return CONVOY_OK;
    optimizer_class_names(list, sizeof list);
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "optimizer '%.100s' is not known; %sknown: %s", name,
                     suggest_word(name, list, hint, sizeof hint), list);
}

const char *convoy_optimizer_name(size_t i)
{
    const optimizer_class *class = optimizer_class_at(i);
    return class ? class->name : NULL;
}

static convoy_status parse_text(optimizer *o, const char *text, convoy_error *err)
{
    char name[64];
    json_t *config = NULL;
    convoy_status status = options_parse_call("optimizer", text, name, sizeof name, &config, err);
    if (status == CONVOY_OK)
        status = find_class(name, &o->class, err);
    if (status == CONVOY_OK)
        status = optimizer_settings_read(o->class, config, &o->settings, err);
    json_decref(config);
    return option_blame_argument(status, err);
}

static bool has_option(const optimizer_class *class, const char *name)
{
    for (const option *row = class->options; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return true;
    return false;
}

static convoy_status check_options(const optimizer_options *options, convoy_error *err)
{
    if (!(options->learning_rate >= 0.0) || !(options->momentum >= 0.0 && options->momentum <= 1.0))
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "learning rate %g, momentum %g; a positive rate and a momentum of 0 to 1 are expected",
                         options->learning_rate, options->momentum);
    if (options->schedule && options->learning_rate > 0.0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "a learning rate and a schedule of it exclude each other");
    return CONVOY_OK;
}

/* `model` may be NULL. */
static convoy_status choose_settings(optimizer *o, const convoy_model *model, const optimizer_options *options,
                                     convoy_error *err)
{
    TRY(check_options(options, err));
    if (options->name == NULL && model != NULL && model->optimizer_refused[0] != '\0')
        return base_fail(err, CONVOY_ERROR_MODEL, "the optimizer of the file can't be gone on with: %s; name another one to "
                         "train with (option 'optimizer', such as adam)", model->optimizer_refused);
    if (options->name == NULL && model != NULL && optimizer_class_find(model->optimizer) != NULL) {
        o->is_models = true;
        o->class = optimizer_class_find(model->optimizer);
        o->settings = optimizer_settings_copy(&model->optimizer_settings);
    } else {
        TRY(parse_text(o, options->name ? options->name : "adam", err));
    }
    /* Before there is a model, what its optimizer will be is not known. */
    if (options->momentum > 0.0 && !has_option(o->class, "momentum") && (options->name != NULL || model != NULL))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "momentum %g: the optimizer%s is %s, which has no such option; momentum goes "
                         "with sgd and rmsprop", options->momentum,
                         options->name != NULL ? "" : model->optimizer[0] != '\0' ? " of the model" : ", as none is named,",
                         o->class->name);
    if (options->momentum > 0.0 && has_option(o->class, "momentum"))
        o->settings.momentum = options->momentum;
    if (options->learning_rate > 0.0) {
        o->settings.learning_rate = options->learning_rate;
        json_decref(o->settings.schedule);
        o->settings.schedule = NULL;
    }
    if (options->schedule)
        TRY(schedule_parse(options->schedule, &o->schedule, err));
    else if (o->settings.schedule) {
        convoy_status status = schedule_from_json(o->settings.schedule, &o->schedule, err);
        TRY(options->name ? option_blame_argument(status, err) : status);
    }
    if (o->schedule) {
        json_decref(o->settings.schedule);
        o->settings.schedule = json_incref(schedule_json(o->schedule));
    }
    o->row = optimizer_row_find(o->class);
    o->layout = optimizer_layout_of(o->class, &o->settings);
    return CONVOY_OK;
}

/* ---- life ---- */

/* The model's state is of this kind: the same class with the same slots. Some Kerases keep slots without the steps. */
static bool continues(const optimizer *o, const convoy_model *model)
{
    return optimizer_class_find(model->optimizer) == o->class && (model->optimizer_steps > 0 || o->is_models) &&
           model->optimizer_slot_count == o->layout.slots && (o->layout.slots == 0 || model->optimizer_slots[0] != NULL) &&
           optimizer_same_slots(&o->settings, &model->optimizer_settings);
}

static convoy_status create_slots(optimizer *o, const convoy_model *model, plan *p, convoy_error *err)
{
    bool goes_on = continues(o, model);
    if (o->is_models && model->optimizer_left_out[0] != '\0')
        rt_message(o->ctx, "the file's state of the optimizer is left out, %s starts afresh: %s", o->class->class_name,
                   model->optimizer_left_out);
    for (int i = 0; i < o->layout.slots; i++) {
        TRY(rt_buffer_create(o->ctx, o->floats * sizeof(float), "optimizer", &o->slot[i], err));
        TRY(rt_buffer_fill(o->slot[i], optimizer_slot_start(o->class, &o->settings, i), err));
        if (goes_on)
            TRY(plan_write_packed(p, o->slot[i], model->optimizer_slots[i], err));
    }
    o->steps = goes_on ? model->optimizer_steps : 0;
    o->scalar = goes_on ? model->optimizer_scalar : OPTIMIZER_SCALAR_START;
    return CONVOY_OK;
}

static convoy_status create_norms(optimizer *o, const plan *p, convoy_error *err)
{
    double bound;
    int clip = optimizer_clip(&o->settings, &bound);
    if (o->floats == 0 || (!o->row->needs_norms && clip != CLIP_VARIABLE && clip != CLIP_GLOBAL))
        return CONVOY_OK;
    TRY(norms_create(o->ctx, p, &o->norms, err));
    TRY(norms_create_result(o->norms, &o->norm, err));
    return o->row->needs_norms ? norms_create_result(o->norms, &o->other_norm, err) : CONVOY_OK;
}

convoy_status optimizer_create(convoy_context *ctx, const convoy_model *model, plan *p, const optimizer_options *options,
                               optimizer **out, convoy_error *err)
{
    optimizer *o = calloc(1, sizeof *o);
    if (o == NULL)
        return OUT_OF_MEMORY(err);
    o->ctx = ctx;
    o->floats = plan_trainable_floats(p);
    convoy_status status = choose_settings(o, model, options, err);
    if (status == CONVOY_OK)
        status = create_slots(o, model, p, err);
    if (status == CONVOY_OK)
        status = create_norms(o, p, err);
    if (status == CONVOY_OK)
        *out = o;
    else
        optimizer_destroy(o);
    return status;
}

void optimizer_destroy(optimizer *o)
{
    if (o == NULL)
        return;
    for (int i = 0; i < OPTIMIZER_MAX_SLOTS; i++)
        rt_buffer_destroy(o->slot[i]);
    rt_buffer_destroy(o->norm);
    rt_buffer_destroy(o->other_norm);
    norms_destroy(o->norms);
    schedule_destroy(o->schedule);
    optimizer_settings_clear(&o->settings);
    free(o);
}

convoy_status optimizer_check(const optimizer_options *options, convoy_error *err)
{
    optimizer o = {0};
    convoy_status status = choose_settings(&o, NULL, options, err);
    schedule_destroy(o.schedule);
    optimizer_settings_clear(&o.settings);
    return status;
}

convoy_status optimizer_describe(const convoy_model *model, const optimizer_options *options, json_t **out,
                                 convoy_error *err)
{
    optimizer o = {0};
    convoy_status status = choose_settings(&o, model, options, err);
    if (status == CONVOY_OK) {
        json_t *config = optimizer_settings_write(o.class, &o.settings);
        int failed = o.settings.schedule ? json_object_set(config, "learning_rate", o.settings.schedule) : 0;
        *out = json_pack("{s:s, s:o}", "class_name", o.class->class_name, "config", config);
        if (*out == NULL || failed != 0) {
            json_decref(*out);
            status = OUT_OF_MEMORY(err);
        }
    }
    schedule_destroy(o.schedule);
    optimizer_settings_clear(&o.settings);
    return status;
}

/* ---- launches ---- */

/* One launch of cl/optimizer_extra.cl over two flat buffers. */
static convoy_status add_extra(const optimizer *o, rt_list *list, const char *kernel, const rt_buffer *a,
                               const rt_buffer *b, const rt_buffer *bad, convoy_error *err)
{
    char options[96];
    snprintf(options, sizeof options, "-DVW=%u -DCOUNT=%zu -DSTEPS=%d.0f", ops_width(o->ctx), o->floats,
             o->settings.gradient_accumulation_steps);
    rt_launch launch = {.label = kernel, .source = "optimizer_extra", .kernel = kernel, .options = options};
    rt_push(&launch, RT_BUFFER(a));
    rt_push(&launch, RT_BUFFER(b));
    rt_push(&launch, RT_BUFFER(bad));
    if (strcmp(kernel, "ema") == 0)
        rt_push(&launch, RT_VARIABLE(RT_VAR_RATE + RATE_OF_EMA));
    ops_range(&launch, o->ctx, 0, o->floats, ops_width(o->ctx));
    launch.bytes = 12.0 * (double)o->floats;
    return rt_list_add(list, &launch, err);
}

static convoy_status add_plain(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err)
{
    char options[640];
    bool momentum = o->row->momentum_kernel && o->settings.momentum > 0.0;
    optimizer_kernel_options(o, options, sizeof options);
    rt_launch launch = {.label = "optimizer", .source = o->row->source,
                        .kernel = momentum ? o->row->momentum_kernel : o->row->kernel, .options = options};
    rt_push(&launch, RT_BUFFER(plan_parameters(p)));
    rt_push(&launch, RT_BUFFER(plan_gradients(p)));
    int own = (o->layout.average >= 0) + (o->layout.accumulator >= 0);
    for (int i = own; i < o->layout.slots; i++)
        rt_push(&launch, RT_BUFFER(o->slot[i]));
    optimizer_push_common(o, &launch, bad, o->row->numbers);
    ops_range(&launch, o->ctx, 0, o->floats, ops_width(o->ctx));
    launch.bytes = 4.0 * (double)o->floats * (3 + 2 * (o->layout.slots - own));
    return rt_list_add(plan_list(p), &launch, err);
}

static convoy_status add_update(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err)
{
    double bound;
    int clip = optimizer_clip(&o->settings, &bound);
    if (o->layout.accumulator >= 0)
        TRY(add_extra(o, plan_list(p), "accumulated", plan_gradients(p), o->slot[o->layout.accumulator], bad, err));
    if (clip == CLIP_VARIABLE || clip == CLIP_GLOBAL)
        TRY(norms_add(o->norms, plan_list(p), plan_gradients(p), o->norm, clip == CLIP_GLOBAL, err));
    return (o->row->add ? o->row->add : add_plain)(o, p, bad, err);
}

convoy_status optimizer_add(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err)
{
    rt_list *list = plan_list(p);
    const rt_buffer *w = plan_parameters(p);
    const rt_buffer *average = o->layout.average >= 0 ? o->slot[o->layout.average] : NULL;
    o->accumulate.first = rt_list_length(list);
    if (o->floats > 0 && o->layout.accumulator >= 0)
        TRY(add_extra(o, list, "accumulate", plan_gradients(p), o->slot[o->layout.accumulator], bad, err));
    o->accumulate.last = o->update.first = rt_list_length(list);
    if (o->floats > 0)
        TRY(add_update(o, p, bad, err));
    o->update.last = o->average.first = rt_list_length(list);
    if (o->floats > 0 && average)
        TRY(add_extra(o, list, "ema", w, average, bad, err));
    o->average.last = o->overwrite.first = rt_list_length(list);
    if (o->floats > 0 && average)
        TRY(add_extra(o, list, "ema_overwrite", w, average, bad, err));
    o->overwrite.last = rt_list_length(list);
    return CONVOY_OK;
}

size_t optimizer_first(const optimizer *o) { return o->accumulate.first; }
size_t optimizer_last(const optimizer *o) { return o->overwrite.last; }
bool optimizer_plays_all(const optimizer *o) { return o->layout.accumulator < 0 && o->layout.average < 0; }

/* ---- steps ---- */

/* The numbers of update `t`, from 1 on. */
static convoy_status set_numbers(optimizer *o, rt_list *list, uint64_t t, convoy_error *err)
{
    float numbers[RT_RATES] = {0}, rate = (float)optimizer_rate(o);
    o->row->compute(o, t, rate, numbers);
    for (int i = 0; i < o->row->numbers; i++)
        TRY(rt_list_set_float(list, RT_VAR_RATE + i, numbers[i], err));
    if (o->settings.weight_decay > 0.0)
        TRY(rt_list_set_float(list, RT_VAR_RATE + RATE_OF_DECAY, rate, err));
    return CONVOY_OK;
}

static void decide(optimizer *o, stretch s) { o->now[o->now_count++] = s; }

/* Averages move in every step, also in one that only accumulates: so it is in Keras. */
convoy_status optimizer_begin(optimizer *o, rt_list *list, convoy_error *err)
{
    const optimizer_settings *s = &o->settings;
    uint64_t every = s->gradient_accumulation_steps ? (uint64_t)s->gradient_accumulation_steps : 1;
    uint64_t updates = o->steps / every;
    bool only_accumulates = (o->steps + 1) % every != 0;
    o->now_count = 0;
    decide(o, only_accumulates ? o->accumulate : o->update);
    if (!only_accumulates)
        TRY(set_numbers(o, list, updates + 1, err));
    if (o->layout.average >= 0) {
        TRY(rt_list_set_float(list, RT_VAR_RATE + RATE_OF_EMA, updates > 0 ? (float)s->ema_momentum : 0.0f, err));
        decide(o, o->average);
        if (s->ema_overwrite_frequency && (updates + 1) % (uint64_t)s->ema_overwrite_frequency == 0)
            decide(o, o->overwrite);
    }
    o->steps++;
    return CONVOY_OK;
}

convoy_status optimizer_play(const optimizer *o, rt_list *list, convoy_error *err)
{
    for (int i = 0; i < o->now_count; i++)
        TRY(rt_list_play(list, o->now[i].first, o->now[i].last, err));
    return CONVOY_OK;
}

convoy_status optimizer_finish(const optimizer *o, rt_list *list, convoy_error *err)
{
    return o->steps > 0 ? rt_list_play(list, o->overwrite.first, o->overwrite.last, err) : CONVOY_OK;
}

uint64_t optimizer_steps(const optimizer *o) { return o->steps; }
size_t optimizer_bytes(const optimizer *o) { return (size_t)o->layout.slots * o->floats * sizeof(float); }

double optimizer_rate(const optimizer *o)
{
    return o->schedule ? schedule_rate(o->schedule, o->steps) : (float)o->settings.learning_rate;
}

convoy_status optimizer_set_rate(optimizer *o, double rate, convoy_error *err)
{
    if (o->schedule)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "a schedule decides on the learning rate; it can't be set");
    o->settings.learning_rate = (float)rate; /* Keras keeps it so */
    return CONVOY_OK;
}

/* ---- back to the model ---- */

static convoy_status download_slots(optimizer *o, plan *p, convoy_model *model, convoy_error *err)
{
    size_t count = model_trainable_count(model);
    for (int i = 0; i < OPTIMIZER_MAX_SLOTS; i++) {
        free(model->optimizer_slots[i]);
        model->optimizer_slots[i] = NULL;
    }
    model->optimizer_slot_count = 0;
    for (int i = 0; i < o->layout.slots; i++) {
        model->optimizer_slots[i] = calloc(count + 1, sizeof(float));
        if (model->optimizer_slots[i] == NULL)
            return OUT_OF_MEMORY(err);
        TRY(plan_read_packed(p, o->slot[i], model->optimizer_slots[i], err));
    }
    model->optimizer_slot_count = o->layout.slots;
    return CONVOY_OK;
}

convoy_status optimizer_download(optimizer *o, plan *p, convoy_model *model, convoy_error *err)
{
    TRY(download_slots(o, p, model, err));
    text_copy(model->optimizer, sizeof model->optimizer, o->class->name);
    model->optimizer_refused[0] = '\0';
    model->optimizer_left_out[0] = '\0';
    model_drop_kept(model, "optimizer");
    optimizer_settings_clear(&model->optimizer_settings);
    model->optimizer_settings = optimizer_settings_copy(&o->settings);
    if (o->schedule)
        model->optimizer_settings.learning_rate = optimizer_rate(o);
    model->optimizer_steps = o->steps;
    model->optimizer_scalar = o->scalar;
    model->compiled = true;
    return CONVOY_OK;
}
