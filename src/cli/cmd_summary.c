/* convoy summary */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static int print(const convoy_model *model, const convoy_summary_options *how, bool shapes)
{
    convoy_error err = {0};
    char *text = NULL;
    if (convoy_model_summary(model, how, &text, &err) != CONVOY_OK)
        return cli_report(&err);
    fputs(text, stdout);
    free(text);
    if (!shapes)
        return CLI_DONE;
    if (convoy_model_formulas(model, &text, &err) != CONVOY_OK)
        return cli_report(&err);
    printf("\n%s", text);
    free(text);
    return CLI_DONE;
}

int cmd_summary(int argc, char **argv)
{
    static const char *const styles[] = {"keras", "classic", NULL};
    const char *style = styles[0], *model_name;
    bool shapes = false;
    cli_option options[] = {
        {.name = "style", .kind = CLI_CHOICE, .value = &style, .choices = styles,
         .help = "keras: Keras 3's table (the default); classic: Keras 2's"},
        {.name = "shapes", .kind = CLI_FLAG, .value = &shapes,
         .help = "also work out the output size of each layer that computes one"},
        {0},
    };
    cli_command command = {.name = "summary",
                           .arguments = "MODEL",
                           .purpose = "Prints a model's layers, output shapes and parameters, as Keras does.",
                           .details = cli_models(),
                           .options = options,
                           .least = 1,
                           .most = 1,
                           .missing = "a MODEL is missing"};
    int code = cli_parse(&command, argc, argv, &model_name);
    if (code != CLI_RUN)
        return code;
    convoy_error err = {0};
    convoy_model *model = NULL;
    if (convoy_model_load(model_name, &model, &err) != CONVOY_OK)
        return cli_report(&err);
    convoy_summary_options how = {.classic = strcmp(style, "classic") == 0,
                                  .columns = cli_columns(STDOUT_FILENO),
                                  .bold = cli_wants_colour(STDOUT_FILENO)};
    code = print(model, &how, shapes);
    convoy_model_destroy(model);
    return code;
}
