/* convoy train --run DIR: a folder with all that is worth knowing about the run. */
#ifndef RUN_FOLDER_H
#define RUN_FOLDER_H

#include "cli/cli.h"

typedef struct run_folder {
    int argc;           /* the command's words */
    char **argv;
    const char *folder; /* NULL: none is wanted, and all functions do nothing */
    bool profile;
    convoy_run *run;
    char *model, *next;
} run_folder;

/* Rows for the command's table; `r` is a run_folder *. */
#define RUN_FOLDER_OPTIONS(r)                                                                                          \
    {.name = "run", .kind = CLI_TEXT, .value = &(r)->folder, .meta = "DIR",                                            \
     .help = "keep settings, history, model and times of the run in\nthis new folder, for convoy report"},             \
    {.name = "no-profile", .kind = CLI_OFF, .value = &(r)->profile,                                                    \
     .help = "do not time the launches of a step for --run"}

/* These return CLI_RUN or an exit code (the message is printed). */
int run_folder_check(const run_folder *r);
/* Makes the folder; `fit` is what training will be called with. The command line goes into the options here. */
int run_folder_begin(run_folder *r, convoy_run_options *options, convoy_context *ctx, convoy_model *model,
                     const convoy_dataset *data, convoy_fit_options *fit);
int run_folder_save(run_folder *r, const convoy_fit_result *result);
int run_folder_finish(run_folder *r, const convoy_metrics *tested);

/* The last thing: times the launches, if that is wanted. Returns the exit code. */
int run_folder_profile(run_folder *r, bool quiet);
void run_folder_free(run_folder *r);

/* Where the model will be; NULL: there is no folder. */
const char *run_folder_model(const run_folder *r);
/* A name for the folder of the run that goes on from this one: DIR-2, or the first after it that is not there. */
const char *run_folder_next(run_folder *r);

#endif
