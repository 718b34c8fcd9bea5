/* Which variant and parameters to try next for a problem: no clock and no device in here, only the order. */
#ifndef OPS_CONV2D_SEARCH_H
#define OPS_CONV2D_SEARCH_H

#include "ops/conv2d/variant.h"

typedef struct conv_trial {
    conv_choice choice;
    double seconds; /* NAN: it is not to be used; INFINITY: hopeless */
} conv_trial;

typedef struct conv_search {
    const convoy_context *ctx;
    const conv_problem *problem;
    const conv_variant *(*row_at)(size_t i); /* the rows: conv_variant_at */
    uint64_t seed;
    bool foreign;       /* try variants of families that are not the device's own, too */
    conv_trial *trials; /* in the order in which they were given out */
    size_t count, capacity;
    uint64_t draws;
    bool failed;        /* out of memory */
} conv_search;

void conv_search_begin(conv_search *s, const convoy_context *ctx, const conv_problem *problem);
void conv_search_end(conv_search *s);

/* The next candidate; false: nothing is left to try. The untuned choice comes first, then what the records say, then each variant's
 * defaults (those of other families last), then the neighbours of the fastest so far: one parameter a step up or down, then two in
 * opposite directions; where the fastest ones have no neighbours left, random parameters. Values that are recorded as bad are left
 * out. Say conv_search_result before asking again. */
bool conv_search_next(conv_search *s, conv_choice *out);

/* How long the candidate given out last took; NAN: it is wrong, or not to be used for another reason. */
void conv_search_result(conv_search *s, double seconds);
/* It did not build, or far too slowly: neither will those of its variant with parameters all as large. */
void conv_search_hopeless(conv_search *s);

#endif
