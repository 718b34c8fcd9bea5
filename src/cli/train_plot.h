/* convoy train --plot: the curves of the epochs in the terminal. */
#ifndef TRAIN_PLOT_H
#define TRAIN_PLOT_H

#include <stdio.h>

#include "cli/cli.h"

/* Draws loss and accuracy on `to`, as wide as its terminal. CLI_RUN or an exit code (the message is printed). */
int train_plot_print(const convoy_epoch *epochs, int count, FILE *to, bool utf8);

#endif
