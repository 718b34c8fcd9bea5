/* One convolution problem set up on a device with random data, to be run by one variant after another: how fast is it, is its
 * result right? */
#ifndef OPS_CONV2D_PROBE_H
#define OPS_CONV2D_PROBE_H

#include "ops/conv2d/variant.h"

typedef struct conv_probe conv_probe;

/* Takes problem, activation and layer from `job` (copied; buffers, parameters and text are not looked at). */
convoy_status conv_probe_create(convoy_context *ctx, const conv_job *job, conv_probe **out, convoy_error *err);
void conv_probe_destroy(conv_probe *p);
const conv_problem *conv_probe_problem(const conv_probe *p);
/* Bytes of the problem's tensors. */
size_t conv_probe_bytes(const conv_probe *p);

/* A variant with its launches. All of a probe's candidates share its data; each has a scratch of its own. */
typedef struct conv_candidate {
    conv_choice choice;
    char text[192]; /* conv_choice_text */
    rt_list *list;
    rt_buffer *scratch;
} conv_candidate;

/* Builds the programs. Errors: CONVOY_ERROR_BUILD and others. Free with conv_candidate_clear, also after a failure. */
convoy_status conv_candidate_build(conv_probe *p, const conv_choice *choice, conv_candidate *out, convoy_error *err);
void conv_candidate_clear(conv_candidate *c);

/* Seconds of one of `plays` plays, done behind each other, by the wall clock until the device has finished. */
convoy_status conv_candidate_time(conv_probe *p, conv_candidate *c, int plays, double *seconds, convoy_error *err);

/* Fills the results with NaN, then runs the candidate. */
convoy_status conv_candidate_run(conv_probe *p, conv_candidate *c, convoy_error *err);
/* Compares the results on the device with the definition, at the first and last values, at the borders and at random places; the
 * other values must be finite and, from the second call on, agree with those of the first one that passed. *error is the worst
 * error as a multiple of what is tolerated: at most 1 passes. `message` (may be NULL) says which value is wrong. */
convoy_status conv_probe_compare(conv_probe *p, double *error, char *message, size_t size, convoy_error *err);

/* The device's results, for tests that damage them: y, dx or dw. */
rt_buffer *conv_probe_result(conv_probe *p);

#endif
