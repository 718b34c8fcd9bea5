/* The flags of convoy train and convoy evaluate that say how the outputs are judged. */
#ifndef OBJECTIVE_FLAGS_H
#define OBJECTIVE_FLAGS_H

#include "cli/cli.h"

typedef struct objective_flags {
    const char *loss, *metrics, *class_weight, *sample_weight;
    /* what the library takes: */
    char *owned;
    const char *list[CONVOY_MOST_METRICS + 2]; /* one more than there may be, so that the library says so */
    float *weights;
} objective_flags;

/* Rows for the command's table; `o` is an objective_flags *. */
#define OBJECTIVE_OPTIONS(o)                                                                                           \
    {.name = "loss", .kind = CLI_TEXT, .value = &(o)->loss, .meta = "NAME",                                            \
     .help = cli_loss_help()},                                                                                         \
    {.name = "metrics", .kind = CLI_TEXT, .value = &(o)->metrics, .meta = "NAMES",                                     \
     .help = cli_metric_help()},                                                                                       \
    {.name = "sample-weight", .kind = CLI_TEXT, .value = &(o)->sample_weight, .meta = "FILE.npy",                      \
     .help = "a number for each image, by which its loss is\nmultiplied"}

#define CLASS_WEIGHT_OPTION(o)                                                                                         \
    {.name = "class-weight", .kind = CLI_TEXT, .value = &(o)->class_weight, .meta = "TEXT",                            \
     .help = "numbers by which the losses of classes are multiplied\nin training: '0: 1.0, 3: 2.5'; the others weigh 1"}

/* Cuts the metrics apart. CLI_RUN or an exit code (the message is printed). */
int objective_flags_split(objective_flags *o);
/* Reads the sample weights of `images` images, if there are such. CLI_RUN or an exit code. */
int objective_flags_load(objective_flags *o, size_t images);
void objective_flags_free(objective_flags *o);

/* NULL when none were given. */
const char *const *objective_flags_metrics(const objective_flags *o);

#endif
