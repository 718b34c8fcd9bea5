/* --help of a command, from its table: for people, and as JSON, of which tools/make_manual.py makes manual pages and completions. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const cli_option help_option = {.name = "help", .letter = 'h', .kind = CLI_FLAG, .help = "this text"};

/* What --help calls the value. */
static void value_words(const cli_option *o, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", o->meta ? o->meta : "");
    for (size_t i = 0; o->choices != NULL && o->choices[i] != NULL && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "|" : "", o->choices[i]);
}

static void print_option(const cli_option *o)
{
    char left[256], value[160];
    value_words(o, value, sizeof value);
    snprintf(left, sizeof left, "  %c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
             *value ? " " : "", value);
    printf("%-32s", left);
    if (strlen(left) > 31)
        printf("\n%32s", "");
    for (const char *help = o->help; *help != '\0'; help++) {
        putchar(*help);
        if (*help == '\n')
            printf("%32s", "");
    }
    putchar('\n');
}

static int print_text(const cli_command *command)
{
    printf("Usage: convoy %s%s%s [options]\n\n%s\n\nOptions:\n", command->name, *command->arguments ? " " : "",
           command->arguments, command->purpose);
    for (const cli_option *o = command->options; o->name != NULL; o++)
        print_option(o);
    print_option(&help_option);
    if (command->details != NULL)
        printf("\n%s\n", command->details);
    return CLI_DONE;
}

static json_t *option_json(const cli_option *o)
{
    char value[160];
    json_t *choices = json_array();
    value_words(o, value, sizeof value);
    for (size_t i = 0; o->choices != NULL && o->choices[i] != NULL; i++)
        json_array_append_new(choices, json_string(o->choices[i]));
    return json_pack("{s:s, s:s#, s:s, s:b, s:o, s:s}", "name", o->name, "letter", &o->letter, (int)(o->letter != '\0'), "value", value,
                     "may_lack_value", o->kind == CLI_OPTIONAL, "choices", choices, "help", o->help);
}

static int print_json(const cli_command *command)
{
    json_t *options = json_array();
    for (const cli_option *o = command->options; o->name != NULL; o++)
        json_array_append_new(options, option_json(o));
    json_array_append_new(options, option_json(&help_option));
    return cli_print_json(json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", command->name, "arguments", command->arguments, "purpose",
                                    command->purpose, "details", command->details ? command->details : "", "options", options));
}

int cli_help(const cli_command *command, const char *form)
{
    if (form == NULL)
        return print_text(command);
    if (strcmp(form, "json") == 0)
        return print_json(command);
    return cli_usage(command->name, "--help '%s': expected json, or no value", form);
}
