/* The option parser: a command's table drives what is read and what the messages say; help.c has what --help says. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* One reading of one command line. */
typedef struct parser {
    cli_command *command;
    int argc;
    char **argv;
    int next;         /* the word to read next */
    char shown[128];  /* the option as it was written, for messages */
} parser;

static int usage_of(const parser *p, const char *value, const char *expected)
{
    return cli_usage(p->command->name, "%s '%s': expected %s", p->shown, value, expected);
}

/* ---- what a row expects, in words: the messages and the bounds agree because both come from here ---- */

static void expect_number(const cli_option *o, char *out, size_t size)
{
    const char *what = o->kind == CLI_INT ? "a whole number" : "a number";
    const char *from = o->above ? "above" : "of at least", *to = o->below ? "below" : "at most";
    if (o->most == 0)
        snprintf(out, size, "%s %s %.12g", what, from, o->least);
    else
        snprintf(out, size, "%s %s %.12g and %s %.12g", what, from, o->least, to, o->most);
}

static void expect_choice(const cli_option *o, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; o->choices[i] != NULL && used < size; i++) {
        const char *join = i == 0 ? "" : o->choices[i + 1] == NULL ? " or " : ", ";
        used += (size_t)snprintf(out + used, size - used, "%s%s", join, o->choices[i]);
    }
}

/* ---- values ---- */

static int read_int(parser *p, cli_option *o, const char *value)
{
    char *end, expected[160];
    expect_number(o, expected, sizeof expected);
    errno = 0;
    long number = strtol(value, &end, 10);
    if (end == value || *end != '\0' || isspace((unsigned char)*value))
        return usage_of(p, value, expected);
    if (errno == ERANGE || number < o->least || number > INT_MAX || (o->most != 0 && number > o->most))
        return usage_of(p, value, expected);
    *(int *)o->value = (int)number;
    return CLI_RUN;
}

static int read_seed(parser *p, cli_option *o, const char *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end != '\0' || errno == ERANGE)
        return usage_of(p, value, "a whole number from 0 to 18446744073709551615");
    *(uint64_t *)o->value = number;
    return CLI_RUN;
}

static int read_real(parser *p, cli_option *o, const char *value)
{
    char *end, expected[160];
    expect_number(o, expected, sizeof expected);
    errno = 0;
    double number = strtod(value, &end);
    bool fits = end != value && *end == '\0' && !isspace((unsigned char)*value) && isfinite(number) &&
                !(errno == ERANGE && number == 0);
    fits = fits && (o->above ? number > o->least : number >= o->least);
    if (o->most != 0)
        fits = fits && (o->below ? number < o->most : number <= o->most);
    if (!fits)
        return usage_of(p, value, expected);
    *(double *)o->value = number;
    return CLI_RUN;
}

static int read_choice(parser *p, cli_option *o, const char *value)
{
    char expected[256];
    for (size_t i = 0; o->choices[i] != NULL; i++)
        if (strcmp(o->choices[i], value) == 0) {
            *(const char **)o->value = o->choices[i];
            return CLI_RUN;
        }
    expect_choice(o, expected, sizeof expected);
    return usage_of(p, value, expected);
}

static bool takes_value(const cli_option *o)
{
    return o->kind != CLI_FLAG && o->kind != CLI_OFF;
}

/* Stores a value (NULL: a flag). */
static int read_value(parser *p, cli_option *o, const char *value)
{
    o->given = takes_value(o) ? value : "";
    switch (o->kind) {
    case CLI_FLAG: *(bool *)o->value = true; return CLI_RUN;
    case CLI_OFF: *(bool *)o->value = false; return CLI_RUN;
    case CLI_INT: return read_int(p, o, value);
    case CLI_SEED: return read_seed(p, o, value);
    case CLI_REAL: return read_real(p, o, value);
    case CLI_CHOICE: return read_choice(p, o, value);
    case CLI_OPTIONAL: *(const char **)o->value = value; return CLI_RUN;
    case CLI_TEXT: break;
    }
    if (*value == '\0')
        return cli_usage(p->command->name, "%s: the value is empty", p->shown);
    *(const char **)o->value = value;
    return CLI_RUN;
}

/* ---- the command line, written again ---- */

void cli_print_word(const char *word)
{
    bool plain = *word != '\0';
    for (const char *c = word; *c != '\0'; c++)
        plain = plain && (isalnum((unsigned char)*c) || strchr("-_./=:,+@%", *c) != NULL);
    if (plain) {
        fprintf(stderr, " %s", word);
        return;
    }
    fputs(" '", stderr);
    for (; *word != '\0'; word++)
        *word == '\'' ? fputs("'\\''", stderr) : fputc(*word, stderr);
    fputc('\'', stderr);
}

void cli_print_options(const cli_option *options)
{
    for (const cli_option *o = options; o->name != NULL; o++) {
        if (o->given == NULL)
            continue;
        fprintf(stderr, " --%s", o->name);
        if (takes_value(o) && !(o->kind == CLI_OPTIONAL && *o->given == '\0'))
            cli_print_word(o->given);
    }
}

/* ---- words ---- */

static int unknown_option(const parser *p, const char *name)
{
    const char *near = cli_nearest(name, &p->command->options[0].name, sizeof(cli_option));
    if (near != NULL)
        return cli_usage(p->command->name, "unknown option '%s'; did you mean '--%s'?", p->shown, near);
    return cli_usage(p->command->name, "unknown option '%s'", p->shown);
}

/* Options in Keras's spelling, which are no option and no argument of ours. */
static bool is_value_next(const parser *p)
{
    const char *word = p->next < p->argc ? p->argv[p->next] : NULL;
    return word != NULL && word[0] != '-' && strchr(word, '=') != NULL;
}

/* The value: glued to the option, or the next word. */
static int read_option(parser *p, cli_option *o, const char *glued)
{
    if (o->kind == CLI_OPTIONAL && glued == NULL && !is_value_next(p))
        glued = "";
    if (!takes_value(o) && glued != NULL)
        return cli_usage(p->command->name, "%s takes no value", p->shown);
    if (takes_value(o) && glued == NULL) {
        if (p->next >= p->argc)
            return cli_usage(p->command->name, "%s needs a value", p->shown);
        glued = p->argv[p->next++];
    }
    return read_value(p, o, glued);
}

static int read_long(parser *p, const char *word)
{
    size_t length = strcspn(word, "=");
    const char *glued = word[length] == '=' ? word + length + 1 : NULL;
    snprintf(p->shown, sizeof p->shown, "--%.*s", (int)(length < 100 ? length : 100), word);
    if (strcmp(p->shown, "--help") == 0)
        return cli_help(p->command, glued);
    for (cli_option *o = p->command->options; o->name != NULL; o++)
        if (strlen(o->name) == length && memcmp(o->name, word, length) == 0)
            return read_option(p, o, glued);
    return unknown_option(p, p->shown + 2);
}

/* -x, -xVALUE, -x VALUE; flags may be bundled. */
static int read_letters(parser *p, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        cli_option *o = p->command->options;
        snprintf(p->shown, sizeof p->shown, "-%c", *letters);
        if (*letters == 'h')
            return cli_help(p->command, NULL);
        while (o->name != NULL && o->letter != *letters)
            o++;
        if (o->name == NULL)
            return cli_usage(p->command->name, "unknown option '-%c'", *letters);
        if (takes_value(o))
            return read_option(p, o, letters[1] != '\0' ? letters + 1 : NULL);
        int code = read_option(p, o, NULL);
        if (code != CLI_RUN)
            return code;
    }
    return CLI_RUN;
}

int cli_parse(cli_command *command, int argc, char **argv, const char **args)
{
    parser p = {.command = command, .argc = argc, .argv = argv, .next = 1};
    bool only_arguments = false;
    int count = 0;
    while (p.next < argc) {
        const char *word = argv[p.next++];
        int code = CLI_RUN;
        if (!only_arguments && strcmp(word, "--") == 0)
            only_arguments = true;
        else if (!only_arguments && strncmp(word, "--", 2) == 0)
            code = read_long(&p, word + 2);
        else if (!only_arguments && word[0] == '-' && word[1] != '\0')
            code = read_letters(&p, word + 1);
        else if (count == command->most)
            code = cli_usage(command->name, "unexpected argument '%s'", word);
        else
            args[count++] = word;
        if (code != CLI_RUN)
            return code;
    }
    for (int i = count; i < command->most; i++)
        args[i] = NULL;
    if (count < command->least)
        return cli_usage(command->name, "%s", command->missing);
    return CLI_RUN;
}
