/* Appends the chosen variant of a pass, or a smaller one where the device turns out not to run it. */
#include <stdio.h>
#include <string.h>

#include "ops/conv2d/variant.h"

static const conv_variant *plain_of(const conv_problem *p)
{
    const conv_variant *v = p->shape->groups > 1 ? conv_groups_variants : conv_plain_variants;
    while (v->pass != p->pass || strcmp(v->family, "plain") != 0)
        v++;
    return v;
}

/* What failed was given its scratch: is that enough for the next one? */
static bool has_scratch(const convoy_context *ctx, const conv_job *job, const conv_choice *next)
{
    const conv_variant *v = next->variant;
    size_t needed = v->scratch ? v->scratch(ctx, &job->problem, next->params) * sizeof(float) : 0;
    return needed == 0 || (job->buffers->scratch != NULL && rt_buffer_bytes(job->buffers->scratch) >= needed);
}

/* After `add` failed: *choice becomes the next smaller one, in the end the plain one, and the problem's record in this context. False where
 * there is none, or where the failure is of a kind that a smaller one would share. */
static bool retreat(convoy_context *ctx, const conv_job *job, const convoy_error *failure, conv_choice *choice)
{
    const conv_problem *p = &job->problem;
    char key[192], from[160], to[160];
    conv_choice next = *choice;
    if (job->end.pool != NULL) /* what is smaller may not pool */
        return false;
    bool device = failure->status == CONVOY_ERROR_DEVICE || failure->status == CONVOY_ERROR_DEVICE_MEMORY ||
                  failure->status == CONVOY_ERROR_BUILD;
    /* CLBlast's failures are not about sizes, and somebody may have asked for it. */
    if (!device || strcmp(choice->variant->family, "plain") == 0 || strcmp(choice->variant->family, "gemm") == 0)
        return false;
    if (next.variant->smaller == NULL || !next.variant->smaller(ctx, p, next.params))
        next = (conv_choice){.variant = plain_of(p)};
    if (!has_scratch(ctx, job, &next))
        return false;
    conv_problem_key(p, key, sizeof key);
    conv_choice_text(choice, from, sizeof from);
    conv_choice_text(&next, to, sizeof to);
    if (rt_record_set(ctx, key, to, NULL) != CONVOY_OK)
        return false;
    rt_message(ctx, "%s, %s: %s does not run here, %s instead: %.*s", job->layer, conv_pass_key(p->pass), from, to,
               (int)strcspn(failure->message, "\n"), failure->message);
    *choice = next;
    return true;
}

/* What was chosen for the job, or what another layer's retreat from that has left. */
static conv_choice *choice_for(const convoy_context *ctx, const conv_job *job, conv_kernels *kernels)
{
    conv_pass pass = job->problem.pass;
    conv_kernels now;
    if (kernels->records[pass] == rt_record_changes(ctx))
        return &kernels->choice[pass];
    ops_conv2d_choose(ctx, pass, job->problem.shape, job->problem.batch, &now);
    kernels->records[pass] = now.records[pass];
    if (job->end.pool == NULL && has_scratch(ctx, job, &now.choice[pass]))
        kernels->choice[pass] = now.choice[pass];
    return &kernels->choice[pass];
}

convoy_status conv_add(rt_list *list, convoy_context *ctx, conv_job job, convoy_error *err)
{
    char text[160];
    conv_kernels own, *kernels = job.buffers->kernels;
    convoy_error failure = {0}; /* of an attempt: the caller's is only written if the last one fails */
    size_t before = rt_list_length(list);
    if (kernels == NULL)
        ops_conv2d_choose(ctx, job.problem.pass, job.problem.shape, job.problem.batch, kernels = &own);
    conv_choice *choice = choice_for(ctx, &job, kernels);
    do {
        rt_list_cut(list, before);
        conv_choice_text(choice, text, sizeof text);
        job.params = choice->params;
        job.variant_text = text;
        if (choice->variant->add(list, ctx, &job, &failure) == CONVOY_OK)
            return CONVOY_OK;
    } while (retreat(ctx, &job, &failure, choice));
    rt_list_cut(list, before);
    if (err)
        *err = failure;
    return failure.status;
}
