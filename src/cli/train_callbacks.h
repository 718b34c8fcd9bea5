/* The flags of convoy train that become callbacks. */
#ifndef TRAIN_CALLBACKS_H
#define TRAIN_CALLBACKS_H

#include "cli/cli.h"

#define TRAIN_MOST_CALLBACKS 6

typedef struct train_callbacks {
    const char *early_stopping, *reduce_lr; /* options in Keras's spelling, "" for none; NULL: no such callback */
    const char *checkpoint, *csv_log, *tensorboard, *monitor;
    bool save_best_only, csv_append, terminate_on_nan;
    char *owned[TRAIN_MOST_CALLBACKS];
    const char *texts[TRAIN_MOST_CALLBACKS + 1]; /* what convoy_fit takes */
} train_callbacks;

/* Rows for the command's table; `c` is a train_callbacks *. */
#define TRAIN_CALLBACK_OPTIONS(c)                                                                                      \
    {.name = "early-stopping", .kind = CLI_OPTIONAL, .value = &(c)->early_stopping, .meta = "[OPTIONS]",               \
     .help = "stop when val_loss gets better no more; options as\nin Keras: patience=5,restore_best_weights=True"},    \
    {.name = "reduce-lr", .kind = CLI_OPTIONAL, .value = &(c)->reduce_lr, .meta = "[OPTIONS]",                         \
     .help = "lower the rate when val_loss stands still:\nfactor=0.5,patience=3"},                                     \
    {.name = "checkpoint", .kind = CLI_TEXT, .value = &(c)->checkpoint, .meta = "FILE.keras",                          \
     .help = "save the model after each epoch; the name may have\nfields: 'best-{epoch:02d}-{val_loss:.2f}.keras'"},   \
    {.name = "save-best-only", .kind = CLI_FLAG, .value = &(c)->save_best_only,                                        \
     .help = "checkpoints only when val_loss got better"},                                                             \
    {.name = "monitor", .kind = CLI_TEXT, .value = &(c)->monitor, .meta = "NAME",                                      \
     .help = "what these watch instead of val_loss: loss, or a\nmetric, with val_ in front that of validation"},          \
    {.name = "csv-log", .kind = CLI_TEXT, .value = &(c)->csv_log, .meta = "FILE",                                      \
     .help = "write loss and accuracy of each epoch, as Keras's\nCSVLogger"},                                          \
    {.name = "csv-append", .kind = CLI_FLAG, .value = &(c)->csv_append, .help = "add to that file"},                   \
    {.name = "tensorboard", .kind = CLI_TEXT, .value = &(c)->tensorboard, .meta = "DIR",                               \
     .help = "write event files for TensorBoard"},                                                                     \
    {.name = "terminate-on-nan", .kind = CLI_FLAG, .value = &(c)->terminate_on_nan,                                    \
     .help = "a loss that is not finite ends the training like a\nlast epoch, not with an error"}

/* Makes the texts. CLI_RUN or an exit code (the message is printed). */
int train_callbacks_make(train_callbacks *c, bool quiet);
void train_callbacks_free(train_callbacks *c);

#endif
