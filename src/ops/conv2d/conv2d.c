/* The passes of a convolution: chooses a variant for each and has it append its launches. What the variants share. */
#include "ops/conv2d/conv2d.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/conv2d/variant.h"
#include "ops/elementwise.h"

/* ---- numbers of a shape ---- */

double conv_products(const conv_shape *s)
{
    return (double)s->out_height * s->out_width * s->out * conv_group_inputs(s) * s->kernel[0] * s->kernel[1];
}

int conv_group_inputs(const conv_shape *s) { return s->groups > 1 ? s->in / s->groups : s->in; }
int conv_group_outputs(const conv_shape *s) { return s->groups > 1 ? s->out / s->groups : s->out; }
size_t conv_weights(const conv_shape *s) { return (size_t)s->kernel[0] * s->kernel[1] * conv_group_inputs(s) * s->out; }
size_t conv_inputs(const conv_shape *s) { return (size_t)s->height * s->width * s->in; }
size_t conv_outputs(const conv_shape *s) { return (size_t)s->out_height * s->out_width * s->out; }

bool conv_padded(const conv_shape *s)
{
    return s->pad[0] || s->pad[1] || (s->out_height - 1) * s->stride[0] + (s->kernel[0] - 1) * s->dilation[0] >= s->height ||
           (s->out_width - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] >= s->width;
}

/* ---- launches ---- */

void conv_launch_option(conv_launch *l, const char *format, ...)
{
    va_list args;
    size_t used = strlen(l->options);
    va_start(args, format);
    vsnprintf(l->options + used, sizeof l->options - used, format, args);
    va_end(args);
}

void conv_launch_begin(conv_launch *l, const conv_job *job, const char *what, const char *source, const char *kernel)
{
    const conv_shape *s = job->problem.shape;
    memset(l, 0, sizeof *l);
    snprintf(l->label, sizeof l->label, "%s %s", job->layer, what);
    conv_launch_option(l,
                       "-DH=%d -DW=%d -DIC=%d -DOH=%d -DOW=%d -DOC=%d -DKH=%d -DKW=%d -DSH=%d -DSW=%d -DDH=%d -DDW=%d "
                       "-DPT=%d -DPL=%d -DUSE_BIAS=%d",
                       s->height, s->width, s->in, s->out_height, s->out_width, s->out, s->kernel[0], s->kernel[1],
                       s->stride[0], s->stride[1], s->dilation[0], s->dilation[1], s->pad[0], s->pad[1],
                       s->bias && job->problem.pass != CONV_BACKWARD_DATA);
    l->launch = (rt_launch){.label = l->label, .source = source, .kernel = kernel, .options = l->options,
                            .variant = job->variant_text};
    l->launch.flops_per_image = 2.0 * conv_products(s);
    l->launch.bytes_per_image = 4.0 * (double)(conv_inputs(s) + conv_outputs(s));
    l->launch.bytes = 4.0 * (double)conv_weights(s);
}

void conv_launch_finish(conv_launch *l, const conv_job *job)
{
    const epilogue_pool *pool = job->end.pool;
    conv_shape covered = *job->problem.shape;
    epilogue_append(&job->end, &l->launch, l->options, sizeof l->options);
    if (pool == NULL)
        return;
    epilogue_pool_covers(pool, &covered.out_height, &covered.out_width);
    l->launch.flops_per_image = 2.0 * conv_products(&covered);
    l->launch.bytes_per_image = 4.0 * ((double)conv_inputs(&covered) + (double)pool->out_height * pool->out_width * covered.out);
}

/* Rows that a work-item of transpose_blocks moves, and columns that it moves at once. */
enum { BLOCK_ROWS = 16, BLOCK_COLUMNS = 4 };

convoy_status conv_add_transpose(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err)
{
    const conv_shape *s = job->problem.shape;
    char label[160];
    bool blocks = rt_wants_vectors(ctx) && s->in >= BLOCK_ROWS && s->out >= BLOCK_COLUMNS;
    snprintf(label, sizeof label, "%s transpose", job->layer);
    rt_launch launch = {.label = label, .source = "transpose", .kernel = blocks ? "transpose_blocks" : "transpose"};
    rt_push(&launch, RT_BUFFER(job->buffers->w));
    rt_push(&launch, RT_BUFFER(job->buffers->scratch));
    rt_push(&launch, RT_INT(s->kernel[0] * s->kernel[1]));
    rt_push(&launch, RT_INT(s->in));
    rt_push(&launch, RT_INT(s->out));
    launch.bytes = 8.0 * (double)conv_weights(s);
    if (!blocks) {
        ops_range(&launch, ctx, 0, conv_weights(s), 1);
        return rt_list_add(list, &launch, err);
    }
    launch.global[0] = RT_FIXED((size_t)(s->in + BLOCK_ROWS - 1) / BLOCK_ROWS);
    launch.global[1] = RT_FIXED((size_t)s->kernel[0] * s->kernel[1]);
    launch.local[0] = launch.local[1] = 1;
    return rt_list_add(list, &launch, err);
}

/* From how many chunks on they are summed in two steps, if they have fewer values than keep a large device busy; chunks of a block. */
enum { FOLD_CHUNKS = 64, FOLD_VALUES = 16384, FOLD_BLOCK = 16 };

convoy_status conv_add_reduce(rt_list *list, convoy_context *ctx, const conv_job *job, int chunks, convoy_error *err)
{
    const conv_shape *s = job->problem.shape;
    const conv_buffers *b = job->buffers;
    char label[160];
    int weights = (int)conv_weights(s), stride = weights + s->out;
    if (chunks >= FOLD_CHUNKS && stride < FOLD_VALUES) {
        snprintf(label, sizeof label, "%s fold filter", job->layer);
        TRY(ops_fold_chunks(list, ctx, label, b->scratch, s->bias ? stride : weights, chunks, stride, FOLD_BLOCK, err));
        chunks = (chunks + FOLD_BLOCK - 1) / FOLD_BLOCK;
        stride *= FOLD_BLOCK;
    }
    snprintf(label, sizeof label, "%s reduce filter", job->layer);
    return ops_reduce_chunks(list, ctx, label, b->scratch, b->dw, weights, b->dbias, s->bias ? s->out : 0, chunks, stride, err);
}

/* ---- the passes ---- */

convoy_status ops_conv2d_pass(rt_list *list, convoy_context *ctx, conv_pass pass, const char *layer, const char *role,
                              const conv_shape *s, const epilogue *end, const conv_buffers *b, int batch, convoy_error *err)
{
    conv_job job = {.problem = {pass, s, batch}, .layer = layer, .role = role, .buffers = b};
    if (end)
        job.end = *end;
    rt_list_tell(list, &job);
    return conv_add(list, ctx, job, err);
}

convoy_status ops_conv2d_forward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                 const epilogue *end, const conv_buffers *b, int batch, convoy_error *err)
{
    return ops_conv2d_pass(list, ctx, CONV_FORWARD, layer, NULL, s, end, b, batch, err);
}

convoy_status ops_conv2d_backward(rt_list *list, convoy_context *ctx, const char *layer, const conv_shape *s,
                                  const epilogue *end, const conv_buffers *b, int batch, convoy_error *err)
{
    bool in_place = b->dx == b->x;
    if (b->dx && !in_place)
        TRY(ops_conv2d_pass(list, ctx, CONV_BACKWARD_DATA, layer, NULL, s, end, b, batch, err));
    conv_buffers filter = *b;
    filter.scratch = b->filter_scratch;
    if (b->dw)
        TRY(ops_conv2d_pass(list, ctx, CONV_BACKWARD_FILTER, layer, NULL, s, NULL, &filter, batch, err));
    return in_place ? ops_conv2d_pass(list, ctx, CONV_BACKWARD_DATA, layer, NULL, s, end, b, batch, err) : CONVOY_OK;
}

void ops_conv2d_choose(const convoy_context *ctx, conv_pass pass, const conv_shape *s, int batch, conv_kernels *out)
{
    conv_problem problem = {pass, s, batch};
    conv_choice *choice = &out->choice[pass];
    conv_choose(ctx, &problem, choice);
    out->scratch[pass] = choice->variant->scratch ? choice->variant->scratch(ctx, &problem, choice->params) : 0;
    out->records[pass] = rt_record_changes(ctx);
}

bool ops_conv2d_pools(const conv_kernels *kernels, const conv_shape *s, int batch, const epilogue_pool *pool)
{
    const conv_choice *choice = &kernels->choice[CONV_FORWARD];
    return choice->variant->pools && choice->variant->pools(&(conv_problem){CONV_FORWARD, s, batch}, choice->params, pool);
}

bool ops_conv2d_scratch_of_weights(const conv_kernels *kernels)
{
    return kernels->choice[CONV_FORWARD].variant->scratch_of_weights;
}

size_t ops_conv2d_zeros(const conv_shape *s)
{
    return s->groups > 1 ? 0 : (size_t)(s->in > s->out ? s->in : s->out);
}
