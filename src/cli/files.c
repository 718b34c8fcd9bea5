/* Checks that a result can be written before hours of work go into it; notes Ctrl-C. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

bool cli_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int check_folder_of(const char *path)
{
    char folder[PATH_MAX];
    struct stat info;
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    snprintf(folder, sizeof folder, "%.*s", length, slash == NULL ? "." : path);
    if (stat(folder, &info) != 0) {
        cli_say("%s: can't write there: %s: %s; make the folder first or name another file", path, folder,
                strerror(errno));
        return CLI_FAILED;
    }
    if (!S_ISDIR(info.st_mode)) {
        cli_say("%s: can't write there: %s is not a folder", path, folder);
        return CLI_FAILED;
    }
    return CLI_RUN;
}

int cli_check_output(const char *path, const char *ending)
{
    char temporary[PATH_MAX];
    struct stat info;
    size_t length = strlen(path), tail = strlen(ending);
    if (length <= tail || strcmp(path + length - tail, ending) != 0) {
        cli_say("%s: the name of the file to write must end in %s", path, ending);
        return CLI_USAGE;
    }
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        cli_say("%s: is there and is not a file; name another", path);
        return CLI_FAILED;
    }
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        cli_say("%.60s...: the path is too long", path);
        return CLI_FAILED;
    }
    int code = check_folder_of(path);
    if (code != CLI_RUN)
        return code;
    int fd = mkstemp(temporary); /* what the library will do at the end, done once before */
    if (fd < 0) {
        cli_say("%s: can't write there: %s", path, strerror(errno));
        return CLI_FAILED;
    }
    close(fd);
    unlink(temporary);
    return CLI_RUN;
}

/* ---- interrupts ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_watch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    struct sigaction now;
    sigemptyset(&action.sa_mask);
    /* A job started with SIGINT ignored (nohup, a background job of sh) keeps ignoring it. */
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
        sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}
