/* Finds the fastest variant and parameters for one convolution problem, by trying. */
#ifndef OPS_CONV2D_TUNE_H
#define OPS_CONV2D_TUNE_H

#include "ops/conv2d/variant.h"

typedef struct conv_tune_result {
    double untuned, tuned;        /* seconds of a play: the least of several, both from one race */
    char untuned_text[192], tuned_text[192]; /* conv_choice_text; the same where nothing faster was found */
    size_t tried;                 /* candidates besides the untuned one */
    size_t wrong;                 /* of these, how many computed wrong values */
    char wrong_text[320];         /* the first of them: which, and what was wrong */
} conv_tune_result;

typedef struct conv_tune_options {
    double until;                             /* by clock_seconds: no candidate is begun after it */
    const conv_variant *(*row_at)(size_t i);  /* NULL: conv_variant_at */
    bool (*on_trial)(void *user, const conv_tune_result *so_far); /* after each candidate; false: stop. May be NULL */
    void *user;
} conv_tune_options;

/* Notes the programs of the untuned choice in a list that collects (rt_list_collect): built together, they are built faster. */
convoy_status conv_collect_untuned(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err);

/* How long the untuned choice takes, roughly. */
convoy_status conv_time_untuned(convoy_context *ctx, const conv_job *job, double *seconds, convoy_error *err);

/* A candidate replaces the best so far when it is faster beyond noise in two races in which the two take turns, and right in
 * between (conv_probe_compare); the winner of all has to beat the untuned choice once more. Candidates that do not build, run far
 * too long or compute wrong values become bad records. The result is not made a record here.
 * Call between rt_try_begin and rt_try_end. Errors: CONVOY_ERROR_DEVICE where the untuned choice computes wrong values. */
convoy_status conv_tune(convoy_context *ctx, const conv_job *job, const conv_tune_options *options, conv_tune_result *result,
                        convoy_error *err);

#endif
