/* Finds the best parameters of CLBlast's kernels for the products of a model, taken together: CLBlast has one set for a device. */
#ifndef OPS_GEMM_TUNE_H
#define OPS_GEMM_TUNE_H

#include "ops/conv2d/variant.h"

typedef struct gemm_tune_result {
    double own, tuned;                /* seconds of all products, by CLBlast's parameters before and after */
    const rt_gemm_setting *best[4];   /* better ones, at most one for each kernel */
    size_t count, tried;
} gemm_tune_result;

/* Tries rt_gemm_setting_at(0 ..) until `until` (by clock_seconds) or `go_on` (asked before each but the first) says no. `jobs` are
 * those that the gemm variant runs. A setting wins when it is faster in all by more than noise, measured twice, and all values are
 * right; those that do not build or are wrong become bad records. Nothing leads back to CLBlast's own parameters in this process
 * (rt_gemm_set): it is left with the fastest of those tried. No record is made of the result here. */
convoy_status gemm_tune(convoy_context *ctx, const conv_job *jobs, size_t count, double until, bool (*go_on)(void *user), void *user,
                        gemm_tune_result *result, convoy_error *err);

#endif
