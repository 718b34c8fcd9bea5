/* Keras's initializers: their names, arguments and formulas (keras/src/initializers). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "base/shape.h"
#include "base/suggest.h"
#include "base/text.h"
#include "words/option.h"
#include "words/param.h"

/* What args[0], args[1], args[2] mean. */
typedef enum law {
    LAW_CONSTANT,  /* value */
    LAW_UNIFORM,   /* minval, maxval */
    LAW_NORMAL,    /* mean, stddev */
    LAW_TRUNCATED, /* mean, stddev; cut at two stddev */
    LAW_SCALED,    /* scale, fan, distribution: the spread follows from the parameter's fans */
    LAW_IDENTITY,  /* gain */
    LAW_ORTHOGONAL, /* gain */
} law;

enum { FAN_IN, FAN_OUT, FAN_AVG };
enum { SPREAD_UNIFORM, SPREAD_TRUNCATED, SPREAD_NORMAL };

static const char *const fan_words[] = {"fan_in", "fan_out", "fan_avg", NULL};
static const char *const spread_words[] = {"uniform", "truncated_normal", "untruncated_normal", NULL};

/* An argument that a config may give; without words it is a number. */
typedef struct argument {
    const char *name;
    const char *const *words;
} argument;

typedef struct initializer_row {
    const char *name, *snake, *alias;
    law law;
    bool seeded;
    double standard[3];
    argument arguments[3];
} initializer_row;

static const initializer_row rows[] = {
    {"Zeros", "zeros", "zero", LAW_CONSTANT, false, {0}, {{0}}},
    {"Ones", "ones", "one", LAW_CONSTANT, false, {1}, {{0}}},
    {"Constant", "constant", NULL, LAW_CONSTANT, false, {0}, {{"value", NULL}}},
    {"GlorotUniform", "glorot_uniform", NULL, LAW_SCALED, true, {1, FAN_AVG, SPREAD_UNIFORM}, {{0}}},
    {"GlorotNormal", "glorot_normal", NULL, LAW_SCALED, true, {1, FAN_AVG, SPREAD_TRUNCATED}, {{0}}},
    {"HeUniform", "he_uniform", NULL, LAW_SCALED, true, {2, FAN_IN, SPREAD_UNIFORM}, {{0}}},
    {"HeNormal", "he_normal", NULL, LAW_SCALED, true, {2, FAN_IN, SPREAD_TRUNCATED}, {{0}}},
    {"LecunUniform", "lecun_uniform", NULL, LAW_SCALED, true, {1, FAN_IN, SPREAD_UNIFORM}, {{0}}},
    {"LecunNormal", "lecun_normal", NULL, LAW_SCALED, true, {1, FAN_IN, SPREAD_TRUNCATED}, {{0}}},
    {"RandomUniform", "random_uniform", "uniform", LAW_UNIFORM, true, {-0.05, 0.05},
     {{"minval", NULL}, {"maxval", NULL}}},
    {"RandomNormal", "random_normal", "normal", LAW_NORMAL, true, {0, 0.05}, {{"mean", NULL}, {"stddev", NULL}}},
    {"TruncatedNormal", "truncated_normal", NULL, LAW_TRUNCATED, true, {0, 0.05}, {{"mean", NULL}, {"stddev", NULL}}},
    {"VarianceScaling", "variance_scaling", NULL, LAW_SCALED, true, {1, FAN_IN, SPREAD_TRUNCATED},
     {{"scale", NULL}, {"mode", fan_words}, {"distribution", spread_words}}},
    {"Identity", "identity", "IdentityInitializer", LAW_IDENTITY, false, {1}, {{"gain", NULL}}},
    {"Orthogonal", "orthogonal", "OrthogonalInitializer", LAW_ORTHOGONAL, true, {1}, {{"gain", NULL}}},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* ---- names and configs ---- */

static convoy_status find_row(const char *name, size_t *out, convoy_error *err)
{
    for (size_t i = 0; i < ROWS; i++) {
        const initializer_row *row = &rows[i];
        if (!strcmp(name, row->name) || !strcmp(name, row->snake) || (row->alias && !strcmp(name, row->alias))) {
            *out = i;
            return CONVOY_OK;
        }
    }
    char list[512] = "", hint[128];
    size_t used = 0;
    for (size_t i = 0; i < ROWS; i++) {
        text_copy(list + used, sizeof list - used, rows[i].snake);
        used = strlen(list);
        if (i + 1 < ROWS)
            text_copy(list + used, sizeof list - used, ", ");
        used = strlen(list);
    }
    return base_fail(err, CONVOY_ERROR_MODEL, "unknown initializer '%.200s'; %sknown: %s", name,
                     suggest_word(name, list, hint, sizeof hint), list);
}

static bool read_argument(const argument *a, const json_t *value, double *out)
{
    if (a->words == NULL) {
        *out = json_number_value(value);
        return json_is_number(value);
    }
    const char *word = json_string_value(value);
    for (int i = 0; word != NULL && a->words[i] != NULL; i++)
        if (strcmp(word, a->words[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

/* A number, or Keras's SeedGenerator object around one. */
static bool read_seed(const json_t *value, uint64_t *out)
{
    if (json_is_object(value))
        value = json_object_get(json_object_get(value, "config"), "seed");
    *out = (uint64_t)json_integer_value(value);
    return json_is_integer(value) || json_is_null(value);
}

static convoy_status read_key(const initializer_row *row, const char *key, const json_t *value, initializer *out,
                              convoy_error *err)
{
    char found[128];
    option_value_text(value, found, sizeof found);
    for (int i = 0; i < 3 && row->arguments[i].name != NULL; i++) {
        if (strcmp(key, row->arguments[i].name) != 0)
            continue;
        if (!read_argument(&row->arguments[i], value, &out->args[i]))
            return base_fail(err, CONVOY_ERROR_MODEL, "initializer %s: '%s' is %s; expected %s", row->name, key, found,
                             row->arguments[i].words ? "one of Keras's words for it" : "a number");
        return CONVOY_OK;
    }
    if (row->seeded && strcmp(key, "seed") == 0) {
        if (!read_seed(value, &out->seed))
            return base_fail(err, CONVOY_ERROR_MODEL, "initializer %s: 'seed' is %s; expected a whole number or null",
                             row->name, found);
        return CONVOY_OK;
    }
    if (!json_is_null(value) || (strcmp(key, "input_axes") != 0 && strcmp(key, "output_axes") != 0))
        return base_fail(err, CONVOY_ERROR_MODEL, "initializer %s: unknown or unsupported argument '%.200s' (%s)",
                         row->name, key, found);
    return CONVOY_OK;
}

convoy_status initializer_read(const json_t *value, initializer *out, convoy_error *err)
{
    char found[256];
    const json_t *config = json_object_get(value, "config");
    const char *name = json_is_object(value) ? json_string_value(json_object_get(value, "class_name"))
                                             : json_string_value(value);
    if (name == NULL || (config != NULL && !json_is_object(config)))
        return base_fail(err, CONVOY_ERROR_MODEL, "found %s; expected an initializer's name or an object with "
                         "class_name and config", option_value_text(value, found, sizeof found));
    size_t kind = 0;
    TRY(find_row(name, &kind, err));
    *out = (initializer){.kind = (int)kind};
    memcpy(out->args, rows[kind].standard, sizeof out->args);
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)config, key, member)
        TRY(read_key(&rows[kind], key, member, out, err));
    if (rows[kind].law == LAW_SCALED && !(out->args[0] > 0))
        return base_fail(err, CONVOY_ERROR_MODEL, "initializer %s: 'scale' is %g; expected more than 0",
                         rows[kind].name, out->args[0]);
    return CONVOY_OK;
}

json_t *initializer_write(const initializer *init)
{
    const initializer_row *row = &rows[init->kind];
    json_t *config = json_object();
    int failed = config == NULL;
    for (int i = 0; i < 3 && row->arguments[i].name != NULL; i++) {
        const argument *a = &row->arguments[i];
        failed |= json_object_set_new(config, a->name, a->words ? json_string(a->words[(int)init->args[i]])
                                                                : json_real(init->args[i]));
    }
    if (row->seeded)
        failed |= json_object_set_new(config, "seed", init->seed ? json_integer((json_int_t)init->seed) : json_null());
    if (failed) {
        json_decref(config);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o, s:n}", "module", "keras.initializers", "class_name", row->name, "config", config,
                     "registered_name");
}

bool initializer_at(size_t i, initializer *out)
{
    if (i >= ROWS)
        return false;
    *out = (initializer){.kind = (int)i};
    memcpy(out->args, rows[i].standard, sizeof out->args);
    return true;
}

bool initializer_named(const char *name, initializer *out)
{
    size_t kind = 0;
    return find_row(name, &kind, NULL) == CONVOY_OK && initializer_at(kind, out);
}

convoy_status initializer_check(const layer_param *param, convoy_error *err)
{
    const initializer_row *row = &rows[param->init.kind];
    char shape[96];
    shape_text(&param->shape, shape, sizeof shape);
    if (row->law == LAW_IDENTITY && param->shape.rank != 2)
        return base_fail(err, CONVOY_ERROR_MODEL, "'%s' has the shape %s (without None); initializer %s makes matrices only",
                         param->name, shape, row->name);
    if (row->law == LAW_ORTHOGONAL && param->shape.rank < 2)
        return base_fail(err, CONVOY_ERROR_MODEL, "'%s' has the shape %s (without None); initializer %s needs two dimensions "
                         "at least", param->name, shape, row->name);
    return CONVOY_OK;
}

/* ---- drawing ---- */

typedef struct draw {
    law law;
    double a, b; /* as the law's first two arguments */
} draw;

/* Keras's VarianceScaling: variance = scale / fan. */
static draw scaled_draw(const initializer *init, const layer_param *param)
{
    /* The standard deviation of a normal distribution that is cut at two of its own. */
    const double truncated = 0.87962566103423978;
    double fan = init->args[1] == FAN_IN    ? param->fan_in
                 : init->args[1] == FAN_OUT ? param->fan_out
                                            : ((double)param->fan_in + param->fan_out) / 2;
    double variance = init->args[0] / (fan > 1 ? fan : 1);
    double limit = sqrt(3 * variance);
    if (init->args[2] == SPREAD_UNIFORM)
        return (draw){LAW_UNIFORM, -limit, limit};
    if (init->args[2] == SPREAD_TRUNCATED)
        return (draw){LAW_TRUNCATED, 0, sqrt(variance) / truncated};
    return (draw){LAW_NORMAL, 0, sqrt(variance)};
}

static void fill_identity(double gain, const layer_param *param, float *out)
{
    size_t columns = (size_t)param->shape.dim[param->shape.rank - 1];
    for (size_t i = 0; i < param->count; i++)
        out[i] = i / columns == i % columns ? (float)gain : 0.0f;
}

/* Takes the directions of the `count` unit vectors in front out of v, and makes it one itself. Twice is enough (Giraud,
 * Langou and Rozloznik, 2005). */
static void make_orthonormal(const double *before, size_t count, double *v, size_t length)
{
    double norm = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; k < count; k++) {
            double dot = 0;
            for (size_t i = 0; i < length; i++)
                dot += before[k * length + i] * v[i];
            for (size_t i = 0; i < length; i++)
                v[i] -= dot * before[k * length + i];
        }
    for (size_t i = 0; i < length; i++)
        norm += v[i] * v[i];
    for (size_t i = 0; i < length; i++)
        v[i] /= sqrt(norm);
}

/* The Q of a normal matrix's QR decomposition, R's diagonal being positive: all but the last dimension are its rows. With fewer
 * rows than columns its transpose. */
static convoy_status fill_orthogonal(double gain, const layer_param *param, uint64_t seed, uint32_t stream, float *out,
                                     convoy_error *err)
{
    size_t columns = (size_t)param->shape.dim[param->shape.rank - 1], rows_of = param->count / columns;
    size_t vectors = rows_of < columns ? rows_of : columns, length = rows_of < columns ? columns : rows_of;
    double *q = malloc(param->count * sizeof *q);
    if (q == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t k = 0; k < vectors; k++) {
        for (size_t i = 0; i < length; i++)
            q[k * length + i] = philox_normal(seed, PHILOX_WEIGHTS, stream, k * length + i);
        make_orthonormal(q, k, q + k * length, length);
    }
    for (size_t i = 0; i < param->count; i++) {
        size_t row = i / columns, column = i % columns;
        out[i] = (float)(gain * (rows_of < columns ? q[row * length + column] : q[column * length + row]));
    }
    free(q);
    return CONVOY_OK;
}

convoy_status initializer_fill(const initializer *init, const layer_param *param, uint64_t seed, uint32_t stream, float *out,
                               convoy_error *err)
{
    const initializer_row *row = &rows[init->kind];
    draw d = row->law == LAW_SCALED ? scaled_draw(init, param) : (draw){row->law, init->args[0], init->args[1]};
    if (init->seed != 0) { /* as in Keras, the same values wherever the same seed is given */
        seed = init->seed;
        stream = 0;
    }
    if (d.law == LAW_ORTHOGONAL)
        return fill_orthogonal(d.a, param, seed, stream, out, err);
    if (d.law == LAW_IDENTITY)
        fill_identity(d.a, param, out);
    for (size_t i = 0; d.law != LAW_IDENTITY && i < param->count; i++) {
        double z;
        switch (d.law) {
        case LAW_UNIFORM:
            out[i] = (float)(d.a + (d.b - d.a) * philox_uniform(seed, PHILOX_WEIGHTS, stream, i));
            break;
        case LAW_NORMAL:
            out[i] = (float)(d.a + d.b * philox_normal(seed, PHILOX_WEIGHTS, stream, i));
            break;
        case LAW_TRUNCATED: /* each retry of a value draws from a range of indices that no other value uses */
            for (uint64_t at = i; fabs(z = philox_normal(seed, PHILOX_WEIGHTS, stream, at)) > 2; at += param->count)
                ;
            out[i] = (float)(d.a + d.b * z);
            break;
        default:
            out[i] = (float)d.a;
        }
    }
    return CONVOY_OK;
}
