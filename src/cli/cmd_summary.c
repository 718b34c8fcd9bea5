/* convoy summary */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

/* As Python finds the width for Keras: COLUMNS, else the terminal, else 0 (the library's default). */
static int terminal_columns(void)
{
    const char *columns = getenv("COLUMNS");
    char *end;
    if (columns != NULL && *columns != '\0') {
        long n = strtol(columns, &end, 10);
        if (*end == '\0' && n > 0 && n <= 10000)
            return (int)n;
    }
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        return size.ws_col;
    return 0;
}

int cmd_summary(int argc, char **argv)
{
    static const char *const styles[] = {"keras", "classic", NULL};
    const char *style = styles[0], *model_name;
    cli_option options[] = {
        {.name = "style", .kind = CLI_CHOICE, .value = &style, .choices = styles,
         .help = "keras: Keras 3's table (the default); classic: Keras 2's"},
        {0},
    };
    cli_command command = {.name = "summary",
                           .arguments = "MODEL",
                           .purpose = "Prints a model's layers, output shapes and parameters, as Keras does.",
                           .details = "MODEL is a .keras file, a Keras JSON config or a built-in name: cifar10, lenet5, resnet20, vgg-small,\n"
                                      "mobilenet-small; with options in brackets: 'resnet20(classes=100)'.",
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
                                  .columns = terminal_columns(),
                                  .bold = cli_wants_colour(STDOUT_FILENO)};
    char *table = NULL;
    code = CLI_DONE;
    if (convoy_model_summary(model, &how, &table, &err) != CONVOY_OK)
        code = cli_report(&err);
    else
        fputs(table, stdout);
    free(table);
    convoy_model_destroy(model);
    return code;
}
