#define _GNU_SOURCE /* vasprintf */
#include "cli/run_folder.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int out_of_memory(void)
{
    cli_say("out of host memory");
    return CLI_FAILED;
}

/* printf to memory of its own; NULL when there is none. */
static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *print(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

int run_folder_check(const run_folder *r)
{
    if (!r->profile && r->folder == NULL)
        return cli_usage("train", "--no-profile goes with --run DIR");
    return CLI_RUN;
}

int run_folder_begin(run_folder *r, convoy_run_options *options, convoy_context *ctx, convoy_model *model,
                     const convoy_dataset *data, convoy_fit_options *fit)
{
    convoy_error err = {0};
    if (r->folder == NULL)
        return CLI_RUN;
    const char **words = calloc((size_t)r->argc + 2, sizeof *words);
    r->model = print("%s/model.keras", r->folder);
    if (words == NULL || r->model == NULL) {
        free(words);
        return out_of_memory();
    }
    words[0] = "convoy";
    for (int i = 0; i < r->argc; i++)
        words[i + 1] = r->argv[i];
    options->folder = r->folder;
    options->command = words;
    convoy_status status = convoy_run_create(options, ctx, model, data, fit, &r->run, &err);
    free(words);
    return status == CONVOY_OK ? CLI_RUN : cli_report(&err);
}

int run_folder_save(run_folder *r, const convoy_fit_result *result)
{
    convoy_error err = {0};
    if (r->run == NULL || convoy_run_save(r->run, result, &err) == CONVOY_OK)
        return CLI_RUN;
    return cli_report(&err);
}

int run_folder_finish(run_folder *r, const convoy_metrics *tested)
{
    convoy_error err = {0};
    if (r->run == NULL || convoy_run_finish(r->run, tested, &err) == CONVOY_OK)
        return CLI_RUN;
    return cli_report(&err);
}

static int on_progress(void *user, const char *what, int done, int total)
{
    (void)user;
    (void)what;
    (void)done;
    (void)total;
    return cli_interrupted();
}

int run_folder_profile(run_folder *r, bool quiet)
{
    convoy_error err = {0};
    convoy_bench_options how = {.on_progress = on_progress};
    if (r->run == NULL || !r->profile)
        return CLI_DONE;
    fflush(stdout); /* the results need not wait */
    if (!quiet)
        fputs("measuring: the launches of a training step\n", stderr);
    if (convoy_run_profile(r->run, &how, &err) == CONVOY_OK)
        return CLI_DONE;
    cli_say("%s/launches.json is not written", r->folder);
    return cli_report(&err);
}

void run_folder_free(run_folder *r)
{
    convoy_run_destroy(r->run);
    free(r->model);
    free(r->next);
}

const char *run_folder_model(const run_folder *r)
{
    return r->run ? r->model : NULL;
}

/* Without slashes at its end, and without a number as run_folder_next gives it; a year is not such a one. */
static int stem_length(const char *folder)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        n--;
    size_t stem = n;
    while (stem > 0 && isdigit((unsigned char)folder[stem - 1]))
        stem--;
    bool numbered = stem < n && n - stem <= 3 && stem > 1 && folder[stem - 1] == '-' && folder[stem - 2] != '/';
    return (int)(numbered ? stem - 1 : n);
}

const char *run_folder_next(run_folder *r)
{
    for (int number = 2; number < 1000; number++) {
        free(r->next);
        r->next = print("%.*s-%d", stem_length(r->folder), r->folder, number);
        if (r->next == NULL || access(r->next, F_OK) != 0)
            break;
    }
    return r->next;
}
