#include "train/sample_weights.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sample_weights {
    const float *given; /* of images, in the data's order; NULL: of classes */
    size_t count;
    float *arranged;
    rt_buffer *buffer;
};

/* ---- class weights as text ---- */

static const char *skip_space(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

static convoy_status fail_text(const char *text, const char *at, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "class weights \"%.200s\", character %zu: expected CLASS: WEIGHT, separated "
                     "by commas, as in \"0: 1.0, 3: 2.5\"", text, (size_t)(at - text) + 1);
}

static convoy_status read_pair(const char *text, const char **at, long *class, double *weight, convoy_error *err)
{
    char *end;
    const char *start = skip_space(*at);
    *class = isdigit((unsigned char)*start) ? strtol(start, &end, 10) : -1;
    if (*class < 0 || *skip_space(end) != ':')
        return fail_text(text, start, err);
    start = skip_space(skip_space(end) + 1);
    *weight = strtod(start, &end);
    if (end == start)
        return fail_text(text, start, err);
    if (!isfinite(*weight))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "class weights: class %ld weighs %g; a finite number is expected", *class,
                         *weight);
    *at = skip_space(end);
    return CONVOY_OK;
}

static convoy_status put(float *table, long class, double weight, int classes, convoy_error *err)
{
    if (class >= classes)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "class weights: class %ld, but the data has %d classes, 0 to %d", class,
                         classes, classes - 1);
    if (!isnan(table[class]))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "class weights: class %ld comes twice", class);
    table[class] = (float)weight;
    return CONVOY_OK;
}

/* Pairs into `table` (NULL: only to look at them), brackets around them or not. */
static convoy_status read_pairs(const char *text, float *table, int classes, convoy_error *err)
{
    const char *at = skip_space(text);
    bool bracket = *at == '{';
    at += bracket;
    do {
        long class = 0;
        double weight = 0;
        TRY(read_pair(text, &at, &class, &weight, err));
        if (table != NULL)
            TRY(put(table, class, weight, classes, err));
    } while (*at == ',' && *(at = skip_space(at + 1)) != '}' && *at != '\0');
    if (bracket && *at != '}')
        return fail_text(text, at, err);
    at = skip_space(at + bracket);
    return *at == '\0' ? CONVOY_OK : fail_text(text, at, err);
}

static convoy_status fill_table(const char *text, float *table, int classes, convoy_error *err)
{
    for (int i = 0; i < classes; i++)
        table[i] = NAN; /* not named yet */
    TRY(read_pairs(text, table, classes, err));
    for (int i = 0; i < classes; i++)
        table[i] = isnan(table[i]) ? 1.0f : table[i];
    return CONVOY_OK;
}

convoy_status sample_weights_check(const char *class_weight, const float *sample_weight, convoy_error *err)
{
    if (class_weight != NULL && sample_weight != NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "class weights and sample weights exclude each other; multiply the sample "
                         "weights by those of their classes");
    return class_weight != NULL ? read_pairs(class_weight, NULL, 0, err) : CONVOY_OK;
}

/* ---- on the device ---- */

static convoy_status create_of_classes(sample_weights *w, convoy_context *ctx, const char *text, int classes, convoy_error *err)
{
    w->count = (size_t)classes;
    w->arranged = malloc(w->count * sizeof *w->arranged);
    if (w->arranged == NULL)
        return OUT_OF_MEMORY(err);
    TRY(fill_table(text, w->arranged, classes, err));
    TRY(rt_buffer_create(ctx, w->count * sizeof(float), "class weights", &w->buffer, err));
    return rt_buffer_write(w->buffer, 0, w->arranged, w->count * sizeof(float), err);
}

static convoy_status create_of_images(sample_weights *w, convoy_context *ctx, const float *given, size_t count, convoy_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(given[i]))
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "sample weights: image %zu weighs %g; a finite number is expected", i,
                             (double)given[i]);
    w->count = count;
    w->given = given;
    w->arranged = malloc(count * sizeof *w->arranged);
    if (w->arranged == NULL)
        return OUT_OF_MEMORY(err);
    return rt_buffer_create(ctx, count * sizeof(float), "sample weights", &w->buffer, err);
}

convoy_status sample_weights_create(convoy_context *ctx, const convoy_dataset *data, const char *class_weight,
                             const float *sample_weight, sample_weights **out, convoy_error *err)
{
    *out = NULL;
    TRY(sample_weights_check(class_weight, sample_weight, err));
    if (class_weight == NULL && sample_weight == NULL)
        return CONVOY_OK;
    sample_weights *w = calloc(1, sizeof *w);
    if (w == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = class_weight != NULL
                               ? create_of_classes(w, ctx, class_weight, convoy_dataset_classes(data), err)
                               : create_of_images(w, ctx, sample_weight, convoy_dataset_count(data), err);
    if (status == CONVOY_OK)
        *out = w;
    else
        sample_weights_destroy(w);
    return status;
}

void sample_weights_destroy(sample_weights *w)
{
    if (w == NULL)
        return;
    rt_buffer_destroy(w->buffer);
    free(w->arranged);
    free(w);
}

int sample_weights_kind(const sample_weights *w)
{
    return w == NULL ? WEIGHTS_NONE : w->given == NULL ? WEIGHTS_OF_CLASSES : WEIGHTS_OF_IMAGES;
}

const rt_buffer *sample_weights_buffer(const sample_weights *w) { return w != NULL ? w->buffer : NULL; }

convoy_status sample_weights_arrange(sample_weights *w, const int32_t *order, convoy_error *err)
{
    if (sample_weights_kind(w) != WEIGHTS_OF_IMAGES)
        return CONVOY_OK;
    for (size_t i = 0; i < w->count; i++)
        w->arranged[i] = w->given[order[i]];
    return rt_buffer_write(w->buffer, 0, w->arranged, w->count * sizeof(float), err);
}
