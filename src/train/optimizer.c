#include "train/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ops/elementwise.h"

enum { MAX_SLOTS = 2 };

typedef struct optimizer_row {
    const char *name;
    double learning_rate; /* Keras's default */
    float (*rate)(const optimizer *o);
    int (*slots)(const optimizer *o);
    const char *(*kernel)(const optimizer *o);
} optimizer_row;

struct optimizer {
    convoy_context *ctx;
    const optimizer_row *row;
    double learning_rate, momentum;
    uint64_t steps;
    rt_buffer *slot[MAX_SLOTS];
    size_t floats;
};

static const float beta_1 = 0.9f, beta_2 = 0.999f;

/* In float, as Keras has it: 1 - 0.999 is not the same number in double. */
static float adam_rate(const optimizer *o)
{
    float t = (float)o->steps;
    return (float)o->learning_rate * sqrtf(1.0f - powf(beta_2, t)) / (1.0f - powf(beta_1, t));
}

static int adam_slots(const optimizer *o) { return (void)o, 2; }
static const char *adam_kernel(const optimizer *o) { return (void)o, "adam"; }
static float sgd_rate(const optimizer *o) { return (float)o->learning_rate; }
static int sgd_slots(const optimizer *o) { return o->momentum > 0.0 ? 1 : 0; }
static const char *sgd_kernel(const optimizer *o) { return o->momentum > 0.0 ? "sgd_momentum" : "sgd"; }

static const optimizer_row rows[] = {
    {"adam", 0.001, adam_rate, adam_slots, adam_kernel},
    {"sgd", 0.01, sgd_rate, sgd_slots, sgd_kernel},
};

static convoy_status find_row(const char *name, const optimizer_row **out, convoy_error *err)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0) {
            *out = &rows[i];
            return CONVOY_OK;
        }
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "optimizer '%s' is not known; known: adam, sgd", name);
}

static bool continues(const optimizer *o, const convoy_model *model)
{
    return strcmp(model->optimizer, o->row->name) == 0 && model->optimizer_slot_count == o->row->slots(o) &&
           model->optimizer_steps > 0;
}

static convoy_status create_slots(optimizer *o, const convoy_model *model, plan *p, convoy_error *err)
{
    for (int i = 0; i < o->row->slots(o); i++) {
        TRY(rt_buffer_create(o->ctx, o->floats * sizeof(float), "optimizer", &o->slot[i], err));
        TRY(rt_buffer_fill(o->slot[i], 0.0f, err));
        if (continues(o, model))
            TRY(plan_write_packed(p, o->slot[i], model->optimizer_slots[i], err));
    }
    o->steps = continues(o, model) ? model->optimizer_steps : 0;
    return CONVOY_OK;
}

convoy_status optimizer_create(convoy_context *ctx, const convoy_model *model, plan *p, const optimizer_options *options,
                               optimizer **out, convoy_error *err)
{
    const optimizer_row *row = NULL;
    TRY(find_row(options->name ? options->name : "adam", &row, err));
    if (!(options->learning_rate >= 0.0) || !(options->momentum >= 0.0 && options->momentum <= 1.0))
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "learning rate %g, momentum %g; a positive rate and a momentum of 0 to 1 are expected",
                         options->learning_rate, options->momentum);
    optimizer *o = calloc(1, sizeof *o);
    if (o == NULL)
        return OUT_OF_MEMORY(err);
    o->ctx = ctx;
    o->row = row;
    o->learning_rate = options->learning_rate > 0.0 ? options->learning_rate : row->learning_rate;
    o->momentum = options->momentum;
    o->floats = plan_trainable_floats(p);
    convoy_status status = create_slots(o, model, p, err);
    if (status != CONVOY_OK) {
        optimizer_destroy(o);
        return status;
    }
    *out = o;
    return CONVOY_OK;
}

void optimizer_destroy(optimizer *o)
{
    if (o == NULL)
        return;
    for (int i = 0; i < MAX_SLOTS; i++)
        rt_buffer_destroy(o->slot[i]);
    free(o);
}

convoy_status optimizer_add(optimizer *o, plan *p, const rt_buffer *bad, convoy_error *err)
{
    char options[256];
    if (o->floats == 0)
        return CONVOY_OK; /* nothing to train */
    snprintf(options, sizeof options,
             "-DVW=%u -DCOUNT=%zu -DMOMENTUM=%.9ef -DONE_MINUS_BETA_1=%.9ef -DONE_MINUS_BETA_2=%.9ef -DEPSILON=1e-7f",
             ops_width(o->ctx), o->floats, o->momentum, 1.0 - 0.9, 1.0 - 0.999);
    rt_launch launch = {.label = "optimizer", .source = o->row->name, .kernel = o->row->kernel(o), .options = options};
    rt_push(&launch, RT_BUFFER(plan_parameters(p)));
    rt_push(&launch, RT_BUFFER(plan_gradients(p)));
    for (int i = 0; i < o->row->slots(o); i++)
        rt_push(&launch, RT_BUFFER(o->slot[i]));
    rt_push(&launch, RT_BUFFER(bad));
    rt_push(&launch, RT_VARIABLE(RT_VAR_RATE));
    ops_range(&launch, o->ctx, 0, o->floats, ops_width(o->ctx));
    launch.bytes = 4.0 * (double)o->floats * (3 + 2 * o->row->slots(o));
    return rt_list_add(plan_list(p), &launch, err);
}

void optimizer_begin(optimizer *o, rt_list *list)
{
    o->steps++;
    rt_list_set_float(list, RT_VAR_RATE, o->row->rate(o));
}

uint64_t optimizer_steps(const optimizer *o) { return o->steps; }
size_t optimizer_bytes(const optimizer *o) { return (size_t)o->row->slots(o) * o->floats * sizeof(float); }

convoy_status optimizer_download(optimizer *o, plan *p, convoy_model *model, convoy_error *err)
{
    size_t count = model_trainable_count(model);
    int slots = o->row->slots(o);
    for (int i = 0; i < (int)(sizeof model->optimizer_slots / sizeof *model->optimizer_slots); i++) {
        free(model->optimizer_slots[i]);
        model->optimizer_slots[i] = NULL;
    }
    model->optimizer_slot_count = 0;
    for (int i = 0; i < slots; i++) {
        model->optimizer_slots[i] = calloc(count + 1, sizeof(float));
        if (model->optimizer_slots[i] == NULL)
            return OUT_OF_MEMORY(err);
        TRY(plan_read_packed(p, o->slot[i], model->optimizer_slots[i], err));
    }
    model->optimizer_slot_count = slots;
    text_copy(model->optimizer, sizeof model->optimizer, o->row->name);
    model->learning_rate = o->learning_rate;
    model->momentum = o->momentum;
    model->optimizer_steps = o->steps;
    model->compiled = true;
    return CONVOY_OK;
}
