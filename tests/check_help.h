/* For tests that run a part of convoy_check. */
#ifndef CHECK_HELP_H
#define CHECK_HELP_H

#include "convoy/check.h"
#include "layers/check.h"

/* Counts rows in `user`, a size_t, and prints those that failed; needs cmocka.h in front. */
static inline void on_row(void *user, const convoy_check_row *row)
{
    ++*(size_t *)user;
    if (!row->passed)
        print_error("%s (%s) on %s: %s\n", row->layer, row->options, row->input, row->message);
}

/* A check_filter: of each sample one pass, in turns. */
static inline unsigned pass_in_turn(void *user, convoy_context *ctx, const layer *l, size_t sample)
{
    (void)user;
    (void)ctx;
    (void)l;
    return 1u << sample % CHECK_PASSES;
}

#endif
