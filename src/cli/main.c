/* convoy: the command. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *purpose;
} commands[] = {
    {"devices", cmd_devices, "list the OpenCL devices and say which one is the default"},
    {"summary", cmd_summary, "print a model's layers, as Keras does"},
    {"train", cmd_train, "train a model, test it and save it"},
    {"evaluate", cmd_evaluate, "loss and accuracy of a trained model"},
    {"fetch", cmd_fetch, "download a data set, verify and unpack it"},
    {"predict", cmd_predict, "say which class images belong to"},
    {"report", cmd_report, "a page about one or several runs: curves, pictures, tables"},
    {"export", cmd_export, "write a model or its weights for other programs"},
    {"bench", cmd_bench, "how fast a model runs, and how much of the device each kernel uses"},
    {"tune", cmd_tune, "find the fastest kernels for a model on your device, and remember them"},
    {"check", cmd_check, "compare every kernel with its reference on your device"},
    {NULL, NULL, NULL},
};

static const char purpose[] = "Trains and runs image CNNs on any OpenCL device.";

/* What --help ends with. */
static const char *about(void)
{
    static char out[2048];
    snprintf(out, sizeof out, "%s\n%s\nExit codes: 0 done, 1 failed, 2 wrong usage.\n", cli_models(), cli_data());
    return out;
}

static void print_usage(FILE *to)
{
    fprintf(to, "Usage: convoy COMMAND [options]\n\n%s\n\nCommands:\n", purpose);
    for (const struct command *c = commands; c->name != NULL; c++)
        fprintf(to, "  %-10s %s\n", c->name, c->purpose);
    fprintf(to, "\n'convoy COMMAND --help' tells more; 'convoy --version' gives the version.\n%s", about());
}

/* The same for tools/make_manual.py; each command tells of itself. */
static int print_json(void)
{
    json_t *rows = json_array();
    for (const struct command *c = commands; c->name != NULL; c++)
        json_array_append_new(rows, json_pack("{s:s, s:s}", "name", c->name, "purpose", c->purpose));
    return cli_print_json(json_pack("{s:s, s:s, s:s, s:o}", "release", convoy_version(), "purpose", purpose, "about", about(), "commands",
                                    rows));
}

static int run_command(int argc, char **argv)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(argv[0], c->name) == 0)
            return c->run(argc, argv);
    const char *near = cli_nearest(argv[0], &commands[0].name, sizeof commands[0]);
    if (near != NULL)
        return cli_usage("", "unknown command '%s'; did you mean '%s'?", argv[0], near);
    return cli_usage("", "unknown command '%s'", argv[0]);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    const char *first = argv[1];
    if (strcmp(first, "--version") == 0) {
        printf("convoy %s\n", convoy_version());
        return CLI_DONE;
    }
    bool help = strcmp(first, "help") == 0;
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || (help && argc == 2)) {
        print_usage(stdout);
        return CLI_DONE;
    }
    if (strcmp(first, "--help=json") == 0)
        return print_json();
    if (help) {
        char *words[] = {argv[2], (char[]){"--help"}, NULL};
        return run_command(2, words);
    }
    if (first[0] == '-')
        return cli_usage("", "unknown option '%s'", first);
    return run_command(argc - 1, argv + 1);
}

/* A file that we open must not become standard output because that was closed: hold the places of 0, 1 and 2. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            /* stdout is held by something that can't be written, so that results do not vanish unseen */
            (void)!open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    cli_seconds(); /* the clock starts here */
    cli_keep_threads_apart();
    hold_standard_files();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write that fails: seen below */
    setvbuf(stderr, NULL, _IOLBF, 0);
    int code = run(argc, argv);
    errno = 0;
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (!written && errno != EPIPE)
        cli_say("can't write to standard output%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
    fflush(stderr);
    if (cli_device_failed()) /* a driver may wait for its device when a process ends, and that for ever */
        _exit(written ? code : CLI_FAILED);
    return written ? code : CLI_FAILED;
}
