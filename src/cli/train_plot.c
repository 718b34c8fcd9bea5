#include "cli/train_plot.h"

#include <stdio.h>
#include <stdlib.h>

/* One picture: what the training images and, where they were used, the validation images gave. */
static int print_picture(const char *title, const double *training, const double *validation, size_t count,
                         const convoy_plot_options *how, FILE *to)
{
    convoy_error err = {0};
    convoy_plot_options options = *how;
    convoy_plot_curve curves[] = {{"training", training, count}, {"validation", validation, count}};
    char *text = NULL;
    options.title = title;
    if (convoy_plot_text(curves, validation ? 2 : 1, &options, &text, &err) != CONVOY_OK)
        return cli_report(&err);
    fprintf(to, "%s\n", text);
    free(text);
    return CLI_RUN;
}

int train_plot_print(const convoy_epoch *epochs, int count, FILE *to, bool utf8)
{
    convoy_plot_options how = {.columns = cli_columns(fileno(to)), .utf8 = utf8, .colour = cli_wants_colour(fileno(to))};
    size_t n = (size_t)count;
    bool validation = n > 0 && epochs[0].has_validation;
    double *values = calloc(4 * n + 1, sizeof *values);
    if (values == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = epochs[i].train.loss;
        values[n + i] = epochs[i].validation.loss;
        values[2 * n + i] = epochs[i].train.accuracy;
        values[3 * n + i] = epochs[i].validation.accuracy;
    }
    int code = print_picture("loss by epoch", values, validation ? values + n : NULL, n, &how, to);
    if (code == CLI_RUN)
        code = print_picture("accuracy by epoch", values + 2 * n, validation ? values + 3 * n : NULL, n, &how, to);
    free(values);
    return code;
}
