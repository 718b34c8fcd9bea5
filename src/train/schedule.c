#include "train/schedule.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "words/option.h"

/* The options of all schedules; a row has only some of them. */
typedef struct schedule_options {
    double initial, steps, decay_rate, end, power, alpha, warmup_target, warmup_steps, t_mul, m_mul;
    double max_rate, pct_start, div_factor, final_div_factor;
    bool staircase, cycle;
    int anneal;
    option_floats boundaries, values;
} schedule_options;

typedef struct schedule_row {
    const char *name, *module;
    const option *options;
    float (*rate)(const schedule_options *o, float step);
    convoy_status (*check)(const schedule_options *o, convoy_error *err); /* may be NULL */
} schedule_row;

struct schedule {
    const schedule_row *row;
    schedule_options options;
    json_t *json;
};

static const float pi = 3.14159265358979323846f;

/* ---- the rates; all in float, where Python's own numbers are rounded to it in the same places ---- */

static float progress_of(const schedule_options *o, float step)
{
    float p = step / (float)o->steps;
    return o->staircase ? floorf(p) : p;
}

static float exponential(const schedule_options *o, float step)
{
    return (float)o->initial * powf((float)o->decay_rate, progress_of(o, step));
}

static float inverse_time(const schedule_options *o, float step)
{
    return (float)o->initial / (1.0f + (float)o->decay_rate * progress_of(o, step));
}

static float piecewise(const schedule_options *o, float step)
{
    int i = 0;
    while (i < o->boundaries.count && step > (float)trunc(o->boundaries.value[i]))
        i++;
    return (float)o->values.value[i];
}

static float polynomial(const schedule_options *o, float step)
{
    float steps = (float)o->steps, end = (float)o->end;
    if (o->cycle)
        steps *= step == 0.0f ? 1.0f : ceilf(step / (float)o->steps);
    else
        step = fminf(step, steps);
    return ((float)o->initial - end) * powf(1.0f - step / steps, (float)o->power) + end;
}

static float cosine_from(const schedule_options *o, float step, float from)
{
    float cosine = 0.5f * (1.0f + cosf(pi * (step / (float)o->steps)));
    return from * ((float)(1.0 - o->alpha) * cosine + (float)o->alpha);
}

static float cosine(const schedule_options *o, float step)
{
    float warmup = (float)o->warmup_steps, initial = (float)o->initial;
    if (isnan(o->warmup_target))
        return cosine_from(o, fminf(step, (float)o->steps), initial);
    step = fminf(step, (float)o->steps + warmup);
    if (step < warmup)
        return ((float)o->warmup_target - initial) * (step / warmup) + initial;
    return cosine_from(o, step - warmup, (float)o->warmup_target);
}

static float cosine_restarts(const schedule_options *o, float step)
{
    float done = step / (float)o->steps, t = (float)o->t_mul, alpha = (float)o->alpha, restart;
    if (t == 1.0f) {
        restart = floorf(done);
        done -= restart;
    } else {
        restart = floorf(logf(1.0f - done * (1.0f - t)) / logf(t));
        float before = (1.0f - powf(t, restart)) / (1.0f - t);
        done = (done - before) / powf(t, restart);
    }
    float cosine = 0.5f * powf((float)o->m_mul, restart) * (1.0f + cosf(pi * done));
    return (float)o->initial * ((1.0f - alpha) * cosine + alpha);
}

/* Smith and Topin, "Super-Convergence" (2017), in the form that PyTorch's OneCycleLR gave it: from max/div_factor up to max
 * during the first pct_start of total_steps, then down to max/div_factor/final_div_factor at the last step. */
static float one_cycle(const schedule_options *o, float step)
{
    double top = o->max_rate, first = top / o->div_factor, last = first / o->final_div_factor;
    double up = o->pct_start * o->steps - 1.0, end = o->steps - 1.0;
    bool rising = (double)step <= up;
    double from = rising ? first : top, to = rising ? top : last;
    double done = rising ? (up > 0 ? step / up : 1.0) : (end > up ? (step - up) / (end - up) : 1.0);
    done = fmin(done, 1.0);
    if (o->anneal == 1)
        return (float)(from + (to - from) * done);
    return (float)(to + (from - to) / 2.0 * (1.0 + cos(3.14159265358979323846 * done)));
}

/* ---- the table ---- */

static convoy_status check_piecewise(const schedule_options *o, convoy_error *err)
{
    if (o->values.count != o->boundaries.count + 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "%d boundaries and %d values; there must be one value more than "
                         "boundaries", o->boundaries.count, o->values.count);
    for (int i = 1; i < o->boundaries.count; i++)
        if (o->boundaries.value[i] < o->boundaries.value[i - 1])
            return base_fail(err, CONVOY_ERROR_MODEL, "boundaries: %g comes after %g; they must ascend",
                             o->boundaries.value[i], o->boundaries.value[i - 1]);
    return CONVOY_OK;
}

#define ROW(n, k, member, ...) {.name = n, .kind = k, .offset = offsetof(schedule_options, member), ##__VA_ARGS__}
#define NUMBER(n, member, value, ...) ROW(n, OPTION_FLOAT, member, .standard = value, ##__VA_ARGS__)
#define NAME(value) {.name = "name", .kind = OPTION_IGNORED, .standard = value}
#define INITIAL NUMBER("initial_learning_rate", initial, NULL, .most = 3.4e38)
#define STEPS(n) NUMBER(n, steps, NULL, .least = 1e-9, .most = 1e18)
#define RATE NUMBER("decay_rate", decay_rate, NULL)
#define STAIRCASE ROW("staircase", OPTION_BOOL, staircase, .standard = "false")
#define ALPHA NUMBER("alpha", alpha, "0.0")

static const char *const anneals[] = {"cos", "linear", NULL};

static const option exponential_options[] = {
    INITIAL, STEPS("decay_steps"), RATE, STAIRCASE, NAME("\"ExponentialDecay\""), {0}};
static const option inverse_options[] = {
    INITIAL, STEPS("decay_steps"), RATE, STAIRCASE, NAME("\"InverseTimeDecay\""), {0}};
static const option piecewise_options[] = {ROW("boundaries", OPTION_FLOATS, boundaries),
                                           ROW("values", OPTION_FLOATS, values),
                                           NAME("\"PiecewiseConstant\""),
                                           {0}};
static const option polynomial_options[] = {INITIAL,
                                            STEPS("decay_steps"),
                                            NUMBER("end_learning_rate", end, "0.0001", .most = 3.4e38),
                                            NUMBER("power", power, "1.0"),
                                            ROW("cycle", OPTION_BOOL, cycle, .standard = "false"),
                                            NAME("\"PolynomialDecay\""),
                                            {0}};
static const option cosine_options[] = {
    INITIAL,
    STEPS("decay_steps"),
    ALPHA,
    NAME("\"CosineDecay\""),
    ROW("warmup_target", OPTION_OPTIONAL_FLOAT, warmup_target, .standard = "null", .most = 3.4e38),
    NUMBER("warmup_steps", warmup_steps, "0", .most = 1e18),
    {0}};
static const option restarts_options[] = {INITIAL,
                                          STEPS("first_decay_steps"),
                                          NUMBER("t_mul", t_mul, "2.0", .least = 1e-9, .most = 1e9),
                                          NUMBER("m_mul", m_mul, "1.0", .most = 1e9),
                                          ALPHA,
                                          NAME("\"SGDRDecay\""),
                                          {0}};
static const option one_cycle_options[] = {
    NUMBER("max_learning_rate", max_rate, NULL, .most = 3.4e38),
    NUMBER("total_steps", steps, NULL, .least = 2, .most = 1e18),
    NUMBER("pct_start", pct_start, "0.3", .most = 1),
    NUMBER("div_factor", div_factor, "25.0", .least = 1e-9, .most = 3.4e38),
    NUMBER("final_div_factor", final_div_factor, "10000.0", .least = 1e-9, .most = 3.4e38),
    ROW("anneal_strategy", OPTION_CHOICE, anneal, .standard = "\"cos\"", .choices = anneals),
    NAME("\"OneCycle\""),
    {0}};

#define KERAS "keras.optimizers.schedules"

static const schedule_row rows[] = {
    {"ExponentialDecay", KERAS, exponential_options, exponential, NULL},
    {"PiecewiseConstantDecay", KERAS, piecewise_options, piecewise, check_piecewise},
    {"PolynomialDecay", KERAS, polynomial_options, polynomial, NULL},
    {"InverseTimeDecay", KERAS, inverse_options, inverse_time, NULL},
    {"CosineDecay", KERAS, cosine_options, cosine, NULL},
    {"CosineDecayRestarts", KERAS, restarts_options, cosine_restarts, NULL},
    {"OneCycle", "convoy", one_cycle_options, one_cycle, NULL},
};

const char *schedule_kind_at(size_t i, const option **options)
{
    if (i >= sizeof rows / sizeof *rows)
        return NULL;
    *options = rows[i].options;
    return rows[i].name;
}

/* ---- life ---- */

static convoy_status find_row(const char *name, const schedule_row **out, convoy_error *err)
{
    char list[512] = "", hint[128];
    size_t used = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        *out = &rows[i];
        if (strcasecmp(rows[i].name, name) == 0)
            return CONVOY_OK;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", rows[i].name);
    }
    return base_fail(err, CONVOY_ERROR_MODEL, "learning rate schedule '%.100s' is not known; %sknown: %s", name,
                     suggest_word(name, list, hint, sizeof hint), list);
}

/* The config with the defaults filled in. Python's whole numbers stay whole where steps are counted, and become
 * fractions elsewhere: a whole rate would make Keras compute in integers. */
static json_t *complete(const schedule_row *row, const json_t *config)
{
    json_t *all = json_object();
    int failed = all == NULL;
    for (const option *o = row->options; o->name != NULL; o++) {
        const json_t *given = json_object_get(config, o->name);
        bool steps = strstr(o->name, "steps") != NULL;
        json_t *value = given ? json_deep_copy(given) : json_loads(o->standard, JSON_DECODE_ANY, NULL);
        if (json_is_integer(value) && o->kind != OPTION_INT && !steps) {
            json_t *real = json_real((double)json_integer_value(value));
            json_decref(value);
            value = real;
        }
        failed |= json_object_set_new(all, o->name, value);
    }
    return failed ? json_decref(all), NULL : all;
}

static convoy_status fill(schedule *s, const json_t *config, convoy_error *err)
{
    convoy_status status = options_read(s->row->options, config, &s->options, err);
    if (status == CONVOY_OK && s->row->check)
        status = s->row->check(&s->options, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "schedule %s", s->row->name);
    s->json = json_pack("{s:s, s:s, s:o, s:n}", "module", s->row->module, "class_name", s->row->name, "config",
                        complete(s->row, config), "registered_name");
    return s->json ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status create(const char *name, const json_t *config, schedule **out, convoy_error *err)
{
    const schedule_row *row = NULL;
    TRY(find_row(name, &row, err));
    schedule *s = calloc(1, sizeof *s);
    if (s == NULL)
        return OUT_OF_MEMORY(err);
    s->row = row;
    convoy_status status = fill(s, config, err);
    if (status == CONVOY_OK)
        *out = s;
    else
        schedule_destroy(s);
    return status;
}

convoy_status schedule_parse(const char *text, schedule **out, convoy_error *err)
{
    char name[64];
    json_t *config = NULL;
    convoy_status status = options_parse_call("learning_rate_schedule", text, name, sizeof name, &config, err);
    if (status == CONVOY_OK)
        status = create(name, config, out, err);
    json_decref(config);
    return option_blame_argument(status, err);
}

convoy_status schedule_from_json(const json_t *object, schedule **out, convoy_error *err)
{
    const char *name = json_string_value(json_object_get(object, "class_name"));
    if (name == NULL)
        return base_fail(err, CONVOY_ERROR_MODEL, "the learning rate schedule has no class_name");
    return create(name, json_object_get(object, "config"), out, err);
}

void schedule_destroy(schedule *s)
{
    if (s == NULL)
        return;
    json_decref(s->json);
    free(s);
}

json_t *schedule_json(const schedule *s) { return s->json; }
float schedule_rate(const schedule *s, uint64_t step) { return s->row->rate(&s->options, (float)step); }
