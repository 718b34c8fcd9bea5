#include "ops/batch_norm.h"

#include <stdio.h>

#include "ops/elementwise.h"

size_t ops_batch_norm_saved(const batch_norm *n) { return 3 * (size_t)n->channels; }

/* Chunks enough to keep the device busy, not so many that joining them takes longer than they do. */
static int chunk_rows(const convoy_context *ctx, const batch_norm *n, int batch)
{
    long rows = (long)n->rows * batch;
    long chunks = rt_wants_vectors(ctx) ? 8L * convoy_context_device(ctx)->compute_units : 256;
    long least = rt_wants_vectors(ctx) ? 64 : 32;
    long each = (rows + chunks - 1) / chunks;
    return (int)(each > least ? each : least);
}

static size_t chunk_count(const convoy_context *ctx, const batch_norm *n, int batch)
{
    size_t each = (size_t)chunk_rows(ctx, n, batch);
    return ((size_t)n->rows * (size_t)batch + each - 1) / each;
}

/* A pair for each chunk, and one for their sums. */
size_t ops_batch_norm_scratch(const convoy_context *ctx, const batch_norm *n, int batch)
{
    return 2 * (size_t)n->channels * (chunk_count(ctx, n, batch) + 1);
}

/* A launch and the texts that it points to. */
typedef struct pass {
    rt_launch launch;
    char label[160], options[448];
    size_t vectors;
    int block;
    epilogue end; /* of add_rows */
} pass;

static void begin(pass *p, const convoy_context *ctx, const char *layer, const batch_norm *n, int batch, const char *what,
                  const char *kernel)
{
    unsigned width = ops_channel_width(ctx, n->channels);
    p->block = rt_wants_vectors(ctx) ? 256 : 4;
    p->end = (epilogue){0};
    p->vectors = (size_t)n->channels / width;
    snprintf(p->label, sizeof p->label, "%s %s", layer, what);
    snprintf(p->options, sizeof p->options,
             "-DVW=%u -DC=%d -DCHUNK=%d -DBLOCK=%d -DSCALE=%d -DCENTER=%d -DMOVING=%d -DEPSILON=%.9ef -DMOMENTUM=%.9ef "
             "-DONE_MINUS_MOMENTUM=%.9ef",
             width, n->channels, chunk_rows(ctx, n, batch), p->block, n->scale, n->center, n->moving, n->epsilon,
             n->momentum, 1.0 - n->momentum);
    p->launch = (rt_launch){.label = p->label, .source = "batch_norm", .kernel = kernel, .options = p->options};
}

static void push(pass *p, const rt_buffer *const *buffers, int count)
{
    for (int i = 0; i < count; i++) /* what is NULL is never read: any buffer does */
        rt_push(&p->launch, RT_BUFFER(buffers[i] ? buffers[i] : buffers[0]));
}

/* Over vectors of channels x blocks of rows. */
static convoy_status add_rows(pass *p, rt_list *list, const convoy_context *ctx, const batch_norm *n, int tensors,
                              convoy_error *err)
{
    rt_push(&p->launch, RT_BATCH(n->rows));
    epilogue_append(&p->end, &p->launch, p->options, sizeof p->options);
    p->launch.global[0] = RT_FIXED(p->vectors);
    p->launch.global[1] = RT_PER_IMAGE((size_t)n->rows, (size_t)p->block);
    ops_local_2d(ctx, p->vectors, p->launch.local);
    p->launch.bytes_per_image = 4.0 * tensors * n->rows * n->channels;
    return rt_list_add(list, &p->launch, err);
}

/* Over `chunks` x vectors of channels; chunks 0: once. */
static convoy_status add_channels(pass *p, rt_list *list, const convoy_context *ctx, size_t chunks, convoy_error *err)
{
    ops_range(&p->launch, ctx, 0, p->vectors * (chunks ? chunks : 1), 1);
    if (rt_wants_vectors(ctx))
        p->launch.local[0] = 1;
    return rt_list_add(list, &p->launch, err);
}

convoy_status ops_batch_norm_forward(rt_list *list, convoy_context *ctx, const char *layer, const batch_norm *n,
                                     const batch_norm_buffers *b, int batch, convoy_error *err)
{
    pass p;
    if (!n->moving) {
        begin(&p, ctx, layer, n, batch, "chunks", "batch_norm_chunks");
        push(&p, (const rt_buffer *[]){b->x, b->scratch}, 2);
        rt_push(&p.launch, RT_BATCH(n->rows));
        p.launch.bytes_per_image = 4.0 * n->rows * n->channels;
        TRY(add_channels(&p, list, ctx, chunk_count(ctx, n, batch), err));
        begin(&p, ctx, layer, n, batch, "moments", "batch_norm_moments");
        push(&p, (const rt_buffer *[]){b->scratch, b->saved}, 2);
        rt_push(&p.launch, RT_BATCH(n->rows));
        TRY(add_channels(&p, list, ctx, 0, err));
    }
    begin(&p, ctx, layer, n, batch, "forward", "batch_norm_forward");
    push(&p, (const rt_buffer *[]){b->x, n->moving ? b->mean : b->saved, n->moving ? b->variance : b->saved, b->gamma,
                                   b->beta, b->y}, 6);
    p.end = b->end;
    return add_rows(&p, list, ctx, n, b->end.addend ? 3 : 2, err);
}

static convoy_status backward_moving(rt_list *list, convoy_context *ctx, const char *layer, const batch_norm *n,
                                     const batch_norm_buffers *b, int batch, convoy_error *err)
{
    pass p;
    begin(&p, ctx, layer, n, batch, "backward", "batch_norm_backward_moving");
    push(&p, (const rt_buffer *[]){b->dy, b->variance, b->gamma, b->dx}, 4);
    return add_rows(&p, list, ctx, n, 2, err);
}

convoy_status ops_batch_norm_backward(rt_list *list, convoy_context *ctx, const char *layer, const batch_norm *n,
                                      const batch_norm_buffers *b, int batch, convoy_error *err)
{
    pass p;
    if (n->moving)
        return b->dx ? backward_moving(list, ctx, layer, n, b, batch, err) : CONVOY_OK;
    begin(&p, ctx, layer, n, batch, "backward chunks", "batch_norm_backward_chunks");
    push(&p, (const rt_buffer *[]){b->x, b->dy, b->saved, b->scratch}, 4);
    rt_push(&p.launch, RT_BATCH(n->rows));
    p.launch.bytes_per_image = 8.0 * n->rows * n->channels;
    TRY(add_channels(&p, list, ctx, chunk_count(ctx, n, batch), err));
    begin(&p, ctx, layer, n, batch, "backward sums", "batch_norm_sums");
    push(&p, (const rt_buffer *[]){b->scratch, b->d_gamma, b->d_beta}, 3);
    rt_push(&p.launch, RT_BATCH(n->rows));
    TRY(add_channels(&p, list, ctx, 0, err));
    if (b->dx == NULL)
        return CONVOY_OK;
    begin(&p, ctx, layer, n, batch, "backward", "batch_norm_backward");
    push(&p, (const rt_buffer *[]){b->x, b->dy, b->saved, b->scratch, b->gamma, b->dx}, 6);
    return add_rows(&p, list, ctx, n, 3, err);
}

convoy_status ops_batch_norm_update(rt_list *list, convoy_context *ctx, const char *layer, const batch_norm *n,
                                    const batch_norm_buffers *b, int batch, convoy_error *err)
{
    pass p;
    begin(&p, ctx, layer, n, batch, "update", "batch_norm_update");
    push(&p, (const rt_buffer *[]){b->saved, b->mean, b->variance, b->bad}, 4);
    return add_channels(&p, list, ctx, 0, err);
}
