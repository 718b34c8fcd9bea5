/* How work goes, on stderr. Training: Keras's progress line on a terminal, one plain line an epoch elsewhere. A download: a line
 * that looks like it, one plain line for each tenth elsewhere. Other work: a bar. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/train.h"

typedef struct progress {
    bool quiet, terminal, colour, utf8;
    double start;             /* of the epoch, by cli_seconds */
    double drawn;             /* when the line was drawn last */
    double first;             /* when the first step was seen done; the time for a step counts from there ... */
    size_t first_step;        /* ... and from here: the first one is not like the others */
    size_t width;             /* of the line that stands on the terminal */
    char what[96];            /* of progress_bytes */
    uint64_t done, first_done;
    bool ended;
} progress;

void progress_begin(progress *p, bool quiet);

/* An epoch starts; epochs 0: an evaluation, which has no heading. */
void progress_epoch(progress *p, int epoch, int epochs);

/* Redraws the line at most every 50 ms. */
void progress_step(progress *p, size_t step, size_t steps, const convoy_metrics *so_far);

/* The last line of an epoch or an evaluation; `validation` may be NULL. */
void progress_end(progress *p, int epoch, int epochs, size_t steps, const convoy_metrics *so_far,
                  const convoy_metrics *validation);

/* On a terminal: a bar of which `part` (0 to 1) is full, and some words behind it, redrawn at most every 50 ms. */
void progress_bar(progress *p, double part, const char *words);
/* Ends it, the bar full. */
void progress_bar_end(progress *p, const char *words);

/* So many bytes of something are through. The first call of its kind (another `what`, or fewer bytes than before) starts
 * the clock; the last one is where done = total. */
void progress_bytes(progress *p, const char *what, uint64_t done, uint64_t total);

/* Ends a line that is being redrawn, so that a message starts on one of its own. */
void progress_break_line(void);

#endif
