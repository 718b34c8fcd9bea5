#include "train/norms.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/elementwise.h"

enum { CHUNK = 1024 }; /* floats that one work-item sums, at most */

struct norms {
    convoy_context *ctx;
    size_t variables, chunks, block, blocks;
    rt_buffer *owner, *chunk, *begin, *partial;
};

static size_t chunks_of(size_t floats) { return (floats + CHUNK - 1) / CHUNK; }

static void measure(norms *n, const plan *p)
{
    n->variables = plan_variable_count(p);
    n->block = rt_alignment(n->ctx) / sizeof(float);
    n->blocks = plan_trainable_floats(p) / n->block;
    for (size_t v = 0; v < n->variables; v++)
        n->chunks += chunks_of(plan_variable(p, v).floats);
}

/* The three tables, on the host. */
static void fill(const norms *n, const plan *p, int32_t *owner, int32_t *chunk, int32_t *begin)
{
    size_t at = 0;
    for (size_t v = 0; v < n->variables; v++) {
        plan_stretch s = plan_variable(p, v);
        begin[v] = (int32_t)at;
        for (size_t done = 0; done < s.floats; done += CHUNK, at++) {
            chunk[2 * at] = (int32_t)(s.first + done);
            chunk[2 * at + 1] = (int32_t)(s.floats - done < CHUNK ? s.floats - done : CHUNK);
        }
        for (size_t b = s.first / n->block; b * n->block < s.first + s.floats; b++)
            owner[b] = (int32_t)v;
    }
    begin[n->variables] = (int32_t)at;
}

static convoy_status send(convoy_context *ctx, const char *what, const int32_t *values, size_t count, rt_buffer **out,
                          convoy_error *err)
{
    TRY(rt_buffer_create(ctx, count * sizeof *values, what, out, err));
    return rt_buffer_write(*out, 0, values, count * sizeof *values, err);
}

static convoy_status setup(norms *n, const plan *p, convoy_error *err)
{
    convoy_status status;
    measure(n, p);
    int32_t *owner = calloc(n->blocks + 1, sizeof *owner), *chunk = calloc(2 * n->chunks + 1, sizeof *chunk);
    int32_t *begin = calloc(n->variables + 1, sizeof *begin);
    if (owner == NULL || chunk == NULL || begin == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    fill(n, p, owner, chunk, begin);
    TRY_GOTO(send(n->ctx, "owners of blocks", owner, n->blocks, &n->owner, err));
    TRY_GOTO(send(n->ctx, "chunks of variables", chunk, 2 * n->chunks, &n->chunk, err));
    TRY_GOTO(send(n->ctx, "chunks of variables", begin, n->variables + 1, &n->begin, err));
    status = rt_buffer_create(n->ctx, n->chunks * sizeof(float), "sums of squares", &n->partial, err);
done:
    free(owner);
    free(chunk);
    free(begin);
    return status;
}

convoy_status norms_create(convoy_context *ctx, const plan *p, norms **out, convoy_error *err)
{
    norms *n = calloc(1, sizeof *n);
    if (n == NULL)
        return OUT_OF_MEMORY(err);
    n->ctx = ctx;
    convoy_status status = setup(n, p, err);
    if (status == CONVOY_OK)
        *out = n;
    else
        norms_destroy(n);
    return status;
}

void norms_destroy(norms *n)
{
    if (n == NULL)
        return;
    rt_buffer_destroy(n->owner);
    rt_buffer_destroy(n->chunk);
    rt_buffer_destroy(n->begin);
    rt_buffer_destroy(n->partial);
    free(n);
}

convoy_status norms_create_result(const norms *n, rt_buffer **out, convoy_error *err)
{
    return rt_buffer_create(n->ctx, n->variables * sizeof(float), "norms", out, err);
}

static rt_launch launch_of(const norms *n, const char *kernel, const char *options, size_t items)
{
    rt_launch launch = {.label = "norms", .source = "norm", .kernel = kernel, .options = options};
    ops_range(&launch, n->ctx, 0, items, 1);
    return launch;
}

convoy_status norms_add(const norms *n, rt_list *list, const rt_buffer *flat, const rt_buffer *out, bool all,
                        convoy_error *err)
{
    char options[128];
    snprintf(options, sizeof options, "-DVW=%u -DCHUNKS=%zu -DVARIABLES=%zu -DSQUARED=%d", ops_width(n->ctx),
             n->chunks, n->variables, all);
    rt_launch chunks = launch_of(n, "norm_chunks", options, n->chunks);
    rt_push(&chunks, RT_BUFFER(flat));
    rt_push(&chunks, RT_BUFFER(n->chunk));
    rt_push(&chunks, RT_BUFFER(n->partial));
    chunks.bytes = 4.0 * (double)(n->blocks * n->block);
    TRY(rt_list_add(list, &chunks, err));
    rt_launch variables = launch_of(n, "norm_variables", options, n->variables);
    rt_push(&variables, RT_BUFFER(n->partial));
    rt_push(&variables, RT_BUFFER(n->begin));
    rt_push(&variables, RT_BUFFER(out));
    TRY(rt_list_add(list, &variables, err));
    if (!all)
        return CONVOY_OK;
    rt_launch sum = launch_of(n, "norm_all", options, 1);
    rt_push(&sum, RT_BUFFER(out));
    return rt_list_add(list, &sum, err);
}

const rt_buffer *norms_owner(const norms *n) { return n->owner; }
size_t norms_block(const norms *n) { return n->block; }
