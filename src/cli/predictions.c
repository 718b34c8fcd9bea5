#include "cli/predictions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"

typedef struct rank {
    int class;
    double value;
} rank;

/* ---- in order ---- */

/* The highest first, equal ones by their numbers; what is no number last. */
static int compare(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    if (isnan(x->value) != isnan(y->value))
        return isnan(x->value) ? 1 : -1;
    if (x->value != y->value && !isnan(x->value))
        return x->value < y->value ? 1 : -1;
    return x->class - y->class;
}

/* Of numbers the order is the model's, and all are shown. */
static rank *rank_all(const predictions *p, const float *values)
{
    int count = p->outputs.classes;
    rank *ranks = malloc((size_t)count * sizeof *ranks);
    for (int i = 0; ranks != NULL && i < count; i++)
        ranks[i] = (rank){i, values[i]};
    if (ranks != NULL && p->outputs.meaning != CONVOY_MEANS_NUMBERS)
        qsort(ranks, (size_t)count, sizeof *ranks, compare);
    return ranks;
}

static int shown_of(const predictions *p)
{
    int count = p->outputs.classes;
    return p->outputs.meaning == CONVOY_MEANS_NUMBERS || p->top > count ? count : p->top;
}

/* Numbers have the names of the model's classes only where there is one for each. */
static const char *name_of(const predictions *p, int class)
{
    size_t count = (size_t)p->outputs.classes;
    bool fits = convoy_model_class_name(p->model, count - 1) != NULL && convoy_model_class_name(p->model, count) == NULL;
    return fits || p->outputs.meaning != CONVOY_MEANS_NUMBERS ? convoy_model_class_name(p->model, (size_t)class) : NULL;
}

/* ---- as text ---- */

static void print_name(const predictions *p, int class)
{
    const char *name = name_of(p, class);
    if (name != NULL)
        cli_print_safe(name);
    else
        printf("class %d", class);
}

static void print_number(const predictions *p, const rank *r)
{
    printf("  %.7g", r->value);
    if (name_of(p, r->class) != NULL) {
        fputs("  ", stdout);
        print_name(p, r->class);
    }
}

static void print_table(predictions *p, const char *path, const rank *ranks, const label_image *labels)
{
    int shown = shown_of(p);
    if (p->any && !p->lines && shown > 1)
        putchar('\n');
    cli_print_safe(path);
    if (labels != NULL) {
        fputs(": the label of each pixel is in ", stdout);
        cli_print_safe(labels->path);
    }
    putchar('\n');
    for (int i = 0; i < shown; i++) {
        if (p->outputs.meaning == CONVOY_MEANS_NUMBERS) {
            print_number(p, &ranks[i]);
        } else {
            printf("  %6.2f %%  ", 100 * ranks[i].value);
            print_name(p, ranks[i].class);
        }
        putchar('\n');
    }
}

/* ---- as JSON ---- */

static json_t *classes_json(const predictions *p, const rank *ranks, const char *value)
{
    json_t *top = json_array();
    for (int i = 0; i < shown_of(p); i++) {
        const char *name = name_of(p, ranks[i].class);
        json_array_append_new(top, json_pack("{s:i, s:o, s:o}", "class", ranks[i].class, "name",
                                             name ? json_text(name) : json_null(), value,
                                             cli_json_number(ranks[i].value)));
    }
    return top;
}

static json_t *numbers_json(const predictions *p, const rank *ranks)
{
    json_t *numbers = json_array();
    for (int i = 0; i < p->outputs.classes; i++)
        json_array_append_new(numbers, cli_json_number(ranks[i].value));
    return numbers;
}

static json_t *to_json(const predictions *p, const char *path, const rank *ranks, const label_image *labels)
{
    if (labels != NULL)
        return json_pack("{s:o, s:o, s:o}", "file", json_text(path), "labels", json_text(labels->path), "top",
                         classes_json(p, ranks, "share"));
    if (p->outputs.meaning == CONVOY_MEANS_NUMBERS)
        return json_pack("{s:o, s:o}", "file", json_text(path), "numbers", numbers_json(p, ranks));
    return json_pack("{s:o, s:o}", "file", json_text(path), "top", classes_json(p, ranks, "probability"));
}

/* One line at once, or into the list. */
static int keep_json(predictions *p, json_t *value)
{
    if (value == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    if (!p->lines)
        return json_array_append_new(p->list, value) == 0 ? CLI_RUN : CLI_FAILED;
    if ((value = cli_json_versioned(value)) == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    (void)json_dumpf(value, stdout, JSON_REAL_PRECISION(10));
    json_decref(value);
    putchar('\n');
    return CLI_RUN;
}

/* ---- all of them ---- */

int predictions_check(const predictions *p, const char *model_name, bool one_image)
{
    const convoy_outputs *o = &p->outputs;
    bool maps = o->pixels > 1;
    int height, width;
    if (o->assumed)
        cli_say("%s does not say what its %d output%s: taken for %s", model_name, o->values, o->values > 1 ? "s mean" : " means",
                o->meaning == CONVOY_MEANS_NUMBERS ? "a number" : "logits of classes that exclude each other");
    if (p->place != NULL && !maps)
        return cli_usage("predict", "--output goes with --input, or with a model that gives a class for each pixel");
    if (!maps)
        return CLI_RUN;
    if (o->meaning == CONVOY_MEANS_NUMBERS || o->meaning == CONVOY_MEANS_LABELS || o->classes > 256) {
        cli_say("%s gives %d %s for each pixel, which no image of labels can hold; use --input and --output", model_name,
                o->classes, o->meaning == CONVOY_MEANS_NUMBERS ? "numbers" : o->meaning == CONVOY_MEANS_LABELS ? "labels" : "classes");
        return CLI_FAILED;
    }
    if (label_image_size(p->model, &height, &width))
        return label_image_check_place(p->place, one_image);
    cli_say("%s gives a class for each of %zu places, which are no image's pixels; use --input and --output", model_name, o->pixels);
    return CLI_FAILED;
}

void predictions_begin(predictions *p)
{
    if (p->json && !p->lines)
        p->list = json_array();
}

static int show(predictions *p, const char *path, const float *values, const label_image *labels)
{
    rank *ranks = rank_all(p, values);
    int code = CLI_RUN;
    if (ranks == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    if (p->json)
        code = keep_json(p, to_json(p, path, ranks, labels));
    else
        print_table(p, path, ranks, labels);
    p->any = true;
    free(ranks);
    return code;
}

int predictions_add(predictions *p, const char *path, const float *outputs)
{
    if (p->outputs.pixels > 1) {
        label_image labels = {.shares = NULL};
        int code = label_image_write(p, path, outputs, &labels);
        if (code == CLI_RUN)
            code = show(p, path, labels.shares, &labels);
        free(labels.shares);
        return code;
    }
    float *values = malloc((size_t)p->outputs.classes * sizeof *values);
    if (values == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    convoy_outputs_probabilities(&p->outputs, outputs, values);
    int code = show(p, path, values, NULL);
    free(values);
    return code;
}

void predictions_add_failure(predictions *p, const char *path, const char *message)
{
    p->failures++;
    cli_say("%s%s%s", strncmp(message, path, strlen(path)) == 0 ? "" : path,
            strncmp(message, path, strlen(path)) == 0 ? "" : ": ", message);
    if (p->json)
        (void)keep_json(p, json_pack("{s:o, s:o}", "file", json_text(path), "error", json_text(message)));
}

int predictions_end(predictions *p, const char *model_name, const char *device)
{
    int code = p->failures > 0 ? CLI_FAILED : CLI_DONE;
    if (p->list != NULL) {
        json_t *list = p->list;
        p->list = NULL;
        int printed = cli_print_json(json_pack("{s:s, s:o, s:s, s:o}", "device", device, "model", json_text(model_name),
                                               "outputs", convoy_meaning_name(p->outputs.meaning), "predictions", list));
        return printed == CLI_DONE ? code : printed;
    }
    return code;
}

void predictions_clear(predictions *p)
{
    for (size_t i = 0; i < p->written_count; i++)
        free(p->written[i]);
    free(p->written);
    json_decref(p->list);
}
