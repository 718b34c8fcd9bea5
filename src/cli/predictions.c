#include "cli/predictions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct rank {
    int class;
    double value;
} rank;

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

static void softmax(rank *ranks, int count)
{
    double most = ranks[0].value, sum = 0;
    for (int i = 1; i < count; i++)
        most = ranks[i].value > most ? ranks[i].value : most;
    for (int i = 0; i < count; i++)
        sum += ranks[i].value = exp(ranks[i].value - most);
    for (int i = 0; i < count; i++)
        ranks[i].value /= sum;
}

static void print_name(const predictions *p, int class)
{
    const char *name = convoy_model_class_name(p->model, (size_t)class);
    if (name != NULL)
        cli_print_safe(name);
    else
        printf("class %d", class);
}

static void print_table(predictions *p, const char *path, const rank *ranks, int shown)
{
    if (p->any && !p->lines && shown > 1)
        putchar('\n');
    cli_print_safe(path);
    putchar('\n');
    for (int i = 0; i < shown; i++) {
        printf("  %6.2f %%  ", 100 * ranks[i].value);
        print_name(p, ranks[i].class);
        putchar('\n');
    }
}

static json_t *to_json(const predictions *p, const char *path, const rank *ranks, int shown)
{
    json_t *top = json_array();
    for (int i = 0; i < shown; i++) {
        const char *name = convoy_model_class_name(p->model, (size_t)ranks[i].class);
        json_array_append_new(top, json_pack("{s:i, s:o, s:o}", "class", ranks[i].class, "name",
                                             name ? cli_json_text(name) : json_null(), "probability",
                                             cli_json_number(ranks[i].value)));
    }
    return json_pack("{s:o, s:o}", "file", cli_json_text(path), "top", top);
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
    (void)json_dumpf(value, stdout, JSON_REAL_PRECISION(10));
    json_decref(value);
    putchar('\n');
    return CLI_RUN;
}

void predictions_begin(predictions *p)
{
    if (p->json && !p->lines)
        p->list = json_array();
}

int predictions_add(predictions *p, const char *path, const float *outputs)
{
    int classes = convoy_model_output(p->model).dim[0], shown = p->top < classes ? p->top : classes, code = CLI_RUN;
    rank *ranks = malloc((size_t)classes * sizeof *ranks);
    if (ranks == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    for (int i = 0; i < classes; i++)
        ranks[i] = (rank){i, outputs[i]};
    if (!p->probabilities)
        softmax(ranks, classes);
    qsort(ranks, (size_t)classes, sizeof *ranks, compare);
    if (p->json)
        code = keep_json(p, to_json(p, path, ranks, shown));
    else
        print_table(p, path, ranks, shown);
    p->any = true;
    free(ranks);
    return code;
}

void predictions_add_failure(predictions *p, const char *path, const char *message)
{
    p->failures++;
    cli_say("%s%s%s", strncmp(message, path, strlen(path)) == 0 ? "" : path,
            strncmp(message, path, strlen(path)) == 0 ? "" : ": ", message);
    if (p->json)
        (void)keep_json(p, json_pack("{s:o, s:o}", "file", cli_json_text(path), "error", cli_json_text(message)));
}

int predictions_end(predictions *p, const char *model_name, const char *device)
{
    int code = p->failures > 0 ? CLI_FAILED : CLI_DONE;
    if (p->list != NULL) {
        json_t *list = p->list;
        p->list = NULL;
        int printed = cli_print_json(json_pack("{s:s, s:o, s:o}", "device", device, "model", cli_json_text(model_name),
                                               "predictions", list));
        return printed == CLI_DONE ? code : printed;
    }
    return code;
}

void predictions_clear(predictions *p)
{
    json_decref(p->list);
}
